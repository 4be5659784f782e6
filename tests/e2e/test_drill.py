# SPDX-License-Identifier: LGPL-2.1-or-later
"""`coffer drill`: whether a backup and a recovery key alone would open the disks."""

import pytest

import rig
from rig import DAMAGED, NO_DEVICE, WRONG_KEY, tool
from test_backup import create, machine


def drill(coffer, file, *options, **more):
    return coffer.run("drill", file, *options, *coffer.secret(), **more)


def states(result):
    return {found["name"]: found["state"] for found in result.json["disks"]}


@pytest.fixture
def kept(coffer, disk, place):
    """A disk in a vault with a backup."""
    coffer.format(disk)
    coffer.close(disk)
    create(coffer, place / "v.backup")
    return place / "v.backup"


@pytest.fixture
def other(place, coffer):
    return machine(place / "other", coffer)


def test_attached_disk_opens_from_the_backup_alone(kept, disk, other):
    before = disk.digest()
    result = drill(other, kept, "--json")
    found = result.json["disks"][0]
    assert (found["state"], found["header"], found["copy_opens"]) == ("opens", "same", True)
    assert found["source"] == disk.node and result.json["drill"]["recovery"] is True
    assert disk.digest() == before and not other.vault.exists()


@pytest.mark.guest
def test_open_disk_stays_open_and_untouched(coffer, kept, disk, other):
    device = coffer.open(disk).disks[0]["device"]
    tool("mkfs.ext4", "-q", device)
    before = disk.digest()
    assert states(drill(other, kept, "--json")) == {disk.volume: "opens"}
    assert disk.digest() == before and rig.is_block_device(device)


def test_absent_disk_is_listed(kept, disk, make_disk, coffer, place, other):
    second = make_disk()
    coffer.format(second)
    coffer.close(second)
    create(coffer, place / "both.backup")
    second.detach()
    result = drill(other, place / "both.backup", "--json")
    assert states(result) == {disk.volume: "opens", second.volume: "absent"}
    assert [found["copy_opens"] for found in result.json["disks"]] == [True, True]
    disk.detach()
    drill(other, place / "both.backup", expect=NO_DEVICE)


def test_key_that_is_not_in_the_backup_fails_the_drill(coffer, kept, disk, other):
    coffer.run("key", "rotate", f"disk/{disk.volume}", *coffer.secret())
    failed = drill(other, kept, "--json", expect=WRONG_KEY)
    assert states(failed) == {disk.volume: "fails"}
    assert "newer backup" in failed.json["disks"][0]["remedy"]


def test_overwritten_header_fails_the_drill_and_the_copy_still_opens(kept, disk, other):
    disk.write(0, bytes(16 << 20))
    found = drill(other, kept, "--json", expect=DAMAGED).json["disks"][0]
    assert (found["state"], found["copy_opens"]) == ("fails", True)


def test_damaged_first_header_opens_and_is_told(kept, disk, other):
    disk.write(0, bytes(512))
    failed = drill(other, kept, "--json", expect=DAMAGED)
    found = failed.json["disks"][0]
    assert found["state"] == "opens" and "first header" in found["problem"]


def test_changed_header_that_opens_is_good(coffer, kept, disk, place, other):
    (place / "more").write_text("one more secret")
    coffer.run("key", "export", f"disk/{disk.volume}", "--out", place / "key", *coffer.secret())
    tool("cryptsetup", "luksAddKey", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000",
         "--key-file", place / "key", disk, place / "more")
    found = drill(other, kept, "--json").json["disks"][0]
    assert (found["state"], found["header"]) == ("opens", "newer")


def test_disk_newer_than_the_backup_fails_on_its_own_machine(coffer, kept, disk, make_disk, other):
    second = make_disk()
    coffer.format(second)
    coffer.close(second)
    failed = drill(coffer, kept, "--json", expect=NO_DEVICE)
    assert states(failed) == {disk.volume: "opens", second.volume: "missing"}
    drill(other, kept)


def test_other_secret_than_a_recovery_key_is_told(coffer, kept, other):
    told = other.run("drill", kept, "--passphrase-file", coffer.passphrase)
    assert "was not proven" in told.err


def test_wrong_secret_and_damaged_backup_are_refused(coffer, kept, other, place):
    (place / "wrong").write_text("not the right one at all\n")
    other.run("drill", kept, "--passphrase-file", place / "wrong", expect=WRONG_KEY)
    data = bytearray(kept.read_bytes())
    data[-60] ^= 1
    kept.write_bytes(data)
    drill(other, kept, expect=DAMAGED)


def test_drill_without_disks_says_so(coffer, place):
    create(coffer, place / "empty.backup")
    assert "0 disks" in drill(coffer, place / "empty.backup").out


@pytest.mark.parametrize("unlocked", [False, True])
def test_result_is_in_the_audit_log_and_in_status(coffer, kept, unlocked):
    assert coffer.run("status", "--json").json["drill"] is None
    if unlocked:
        coffer.run("unlock", *coffer.secret())
    drill(coffer, kept)
    last = coffer.run("status", "--json").json["drill"]
    assert (last["opens"], last["fails"], last["absent"], last["recovery"]) == (1, 0, 0, True)
    assert "1 disk would open" in coffer.run("status").out
    log = (coffer.vault / "audit.log").read_text()
    assert '"event":"backup.drill"' in log
    coffer.run("audit", "--verify", *coffer.secret())


def test_failed_drill_is_in_the_audit_log(coffer, kept, disk):
    disk.write(0, bytes(512))
    drill(coffer, kept, expect=DAMAGED)
    line = [line for line in (coffer.vault / "audit.log").read_text().splitlines()
            if "backup.drill" in line][-1]
    assert '"result":"failed"' in line
