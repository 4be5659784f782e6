# SPDX-License-Identifier: LGPL-2.1-or-later
"""`disk destroy`: what a disk holds is made unreadable for good, with a certificate."""

import os
import shutil
import time

import pytest

import contents
import rig
from rig import BUSY, DAMAGED, MIB, NO_DEVICE, REFUSED, USAGE, tool
from test_adopt import encrypt, opens, stored_key
from test_rotate import kinds

HEADER_BYTES = 16 * MIB


def destroy(coffer, *words, agreed=None, **more):
    agreed = words[:1] if agreed is None else agreed
    return coffer.run("disk", "destroy", *words, "--json", *coffer.secret(),
                      *[word for name in agreed for word in ("--yes-destroy", name)], **more)


def certificates(coffer, name):
    """What the audit log says of a disk's end."""
    lines = coffer.run("audit", "--event", "disk.destroy", "--json").json["lines"]
    return [line for line in lines if line.get("subject") == name]


def header_area(disk):
    with open(disk.file, "rb") as backing:
        return backing.read(HEADER_BYTES)


@pytest.fixture
def formatted(coffer, disk):
    """A closed disk of the vault, with a line in crypttab."""
    coffer.crypttab.write_text("# mine\nother /dev/nosuch none\n")
    coffer.format(disk, options=["--crypttab"])
    coffer.close(disk)
    return disk


def assert_gone(coffer, disk):
    tool("sync")
    assert header_area(disk) == bytes(HEADER_BYTES)
    assert kinds(coffer) == []
    assert disk.volume not in coffer.run("key", "list", "--json", *coffer.secret()).out
    coffer.run("key", "history", disk.volume, *coffer.secret(), expect=NO_DEVICE)
    coffer.run("key", "history", f"disk-header/{disk.volume}", *coffer.secret(), expect=NO_DEVICE)


@pytest.mark.guest
def test_nothing_is_left_on_the_disk_in_the_vault_and_in_crypttab(coffer, formatted, place):
    disk = formatted
    key = stored_key(coffer, disk.volume)
    tool("cryptsetup", "luksHeaderBackup", disk, "--header-backup-file", place / "header")
    coffer.run("key", "rotate", disk, *coffer.secret())
    found = destroy(coffer, disk).disks[0]
    assert found["state"] == "destroyed" and found["changed"] and found["name"] == disk.volume
    assert_gone(coffer, disk)
    assert not opens(disk, key)
    assert coffer.crypttab.read_text() == "# mine\nother /dev/nosuch none\n"


def test_certificate_says_what_when_and_which_steps(coffer, formatted):
    uuid = tool("cryptsetup", "luksUUID", formatted).stdout.strip()
    destroy(coffer, formatted)
    before, after = certificates(coffer, formatted.volume)
    assert before["result"] == "started" and before["detail"]["uuid"] == uuid
    said = after["detail"]
    assert after["result"] == "done" and after["who"]["uid"] == 0 and after["time"]
    assert said["uuid"] == uuid and said["backing_file"] == str(formatted.file)
    assert said["size"] == 64 * MIB and said["overwritten_bytes"] == HEADER_BYTES
    for step in ("overwritten", "read_back", "keys_removed", "header_copies_removed"):
        assert said[step] is True
    assert said["missing"] is False and said["mirrors_left"] == [] == said["copies_set_aside"]
    assert "what makes the data unreadable is that the key in the vault is gone" in said["limits"]
    assert said["last_backup"] is None and said["backups_hold_key"] is None
    assert coffer.run("audit", "--verify", *coffer.secret()).status == 0


def test_destroyed_disk_is_empty_for_format(coffer, formatted):
    destroy(coffer, formatted)
    coffer.format(formatted)


@pytest.mark.parametrize("kind", ["luks1", "luks2"])
def test_adopted_disk_is_destroyed(coffer, disk, place, kind):
    key = place / "key"
    key.write_text("old")
    encrypt(disk, key, kind)
    coffer.run("disk", "adopt", disk, "--key-file", key, "--vault-passphrase-file",
               coffer.recovery)
    destroy(coffer, disk.volume)
    assert not opens(disk, key) and kinds(coffer) == []


def test_several_disks_are_destroyed(coffer, make_disk):
    disks = [make_disk() for _ in range(2)]
    coffer.format(*disks)
    coffer.close(*disks)
    destroy(coffer, *disks, agreed=disks)
    assert kinds(coffer) == []


@pytest.mark.guest
def test_data_behind_the_header_is_discarded_where_the_device_can(coffer, formatted):
    formatted.write(32 * MIB, b"a cipher text" * 1000)
    destroy(coffer, formatted)
    tool("sync")
    with open(formatted.file, "rb") as backing:
        assert backing.read() == bytes(64 * MIB)


# ---- the question ----

def test_destroy_without_agreement_changes_nothing(coffer, formatted):
    before = formatted.digest()
    refused = destroy(coffer, formatted, agreed=[], expect=REFUSED)
    assert "unreadable for good" in refused.err and f"--yes-destroy {formatted}" in refused.err
    destroy(coffer, formatted, agreed=["/dev/other"], expect=REFUSED)
    assert formatted.digest() == before and kinds(coffer) == ["disk", "disk-header"]


def test_backup_that_brings_the_disk_back_is_told(coffer, formatted, make_disk, place):
    made = coffer.run("backup", "create", place / "backup", "--json",
                      *coffer.secret()).json["backup"]
    time.sleep(1)  # what is made in the same second may be in the backup
    later = make_disk()
    coffer.format(later)
    coffer.close(later)
    refused = destroy(coffer, formatted, agreed=[], expect=REFUSED)
    assert f"except with a backup of the vault from before (the last: {made['created']})" \
        in refused.err
    told = destroy(coffer, formatted, later, agreed=(formatted, later))
    assert f"{formatted.volume}: backups of the vault made until {made['created']}" in told.err
    assert f"{later.volume}: backups of the vault" not in told.err
    held, not_held = [certificates(coffer, disk.volume)[-1]["detail"]
                      for disk in (formatted, later)]
    assert held["last_backup"] == not_held["last_backup"] == made["created"]
    assert held["backups_hold_key"] is True and not_held["backups_hold_key"] is False
    assert "backups of the vault from before still have a key" in held["limits"]
    assert "backups" not in not_held["limits"]


@pytest.mark.parametrize("answer", ["right", "wrong"])
def test_question_comes_after_the_plan(coffer, formatted, answer):
    with rig.Dialogue(coffer, "disk", "destroy", formatted, *coffer.secret()) as dialogue:
        dialogue.wait_for("to go on: ")
        assert "overwrite 1 keyslot and both headers" in dialogue.said
        assert "1 key and 1 header copy" in dialogue.said
        assert "remove its line from" in dialogue.said
        status = dialogue.answer(str(formatted) if answer == "right" else "yes")
    assert status == (0 if answer == "right" else REFUSED), dialogue.said
    assert (kinds(coffer) == []) == (answer == "right")


def test_device_that_changes_while_the_question_stands_is_left_alone(coffer, formatted):
    with rig.Dialogue(coffer, "disk", "destroy", formatted, *coffer.secret()) as dialogue:
        dialogue.wait_for("to go on: ")
        formatted.write(0, bytes(HEADER_BYTES))
        contents.ext4(formatted)
        before = formatted.digest()
        assert dialogue.answer(str(formatted)) == REFUSED, dialogue.said
    assert "another content than a moment ago" in dialogue.said
    assert formatted.digest() == before and kinds(coffer) == ["disk", "disk-header"]


def test_dry_run_changes_nothing(coffer, formatted):
    before = formatted.digest()
    told = coffer.run("disk", "destroy", formatted, "--dry-run", *coffer.secret()).out
    assert "write a certificate" in told and "remove its record" in told
    assert destroy(coffer, formatted, "--dry-run").disks[0]["state"] == "planned"
    assert formatted.digest() == before and kinds(coffer) == ["disk", "disk-header"]


# ---- refusals ----

def assert_refused(coffer, disk, reason, words=(), expect=REFUSED):
    before = disk.digest()
    refused = destroy(coffer, disk, *words, expect=expect)
    assert reason in refused.err, refused
    assert disk.digest() == before and kinds(coffer) == ["disk", "disk-header"]
    return refused


@pytest.mark.guest
def test_destroy_refuses_an_open_disk(coffer, formatted):
    coffer.open(formatted)
    refused = destroy(coffer, formatted, expect=BUSY)
    assert "is open and was not touched" in refused.err and "coffer disk close" in refused.err
    assert kinds(coffer) == ["disk", "disk-header"]


@pytest.mark.guest
def test_destroy_refuses_a_disk_that_is_open_under_another_name(coffer, formatted):
    key = stored_key(coffer, formatted.volume)
    coffer.run("disk", "open", formatted, "--key-file", key, "--name", "x" + formatted.volume)
    destroy(coffer, formatted, expect=BUSY)
    coffer.run("disk", "close", "x" + formatted.volume)
    coffer.open(formatted)


@pytest.mark.guest
def test_destroy_refuses_a_disk_that_a_program_holds(coffer, formatted):
    holder = os.open(formatted.node, os.O_RDWR | os.O_EXCL)
    try:
        assert_refused(coffer, formatted, "is in use")
    finally:
        os.close(holder)


def test_destroy_refuses_a_read_only_disk(coffer, formatted):
    tool("blockdev", "--setro", formatted)
    try:
        assert_refused(coffer, formatted, "read-only")
    finally:
        tool("blockdev", "--setrw", formatted)


def test_destroy_refuses_one_of_two_disks_with_the_same_header(coffer, formatted, make_disk):
    clone = make_disk()
    tool("dd", f"if={formatted}", f"of={clone}", "bs=1M", "count=32", "conv=fsync")
    before = clone.digest(), formatted.digest()
    destroy(coffer, clone, expect=REFUSED)
    assert (clone.digest(), formatted.digest()) == before


def test_destroy_refuses_a_device_that_holds_something_else(coffer, formatted):
    contents.ext4(formatted)
    tool("wipefs", "-q", "-a", "-t", "crypto_LUKS", formatted, check=False)
    with open(formatted.file, "r+b") as backing:
        backing.write(bytes(1024))
        backing.seek(16384)
        backing.write(bytes(16384))
    formatted.detach()
    formatted.attach()
    before = formatted.digest()
    refused = destroy(coffer, formatted.volume, expect=(REFUSED, DAMAGED))
    assert "--missing" in refused.err and formatted.digest() == before


def test_destroy_refuses_what_the_vault_does_not_know(coffer, disk):
    assert "no disk of the vault" in destroy(coffer, disk, expect=NO_DEVICE).err
    destroy(coffer, "enc-nosuch", expect=NO_DEVICE)


def test_disk_named_twice_is_refused(coffer, formatted):
    destroy(coffer, formatted, formatted.volume, expect=USAGE)
    assert kinds(coffer) == ["disk", "disk-header"]


def test_one_refused_disk_keeps_the_others(coffer, make_disk):
    one, other = make_disk(), make_disk()
    coffer.format(one, other)
    coffer.close(one)
    result = destroy(coffer, one, other, agreed=[one, other], expect=BUSY)
    assert [found["state"] for found in result.disks][0] == "untouched"
    coffer.open(one)


def test_nothing_is_destroyed_that_the_audit_log_cannot_tell_of(coffer, formatted):
    before = formatted.digest()
    result = destroy(coffer, formatted, fault="fail:destroy/announced", expect=None)
    if result.status == 0:
        pytest.skip("built without -Dfaults=true")
    assert formatted.digest() == before and kinds(coffer) == ["disk", "disk-header"]


# ---- devices that are gone ----

def test_absent_disk_wants_missing(coffer, formatted):
    formatted.detach()
    refused = destroy(coffer, formatted.volume, expect=NO_DEVICE)
    assert f"coffer disk destroy {formatted.volume} --missing" in refused.err
    assert kinds(coffer) == ["disk", "disk-header"]


def test_missing_disk_is_forgotten(coffer, formatted):
    formatted.detach()
    refused = destroy(coffer, formatted.volume, "--missing", agreed=[], expect=REFUSED)
    assert "can never be opened again" in refused.err
    destroy(coffer, formatted.volume, "--missing")
    assert kinds(coffer) == [] and formatted.volume not in coffer.crypttab.read_text()
    assert "the device was not there" in coffer.run("audit", "--json").out
    formatted.attach()
    coffer.open(formatted, expect=NO_DEVICE)


def test_missing_refuses_a_disk_that_is_there(coffer, formatted):
    refused = destroy(coffer, formatted.volume, "--missing", expect=REFUSED)
    assert f"is not missing: {formatted} has its header" in refused.err
    assert kinds(coffer) == ["disk", "disk-header"]


def test_missing_leaves_a_device_alone_whose_header_is_gone(coffer, formatted):
    formatted.write(0, bytes(HEADER_BYTES))
    contents.ext4(formatted)
    before = formatted.digest()
    destroy(coffer, formatted.volume, "--missing")
    assert formatted.digest() == before and kinds(coffer) == []


# ---- mirrors ----

def test_mirror_that_is_away_is_named(coffer, formatted, place):
    mirror = place / "mirror"
    mirror.mkdir()
    config = coffer.root / "etc/coffer/coffer.conf"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(f"mirror = {mirror}\n")
    coffer.run("unlock", *coffer.secret())
    coffer.run("lock")
    assert any(mirror.iterdir())
    mirror.rename(place / "away")
    found = destroy(coffer, formatted).disks[0]
    assert f"its keys are still in the mirror {mirror}" in found["note"]
    assert str(mirror) in coffer.run("audit", "--json").out


def test_copies_that_were_set_aside_are_named_and_keep_the_certificate_honest(coffer, formatted,
                                                                               place):
    mirror = place / "a mirror"
    mirror.mkdir()
    config = coffer.root / "etc/coffer/coffer.conf"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(f"mirror = {mirror}\n")
    coffer.run("unlock", *coffer.secret())
    coffer.run("lock")
    beside = coffer.vault.with_name(coffer.vault.name + ".aside-1")
    shutil.copytree(coffer.vault, beside)
    with open(next(mirror.iterdir()) / "vault.db", "r+b") as keystore:
        keystore.write(b"no keystore")
    told = destroy(coffer, formatted)
    kept, = mirror.glob("coffer-*.damaged-*")
    assert f"rm -r '{kept}'" in told.err and f"rm -r {beside}" in told.err
    assert "set aside" in told.disks[0]["note"]
    said = certificates(coffer, formatted.volume)[-1]["detail"]
    assert sorted(said["copies_set_aside"]) == sorted([str(kept), str(beside)])
    assert said["keys_removed"] is False and said["header_copies_removed"] is False
    assert kept.exists() and beside.exists()


# ---- interrupted ----

@pytest.mark.parametrize("point", ["announced", "noted", "written", "wiped", "crypttab",
                                   "forgotten", "certified"])
def test_interrupted_destruction_is_finished(coffer, formatted, point):
    destroy(coffer, formatted, fault=f"kill:destroy/{point}", expect=None)
    assert destroy(coffer, formatted.volume).status == 0
    assert_gone(coffer, formatted)
    assert formatted.volume not in coffer.crypttab.read_text()
    assert "limits" in coffer.run("audit", "--json").out


def test_disk_that_is_being_destroyed_is_neither_formatted_nor_rotated(coffer, formatted):
    destroy(coffer, formatted, fault="kill:destroy/noted", expect=None)
    assert "is being destroyed" in coffer.format(formatted, expect=REFUSED).err
    told = coffer.run("key", "rotate", formatted, *coffer.secret(), expect=REFUSED).err
    assert f"coffer disk destroy {formatted.volume}" in told


def test_vault_keeps_the_key_as_long_as_anything_is_left_on_the_disk(coffer, formatted, place):
    destroy(coffer, formatted, fault="kill:destroy/written", expect=None)
    assert kinds(coffer) == ["disk", "disk-header"]
    coffer.run("disk", "header", "repair", formatted, *coffer.secret())
    coffer.open(formatted, options=["--force"])
    coffer.close(formatted)
    destroy(coffer, formatted)
    assert_gone(coffer, formatted)


def test_device_that_was_used_since_is_left_alone(coffer, formatted):
    destroy(coffer, formatted, fault="kill:destroy/wiped", expect=None)
    contents.ext4(formatted)
    before = formatted.digest()
    refused = destroy(coffer, formatted, expect=REFUSED)
    assert "holds something else now" in refused.err and formatted.digest() == before
    destroy(coffer, formatted, "--missing")
    assert formatted.digest() == before and kinds(coffer) == []
