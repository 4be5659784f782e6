# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks whose vault, engine, header or destruction is lost half-way: each is named, with what to
type next."""

import pytest

import rig
from rig import BUSY, FAILED, NO_DEVICE, REFUSED, mounted, tool
from test_destroy import destroy
from test_mistakes import is_served, kill_engine, only


def status(coffer, **more):
    return coffer.run("disk", "status", *coffer.secret(), **more)


def hide_vault(coffer):
    coffer.vault.rename(coffer.folder / "elsewhere")


def bring_vault_back(coffer):
    (coffer.folder / "elsewhere").rename(coffer.vault)


# ---- a killed engine ----

def test_status_of_a_killed_engine_fails_and_says_what_to_do(coffer, disk, place):
    found = only(coffer.format(disk))
    tool("mkfs.ext4", "-q", found["device"])
    with mounted(found["device"], place / "mnt b") as folder:
        kill_engine(coffer, found)
        told = status(coffer, expect=FAILED)
        assert "dead" in told.out and "was killed" in told.err
        remedy = (f"umount '{folder}' && coffer disk close {disk.volume} && "
                  f"coffer disk open {disk.volume}")
        assert remedy in told.err
        # The screen that people look at counts it and warns, and so does its check.
        for options in [], ["--check"]:
            told = coffer.run("status", "--json", *options, *(coffer.secret() if options else []))
            assert told.json["disks"]["dead"] == 1
            assert any(f"{disk.volume}: the process that served it was killed" in warning
                       and remedy in warning for warning in told.json["warnings"])
        assert "1 in the vault, 0 open, 1 dead" in coffer.run("status").out
        # Taking it away is refused with its name, not with the loop device's alone.
        for verb in "close", "open":
            told = coffer.run("disk", verb, disk.volume, *coffer.secret(), expect=BUSY)
            assert f"{disk.volume}: the process that served it was killed" in told.err
            assert remedy in told.err
    told = coffer.run("disk", "status", "--json", *coffer.secret(), expect=FAILED)
    assert only(told)["state"] == "dead"
    assert told.json["error"]["remedy"].startswith(f"coffer disk close {disk.volume}")
    coffer.close("--all")
    status(coffer)


def test_status_names_every_killed_engine(coffer, make_disk):
    disks = [make_disk(), make_disk()]
    kill_engine(coffer, coffer.format(*disks).disks[0])
    told = status(coffer, expect=FAILED).err
    for disk in disks:
        assert f"coffer: {disk.volume}: the process that served it was killed" in told


# ---- a vault that is gone ----

def test_close_all_without_the_vault_finds_what_is_open(coffer, make_disk):
    disks = [make_disk(), make_disk()]
    coffer.format(*disks)
    hide_vault(coffer)
    refused = coffer.run("disk", "close", "--all", "--json", expect=REFUSED)
    assert {found["name"] for found in refused.disks} == {disk.volume for disk in disks}
    assert f"there is none in {coffer.vault}" in refused.err and "--force" in refused.err
    assert all(is_served(coffer, disk.volume) for disk in disks)
    coffer.run("disk", "close", "--all", "--force")
    assert not any(is_served(coffer, disk.volume) for disk in disks)
    assert "nothing to do" in coffer.run("disk", "close", "--all").out
    bring_vault_back(coffer)
    coffer.open("--all")


def test_close_without_the_vault_names_the_copy_in_a_mirror(coffer, disk, place):
    (place / "mirror").mkdir()
    (coffer.root / "etc/coffer").mkdir()
    (coffer.root / "etc/coffer/coffer.conf").write_text(f"mirror = {place / 'mirror'}\n")
    coffer.format(disk)
    hide_vault(coffer)
    mirror = str(place / "mirror")
    assert mirror in coffer.run("disk", "close", "--all", expect=REFUSED).err
    assert mirror in coffer.run("disk", "status", expect=NO_DEVICE).err


def test_close_all_without_the_vault_leaves_what_is_mounted(coffer, disk, place):
    found = only(coffer.format(disk))
    tool("mkfs.ext4", "-q", found["device"])
    hide_vault(coffer)
    with mounted(found["device"], place / "mnt"):
        coffer.run("disk", "close", "--all", "--force", expect=BUSY)
    assert is_served(coffer, disk.volume)


def test_status_without_the_vault_shows_what_is_open(coffer, disk):
    coffer.format(disk)
    hide_vault(coffer)
    told = coffer.run("disk", "status", expect=NO_DEVICE)
    assert disk.volume in told.out and "init" not in told.err
    coffer.run("disk", "close", "--all", "--force")
    assert "there is no vault" in coffer.run("disk", "status").out


# ---- a destruction that was cut off ----

def test_half_destroyed_disk_is_called_that(coffer, disk):
    coffer.format(disk)
    coffer.close(disk)
    destroy(coffer, disk, fault="kill:destroy/noted", expect=None)
    remedy = f"`coffer disk destroy {disk.volume}`"
    told = status(coffer).out
    assert "half-destroyed" in told and remedy in told
    assert remedy in coffer.run("disk", "list", *coffer.secret()).out


def test_half_destroyed_disk_is_opened_by_force_alone(coffer, disk):
    coffer.format(disk)
    coffer.close(disk)
    destroy(coffer, disk, fault="kill:destroy/noted", expect=None)
    for options in ([], ["--test"], ["--dry-run"]):
        refused = coffer.open(disk, options=options, expect=REFUSED)
        assert f"coffer disk destroy {disk.volume}" in refused.err
    assert not is_served(coffer, disk.volume)
    assert "half-destroyed" in status(coffer).out
    coffer.open(disk, options=["--force"])
    coffer.close(disk)
    coffer.open(disk)


def test_half_destroyed_disk_without_a_header_is_listed(coffer, disk):
    coffer.format(disk)
    coffer.close(disk)
    destroy(coffer, disk, fault="kill:destroy/wiped", expect=None)
    told = coffer.run("disk", "list", *coffer.secret()).out
    assert "header gone" in told and f"`coffer disk destroy {disk.volume}`" in told


# ---- a header that is gone ----

@pytest.mark.parametrize("then", ["nothing", "file system"])
def test_list_knows_the_disk_whose_header_is_gone(coffer, disk, then):
    coffer.format(disk)
    coffer.close(disk)
    disk.write(0, bytes(20 * rig.MIB))
    if then == "file system":
        tool("mkfs.ext4", "-q", disk)
    told = coffer.run("disk", "list", *coffer.secret()).out
    assert "header gone" in told
    assert f"`coffer disk header repair {disk.volume}`" in told
    shown = coffer.run("disk", "list", "--json", *coffer.secret()).json["devices"]
    found = [device for device in shown if device["device"] == disk.node]
    assert [(one["name"], one["key"], one["header_damaged"]) for one in found] == \
        [(disk.volume, True, True)]


def test_list_of_a_disk_that_moved_names_no_header_as_gone(coffer, disk, make_disk):
    coffer.format(disk)
    coffer.close(disk)
    other = make_disk()
    other.write(0, disk.file.read_bytes())
    disk.write(0, bytes(20 * rig.MIB))
    assert "header gone" not in coffer.run("disk", "list", *coffer.secret()).out
