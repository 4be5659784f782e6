# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 and failures at every point of what is done with services, then the same command again.

At no point may there be a file system that no key in the vault opens, unless its service's name was
typed to destroy it.
"""

import signal

import pytest

import rig
from rig import DONE, tool
from test_crash import SHARE, chosen, crash, points_of, record_count
from test_services import KEY, Service

pytestmark = pytest.mark.slow


def some(points):
    """A round takes seconds here, and most points are those of parts that have tests of their own:
    where not all are taken, one in four of those that others take."""
    numbers = chosen(points)
    return numbers if SHARE == 1 else sorted({*numbers[1::4], numbers[-1]})


@pytest.fixture(autouse=True)
def unlocked_before(coffer):
    """The first unlocking of a new vault writes what no later one does."""
    coffer.run("key", "list", *coffer.secret())


def assert_opens(service):
    """The key in the vault opens the header, says another program."""
    out = service.place / "pass"
    out.write_text(service.coffer.run("secret", "decode", service.secret, "--key", KEY,
                                      *service.coffer.secret()).out)
    tool("cryptsetup", "open", "--test-passphrase", "--key-file", out, service.file)


def assert_up(service):
    found = service.look()
    assert (found["avail"], found["overall"], found["provisioned"]) == ("up", "up", True), found
    assert found["notice"] == "idle, started"
    assert_opens(service)


def unmake(service):
    service.purge()
    service.config.unlink()


@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_provision_converges_after_a_stop_at_any_point(coffer, place, record_property, fault):
    scout = Service(coffer, place)
    points = points_of(scout.run("provision", fault="list"))
    unmake(scout)
    for number in some(points):
        service = Service(coffer, place)
        again = crash(lambda service=service, **more: service.run("provision", **more), number,
                      fault)
        assert again.status == DONE, f"after {points[number - 1]}\n{again}"
        assert_up(service)
        # Nothing that was begun is begun a second time by a third run.
        assert "nothing to do" in service.run("provision").out
        unmake(service)
    record_count(record_property, f"provision, {fault}", len(some(points)))


@pytest.mark.parametrize("fault", ["kill", "fail"])
@pytest.mark.parametrize("verb", ["start", "stop"])
def test_start_and_stop_converge_after_a_stop_at_any_point(coffer, place, record_property, verb,
                                                           fault):
    service = Service(coffer, place)
    service.run("provision")
    (service.folder / "file").write_text("kept")

    def prepare():
        service.run("stop" if verb == "start" else "start")
    prepare()
    points = points_of(service.run(verb, fault="list"))
    for number in some(points):
        prepare()
        again = crash(lambda **more: service.run(verb, **more), number, fault)
        assert again.status == DONE, f"after {points[number - 1]}\n{again}"
        assert service.look()["avail"] == ("up" if verb == "start" else "down")
        assert service.look()["unfinished"] is None and service.look()["failed"] is None
        service.run("start")
        assert (service.folder / "file").read_text() == "kept"
        if verb == "stop":
            service.run("stop")
    assert_opens(service)
    record_count(record_property, f"{verb}, {fault}", len(some(points)))


@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_purge_converges_after_a_stop_at_any_point(coffer, place, record_property, fault):
    def made():
        service = Service(coffer, place)
        service.run("provision")
        return service
    points = points_of(made().purge(fault="list"))
    for number in some(points):
        service = made()
        first = service.purge(fault=f"{fault}:#{number}", expect=None)
        assert first.status in (-signal.SIGKILL, rig.FAILED, DONE), first
        again = service.purge(expect=None)
        # The last points come after the configuration is gone.
        assert again.status in (DONE, rig.NO_DEVICE), f"after {points[number - 1]}\n{again}"
        assert not service.file.exists() and not service.folder.exists()
        assert service.path not in coffer.run("service", "list").out
        assert coffer.run("secret", "keys", service.secret, *coffer.secret()).out == ""
        # Its name is free again.
        service.create()
        service.purge()
    record_count(record_property, f"purge, {fault}", len(some(points)))


@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_create_converges_after_a_stop_at_any_point(coffer, place, record_property, fault):
    scout = Service(coffer, place, create=False)
    points = points_of(scout.create(fault="list"))
    for number in some(points):
        service = Service(coffer, place, create=False)
        again = crash(lambda service=service, **more: service.create(**more), number, fault)
        assert again.status in (DONE, rig.REFUSED), f"after {points[number - 1]}\n{again}"
        assert service.look()["provisioned"] is False
    record_count(record_property, f"create, {fault}", len(some(points)))


@pytest.mark.parametrize("verb", ["add", "change", "remove", "restore"])
def test_secret_verbs_leave_the_old_value_or_the_new_one(coffer, place, record_property, verb):
    (place / "old").write_text("old")
    (place / "new").write_text("new")
    path = "demo/sec/crash"

    def run(what, *options, **more):
        return coffer.run("secret", what, path, "--key", "token", *options, *coffer.secret(),
                          **more)

    def value():
        return run("decode", expect=None).out

    def prepare():
        if verb == "add":
            run("remove", expect=None)
        else:
            run("restore", expect=None)
            run("change", "--from", place / "old")
        if verb == "restore":
            run("remove")
    options = ("--from", place / ("new" if verb == "change" else "old"))
    options = options if verb in ("add", "change") else ()
    wanted = {"add": "old", "change": "new", "remove": "", "restore": "old"}[verb]
    run("add", "--from", place / "old")
    prepare()
    points = points_of(run(verb, *options, fault="list"))
    for number in some(points):
        prepare()
        before = value()
        run(verb, *options, fault=f"kill:#{number}", expect=-signal.SIGKILL)
        assert value() in (before, wanted), f"after {points[number - 1]}"
        run(verb, *options, expect=None)
        assert value() == wanted, f"after {points[number - 1]}"
    record_count(record_property, f"secret {verb}", len(some(points)))
