# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 at every point of adopting, rotating and destroying, then the same command again.

At no point may there be a disk whose data neither the vault nor the old passphrase opens, unless
its name was typed to destroy it.
"""

import signal

import pytest

import rig
from rig import DONE
from test_adopt import adopt, encrypt, opens, slots, stored_key
from test_crash import assert_usable, chosen, crash, points_of, record_count
from test_destroy import assert_gone, certificates, destroy
from test_rotate import kinds, rotate

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def unlocked_before(coffer):
    """The first unlocking of a new vault writes what no later one does: the rounds after it would
    pass fewer points than the one that counts them."""
    coffer.run("key", "list", *coffer.secret())


@pytest.fixture
def key(place):
    path = place / "old.key"
    path.write_text("what somebody chose long ago")
    return path


@pytest.mark.parametrize("fault", ["kill", "fail"])
@pytest.mark.parametrize("kind", ["luks1", "luks2"])
def test_adopt_converges_after_a_stop_at_any_point(coffer, make_disk, key, record_property, kind,
                                                   fault):
    points = points_of(adopt(coffer, encrypt(make_disk(), key, kind), key=key,
                             options=["--crypttab"], fault="list"))
    for number in chosen(points):
        disk = encrypt(make_disk(), key, kind)

        def run(disk=disk, **more):
            result = adopt(coffer, disk, key=key, options=["--crypttab"], **more)
            assert opens(disk, key), f"after {points[number - 1]}"
            return result
        again = crash(run, number, fault)
        assert again.status == DONE, f"after {points[number - 1]}\n{again}"
        assert len(slots(disk)) == 2 and disk.volume in coffer.crypttab.read_text()
        assert_usable(coffer, disk)
        disk.detach()
    record_count(record_property, "adopt", len(chosen(points)))


@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_only_never_leaves_a_disk_that_nothing_opens(coffer, make_disk, key, record_property,
                                                     fault):
    def only(disk, **more):
        return adopt(coffer, disk, key=key, options=["--only", "--yes-destroy", disk], **more)
    points = points_of(only(encrypt(make_disk(), key), fault="list"))
    for number in chosen(points):
        disk = encrypt(make_disk(), key)

        def run(disk=disk, **more):
            result = only(disk, **more)
            if not opens(disk, key):
                coffer.open(disk, options=["--test"])
            return result
        again = crash(run, number, fault)
        assert again.status == DONE, f"after {points[number - 1]}\n{again}"
        assert len(slots(disk)) == 1 and not opens(disk, key)
        assert_usable(coffer, disk)
        disk.detach()
    record_count(record_property, "adopt --only", len(chosen(points)))


@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_rotate_leaves_a_newest_key_that_opens(coffer, make_disk, record_property, fault):
    disk = make_disk()
    coffer.format(disk)
    coffer.close(disk)
    points = points_of(rotate(coffer, disk, fault="list"))
    for number in chosen(points):
        before = stored_key(coffer, disk.volume)

        def run(**more):
            result = rotate(coffer, disk, **more)
            assert opens(disk, stored_key(coffer, disk.volume)), f"after {points[number - 1]}"
            return result
        again = crash(run, number, fault)
        assert again.status == DONE, f"after {points[number - 1]}\n{again}"
        assert len(slots(disk)) == 1 and not opens(disk, before)
        assert kinds(coffer) == ["disk", "disk-header"]
    assert_usable(coffer, disk)
    record_count(record_property, "rotate", len(chosen(points)))


@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_destroy_converges_after_a_stop_at_any_point(coffer, make_disk, record_property, fault):
    def made():
        disk = make_disk()
        coffer.format(disk, options=["--crypttab"])
        coffer.close(disk)
        return disk
    points = points_of(destroy(coffer, made(), fault="list"))
    for number in chosen(points):
        disk = made()
        first = destroy(coffer, disk, fault=f"{fault}:#{number}", expect=None)
        assert first.status in (-signal.SIGKILL, rig.FAILED, DONE), first
        if "disk" in kinds(coffer):
            # Whatever is left on the disk, the vault has the key and the header's copy.
            assert kinds(coffer) == ["disk", "disk-header"], f"after {points[number - 1]}"
        again = destroy(coffer, disk, expect=None)
        # The last points come after everything is done: then the disk is not known any more.
        assert again.status in (DONE, rig.NO_DEVICE), f"after {points[number - 1]}\n{again}"
        assert_gone(coffer, disk)
        assert disk.volume not in coffer.crypttab.read_text()
        assert certificates(coffer, disk.volume)[-1]["detail"].get("limits") or \
            certificates(coffer, disk.volume)[-2]["detail"]["limits"]
        disk.detach()
    record_count(record_property, "destroy", len(chosen(points)))
