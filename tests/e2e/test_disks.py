# SPDX-License-Identifier: LGPL-2.1-or-later
"""The life of disks that the vault keeps: format, open, use, close."""

import os
import pathlib
import subprocess

import pytest

import rig
from rig import BUSY, DAMAGED, DONE, LOCKED, NO_DEVICE, REFUSED, WRONG_KEY, mounted, tool

BACKENDS = ("dm-crypt", "user")
SAMPLE = next(path for path in (pathlib.Path("/usr/share/doc/util-linux"),
                                pathlib.Path("/usr/share/common-licenses")) if path.is_dir())


def only(result):
    """The one disk that a result is about."""
    assert len(result.disks) == 1, result
    return result.disks[0]


def status_of(coffer, disk):
    return coffer.run("disk", "status", disk.volume, "--json", *coffer.secret())


def test_format_answers_with_the_documented_form(coffer, disk):
    found = only(coffer.format(disk))
    assert found["name"] == disk.volume
    assert found["source"] == disk.node
    assert found["state"] == "open"
    assert found["backend"] in BACKENDS
    assert rig.is_block_device(found["device"])


def test_backend_is_the_one_that_this_machine_has(coffer, disk):
    expected = os.environ.get("COFFER_EXPECT_BACKEND") or \
        ("dm-crypt" if rig.has_device_mapper() else "user")
    assert only(coffer.format(disk))["backend"] == expected


def test_open_after_close_answers_with_the_documented_form(coffer, disk):
    coffer.format(disk)
    coffer.close(disk)
    found = only(coffer.open(disk))
    assert (found["name"], found["source"], found["state"]) == (disk.volume, disk.node, "open")
    assert rig.is_block_device(found["device"])


def has_filesystem(kind):
    tool("modprobe", "-q", kind, check=False)
    with open("/proc/filesystems", encoding="utf-8") as known:
        return any(line.split()[-1] == kind for line in known)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "vfat"])
def test_files_are_the_same_after_close_and_open(coffer, make_disk, place, kind):
    if not has_filesystem(kind):
        pytest.skip(f"this kernel has no {kind}: runs in the guest")
    disk = make_disk(size_mib=384 if kind == "xfs" else 96)
    plain = only(coffer.format(disk))["device"]
    tool(f"mkfs.{kind}", *(["-q"] if kind != "vfat" else []), plain)
    with mounted(plain, place / "mnt") as folder:
        tool("cp", "-r", "--dereference", SAMPLE, folder / "tree")
        written = rig.tree_digest(folder / "tree")
    coffer.close(disk)
    plain = only(coffer.open(disk))["device"]
    with mounted(plain, place / "mnt", "-o", "ro") as folder:
        assert rig.tree_digest(folder / "tree") == written


def test_no_known_text_is_on_the_raw_disk(coffer, disk, place):
    text = b"a sentence that nobody else has written to this disk"
    plain = only(coffer.format(disk))["device"]
    tool("mkfs.ext4", "-q", plain)
    with mounted(plain, place / "mnt") as folder:
        (folder / "file").write_bytes(text * 20000)
    coffer.close(disk)
    assert text not in disk.file.read_bytes()


def test_cryptsetup_reads_the_header(coffer, disk):
    coffer.format(disk)
    dump = tool("cryptsetup", "luksDump", disk).stdout
    assert "Version:       \t2" in dump
    assert "aes-xts-plain64" in dump
    assert "512 bits" in dump


def test_sector_size_is_4096(coffer, disk):
    coffer.format(disk)
    assert "sector: 4096 [bytes]" in tool("cryptsetup", "luksDump", disk).stdout


def test_exported_key_opens_the_disk_with_cryptsetup(coffer, disk, place):
    coffer.format(disk)
    coffer.run("key", "export", f"disk/{disk.volume}", "--out", place / "key", *coffer.secret())
    assert (place / "key").stat().st_mode & 0o777 == 0o600
    tool("cryptsetup", "open", "--test-passphrase", "--key-file", place / "key", disk)


def stable_name(coffer, disk):
    """What a line of fstab may say, whatever serves the disk."""
    return {"dm-crypt": f"/dev/mapper/{disk.volume}",
            "user": f"/dev/coffer/{disk.volume}"}[only(status_of(coffer, disk))["backend"]]


def test_plaintext_has_the_same_name_at_each_opening(coffer, make_disk, place):
    first, second = make_disk(), make_disk()
    plain = only(coffer.format(first))["device"]
    assert plain == stable_name(coffer, first)
    tool("mkfs.ext4", "-q", plain)
    coffer.close(first)
    assert not pathlib.Path(plain).is_symlink()
    # Takes the number of the loop device that has become free.
    coffer.format(second)
    assert only(coffer.open(first))["device"] == plain
    with mounted(plain, place / "mnt") as folder:
        (folder / "file").write_text("written")
        assert "is mounted at" in coffer.close(plain, expect=BUSY).err
    coffer.close(plain)
    assert only(status_of(coffer, first))["state"] == "closed"


def test_stable_name_of_a_closed_disk_is_known_to_close(coffer, disk):
    plain = only(coffer.format(disk))["device"]
    coffer.close(plain)
    entry = only(coffer.close(plain))
    assert (entry["name"], entry["state"], entry["changed"]) == (disk.volume, "closed", False)


def test_open_after_one_that_was_killed_gives_the_stable_name(coffer, disk):
    if only(coffer.format(disk))["backend"] != "user":
        pytest.skip("device-mapper makes its names itself")
    coffer.close(disk)
    killed = coffer.open(disk, fault="kill:engine-open/attached", expect=None)
    if killed.status == DONE:
        pytest.skip("built without -Dfaults=true: there are no points to stop at")
    assert only(coffer.open(disk))["device"] == stable_name(coffer, disk)


@pytest.mark.parametrize("by", ["source", "name", "plaintext"])
def test_close_takes_any_name_of_the_disk(coffer, disk, by):
    found = only(coffer.format(disk))
    coffer.close({"source": disk.node, "name": disk.volume, "plaintext": found["device"]}[by])
    assert only(status_of(coffer, disk))["state"] == "closed"


def test_close_of_a_closed_disk_does_nothing(coffer, disk):
    coffer.format(disk)
    coffer.close(disk)
    assert only(coffer.close(disk))["state"] == "closed"


def test_close_refuses_a_mounted_disk(coffer, disk, place):
    plain = only(coffer.format(disk))["device"]
    tool("mkfs.ext4", "-q", plain)
    with mounted(plain, place / "mnt") as folder:
        refused = coffer.close(disk, expect=BUSY)
        assert str(folder) in refused.out + refused.err
        (folder / "still").write_text("writable")


def test_open_of_an_open_disk_does_nothing(coffer, disk):
    first = only(coffer.format(disk))
    assert only(coffer.open(disk))["device"] == first["device"]


def test_format_of_a_disk_that_the_vault_keeps_leaves_its_data(coffer, disk, place):
    plain = only(coffer.format(disk))["device"]
    tool("mkfs.ext4", "-q", plain)
    with mounted(plain, place / "mnt") as folder:
        (folder / "file").write_text("kept")
    coffer.close(disk)
    coffer.format(disk, expect=None)
    plain = only(coffer.open(disk))["device"]
    with mounted(plain, place / "mnt", "-o", "ro") as folder:
        assert (folder / "file").read_text() == "kept"


def test_dry_run_of_format_changes_nothing(coffer, disk):
    before = disk.digest()
    coffer.format(disk, options=["--dry-run"])
    assert disk.digest() == before
    listed = coffer.run("key", "list", "--json", *coffer.secret())
    assert disk.volume not in listed.out


def test_several_disks_are_formatted_at_once(coffer, make_disk):
    disks = [make_disk() for _ in range(4)]
    found = coffer.format(*disks).disks
    assert {entry["source"] for entry in found} == {disk.node for disk in disks}
    assert {entry["state"] for entry in found} == {"open"}
    assert len({entry["device"] for entry in found}) == 4


def test_one_refused_disk_does_not_stop_the_others(coffer, make_disk):
    good, bad = make_disk(), make_disk()
    tool("mkfs.ext4", "-q", bad)
    states = {entry["source"]: entry["state"]
              for entry in coffer.format(bad, good, expect=REFUSED).disks}
    assert states == {good.node: "open", bad.node: "failed"}


def test_open_all_opens_every_disk_that_is_here(coffer, make_disk):
    disks = [make_disk() for _ in range(3)]
    coffer.format(*disks)
    coffer.run("disk", "close", "--all", *coffer.secret())
    opened = coffer.run("disk", "open", "--all", "--json", *coffer.secret()).disks
    assert {entry["source"] for entry in opened} == {disk.node for disk in disks}


def empty_texts(value, where=""):
    """The places of empty texts in a document."""
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in empty_texts(item, f"{where}.{key}")]
    if isinstance(value, list):
        return [found for item in value for found in empty_texts(item, where + "[]")]
    return [where] if value == "" else []


@pytest.mark.parametrize("words", [["disk", "list"], ["disk", "status"], ["disk", "close"],
                                   ["disk", "open"], ["disk", "format", "--dry-run"], ["status"],
                                   ["disk", "close", "/dev/nosuchdisk"], ["slots"]],
                         ids=" ".join)
def test_json_has_null_for_what_is_not_known(coffer, disk, words):
    coffer.format(disk)
    if words in (["disk", "close"], ["disk", "open"], ["disk", "format", "--dry-run"]):
        words = [*words, str(disk)]
    secret = coffer.secret() if words[0] == "disk" else ()
    told = coffer.run(*words, "--json", *secret, expect=None)
    assert empty_texts(told.json) == []


def test_list_has_no_by_id_name_for_a_loop_device_but_its_file(coffer, disk):
    entry = next(entry for entry in coffer.run("disk", "list", "--json").json["devices"]
                 if entry["device"] == disk.node)
    assert (entry["by_id"], entry["backing_file"]) == (None, str(disk.file))
    line = next(line for line in coffer.run("disk", "list").out.splitlines()
                if line.startswith(disk.node + " "))
    assert line.split()[1] == "-"
    assert f"loop on {disk.file.name}" in line


def test_list_shows_the_disk_as_open(coffer, disk):
    coffer.format(disk)
    listed = coffer.run("disk", "list", "--json", *coffer.secret()).json["devices"]
    entry = next(entry for entry in listed if entry["device"] == disk.node)
    assert (entry["open_as"], entry["name"]) == (disk.volume, disk.volume)
    assert entry["header_copy"]


def test_status_shows_backend_and_header_copy(coffer, disk):
    found = only(coffer.format(disk))
    entry = only(status_of(coffer, disk))
    assert (entry["state"], entry["backend"]) == ("open", found["backend"])
    assert entry["header_copy"]


def test_read_only_open_refuses_writes(coffer, disk):
    coffer.format(disk)
    coffer.close(disk)
    plain = only(coffer.open(disk, options=["--read-only"]))["device"]
    assert tool("blockdev", "--getro", plain).stdout.strip() == "1"
    with pytest.raises(OSError):
        with open(plain, "r+b", buffering=0) as device:
            device.write(bytes(4096))
            os.fsync(device.fileno())


def test_read_only_open_refuses_a_volume_that_is_open_for_writing(coffer, disk):
    coffer.format(disk)
    refused = coffer.open(disk, options=["--read-only"], expect=BUSY)
    assert refused.disks[0]["error"]["text"] == "is open for writing"
    assert f"coffer disk close {disk.volume}, then" in refused.disks[0]["error"]["remedy"]
    coffer.run("disk", "open", disk, "--read-only", "--dry-run", *coffer.secret(), expect=BUSY)
    coffer.open(disk)
    coffer.close(disk)
    coffer.open(disk, options=["--read-only"])
    assert not only(coffer.open(disk, options=["--read-only"]))["changed"]


def test_swapped_disk_is_not_opened(coffer, make_disk):
    first, second = make_disk(), make_disk()
    coffer.format(first, second)
    coffer.close(first, second)
    first.detach()
    second.detach()
    swap = first.file.with_suffix(".swap")
    first.file.rename(swap)
    second.file.rename(first.file)
    swap.rename(second.file)
    first.attach()
    coffer.open(first, expect=(REFUSED, DAMAGED))
    assert not pathlib.Path("/dev/mapper", first.volume).exists()


def test_foreign_luks_is_no_disk_of_the_vault(coffer, disk):
    tool("cryptsetup", "luksFormat", "-q", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000",
         disk, "/etc/hostname")
    coffer.open(disk, expect=NO_DEVICE)


def test_wrong_passphrase_opens_nothing(coffer, disk, place):
    coffer.format(disk)
    coffer.close(disk)
    (place / "wrong").write_text("not the passphrase\n")
    coffer.run("disk", "open", disk, "--passphrase-file", place / "wrong", expect=WRONG_KEY)


def test_agent_answers_for_the_passphrase_until_it_is_locked(coffer, disk):
    coffer.run("unlock", *coffer.secret())
    coffer.run("disk", "format", disk, "--yes-destroy", disk)
    coffer.run("disk", "close", disk)
    coffer.run("lock")
    coffer.run("disk", "open", disk, expect=LOCKED)


def test_close_refuses_when_the_header_is_gone(coffer, disk):
    coffer.format(disk)
    # Both copies of the header's metadata and the keyslots: what dd by mistake does to a disk.
    disk.write(0, bytes(rig.MIB))
    coffer.close(disk, expect=(REFUSED, DAMAGED))
    coffer.close(disk, options=["--force"])


def test_two_formats_of_one_disk_leave_one_that_opens(coffer, disk):
    words = ("disk", "format", disk, "--yes-destroy", disk, "--json", *coffer.secret())
    runs = [coffer.start(*words) for _ in range(2)]
    for run in runs:
        run.communicate(timeout=120)
    assert sorted(run.returncode for run in runs)[0] == 0
    assert all(run.returncode in (0, REFUSED, BUSY) for run in runs)
    coffer.close(disk)
    coffer.open(disk)


@pytest.mark.skipif(rig.has_device_mapper(), reason="here the engine's turns are tested")
def test_two_opens_of_one_disk_both_say_that_it_is_open(coffer, disk):
    coffer.format(disk)
    coffer.close(disk)
    words = ("disk", "open", disk.volume, "--json", *coffer.secret())
    runs = [coffer.start(*words) for _ in range(2)]
    told = [run.communicate(timeout=120) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], told
    coffer.close(disk)


def test_commands_at_the_same_time_lose_no_key(coffer, make_disk):
    disks = [make_disk() for _ in range(4)]
    runs = [coffer.start("disk", "format", disk, "--yes-destroy", disk, *coffer.secret())
            for disk in disks]
    told = [run.communicate(timeout=240) for run in runs]
    assert [run.returncode for run in runs] == [0] * 4, told
    coffer.close(*disks)
    assert len(coffer.open(*disks).disks) == 4


def test_killed_process_loses_nothing_that_was_flushed(coffer, disk, place):
    found = only(coffer.format(disk))
    if found["backend"] != "user":
        pytest.skip("dm-crypt has no process to kill")
    data = os.urandom(rig.MIB)
    with open(found["device"], "r+b") as device:
        device.write(data)
        device.flush()
        os.fsync(device.fileno())
    rig.end_engines(str(place))
    coffer.close(disk, options=["--force"])
    with open(only(coffer.open(disk))["device"], "rb") as device:
        assert device.read(rig.MIB) == data


def test_no_secret_is_in_any_process_arguments_or_message(coffer, disk):
    phrase = coffer.recovery.read_text().strip()
    done = coffer.format(disk)
    assert phrase not in done.out + done.err
    assert phrase not in subprocess.run(["ps", "axww", "-o", "args"], capture_output=True,
                                        text=True, check=True).stdout


def test_status_of_an_unknown_name_says_what_shows_all(coffer):
    error = coffer.run("disk", "status", "nosuch", "--json", expect=NO_DEVICE).json["error"]
    assert error["remedy"].startswith("coffer disk status")
