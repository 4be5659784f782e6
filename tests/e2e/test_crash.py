# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 at every point of every multi-step change, then the same command again.

COFFER_CRASH_SHARE=N takes every N-th point; 1 takes all of them, as ./run soak does.
"""

import os
import shutil
import signal

import pytest

import rig
from rig import DONE, tool

SHARE = int(os.environ.get("COFFER_CRASH_SHARE", "1"))
pytestmark = pytest.mark.slow


def points_of(result):
    """The names of the points that a run passed."""
    points = [line.split()[1] for line in result.err.splitlines()
              if line.startswith("fault-point ")]
    if not points:
        pytest.skip("built without -Dfaults=true: there are no points to stop at")
    return points


def chosen(points):
    """Numbers of the points to stop at; the first and the last are always among them."""
    return sorted({1, len(points), *range(1, len(points) + 1, SHARE)})


def crash(run, number, fault="kill"):
    """Runs up to a point, and once more to the end."""
    first = run(fault=f"{fault}:#{number}", expect=None)
    # Some steps are only a help to later runs: where one of them fails, the command goes on.
    wanted = (-signal.SIGKILL,) if fault == "kill" else (rig.FAILED, DONE)
    assert first.status in wanted, f"point {number}\n{first}"
    return run(expect=None)


def copy_of(coffer, place, number):
    """The same vault in another folder, for one round."""
    other = rig.Coffer(place / f"round{number}")
    shutil.copytree(coffer.vault, other.vault)
    shutil.copy2(coffer.recovery, other.recovery)
    shutil.copy2(coffer.passphrase, other.passphrase)
    return other


def record_count(record_property, name, count):
    record_property("rounds", count)
    print(f"{name}: {count} rounds")


def assert_usable(coffer, disk):
    """The key is in the vault, opens with cryptsetup too, and the volume can be used."""
    coffer.run("disk", "close", disk, *coffer.secret())
    found = coffer.open(disk).disks[0]
    assert rig.is_block_device(found["device"])
    out = coffer.folder / "key"
    out.unlink(missing_ok=True)
    coffer.run("key", "export", f"disk/{disk.volume}", "--out", out, *coffer.secret())
    tool("cryptsetup", "open", "--test-passphrase", "--key-file", out, disk)
    coffer.close(disk)


@pytest.mark.guest
@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_format_converges_after_a_stop_at_any_point(coffer, make_disk, record_property, fault):
    # The first unlocking of a new vault writes what no later one does.
    coffer.run("key", "list", *coffer.secret())
    scout = make_disk()
    points = points_of(coffer.format(scout, options=["--crypttab"], fault="list"))
    coffer.close(scout)
    for number in chosen(points):
        disk = make_disk()
        again = crash(lambda disk=disk, **more: coffer.format(
            disk, options=["--crypttab"], **more), number, fault)
        assert again.status == DONE, f"after {points[number - 1]}\n{again}"
        assert_usable(coffer, disk)
        disk.detach()
        disk.file.unlink()
    record_count(record_property, "format", len(chosen(points)))


def test_init_converges_after_a_stop_at_any_point(place, record_property):
    def fresh(name):
        made = rig.Coffer(place / name)
        made.passphrase.write_text("first\n")
        return made
    points = points_of(fresh("scout").init(fault="list"))
    for number in chosen(points):
        coffer = fresh(f"round{number}")
        again = crash(coffer.init, number)
        # The last point may come after the vault is whole: then there is nothing to do.
        assert again.status in (DONE, rig.REFUSED), f"after {points[number - 1]}\n{again}"
        coffer.run("unlock", "--passphrase-file", coffer.passphrase)
        coffer.run("lock")
        coffer.run("key", "list", "--passphrase-file", coffer.recovery)
    record_count(record_property, "init", len(chosen(points)))


def test_passwd_leaves_one_passphrase_that_opens(coffer, place, record_property):
    def change(made, **more):
        (made.folder / "new").write_text("the new passphrase\n")
        return made.run("passwd", "--passphrase-file", made.passphrase,
                        "--new-passphrase-file", made.folder / "new", **more)
    points = points_of(change(copy_of(coffer, place, 0), fault="list"))
    for number in chosen(points):
        made = copy_of(coffer, place, number)
        again = crash(lambda made=made, **more: change(made, **more), number)
        # Where the old passphrase was gone already, the same command finds it wrong.
        assert again.status in (DONE, rig.WRONG_KEY), f"after {points[number - 1]}\n{again}"
        made.run("key", "list", "--passphrase-file", made.folder / "new")
        made.run("key", "list", "--passphrase-file", made.passphrase, expect=rig.WRONG_KEY)
        made.run("key", "list", *made.secret())
    record_count(record_property, "passwd", len(chosen(points)))


def test_revoke_leaves_every_record_readable(coffer, disk, place, record_property):
    coffer.format(disk)
    coffer.close(disk)

    def revoke(made, **more):
        (made.folder / "new").write_text("the new passphrase\n")
        uuid = made.run("status", "--json").json["vault"]["uuid"]
        return made.run("revoke", "--passphrase-file", made.passphrase, "--new-passphrase-file",
                        made.folder / "new", "--recovery-out", made.folder / "new-recovery",
                        "--yes-destroy", uuid, **more)
    points = points_of(revoke(copy_of(coffer, place, 0), fault="list"))
    for number in chosen(points):
        made = copy_of(coffer, place, number)
        again = crash(lambda made=made, **more: revoke(made, **more), number)
        assert again.status in (DONE, rig.WRONG_KEY), f"after {points[number - 1]}\n{again}"
        made.run("disk", "open", disk, "--passphrase-file", made.folder / "new-recovery")
        made.run("disk", "close", disk, "--passphrase-file", made.folder / "new-recovery")
        made.run("key", "list", *made.secret(), expect=rig.WRONG_KEY)
    record_count(record_property, "revoke", len(chosen(points)))
