# SPDX-License-Identifier: LGPL-2.1-or-later
"""disk repair-crypttab: lines come back from the devices and the vault's keys, those of others stay,
and what speaks for a key counts only where the key opens."""

import uuid

import pytest

import rig
from rig import DONE, REFUSED, tool

from test_crash import chosen, crash, points_of

FOREIGN = ("# kept\n"
           "  home\t\tUUID=0b1c   none  luks,discard\n"
           "swap /dev/disk/by-partuuid/1 /dev/urandom swap,cipher=aes-xts-plain64\n"
           "not a line that anybody reads\n")


def repair(coffer, *words, **more):
    return coffer.run("disk", "repair-crypttab", "--json", *coffer.secret(), *words, **more)


@pytest.fixture
def two(coffer, make_disk):
    """Two disks with lines in crypttab, closed; and the file as it was."""
    disks = [make_disk(), make_disk()]
    coffer.crypttab.write_text(FOREIGN)
    coffer.format(*disks, options=["--crypttab"])
    coffer.close(*disks)
    coffer.whole = coffer.crypttab.read_text()
    return disks


def of(result, disk):
    return next(found for found in result.json["disks"] if found["source"] == disk.node)


def test_whole_file_is_left_alone(coffer, two):
    before = coffer.crypttab.stat().st_mtime_ns
    result = repair(coffer)
    assert [of(result, disk)["line"] for disk in two] == ["kept", "kept"]
    assert [of(result, disk)["found_by"] for disk in two] == ["uuid", "uuid"]
    assert not result.json["changed"]
    assert coffer.crypttab.stat().st_mtime_ns == before


def test_lines_that_are_gone_come_back(coffer, two):
    coffer.crypttab.write_text(FOREIGN)
    result = repair(coffer, "--yes")
    assert result.json["changed"] and of(result, two[0])["line"] == "added"
    assert sorted(coffer.crypttab.read_text().splitlines()) == sorted(coffer.whole.splitlines())
    assert coffer.crypttab.read_text().startswith(FOREIGN)


def test_file_that_is_gone_comes_back(coffer, two):
    coffer.crypttab.unlink()
    repair(coffer, "--yes")
    assert len(coffer.crypttab.read_text().splitlines()) == 2


def test_source_and_key_are_put_right_and_options_stay(coffer, two):
    first = next(line for line in coffer.whole.splitlines() if line.startswith(two[0].volume))
    options = f"{first.split()[3]},discard"
    coffer.crypttab.write_text(coffer.whole.replace(
        first, f"{two[0].volume}   /dev/disk/by-id/gone\t/old.key {options}  # mine"))
    result = repair(coffer, "--yes")
    assert of(result, two[0])["line"] == "changed"
    name, source, key, _ = first.split()
    assert f"{name}   {source}\t{key} {options}  # mine\n" in coffer.crypttab.read_text()


def test_line_without_a_record_becomes_a_comment(coffer, two):
    key = coffer.whole.splitlines()[-1].split()[2]
    coffer.crypttab.write_text(coffer.whole + f"enc-gone /dev/disk/by-id/gone {key} luks\n")
    result = repair(coffer, "--yes")
    assert result.json["stale_lines"] == ["enc-gone"]
    assert coffer.crypttab.read_text() == \
        coffer.whole + f"# enc-gone /dev/disk/by-id/gone {key} luks\n"


def test_dry_run_shows_the_difference_and_changes_nothing(coffer, two):
    coffer.crypttab.write_text(FOREIGN)
    result = coffer.run("disk", "repair-crypttab", "--dry-run", *coffer.secret())
    assert f"--- {coffer.crypttab}\n" in result.out and f"+{two[0].volume} " in result.out
    assert coffer.crypttab.read_text() == FOREIGN
    assert of(repair(coffer, "--dry-run"), two[0])["line"] == "added"
    assert coffer.crypttab.read_text() == FOREIGN


def test_nobody_to_ask_is_refused(coffer, two):
    coffer.crypttab.write_text(FOREIGN)
    result = repair(coffer, expect=REFUSED)
    assert "--yes" in result.json["error"]["remedy"]
    assert of(result, two[0])["line"] == "added"  # what would have been
    assert coffer.crypttab.read_text() == FOREIGN


def test_question_is_answered_on_a_terminal(coffer, two):
    for answer, status, expected in (("no", REFUSED, FOREIGN), ("yes", DONE, coffer.whole)):
        coffer.crypttab.write_text(FOREIGN)
        with rig.Dialogue(coffer, "disk", "repair-crypttab", *coffer.secret()) as dialogue:
            dialogue.wait_for("Type yes")
            assert f"+{two[0].volume}" in dialogue.said
            assert dialogue.answer(answer) == status
        assert sorted(coffer.crypttab.read_text()) == sorted(expected)


def rename(disk, number):
    """Another file and another LUKS UUID: nothing speaks for its key any more."""
    disk.detach()
    tool("cryptsetup", "luksUUID", "-q", "--uuid", uuid.uuid4(), disk.file)
    disk.file = disk.file.rename(disk.file.with_name(f"{disk.file.name}-renamed{number}"))
    disk.attach()


def test_key_is_found_by_trial_alone(coffer, two):
    for number, disk in enumerate(two):
        name = disk.volume
        rename(disk, number)
        found = of(repair(coffer, "--dry-run"), disk)
        assert (found["found_by"], found["name"], found["line"]) == ("trial", name, "changed")
        assert "UUID" in found["note"]


def test_stable_name_and_line_are_hints(coffer, two):
    tool("cryptsetup", "luksUUID", "-q", "--uuid", uuid.uuid4(), two[0])
    assert of(repair(coffer), two[0])["found_by"] == "name"
    rename(two[1], 1)
    line = next(line for line in coffer.whole.splitlines() if two[1].volume[:-9] in line)
    coffer.crypttab.write_text(coffer.whole.replace(line.split()[1], two[1].node))
    found = of(repair(coffer), two[1])
    assert (found["found_by"], found["line"]) == ("line", "kept")


def test_hint_without_the_key_is_no_proof(coffer, two, place):
    """The device with a record's UUID and name, formatted by somebody else."""
    key = place / "key"
    key.write_text("x" * 30)
    header = tool("cryptsetup", "luksUUID", two[0]).stdout.strip()
    tool("cryptsetup", "luksFormat", "-q", "--uuid", header, "--pbkdf", "pbkdf2",
         "--pbkdf-force-iterations", "1000", two[0], key)
    result = repair(coffer)
    assert two[0].node in [found["source"] for found in result.json["orphan_devices"]]
    assert two[0].volume in result.json["orphan_keys"]
    # The line of a disk that is not here stays: it may be away for an hour.
    assert not result.json["changed"] and coffer.crypttab.read_text() == coffer.whole


def test_copy_of_a_disk_gets_no_line(coffer, two, make_disk):
    copy = make_disk()
    tool("cp", two[0].file, copy.file)
    result = repair(coffer)
    assert of(result, two[0])["line"] == "kept"
    assert "another device" in of(result, copy)["note"]
    assert not result.json["changed"]


def test_line_of_another_hand_keeps_its_device(coffer, two):
    own = FOREIGN + f"data {two[0].file} /etc/own.key luks\n"
    coffer.crypttab.write_text(own)
    # systemd makes a loop device of a file itself; a line names the device as well as the file.
    coffer.crypttab.write_text(own.replace(str(two[0].file), two[0].node))
    result = repair(coffer, "--yes")
    assert "data opens it already" in of(result, two[0])["note"]
    assert f"data {two[0].node} /etc/own.key luks\n" in coffer.crypttab.read_text()
    assert two[0].volume not in coffer.crypttab.read_text()


def test_disk_that_was_to_have_no_line_gets_none(coffer, disk):
    coffer.format(disk)
    result = repair(coffer)
    note = of(result, disk)["note"]
    assert "no line, for want of a stable name" in note and not coffer.crypttab.exists()
    # What the note says to type gives it the line, and leaves the disk alone.
    line = "coffer disk repair-crypttab --add"
    assert f"`{line}`" in note
    before = disk.digest()
    coffer.run(*line.split()[1:], "--yes", *coffer.secret())
    assert disk.volume in coffer.crypttab.read_text() and disk.digest() == before


def doctor_finds(coffer):
    found = coffer.run("doctor", "--json", *coffer.secret(), expect=None).json["findings"]
    return [entry for entry in found if entry["area"] == "crypttab"]


@pytest.mark.parametrize("source,key,fault", [
    ("{other}", "none", "names another disk"),
    ("UUID=123", "/nokey", "names a device that is not there"),
    ("{own}", "/nokey", "names a key file that is not there"),
])
def test_line_of_a_disk_without_one_is_mended(coffer, make_disk, source, key, fault):
    disks = [make_disk(), make_disk()]
    coffer.format(*disks)
    coffer.close(*disks)
    source = source.format(own=disks[0].node, other=disks[1].node)
    coffer.crypttab.write_text(f"{disks[0].volume} {source} {key} luks,noauto\n")
    shown = coffer.run("disk", "status", *coffer.secret()).out
    assert f"{disks[0].volume}: its line in {coffer.crypttab} {fault}" in " ".join(shown.split())
    found, = doctor_finds(coffer)
    assert found["subject"] == disks[0].volume
    assert found["remedy"] == "coffer disk repair-crypttab"
    assert repair(coffer, "--yes").json["changed"]
    name, source, mended, options = coffer.crypttab.read_text().split()
    assert name == disks[0].volume and source in (disks[0].node, str(disks[0].file))
    assert mended == "none" if key == "none" else mended.endswith("keys.sock")
    assert "noauto" in options
    assert not doctor_finds(coffer)
    again = {one["name"]: one for one in
             coffer.run("disk", "status", "--json", *coffer.secret()).disks}
    assert again[disks[0].volume]["crypttab_fault"] is None


def test_line_of_an_absent_disk_that_names_another_is_told_by_all(coffer, make_disk):
    disks = [make_disk(), make_disk()]
    coffer.format(*disks)
    coffer.close(*disks)
    coffer.crypttab.write_text(f"{disks[0].volume} {disks[1].node} none luks\n")
    disks[0].detach()
    told = coffer.run("disk", "repair-crypttab", *coffer.secret()).out
    assert f"{disks[0].volume}: its line names another disk: attach" in told
    assert "as it should be" not in told
    assert repair(coffer).json["stray_lines"] == [disks[0].volume]
    for found in (doctor_finds(coffer)[0]["remedy"],
                  coffer.run("disk", "status", *coffer.secret()).out):
        assert "attach the disk, then coffer disk repair-crypttab" in found.replace("`", "")


def test_status_says_that_a_line_names_another_disk(coffer, two):
    kept, lost = [next(line for line in coffer.whole.splitlines() if line.startswith(disk.volume))
                  for disk in two]
    coffer.crypttab.write_text(f"{kept.replace(str(two[0].file), two[1].node)}\n{lost}\n")
    told = coffer.run("disk", "status", *coffer.secret())
    assert f"{two[0].volume}: its line in {coffer.crypttab} names another disk" in told.out
    assert "`coffer disk repair-crypttab`" in told.out and "other" in told.out
    known = {found["name"]: found
             for found in coffer.run("disk", "status", "--json", *coffer.secret()).disks}
    assert known[two[0].volume]["crypttab_other"] and known[two[0].volume]["crypttab"]
    assert not known[two[1].volume]["crypttab_other"]
    repair(coffer, "--yes")
    assert "names another disk" not in coffer.run("disk", "status", *coffer.secret()).out


@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_repair_converges_after_a_stop_at_any_point(coffer, two, fault):
    def run(**more):
        return repair(coffer, "--yes", **more)
    coffer.crypttab.write_text(FOREIGN)
    points = points_of(run(fault="list"))
    assert "crypttab/replaced" in points
    for number in chosen(points):
        coffer.crypttab.write_text(FOREIGN)
        for copy in coffer.crypttab.parent.glob("crypttab.coffer-*"):
            copy.unlink()
        again = crash(run, number, fault)
        assert again.status == DONE, f"after {points[number - 1]}\n{again}"
        assert sorted(coffer.crypttab.read_text()) == sorted(coffer.whole)
