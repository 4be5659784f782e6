# SPDX-License-Identifier: LGPL-2.1-or-later
"""disk encrypt: a file system with a known tree becomes an encrypted disk, and keeps every byte."""

import hashlib
import json
import os
import pathlib
import signal

import pytest

import rig
from rig import DONE, MIB, mounted, tool, tree_digest

SMALL_MIB = 80  # a header, room for one, and data of some steps
FREE_MIB = 32  # that encrypting needs at the end of a device
NEEDLE = b"a line that is nowhere else on this machine\n"
pytestmark = pytest.mark.xdist_group("encrypt")


def make_tree(folder):
    """Files of many sizes, and one that most of the steps move."""
    for number in range(24):
        below = folder / f"d{number % 3}"
        below.mkdir(exist_ok=True)
        (below / f"file{number}").write_bytes(hashlib.sha256(bytes([number])).digest() * number**2)
    (folder / "large").write_bytes(os.urandom(12 * MIB) + NEEDLE * 100)


def make_ext4(node, size_mib, *options):
    tool("mkfs.ext4", "-q", "-F", "-b", "4096", *options, node, f"{size_mib}M")


def make_btrfs(node, size_mib):
    tool("mkfs.btrfs", "-q", "-f", "--mixed", "-b", f"{size_mib}M", node)


def make_xfs(node, size_mib):
    # Smaller than mkfs.xfs takes today; older ones are in use.
    tool("mkfs.xfs", "--unsupported", "-q", "-f", "-d", f"size={size_mib}m", node)


def fill(disk, place):
    """Puts the tree on the file system, and notes it and the volume's content before."""
    with mounted(disk, place / "mnt") as folder:
        make_tree(folder)
        disk.tree = tree_digest(folder)
    return disk


@pytest.fixture(scope="session")
def image(tmp_path_factory):
    """An ext4 with the tree, in a file to copy."""
    folder = tmp_path_factory.mktemp("encrypt")
    disk = rig.Disk(folder, SMALL_MIB)
    make_ext4(disk, SMALL_MIB - FREE_MIB)
    fill(disk, folder)
    disk.detach()
    yield disk
    rig.sweep(folder)


@pytest.fixture
def make_plain(make_disk, image):
    """Devices with that ext4."""
    def make():
        disk = make_disk(SMALL_MIB)
        tool("cp", "--sparse=always", image.file, disk.file)
        disk.detach()
        disk.attach()
        disk.tree = image.tree
        return disk
    return make


@pytest.fixture
def plain(make_plain):
    return make_plain()


def encrypt(coffer, disk, *options, **more):
    return coffer.run("disk", "encrypt", disk, *options, *coffer.secret(), **more)


def check_tree(coffer, disk, place):
    """The volume opens and holds the tree."""
    device = coffer.open(disk.volume).disks[0]["device"]
    with mounted(device, place / "mnt", "-o", "ro") as folder:
        assert tree_digest(folder) == disk.tree
    coffer.close(disk.volume)


def reads_elsewhere(coffer, disk):
    """cryptsetup takes the header and the key as its own, with nothing left to do."""
    out = coffer.folder / "key"
    out.unlink(missing_ok=True)
    coffer.run("key", "export", f"disk/{disk.volume}", "--out", out, *coffer.secret())
    tool("cryptsetup", "open", "--test-passphrase", "--key-file", out, disk)
    assert "reencrypt" not in tool("cryptsetup", "luksDump", disk).stdout


def kinds(coffer):
    return [record["kind"] for record in
            coffer.run("key", "list", "--json", *coffer.secret()).json["keys"]]


def test_encrypt_keeps_the_tree_and_leaves_nothing_plain(coffer, plain, place):
    assert NEEDLE in plain.file.read_bytes()
    done = encrypt(coffer, plain, "--json").disks[0]
    assert done["name"] == plain.volume and done["state"] == "open" and done["changed"]
    coffer.close(plain.volume)
    check_tree(coffer, plain, place)
    reads_elsewhere(coffer, plain)
    content = plain.file.read_bytes()
    assert NEEDLE not in content and b"file10" not in content
    assert tool("blkid", "-p", "-o", "value", "-s", "TYPE", plain).stdout == "crypto_LUKS\n"


def test_encrypt_again_changes_nothing(coffer, plain):
    encrypt(coffer, plain)
    again = encrypt(coffer, plain, "--json").disks[0]
    assert again["state"] == "open" and not again["changed"]
    coffer.close(plain.volume)
    assert "was encrypted already; opened" in encrypt(coffer, plain.volume).out


def test_encrypt_writes_a_line_and_the_audit_log(coffer, plain):
    encrypt(coffer, plain, "--crypttab")
    assert plain.volume in coffer.crypttab.read_text()
    lines = [line for line in coffer.run("audit", "--json", *coffer.secret()).json["lines"]
             if line["event"] == "disk.encrypt"]
    assert [line["result"] for line in lines] == ["started", "done"]
    assert lines[0]["detail"]["holds"] == "ext4"
    coffer.close(plain.volume)


@pytest.mark.parametrize("make", [make_btrfs, make_xfs])
def test_encrypt_takes_other_file_systems(coffer, make_disk, place, make):
    disk = make_disk(SMALL_MIB + FREE_MIB)
    make(disk, SMALL_MIB)
    fill(disk, place)
    encrypt(coffer, disk)
    coffer.close(disk.volume)
    check_tree(coffer, disk, place)


def test_encrypt_uses_small_sectors_for_small_blocks(coffer, make_disk, place):
    disk = make_disk(SMALL_MIB)
    tool("mkfs.ext4", "-q", "-F", "-b", "1024", disk, f"{SMALL_MIB - FREE_MIB}M")
    fill(disk, place)
    refused = encrypt(coffer, disk, "--sector-bytes", "4096", expect=rig.USAGE)
    assert "is used in blocks of 1024 bytes" in refused.err
    encrypt(coffer, disk)
    coffer.close(disk.volume)
    assert "sector: 512 [bytes]" in tool("cryptsetup", "luksDump", disk).stdout
    check_tree(coffer, disk, place)


@pytest.mark.parametrize("make", [make_ext4, make_btrfs])
def test_shrink_makes_room(coffer, make_disk, place, make):
    size_mib = 320 if make is make_btrfs else 96  # btrfs makes nothing smaller than 256 MiB
    disk = make_disk(size_mib)
    make(disk, size_mib)
    fill(disk, place)
    before = disk.digest()
    refused = encrypt(coffer, disk, expect=rig.REFUSED)
    assert "has no room for a header" in refused.err and "--shrink" in refused.err
    assert disk.digest() == before and not kinds(coffer)
    assert f"make its file system smaller, to {size_mib - FREE_MIB}.0M" in encrypt(
        coffer, disk, "--shrink", "--dry-run").out
    assert disk.digest() == before
    encrypt(coffer, disk, "--shrink")
    coffer.close(disk.volume)
    check_tree(coffer, disk, place)


def test_xfs_that_leaves_no_room_is_refused(coffer, make_disk):
    disk = make_disk(SMALL_MIB)
    make_xfs(disk, SMALL_MIB)
    refused = encrypt(coffer, disk, "--shrink", expect=rig.REFUSED)
    assert "xfs cannot be made smaller" in refused.err and "32 MiB larger" in refused.err


def refuse_unchanged(coffer, disk, *options, expect=rig.REFUSED):
    before = disk.digest()
    refused = encrypt(coffer, disk, *options, expect=expect)
    assert disk.digest() == before and not kinds(coffer)
    return refused.err


def test_encrypt_refuses_what_other_verbs_are_for(coffer, make_disk, place):
    assert "coffer disk format" in refuse_unchanged(coffer, make_disk())
    swap = make_disk()
    tool("mkswap", swap)
    assert "coffer swap encrypt" in refuse_unchanged(coffer, swap)
    luks = make_disk()
    key = place / "other.key"
    key.write_text("what somebody chose")
    tool("cryptsetup", "luksFormat", "-q", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000",
         luks, key)
    assert "coffer disk adopt" in refuse_unchanged(coffer, luks)
    parted = make_disk()
    tool("sfdisk", "-q", parted, stdin=open_text(place, "label: gpt\n,,L\n"))
    assert "has partitions" in refuse_unchanged(coffer, parted)


def open_text(place, text):
    path = place / "input"
    path.write_text(text)
    return open(path, encoding="utf-8")


def test_encrypt_refuses_a_mounted_device(coffer, plain, place):
    with mounted(plain, place / "mnt"):
        refused = encrypt(coffer, plain, expect=rig.REFUSED)
        assert "is in use and was not touched" in refused.err and "umount" in refused.err
    assert not kinds(coffer)


def test_encrypt_refuses_a_device_that_is_too_small_or_not_there(coffer, make_disk):
    small = make_disk(32)
    tool("mkfs.ext4", "-q", "-F", small)
    assert "too small" in refuse_unchanged(coffer, small)
    assert "/dev/nothing" in encrypt(coffer, "/dev/nothing", expect=rig.NO_DEVICE).err


def test_two_things_on_a_device_are_refused(coffer, make_disk, place):
    # What a partition table that was overwritten leaves behind: its backup, at the very end.
    disk = make_disk(SMALL_MIB)
    tool("sfdisk", "-q", disk, stdin=open_text(place, "label: gpt\n"))
    disk.write(0, bytes(MIB))
    make_ext4(disk, SMALL_MIB - FREE_MIB)
    assert "holds more than one thing" in refuse_unchanged(coffer, disk)


def test_unknown_content_needs_the_users_word(coffer, make_disk):
    disk = make_disk(SMALL_MIB)
    disk.write(MIB, os.urandom(8 * MIB))
    refused = refuse_unchanged(coffer, disk)
    assert "does not know where it ends" in refused and "--end-unused" in refused
    disk.write(70 * MIB, b"something")
    assert "--yes-destroy" in refuse_unchanged(coffer, disk, "--end-unused")
    content = disk.file.read_bytes()[:(SMALL_MIB - FREE_MIB) * MIB]
    done = encrypt(coffer, disk, "--end-unused", "--yes-destroy", disk, "--json").disks[0]
    assert pathlib.Path(done["device"]).open("rb").read(len(content)) == content
    coffer.close(disk.volume)


def test_dry_run_changes_nothing(coffer, plain):
    before = plain.digest()
    said = encrypt(coffer, plain, "--dry-run").out
    assert "copy its first 16 MiB" in said and "4096-byte sectors" in said
    assert plain.digest() == before and not kinds(coffer)


def stopped_at(coffer, disk, point):
    killed = encrypt(coffer, disk, fault=f"kill:{point}", expect=None)
    assert killed.status == -signal.SIGKILL, killed


def test_a_disk_in_the_middle_is_refused_by_other_verbs(coffer, plain):
    stopped_at(coffer, plain, "encrypt/step")
    goes_on = f"coffer disk encrypt {plain.volume}"
    coffer.run("unlock", *coffer.secret())
    for words in (["disk", "open", plain.volume], ["disk", "open", plain.volume, "--force"],
                  ["key", "rotate", plain.volume], ["disk", "adopt", plain],
                  ["disk", "format", plain, "--force", "--yes-destroy", plain],
                  ["disk", "destroy", plain.volume, "--yes-destroy", plain.volume],
                  ["disk", "header", "restore", plain.volume, "--force"]):
        before = plain.digest()
        refused = coffer.run(*words, expect=rig.REFUSED)
        assert goes_on in refused.err, refused
        assert plain.digest() == before
    assert goes_on in coffer.run("disk", "status").out
    assert goes_on in coffer.run("disk", "list").out
    states = coffer.run("disk", "status", "--json").disks
    assert states[0]["state"] == "half-encrypted"


def test_ctrl_c_stops_at_a_safe_point_and_the_same_command_goes_on(coffer, plain, place):
    process = coffer.start("disk", "encrypt", plain, *coffer.secret(), fault="list")
    for line in process.stderr:
        if line.startswith("fault-point encrypt/header-in-place"):
            process.send_signal(signal.SIGINT)
            break
    err = process.stderr.read()
    assert process.wait() in (rig.FAILED, -signal.SIGINT), err
    encrypt(coffer, plain.volume)
    coffer.close(plain.volume)
    check_tree(coffer, plain, place)


def test_a_file_system_used_after_a_stop_keeps_what_was_written(coffer, plain, place):
    """Between the copy of its beginning and the header, a device still looks as it did."""
    stopped_at(coffer, plain, "encrypt/drafted")
    with mounted(plain, place / "mnt") as folder:
        (folder / "late").write_text("written after the stop")
        plain.tree = tree_digest(folder)
    encrypt(coffer, plain)
    coffer.close(plain.volume)
    check_tree(coffer, plain, place)


def test_data_that_changed_meanwhile_are_told(coffer, plain):
    stopped_at(coffer, plain, "encrypt/run")
    plain.write(20 * MIB, os.urandom(16 * MIB))
    told = encrypt(coffer, plain, expect=rig.FAILED)
    assert "are not what they were before" in told.err
    # The key, the header's copy and the job stay, also when somebody looks at the data.
    coffer.open(plain.volume, options=["--force", "--read-only"])
    coffer.close(plain.volume)
    assert "disk-job" in kinds(coffer) and "disk" in kinds(coffer)
    encrypt(coffer, plain, expect=rig.FAILED)
    coffer.open(plain.volume, options=["--force"])
    coffer.close(plain.volume)
    coffer.open(plain.volume)


def test_the_vault_has_the_header_of_the_middle(coffer, plain):
    stopped_at(coffer, plain, "encrypt/copied")
    check = coffer.run("disk", "header", "check", plain.volume, "--json", *coffer.secret(),
                       expect=None)
    assert json.loads(check.out)["disks"][0]["copy"] in ("same", "newer"), check


def test_encrypt_of_a_device_that_changed_its_size_is_refused(coffer, plain):
    stopped_at(coffer, plain, "encrypt/drafted")
    plain.detach()
    with open(plain.file, "r+b") as backing:
        backing.truncate((SMALL_MIB + 1) * MIB)
    plain.attach()
    refused = encrypt(coffer, plain, expect=rig.REFUSED)
    assert "when it began" in refused.err
