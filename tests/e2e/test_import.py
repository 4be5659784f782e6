# SPDX-License-Identifier: LGPL-2.1-or-later
"""`import quantastor`: disks that qs-util has encrypted, into the vault, back, and done."""

import os
import signal

import pytest

import rig
from rig import DONE, FAILED, NO_DEVICE, REFUSED, USAGE, tool
from test_adopt import CHEAP, opens, slots, stored_key
from test_crash import chosen, points_of, record_count
from test_rotate import kinds

SWAP = "swap\t/dev/disk/by-id/scsi-SATA_ST32000641AS_9WM288LS-part5\t/dev/urandom\t" \
       "swap,cipher=aes-cbc-essiv:sha256,size=256\n"


class Cryptconf:
    """/etc/cryptconf and crypttab as qs-util leaves them."""

    def __init__(self, coffer, folder):
        self.coffer, self.folder = coffer, folder
        self.keys, self.headers = folder / "keys", folder / "headers"
        self.keys.mkdir(parents=True, mode=0o700)
        self.headers.mkdir(mode=0o700)
        coffer.crypttab.write_text(
            "# <target name> <source device>         <key file>      <options>\n" + SWAP)

    def key(self, disk):
        return self.keys / f"{disk.volume}.key"

    def header(self, disk):
        return self.headers / f"{disk.volume}.header"

    def cryptformat(self, disk, line=True, kind="luks1"):
        """A key of 1 MiB, luksFormat, a backup of the header, and a line."""
        self.key(disk).write_bytes(os.urandom(1 << 20))
        self.key(disk).chmod(0o400)
        cheap = CHEAP if kind == "luks2" else ("--pbkdf-force-iterations", "1000")
        tool("cryptsetup", "luksFormat", "-q", "--type", kind, *cheap, disk, self.key(disk))
        tool("cryptsetup", "luksHeaderBackup", disk, "--header-backup-file", self.header(disk))
        if line:
            with open(self.coffer.crypttab, "a", encoding="ascii") as table:
                table.write(f"{disk.volume}      {disk}  {self.key(disk)}      luks\n")
        return disk

    def run(self, *options, **more):
        return self.coffer.run("import", "quantastor", self.folder, "--json", *options,
                               *self.coffer.secret(), **more)

    def done(self, **more):
        return self.run("--done", "--yes-destroy", self.folder, **more)


@pytest.fixture
def cryptconf(coffer, place):
    return Cryptconf(coffer, place / "cryptconf")


def key_fields(coffer):
    lines = [line.split() for line in coffer.crypttab.read_text().splitlines()]
    return {line[0]: line[2] for line in lines if line[0] != "#"}


@pytest.mark.parametrize("kind", ["luks1", "luks2"])
def test_disks_open_with_the_vault_and_nothing_old_is_gone(coffer, cryptconf, make_disk, kind):
    disks = [cryptconf.cryptformat(make_disk(), kind=kind) for _ in range(2)]
    before = [disk.digest() for disk in disks]
    tree = rig.tree_digest(cryptconf.folder)
    found = cryptconf.run().disks
    assert [entry["name"] for entry in found] == sorted(disk.volume for disk in disks)
    assert all(entry["changed"] for entry in found)
    due = coffer.run("doctor", "--json", *coffer.secret(), expect=None).json["findings"]
    assert f"coffer import quantastor {cryptconf.folder} --done" in \
        [entry["remedy"] for entry in due if entry["severity"] == "advice"]
    assert [disk.digest() for disk in disks] == before, "an import wrote to a disk"
    assert rig.tree_digest(cryptconf.folder) == tree
    fields = key_fields(coffer)
    assert all(fields[disk.volume].endswith("keys.sock") for disk in disks)
    assert SWAP in coffer.crypttab.read_text()
    for disk in disks:
        assert stored_key(coffer, disk.volume).read_bytes() == cryptconf.key(disk).read_bytes()
    assert kinds(coffer) == ["disk", "disk", "disk-header", "disk-header",
                             "disk-import", "disk-import"]
    coffer.open(*disks)
    again = cryptconf.run().disks
    assert not any(entry["changed"] for entry in again)


def test_dry_run_shows_each_key_and_changes_nothing(coffer, cryptconf, disk):
    cryptconf.cryptformat(disk)
    before = coffer.crypttab.read_bytes()
    shown = coffer.run("import", "quantastor", cryptconf.folder, "--dry-run", *coffer.secret())
    assert f"{cryptconf.key(disk)} opens {disk}:" in shown.out
    assert coffer.crypttab.read_bytes() == before and kinds(coffer) == []


def test_undo_brings_everything_back(coffer, cryptconf, make_disk):
    disks = [cryptconf.cryptformat(make_disk()) for _ in range(2)]
    before = coffer.crypttab.read_bytes(), rig.tree_digest(cryptconf.folder)
    cryptconf.run()
    cryptconf.run("--undo", "--dry-run")
    assert len(kinds(coffer)) == 6
    undone = cryptconf.run("--undo").disks
    assert [entry["changed"] for entry in undone] == [True, True]
    assert (coffer.crypttab.read_bytes(), rig.tree_digest(cryptconf.folder)) == before
    assert kinds(coffer) == []
    assert all(opens(disk, cryptconf.key(disk)) for disk in disks)
    assert cryptconf.run("--undo").disks == []
    cryptconf.run()


def test_done_removes_what_is_old(coffer, cryptconf, disk):
    cryptconf.cryptformat(disk)
    cryptconf.run()
    os.link(cryptconf.key(disk), coffer.folder / "same bytes")
    cryptconf.run("--done", expect=REFUSED)
    cryptconf.done()
    assert not cryptconf.folder.exists()
    assert set((coffer.folder / "same bytes").read_bytes()) == {0}
    assert opens(disk, stored_key(coffer, disk.volume))
    assert kinds(coffer) == ["disk", "disk-header", "disk-import"]
    coffer.open(disk)
    assert cryptconf.run("--undo").disks == []
    assert cryptconf.done().disks == []


def test_device_without_a_line_is_found(coffer, cryptconf, make_disk):
    by_header, by_trial = make_disk(), make_disk()
    cryptconf.cryptformat(by_header, line=False)
    cryptconf.cryptformat(by_trial, line=False)
    cryptconf.header(by_trial).unlink()
    found = cryptconf.run().disks
    assert {entry["source"] for entry in found} == {str(by_header), str(by_trial)}
    cryptconf.run("--undo")
    assert "enc-" not in coffer.crypttab.read_text()


def test_line_with_another_name_keeps_it(coffer, cryptconf, disk):
    cryptconf.cryptformat(disk, line=False)
    with open(coffer.crypttab, "a", encoding="ascii") as table:
        table.write(f"data{os.getpid()} {disk} {cryptconf.key(disk)} luks,discard\n")
    assert cryptconf.run().disks[0]["name"] == f"data{os.getpid()}"
    assert "luks,discard,nofail" in coffer.crypttab.read_text()


def test_key_that_opens_nothing_stays_and_is_named(coffer, cryptconf, make_disk):
    good, away = cryptconf.cryptformat(make_disk()), cryptconf.cryptformat(make_disk())
    node = away.node
    away.detach()
    found = cryptconf.run(expect=NO_DEVICE).disks
    states = {entry["name"]: entry for entry in found}
    assert states[good.volume]["changed"]
    assert "opens no LUKS device" in states[away.volume]["error"]["text"]
    cryptconf.done()
    assert cryptconf.key(away).exists() and not cryptconf.key(good).exists()
    away.attach()
    # A loop device has no name that stays.
    coffer.crypttab.write_text(coffer.crypttab.read_text().replace(
        f"{away.volume}      {node} ", f"{away.volume}      {away} "))
    cryptconf.run()
    assert kinds(coffer).count("disk") == 2


def test_wrong_key_file_is_told(coffer, cryptconf, disk):
    cryptconf.cryptformat(disk)
    cryptconf.key(disk).chmod(0o600)
    cryptconf.key(disk).write_text("something else")
    refused = cryptconf.run(expect=NO_DEVICE).disks[0]["error"]
    assert refused["subject"] == str(cryptconf.key(disk))
    assert kinds(coffer) == []


def test_empty_key_file_is_told(cryptconf, disk):
    cryptconf.cryptformat(disk)
    cryptconf.key(disk).chmod(0o600)
    cryptconf.key(disk).write_text("")
    cryptconf.run(expect=USAGE)


def test_file_that_is_no_header_stays(cryptconf, disk):
    cryptconf.cryptformat(disk)
    cryptconf.header(disk).chmod(0o600)
    cryptconf.header(disk).write_text("no header")
    assert "is no copy of a header and stays" in cryptconf.run().disks[0]["note"]
    cryptconf.done()
    assert cryptconf.header(disk).exists() and not cryptconf.key(disk).exists()


def test_older_copy_of_the_header_is_in_the_vault(coffer, cryptconf, disk, place):
    cryptconf.cryptformat(disk)
    cryptconf.run()
    cryptconf.done()
    coffer.run("key", "export", f"disk-import/{disk.volume}", "--out", place / "copy",
               *coffer.secret())
    assert (place / "copy").stat().st_size > 4096


def test_disk_that_came_otherwise_is_not_undone(coffer, cryptconf, disk):
    cryptconf.cryptformat(disk)
    coffer.run("disk", "adopt", disk, "--key-file", cryptconf.key(disk),
               "--vault-passphrase-file", coffer.recovery)
    found = cryptconf.run(expect=(DONE, REFUSED)).disks[0]
    assert not found["changed"]
    assert cryptconf.run("--undo").disks == []
    assert kinds(coffer) == ["disk", "disk-header"]


def test_open_disk_is_imported(coffer, cryptconf, disk):
    cryptconf.cryptformat(disk)
    plain = coffer.run("disk", "open", disk, "--key-file", cryptconf.key(disk), "--name",
                       disk.volume, "--json").disks[0]["device"]
    cryptconf.run()
    assert rig.is_block_device(plain)
    coffer.close(disk)


# ---- refusals of both ends ----

def test_undo_needs_the_key_file(coffer, cryptconf, disk):
    cryptconf.cryptformat(disk)
    cryptconf.run()
    cryptconf.key(disk).unlink()
    refused = cryptconf.run("--undo", expect=NO_DEVICE).disks[0]["error"]
    assert "the vault keeps the key" in refused["headline"]
    assert kinds(coffer) == ["disk", "disk-header", "disk-import"]


def test_undo_after_a_rotation_is_refused(coffer, cryptconf, disk):
    cryptconf.cryptformat(disk, kind="luks2")
    cryptconf.run()
    coffer.run("key", "rotate", disk.volume, *coffer.secret())
    refused = cryptconf.run("--undo", expect=REFUSED).disks[0]["error"]
    assert "has a new key since" in refused["text"]
    cryptconf.done()
    assert len(slots(disk)) == 1 and opens(disk, stored_key(coffer, disk.volume))


def test_undo_of_a_relocated_key_is_refused(coffer, cryptconf, disk, place):
    cryptconf.cryptformat(disk)
    cryptconf.run()
    (place / "keys").mkdir(mode=0o700)
    coffer.run("key", "relocate", disk.volume, "--to", place / "keys", *coffer.secret())
    refused = cryptconf.run("--undo", expect=REFUSED).disks[0]["error"]
    assert refused["remedy"] == f"coffer key relocate {disk.volume} --to vault"


def test_done_keeps_the_key_of_an_absent_disk(coffer, cryptconf, disk):
    cryptconf.cryptformat(disk)
    cryptconf.run()
    disk.detach()
    cryptconf.done(expect=NO_DEVICE)
    assert cryptconf.key(disk).exists()


def test_done_keeps_a_key_that_crypttab_names(coffer, cryptconf, disk):
    cryptconf.cryptformat(disk)
    before = coffer.crypttab.read_text()
    cryptconf.run()
    coffer.crypttab.write_text(before)
    refused = cryptconf.done(expect=REFUSED).disks[0]["error"]
    assert "is named in line" in refused["text"] and cryptconf.key(disk).exists()


def test_missing_folder_is_told(coffer, place):
    coffer.run("import", "quantastor", place / "none", *coffer.secret(), expect=NO_DEVICE)
    coffer.run("import", "quantastor", "none", *coffer.secret(), expect=USAGE)
    told = coffer.run("import", "quantastor", *coffer.secret(), expect=NO_DEVICE)
    assert f"{coffer.root}/etc/cryptconf/keys" in told.err


def test_folder_that_is_not_mounted_is_told(coffer, cryptconf):
    (coffer.root / "etc/fstab").write_text(f"LABEL=keys {cryptconf.folder} ext4 ro 0 0\n")
    assert "nothing is mounted at" in cryptconf.run(expect=NO_DEVICE).json["error"]["text"]


def test_undo_and_done_exclude_each_other(cryptconf):
    cryptconf.run("--undo", "--done", expect=USAGE)


def test_destroyed_disk_takes_its_import_along(coffer, cryptconf, disk):
    cryptconf.cryptformat(disk)
    cryptconf.run()
    coffer.run("disk", "destroy", disk, "--yes-destroy", disk, *coffer.secret())
    assert kinds(coffer) == []


# ---- crashes ----

@pytest.mark.slow
@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_import_converges_after_a_stop_at_any_point(coffer, cryptconf, disk, record_property,
                                                    fault):
    cryptconf.cryptformat(disk)
    key, before = cryptconf.key(disk).read_bytes(), coffer.crypttab.read_bytes()
    rounds = 0

    def stop(options, number):
        """Up to a point and once more to the end; the old key opens the disk throughout."""
        first = cryptconf.run(*options, fault=f"{fault}:#{number}", expect=None)
        assert first.status in (-signal.SIGKILL, FAILED, DONE), first
        assert cryptconf.key(disk).read_bytes() == key
        cryptconf.run(*options)
    points = points_of(cryptconf.run(fault="list"))
    undoing = points_of(cryptconf.run("--undo", fault="list"))
    for number in chosen(points):
        stop((), number)
        assert key_fields(coffer)[disk.volume].endswith("keys.sock")
        stop(("--undo",), 1 + rounds % len(undoing))
        assert coffer.crypttab.read_bytes() == before and kinds(coffer) == []
        rounds += 1
    for number in chosen(undoing):
        cryptconf.run()
        stop(("--undo",), number)
        assert coffer.crypttab.read_bytes() == before and kinds(coffer) == []
        rounds += 1
    record_count(record_property, "import", rounds)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_done_converges_after_a_stop_at_any_point(coffer, cryptconf, make_disk, record_property,
                                                  fault):
    def imported():
        cryptconf.keys.mkdir(parents=True, exist_ok=True)
        cryptconf.headers.mkdir(exist_ok=True)
        coffer.crypttab.write_text(SWAP)  # no line of a disk that is gone
        disk = cryptconf.cryptformat(make_disk())
        cryptconf.run()
        return disk
    imported()
    points = points_of(cryptconf.done(fault="list"))
    for number in chosen(points):
        disk = imported()
        first = cryptconf.done(fault=f"{fault}:#{number}", expect=None)
        assert first.status in (-signal.SIGKILL, FAILED, DONE), first
        assert opens(disk, stored_key(coffer, disk.volume))
        cryptconf.done()
        assert not cryptconf.folder.exists(), f"after {points[number - 1]}"
        disk.detach()
    record_count(record_property, "import --done", len(chosen(points)))
