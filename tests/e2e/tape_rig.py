# SPDX-License-Identifier: LGPL-2.1-or-later
"""An emulated tape drive (tests/emulator) in the place of a device node, and who writes through it."""

import os
import pathlib
import socket
import struct
import subprocess

import rig

EMULATOR = pathlib.Path(rig.PROGRAM).parents[2] / "tests/emulator/tape-drive"


class Sense(Exception):
    """A refusal: key, code, qualifier."""

    def __init__(self, bytes_):
        self.codes = (bytes_[2] & 0x0f, bytes_[12], bytes_[13])
        super().__init__("%02x/%02x/%02x" % self.codes)


def make_tape(path, generation=6, serial="SN0001", barcode=""):
    """A blank tape."""
    def part(letter, data):
        return letter + struct.pack(">I", len(data)) + data

    def attribute(number, text):
        return part(b"A", struct.pack(">HB", number, 1) + text.ljust(32).encode())
    path.write_bytes(b"COFFER-TAPE-1\n\0\0" + part(b"G", bytes([generation])) +
                     attribute(0x0401, serial) + (attribute(0x0806, barcode) if barcode else b""))
    return path


def parts_of(path):
    """The parts of a tape's file, as tests/emulator/medium.h describes them."""
    data = path.read_bytes()[16:]
    while data:
        length = struct.unpack(">I", data[1:5])[0]
        yield data[:1].decode(), data[5:5 + length]
        data = data[5 + length:]


def blocks_of(path):
    return [(letter, data) for letter, data in parts_of(path) if letter in "CEF"]


def chip_of(path):
    return {int.from_bytes(data[:2], "big"): data[3:].decode().strip()
            for letter, data in parts_of(path) if letter == "A"}


def decrypt(block, key):
    """A block of a tape's file with another implementation; also gives its U-KAD and A-KAD."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    ukad, rest = block[1:1 + block[0]], block[1 + block[0]:]
    akad, rest = rest[1:1 + rest[0]], rest[1 + rest[0]:]
    nonce, tag, text = rest[:12], rest[12:28], rest[28:]
    return AESGCM(key).decrypt(nonce, text + tag, akad), ukad.decode(), akad


class Host:
    """A computer that the drive is attached to: sends commands through one of its sockets."""

    def __init__(self, path):
        self.path = path

    def command(self, *cdb, out=b"", room=0):
        with socket.socket(socket.AF_UNIX) as wire:
            wire.connect(str(self.path))
            wire.sendall(bytes([len(cdb)]) + bytes(cdb).ljust(16, b"\0") +
                         struct.pack(">II", len(out), room) + out)
            with wire.makefile("rb") as answers:
                status, sense_len, length = struct.unpack(">BBI", answers.read(6))
                sense, data = answers.read(sense_len), answers.read(length)
        if status:
            raise Sense(sense)
        return data

    def again(self, *cdb, **more):
        """The same, once more after a unit attention."""
        try:
            return self.command(*cdb, **more)
        except Sense as refusal:
            if refusal.codes[0] != 6:
                raise
            return self.command(*cdb, **more)

    def rewind(self):
        self.again(0x01)

    def write(self, data):
        self.again(0x0a, 0, *len(data).to_bytes(3, "big"), out=data)

    def filemark(self):
        self.again(0x10, 0, 0, 0, 1)

    def read(self):
        return self.again(0x08, 2, 1, 0, 0, room=65536)

    def page(self, code):
        return self.again(0xa2, 0x20, 0, code, 0, 0, 0, 0, 0x20, 0, 0, 0, room=8192)

    def has_key(self):
        page = self.page(0x20)
        return page[5] != 0 or page[6] != 0

    # What only tests send.
    def attention(self, code, qualifier):
        self.command(0xc0, 1, code, qualifier)

    def load(self, tape):
        self.command(0xc0, 2, out=str(tape).encode() if tape else b"")

    def commands(self):
        return int.from_bytes(self.command(0xc0, 3, room=4), "big")

    def vanish_at(self, operation):
        self.command(0xc0, 5, operation)


class Drive(Host):
    """A drive below a root prefix, with what /sys says of it."""

    def __init__(self, root, number=0, profile="lto6", tape=None):
        self.name = f"nst{number}"
        self.root = pathlib.Path(root)
        self.other = None
        dev = self.root / "dev"
        dev.mkdir(parents=True, exist_ok=True)
        super().__init__(dev / f"sg{number}")
        self.other = Host(dev / f"sg{number}.other")
        self.describe(number, 1, "COFFER", profile)
        self.process = subprocess.Popen(
            [EMULATOR, profile, tape or "-", self.path, self.other.path], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"ready\n"
        os.chmod(self.path, 0o660)

    def describe(self, number, kind, vendor, model):
        device = self.root / f"sys/devices/{number}"
        (device / f"scsi_generic/sg{number}").mkdir(parents=True)
        for name, text in (("type", kind), ("vendor", vendor), ("model", model), ("rev", "1")):
            (device / name).write_text(f"{text}\n")
        names = [("scsi_generic", f"sg{number}")]
        for name in ("nst", "nst%da", "st", "st%da") if kind == 1 else ():
            name = name % number if "%" in name else f"{name}{number}"
            (device / f"scsi_tape/{name}").mkdir(parents=True)
            names.append(("scsi_tape", name))
        for folder, name in names:
            link = self.root / f"sys/class/{folder}/{name}"
            link.mkdir(parents=True)
            (link / "device").symlink_to(device)

    def end(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()
