# SPDX-License-Identifier: LGPL-2.1-or-later
"""What `disk format` does not touch, and that it says why."""

import fcntl
import os
import subprocess
import sys

import pytest

import contents
import rig
from rig import BUSY, NO_DEVICE, REFUSED, USAGE, mounted, tool


def assert_refused_untouched(coffer, disk, reason, options=(), expect=REFUSED):
    before = disk.digest()
    refused = coffer.format(disk, options=options, expect=expect)
    assert reason in refused.out + refused.err, refused
    assert disk.digest() == before
    return refused


@pytest.mark.parametrize("what", contents.ALL)
def test_format_refuses_content(coffer, make_disk, what):
    disk = make_disk(size_mib=contents.SIZES_MIB.get(what, 64))
    contents.put(disk, what)
    refused = assert_refused_untouched(coffer, disk, contents.ALL[what][1])
    # Who has encrypted disks already is not to be led to overwriting them.
    assert ("coffer disk adopt" in refused.err) == what.startswith("LUKS")


@pytest.mark.parametrize("what", ["ext4", "LUKS2", "LVM", "GPT", "unknown bytes at the start"])
def test_force_overrides_content(coffer, disk, what):
    contents.put(disk, what)
    coffer.format(disk, options=["--force"])
    assert "aes-xts-plain64" in tool("cryptsetup", "luksDump", disk).stdout


def test_erased_flash_counts_as_empty(coffer, disk):
    disk.write(0, b"\xff" * os.path.getsize(disk.file))
    coffer.format(disk)


@pytest.mark.parametrize("options", [(), ("--force",)], ids=["plain", "force"])
def test_format_never_touches_a_mounted_disk(coffer, disk, place, options):
    contents.ext4(disk)
    with mounted(disk, place / "mnt") as folder:
        (folder / "file").write_text("kept")
        refused = coffer.format(disk, options=options, expect=REFUSED)
        assert str(folder) in refused.out + refused.err
    with mounted(disk, place / "mnt", "-o", "ro") as folder:
        assert (folder / "file").read_text() == "kept"


@pytest.mark.parametrize("options", [(), ("--force",)], ids=["plain", "force"])
def test_format_never_touches_a_disk_with_a_mounted_partition(coffer, make_disk, place, options):
    disk = make_disk(options=["--partscan"])
    contents.partitions("gpt")(disk)
    tool("partx", "--update", disk)
    tool("udevadm", "settle", check=False)
    partition = disk.node + "p1"
    if not rig.is_block_device(partition):
        pytest.skip("no node for the partition: nothing runs here that makes one")
    tool("mkfs.ext4", "-q", partition)
    with mounted(partition, place / "mnt") as folder:
        refused = coffer.format(disk, options=options, expect=REFUSED)
        assert str(folder) in refused.out + refused.err


@pytest.mark.parametrize("options", [(), ("--force",)], ids=["plain", "force"])
def test_format_never_touches_active_swap(coffer, disk, options):
    contents.swap(disk)
    started = tool("swapon", disk, check=False)
    if started.returncode:
        pytest.skip("swapon: " + started.stderr.strip())
    try:
        assert "swap" in coffer.format(disk, options=options, expect=REFUSED).err
    finally:
        tool("swapoff", disk)


@pytest.mark.guest(every_case=True)
@pytest.mark.parametrize("options", [(), ("--force",)], ids=["plain", "force"])
def test_format_never_touches_a_disk_of_an_active_volume_group(coffer, disk, options):
    if not rig.has_device_mapper():
        pytest.skip("no device-mapper in this kernel: runs in the guest")
    group = "cof" + disk.file.name
    scan = f'devices{{filter=["a|{disk}|","r|.*|"]}}'
    tool("pvcreate", "-qq", "--config", scan, disk)
    tool("vgcreate", "-qq", "--config", scan, group, disk)
    tool("lvcreate", "-qq", "--config", scan, "-y", "-Wn", "-Zn", "-n", "data", "-L", "8m", group)
    try:
        refused = coffer.format(disk, options=options, expect=REFUSED)
        assert group in refused.out + refused.err
    finally:
        tool("vgchange", "-qq", "--config", scan, "-an", group)


@pytest.mark.guest(every_case=True)
@pytest.mark.parametrize("options", [(), ("--force",)], ids=["plain", "force"])
def test_format_never_touches_a_disk_of_an_active_array(coffer, make_disk, options):
    if not os.path.exists("/proc/mdstat"):
        pytest.skip("no md in this kernel: runs in the guest")
    disk = make_disk()
    array = f"/dev/md{200 + os.getpid() % 50}"
    tool("mdadm", "--create", array, "--run", "--force", "--level=1", "--raid-devices=1", disk)
    try:
        refused = coffer.format(disk, options=options, expect=REFUSED)
        assert os.path.basename(array) in refused.out + refused.err
    finally:
        tool("mdadm", "--stop", array)


@pytest.mark.parametrize("options", [(), ("--force",)], ids=["plain", "force"])
def test_format_never_touches_a_disk_that_a_program_holds(coffer, disk, options):
    holder = os.open(disk.node, os.O_RDWR | os.O_EXCL)
    try:
        coffer.format(disk, options=options, expect=(REFUSED, BUSY))
    finally:
        os.close(holder)


def hold(disk, name):
    """A process of that name which holds the disk exclusively."""
    held = subprocess.Popen(
        [name, "-c", "import os, sys; os.open(sys.argv[1], os.O_RDWR | os.O_EXCL);"
         "print('held', flush=True); sys.stdin.read()", disk.node],
        executable=sys.executable, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert held.stdout.readline() == b"held\n"
    return held


@pytest.mark.parametrize("name", ["coffer", "coffer-engine"])
def test_format_waits_for_no_coffer_command_but_says_to(coffer, disk, name):
    held = hold(disk, name)
    try:
        told = coffer.format(disk, expect=BUSY).err
    finally:
        held.communicate()
    assert f"another coffer command is at work on it (pid {held.pid})" in told
    assert "wait until it has ended" in told and "end process" not in told


def test_format_names_a_strange_process_that_holds_the_disk(coffer, disk):
    held = hold(disk, "database")
    try:
        told = coffer.format(disk, expect=REFUSED).err
    finally:
        held.communicate()
    assert f"held by database (pid {held.pid})" in told


@pytest.mark.slow
def test_format_beside_one_without_end_says_to_wait(coffer, disk):
    folder = coffer.root / "run/coffer"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "format.lock", "w", encoding="utf-8") as lock:
        lock.write("4711\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        told = coffer.format(disk, expect=BUSY).err
    assert "another coffer command has been formatting disks" in told
    assert "process 4711" in told and "wait until it has ended" in told


def test_format_never_touches_a_disk_that_is_open(coffer, disk, place):
    """A second vault wants the disk that the first has open."""
    plain = coffer.format(disk).disks[0]["device"]
    tool("mkfs.ext4", "-q", plain)
    other = rig.Coffer(place / "other")
    other.passphrase.write_text("another passphrase\n")
    other.init()
    other.format(disk, options=["--force"], expect=(REFUSED, BUSY))
    with mounted(plain, place / "mnt"):
        pass


@pytest.mark.parametrize("options", [(), ("--force",)], ids=["plain", "force"])
def test_format_refuses_a_read_only_disk(coffer, make_disk, options):
    disk = make_disk(options=["--read-only"])
    assert_refused_untouched(coffer, disk, "read-only", options)


@pytest.mark.parametrize("options", [(), ("--force",)], ids=["plain", "force"])
def test_format_refuses_a_small_disk(coffer, make_disk, options):
    assert_refused_untouched(coffer, make_disk(size_mib=16), "are needed", options)


def test_format_refuses_a_name_that_does_not_exist(coffer):
    coffer.format("/dev/nosuchdisk", expect=NO_DEVICE)


@pytest.mark.parametrize("name", ["/dev/null", "/etc/hostname", "/tmp"])
def test_format_refuses_what_is_no_block_device(coffer, name):
    assert "block device" in coffer.format(name, expect=USAGE).err


def test_format_without_agreement_is_refused(coffer, disk):
    before = disk.digest()
    coffer.run("disk", "format", disk, *coffer.secret(), expect=REFUSED)
    assert disk.digest() == before


def test_format_with_agreement_to_another_disk_is_refused(coffer, make_disk):
    disk, other = make_disk(), make_disk()
    before = disk.digest()
    coffer.run("disk", "format", disk, "--yes-destroy", other, *coffer.secret(), expect=REFUSED)
    assert disk.digest() == before


def test_refusal_says_cause_and_remedy(coffer, disk):
    contents.ext4(disk)
    told = coffer.run("disk", "format", disk, "--yes-destroy", disk, *coffer.secret(),
                      expect=REFUSED).err
    assert told.startswith("coffer: ")
    assert "cause:" in told and "try:" in told


def test_refused_disk_leaves_no_key_behind(coffer, disk):
    contents.ext4(disk)
    coffer.format(disk, expect=REFUSED)
    assert disk.volume not in coffer.run("key", "list", "--json", *coffer.secret()).out


def test_open_refuses_a_disk_that_is_not_luks(coffer, disk, place):
    (place / "key").write_bytes(b"key")
    contents.ext4(disk)
    refused = coffer.run("disk", "open", disk, "--key-file", place / "key", expect=None)
    assert refused.status not in (0, rig.WRONG_KEY), refused
    assert "LUKS" in refused.err
