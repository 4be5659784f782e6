# SPDX-License-Identifier: LGPL-2.1-or-later
"""`disk adopt`: disks that another program encrypted, with their data, into the vault."""

import json
import os

import pytest

import contents
import rig
from rig import BUSY, DAMAGED, DONE, NO_DEVICE, REFUSED, USAGE, WRONG_KEY, mounted, tool

PASSPHRASE = "what somebody chose long ago"
CHEAP = ("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")
KINDS = {
    "luks1": ("--type", "luks1", "--pbkdf-force-iterations", "1000"),
    "luks2": ("--type", "luks2", *CHEAP),
    "luks2-argon2": ("--type", "luks2", "--pbkdf", "argon2id", "--pbkdf-force-iterations", "4",
                     "--pbkdf-memory", "32768", "--pbkdf-parallel", "1"),
}


@pytest.fixture
def old(place):
    """The file with the passphrase that the disks have now: with a newline, as people write it."""
    path = place / "old"
    path.write_text(PASSPHRASE + "\n")
    return path


@pytest.fixture
def key(place):
    """The same as a key file."""
    path = place / "old.key"
    path.write_text(PASSPHRASE)
    return path


def encrypt(disk, key, kind="luks2"):
    tool("cryptsetup", "luksFormat", "-q", *KINDS[kind], disk, key)
    return disk


def add_slot(disk, key, new):
    tool("cryptsetup", "luksAddKey", "-q", *CHEAP, "--key-file", key, disk, new)


def slots(disk):
    """Numbers of the keyslots in use."""
    dump = tool("cryptsetup", "luksDump", disk).stdout
    if "Version:       \t1" in dump or "Version:       	1" in dump:
        return [int(line.split()[2].rstrip(":")) for line in dump.splitlines()
                if line.startswith("Key Slot") and "ENABLED" in line]
    metadata = tool("cryptsetup", "luksDump", "--dump-json-metadata", disk).stdout
    return sorted(int(number) for number in json.loads(metadata)["keyslots"])


def opens(disk, key):
    return tool("cryptsetup", "open", "--test-passphrase", "--key-file", key, disk,
                check=False).returncode == 0


def adopt(coffer, *devices, options=(), key=None, vault=True, **more):
    given = ("--key-file", key) if key else ()
    unlocked = ("--vault-passphrase-file", coffer.recovery) if vault else ()
    return coffer.run("disk", "adopt", *devices, "--json", *given, *unlocked, *options, **more)


def keys_of(coffer):
    return coffer.run("key", "list", "--json", *coffer.secret()).json["keys"]


def stored_key(coffer, name):
    out = coffer.folder / f"stored-{name}-{os.urandom(4).hex()}"
    coffer.run("key", "export", name, "--out", out, *coffer.secret())
    return out


@pytest.mark.parametrize("kind", KINDS)
def test_adopted_disk_opens_with_the_vault_and_with_its_old_passphrase(coffer, disk, key, kind):
    encrypt(disk, key, kind)
    found = adopt(coffer, disk, key=key).disks[0]
    assert found["name"] == disk.volume and found["state"] == "closed" and found["changed"]
    assert len(slots(disk)) == 2 and opens(disk, key)
    assert opens(disk, stored_key(coffer, disk.volume))
    opened = coffer.open(disk).disks[0]
    assert opened["name"] == disk.volume and rig.is_block_device(opened["device"])
    coffer.close(disk)
    assert {entry["kind"] for entry in keys_of(coffer)} == {"disk", "disk-header"}


@pytest.mark.guest
def test_data_of_an_adopted_disk_stays(coffer, disk, key, place):
    encrypt(disk, key)
    plain = coffer.run("disk", "open", disk, "--key-file", key, "--name", disk.volume,
                       "--json").disks[0]["device"]
    contents_digest = make_file(plain, place)
    coffer.run("disk", "close", disk)
    adopt(coffer, disk, key=key)
    plain = coffer.open(disk).disks[0]["device"]
    with mounted(plain, place / "mnt", "-o", "ro") as folder:
        assert rig.tree_digest(folder) == contents_digest


def make_file(plain, place):
    tool("mkfs.ext4", "-q", plain)
    with mounted(plain, place / "mnt") as folder:
        (folder / "file").write_bytes(os.urandom(100000))
        return rig.tree_digest(folder)


def test_passphrase_file_is_that_of_the_disk(coffer, disk, old, key):
    encrypt(disk, key)
    adopt(coffer, disk, options=["--passphrase-file", old])
    assert len(slots(disk)) == 2


def test_adopt_asks_for_the_passphrase_on_a_terminal(coffer, disk, key):
    encrypt(disk, key)
    with rig.Dialogue(coffer, "disk", "adopt", disk, "--vault-passphrase-file",
                      coffer.recovery) as dialogue:
        dialogue.wait_for(f"Present passphrase of {disk}")
        assert dialogue.answer(PASSPHRASE) == DONE, dialogue.said
    assert "adopted" in dialogue.said and PASSPHRASE not in dialogue.said


def test_device_that_changes_while_the_question_stands_is_left_alone(coffer, disk, key):
    encrypt(disk, key)
    with rig.Dialogue(coffer, "disk", "adopt", disk, "--only", "--key-file", key,
                      "--vault-passphrase-file", coffer.recovery) as dialogue:
        dialogue.wait_for("to go on: ")
        encrypt(disk, key)
        before = disk.digest()
        assert dialogue.answer(str(disk)) == REFUSED, dialogue.said
    assert "not as it was a moment ago" in dialogue.said
    assert disk.digest() == before and keys_of(coffer) == []


def test_vault_is_unlocked_through_the_agent(coffer, disk, key):
    encrypt(disk, key)
    coffer.run("unlock", *coffer.secret())
    adopt(coffer, disk, key=key, vault=False)


def test_adopting_again_does_nothing(coffer, disk, key):
    encrypt(disk, key)
    adopt(coffer, disk, key=key)
    before = disk.digest()
    again = adopt(coffer, disk).disks[0]
    assert again["changed"] is False and disk.digest() == before
    assert "is in the vault already" in coffer.run(
        "disk", "adopt", disk, "--vault-passphrase-file", coffer.recovery).out


def test_several_disks_with_one_key_file(coffer, make_disk, key):
    disks = [encrypt(make_disk(), key) for _ in range(3)]
    found = adopt(coffer, *disks, key=key).disks
    assert [disk["state"] for disk in found] == ["closed"] * 3
    coffer.open("--all")


def test_name_is_taken(coffer, disk, key):
    encrypt(disk, key)
    name = "given" + disk.file.name
    assert adopt(coffer, disk, key=key, options=["--name", name]).disks[0]["name"] == name
    coffer.open(name)


# ---- in use ----

@pytest.mark.guest
def test_open_and_mounted_disk_is_adopted_under_its_name(coffer, disk, key, place):
    encrypt(disk, key)
    name = "data" + disk.file.name
    plain = coffer.run("disk", "open", disk, "--key-file", key, "--name", name,
                       "--json").disks[0]["device"]
    tool("mkfs.ext4", "-q", plain)
    with mounted(plain, place / "mnt") as folder:
        (folder / "file").write_text("kept")
        found = adopt(coffer, disk, key=key).disks[0]
        assert found["name"] == name and found["state"] == "open" and found["device"] == plain
        assert (folder / "file").read_text() == "kept"
    coffer.close(name)
    plain = coffer.open(name).disks[0]["device"]
    with mounted(plain, place / "mnt") as folder:
        assert (folder / "file").read_text() == "kept"


@pytest.mark.guest
def test_adopt_refuses_a_disk_that_a_program_holds(coffer, disk, key):
    encrypt(disk, key)
    before = disk.digest()
    holder = os.open(disk.node, os.O_RDWR | os.O_EXCL)
    try:
        adopt(coffer, disk, key=key, expect=(REFUSED, BUSY))
    finally:
        os.close(holder)
    assert disk.digest() == before and keys_of(coffer) == []


@pytest.mark.guest
def test_adopt_refuses_a_disk_with_a_device_on_top(coffer, disk, key):
    encrypt(disk, key)
    top = tool("losetup", "--find", "--show", disk).stdout.strip()
    try:
        refused = adopt(coffer, disk, key=key, expect=REFUSED)
        assert os.path.basename(top) in refused.err
    finally:
        tool("losetup", "--detach", top)
    assert keys_of(coffer) == []


def test_adopt_refuses_a_copy_of_another_disk(coffer, make_disk, key):
    disk, clone = encrypt(make_disk(), key), make_disk()
    tool("dd", f"if={disk}", f"of={clone}", "bs=1M", "count=32", "conv=fsync")
    refused = adopt(coffer, disk, key=key, expect=REFUSED)
    assert "same LUKS header" in refused.err and str(clone) in refused.err
    assert keys_of(coffer) == []


# ---- what cannot be adopted ----

def test_wrong_passphrase_leaves_nothing_behind(coffer, disk, key, place):
    encrypt(disk, key)
    (place / "wrong").write_text("something else")
    before = disk.digest()
    adopt(coffer, disk, key=place / "wrong", expect=WRONG_KEY)
    assert disk.digest() == before and keys_of(coffer) == []


def test_nobody_to_ask_is_told(coffer, disk, key):
    encrypt(disk, key)
    assert "--key-file FILE" in adopt(coffer, disk, expect=USAGE).err


@pytest.mark.parametrize("what", ["ext4", "LVM", "unknown bytes at the start"])
def test_adopt_refuses_what_is_not_luks(coffer, disk, key, what):
    contents.put(disk, what)
    before = disk.digest()
    assert "LUKS" in adopt(coffer, disk, key=key, expect=DAMAGED).err
    assert disk.digest() == before and keys_of(coffer) == []


def test_adopt_refuses_a_blank_disk(coffer, disk, key):
    assert "no LUKS header" in adopt(coffer, disk, key=key, expect=DAMAGED).err


def test_adopt_refuses_a_full_luks1_slot_table(coffer, disk, key, place):
    encrypt(disk, key, "luks1")
    for number in range(7):
        (place / f"k{number}").write_text(f"key {number}")
        add_slot(disk, key, place / f"k{number}")
    before = disk.digest()
    refused = adopt(coffer, disk, key=key, expect=REFUSED)
    assert "all of its 8 keyslots are taken" in refused.err and "luksKillSlot" in refused.err
    assert disk.digest() == before and keys_of(coffer) == []


def test_adopt_refuses_a_full_luks2_slot_table(coffer, disk, key, place):
    encrypt(disk, key)
    for number in range(31):
        (place / f"k{number}").write_text(f"key {number}")
        add_slot(disk, key, place / f"k{number}")
    refused = adopt(coffer, disk, key=key, expect=REFUSED)
    assert "all of its 32 keyslots are taken" in refused.err
    assert keys_of(coffer) == []


@pytest.mark.parametrize("offset, which", [(0, "first"), (16384, "second")])
def test_adopt_refuses_a_damaged_header(coffer, disk, key, offset, which):
    encrypt(disk, key)
    disk.write(offset + 4096, b"damage")
    before = disk.digest()
    refused = adopt(coffer, disk, key=key, expect=DAMAGED)
    assert f"the {which} of its two LUKS headers is damaged" in refused.err
    assert f"coffer disk header repair {disk}" in refused.err
    assert disk.digest() == before and keys_of(coffer) == []


def test_adopt_refuses_a_half_done_reencryption(coffer, disk, key):
    encrypt(disk, key)
    tool("cryptsetup", "reencrypt", "-q", "--init-only", "--key-file", key, disk)
    refused = adopt(coffer, disk, key=key, expect=REFUSED)
    assert "re-encryption is not finished" in refused.err
    assert f"cryptsetup reencrypt --resume-only {disk}" in refused.err
    assert keys_of(coffer) == []


def test_adopt_refuses_a_read_only_disk(coffer, disk, key):
    encrypt(disk, key)
    tool("blockdev", "--setro", disk)
    try:
        assert "read-only" in adopt(coffer, disk, key=key, expect=REFUSED).err
    finally:
        tool("blockdev", "--setrw", disk)


@pytest.mark.guest
def test_adopt_refuses_integrity_tags(coffer, disk, key):
    tool("cryptsetup", "luksFormat", "-q", *KINDS["luks2"], disk, key)
    metadata = json.loads(tool("cryptsetup", "luksDump", "--dump-json-metadata", disk).stdout)
    if "integrity" in metadata["segments"]["0"]:
        pytest.fail("a plain device has integrity")
    made = tool("cryptsetup", "luksFormat", "-q", *KINDS["luks2"], "--integrity", "hmac-sha256",
                "--integrity-no-wipe", disk, key, check=False)
    if made.returncode:
        pytest.skip("cryptsetup: " + made.stderr.strip())
    assert "integrity tags" in adopt(coffer, disk, key=key, expect=rig.IMPOSSIBLE).err


def test_adopt_refuses_a_header_without_keyslots(coffer, disk, key):
    encrypt(disk, key)
    tool("cryptsetup", "luksErase", "-q", disk)
    assert "without any keyslot" in adopt(coffer, disk, key=key, expect=REFUSED).err


def test_missing_device_is_told_apart(coffer, key):
    adopt(coffer, "/dev/nosuchdisk", key=key, expect=NO_DEVICE)


def test_device_named_twice_is_refused(coffer, disk, key):
    encrypt(disk, key)
    adopt(coffer, disk, disk, key=key, expect=USAGE)


def test_one_name_for_two_devices_is_refused(coffer, make_disk, key):
    disks = [encrypt(make_disk(), key) for _ in range(2)]
    adopt(coffer, *disks, key=key, options=["--name", "one"], expect=USAGE)


def test_name_of_another_disk_is_refused(coffer, make_disk, key):
    disk, other = make_disk(), encrypt(make_disk(), key)
    coffer.format(disk)
    refused = adopt(coffer, other, key=key, options=["--name", disk.volume], expect=REFUSED)
    assert "another disk of the vault" in refused.err


def test_disk_under_another_name_in_the_vault_is_refused(coffer, disk, key):
    encrypt(disk, key)
    adopt(coffer, disk, key=key)
    refused = adopt(coffer, disk, key=key, options=["--name", "other"], expect=REFUSED)
    assert f"is in the vault as {disk.volume}" in refused.err


def test_device_with_another_header_than_its_record_is_refused(coffer, disk, key):
    encrypt(disk, key)
    adopt(coffer, disk, key=key)
    encrypt(disk, key)
    refused = adopt(coffer, disk, key=key, expect=REFUSED)
    assert "with another header" in refused.err and "--missing" in refused.err


def test_disk_whose_stored_key_opens_nothing_is_refused(coffer, disk, key, place):
    encrypt(disk, key)
    tool("cryptsetup", "luksHeaderBackup", disk, "--header-backup-file", place / "header")
    adopt(coffer, disk, key=key)
    tool("cryptsetup", "luksHeaderRestore", "-q", disk, "--header-backup-file", place / "header")
    assert "does not open it" in adopt(coffer, disk, key=key, expect=REFUSED).err


def test_disk_that_is_being_formatted_is_refused(coffer, disk):
    coffer.format(disk, fault="kill:format/slot-added", expect=None)
    refused = adopt(coffer, disk, expect=REFUSED)
    assert "is being formatted" in refused.err and "coffer disk format" in refused.err


def test_format_refuses_a_disk_that_is_being_adopted(coffer, disk, key):
    encrypt(disk, key)
    adopt(coffer, disk, key=key, fault="kill:adopt/key-durable", expect=None)
    before = disk.digest()
    refused = coffer.format(disk, options=["--force"], expect=REFUSED)
    assert "is being adopted" in refused.err and disk.digest() == before


def test_one_refused_disk_does_not_keep_others_from_being_adopted(coffer, make_disk, key):
    blank, disk = make_disk(), encrypt(make_disk(), key)
    result = adopt(coffer, blank, disk, key=key, expect=DAMAGED)
    assert [found["state"] for found in result.disks] == ["failed", "closed"]


def test_dry_run_changes_nothing(coffer, disk, key):
    encrypt(disk, key)
    before = disk.digest(), keys_of(coffer)
    told = coffer.run("disk", "adopt", disk, "--key-file", key, "--dry-run", "--only",
                      "--vault-passphrase-file", coffer.recovery).out
    assert "store a new random key" in told and "remove the keyslots 0 (pbkdf2)" in told
    assert adopt(coffer, disk, options=["--dry-run"]).disks[0]["state"] == "planned"
    assert (disk.digest(), keys_of(coffer)) == before


def test_dry_run_tries_a_given_passphrase(coffer, disk, key, place):
    encrypt(disk, key)
    (place / "wrong").write_text("something else")
    adopt(coffer, disk, key=place / "wrong", options=["--dry-run"], expect=WRONG_KEY)


# ---- --only ----

def test_only_removes_every_other_keyslot(coffer, disk, key, place):
    encrypt(disk, key)
    (place / "second").write_text("a second key")
    add_slot(disk, key, place / "second")
    adopt(coffer, disk, key=key, options=["--only", "--yes-destroy", disk])
    assert len(slots(disk)) == 1 and not opens(disk, key) and not opens(disk, place / "second")
    assert opens(disk, stored_key(coffer, disk.volume))


def test_only_without_agreement_changes_nothing(coffer, disk, key):
    encrypt(disk, key)
    before = disk.digest()
    refused = adopt(coffer, disk, key=key, options=["--only"], expect=REFUSED)
    assert "keyslots 0 (pbkdf2) will be removed" in refused.err
    assert disk.digest() == before and keys_of(coffer) == []


def test_only_of_an_adopted_disk_needs_no_old_passphrase(coffer, disk, key):
    encrypt(disk, key)
    adopt(coffer, disk, key=key)
    adopt(coffer, disk, options=["--only", "--yes-destroy", disk])
    assert slots(disk) == [1]
    assert adopt(coffer, disk, options=["--only"]).disks[0]["changed"] is False


def test_only_keeps_the_copy_up_to_date(coffer, disk, key):
    encrypt(disk, key)
    adopt(coffer, disk, key=key, options=["--only", "--yes-destroy", disk])
    coffer.open(disk)
    before = keys_of(coffer)
    coffer.close(disk)
    assert keys_of(coffer) == before


# ---- crypttab ----

def test_crypttab_line_is_added_like_that_of_format(coffer, disk, key):
    encrypt(disk, key)
    adopt(coffer, disk, key=key, options=["--crypttab"])
    fields = coffer.crypttab.read_text().split()
    assert fields[:2] == [disk.volume, str(disk.file)] and fields[2].endswith("/keys.sock")
    assert fields[3] == "luks,nofail,headless=true"


def test_crypttab_gets_no_line_for_a_device_without_a_stable_name(coffer, disk, key):
    encrypt(disk, key)
    adopt(coffer, disk, key=key)
    assert not coffer.crypttab.exists()


def test_crypttab_line_of_the_disk_gives_the_name_and_gets_the_key(coffer, disk, key):
    encrypt(disk, key)
    name = "data" + disk.file.name
    coffer.crypttab.write_text(f"# mine\n{name} {disk} /etc/old.key luks,discard,keyfile-size=32\n"
                               "other /dev/nosuch none\n")
    assert adopt(coffer, disk, key=key).disks[0]["name"] == name
    lines = coffer.crypttab.read_text().splitlines()
    assert lines[0] == "# mine" and lines[2] == "other /dev/nosuch none"
    fields = lines[1].split()
    assert fields[:2] == [name, str(disk)] and fields[2].endswith("/keys.sock")
    assert fields[3] == "luks,discard,nofail,headless=true"


def test_no_crypttab_leaves_the_line_alone(coffer, disk, key):
    encrypt(disk, key)
    line = f"data{disk.file.name} {disk} /etc/old.key luks\n"
    coffer.crypttab.write_text(line)
    found = adopt(coffer, disk, key=key, options=["--no-crypttab"]).disks[0]
    assert "stays as it is" in found["note"] and coffer.crypttab.read_text() == line


def test_other_name_in_crypttab_is_refused(coffer, disk, key):
    encrypt(disk, key)
    coffer.crypttab.write_text(f"data {disk} none luks\n")
    refused = adopt(coffer, disk, key=key, options=["--name", "other"], expect=REFUSED)
    assert "another name in crypttab" in refused.err and "--name data" in refused.err


def test_name_of_another_device_in_crypttab_is_refused(coffer, make_disk, key):
    disk, other = encrypt(make_disk(), key), make_disk()
    coffer.crypttab.write_text(f"data {other} none luks\n")
    refused = adopt(coffer, disk, key=key, options=["--name", "data"], expect=REFUSED)
    assert "crypttab calls another device" in refused.err


def test_crypttab_options_exclude_each_other(coffer, disk, key):
    adopt(coffer, disk, key=key, options=["--crypttab", "--no-crypttab"], expect=USAGE)


@pytest.mark.guest
def test_disk_can_be_closed_with_a_locked_vault_after_it_was_adopted_open(coffer, disk, key):
    encrypt(disk, key)
    adopt(coffer, disk, key=key)
    coffer.open(disk)
    adopt(coffer, disk, options=["--only", "--yes-destroy", disk])
    coffer.run("disk", "close", disk)
