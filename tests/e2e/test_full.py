# SPDX-License-Identifier: LGPL-2.1-or-later
"""A vault whose file system is full, at each step of `disk format`."""

import os
import shutil

import pytest

import rig
from rig import DONE, mounted, tool

pytestmark = pytest.mark.slow
LEFT_KIB = (0, 4, 16, 64, 256, 1024, 4096, 16384, 20480)


def fill(folder, left_kib):
    """Leaves that much room below folder."""
    room = os.statvfs(folder)
    free = room.f_bavail * room.f_frsize - left_kib * 1024
    with open(folder / "ballast", "wb") as ballast:
        while free > 0:
            try:
                free -= ballast.write(bytes(min(free, 1 << 16)))
                ballast.flush()
            except OSError:
                break
        os.fsync(ballast.fileno())


@pytest.mark.parametrize("left_kib", LEFT_KIB)
def test_format_with_little_room_loses_nothing(coffer, make_disk, place, left_kib):
    store = make_disk(size_mib=160)
    tool("mkfs.ext4", "-q", "-m", "0", store)
    disk = make_disk()
    with mounted(store, place / "small") as folder:
        shutil.copytree(coffer.vault, folder / "vault")
        coffer.vault = folder / "vault"
        fill(folder, left_kib)
        tight = coffer.format(disk, expect=None)
        assert tight.status in (DONE, rig.FAILED), tight
        if tight.status == rig.FAILED:
            assert "no room" in (tight.out + tight.err).lower() or \
                "space" in (tight.out + tight.err).lower(), tight
        coffer.run("key", "list", *coffer.secret())
        (folder / "ballast").unlink()
        coffer.format(disk)
        coffer.close(disk)
        coffer.open(disk)
        coffer.close(disk)
        coffer.run("lock", expect=None)
