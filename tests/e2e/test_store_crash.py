# SPDX-License-Identifier: LGPL-2.1-or-later
"""coffer store, stopped at every point, killed at any time, on full disks.

What was committed is there, whole; what was not is not there at all; the same command again ends well.
"""

import random
import signal
import time

import pytest

import rig
from rig import DONE, FAILED, REFUSED
from store_rig import KIB, Group, mixed, noise
from test_crash import chosen, points_of, record_count

pytestmark = pytest.mark.slow
CONTENT = mixed(3 * rig.MIB, 7)
SMALL = 480 * KIB  # no more chunks than a root has room for: each put makes one pack


@pytest.fixture(params=[True, False], ids=["encrypted", "plain"])
def group(bare, request):
    made = Group(bare, encrypt=request.param)
    made.create()
    made.put("kept", CONTENT[:rig.MIB])
    return made


def assert_whole(group, names):
    """Nothing is damaged, and there are just these versions."""
    assert group.names() == names
    group.run("verify")
    assert group.get("kept") == CONTENT[:rig.MIB]


def stop(run, fault, number):
    """One run up to a point."""
    first = run(fault=f"{fault}:#{number}", expect=None)
    assert first.status == (-signal.SIGKILL if fault == "kill" else FAILED), first


@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_put_is_all_or_nothing(group, fault, record_property):
    points = points_of(group.put("scout", noise(SMALL, 1), fault="list"))
    group.run("remove", "scout", "--yes-destroy", "scout")
    for number in chosen(points):
        content = noise(SMALL, 100 + number)
        stop(lambda content=content, **more: group.put("new", content, **more), fault, number)
        visible = "new" in group.names()
        assert visible == (points[number - 1] == "store/version-durable"), points[number - 1]
        assert_whole(group, ["kept", "new"] if visible else ["kept"])
        again = group.put("new", content, expect=(REFUSED,) if visible else (DONE,))
        # What the first run had stored is found again.
        if "durable" in points[number - 1] and points[number - 1] != "store/upload-durable" and \
                not visible:
            assert again.json["version"]["new_bytes"] == 0
        assert group.get("new") == content
        group.run("remove", "new", "--yes-destroy", "new")
    record_count(record_property, "store put", len(chosen(points)))


@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_create_starts_over(bare, fault, record_property):
    points = points_of(Group(bare, "scout").create(fault="list"))
    for rounds, number in enumerate(chosen(points), 1):
        group = Group(bare, f"round{number}")
        stop(group.create, fault, number)
        group.create(expect=(DONE, REFUSED))
        group.put("kept", CONTENT[:rig.MIB])
        assert_whole(group, ["kept"])
        copies = group.copies()
        assert len({copy.read_bytes() for copy in copies}) == 1
        # Nothing of the run before is left with the system.
        assert len(list(copies[2].parent.iterdir())) == 1 + rounds
    record_count(record_property, "store create", len(chosen(points)))


@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_a_rotation_ends_with_one_new_key_in_all_copies(bare, fault, monkeypatch, record_property):
    group = Group(bare)
    monkeypatch.setenv("COFFER_TEST_TIME", "1800000000")
    group.create("--rotate", "7d")
    group.put("kept", CONTENT[:rig.MIB])
    now = 1800000000 + 7 * 86400
    monkeypatch.setenv("COFFER_TEST_TIME", str(now))
    points = [point for point in points_of(group.put("scout", b"0", fault="list"))
              if point.startswith("store/keys")]
    assert len(points) == 4
    keys = 2
    for number in chosen(points):
        now += 7 * 86400
        monkeypatch.setenv("COFFER_TEST_TIME", str(now))
        stop(lambda number=number, **more: group.put("new", b"%d" % number, **more), fault, number)
        keys += 1
        group.put("new", b"%d" % number)
        shown = group.run("keys", "--json").json
        assert len(shown["keys"]) == keys, points[number - 1]
        assert len({copy.read_bytes() for copy in group.copies()}) == 1
        group.run("remove", "new", "--yes-destroy", "new")
    assert_whole(group, ["kept", "scout"])
    record_count(record_property, "store rotation", len(chosen(points)))


def test_a_put_that_is_killed_at_any_time_leaves_nothing(group, record_property):
    chance = random.Random(5)
    rounds = 6
    source = group.coffer.folder / "large"
    source.write_bytes(noise(24 * rig.MIB, 3))
    for _ in range(rounds):
        process = group.coffer.start("store", "put", group.folder, "new", source, *group.secret)
        time.sleep(chance.uniform(0.005, 0.08))
        process.kill()
        process.communicate()
        if "new" in group.names():
            assert group.get("new") == source.read_bytes()
            group.run("remove", "new", "--yes-destroy", "new")
        assert_whole(group, ["kept"])
    group.run("put", "new", source)
    assert group.get("new") == source.read_bytes()
    record_count(record_property, "store put killed", rounds)


@pytest.mark.parametrize("size_kib", [64, 200, 700, 1500, 2600])
def test_on_a_full_disk_the_versions_of_before_stay(bare, size_kib):
    group = Group(bare)
    group.folder.mkdir(mode=0o700)
    with rig.mounted("tmpfs", group.folder, "-t", "tmpfs", "-o", f"size={2048 + size_kib}k,mode=700"):
        group.create()
        group.put("kept", CONTENT[:rig.MIB])
        run = group.put("new", noise(8 * rig.MIB), expect=FAILED)
        assert "No space left" in run.err or "no room" in run.err, run
        assert_whole(group, ["kept"])
        # What was not committed takes no room for good.
        small = group.put("small", b"x" * 1000, expect=(DONE, FAILED))
        assert_whole(group, ["kept", "small"] if small.status == DONE else ["kept"])


def test_two_writers_at_once_both_end_well(group):
    contents = {f"writer{number}": noise(4 * rig.MIB, number // 2) for number in range(4)}
    writers = []
    for name, content in contents.items():
        source = group.coffer.folder / f"{name}.in"
        source.write_bytes(content)
        writers.append(group.coffer.start("store", "put", group.folder, name, source,
                                          *group.secret))
    for writer in writers:
        _, err = writer.communicate(timeout=60)
        assert writer.returncode == DONE, err
    for name, content in contents.items():
        assert group.get(name) == content
    group.run("verify")


def test_of_two_that_put_the_same_name_one_is_refused(group):
    source = group.coffer.folder / "same"
    source.write_bytes(noise(4 * rig.MIB))
    writers = [group.coffer.start("store", "put", group.folder, "same", source, *group.secret)
               for _ in range(2)]
    for writer in writers:
        writer.communicate(timeout=60)
    assert sorted(writer.returncode for writer in writers) == [DONE, REFUSED]
    assert group.get("same") == source.read_bytes()
