# SPDX-License-Identifier: LGPL-2.1-or-later
"""Making and restoring a backup: a stop at every point, and a disk that is full.

At no point may a file with a backup's name be no whole backup, nor a vault be there that is not
the one of the backup.
"""

import os
import shutil

import pytest

import rig
from rig import DONE, FAILED, mounted, tool
from test_backup import create, machine, restore, verify
from test_crash import chosen, crash, points_of, record_count
from test_full import fill

pytestmark = pytest.mark.slow


@pytest.fixture
def kept(coffer, disk, place):
    """A backup of a vault with a disk, and a configuration."""
    config = coffer.root / "etc/coffer/coffer.conf"
    config.parent.mkdir()
    config.write_text(f"mirror = {place}/share\n")
    coffer.format(disk)
    coffer.close(disk)
    create(coffer, place / "v.backup")
    return place / "v.backup"


@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_create_leaves_the_old_backup_or_the_new_one(coffer, kept, place, record_property, fault):
    file = place / "again.backup"
    points = points_of(create(coffer, file, fault="list"))
    file.unlink()
    for number in chosen(points):
        for options in ((), ("--force",)):
            if options:
                shutil.copy(kept, file)

            def run(options=options, **more):
                if file.exists():
                    verify(coffer, file)
                return create(coffer, file, *options, **more)
            first = run(fault=f"{fault}:#{number}", expect=None)
            if file.exists():
                verify(coffer, file)
            elif first.status == DONE:
                raise AssertionError(f"no backup after {points[number - 1]}\n{first}")
            create(coffer, file, "--force")
            verify(coffer, file)
            assert not (place / "again.backup.new").exists()
            file.unlink()
    record_count(record_property, "backup create", 2 * len(chosen(points)))


@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_restore_converges_after_a_stop_at_any_point(coffer, kept, place, disk, record_property,
                                                     fault):
    points = points_of(restore(machine(place / "scout", coffer), kept, fault="list"))
    for number in chosen(points):
        other = machine(place / f"round{number}", coffer)
        again = crash(lambda other=other, **more: restore(other, kept, **more), number, fault)
        assert again.status == DONE, f"after {points[number - 1]}\n{again}"
        assert (other.root / "etc/coffer/coffer.conf").read_text() == \
            (coffer.root / "etc/coffer/coffer.conf").read_text()
        other.run("status", "--check", *other.secret())
        other.run("audit", "--verify", *other.secret())
        other.open(disk)
        other.close(disk)
        left = {path.name for path in other.vault.iterdir()}
        assert not [name for name in left if name.endswith((".new", "-journal"))], left
        assert not list(other.vault.glob("audit.log.old-*")), f"after {points[number - 1]}"
    record_count(record_property, "backup restore", len(chosen(points)))


@pytest.mark.parametrize("left_kib", (0, 16, 256, 700))
def test_full_disk_leaves_no_backup_that_is_none(coffer, kept, make_disk, place, left_kib):
    store = make_disk(size_mib=32)
    tool("mkfs.ext4", "-q", "-m", "0", store)
    with mounted(store, place / "small") as folder:
        fill(folder, left_kib)
        tight = create(coffer, folder / "v.backup", expect=FAILED)
        assert "no backup" in tight.err and "space" in tight.err.lower()
        assert not list(folder.glob("v.backup*"))
        (folder / "ballast").unlink()
        create(coffer, folder / "v.backup")
        verify(coffer, folder / "v.backup")
    assert kept.exists()


@pytest.mark.parametrize("left_kib", (8, 64, 4096, 16500, 17000, 17500))
def test_restore_to_a_full_disk_can_be_run_again(coffer, kept, make_disk, place, disk, left_kib):
    other = machine(place / "other", coffer)
    store = make_disk(size_mib=64)
    tool("mkfs.ext4", "-q", "-m", "0", store)
    with mounted(store, place / "small") as folder:
        other.vault = folder / "vault"
        fill(folder, left_kib)
        tight = restore(other, kept, expect=(DONE, FAILED))
        assert tight.status == DONE or "space" in tight.err or "full" in tight.err, tight
        assert tight.status == FAILED or left_kib > 4096
        (folder / "ballast").unlink()
        restore(other, kept)
        other.run("status", "--check", *other.secret())
        other.open(disk)
        other.close(disk)
    assert os.path.exists(kept)
