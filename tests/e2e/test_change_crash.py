# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 at every point of encrypting, and at moments that nobody chose, then the same command.

No byte of the data may be lost, and nothing but the volume's name may be needed to go on.
"""

import random
import signal
import time

import pytest

import rig
from rig import DONE
from test_crash import SHARE, points_of, record_count
from test_encrypt import (check_tree, encrypt, image, kinds,  # pylint: disable=unused-import
                          make_plain, reads_elsewhere)

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def unlocked_before(coffer):
    """The first unlocking of a new vault writes what no later one does."""
    coffer.run("key", "list", *coffer.secret())


def own_points(result):
    """Numbers of the points that belong to the verb: the vault's have tests of their own. Every
    SHARE-th of them, the first and the last."""
    numbers = [number for number, point in enumerate(points_of(result), 1)
               if point.split("/")[0] in ("encrypt", "rekey", "decrypt", "reencrypt-end")]
    return sorted({numbers[0], numbers[-1], *numbers[::SHARE]})


def finish(coffer, disk, run, place):
    """The same command to its end; then the disk is as if nothing had happened."""
    again = run(expect=None)
    assert again.status == DONE, str(again)
    coffer.close(disk.volume)
    check_tree(coffer, disk, place)
    reads_elsewhere(coffer, disk)
    assert sorted(set(kinds(coffer))) == ["disk", "disk-header"]
    disk.detach()
    disk.file.unlink()


@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_encrypt_converges_after_a_stop_at_any_point(coffer, make_plain, place, record_property,
                                                     fault):
    scout = make_plain()
    points = own_points(encrypt(coffer, scout, "--crypttab", fault="list"))
    coffer.close(scout.volume)
    for number in points:
        disk = make_plain()
        first = encrypt(coffer, disk, "--crypttab", fault=f"{fault}:#{number}", expect=None)
        assert first.status in (-signal.SIGKILL, rig.FAILED, DONE), str(first)
        finish(coffer, disk, lambda disk=disk, **more: encrypt(
            coffer, disk, "--crypttab", **more), place)
        assert disk.volume in coffer.crypttab.read_text()
    record_count(record_property, f"encrypt {fault}", len(points))


def kill_after(process, seconds):
    """Ends a run at a moment of its own; false where it had ended already."""
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def test_encrypt_converges_after_kills_at_random_moments(coffer, make_plain, place,
                                                         record_property):
    rounds = max(2, 12 // SHARE)
    killed = 0
    for number in range(rounds):
        disk = make_plain()
        moments = random.Random(number)
        for _ in range(3):
            killed += kill_after(coffer.start("disk", "encrypt", disk, *coffer.secret()),
                                 moments.uniform(0.02, 0.5))
        finish(coffer, disk, lambda disk=disk, **more: encrypt(coffer, disk, **more), place)
    assert killed >= rounds
    record_count(record_property, "encrypt, killed at random moments", killed)
