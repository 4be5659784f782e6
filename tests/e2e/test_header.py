# SPDX-License-Identifier: LGPL-2.1-or-later
"""Headers of disks: real damage by dd and wipefs, what is said of it, and how it is mended."""

import os
import re
import signal

import pytest

import rig
from rig import DAMAGED, DONE, LOCKED, NO_DEVICE, REFUSED, USAGE, tool

KIB = 1024
AREA = 16 * KIB  # of each of the two places of LUKS2's metadata
CONTENT = b"what must not be lost" * 1000


def export_key(coffer, volume):
    out = coffer.folder / f"{volume}.key"
    out.unlink(missing_ok=True)
    coffer.run("key", "export", f"disk/{volume}", "--out", out, *coffer.secret())
    return out


def format_luks1(coffer, disk):
    """A disk of the vault with a LUKS1 header: cryptsetup goes on where a format was killed."""
    killed = coffer.format(disk, fault="kill:format/key-durable", expect=None)
    if killed.status != -signal.SIGKILL:
        pytest.skip("built without -Dfaults=true: a format cannot be stopped")
    found = coffer.run("disk", "status", "--json", *coffer.secret()).disks[0]
    tool("cryptsetup", "luksFormat", "-q", "--type", "luks1", "--uuid", found["uuid"],
         "--pbkdf-force-iterations", "1000", disk, export_key(coffer, disk.volume))
    coffer.open(disk)


@pytest.fixture(params=["luks2", "luks1"])
def kept(request, coffer, disk):
    """A closed disk of the vault with known content."""
    if request.param == "luks1":
        format_luks1(coffer, disk)
    else:
        coffer.format(disk)
    disk.version = 1 if request.param == "luks1" else 2
    write_content(coffer.open(disk).disks[0]["device"])
    coffer.close(disk)
    return disk


def write_content(device):
    with open(device, "r+b") as opened:
        opened.write(CONTENT)
        opened.flush()
        os.fsync(opened.fileno())


def content_of(device):
    with open(device, "rb") as opened:
        return opened.read(len(CONTENT))


def header_of(disk):
    """What of the header means anything: up to the end of keyslot 0. Unused ones hold noise."""
    with open(disk.file, "rb") as opened:
        return opened.read(284 * KIB if disk.version == 2 else 254 * KIB)


def check(coffer, *words, expect=DONE, options=()):
    found = coffer.run("disk", "header", "check", *words, "--json", *coffer.secret(), *options,
                       expect=expect)
    return found.json["disks"][0]


def repair(coffer, disk, options=(), **more):
    return coffer.run("disk", "header", "repair", disk, "--json", *coffer.secret(), *options, **more)


def restore(coffer, disk, *options, **more):
    return coffer.run("disk", "header", "restore", disk, "--json", *coffer.secret(), *options,
                      **more)


def generations(coffer, disk):
    found = coffer.run("key", "history", f"disk-header/{disk.volume}", "--json", *coffer.secret())
    return [item["generation"] for item in found.json["keys"]]


def add_passphrase(coffer, disk, text="one more"):
    """Another tool changes the header."""
    new = coffer.folder / "new-passphrase"
    new.write_text(text)
    tool("cryptsetup", "luksAddKey", "-q", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000",
         "--key-file", export_key(coffer, disk.volume), disk, new)
    return new


def wipefs(disk):
    tool("wipefs", "--all", "--force", disk)


def zero(disk, count, start=0):
    disk.write(start, bytes(count))


DAMAGE = {
    "wipefs": wipefs,
    "4KiB": lambda disk: zero(disk, 4 * KIB),
    "16KiB": lambda disk: zero(disk, 16 * KIB),
    "second": lambda disk: zero(disk, 16 * KIB, AREA),
    "32KiB": lambda disk: zero(disk, 32 * KIB),
    "keyslot": lambda disk: zero(disk, 4 * KIB, 64 * KIB),
    "1MiB": lambda disk: zero(disk, rig.MIB),
    "random": lambda disk: disk.write(0, os.urandom(rig.MIB)),
}


# ---- repair ----

@pytest.mark.guest
@pytest.mark.parametrize("damage", DAMAGE)
def test_repair_brings_back_header_and_data(coffer, kept, damage):
    before = header_of(kept)
    DAMAGE[damage](kept)
    assert header_of(kept) != before
    assert not check(coffer, kept.volume, expect=DAMAGED)["good"]
    assert repair(coffer, kept).disks[0]["changed"]
    assert header_of(kept) == before
    assert check(coffer, kept.volume)["copy"] == "same"
    assert content_of(coffer.open(kept).disks[0]["device"]) == CONTENT
    coffer.close(kept)


@pytest.mark.guest
@pytest.mark.parametrize("damage", ["wipefs", "second", "keyslot", "1MiB"])
def test_repair_of_an_open_disk_lets_it_be_closed(coffer, kept, damage):
    before = header_of(kept)
    device = coffer.open(kept).disks[0]["device"]
    DAMAGE[damage](kept)
    refused = coffer.close(kept, expect=REFUSED)
    assert f"coffer disk header repair {kept.volume}" in refused.json["error"]["remedy"] + \
        refused.err
    repair(coffer, kept)
    assert header_of(kept) == before
    assert content_of(device) == CONTENT
    coffer.close(kept)
    coffer.open(kept)


def test_repaired_open_disk_closes_with_a_locked_vault(coffer, kept):
    coffer.open(kept)
    zero(kept, rig.MIB)
    repair(coffer, kept)
    coffer.run("disk", "close", kept)


@pytest.mark.parametrize("damage", DAMAGE)
def test_dry_run_and_check_write_nothing(coffer, kept, damage):
    DAMAGE[damage](kept)
    before = kept.digest()
    planned = repair(coffer, kept, ["--dry-run"]).disks[0]
    assert planned["writes"] and not planned["changed"]
    check(coffer, kept.volume, expect=DAMAGED)
    assert kept.digest() == before


def test_repair_of_wiped_magic_writes_nothing_else(coffer, kept):
    wipefs(kept)
    writes = repair(coffer, kept).disks[0]["writes"]
    assert [item["bytes"] for item in writes] == [6] * kept.version


@pytest.mark.parametrize("damage", ["16KiB", "second"])
def test_repair_of_one_header_writes_that_alone(coffer, disk, damage):
    coffer.format(disk)
    coffer.close(disk)
    DAMAGE[damage](disk)
    writes = repair(coffer, disk).disks[0]["writes"]
    assert [item["bytes"] for item in writes] == [AREA]


def test_repair_of_a_good_header_has_nothing_to_do(coffer, kept):
    before = kept.digest()
    found = repair(coffer, kept).disks[0]
    assert not found["changed"] and not found["writes"]
    assert kept.digest() == before


def test_repair_keeps_keyslots_that_the_copy_does_not_have(coffer, kept):
    """The keyslot that was overwritten comes back, and not the whole copy, which is older."""
    add_passphrase(coffer, kept)
    zero(kept, 4 * KIB, 64 * KIB)
    repair(coffer, kept)
    tool("cryptsetup", "open", "--test-passphrase", "--key-file", coffer.folder / "new-passphrase",
         kept)
    coffer.open(kept)


def test_repair_finds_a_disk_by_its_volume_name(coffer, kept):
    zero(kept, rig.MIB)
    coffer.run("disk", "header", "repair", kept.volume, *coffer.secret())
    coffer.open(kept)


def test_repair_with_a_locked_vault_says_so(coffer, kept):
    zero(kept, rig.MIB)
    coffer.run("disk", "header", "repair", kept, expect=LOCKED)


def test_repair_leaves_a_header_that_lost_the_vaults_keyslot(coffer, kept):
    new = add_passphrase(coffer, kept)
    tool("cryptsetup", "luksKillSlot", "-q", "--key-file", new, kept, "0")
    before = kept.digest()
    repair(coffer, kept, expect=REFUSED)
    assert kept.digest() == before
    refused = restore(coffer, kept, expect=REFUSED)
    assert "its header is whole" in refused.err
    assert not re.search(r";\S|;$", refused.json["error"]["cause"])
    # What the check says to type is not refused for want of --force.
    told = coffer.run("disk", "header", "check", kept, *coffer.secret(), expect=DAMAGED).err
    assert f"coffer disk header restore {kept.volume} --force" in told
    restore(coffer, kept, "--force", "--yes-destroy", kept)
    coffer.open(kept)


def test_repair_leaves_the_header_of_another_disk(coffer, kept, make_disk):
    other = make_disk()
    tool("cryptsetup", "luksFormat", "-q", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000",
         other, coffer.passphrase)
    with open(other.node, "rb") as opened:
        kept.write(0, opened.read(rig.MIB))
    before = kept.digest()
    assert repair(coffer, kept.volume, expect=REFUSED).disks[0]["error"]
    restore(coffer, kept.volume, "--force", "--yes-destroy", kept.volume, expect=REFUSED)
    assert kept.digest() == before


def test_repair_refuses_a_file_system_written_over_it(coffer, kept):
    tool("mkfs.ext4", "-q", "-F", kept)
    before = kept.digest()
    refused = repair(coffer, kept, expect=REFUSED)
    assert "ext4" in refused.disks[0]["error"]["cause"]
    repair(coffer, kept, ["--force"], expect=REFUSED)
    assert kept.digest() == before
    repair(coffer, kept, ["--force", "--yes-destroy", kept])
    assert check(coffer, kept.volume)["good"]


@pytest.mark.guest
def test_repair_refuses_a_mounted_device(coffer, kept, place):
    tool("mkfs.ext4", "-q", "-F", kept)
    with rig.mounted(kept, place / "mnt"):
        repair(coffer, kept, ["--force", "--yes-destroy", kept], expect=REFUSED)


# ---- devices that the vault does not know ----

@pytest.fixture(params=["luks2", "luks1"])
def foreign(request, bare, disk):
    tool("cryptsetup", "luksFormat", "-q", "--type", request.param, "--pbkdf-force-iterations",
         "1000", *(["--pbkdf", "pbkdf2"] if request.param == "luks2" else []), disk,
         bare.passphrase)
    disk.version = 1 if request.param == "luks1" else 2
    return disk


def opens(coffer, disk):
    return tool("cryptsetup", "open", "--test-passphrase", "--key-file", coffer.passphrase, disk,
                check=False).returncode == 0


def test_unknown_device_gets_its_magic_back(bare, foreign):
    wipefs(foreign)
    assert tool("cryptsetup", "isLuks", foreign, check=False).returncode
    bare.run("disk", "header", "repair", foreign)
    assert opens(bare, foreign)


@pytest.mark.parametrize("damage", ["4KiB", "16KiB", "second"])
def test_unknown_device_gets_one_header_from_the_other(bare, disk, damage):
    tool("cryptsetup", "luksFormat", "-q", "--type", "luks2", "--pbkdf-force-iterations", "1000",
         "--pbkdf", "pbkdf2", disk, bare.passphrase)
    DAMAGE[damage](disk)
    bare.run("disk", "header", "repair", disk)
    tool("cryptsetup", "luksDump", disk)
    zero(disk, 4 * KIB, AREA if damage == "4KiB" else 0)
    assert opens(bare, disk)


def test_unknown_device_with_too_little_left_is_damaged(bare, foreign):
    zero(foreign, rig.MIB)
    before = foreign.digest()
    bare.run("disk", "header", "repair", foreign, expect=DAMAGED)
    assert foreign.digest() == before


def test_unknown_device_is_checked_without_a_vault(bare, foreign):
    bare.run("disk", "header", "check", foreign)
    wipefs(foreign)
    bare.run("disk", "header", "check", foreign, expect=DAMAGED)


@pytest.mark.guest
def test_unknown_device_that_is_open_is_to_be_copied(bare, foreign):
    device = bare.run("disk", "open", foreign, "--key-file", bare.passphrase, "--json").disks[0]["device"]
    zero(foreign, rig.MIB)
    told = bare.run("disk", "header", "repair", foreign, "--json", expect=DAMAGED)
    assert f"copy the data from {device} elsewhere" in told.disks[0]["error"]["remedy"]
    bare.run("disk", "close", foreign)


def test_format_of_an_open_disk_without_header_says_to_repair_it(coffer, kept):
    coffer.open(kept)
    zero(kept, rig.MIB)
    before = kept.digest()
    for options in [], ["--force", "--yes-destroy", kept]:
        told = coffer.run("disk", "format", kept, *options, *coffer.secret(), expect=REFUSED).err
        assert f"coffer disk header repair {kept.volume}" in told
        assert "disk close" not in told and "starts anew" not in told
    assert kept.digest() == before


def test_header_changed_while_a_repair_asks_is_left_alone(coffer, kept):
    tool("mkfs.ext4", "-q", "-F", kept)
    with rig.Dialogue(coffer, "disk", "header", "repair", kept, "--force", *coffer.secret()) as run:
        run.wait_for("to go on:")
        assert "will write" in run.said and "writing" not in run.said
        with open(kept.file, "rb") as whole:
            before = whole.read(rig.MIB)
        tool("cryptsetup", "luksFormat", "-q", "--type", "luks2", "--pbkdf", "pbkdf2",
             "--pbkdf-force-iterations", "1000", kept, coffer.passphrase)
        assert before[:4096] != header_of(kept)[:4096]
        changed = kept.digest()
        assert run.answer(str(kept)) != DONE
        assert kept.digest() == changed


def test_check_of_a_name_without_a_vault_is_told_apart(bare):
    bare.run("disk", "header", "check", "enc-nothing", expect=NO_DEVICE)


# ---- changes by other tools ----

@pytest.mark.guest
@pytest.mark.parametrize("notice", ["open", "check", "close"])
def test_change_by_another_tool_becomes_a_version(coffer, kept, notice):
    if notice == "close":
        coffer.open(kept)
    before = generations(coffer, kept)
    add_passphrase(coffer, kept)
    if notice == "check":
        found = check(coffer, kept.volume)
        assert found["kept"] and any("keyslot 1" in line for line in found["changes"])
    elif notice == "open":
        coffer.open(kept)
    else:
        coffer.close(kept)
    assert len(generations(coffer, kept)) == len(before) + 1
    assert check(coffer, kept.volume)["copy"] == "same"


def test_damaged_header_never_becomes_a_version(coffer, kept):
    before = generations(coffer, kept)
    add_passphrase(coffer, kept)
    check(coffer, kept.volume)
    zero(kept, 4 * KIB, 400 * KIB if kept.version == 2 else 300 * KIB)
    check(coffer, kept.volume, expect=DAMAGED)
    coffer.run("disk", "header", "backup", kept, *coffer.secret(), expect=DAMAGED)
    coffer.open(kept)
    coffer.close(kept, expect=REFUSED)
    assert len(generations(coffer, kept)) == len(before) + 1
    repair(coffer, kept)
    coffer.close(kept)
    assert opens_with(kept, coffer.folder / "new-passphrase")


def opens_with(disk, key):
    return tool("cryptsetup", "open", "--test-passphrase", "--key-file", key, disk,
                check=False).returncode == 0


def test_token_added_by_another_tool_is_named(coffer, disk):
    coffer.format(disk)
    tool("cryptsetup", "token", "add", "--key-description", "mine", disk)
    assert any("token 0 (luks2-keyring) was added" in line
               for line in check(coffer, disk.volume)["changes"])


def test_older_header_put_back_is_told(coffer, disk, place):
    coffer.format(disk)
    coffer.close(disk)
    coffer.run("disk", "header", "backup", disk, "--out", place / "old", *coffer.secret())
    add_passphrase(coffer, disk)
    assert check(coffer, disk.volume)["kept"]
    tool("cryptsetup", "luksHeaderRestore", "-q", "--header-backup-file", place / "old", disk)
    assert check(coffer, disk.volume, expect=DAMAGED)["copy"] == "older"
    repair(coffer, disk, expect=REFUSED)
    restore(coffer, disk, "--force", "--yes-destroy", disk)
    assert opens_with(disk, coffer.folder / "new-passphrase")


# ---- backup ----

def test_backup_file_is_one_for_cryptsetup(coffer, kept, place):
    out = place / "header"
    coffer.run("disk", "header", "backup", kept, "--out", out, *coffer.secret())
    assert out.stat().st_mode & 0o777 == 0o600
    zero(kept, rig.MIB)
    tool("cryptsetup", "luksHeaderRestore", "-q", "--header-backup-file", out, kept)
    assert opens_with(kept, export_key(coffer, kept.volume))
    assert content_of(coffer.open(kept).disks[0]["device"]) == CONTENT


def test_backup_does_not_overwrite(coffer, kept, place):
    out = place / "header"
    out.write_text("mine")
    coffer.run("disk", "header", "backup", kept, "--out", out, *coffer.secret(), expect=REFUSED)
    assert out.read_text() == "mine"


def test_backup_of_an_older_version_needs_no_device(coffer, kept, place):
    coffer.run("disk", "header", "backup", kept.volume, "--generation", "1", "--out", place / "one",
               *coffer.secret())
    tool("cryptsetup", "luksDump", place / "one")
    coffer.run("disk", "header", "backup", kept.volume, "--generation", "9", "--out", place / "nine",
               *coffer.secret(), expect=NO_DEVICE)


# ---- restore ----

def test_restore_from_a_backup_file_of_cryptsetup(coffer, kept, place):
    tool("cryptsetup", "luksHeaderBackup", "--header-backup-file", place / "header", kept)
    zero(kept, rig.MIB)
    restore(coffer, kept, "--from", place / "header")
    assert content_of(coffer.open(kept).disks[0]["device"]) == CONTENT


def test_restore_of_an_older_version_keeps_the_one_before(coffer, kept):
    add_passphrase(coffer, kept)
    newest = check(coffer, kept.volume)["generation"]
    refused = restore(coffer, kept, "--generation", "1", expect=REFUSED)
    assert "keyslot 1" in refused.err + refused.out
    restore(coffer, kept, "--generation", "1", "--force", expect=REFUSED)
    restore(coffer, kept, "--generation", "1", "--force", "--yes-destroy", kept)
    assert not opens_with(kept, coffer.folder / "new-passphrase")
    assert check(coffer, kept.volume)["copy"] == "same"
    restore(coffer, kept, "--generation", newest, "--force", "--yes-destroy", kept)
    assert opens_with(kept, coffer.folder / "new-passphrase")
    coffer.open(kept)
    coffer.close(kept)


@pytest.mark.guest
def test_restore_refuses_an_open_disk(coffer, kept):
    coffer.open(kept)
    restore(coffer, kept, expect=REFUSED)


def test_restore_refuses_a_copy_of_another_volume_key(coffer, kept, place):
    """The same UUID and the same key, but made anew: what a header is before a re-encryption."""
    fake = place / "fake"
    tool("truncate", "--size", "64M", fake)
    uuid = tool("cryptsetup", "luksUUID", kept).stdout.strip()
    tool("cryptsetup", "luksFormat", "-q", "--type", f"luks{kept.version}", "--uuid", uuid,
         "--pbkdf-force-iterations", "1000",
         *(["--pbkdf", "pbkdf2"] if kept.version == 2 else []), fake,
         export_key(coffer, kept.volume))
    for present in ("good", "damaged"):
        if present == "damaged":
            zero(kept, rig.MIB)
        restore(coffer, kept, "--from", fake, "--force", "--yes-destroy", kept, expect=REFUSED)


def test_restore_refuses_a_copy_that_the_key_does_not_open(coffer, kept, place):
    new = add_passphrase(coffer, kept)
    tool("cryptsetup", "luksKillSlot", "-q", "--key-file", new, kept, "0")
    tool("cryptsetup", "luksHeaderBackup", "--header-backup-file", place / "header", kept)
    restore(coffer, kept, "--force", "--yes-destroy", kept)
    restore(coffer, kept, "--from", place / "header", "--force", "--yes-destroy", kept,
            expect=REFUSED)


def test_restore_refuses_a_device_of_another_size(coffer, kept):
    """What the record says of the disk is not what is there."""
    kept.detach()
    with open(kept.file, "r+b") as backing:
        backing.truncate(40 * rig.MIB)
    kept.attach()
    zero(kept, rig.MIB)
    restore(coffer, kept.volume, expect=REFUSED)
    repair(coffer, kept.volume, expect=REFUSED)


# ---- kill -9 at each step ----

def points_of(result):
    points = [line.split()[1] for line in result.err.splitlines()
              if line.startswith("fault-point ")]
    if not points:
        pytest.skip("built without -Dfaults=true: there are no points to stop at")
    return points


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["wipefs", "16KiB", "second", "keyslot", "1MiB"])
def test_repair_converges_after_a_kill_at_any_point(coffer, kept, damage):
    before = header_of(kept)
    DAMAGE[damage](kept)
    points = points_of(repair(coffer, kept, fault="list"))
    for number in range(1, len(points) + 1):
        DAMAGE[damage](kept)
        killed = repair(coffer, kept, fault=f"kill:#{number}", expect=None)
        assert killed.status == -signal.SIGKILL
        repair(coffer, kept)
        assert header_of(kept) == before
        assert check(coffer, kept.volume)["good"]


@pytest.mark.slow
def test_restore_converges_after_a_kill_at_any_point(coffer, kept):
    add_passphrase(coffer, kept)
    newest = str(check(coffer, kept.volume)["generation"])
    agreed = ("--force", "--yes-destroy", kept)
    points = points_of(restore(coffer, kept, "--generation", "1", *agreed, fault="list"))
    old = header_of(kept)
    for number in range(1, len(points) + 1):
        restore(coffer, kept, "--generation", newest, *agreed)
        restore(coffer, kept, "--generation", "1", *agreed, fault=f"kill:#{number}", expect=None)
        restore(coffer, kept, "--generation", "1", *agreed)
        assert header_of(kept) == old
        assert check(coffer, kept.volume)["copy"] == "same"
    coffer.open(kept)


# ---- what other verbs say ----

@pytest.mark.parametrize("damage", ["wipefs", "4KiB", "second"])
def test_list_and_status_name_damage_and_what_mends_it(coffer, disk, damage):
    coffer.format(disk)
    coffer.close(disk)
    DAMAGE[damage](disk)
    said = coffer.run("disk", "list", *coffer.secret()).out
    assert f"`coffer disk header repair {disk}`" in said
    found = coffer.run("disk", "status", "--json", *coffer.secret()).disks[0]
    assert found["header"] == "damaged"
    assert f"`coffer disk header repair {disk.volume}`" in \
        coffer.run("disk", "status", *coffer.secret()).out
    repair(coffer, disk)
    assert f"header repair {disk}`" not in coffer.run("disk", "list", *coffer.secret()).out
    assert coffer.run("disk", "status", "--json", *coffer.secret()).disks[0]["header"] == "good"


def test_status_of_an_unlocked_vault_names_damage(coffer, disk):
    coffer.format(disk)
    coffer.run("unlock", *coffer.secret())
    assert not any("header repair" in text
                   for text in coffer.run("status", "--json").json["warnings"])
    zero(disk, 4 * KIB)
    assert any(f"coffer disk header repair {disk.volume}" in text
               for text in coffer.run("status", "--json").json["warnings"])
    repair(coffer, disk)


def test_status_of_an_unlocked_vault_copies_a_changed_header(coffer, disk):
    coffer.format(disk)
    before = generations(coffer, disk)
    add_passphrase(coffer, disk)
    coffer.run("unlock", *coffer.secret())
    coffer.run("status")
    assert len(generations(coffer, disk)) == len(before) + 1


def test_open_of_a_damaged_header_opens_and_says_so(coffer, disk):
    coffer.format(disk)
    coffer.close(disk)
    zero(disk, 4 * KIB)
    assert f"coffer disk header check {disk.volume}" in coffer.open(disk).disks[0]["note"]


def test_check_without_names_looks_at_every_disk(coffer, make_disk):
    disks = [make_disk(), make_disk()]
    coffer.format(*disks)
    coffer.close("--all")
    shown = coffer.run("disk", "header", "check", "--json", *coffer.secret()).disks
    assert {one["name"] for one in shown} == {disk.volume for disk in disks}
    disks[0].write(0, bytes(4096))
    told = coffer.run("disk", "header", "check", *coffer.secret(), expect=DAMAGED)
    assert disks[0].volume in told.err and disks[1].volume in told.out
    for verb in ("backup", "repair"):
        told = coffer.run("disk", "header", verb, *coffer.secret(), expect=USAGE).err
        assert "no device is named, nor --all" in told
