# SPDX-License-Identifier: LGPL-2.1-or-later
"""`key rotate`: new keys for disks."""

import os
import shutil

import pytest

import rig
from rig import DAMAGED, DONE, NO_DEVICE, REFUSED, USAGE, WRONG_KEY, mounted, tool
from test_adopt import CHEAP, add_slot, keys_of, opens, slots, stored_key
from test_mirrors import configure


def rotate(coffer, *words, **more):
    return coffer.run("key", "rotate", *words, "--json", *coffer.secret(), **more)


def history(coffer, name):
    return coffer.run("key", "history", name, "--json", *coffer.secret()).json["keys"]


def kinds(coffer):
    listed = coffer.run("key", "list", "--json", *coffer.secret()).json["keys"]
    return sorted(entry["kind"] for entry in listed)


@pytest.fixture
def formatted(coffer, disk):
    """A closed disk of the vault."""
    coffer.format(disk)
    coffer.close(disk)
    return disk


@pytest.mark.guest
def test_new_key_opens_and_the_old_one_does_not(coffer, formatted):
    disk = formatted
    old = stored_key(coffer, disk.volume)
    found = rotate(coffer, disk.volume).disks[0]
    assert found["changed"] and found["state"] == "closed" and found["name"] == disk.volume
    new = stored_key(coffer, disk.volume)
    assert new.read_bytes() != old.read_bytes()
    assert opens(disk, new) and not opens(disk, old) and len(slots(disk)) == 1
    coffer.open(disk)
    assert kinds(coffer) == ["disk", "disk-header"]


def test_history_keeps_the_old_key(coffer, formatted, place):
    disk = formatted
    old = stored_key(coffer, disk.volume)
    before = history(coffer, disk.volume)[0]["generation"]
    rotate(coffer, disk)
    generations = [entry["generation"] for entry in history(coffer, disk.volume)]
    assert generations[0] == before + 1 and before in generations
    assert all(entry["created"] for entry in history(coffer, disk.volume))
    coffer.run("key", "export", disk.volume, "--generation", before, "--out", place / "older",
               *coffer.secret())
    assert (place / "older").read_bytes() == old.read_bytes()


@pytest.mark.parametrize("form", ["{volume}", "disk/{volume}", "{node}"])
def test_disk_is_named_by_volume_record_or_device(coffer, formatted, form):
    rotate(coffer, form.format(volume=formatted.volume, node=formatted))


@pytest.mark.guest
def test_open_and_mounted_disk_is_rotated(coffer, disk, place):
    plain = coffer.format(disk).disks[0]["device"]
    tool("mkfs.ext4", "-q", plain)
    with mounted(plain, place / "mnt") as folder:
        (folder / "file").write_text("kept")
        found = rotate(coffer, disk.volume).disks[0]
        assert found["state"] == "open" and found["device"] == plain
        (folder / "more").write_text("written since")
    # The proof of before the rotation would not do any more.
    coffer.run("disk", "close", disk)
    with mounted(coffer.open(disk).disks[0]["device"], place / "mnt") as folder:
        assert (folder / "file").read_text() == "kept"
        assert (folder / "more").read_text() == "written since"


def test_other_keyslots_stay(coffer, formatted, place):
    disk = formatted
    (place / "mine").write_text("my own key")
    add_slot(disk, stored_key(coffer, disk.volume), place / "mine")
    rotate(coffer, disk.volume)
    assert opens(disk, place / "mine") and len(slots(disk)) == 2


@pytest.mark.guest
def test_luks1_disk_is_rotated(coffer, disk, place):
    key = place / "key"
    key.write_text("old")
    tool("cryptsetup", "luksFormat", "-q", "--type", "luks1", "--pbkdf-force-iterations", "1000",
         disk, key)
    coffer.run("disk", "adopt", disk, "--key-file", key, "--vault-passphrase-file",
               coffer.recovery)
    old = stored_key(coffer, disk.volume)
    rotate(coffer, disk.volume)
    assert opens(disk, stored_key(coffer, disk.volume)) and opens(disk, key)
    assert not opens(disk, old)


def test_rotating_twice_gives_two_keys(coffer, formatted):
    rotate(coffer, formatted)
    first = stored_key(coffer, formatted.volume)
    rotate(coffer, formatted)
    assert not opens(formatted, first) and len(slots(formatted)) == 1


def test_header_copy_follows(coffer, formatted, place):
    rotate(coffer, formatted)
    coffer.open(formatted)
    before = keys_of(coffer)
    coffer.close(formatted)
    assert keys_of(coffer) == before


def test_length_of_the_key_stays(coffer, disk):
    coffer.format(disk, options=["--key-bytes", "1000"])
    rotate(coffer, disk)
    assert stored_key(coffer, disk.volume).stat().st_size == 1000


# ---- several ----

def test_all_rotates_every_disk(coffer, make_disk):
    disks = [make_disk() for _ in range(3)]
    coffer.format(*disks)
    old = [stored_key(coffer, disk.volume) for disk in disks]
    found = rotate(coffer, "--all").disks
    assert [disk["changed"] for disk in found] == [True] * 3
    for disk, key in zip(disks, old):
        assert not opens(disk, key) and opens(disk, stored_key(coffer, disk.volume))


def test_absent_disk_does_not_keep_others_from_being_rotated(coffer, make_disk):
    away, here = make_disk(), make_disk()
    coffer.format(away, here)
    coffer.close(away, here)
    away.detach()
    old = stored_key(coffer, here.volume), stored_key(coffer, away.volume)
    result = rotate(coffer, "--all", expect=NO_DEVICE)
    states = {found["name"]: found for found in result.disks}
    assert states[here.volume]["changed"] and not states[away.volume]["changed"]
    assert "no device has its LUKS header" in states[away.volume]["error"]["text"]
    assert not opens(here, old[0])
    assert stored_key(coffer, away.volume).read_bytes() == old[1].read_bytes()
    away.attach()
    coffer.open(away)


def test_all_of_an_empty_vault_does_nothing(coffer):
    assert "nothing to do" in coffer.run("key", "rotate", "--all", *coffer.secret()).out


# ---- refusals ----

def assert_refused(coffer, disk, reason, expect=REFUSED, words=()):
    key = stored_key(coffer, disk.volume)
    before = disk.digest()
    refused = rotate(coffer, disk.volume, *words, expect=expect)
    assert reason in refused.err, refused
    assert disk.digest() == before and "disk-rotation" not in kinds(coffer)
    assert stored_key(coffer, disk.volume).read_bytes() == key.read_bytes()
    return refused


def test_rotate_refuses_without_a_free_slot(coffer, formatted, place):
    key = stored_key(coffer, formatted.volume)
    for number in range(31):
        (place / f"k{number}").write_text(f"key {number}")
        add_slot(formatted, key, place / f"k{number}")
    assert "luksKillSlot" in assert_refused(coffer, formatted, "keyslots are taken").err


def test_rotate_refuses_a_header_that_the_key_does_not_open(coffer, formatted, place):
    (place / "mine").write_text("my own key")
    key = stored_key(coffer, formatted.volume)
    add_slot(formatted, key, place / "mine")
    tool("cryptsetup", "luksRemoveKey", "-q", formatted, key)
    refused = assert_refused(coffer, formatted, "does not open", expect=WRONG_KEY)
    assert "coffer key history" in refused.err


@pytest.mark.parametrize("offset", [4096, 16384 + 4096])
def test_rotate_refuses_a_damaged_header(coffer, formatted, offset):
    formatted.write(offset, b"damage")
    refused = assert_refused(coffer, formatted, "is damaged", expect=DAMAGED)
    assert "coffer disk header repair" in refused.err


def test_rotate_refuses_a_damaged_keyslot(coffer, formatted, place):
    """Somebody else's keyslot: the vault's key opens the disk all the same."""
    (place / "mine").write_text("my own key")
    add_slot(formatted, stored_key(coffer, formatted.volume), place / "mine")
    coffer.open(formatted)
    coffer.close(formatted)  # takes a copy of the header with both
    formatted.write(32768 + 258048 + 4096, os.urandom(4096))
    assert not opens(formatted, place / "mine")
    assert_refused(coffer, formatted, "damaged keyslot")


def test_rotate_refuses_an_older_header(coffer, formatted, place):
    (place / "mine").write_text("my own key")
    tool("cryptsetup", "luksHeaderBackup", formatted, "--header-backup-file", place / "header")
    add_slot(formatted, stored_key(coffer, formatted.volume), place / "mine")
    coffer.open(formatted)
    coffer.close(formatted)
    tool("cryptsetup", "luksHeaderRestore", "-q", formatted, "--header-backup-file",
         place / "header")
    assert_refused(coffer, formatted, "older")


def test_rotate_refuses_a_half_done_reencryption(coffer, formatted):
    key = stored_key(coffer, formatted.volume)
    tool("cryptsetup", "reencrypt", "-q", "--init-only", "--key-file", key, formatted)
    assert_refused(coffer, formatted, "re-encryption is not finished")


def test_rotate_refuses_a_disk_that_is_not_made_yet(coffer, disk):
    coffer.format(disk, fault="kill:format/proven", expect=None)
    refused = rotate(coffer, disk.volume, expect=REFUSED)
    assert "is being formatted" in refused.err


def test_rotate_refuses_a_disk_that_is_being_adopted(coffer, disk, place):
    (place / "key").write_text("old")
    tool("cryptsetup", "luksFormat", "-q", "--type", "luks2", *CHEAP, disk, place / "key")
    coffer.run("disk", "adopt", disk, "--key-file", place / "key", "--vault-passphrase-file",
               coffer.recovery, fault="kill:adopt/key-durable", expect=None)
    assert "is being adopted" in rotate(coffer, disk.volume, expect=REFUSED).err


def test_rotate_refuses_a_copy_of_the_disk(coffer, formatted, make_disk):
    clone = make_disk()
    tool("dd", f"if={formatted}", f"of={clone}", "bs=1M", "count=32", "conv=fsync")
    rotate(coffer, clone, expect=REFUSED)


def test_rotate_refuses_a_read_only_disk(coffer, formatted):
    tool("blockdev", "--setro", formatted)
    try:
        assert_refused(coffer, formatted, "read-only")
    finally:
        tool("blockdev", "--setrw", formatted)


def test_unknown_disk_is_told_apart(coffer, disk):
    rotate(coffer, "enc-nosuch", expect=NO_DEVICE)
    assert "no disk of the vault" in rotate(coffer, disk, expect=NO_DEVICE).err


def test_rotate_wants_a_name_or_all(coffer):
    rotate(coffer, expect=USAGE)
    rotate(coffer, "enc-x", "--all", expect=USAGE)
    rotate(coffer, "enc-x", "disk/enc-x", expect=USAGE)


def test_dry_run_changes_nothing(coffer, formatted):
    before = formatted.digest(), keys_of(coffer)
    assert rotate(coffer, "--all", "--dry-run").disks[0]["state"] == "planned"
    assert "would get a new key" in coffer.run("key", "rotate", "--all", "--dry-run",
                                               *coffer.secret()).out
    assert (formatted.digest(), keys_of(coffer)) == before


# ---- mirrors ----

@pytest.fixture
def mirror(coffer, formatted):
    """A mirror that has got the disk's key."""
    folder = coffer.folder / "mirror"
    folder.mkdir()
    configure(coffer, folder)
    coffer.run("unlock", *coffer.secret())
    coffer.run("lock")
    return folder


def opens_from(coffer, mirror, disk, place):
    """Whether a vault that is made of the mirror alone opens the disk."""
    other = rig.Coffer(place / "other")
    shutil.copytree(next(mirror.glob("coffer-*")), other.vault)
    other.recovery = coffer.recovery
    opened = other.run("disk", "open", "--test", disk, *other.secret(), expect=None)
    shutil.rmtree(other.folder)
    return opened.status == DONE


def test_old_key_stays_while_a_mirror_has_it_alone(coffer, formatted, mirror, place):
    disk = formatted
    mirror.rename(place / "drawer")
    planned = rotate(coffer, disk.volume, "--dry-run", expect=REFUSED)
    assert str(mirror) in planned.err
    for _ in range(2):
        told = rotate(coffer, disk.volume, expect=REFUSED)
        assert str(mirror) in told.err and "--without-mirrors" in told.err
        assert f"coffer key rotate {disk.volume}" in told.err
        assert len(slots(disk)) == 2 and opens(disk, stored_key(coffer, disk.volume))
        assert opens_from(coffer, place / "drawer", disk, place)
    new = stored_key(coffer, disk.volume).read_bytes()
    (place / "drawer").rename(mirror)
    assert rotate(coffer, disk.volume).disks[0]["changed"]
    assert len(slots(disk)) == 1 and stored_key(coffer, disk.volume).read_bytes() == new
    assert opens_from(coffer, mirror, disk, place) and kinds(coffer) == ["disk", "disk-header"]


def test_old_key_goes_without_the_mirrors_when_told_so(coffer, formatted, mirror, place):
    mirror.rename(place / "drawer")
    rotate(coffer, formatted.volume, expect=REFUSED)
    rotate(coffer, formatted.volume, "--without-mirrors")
    assert len(slots(formatted)) == 1 and kinds(coffer) == ["disk", "disk-header"]


def test_old_key_stays_while_a_mirror_is_full(coffer, formatted, mirror, make_disk):
    small = make_disk(size_mib=4)
    tool("mkfs.ext4", "-q", small)
    point = coffer.folder / "small"
    configure(coffer, mirror, point)
    with mounted(small, point):
        assert "room" in rotate(coffer, formatted.volume, expect=REFUSED).err
        assert len(slots(formatted)) == 2
    configure(coffer, mirror)
    rotate(coffer, formatted.volume)
    assert len(slots(formatted)) == 1


# ---- interrupted ----

@pytest.mark.parametrize("point", ["key-durable", "slot-added", "proven", "replaced",
                                   "old-removed"])
def test_disk_opens_between_any_two_steps(coffer, formatted, point):
    rotate(coffer, formatted, fault=f"kill:rotate/{point}", expect=None)
    coffer.open(formatted)
    coffer.close(formatted)
    assert rotate(coffer, formatted).status == DONE
    assert kinds(coffer) == ["disk", "disk-header"] and len(slots(formatted)) == 1


def test_rotation_of_a_disk_that_was_formatted_anew_meanwhile_starts_over(coffer, formatted):
    rotate(coffer, formatted, fault="kill:rotate/slot-added", expect=None)
    coffer.format(formatted, options=["--force"])
    coffer.close(formatted)
    tool("cryptsetup", "luksFormat", "-q", "--type", "luks2", *CHEAP, formatted, "/etc/hostname")
    coffer.format(formatted, options=["--force"])
    coffer.close(formatted)
    rotate(coffer, formatted)
    assert opens(formatted, stored_key(coffer, formatted.volume)) and len(slots(formatted)) == 1
