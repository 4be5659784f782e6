# SPDX-License-Identifier: LGPL-2.1-or-later
"""Names of disks on the command line: what they may be, and what is said when nothing has them."""

import pytest

import contents
from rig import DONE, NO_DEVICE, REFUSED, USAGE, Dialogue, tool

QUESTION = "to go on"


def only(result):
    assert len(result.disks) == 1, result
    return result.disks[0]


def assert_not_asked(coffer, *names, expect):
    """Formats on a terminal, where it must end by itself without a question."""
    with Dialogue(coffer, "disk", "format", *names, *coffer.secret()) as dialogue:
        while dialogue.process.poll() is None:
            dialogue.hear(0.1)
            assert QUESTION not in dialogue.said, dialogue.said
        while dialogue.hear(0):
            pass
        assert QUESTION not in dialogue.said, dialogue.said
        assert dialogue.process.returncode == expect, dialogue.said
        return dialogue.said


@pytest.mark.parametrize("wrong, status", [("/dev/nosuchdisk", NO_DEVICE), ("nosuchdisk", NO_DEVICE),
                                           ("/dev/null", USAGE)])
def test_wrong_name_is_told_before_anything_is_asked(coffer, disk, wrong, status):
    before = disk.digest()
    assert wrong in assert_not_asked(coffer, disk, wrong, expect=status)
    assert disk.digest() == before


def test_disk_named_twice_is_told_before_anything_is_asked(coffer, disk):
    said = assert_not_asked(coffer, disk, disk.node.removeprefix("/dev/"), expect=USAGE)
    assert "named twice" in said


def test_refusal_is_told_before_anything_is_asked(coffer, make_disk):
    good, bad = make_disk(), make_disk()
    contents.ext4(bad)
    before = good.digest()
    said = assert_not_asked(coffer, good, bad, expect=REFUSED)
    assert "ext4" in said and "was not touched, since another device was refused" in said
    assert good.digest() == before


def test_wrong_name_needs_no_passphrase_to_be_told(coffer, disk):
    refused = coffer.run("disk", "format", disk, "/dev/nosuchdisk", "--json", "--yes-destroy", disk,
                         expect=NO_DEVICE)
    assert [entry["state"] for entry in refused.disks] == ["untouched", "failed"]


def test_wrong_name_in_a_script_leaves_the_others_untouched(coffer, disk):
    before = disk.digest()
    coffer.format(disk, "/dev/nosuchdisk", expect=NO_DEVICE)
    assert disk.digest() == before
    assert disk.volume not in coffer.run("key", "list", "--json", *coffer.secret()).out


def test_close_of_a_path_that_does_not_exist_is_no_success(coffer):
    assert "does not exist" in coffer.close("/dev/nosuchdisk", expect=NO_DEVICE).err


def test_close_of_a_name_that_nobody_has_says_so(coffer):
    refused = coffer.close("nosuchdisk", expect=NO_DEVICE)
    assert "neither a device nor a volume of that name is known" in refused.err


@pytest.mark.parametrize("verb", ["open", "close"])
def test_near_names_are_told(coffer, disk, verb):
    coffer.format(disk)
    told = coffer.run("disk", verb, disk.file.name, *coffer.secret(), expect=NO_DEVICE).err
    assert disk.volume in told, told


def test_absent_disk_of_the_vault_is_to_be_attached(coffer, disk):
    coffer.format(disk)
    coffer.close(disk)
    disk.detach()
    told = coffer.run("disk", "open", disk.volume, *coffer.secret(), expect=NO_DEVICE).err
    assert "attach it" in told, told


def test_near_node_is_told(coffer, disk):
    told = coffer.open(disk.node + "x", expect=NO_DEVICE).err
    assert disk.node in told.split("try:")[1], told


def test_no_device_is_offered_to_a_verb_that_destroys(coffer, disk):
    for verb in "format", "adopt":
        told = coffer.run("disk", verb, disk.node + "x", *coffer.secret(), expect=NO_DEVICE).err
        assert told.split("try:")[1].strip() == "coffer disk list", told
    told = coffer.run("disk", "destroy", disk.node + "x", *coffer.secret(), expect=NO_DEVICE).err
    assert disk.node not in told.split("try:")[1], told


def test_device_that_is_no_disk_of_the_vault_is_not_offered_itself(coffer, disk):
    tool("mkfs.ext4", "-q", disk.node)
    told = coffer.run("disk", "open", disk.node, *coffer.secret(), expect=None).err
    assert disk.node not in told.split("try:")[-1], told


def test_name_without_a_near_one_is_sent_to_the_list(coffer):
    assert "coffer disk list" in coffer.close("qqqqqqqqqqqqqqqq", expect=NO_DEVICE).err


def test_close_of_a_device_without_encryption_says_that_nothing_is_open(coffer, disk):
    told = coffer.run("disk", "close", disk, *coffer.secret())
    assert told.out == f"{disk} is not open (it has no LUKS header)\n"
    entry = only(coffer.close(disk))
    assert (entry["state"], entry["changed"]) == (None, False)


def test_close_of_a_stranger_says_that_it_is_no_disk_of_the_vault(coffer, disk):
    contents.luks2(disk)
    told = coffer.run("disk", "close", disk, *coffer.secret())
    assert told.out == f"{disk} is not open (and no disk of the vault)\n"


def test_close_on_a_terminal_calls_nothing_closed_that_was_not_open(coffer, disk):
    with Dialogue(coffer, "disk", "close", str(disk), *coffer.secret()) as dialogue:
        while dialogue.process.poll() is None:
            dialogue.hear(0.1)
        while dialogue.hear(0):
            pass
        assert dialogue.process.returncode == DONE
        assert "closed" not in dialogue.said, dialogue.said


def test_close_by_device_of_a_closed_disk_names_the_disk(coffer, disk):
    coffer.format(disk)
    coffer.close(disk)
    entry = only(coffer.close(disk.node))
    assert (entry["name"], entry["state"], entry["changed"]) == (disk.volume, "closed", False)


def test_dry_run_of_close_calls_nothing_closed_that_was_not_open(coffer, disk):
    coffer.format(disk)
    coffer.close(disk)
    told = coffer.run("disk", "close", disk, "--dry-run", *coffer.secret()).out
    assert told == f"{disk.volume} is not open\n"


def test_plaintext_node_of_a_closed_volume_is_not_open(coffer, disk):
    coffer.format(disk)
    coffer.close(disk)
    assert only(coffer.close(f"/dev/mapper/{disk.volume}"))["state"] == "closed"
