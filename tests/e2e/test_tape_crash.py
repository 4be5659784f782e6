# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 and failures at every point of labelling, loading and running, then the same again.

At no point may a drive keep a key that nobody has asked to stay, may a block be written clear, or a
volume have a key that the vault has not.
"""

import pytest

import rig
import tape_rig
from rig import DONE, FAILED, tool
from test_crash import chosen, crash, points_of, record_count
from test_tape import make_drive, tape, writer  # noqa: F401 pylint: disable=unused-import

pytestmark = [pytest.mark.slow,
              pytest.mark.skipif(not tape_rig.EMULATOR.exists(), reason="built without tests")]


@pytest.fixture(autouse=True)
def unlocked_before(coffer):
    """The first unlocking of a new vault writes what no later one does."""
    coffer.run("key", "list", *coffer.secret())


def keys(coffer, kind):
    rows = coffer.run("key", "list", "--json", *coffer.secret()).json["keys"]
    return [row["name"] for row in rows if row["kind"] == kind]


@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_label_converges_after_a_stop_at_any_point(coffer, make_drive, place, record_property,
                                                   fault):
    drive = make_drive()
    points = points_of(tape(coffer, "label", "nst0", "--volume", "SCOUT", fault="list"))
    for number in chosen(points):
        volume = f"V{number}"
        drive.load(tape_rig.make_tape(place / f"{volume}.tape", serial=volume))

        def label(volume=volume, **more):
            return tape(coffer, "label", "nst0", "--volume", volume, **more)
        before = len(keys(coffer, "tape-key"))
        again = crash(label, number, fault)
        assert again.status == DONE, f"after {points[number - 1]}\n{again}"
        assert not drive.has_key(), f"after {points[number - 1]}"
        assert len(keys(coffer, "tape-key")) == before + 1, f"after {points[number - 1]}"
        tape(coffer, "load", "nst0", "--volume", volume)
        drive.write(b"secret")
        assert tape_rig.blocks_of(place / f"{volume}.tape")[0][0] == "E"
    record_count(record_property, "tape label", len(chosen(points)))


@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_load_that_is_stopped_leaves_no_key(coffer, make_drive, record_property, fault):
    drive = make_drive()
    tape(coffer, "label", "nst0", "--volume", "A1")

    def load(**more):
        return tape(coffer, "load", "nst0", "--volume", "A1", **more)
    points = points_of(load(fault="list"))
    for number in chosen(points):
        tape(coffer, "clear", "nst0", secret=False)
        stopped = load(fault=f"{fault}:#{number}", expect=None)
        shown = tape(coffer, "status", "nst0", "--json", secret=False).json["drives"][0]
        # Until the note is about to go, the key counts as a stray one; then it is to stay.
        stays = stopped.status == DONE or number > points.index("tape/settling") + 1
        assert shown["has_key"] == drive.has_key() == stays, f"after {points[number - 1]}"
        load()
        assert drive.has_key()
    record_count(record_property, "tape load", len(chosen(points)))


@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_run_that_is_stopped_leaves_no_key(coffer, make_drive, record_property, fault):
    drive = make_drive()
    tape(coffer, "label", "nst0", "--volume", "A1")

    def run(**more):
        return coffer.run("tape", "run", "nst0", "--volume", "A1", *coffer.secret(), "--",
                          *writer(drive), **more)
    points = points_of(run(fault="list"))
    for number in chosen(points):
        again = crash(run, number, fault)
        assert again.status == DONE, f"after {points[number - 1]}\n{again}"
        assert not drive.has_key(), f"after {points[number - 1]}"
    assert {letter for letter, _ in tape_rig.blocks_of(drive.tape)} == {"E"}
    record_count(record_property, "tape run", len(chosen(points)))


@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_import_of_bareos_converges_after_a_stop_at_any_point(coffer, place, record_property, fault):
    data = rig.TOP / "tests/data/bareos"
    wrapped = (data / "wrapped1.b64").read_text()

    def bring(volume, **more):
        lines = place / volume
        lines.write_text(f"{volume}-A\t{wrapped}\n{volume}-B\t{wrapped}\n")
        return coffer.run("import", "bareos", lines, "--kek-file", data / "kek.txt", "--json",
                          *coffer.secret(), **more)
    points = points_of(bring("SCOUT", fault="list"))
    for number in chosen(points):
        volume = f"V{number}"
        again = crash(lambda volume=volume, **more: bring(volume, **more), number, fault)
        assert again.status == DONE, f"after {points[number - 1]}\n{again}"
        assert again.json["added"] + again.json["same"] == 2
    volumes = keys(coffer, "tape")
    assert len(volumes) == len(keys(coffer, "tape-key")) == 2 * len(chosen(points)) + 2
    record_count(record_property, "import bareos", len(chosen(points)))


def test_a_full_disk_keeps_the_key_out_of_the_drive(coffer, make_drive):
    drive = make_drive()
    tape(coffer, "label", "nst0", "--volume", "A1")
    folder = coffer.root / "run"
    tool("mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs", folder)
    try:
        tape(coffer, "clear", "nst0", secret=False)
        (folder / "fill").write_bytes(b"")
        tool("dd", "if=/dev/zero", f"of={folder}/fill", "bs=4k", check=False)
        done = tape(coffer, "load", "nst0", "--volume", "A1", expect=FAILED)
        assert "space" in done.err or "room" in done.err, done
        assert not drive.has_key()
        (folder / "fill").unlink()
        tape(coffer, "load", "nst0", "--volume", "A1")
        assert drive.has_key()
    finally:
        tool("umount", folder)
