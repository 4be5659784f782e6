# SPDX-License-Identifier: LGPL-2.1-or-later
"""boot add, remove, list, status: which units wait for which file systems, and what is refused."""

import signal

import pytest

import rig
from rig import DAMAGED, DONE, NO_DEVICE, REFUSED, USAGE, tool

from test_crash import chosen, points_of

ALL = ["/srv/a", "/srv/a/deep"]


@pytest.fixture
def boot(bare):
    """Two volumes of the vault in fstab, the outer one last; units and an init script."""
    bare.list = bare.root / "etc/coffer/boot.list"
    units = bare.root / "lib/systemd/system"
    for folder in (units, bare.root / "etc/init.d"):
        folder.mkdir(parents=True)
    for name in ("db.service", "web.service", "get@.service", "db.socket", "ssh.service"):
        (units / name).touch()
    (bare.root / "etc/init.d/oldweb").touch()
    # The key's socket has its folder's name from the vault's path.
    socket = bare.root / "run/coffer"
    bare.crypttab.write_text("".join(f"enc-{name} UUID={name} {{}} luks,nofail\n"
                                     for name in "ab").replace("{}", keys_socket(bare)))
    assert str(socket) in bare.crypttab.read_text()
    bare.fstab = bare.root / "etc/fstab"
    bare.fstab.write_text("UUID=1 / ext4 defaults 0 1\nUUID=2 /plain ext4 nofail 0 2\n"
                          "/dev/mapper/enc-b /srv/a/deep ext4 noauto 0 2\n"
                          "/dev/mapper/enc-a /srv/a ext4 nofail 0 2\n")
    return bare


def keys_socket(coffer):
    """Where the vault's key server listens: 64-bit FNV-1a of the vault's path."""
    value = 0xcbf29ce484222325
    for byte in str(coffer.vault).encode():
        value = (value ^ byte) * 0x100000001b3 % (1 << 64)
    return f"{coffer.root}/run/coffer/{value:016x}/keys.sock"


def units(result):
    return result.json["units"]


def listed(coffer):
    return {unit["unit"]: unit["mounts"] for unit in units(coffer.run("boot", "list", "--json"))}


def test_unit_waits_for_all_volumes_or_for_those_named(boot):
    found, = units(boot.run("boot", "add", "db", "--json"))
    assert (found["unit"], found["mounts"], found["all"], found["changed"]) == \
        ("db.service", ALL, True, True)
    boot.run("boot", "add", "web.service", "oldweb", "--for", "/plain/", "--for", "/srv/a")
    assert listed(boot) == {"db.service": ALL, "web.service": ["/plain", "/srv/a"],
                            "oldweb.service": ["/plain", "/srv/a"]}


def test_unit_that_waits_for_all_waits_for_a_new_volume_as_well(boot):
    boot.run("boot", "add", "db")
    boot.crypttab.write_text(boot.crypttab.read_text() +
                             f"enc-c UUID=c {keys_socket(boot)} luks\n")
    boot.fstab.write_text(boot.fstab.read_text() + "/dev/mapper/enc-c /srv/c xfs nofail\n")
    assert listed(boot)["db.service"] == ALL + ["/srv/c"]


def test_again_changes_nothing_and_other_mounts_replace_the_line(boot):
    boot.run("boot", "add", "db", "--for", "/srv/a")
    before = boot.list.read_bytes()
    found, = units(boot.run("boot", "add", "db", "--for", "/srv/a", "--json"))
    assert not found["changed"] and boot.list.read_bytes() == before
    boot.run("boot", "add", "db")
    assert listed(boot) == {"db.service": ALL}


def test_remove_leaves_no_trace(boot):
    before = sorted((boot.root / "etc").rglob("*"))
    boot.run("boot", "add", "db", "web")
    boot.run("boot", "remove", "db", "web.service")
    left = sorted(path for path in (boot.root / "etc").rglob("*") if path not in before)
    assert [path.name for path in left] == ["coffer", ".boot.list.lock"]


def test_remove_keeps_every_byte_that_is_not_its_own(boot):
    (boot.root / "etc/coffer").mkdir()
    boot.list.write_text("# mine\nwait  web.service # kept\nwait db.service\n# end, no newline")
    boot.run("boot", "remove", "db")
    assert boot.list.read_text() == "# mine\nwait  web.service # kept\n# end, no newline"


def test_remove_of_what_does_not_wait_is_no_failure(boot):
    found, = units(boot.run("boot", "remove", "db", "--json"))
    assert not found["changed"] and not boot.list.exists()


def test_dry_run_changes_nothing(boot):
    found, = units(boot.run("boot", "add", "db", "--dry-run", "--json"))
    assert (found["state"], found["changed"]) == ("planned", True)
    assert not boot.list.exists()


@pytest.mark.parametrize("words, status, text", [
    (["ghost"], NO_DEVICE, "no such unit"),
    (["ssh"], REFUSED, "nobody could log in"),
    (["dbus.socket"], REFUSED, "system's own services"),
    (["systemd-udevd"], REFUSED, "part of the system"),
    (["coffer-keys.socket"], REFUSED, "opened by it"),
    (["multi-user.target"], USAGE, "is a target"),
    (["get@"], USAGE, "template"),
    (["db", "--for", "/nowhere"], NO_DEVICE, "is no mount point"),
    (["db", "--for", "srv"], USAGE, "slash"),
    (["db", "--for", "/"], USAGE, "always there"),
    ([], USAGE, ""),
])
def test_refusals_say_why_and_write_nothing(boot, words, status, text):
    result = boot.run("boot", "add", *words, expect=status)
    assert text in result.err
    assert not boot.list.exists()


def test_refused_unit_costs_the_others_nothing(boot):
    boot.run("boot", "add", "ssh", "db", "ghost", expect=REFUSED)
    assert list(listed(boot)) == ["db.service"]


def test_volume_that_has_the_vault_is_refused(boot):
    boot.fstab.write_text(f"/dev/mapper/enc-a {boot.vault.parent} ext4 nofail 0 2\n")
    result = boot.run("boot", "add", "db", expect=REFUSED)
    assert "has the vault" in result.err


def test_no_volume_in_fstab_is_refused(boot):
    boot.fstab.write_text("UUID=1 / ext4 defaults 0 1\n")
    result = boot.run("boot", "add", "db", expect=NO_DEVICE)
    assert "--for MOUNT" in result.err


def test_wrong_line_of_the_list_is_named(boot):
    (boot.root / "etc/coffer").mkdir()
    boot.list.write_text("wait db.service\nwait web.service for srv\n")
    for words in (["add", "web"], ["remove", "db"], ["list"], ["status"]):
        result = boot.run("boot", *words, expect=DAMAGED)
        assert "boot.list: line 2 " in result.err
    assert boot.list.read_text().count("\n") == 2


def test_status_says_what_is_missing_and_why(boot):
    boot.run("boot", "add", "db")
    boot.run("boot", "add", "web", "--for", "/plain")
    document = boot.run("boot", "status", "--json").json
    db, web = document["units"]
    assert db["state"] == "waiting" and db["missing"] == ALL
    assert db["reason"] == "/srv/a is not mounted: the volume enc-a is closed"
    assert web["reason"] == "/plain is not mounted"
    assert document["warnings"] == []


def test_line_of_fstab_that_stops_a_boot_is_warned_of(boot):
    boot.fstab.write_text(boot.fstab.read_text().replace("noauto", "defaults"))
    assert "needs nofail or noauto" in boot.run("boot", "add", "db").out
    assert "stops at /srv/a/deep" in boot.run("boot", "status", "--json").json["warnings"][0]


@pytest.fixture
def bare_places(boot):
    """Real folders of a file system that knows the immutable flag."""
    folder = boot.folder / "fs"
    image = boot.folder / "image"
    with open(image, "wb") as file:
        file.truncate(4 << 20)
    tool("mkfs.ext4", "-q", image)
    with rig.mounted(image, folder, "-o", "loop"):
        places = [folder / name for name in ("a", "b c")]
        for place in places:
            place.mkdir()
        boot.fstab.write_text("".join(
            f"/dev/mapper/enc-{name} {str(place).replace(' ', chr(92) + '040')} ext4 nofail 0 2\n"
            for name, place in zip("ab", places)))
        yield places
        for place in places:
            tool("chattr", "-i", place, check=False)


def is_immutable(path):
    return "i" in tool("lsattr", "-d", path).stdout.split()[0]


def test_bare_mount_points_take_no_files_until_nobody_waits(boot, bare_places):
    boot.run("boot", "add", "db", "web")
    assert all(map(is_immutable, bare_places))
    assert boot.run("boot", "list", "--json").json["bare"] == list(map(str, bare_places))
    with pytest.raises(PermissionError):
        (bare_places[0] / "file").touch()
    boot.run("boot", "remove", "web")
    assert all(map(is_immutable, bare_places))
    boot.run("boot", "remove", "db")
    assert not any(map(is_immutable, bare_places))
    assert not boot.list.exists()


def test_bare_mount_point_is_reached_below_what_is_mounted(boot, bare_places):
    with rig.mounted("tmpfs", bare_places[0], "-t", "tmpfs"):
        boot.run("boot", "add", "db")
        (bare_places[0] / "file").touch()
    assert is_immutable(bare_places[0]) and not list(bare_places[0].iterdir())
    with rig.mounted("tmpfs", bare_places[0], "-t", "tmpfs"):
        boot.run("boot", "remove", "db")
    assert not is_immutable(bare_places[0])


def test_bare_mount_point_with_files_or_the_users_own_flag_is_left_alone(boot, bare_places):
    (bare_places[0] / "file").touch()
    tool("chattr", "+i", bare_places[1])
    result = boot.run("boot", "add", "db")
    assert "holds files of its own" in result.out and not is_immutable(bare_places[0])
    assert boot.run("boot", "list", "--json").json["bare"] == []
    boot.run("boot", "remove", "db")
    assert is_immutable(bare_places[1])


def test_dry_run_sets_no_flag(boot, bare_places):
    boot.run("boot", "add", "db", "--dry-run")
    assert not any(map(is_immutable, bare_places))


def test_fewer_mount_points_give_up_the_others(boot, bare_places):
    boot.run("boot", "add", "db")
    boot.run("boot", "add", "db", "--for", bare_places[1])
    assert [is_immutable(place) for place in bare_places] == [False, True]


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_flags_are_never_forgotten(boot, bare_places, fault):
    points = points_of(boot.run("boot", "add", "db", fault="list"))
    for number in chosen(points):
        boot.run("boot", "remove", "db")
        boot.run("boot", "add", "db", fault=f"{fault}:#{number}", expect=None)
        # Whatever the first run has left, the list knows of it.
        closed = [str(place) for place in bare_places if is_immutable(place)]
        assert set(closed) <= set(boot.run("boot", "list", "--json").json["bare"])
        boot.run("boot", "add", "db")
        assert all(map(is_immutable, bare_places))
    points = points_of(boot.run("boot", "remove", "db", fault="list"))
    for number in chosen(points):
        boot.run("boot", "add", "db")
        boot.run("boot", "remove", "db", fault=f"{fault}:#{number}", expect=None)
        boot.run("boot", "remove", "db")
        assert not any(map(is_immutable, bare_places))


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["kill", "fail"])
@pytest.mark.parametrize("verb", ["add", "remove"])
def test_change_converges_after_a_stop_at_any_point(boot, verb, fault):
    other = "add" if verb == "remove" else "remove"

    def prepare():
        boot.run("boot", "remove", "web")
        boot.run("boot", other, "db")
        if verb == "remove":
            boot.run("boot", "add", "web")
    prepare()
    for number in chosen(points_of(boot.run("boot", verb, "db", fault="list"))):
        prepare()
        first = boot.run("boot", verb, "db", fault=f"{fault}:#{number}", expect=None)
        assert first.status in ((-signal.SIGKILL,) if fault == "kill" else (rig.FAILED, DONE))
        assert ("web.service" in listed(boot)) == (verb == "remove")
        boot.run("boot", verb, "db")
        assert ("db.service" in listed(boot)) == (verb == "add")
