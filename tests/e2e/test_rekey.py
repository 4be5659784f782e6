# SPDX-License-Identifier: LGPL-2.1-or-later
"""disk rekey: the same data under another volume key, and the same key in the vault."""

import random
import signal

import pytest

import rig
from rig import DONE, MIB, mounted, tool, tree_digest
from test_change_crash import kill_after, own_points
from test_crash import SHARE, record_count
from test_encrypt import check_tree, kinds, make_tree, reads_elsewhere

SMALL_MIB = 48


@pytest.fixture
def make_used(coffer, make_disk, place):
    """Disks of the vault with a file system on them."""
    def make():
        disk = make_disk(SMALL_MIB)
        device = coffer.format(disk, options=["--no-crypttab"]).disks[0]["device"]
        tool("mkfs.ext4", "-q", device)
        with mounted(device, place / "mnt") as folder:
            make_tree(folder)
            disk.tree = tree_digest(folder)
        coffer.close(disk.volume)
        return disk
    return make


@pytest.fixture
def used(make_used):
    return make_used()


def rekey(coffer, disk, *options, **more):
    return coffer.run("disk", "rekey", disk, *options, *coffer.secret(), **more)


def volume_key(coffer, disk):
    """As cryptsetup shows it."""
    out = coffer.folder / "key"
    out.unlink(missing_ok=True)
    coffer.run("key", "export", f"disk/{disk.volume}", "--out", out, *coffer.secret())
    return tool("cryptsetup", "luksDump", "--dump-volume-key", "--batch-mode", "--key-file", out,
                disk).stdout.split("MK dump:")[1]


def test_rekey_changes_the_volume_key_and_no_data(coffer, used, place):
    before = volume_key(coffer, used)
    ciphertext = used.file.read_bytes()[17 * MIB:18 * MIB]
    done = rekey(coffer, used, "--json").disks[0]
    assert done["changed"] and done["state"] == "closed"
    assert volume_key(coffer, used) != before
    assert used.file.read_bytes()[17 * MIB:18 * MIB] != ciphertext
    check_tree(coffer, used, place)
    reads_elsewhere(coffer, used)
    assert sorted(kinds(coffer)) == ["disk", "disk-header"]


def test_old_copies_of_the_header_are_refused_afterwards(coffer, used):
    rekey(coffer, used)
    refused = coffer.run("disk", "header", "restore", used.volume, "--generation", "1", "--force",
                         *coffer.secret(), expect=rig.REFUSED)
    assert "another volume key than the data" in refused.err


def test_rekey_dry_run_changes_nothing(coffer, used):
    before = used.digest()
    assert "make a new volume key" in rekey(coffer, used, "--dry-run").out
    assert used.digest() == before


def test_rekey_refuses_other_keyslots(coffer, used, place):
    other = place / "other.key"
    other.write_text("somebody else's")
    out = coffer.folder / "key"
    coffer.run("key", "export", f"disk/{used.volume}", "--out", out, *coffer.secret())
    tool("cryptsetup", "luksAddKey", "-q", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000",
         "--key-file", out, used, other)
    before = used.digest()
    refused = rekey(coffer, used, expect=rig.REFUSED)
    assert "has 2 keyslots" in refused.err and "--only" in refused.err
    assert used.digest() == before


@pytest.mark.skipif(rig.has_device_mapper(), reason="dm-crypt changes open disks")
def test_rekey_refuses_a_disk_that_is_open_without_dm_crypt(coffer, used):
    coffer.open(used.volume)
    refused = rekey(coffer, used, expect=rig.REFUSED)
    assert "is open without dm-crypt" in refused.err and "disk close" in refused.err


@pytest.mark.guest
@pytest.mark.skipif(not rig.has_device_mapper(), reason="needs dm-crypt")
def test_rekey_while_mounted(coffer, used, place):
    before = volume_key(coffer, used)
    device = coffer.open(used.volume).disks[0]["device"]
    with mounted(device, place / "mnt") as folder:
        rekey(coffer, used)
        (folder / "late").write_text("written afterwards")
        used.tree = tree_digest(folder)
    coffer.close(used.volume)
    assert volume_key(coffer, used) != before
    check_tree(coffer, used, place)


def test_rekey_refuses_what_the_vault_does_not_know(coffer, make_disk):
    assert rekey(coffer, make_disk(), expect=rig.NO_DEVICE).err


def test_a_disk_in_the_middle_of_rekeying_is_refused_by_other_verbs(coffer, used, place):
    assert rekey(coffer, used, fault="kill:rekey/copied-first", expect=None).status == \
        -signal.SIGKILL
    for words in (["disk", "open", used.volume], ["key", "rotate", used.volume],
                  ["disk", "encrypt", used], ["disk", "destroy", used.volume]):
        refused = coffer.run(*words, *coffer.secret(), expect=rig.REFUSED)
        assert f"coffer disk rekey {used.volume}" in refused.err
    assert f"coffer disk rekey {used.volume}" in coffer.run("disk", "status", *coffer.secret()).out
    assert rekey(coffer, used.volume).status == DONE
    check_tree(coffer, used, place)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_rekey_converges_after_a_stop_at_any_point(coffer, make_used, place, record_property,
                                                   fault):
    disk = make_used()
    points = own_points(rekey(coffer, disk, fault="list"))
    for number in points:
        before = volume_key(coffer, disk)
        first = rekey(coffer, disk, fault=f"{fault}:#{number}", expect=None)
        assert first.status in (-signal.SIGKILL, rig.FAILED, DONE), str(first)
        rekey(coffer, disk)
        assert volume_key(coffer, disk) != before
        check_tree(coffer, disk, place)
        reads_elsewhere(coffer, disk)
        assert sorted(kinds(coffer)) == ["disk", "disk-header"]
    record_count(record_property, f"rekey {fault}", len(points))


@pytest.mark.slow
def test_rekey_converges_after_kills_at_random_moments(coffer, used, place, record_property):
    rounds = max(3, 24 // SHARE)
    moments = random.Random(rounds)
    killed = 0
    for _ in range(rounds):
        killed += kill_after(coffer.start("disk", "rekey", used, *coffer.secret()),
                             moments.uniform(0.02, 0.4))
    rekey(coffer, used)
    check_tree(coffer, used, place)
    reads_elsewhere(coffer, used)
    record_count(record_property, "rekey, killed at random moments", killed)
