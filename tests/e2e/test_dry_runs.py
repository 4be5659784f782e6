# SPDX-License-Identifier: LGPL-2.1-or-later
"""Dry runs that refuse what the run itself would refuse, and key files that others may read."""

import os

import pytest

import rig
from rig import BUSY, DONE, NO_DEVICE, USAGE


def only(result):
    assert len(result.disks) == 1, result
    return result.disks[0]


@pytest.fixture
def key(place):
    path = place / "key"
    path.write_bytes(b"a key of another program")
    path.chmod(0o600)
    return path


def make_luks(disk, key):
    rig.tool("cryptsetup", "luksFormat", "-q", "--type", "luks2", "--pbkdf", "pbkdf2",
             "--pbkdf-force-iterations", "1000", disk, key)


def test_dry_run_of_open_says_that_an_open_disk_is_open(coffer, disk):
    coffer.format(disk)
    told = coffer.run("disk", "open", disk, "--dry-run", *coffer.secret()).out
    assert "is open already" in told and "would open" not in told


def test_dry_run_of_open_opens_nothing(coffer, disk):
    coffer.format(disk)
    coffer.close(disk)
    assert only(coffer.open(disk, options=["--dry-run"]))["state"] == "proven"
    assert only(coffer.run("disk", "status", disk.volume, "--json",
                           *coffer.secret()))["state"] == "closed"


@pytest.mark.parametrize("option, status", [("--dry-run", BUSY), ("--test", DONE)])
def test_dry_run_of_open_refuses_a_disk_that_a_program_holds(coffer, disk, option, status):
    coffer.format(disk)
    coffer.close(disk)
    holder = os.open(disk.node, os.O_RDWR | os.O_EXCL)
    try:
        told = coffer.open(disk, options=[option], expect=status)
        assert (f"{disk} is in use" in told.err.replace(":", "")) == (status == BUSY), told
    finally:
        os.close(holder)


def test_dry_run_of_open_refuses_a_name_that_is_taken(coffer, make_disk, key):
    disk, other = make_disk(), make_disk()
    coffer.format(disk)
    make_luks(other, key)
    refused = coffer.run("disk", "open", other, "--key-file", key, "--name", disk.volume,
                         "--dry-run", expect=BUSY)
    assert "another volume is open under this name" in refused.err


@pytest.mark.parametrize("option", ["--passphrase-file", "--key-file"])
def test_dry_run_of_unlock_refuses_a_file_that_is_not_there(coffer, option):
    coffer.run("unlock", "--dry-run", option, "/nowhere/secret", expect=NO_DEVICE)


def test_dry_run_of_unlock_refuses_two_secrets(coffer, key):
    coffer.run("unlock", "--dry-run", "--key-file", key, *coffer.secret(), expect=USAGE)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o644, 0o640])
def test_key_file_that_others_may_read_is_told(coffer, disk, key, mode):
    make_luks(disk, key)
    key.chmod(mode)
    told = coffer.run("disk", "open", disk, "--key-file", key).err
    assert (f"the key file {key} has mode {mode:04o}" in told) == (mode & 0o077 != 0), told
    coffer.run("disk", "close", disk)


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_enrolled_key_file_that_others_may_read_is_told(coffer, key, mode):
    key.chmod(mode)
    told = coffer.run("enroll", "file", key, *coffer.secret()).err
    assert (f"chmod 600 {key}" in told) == (mode == 0o644), told
