# SPDX-License-Identifier: LGPL-2.1-or-later
"""A storage group for the tests of `coffer store`."""

import hashlib
import pathlib
import random

import rig

KIB = 1 << 10


def noise(size, seed=1):
    """Bytes that nothing compresses, the same each time."""
    return random.Random(seed).randbytes(size)


def mixed(size, seed=1):
    """Half of it compresses."""
    half = noise(size // 2, seed)
    text = hashlib.sha256(b"%d" % seed).hexdigest().encode()
    return half + (text * (size // len(text) + 1))[:size - len(half)]


class Group:
    """A group of its own, with the passphrase of its program."""

    def __init__(self, coffer, name="group", encrypt=True):
        self.coffer = coffer
        self.folder = coffer.folder / name
        self.encrypt = encrypt

    @property
    def secret(self):
        return ("--passphrase-file", self.coffer.passphrase) if self.encrypt else ()

    def run(self, verb, *words, **more):
        return self.coffer.run("store", verb, self.folder, *words, *self.secret, **more)

    def create(self, *words, **more):
        return self.run("create", *(["--encrypt"] if self.encrypt else []), *words, **more)

    def put(self, name, data, **more):
        source = self.coffer.folder / "source"
        source.write_bytes(data)
        return self.run("put", name, source, "--json", **more)

    def get(self, name, **more):
        """The content of a version, or the result of a run that was expected to fail."""
        target = self.coffer.folder / "target"
        target.unlink(missing_ok=True)
        result = self.run("get", name, "-o", target, **more)
        return target.read_bytes() if target.exists() else result

    def names(self):
        return [version["name"] for version in self.run("list", "--json").json["versions"]]

    def files(self, folder):
        return sorted(path for path in pathlib.Path(self.folder, folder).iterdir())

    @property
    def state_copy(self):
        uuid = (self.folder / "group").read_bytes()[10:26].hex()
        return self.coffer.root / f"var/lib/coffer/stores/{uuid}.keys"

    def copies(self):
        return [self.folder / "keys/a", self.folder / "keys/b", self.state_copy]


def flip(path, offset):
    """Changes one byte of a file."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x01
    path.write_bytes(data)


__all__ = ["KIB", "Group", "flip", "mixed", "noise", "rig"]
