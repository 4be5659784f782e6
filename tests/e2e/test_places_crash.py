# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 and failures at every point of moving a key, then the same command again.

At each moment the key file or the vault has a key that opens the disk, and the line in crypttab
names a place that has it.
"""

import pathlib
import signal

import pytest

from rig import DONE, FAILED
from test_adopt import opens
from test_crash import assert_usable, chosen, points_of, record_count
from test_places import key_field, only, relocate

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def unlocked_before(coffer):
    """The first unlocking of a new vault writes what no later one does."""
    coffer.run("key", "list", *coffer.secret())


@pytest.fixture
def formatted(coffer, disk):
    coffer.format(disk, options=["--crypttab"])
    coffer.close(disk)
    return disk


def crash(run, number, fault):
    """Runs up to a point, and once more to the end. Of several edits within a second crypttab keeps
    one copy, so that a run may pass a point less than the one that counted them."""
    first = run(fault=f"{fault}:#{number}", expect=None)
    assert first.status in (-signal.SIGKILL, FAILED, DONE), first
    return run(expect=None)


@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_relocate_converges_after_a_stop_at_any_point(coffer, formatted, place, record_property,
                                                      fault):
    disk = formatted
    folder = place / "keys"
    folder.mkdir(mode=0o700)
    rounds = 0
    for to, before in ((folder, "vault"), ("vault", folder)):
        def move(to=to, **more):
            result = relocate(coffer, disk.volume, to=to, **more)
            key = key_field(coffer, disk)
            assert key.endswith("keys.sock") or opens(disk, key)
            return result
        points = points_of(move(fault="list"))
        for number in chosen(points):
            relocate(coffer, disk.volume, to=before)
            again = crash(move, number, fault)
            assert again.status == DONE, f"after {points[number - 1]}\n{again}"
            assert len(list(folder.iterdir())) == (to != "vault"), f"after {points[number - 1]}"
            rounds += 1
        assert_usable(coffer, disk)
    record_count(record_property, "relocate", rounds)


@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_only_never_leaves_a_disk_without_a_key(coffer, formatted, place, record_property, fault):
    disk = formatted
    folder = place / "keys"
    folder.mkdir(mode=0o700)

    def move(**more):
        result = only(coffer, disk, folder, **more)
        coffer.open(disk, options=["--test"])
        return result
    points = points_of(move(fault="list"))
    for number in chosen(points):
        relocate(coffer, disk.volume, to="vault")
        again = crash(move, number, fault)
        assert again.status == DONE, f"after {points[number - 1]}\n{again}"
        assert opens(disk, pathlib.Path(key_field(coffer, disk)))
        assert len(list(folder.iterdir())) == 1
    record_count(record_property, "relocate --only", len(chosen(points)))
