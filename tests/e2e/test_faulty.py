# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks that fail below an open volume: device-mapper's error and flakey targets stand for them."""

import os

import pytest

import rig
from rig import BUSY, FAILED, mounted, tool
from test_adopt import opens, slots, stored_key

needs_dm = pytest.mark.skipif(not rig.has_device_mapper(), reason="this kernel has no dm-crypt")
pytestmark = [needs_dm, pytest.mark.guest(every_case=True)]


OFFSET = 2048  # sectors: so that the disk below does not show the same header


class FaultyDisk:
    """A device-mapper device on a disk, which can be made to fail."""

    def __init__(self, disk):
        self.disk, self.name = disk, f"coffer-faulty-{os.getpid()}-{disk.file.name}"
        self.sectors = int(tool("blockdev", "--getsz", disk).stdout) - OFFSET
        self.node, self.volume = f"/dev/mapper/{self.name}", f"enc-{disk.file.name}"
        tool("dmsetup", "create", self.name, "--table", self.table("linear {disk} {offset}"))

    def table(self, target):
        return f"0 {self.sectors} " + target.format(disk=self.disk, offset=OFFSET)

    def become(self, target):
        """Exchanges the table below whoever uses the device."""
        tool("dmsetup", "suspend", "--nolockfs", "--noflush", self.name)
        tool("dmsetup", "load", self.name, "--table", self.table(target))
        tool("dmsetup", "resume", self.name)

    def fail(self):
        self.become("error")

    def refuse_writes(self):
        self.become("flakey {disk} {offset} 0 3600 1 error_writes")

    def heal(self):
        self.become("linear {disk} {offset}")

    def __str__(self):
        return self.node


@pytest.fixture
def faulty(coffer, disk):
    made = FaultyDisk(disk)
    coffer.format(made, options=["--name", made.volume])
    yield made
    made.heal()
    coffer.run("disk", "close", "--all", "--force", expect=None)
    tool("dmsetup", "remove", "--retry", made.name, check=False)


def needs_flakey():
    tool("modprobe", "dm-flakey", check=False)
    if "flakey" not in tool("dmsetup", "targets").stdout:
        pytest.skip("this kernel has no dm-flakey")


def test_failing_disk_is_not_closed_and_lives_on_when_it_is_back(coffer, faulty, place):
    plain = coffer.open(faulty.volume).disks[0]["device"]
    tool("mkfs.ext4", "-q", plain)
    with mounted(plain, place / "mnt") as folder:
        (folder / "file").write_bytes(b"kept" * 100000)
        digest = rig.tree_digest(folder)
        tool("sync")
        faulty.fail()
        coffer.close(faulty.volume, expect=(BUSY, rig.REFUSED))
        faulty.heal()
    faulty.fail()
    refused = coffer.close(faulty.volume, expect=None)
    assert refused.status != 0, "closed, although nothing shows that it could be opened again"
    shown = coffer.run("disk", "status", faulty.volume, "--json", "--passphrase-file",
                       coffer.recovery, expect=None).json["disks"][0]
    assert shown["state"] == "open"
    faulty.heal()
    coffer.close(faulty.volume)
    with mounted(coffer.open(faulty.volume).disks[0]["device"], place / "mnt", "-o",
                 "ro") as folder:
        assert rig.tree_digest(folder) == digest


def test_disk_that_takes_no_writes_keeps_a_key_that_opens(coffer, faulty):
    """One test for all that writes: making a vault in a guest takes longer than the rest."""
    needs_flakey()
    coffer.close(faulty.volume)
    agreed = ("--yes-destroy", faulty.volume)
    for words in (("disk", "tune", "--auto"), ("key", "rotate"), ("disk", "destroy", *agreed)):
        faulty.refuse_writes()
        failed = coffer.run(*words, faulty.volume, *coffer.secret(), expect=None)
        assert failed.status == FAILED, failed
        assert opens(faulty, stored_key(coffer, faulty.volume)), words
        faulty.heal()
        coffer.run(*words, faulty.volume, *coffer.secret())
        if words[1] == "rotate":
            assert len(slots(faulty)) == 1
            assert opens(faulty, stored_key(coffer, faulty.volume))
    coffer.open(faulty.volume, expect=rig.NO_DEVICE)
