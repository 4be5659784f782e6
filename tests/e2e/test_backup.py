# SPDX-License-Identifier: LGPL-2.1-or-later
"""Backups: made, checked without a vault, and restored to a machine that has nothing."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess

import pytest

import rig
from rig import BUSY, DAMAGED, LOCKED, NO_DEVICE, REFUSED, USAGE, WRONG_KEY

HEAD_BYTES = 65  # doc/format-backup.md, section 1
TAG_BYTES = 16


def create(coffer, file, *options, **more):
    return coffer.run("backup", "create", file, *options, *coffer.secret(), **more)


def verify(coffer, file, **more):
    """With the secret: everything is proven."""
    return coffer.run("backup", "verify", file, *coffer.secret(), **more)


def restore(coffer, file, *options, **more):
    return coffer.run("backup", "restore", file, *options, *coffer.secret(), **more)


def borders(data):
    """Where the first chunk begins, and where each one ends."""
    at = HEAD_BYTES + int.from_bytes(data[61:65], "big")
    found = [at]
    last = False
    while not last:
        word = int.from_bytes(data[at:at + 4], "big")
        last = bool(word >> 31)
        at += 4 + (word & 0x7fffffff) + TAG_BYTES
        found.append(at)
    return found


def with_checksum(data):
    """The bytes before the checksum, with the one that belongs to them."""
    return data + hashlib.sha256(data).digest()


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


def machine(folder, coffer):
    """One that has nothing but the program and the recovery key."""
    other = rig.Coffer(folder)
    shutil.copy2(coffer.recovery, other.recovery)
    return other


@pytest.fixture
def other(place, coffer):
    return machine(place / "other", coffer)


@pytest.fixture
def backup(coffer, place):
    create(coffer, place / "v.backup")
    return place / "v.backup"


@pytest.fixture
def large(coffer, disk, place):
    """One of several chunks."""
    coffer.format(disk)
    coffer.close(disk)
    create(coffer, place / "large.backup")
    return place / "large.backup"


# ---- create ----

def test_backup_is_private_and_says_what_it_has(coffer, make_disk, place):
    disk = make_disk()
    coffer.format(disk)
    made = create(coffer, place / "v.backup", "--json").json["backup"]
    assert made["records"] == 2 and made["audit_files"] == 1
    assert made["size"] == os.stat(place / "v.backup").st_size
    assert os.stat(place / "v.backup").st_mode & 0o777 == 0o600
    assert not (place / "v.backup.new").exists()


def test_name_of_a_disk_is_not_to_be_read_in_a_backup(coffer, disk, place):
    coffer.format(disk)
    create(coffer, place / "v.backup")
    assert disk.volume.encode() not in (place / "v.backup").read_bytes()


def test_existing_file_stays_without_force(coffer, backup):
    before = backup.read_bytes()
    refused = create(coffer, backup, expect=REFUSED)
    assert "--force" in refused.err and backup.read_bytes() == before
    create(coffer, backup, "--force")
    assert backup.read_bytes() != before
    verify(coffer, backup)


def test_folder_and_device_are_refused(coffer, disk, place):
    assert "one file" in create(coffer, place, expect=USAGE).err
    create(coffer, disk, "--force", expect=REFUSED)
    create(coffer, place / "none" / "v.backup", expect=NO_DEVICE)


def test_file_in_the_way_of_the_temporary_name_stays(coffer, place):
    (place / "v.backup.new").write_text("somebody's own")
    refused = create(coffer, place / "v.backup", expect=REFUSED)
    assert "in the way" in refused.err
    assert (place / "v.backup.new").read_text() == "somebody's own"


def test_backup_through_a_pipe_is_a_whole_one(coffer, place):
    done = subprocess.run([rig.PROGRAM, *coffer.arguments("backup", "create", "-",
                                                          *coffer.secret())],
                          capture_output=True, check=True)
    (place / "piped").write_bytes(done.stdout)
    verify(coffer, place / "piped")
    assert b"verify" in done.stderr


def test_two_at_once_do_not_spoil_each_other(coffer, place):
    with open(place / "v.backup.new", "wb") as others:
        fcntl.flock(others, fcntl.LOCK_EX)
        assert "another process" in create(coffer, place / "v.backup", expect=BUSY).err
    create(coffer, place / "v.backup")


def test_header_that_another_tool_changed_is_told(coffer, place):
    coffer.run("unlock", *coffer.secret())
    (place / "more").write_text("one more secret")
    rig.tool("cryptsetup", "luksAddKey", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000",
             "--key-file", coffer.passphrase, "--keyfile-size",
             len(coffer.passphrase.read_text().strip()), coffer.vault / "root.luks",
             place / "more")
    told = coffer.run("backup", "create", place / "v.backup")
    assert "from before" in told.err
    assert "from before" not in create(coffer, place / "w.backup").err
    coffer.run("backup", "verify", place / "w.backup", "--key-file", place / "more")


def test_vault_that_nobody_has_a_secret_of_is_told(coffer, place):
    header = coffer.vault / "root.luks"
    coffer.run("unlock", *coffer.secret())
    for token in range(2):
        rig.tool("cryptsetup", "token", "remove", "--token-id", token, header)
        tang = place / f"token{token}"
        tang.write_text(json.dumps({"type": "clevis", "keyslots": [str(token)], "jwe": {}}))
        rig.tool("cryptsetup", "token", "import", "--token-id", token, "--json-file", tang, header)
    told = coffer.run("backup", "create", place / "v.backup")
    assert "enroll recovery" in told.err


def test_backup_of_an_altered_vault_is_not_made(coffer, disk, place):
    coffer.format(disk)
    coffer.close(disk)
    with contextlib.closing(sqlite3.connect(coffer.vault / "vault.db")) as keystore, keystore:
        keystore.execute("delete from record where key like 'record/%'")
    refused = create(coffer, place / "v.backup", expect=DAMAGED)
    assert "no backup" in refused.err and not (place / "v.backup").exists()
    assert not (place / "v.backup.new").exists()


def test_locked_vault_gives_no_backup(coffer, place):
    coffer.run("backup", "create", place / "v.backup", expect=LOCKED)
    assert not (place / "v.backup").exists()


def test_dry_run_writes_nothing(coffer, place):
    before = rig.tree_digest(coffer.vault)
    create(coffer, place / "v.backup", "--dry-run")
    assert not (place / "v.backup").exists() and rig.tree_digest(coffer.vault) == before


# ---- verify ----

def test_verify_tells_a_checksum_from_a_proof(coffer, backup):
    plain = coffer.run("backup", "verify", backup, "--json").json["backup"]
    assert plain["proven"] is False and "records" not in plain
    proven = coffer.run("backup", "verify", backup, "--json", *coffer.secret()).json["backup"]
    assert proven["proven"] is True and proven["records"] == 0


def test_verify_needs_no_vault(backup, other):
    before = backup.read_bytes()
    verify(other, backup)
    assert not other.vault.exists() and backup.read_bytes() == before


def test_unlocked_vault_proves_its_backup(coffer, backup):
    coffer.run("unlock", *coffer.secret())
    assert coffer.run("backup", "verify", backup, "--json").json["backup"]["proven"] is True


def test_every_method_of_the_vault_opens_the_backup(coffer, backup):
    for secret in (coffer.passphrase, coffer.recovery):
        coffer.run("backup", "verify", backup, "--passphrase-file", secret)


def test_wrong_passphrase_is_told_from_damage(coffer, backup, place):
    (place / "wrong").write_text("not the right one at all\n")
    refused = coffer.run("backup", "verify", backup, "--passphrase-file", place / "wrong",
                         expect=WRONG_KEY)
    assert "wrong passphrase" in refused.err and "/proc/" not in refused.err


def test_flipped_byte_is_found_by_anybody(coffer, large):
    data = large.read_bytes()
    edges = borders(data)
    for at in (0, 8, 9, 25, 44, 52, 60, 64, 65, edges[0] - 1, edges[0], edges[0] + 4, edges[1] - 1,
               edges[-1] - 1, edges[-1], len(data) - 1):
        large.write_bytes(flipped(data, at))
        coffer.run("backup", "verify", large, expect=DAMAGED)


def test_flipped_byte_with_a_new_checksum_is_found_with_the_secret(coffer, large):
    data = large.read_bytes()[:-32]
    edges = borders(data + bytes(32))
    places = [9, 25, 44, 52, 60, 65, 77, edges[0] // 2, edges[0] - 1]
    for begin, end in zip(edges, edges[1:]):
        places += [begin, (begin + end) // 2, end - 1]
    for at in places:
        large.write_bytes(with_checksum(flipped(data, at)))
        found = verify(coffer, large, expect=(DAMAGED, WRONG_KEY))
        # Where the keyslot itself is spoilt, no secret opens anything.
        assert found.status == DAMAGED or at < edges[0], f"byte {at}\n{found}"


def test_cut_or_longer_file_is_found(coffer, large):
    data = large.read_bytes()
    for end in (0, 8, HEAD_BYTES, HEAD_BYTES + 10, *borders(data), len(data) - 1):
        for kept in (data[:end], with_checksum(data[:end])):
            if kept == data:
                continue
            large.write_bytes(kept)
            coffer.run("backup", "verify", large, expect=DAMAGED)
            verify(coffer, large, expect=DAMAGED)
    for longer in (data + b"\0", data + data, with_checksum(data)):
        large.write_bytes(longer)
        coffer.run("backup", "verify", large, expect=DAMAGED)


def test_moved_doubled_or_left_out_chunk_is_found(coffer, large):
    data = large.read_bytes()
    edges = borders(data)
    chunks = [data[a:b] for a, b in zip(edges, edges[1:])]
    head = data[:edges[0]]
    assert len(chunks) >= 2
    swapped = [chunks[1], chunks[0], *chunks[2:]]
    for wrong, told in ((chunks[1:], "does not open"), (chunks[:-1], "is not good"),
                        ([chunks[0], *chunks], "does not open"), (swapped, "does not open")):
        large.write_bytes(with_checksum(head + b"".join(wrong)))
        assert told in verify(coffer, large, expect=DAMAGED).err


def test_chunks_of_two_backups_of_one_vault_do_not_mix(coffer, large, place):
    create(coffer, place / "w.backup")
    first, second = large.read_bytes()[:-32], (place / "w.backup").read_bytes()[:-32]
    one, two = borders(first + bytes(32)), borders(second + bytes(32))
    for mixed in (first[:one[1]] + second[two[1]:], first[:one[0]] + second[two[0]:],
                  second[:two[-2]] + first[one[-2]:]):
        large.write_bytes(with_checksum(mixed))
        assert "altered" in verify(coffer, large, expect=DAMAGED).err


def test_header_of_another_vault_opens_nothing(coffer, backup, place):
    stranger = rig.Coffer(place / "stranger")
    stranger.passphrase.write_text("somebody else's passphrase\n")
    stranger.init()
    create(stranger, place / "s.backup")
    verify(coffer, place / "s.backup", expect=WRONG_KEY)
    own, theirs = backup.read_bytes()[:-32], (place / "s.backup").read_bytes()[:-32]
    swapped = own[:61] + theirs[61:borders(theirs + bytes(32))[0]] + own[borders(
        own + bytes(32))[0]:]
    backup.write_bytes(with_checksum(swapped))
    verify(stranger, backup, expect=DAMAGED)


def test_what_is_no_backup_is_said_to_be_none(coffer, place):
    (place / "none").write_text("a letter")
    assert "no backup" in coffer.run("backup", "verify", place / "none", expect=DAMAGED).err
    coffer.run("backup", "verify", coffer.vault / "root.luks", expect=DAMAGED)
    coffer.run("backup", "verify", place / "missing", expect=NO_DEVICE)
    coffer.run("backup", "verify", place, expect=DAMAGED)


# ---- restore ----

def test_restored_vault_opens_the_disk_with_its_data(coffer, place, disk, other):
    data = b"what must not be lost" * 200
    device = coffer.format(disk).disks[0]["device"]
    with open(device, "r+b") as plain:
        plain.write(data)
        os.fsync(plain.fileno())
    coffer.close(disk)
    create(coffer, place / "v.backup")
    restore(other, place / "v.backup")
    with open(other.open(disk).disks[0]["device"], "rb") as plain:
        assert plain.read(len(data)) == data
    other.close(disk)
    checked = other.run("status", "--check", "--json", *other.secret())
    assert checked.json["vault"]["records_checked"] == 2
    other.run("audit", "--verify", *other.secret())


def test_older_secrets_open_a_backup_of_before_a_change(coffer, backup, other, place):
    (place / "new").write_text("a new long passphrase\n")
    coffer.run("passwd", "--passphrase-file", coffer.passphrase, "--new-passphrase-file",
               place / "new")
    other.run("backup", "restore", backup, "--passphrase-file", coffer.passphrase)
    other.run("key", "list", "--passphrase-file", place / "new", expect=WRONG_KEY)


def test_backup_of_before_a_revocation_opens_with_the_secret_of_then(coffer, backup, other, place):
    (place / "new").write_text("a new long passphrase\n")
    uuid = coffer.run("status", "--json").json["vault"]["uuid"]
    coffer.run("revoke", "--passphrase-file", coffer.passphrase, "--new-passphrase-file",
               place / "new", "--recovery-out", place / "new-recovery", "--yes-destroy", uuid)
    coffer.run("unlock", "--passphrase-file", place / "new")
    assert coffer.run("backup", "verify", backup, "--json").json["backup"]["proven"] is False
    coffer.run("backup", "verify", backup, "--passphrase-file", place / "new", expect=WRONG_KEY)
    restore(other, backup)
    other.run("key", "list", *other.secret())
    restore(coffer, backup, expect=REFUSED)


def test_existing_vault_is_not_touched(coffer, backup, place):
    second = rig.Coffer(place / "second")
    second.passphrase.write_text("another vault is here\n")
    second.init()
    before = (second.vault / "vault.db").read_bytes()
    refused = second.run("backup", "restore", backup, "--passphrase-file", coffer.recovery,
                         expect=REFUSED)
    assert "mv " in refused.err
    (second.vault / "root.luks").write_bytes(b"not a header")
    second.run("backup", "restore", backup, "--passphrase-file", coffer.recovery, expect=REFUSED)
    assert (second.vault / "root.luks").read_bytes() == b"not a header"
    assert (second.vault / "vault.db").read_bytes() == before


def test_vault_that_went_on_since_is_not_put_back(coffer, backup, disk):
    coffer.format(disk)
    coffer.close(disk)
    before = (coffer.vault / "vault.db").read_bytes()
    restore(coffer, backup, expect=REFUSED)
    os.rename(coffer.vault / "root.luks", coffer.vault / "lost")
    restore(coffer, backup, expect=REFUSED)
    assert (coffer.vault / "vault.db").read_bytes() == before


def test_damaged_header_of_the_same_vault_is_told(coffer, backup):
    (coffer.vault / "root.luks").write_bytes(bytes(4096))
    assert "--header-only" in restore(coffer, backup, expect=DAMAGED).err


def test_secret_is_asked_for_on_a_terminal_and_may_be_mistyped(coffer, backup, other):
    with rig.Dialogue(other, "backup", "restore", backup) as dialogue:
        dialogue.wait_for(f"recovery key of {backup}")
        os.write(dialogue.master, b"not the right one\n")
        dialogue.wait_for("wrong passphrase")
        dialogue.said = dialogue.said.split("wrong passphrase")[-1]
        dialogue.wait_for(f"recovery key of {backup}")
        assert dialogue.answer(coffer.recovery.read_text().strip()) == rig.DONE
    other.run("key", "list", *other.secret())


def test_wrong_secret_makes_nothing(backup, other, place):
    (place / "wrong").write_text("not the right one at all\n")
    other.run("backup", "restore", backup, "--passphrase-file", place / "wrong", expect=WRONG_KEY)
    assert not other.vault.exists()


def test_damaged_backup_makes_nothing(backup, other):
    data = backup.read_bytes()[:-32]
    backup.write_bytes(with_checksum(flipped(data, len(data) - 20)))
    restore(other, backup, expect=DAMAGED)
    assert not other.vault.exists()


def test_restore_again_says_that_it_is_done(backup, other):
    restore(other, backup)
    files = [other.vault / name for name in ("root.luks", "vault.db", "vault.mark", "audit.log")]
    before = [file.read_bytes() for file in files]
    assert "at this revision already, nothing to restore" in restore(other, backup).out
    assert [file.read_bytes() for file in files] == before


def test_newer_vault_is_not_replaced_and_both_revisions_are_named(coffer, backup, disk):
    coffer.format(disk)
    coffer.close(disk)
    now = coffer.run("status", "--json").json["vault"]["revision"]
    refused = " ".join(restore(coffer, backup, expect=REFUSED).err.split())
    assert f"is newer than the backup: epoch 1, revision {now} against epoch 1" in refused


def test_dry_run_restores_nothing(backup, other):
    assert "Would" in restore(other, backup, "--dry-run").out
    assert not other.vault.exists()


def test_restore_needs_a_file_or_the_header(coffer, backup):
    assert "FILE" in coffer.run("backup", "restore", expect=USAGE).err
    coffer.run("backup", "restore", "--header-only", backup, expect=USAGE)


def test_audit_log_of_another_vault_is_set_aside(backup, other):
    other.vault.mkdir(parents=True)
    (other.vault / "audit.log").write_text('{"seq":1,"event":"audit.begin"}\n')
    restore(other, backup)
    assert list(other.vault.glob("audit.log.old-*"))
    other.run("audit", "--verify", *other.secret())


def test_configuration_comes_back_and_mirrors_that_are_away_are_told(coffer, place, other):
    config = coffer.root / "etc/coffer/coffer.conf"
    config.parent.mkdir()
    config.write_text(f"mirror = {place}/stick\nmirror = {place}/share\n")
    (place / "stick").mkdir()
    create(coffer, place / "v.backup", expect=None)
    told = restore(other, place / "v.backup")
    assert (other.root / "etc/coffer/coffer.conf").read_text() == config.read_text()
    assert f"{place}/share is away" in told.err
    again = restore(other, place / "v.backup", "--json")
    assert again.json["config"] == "same" and again.json["changed"] is False


def test_configuration_below_the_present_folder_is_nobodys(coffer, backup, place):
    (place / "etc/coffer").mkdir(parents=True)
    (place / "etc/coffer/coffer.conf").write_text(f"mirror = {place}/mirror\n")
    (place / "mirror").mkdir()
    subprocess.run([rig.PROGRAM, "--vault", place / "elsewhere", "backup", "restore", backup,
                    *coffer.secret()], cwd=place, check=True, capture_output=True)
    assert (place / "elsewhere/vault.mark").exists() and not list((place / "mirror").iterdir())


def test_other_configuration_stays(coffer, backup, other, place):
    config = coffer.root / "etc/coffer/coffer.conf"
    config.parent.mkdir()
    config.write_text("# of the old machine\n")
    create(coffer, backup, "--force")
    kept = other.root / "etc/coffer/coffer.conf"
    kept.parent.mkdir()
    kept.write_text("# of the new machine\n")
    assert "stays" in restore(other, backup).err
    assert kept.read_text() == "# of the new machine\n"
    assert (kept.parent / "coffer.conf.restored").read_text() == "# of the old machine\n"


def test_newer_mirror_is_told_and_asks_for_a_decision(coffer, disk, place, other):
    (place / "mirror").mkdir()
    config = coffer.root / "etc/coffer/coffer.conf"
    config.parent.mkdir()
    config.write_text(f"mirror = {place}/mirror\n")
    create(coffer, place / "v.backup")
    coffer.format(disk)
    coffer.close(disk)
    told = restore(other, place / "v.backup")
    assert str(place / "mirror") in told.err and "warning" in told.err
    other.run("key", "list", *other.secret(), expect=DAMAGED)
    other.run("unlock", "--accept-older", *other.secret())
    other.run("lock")


# ---- what is remembered ----

def test_status_knows_the_last_backup_and_what_changed_since(coffer, disk, place):
    assert coffer.run("status", "--json").json["backup"] is None
    assert "never" in coffer.run("status").out
    create(coffer, place / "v.backup")
    fresh = coffer.run("status", "--json").json["backup"]
    assert fresh["changes_since"] == 0 and fresh["file"] == str(place / "v.backup")
    coffer.format(disk)
    coffer.close(disk)
    assert coffer.run("status", "--json").json["backup"]["changes_since"] > 0
    assert "since" in coffer.run("status").out


def test_lock_and_unlock_are_no_changes_that_a_backup_lacks(coffer, disk, place):
    coffer.format(disk)
    coffer.close(disk)
    create(coffer, place / "v.backup")
    for _ in range(2):
        coffer.run("lock")
        coffer.run("unlock", *coffer.secret())
    kept = coffer.run("status", "--json").json["backup"]
    assert (kept["changes_since"], kept["methods_changed"]) == (0, False)


def test_backup_of_before_a_change_of_the_unlock_methods_is_told(coffer, disk, place):
    coffer.format(disk)
    coffer.close(disk)
    create(coffer, place / "v.backup")
    new = place / "new"
    new.write_text("another of many words\n")
    coffer.run("passwd", "--new-passphrase-file", new, "--passphrase-file", coffer.passphrase)
    coffer.run("lock")
    document = coffer.run("status", "--json").json
    assert (document["backup"]["changes_since"], document["backup"]["methods_changed"]) == (0, True)
    assert any("unlock methods were changed" in text for text in document["warnings"])
    coffer.run("backup", "create", place / "2.backup", "--passphrase-file", new)
    assert not coffer.run("status", "--json").json["backup"]["methods_changed"]


def test_removed_record_is_a_change_that_a_backup_lacks(coffer, make_disk, place):
    disk = make_disk()
    coffer.format(disk)
    coffer.close(disk)
    create(coffer, place / "v.backup")
    coffer.run("disk", "destroy", disk, "--yes-destroy", disk, *coffer.secret())
    assert coffer.run("status", "--json").json["backup"]["changes_since"] > 0


def lacking(coffer):
    return [text for text in coffer.run("status", "--json").json["warnings"]
            if "the last backup lacks" in text]


def test_change_of_keys_says_that_the_last_backup_is_older(coffer, disk, place):
    older = "the last backup is from before this change"

    def told(*words):
        return " ".join(coffer.run(*words, *coffer.secret()).err.split())

    coffer.format(disk)
    coffer.close(disk)
    assert older not in told("key", "rotate", disk.volume)
    create(coffer, place / "v.backup")
    assert lacking(coffer) == []
    assert older not in told("key", "rotate", disk.volume, "--dry-run")
    assert older in told("key", "rotate", disk.volume)
    assert len(lacking(coffer)) == 1
    assert older in told("disk", "destroy", disk, "--yes-destroy", disk)
    new = place / "new"
    new.write_text("another of many words\n")
    uuid = coffer.run("status", "--json").json["vault"]["uuid"]
    assert older in told("revoke", "--new-passphrase-file", new, "--recovery-out",
                         place / "recovery2", "--yes-destroy", uuid)


def test_audit_log_has_backup_and_restore(coffer, backup, other):
    restore(other, backup)
    log = (other.vault / "audit.log").read_text()
    assert '"event":"backup.restore"' in log
    assert '"event":"backup.create"' in (coffer.vault / "audit.log").read_text()
