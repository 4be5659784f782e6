# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks of the vault that are formatted once more, and that have become larger or smaller."""

import os

import pytest

import rig
from rig import DONE, MIB, REFUSED, Dialogue, tool

HEADER_BYTES = 16 * MIB
DATA = b"what was written before" * 100


def only(result):
    assert len(result.disks) == 1, result
    return result.disks[0]


def write_plain(found):
    with open(found["device"], "r+b") as device:
        device.write(DATA)
        device.flush()
        os.fsync(device.fileno())


def read_plain(found):
    with open(found["device"], "rb") as device:
        return device.read(len(DATA))


def keys_of(coffer, disk):
    return coffer.run("key", "history", disk.volume, "--json", *coffer.secret()).json["keys"]


def format_closed(coffer, disk):
    """A disk with data, closed; gives its UUID."""
    found = only(coffer.format(disk))
    write_plain(found)
    coffer.close(disk)
    return found["uuid"]


# ---- formatted once more ----

@pytest.mark.parametrize("options", [(), ("--force",)], ids=["plain", "force"])
def test_format_of_a_disk_of_the_vault_says_that_it_was_encrypted_already(coffer, disk, options):
    format_closed(coffer, disk)
    told = coffer.run("disk", "format", disk, "--yes-destroy", disk, *options, *coffer.secret()).out
    assert "was encrypted already and keeps its data; opened" in told, told
    assert ("--anew" in told) == bool(options), told
    assert read_plain(only(coffer.open(disk))) == DATA
    assert len(keys_of(coffer, disk)) == 1


def test_force_formats_a_disk_whose_header_the_key_does_not_open(coffer, disk):
    """Another tool has made a header with the same UUID."""
    uuid = format_closed(coffer, disk)
    tool("cryptsetup", "luksFormat", "-q", "--uuid", uuid, "--pbkdf", "pbkdf2",
         "--pbkdf-force-iterations", "1000", disk, "/etc/hostname")
    refused = coffer.format(disk, expect=REFUSED)
    assert "does not open it" in refused.err
    found = only(coffer.format(disk, options=["--force"]))
    assert found["state"] == "open"
    assert len(keys_of(coffer, disk)) == 2


@pytest.mark.guest
def test_anew_formats_a_disk_of_the_vault_with_a_new_key(coffer, disk):
    before = format_closed(coffer, disk)
    found = only(coffer.format(disk, options=["--anew"]))
    assert found["uuid"] != before and found["state"] == "open"
    assert read_plain(found) != DATA
    assert len(keys_of(coffer, disk)) == 2
    coffer.close(disk)
    coffer.open(disk)


def test_key_before_anew_is_in_the_history(coffer, disk, place):
    format_closed(coffer, disk)
    disk_before = disk.file.read_bytes()
    coffer.format(disk, options=["--anew"])
    coffer.close(disk)
    oldest = min(key["generation"] for key in keys_of(coffer, disk))
    coffer.run("key", "export", f"disk/{disk.volume}", "--generation", oldest, "--out",
               place / "old", *coffer.secret())
    (place / "image").write_bytes(disk_before)
    tool("cryptsetup", "open", "--test-passphrase", "--key-file", place / "old", place / "image")


def test_anew_asks_and_says_what_becomes_of_the_key(coffer, disk):
    format_closed(coffer, disk)
    before = disk.digest()
    with Dialogue(coffer, "disk", "format", str(disk), "--anew", *coffer.secret()) as dialogue:
        dialogue.wait_for("to go on")
        assert "the key that opens it now goes to the history" in dialogue.said
        assert dialogue.answer("no") == REFUSED
    assert disk.digest() == before


def test_anew_needs_agreement_in_a_script(coffer, disk):
    format_closed(coffer, disk)
    before = disk.digest()
    coffer.run("disk", "format", disk, "--anew", *coffer.secret(), expect=REFUSED)
    assert disk.digest() == before


@pytest.mark.guest
def test_anew_never_touches_a_disk_that_is_open(coffer, disk):
    found = only(coffer.format(disk))
    write_plain(found)
    coffer.format(disk, options=["--anew"], expect=REFUSED)
    assert read_plain(only(coffer.open(disk))) == DATA


def test_anew_does_not_overwrite_what_is_no_disk_of_the_vault(coffer, disk):
    tool("mkfs.ext4", "-q", disk)
    before = disk.digest()
    assert "ext4" in coffer.format(disk, options=["--anew"], expect=REFUSED).err
    assert disk.digest() == before


@pytest.mark.parametrize("point", ["key-durable", "header-written", "slot-added", "header-copied"])
def test_anew_after_one_that_was_killed_gives_a_disk_that_opens(coffer, disk, point):
    format_closed(coffer, disk)
    killed = coffer.format(disk, options=["--anew"], fault=f"kill:format/{point}", expect=None)
    if killed.status == DONE:
        pytest.skip("built without -Dfaults=true: there are no points to stop at")
    coffer.format(disk, options=["--anew"])
    coffer.close(disk)
    coffer.open(disk)


def test_dry_run_of_anew_says_where_the_key_goes(coffer, disk):
    format_closed(coffer, disk)
    before = disk.digest()
    told = coffer.run("disk", "format", disk, "--anew", "--dry-run", *coffer.secret()).out
    assert "the one before goes to the history" in told
    assert disk.digest() == before


def test_dry_run_tells_no_uuid_that_will_not_be(coffer, disk):
    assert only(coffer.format(disk, options=["--dry-run"]))["uuid"] is None
    assert "UUID" not in coffer.run("disk", "format", disk, "--dry-run", *coffer.secret()).out


# ---- larger and smaller ----

def resize(disk, size_bytes):
    disk.detach()
    os.truncate(disk.file, size_bytes)
    disk.attach()


@pytest.mark.guest
def test_disk_that_has_grown_is_opened_with_a_notice(coffer, disk):
    format_closed(coffer, disk)
    resize(disk, 96 * MIB)
    told = coffer.run("disk", "open", disk, *coffer.secret()).out
    assert "the device has grown from 64.0M to 96.0M, and the volume with it" in told, told
    found = only(coffer.open(disk))
    assert int(tool("blockdev", "--getsize64", found["device"]).stdout) == 96 * MIB - HEADER_BYTES
    assert read_plain(found) == DATA


def test_growth_is_told_once_and_becomes_the_disk_s_size(coffer, disk):
    format_closed(coffer, disk)
    resize(disk, 96 * MIB)
    assert "has grown" in only(coffer.open(disk))["note"]
    coffer.close(disk)
    assert only(coffer.open(disk))["note"] is None
    coffer.close(disk)
    resize(disk, 80 * MIB)
    refused = coffer.open(disk, expect=REFUSED)
    assert f"it has {80 * MIB} bytes, the record says {96 * MIB}" in refused.err


def test_test_and_dry_run_tell_growth_and_note_nothing(coffer, disk):
    format_closed(coffer, disk)
    resize(disk, 96 * MIB)
    for option in ("--test", "--dry-run"):
        assert "has grown" in only(coffer.open(disk, options=[option]))["note"]
    assert "has grown" in only(coffer.open(disk))["note"]


def test_disk_that_has_become_smaller_is_refused(coffer, disk):
    format_closed(coffer, disk)
    resize(disk, 48 * MIB)
    refused = coffer.open(disk, expect=REFUSED)
    assert f"it has {48 * MIB} bytes, the record says {64 * MIB}" in refused.err
    assert only(coffer.run("disk", "status", disk.volume, "--json",
                           *coffer.secret()))["state"] == "closed"
    rig.tool("cryptsetup", "isLuks", disk)
