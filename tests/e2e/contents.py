# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a disk can hold: each function puts something recognisable on a device.

Where the tool that makes it needs a kernel feature, the bytes are laid out by hand.
"""

import os
import struct

import rig
from rig import MIB, tool


def ext4(disk):
    tool("mkfs.ext4", "-q", disk)


def xfs(disk):
    tool("mkfs.xfs", "-q", disk)


def vfat(disk):
    tool("mkfs.vfat", disk)


def swap(disk):
    tool("mkswap", disk)


def luks1(disk):
    tool("cryptsetup", "luksFormat", "-q", "--type", "luks1", "--pbkdf-force-iterations", "1000",
         disk, "/etc/hostname")


def luks2(disk):
    tool("cryptsetup", "luksFormat", "-q", "--type", "luks2", "--pbkdf", "pbkdf2",
         "--pbkdf-force-iterations", "1000", disk, "/etc/hostname")


def lvm(disk):
    tool("pvcreate", "-qq", "--config", f'devices{{filter=["a|{disk}|","r|.*|"]}}', disk)


def partitions(label):
    def put(disk):
        tool("sfdisk", "-q", disk, stdin=None, input=f"label: {label}\n2048,16384\n")
    return put


def md(disk):
    """A version 1.2 superblock, 4096 bytes from the start, as mdadm writes it."""
    block = bytearray(256 + 2 * 384)
    struct.pack_into("<III", block, 0, 0xA92B4EFC, 1, 0)
    block[16:32] = os.urandom(16)
    block[32:64] = b"guest:0".ljust(32, b"\0")
    struct.pack_into("<QIIQII", block, 64, 0, 1, 0, 65536, 0, 2)
    struct.pack_into("<QQQ", block, 128, 2048, 65536, 8)
    struct.pack_into("<I", block, 220, 384)
    numbers = struct.unpack(f"<{len(block) // 4}I", block)
    total = sum(numbers)
    struct.pack_into("<I", block, 216, ((total & 0xFFFFFFFF) + (total >> 32)) & 0xFFFFFFFF)
    disk.write(4096, bytes(block))


def zfs(disk):
    """Uberblocks in the first and second label, 1 KiB apart from 128 KiB on."""
    for label in (0, 256 * 1024):
        for number in range(16):
            uberblock = struct.pack("<QQQQQ", 0x00BAB10C, 5000, 100 + number, 7, 1)
            disk.write(label + 128 * 1024 + number * 1024, uberblock.ljust(1024, b"\0"))


def unknown_at_the_start(disk):
    disk.write(512 * 1024, b"nobody knows what this is" * 40)


def unknown_at_the_end(disk):
    disk.write(os.path.getsize(disk.file) - MIB // 2, b"nobody knows what this is" * 40)


def unknown_in_the_middle(disk):
    """As a database that keeps its tables on a raw disk, and begins behind some room."""
    disk.write(24 * MIB, os.urandom(2 * MIB))


ALL = {
    "ext4": (ext4, "ext4"),
    "xfs": (xfs, "xfs"),
    "vfat": (vfat, "vfat"),
    "old swap": (swap, "swap"),
    "LUKS1": (luks1, "crypto_LUKS"),
    "LUKS2": (luks2, "crypto_LUKS"),
    "LVM": (lvm, "LVM2_member"),
    "md": (md, "linux_raid_member"),
    "ZFS": (zfs, "zfs_member"),
    "GPT": (partitions("gpt"), "gpt"),
    "DOS partitions": (partitions("dos"), "dos"),
    "unknown bytes at the start": (unknown_at_the_start, "unknown content"),
    "unknown bytes in the middle": (unknown_in_the_middle, "unknown content at "),
    "unknown bytes at the end": (unknown_at_the_end, "unknown content"),
}

# xfs wants more room than the others.
SIZES_MIB = {"xfs": 384}


def put(disk, what):
    ALL[what][0](disk)
    rig.tool("sync")
