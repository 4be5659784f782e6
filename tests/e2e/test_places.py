# SPDX-License-Identifier: LGPL-2.1-or-later
"""`key relocate`: keys in key files of a folder, in the vault, or in both."""

import contextlib
import os
import pathlib
import shutil

import pytest

import rig
from rig import NO_DEVICE, REFUSED, USAGE, WRONG_KEY, mounted, tool
from test_adopt import opens, slots, stored_key


def relocate(coffer, *disks, to, options=(), **more):
    return coffer.run("key", "relocate", *disks, "--to", to, "--json", *options, *coffer.secret(),
                      **more)


def only(coffer, disk, to, **more):
    return relocate(coffer, disk.volume, to=to,
                    options=["--only", "--yes-destroy", disk.volume], **more)


def key_field(coffer, disk):
    """The third field of the disk's line in crypttab."""
    lines = [line.split() for line in coffer.crypttab.read_text().splitlines()]
    return next(line[2] for line in lines if line[0] == disk.volume)


def status_of(coffer, disk):
    shown = coffer.run("disk", "status", disk.volume, "--json", "--passphrase-file",
                       coffer.recovery).json["disks"]
    return shown[0]


@pytest.fixture
def keys(place):
    """A folder for key files."""
    folder = place / "keys"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def formatted(coffer, disk):
    """A closed disk of the vault with a line in crypttab."""
    coffer.format(disk, options=["--crypttab"])
    coffer.close(disk)
    return disk


@contextlib.contextmanager
def medium(place, make_disk, name="stick"):
    """A file system of its own, as a stick has one."""
    stick = make_disk(16)
    tool("mkfs.ext4", "-q", stick)
    with mounted(stick, place / name) as folder:
        folder.chmod(0o700)
        yield folder


def test_key_moves_into_a_folder_and_crypttab_names_it(coffer, formatted, keys):
    disk = formatted
    found = relocate(coffer, disk.volume, to=keys).disks[0]
    file = keys / f"{disk.volume}.key"
    assert found["changed"] and str(file) in found["note"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_bytes() == stored_key(coffer, disk.volume).read_bytes()
    assert opens(disk, file) and key_field(coffer, disk) == str(file)
    shown = status_of(coffer, disk)
    assert shown["key_file"] == str(file) and not shown["key_only"]
    again = relocate(coffer, disk.volume, to=f"{keys}/").disks[0]
    assert not again["changed"]
    coffer.open(disk)


def test_key_moves_back_into_the_vault(coffer, formatted, keys):
    disk = formatted
    before = coffer.crypttab.read_text()
    relocate(coffer, disk.volume, to=keys)
    relocate(coffer, disk.volume, to="vault")
    assert list(keys.iterdir()) == [] and coffer.crypttab.read_text() == before
    assert opens(disk, stored_key(coffer, disk.volume))
    assert status_of(coffer, disk)["key_file"] is None


def test_key_moves_from_folder_to_folder(coffer, formatted, keys, place):
    other = place / "other"
    other.mkdir(mode=0o700)
    relocate(coffer, formatted.volume, to=keys)
    relocate(coffer, formatted, to=other)
    assert list(keys.iterdir()) == [] and opens(formatted, other / f"{formatted.volume}.key")
    assert key_field(coffer, formatted).startswith(str(other))


@pytest.mark.parametrize("rotates", [0, 1])
def test_given_up_key_file_is_overwritten(coffer, formatted, make_disk, place, rotates):
    with medium(place, make_disk) as stick:
        node = tool("findmnt", "-no", "SOURCE", stick).stdout.strip()
        pathlib.Path("/sys/class/block", node[5:], "queue/rotational").write_text(str(rotates))
        relocate(coffer, formatted.volume, to=stick)
        os.link(stick / f"{formatted.volume}.key", stick / "same bytes")
        found = relocate(coffer, formatted.volume, to="vault").disks[0]
        assert set((stick / "same bytes").read_bytes()) == {0}
    told = "coffer key rotate makes that worthless"
    assert told in found["note"] if not rotates else found["note"] is None


def test_open_disk_stays_open_meanwhile(coffer, disk, keys):
    plain = coffer.format(disk, options=["--crypttab"]).disks[0]["device"]
    relocate(coffer, disk.volume, to=keys)
    assert rig.is_block_device(plain)
    coffer.close(disk)


def test_options_of_the_line_stay(coffer, formatted, keys):
    text = coffer.crypttab.read_text()
    coffer.crypttab.write_text("# mine\n" + text.replace("luks,", "luks,discard,"))
    relocate(coffer, formatted.volume, to=keys)
    assert "luks,discard,nofail" in coffer.crypttab.read_text()
    assert coffer.crypttab.read_text().startswith("# mine\n")


def test_line_of_the_user_stays(coffer, formatted, keys):
    line = f"{formatted.volume} {formatted} /etc/own.key luks\n"
    coffer.crypttab.write_text(line)
    relocate(coffer, formatted.volume, to=keys)
    assert coffer.crypttab.read_text() == line


def test_all_disks_move(coffer, make_disk, keys):
    disks = [make_disk(), make_disk()]
    coffer.format(*disks)
    coffer.close(*disks)
    relocate(coffer, to=keys, options=["--all"])
    assert {path.name for path in keys.iterdir()} == {f"{disk.volume}.key" for disk in disks}


def test_dry_run_changes_nothing(coffer, formatted, keys):
    before = rig.tree_digest(coffer.vault), coffer.crypttab.read_bytes()
    found = relocate(coffer, formatted.volume, to=keys, options=["--dry-run"]).disks[0]
    assert found["state"] == "planned" and not found["changed"]
    assert list(keys.iterdir()) == []
    assert coffer.crypttab.read_bytes() == before[1]


# ---- the key file alone ----

def test_only_leaves_no_key_in_the_vault(coffer, formatted, keys, place):
    disk = formatted
    coffer.run("key", "rotate", disk.volume, *coffer.secret())
    only(coffer, disk, keys)
    file = keys / f"{disk.volume}.key"
    refused = coffer.run("key", "export", disk.volume, "--out", place / "out", *coffer.secret(),
                         expect=NO_DEVICE)
    assert f"the record has no key, which is in {file}" in refused.err
    history = coffer.run("key", "history", disk.volume, "--json", *coffer.secret()).json["keys"]
    assert len(history) == 1 and not history[0]["secret"]
    assert status_of(coffer, disk)["key_only"]
    listed = next(found for found in coffer.run("disk", "list", "--json", *coffer.secret())
                  .json["devices"] if found["name"] == disk.volume)
    assert listed["key"] is False and listed["key_file"] == str(file)
    shown = coffer.run("disk", "list", *coffer.secret()).out.splitlines()
    assert next(line for line in shown if disk.node in line.split()[0]).split()[-2:] == \
        ["file", "yes"]
    assert opens(disk, file)
    coffer.open(disk)
    coffer.close(disk)


def test_only_comes_back_into_the_vault(coffer, formatted, keys):
    only(coffer, formatted, keys)
    file = (keys / f"{formatted.volume}.key").read_bytes()
    relocate(coffer, formatted.volume, to=keys)  # without --only the vault has it as well
    assert stored_key(coffer, formatted.volume).read_bytes() == file
    only(coffer, formatted, keys)
    relocate(coffer, formatted.volume, to="vault")
    assert stored_key(coffer, formatted.volume).read_bytes() == file
    assert list(keys.iterdir()) == []


def test_only_asks(coffer, formatted, keys):
    relocate(coffer, formatted.volume, to=keys, options=["--only"], expect=REFUSED)
    assert list(keys.iterdir()) == []


def test_only_key_is_not_rotated(coffer, formatted, keys):
    only(coffer, formatted, keys)
    refused = coffer.run("key", "rotate", formatted.volume, *coffer.secret(), expect=REFUSED)
    assert f"coffer key relocate {formatted.volume} --to vault" in refused.err
    assert len(slots(formatted)) == 1


def test_missing_medium_is_named(coffer, formatted, make_disk, place):
    with medium(place, make_disk) as stick:
        only(coffer, formatted, stick)
    refused = coffer.open(formatted, expect=NO_DEVICE).disks[0]["error"]
    assert refused["cause"] == f"nothing is mounted at {stick}"
    assert refused["remedy"] == f"mount {stick}"
    shown = coffer.run("disk", "status", "--passphrase-file", coffer.recovery)
    assert f"nothing is mounted at {stick}; try: mount {stick}\n" in shown.out
    assert "warning: " in shown.out
    found = coffer.run("disk", "status", "--json", "--passphrase-file", coffer.recovery).disks[0]
    assert found["state"] == "closed" and found["header"] == "unknown"
    doctor = coffer.run("doctor", "--json", *coffer.secret(), expect=None).json["findings"]
    assert f"mount {stick}" in [entry["remedy"] for entry in doctor]
    assert not [entry for entry in doctor if "is not attached" in entry["problem"]]


def test_vault_opens_while_the_medium_is_away(coffer, formatted, make_disk, place):
    with medium(place, make_disk) as stick:
        relocate(coffer, formatted.volume, to=stick)
    coffer.open(formatted)
    coffer.close(formatted)
    relocate(coffer, formatted.volume, to=stick, expect=NO_DEVICE)
    shown = coffer.run("disk", "status", "--passphrase-file", coffer.recovery)
    assert f"note: {formatted.volume}: its key file" in shown.out


def test_key_file_on_a_medium_that_is_away_is_remembered(coffer, formatted, make_disk, place):
    stick = make_disk(16)
    tool("mkfs.ext4", "-q", stick)
    with mounted(stick, place / "stick") as folder:
        folder.chmod(0o700)
        relocate(coffer, formatted.volume, to=folder)
    moved = relocate(coffer, formatted.volume, to="vault").json["disks"][0]
    assert "is on a medium that is away" in moved["note"]
    away = f"a copy of its key may lie in {place}/stick/{formatted.volume}.key, on a medium"
    for verb in (["status", "--check"], ["doctor"], ["disk", "status"]):
        told = coffer.run(*verb, *coffer.secret(), expect=None)
        assert away in " ".join((told.out + told.err).split())
        assert f"coffer key rotate {formatted.volume}" in told.out
        assert verb[0] == "doctor" or f"`coffer key rotate {formatted.volume}`; or" in told.out
    with mounted(stick, place / "stick") as folder:
        relocate(coffer, formatted.volume, to="vault")
        assert not (folder / f"{formatted.volume}.key").exists()
    assert "medium that is away" not in coffer.run("doctor", *coffer.secret(), expect=None).out


def test_rotation_makes_a_key_file_worthless_that_is_away(coffer, formatted, keys, make_disk,
                                                          place):
    with medium(place, make_disk) as stick:
        relocate(coffer, formatted.volume, to=stick)
    relocate(coffer, formatted.volume, to=keys)
    refused = relocate(coffer, formatted.volume, to="vault", expect=REFUSED).disks[0]["error"]
    assert f"{stick}/{formatted.volume}.key, is on a medium that is away" in refused["text"]
    coffer.run("key", "rotate", formatted.volume, *coffer.secret())
    assert "medium that is away" not in coffer.run("doctor", *coffer.secret(), expect=None).out
    coffer.run("disk", "header", "check", *coffer.secret())
    relocate(coffer, formatted.volume, to="vault")
    assert list(keys.iterdir()) == []


def test_doctor_finds_nothing_wrong_with_a_key_file(coffer, formatted, keys):
    relocate(coffer, formatted.volume, to=keys)
    found = coffer.run("doctor", "--json", *coffer.secret(), expect=None).json["findings"]
    assert not [entry for entry in found if entry["area"] == "crypttab"]


def test_lost_key_file_is_given_up_for_the_vault(coffer, formatted, keys):
    relocate(coffer, formatted.volume, to=keys)
    shutil.rmtree(keys)
    relocate(coffer, formatted.volume, to="vault")
    assert key_field(coffer, formatted).endswith("keys.sock")


# ---- refusals ----

@pytest.mark.parametrize("to,says", [
    ("keys", "is neither vault nor an absolute path"),
    ("/a b", "has a blank or a #"),
])
def test_impossible_folder_is_wrong_usage(coffer, formatted, to, says):
    assert says in relocate(coffer, formatted.volume, to=to, expect=USAGE).json["error"]["text"]


def test_place_must_be_said(coffer, formatted):
    refused = coffer.run("key", "relocate", formatted.volume, expect=USAGE)
    assert "--to DIR" in refused.err


def test_only_is_nothing_for_the_vault(coffer, formatted):
    only(coffer, formatted, "vault", expect=USAGE)


def test_missing_folder_is_refused(coffer, formatted, keys):
    refused = relocate(coffer, formatted.volume, to=keys / "none", expect=NO_DEVICE)
    assert "mkdir -m 700" in refused.json["error"]["remedy"]


def test_mount_point_without_its_medium_is_refused(coffer, formatted, keys):
    (coffer.root / "etc/fstab").write_text(f"LABEL=keys {keys} ext4 defaults 0 0\n")
    refused = relocate(coffer, formatted.volume, to=keys, expect=NO_DEVICE).json["error"]
    assert "nothing is mounted at" in refused["text"] and refused["remedy"] == f"mount {keys}"
    assert list(keys.iterdir()) == []


def test_mount_point_of_another_key_file_is_refused_while_bare(coffer, formatted, make_disk,
                                                               place):
    other = make_disk()
    coffer.format(other)
    coffer.close(other)
    with medium(place, make_disk) as stick:
        relocate(coffer, formatted.volume, to=stick)
    stick.chmod(0o700)
    (stick / "below").mkdir(mode=0o700)
    for folder in (stick, stick / "below"):
        refused = relocate(coffer, other.volume, to=folder, expect=NO_DEVICE).disks[0]["error"]
        assert refused["text"] == (f"nothing is mounted at {stick}, where the key file of "
                                   f"{formatted.volume} was")
        assert refused["remedy"] == f"mount {stick}"
    assert list(stick.iterdir()) == [stick / "below"]


def test_folder_that_others_may_write_to_is_refused(coffer, formatted, keys):
    keys.chmod(0o777)
    relocate(coffer, formatted.volume, to=keys, expect=REFUSED)


def test_vault_folder_is_refused(coffer, formatted):
    relocate(coffer, formatted.volume, to=coffer.vault, expect=REFUSED)


def test_memory_cannot_have_the_only_key(coffer, formatted, place):
    with mounted("none", place / "memory", "-t", "tmpfs", "-o", "mode=0700") as folder:
        refused = only(coffer, formatted, folder, expect=REFUSED)
        assert "gone when the machine restarts" in refused.json["error"]["text"]
        relocate(coffer, formatted.volume, to=folder)
        relocate(coffer, formatted.volume, to="vault")


def test_key_is_not_put_on_its_own_disk(coffer, disk, place):
    plain = coffer.format(disk).disks[0]["device"]
    tool("mkfs.ext4", "-q", plain)
    with mounted(plain, place / "own") as folder:
        folder.chmod(0o700)
        refused = relocate(coffer, disk.volume, to=folder, expect=REFUSED).disks[0]["error"]
        assert "lies on this very disk" in refused["text"]
        assert not list(folder.glob("*.key"))


def test_two_disks_do_not_hold_each_others_only_key(coffer, make_disk, place):
    first, second = make_disk(), make_disk()
    for disk, name in ((first, "first"), (second, "second")):
        plain = coffer.format(disk).disks[0]["device"]
        tool("mkfs.ext4", "-q", plain)
        (place / name).mkdir()
        tool("mount", plain, place / name)
        (place / name).chmod(0o700)
    only(coffer, first, place / "second")
    refused = only(coffer, second, place / "first", expect=REFUSED).disks[0]["error"]
    assert "whose own key is in a file alone" in refused["text"]
    tool("umount", place / "first", place / "second")


def test_file_of_somebody_else_is_not_replaced(coffer, formatted, keys):
    file = keys / f"{formatted.volume}.key"
    file.write_text("something")
    refused = relocate(coffer, formatted.volume, to=keys, expect=REFUSED).disks[0]["error"]
    assert "exists already" in refused["text"] and file.read_text() == "something"
    assert key_field(coffer, formatted).endswith("keys.sock")


def test_absent_disk_keeps_its_key_where_it_is(coffer, make_disk, keys):
    disks = [make_disk(), make_disk()]
    coffer.format(*disks)
    coffer.close(*disks)
    disks[0].detach()
    relocate(coffer, to=keys, options=["--all"], expect=NO_DEVICE)
    assert [path.name for path in keys.iterdir()] == [f"{disks[1].volume}.key"]


def test_unfinished_rotation_comes_first(coffer, formatted, keys):
    coffer.run("key", "rotate", formatted.volume, *coffer.secret(),
               fault="kill:rotate/slot-added", expect=None)
    refused = relocate(coffer, formatted.volume, to=keys, expect=REFUSED).disks[0]["error"]
    assert refused["remedy"] == f"coffer key rotate {formatted.volume}"


# ---- what other verbs make of a key file ----

def test_rotation_renews_the_key_file(coffer, formatted, keys):
    relocate(coffer, formatted.volume, to=keys)
    file = keys / f"{formatted.volume}.key"
    before = file.read_bytes()
    coffer.run("key", "rotate", formatted.volume, *coffer.secret())
    assert file.read_bytes() != before and opens(formatted, file)
    assert len(slots(formatted)) == 1


def test_rotation_without_the_medium_is_refused(coffer, formatted, make_disk, place):
    with medium(place, make_disk) as stick:
        relocate(coffer, formatted.volume, to=stick)
    refused = coffer.run("key", "rotate", formatted.volume, *coffer.secret(), expect=NO_DEVICE)
    assert f"nothing is mounted at {stick}" in refused.err
    assert len(slots(formatted)) == 1


def test_rotation_with_another_key_in_the_file_is_refused(coffer, formatted, keys):
    relocate(coffer, formatted.volume, to=keys)
    (keys / f"{formatted.volume}.key").write_text("another")
    coffer.run("key", "rotate", formatted.volume, *coffer.secret(), expect=WRONG_KEY)


def test_rotation_cut_off_before_the_file_is_finished(coffer, formatted, keys):
    relocate(coffer, formatted.volume, to=keys)
    file = keys / f"{formatted.volume}.key"
    coffer.run("key", "rotate", formatted.volume, *coffer.secret(),
               fault="kill:rotate/replaced", expect=None)
    assert opens(formatted, file)
    coffer.run("key", "rotate", formatted.volume, *coffer.secret())
    assert opens(formatted, file) and len(slots(formatted)) == 1


def test_destroy_takes_the_key_file_and_the_line(coffer, formatted, keys):
    relocate(coffer, formatted.volume, to=keys)
    coffer.run("disk", "destroy", formatted, "--yes-destroy", formatted, *coffer.secret())
    assert list(keys.iterdir()) == [] and formatted.volume not in coffer.crypttab.read_text()


def test_destroy_tells_of_a_key_file_that_is_away(coffer, formatted, make_disk, place):
    with medium(place, make_disk) as stick:
        only(coffer, formatted, stick)
    found = coffer.run("disk", "destroy", formatted, "--yes-destroy", formatted, "--json",
                       *coffer.secret()).disks[0]
    assert f"{stick}/{formatted.volume}.key could not be removed" in found["note"]


def test_repair_crypttab_knows_the_key_file(coffer, formatted, keys):
    only(coffer, formatted, keys)
    wanted = coffer.crypttab.read_text()
    coffer.crypttab.write_text("")
    coffer.run("disk", "repair-crypttab", "--yes", *coffer.secret())
    assert coffer.crypttab.read_text().split()[:3] == wanted.split()[:3]


def test_drill_uses_the_key_file_that_a_backup_has_not(coffer, formatted, keys, place):
    only(coffer, formatted, keys)
    backup = place / "backup"
    made = coffer.run("backup", "create", backup, *coffer.secret())
    assert f"1 key is in a file alone and not in the backup: {formatted.volume}" in made.err
    coffer.run("drill", backup, *coffer.secret())
    shutil.rmtree(keys)
    refused = coffer.run("drill", backup, *coffer.secret(), expect=NO_DEVICE)
    assert f"{keys}/{formatted.volume}.key is not there" in refused.err


def test_formatting_anew_leaves_the_old_key_file_behind(coffer, formatted, keys):
    relocate(coffer, formatted.volume, to=keys)
    coffer.format(formatted, options=["--anew", "--force", "--crypttab"])
    assert key_field(coffer, formatted).endswith("keys.sock")
    assert len(list(keys.iterdir())) == 1 and status_of(coffer, formatted)["key_file"] is None
    relocate(coffer, formatted.volume, to="vault")
    assert list(keys.iterdir()) == []


def test_systemd_waits_for_the_mount_of_the_key_file(coffer, formatted, keys, place):
    generator = "/lib/systemd/system-generators/systemd-cryptsetup-generator"
    if not os.path.exists(generator):
        pytest.skip("systemd-cryptsetup-generator is not installed")
    relocate(coffer, formatted.volume, to=keys)
    (place / "units").mkdir()
    environment = dict(os.environ, SYSTEMD_CRYPTTAB=str(coffer.crypttab))
    tool(generator, place / "units", place / "units", place / "units", env=environment)
    unit = next((place / "units").glob("systemd-cryptsetup@*.service")).read_text()
    assert f"RequiresMountsFor={keys}/{formatted.volume}.key" in unit.replace("\\x2d", "-")
