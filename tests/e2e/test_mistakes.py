# SPDX-License-Identifier: LGPL-2.1-or-later
"""What happens to a disk behind the program's back, or by somebody's mistake, costs no data."""

import contextlib
import json
import mmap
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest

import contents
import rig
from rig import BUSY, DAMAGED, DONE, MIB, REFUSED, USAGE, mounted, tool

HEADER_BYTES = 16 * MIB
CHEAP = ("--type", "luks2", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")
QUESTION = "to go on: "


def only(result):
    """The one disk that a result is about."""
    assert len(result.disks) == 1, result
    return result.disks[0]


def status_of(coffer, name):
    return only(coffer.run("disk", "status", name, "--json", *coffer.secret()))


def is_served(coffer, name):
    """Whether the plaintext is there, asked of the kernel and not of the program."""
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        engine = f"{coffer.root}/run/coffer/engine/{name} "
        return os.path.exists("/dev/mapper/" + name) or engine in mounts.read()


def first_bytes(path, count, offset=0):
    with open(path, "rb") as opened:
        opened.seek(offset)
        return opened.read(count)


def read_from_disk(device, count):
    """What the device gives, and not what the kernel remembers of it."""
    opened = os.open(device, os.O_RDONLY | os.O_DIRECT)
    try:
        with mmap.mmap(-1, count) as room:
            assert os.readv(opened, [room]) == count
            return room.read(count)
    finally:
        os.close(opened)


def write_plain(device, data, offset=0):
    with open(device, "r+b") as opened:
        opened.seek(offset)
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())


def generations(coffer, key):
    return [entry["generation"] for entry in
            coffer.run("key", "history", key, "--json", *coffer.secret()).json["keys"]]


def exported(coffer, key, generation=None):
    """The content of a record."""
    out = coffer.folder / "exported"
    out.unlink(missing_ok=True)
    which = () if generation is None else ("--generation", generation)
    coffer.run("key", "export", key, "--out", out, *which, *coffer.secret())
    return out.read_bytes()


def all_keys(coffer, disk):
    """The keys that a disk has had, and has."""
    key = f"disk/{disk.volume}"
    return [exported(coffer, key, number) for number in generations(coffer, key)]


def kill_format(coffer, disk, point):
    killed = coffer.format(disk, fault=f"kill:format/{point}", expect=None)
    if killed.status == DONE:
        pytest.skip("built without -Dfaults=true: there are no points to stop at")
    assert killed.status == -signal.SIGKILL, killed


def assert_refused_untouched(coffer, disk, options=(), expect=REFUSED):
    before = disk.digest()
    refused = coffer.format(disk, options=options, expect=expect)
    assert disk.digest() == before
    return refused


# ---- between the question and the answer ----

def copy_onto(disk, image):
    """By plain writes, which work whoever holds the device."""
    tool("dd", f"if={image.file}", f"of={disk}", "bs=1M", "conv=notrunc,fsync")


def put_under(disk, image):
    """The same node, another disk."""
    image.detach()
    tool("losetup", "--detach", disk)
    for _ in range(100):
        if not tool("losetup", disk, image.file, check=False).returncode:
            return
        time.sleep(0.1)
    raise AssertionError(f"{disk} stays busy")


def format_while(coffer, disk, change, options=()):
    """Starts `disk format`, does something while it asks, and answers; gives the dialogue."""
    with rig.Dialogue(coffer, "disk", "format", disk, *options, *coffer.secret()) as dialogue:
        dialogue.wait_for(QUESTION)
        name = re.search(r"Type (\S+) to go on", dialogue.said).group(1)
        with change():
            dialogue.status = dialogue.answer(name)
    return dialogue


def test_format_asked_on_a_terminal_formats(coffer, disk):
    assert format_while(coffer, disk, contextlib.nullcontext).status == DONE
    assert status_of(coffer, disk.volume)["state"] == "open"


def test_format_refuses_a_disk_that_was_written_while_it_asked(coffer, disk, make_disk):
    image = make_disk()
    contents.ext4(image)

    @contextlib.contextmanager
    def change():
        copy_onto(disk, image)
        yield
    dialogue = format_while(coffer, disk, change)
    assert disk.digest() == image.digest(), dialogue.said
    assert dialogue.status == REFUSED, dialogue.said
    assert "ext4" in dialogue.said


def test_format_refuses_another_disk_at_the_same_node(coffer, disk, make_disk):
    image = make_disk()
    contents.ext4(image)
    before = disk.digest(), image.digest()

    @contextlib.contextmanager
    def change():
        put_under(disk, image)
        yield
    dialogue = format_while(coffer, disk, change)
    assert (disk.digest(), image.digest()) == before, dialogue.said
    assert dialogue.status == REFUSED, dialogue.said


def test_format_refuses_another_blank_disk_at_the_same_node(coffer, disk, make_disk):
    """Its name and serial number would be those of the disk that was agreed to."""
    image = make_disk()
    before = disk.digest(), image.digest()

    @contextlib.contextmanager
    def change():
        put_under(disk, image)
        yield
    dialogue = format_while(coffer, disk, change)
    assert (disk.digest(), image.digest()) == before, dialogue.said
    assert dialogue.status == REFUSED, dialogue.said


def test_force_covers_no_other_disk_at_the_same_node(coffer, disk, make_disk):
    """What was agreed to is the loss of the one, not of the other."""
    image = make_disk()
    contents.vfat(disk)
    contents.ext4(image)
    before = disk.digest(), image.digest()

    @contextlib.contextmanager
    def change():
        put_under(disk, image)
        yield
    dialogue = format_while(coffer, disk, change, options=["--force"])
    assert (disk.digest(), image.digest()) == before, dialogue.said
    assert dialogue.status == REFUSED, dialogue.said


@pytest.mark.guest
@pytest.mark.parametrize("options", [(), ("--force",)], ids=["plain", "force"])
def test_format_refuses_a_disk_that_was_mounted_while_it_asked(coffer, disk, make_disk, place,
                                                               options):
    image = make_disk()
    contents.ext4(image)

    @contextlib.contextmanager
    def change():
        copy_onto(disk, image)
        with mounted(disk, place / "mnt", "-o", "ro"):
            yield
    dialogue = format_while(coffer, disk, change, options)
    assert disk.digest() == image.digest(), dialogue.said
    assert dialogue.status in (REFUSED, BUSY), dialogue.said


# ---- a header that is not the disk's ----

def replace_header(coffer, disk, same_uuid, make_disk):
    """A header made by somebody else who has the key, as an old copy put back would be."""
    other = make_disk()
    key = coffer.folder / "key"
    coffer.run("key", "export", f"disk/{disk.volume}", "--out", key, *coffer.secret())
    uuid = tool("cryptsetup", "luksUUID", disk).stdout.strip()
    tool("cryptsetup", "luksFormat", "-q", *CHEAP, "--sector-size", "4096",
         *(("--uuid", uuid) if same_uuid else ()), other, key)
    other.detach()
    disk.write(0, first_bytes(other.file, HEADER_BYTES))


SAME_UUID = pytest.mark.parametrize("same_uuid", [False, True], ids=["other-uuid", "same-uuid"])


@SAME_UUID
@pytest.mark.guest
def test_close_refuses_when_the_header_was_replaced(coffer, disk, make_disk, same_uuid):
    found = only(coffer.format(disk))
    write_plain(found["device"], b"kept" * 1024)
    replace_header(coffer, disk, same_uuid, make_disk)
    coffer.close(disk, expect=REFUSED)
    assert status_of(coffer, disk.volume)["state"] == "open"
    assert first_bytes(found["device"], 4096) == b"kept" * 1024


@SAME_UUID
def test_refused_close_leaves_the_header_copy(coffer, disk, make_disk, same_uuid):
    coffer.format(disk)
    copy = f"disk-header/{disk.volume}"
    before = generations(coffer, copy), exported(coffer, copy)
    replace_header(coffer, disk, same_uuid, make_disk)
    coffer.close(disk, expect=None)
    assert (generations(coffer, copy), exported(coffer, copy)) == before


@pytest.mark.guest
def test_forced_close_closes_when_the_header_was_replaced(coffer, disk, make_disk):
    coffer.format(disk)
    copy = f"disk-header/{disk.volume}"
    before = generations(coffer, copy), exported(coffer, copy)
    replace_header(coffer, disk, True, make_disk)
    assert only(coffer.close(disk, options=["--force"]))["state"] == "closed"
    assert not is_served(coffer, disk.volume)
    assert (generations(coffer, copy), exported(coffer, copy)) == before


# ---- a copy of a disk ----

@pytest.mark.guest
@pytest.mark.parametrize("state", ["closed", "open"])
def test_open_of_a_clone_opens_no_other_disk(coffer, disk, make_disk, state):
    coffer.format(disk)
    coffer.close(disk)
    clone = make_disk()
    clone.detach()
    tool("cp", "--sparse=always", disk.file, clone.file)
    clone.attach()
    if state == "open":
        coffer.open(disk.volume)
    told = coffer.open(clone, expect=(DONE, REFUSED))
    if told.status == DONE:
        assert only(told)["source"] == clone.node
        return
    assert disk.node in told.out + told.err and clone.node in told.out + told.err, told
    assert is_served(coffer, disk.volume) == (state == "open")


# ---- somebody else's line in crypttab ----

@pytest.mark.parametrize("source", ["/dev/disk/by-uuid/1111-2222", "the disk's own file"])
def test_format_refuses_a_name_that_crypttab_gives_another_key(coffer, disk, source):
    name = "data" + disk.file.name
    if not source.startswith("/dev"):
        source = disk.file
    line = f"{name} {source} /root/other.key luks,discard\n".encode()
    coffer.crypttab.write_bytes(line)
    assert_refused_untouched(coffer, disk, options=["--crypttab", "--name", name])
    assert coffer.crypttab.read_bytes() == line


# ---- a format that was killed, and what came after it ----

def put_data_everywhere(disk):
    disk.write(MIB // 2, os.urandom(1 << 16))
    disk.write(HEADER_BYTES, os.urandom(8 * MIB))


def test_format_is_not_resumed_over_content_that_came_after_the_kill(coffer, disk):
    kill_format(coffer, disk, "key-durable")
    put_data_everywhere(disk)
    assert_refused_untouched(coffer, disk)


def test_forced_format_after_a_kill_keeps_the_key_before(coffer, disk):
    kill_format(coffer, disk, "key-durable")
    key = exported(coffer, f"disk/{disk.volume}")
    put_data_everywhere(disk)
    coffer.format(disk, options=["--force"])
    assert key in all_keys(coffer, disk)
    coffer.close(disk)
    coffer.open(disk)


def test_open_of_a_disk_half_formatted_finishes_or_refuses(coffer, disk):
    kill_format(coffer, disk, "proven")
    opened = coffer.open(disk.volume, expect=(DONE, REFUSED))
    if opened.status == REFUSED:
        assert not is_served(coffer, disk.volume)
        return
    assert status_of(coffer, disk.volume)["header_copy"]
    coffer.close(disk)
    assert status_of(coffer, disk.volume)["state"] == "closed"


DAMAGES = {
    "no damage": lambda disk: None,
    "keyslots": lambda disk: disk.write(32 << 10, os.urandom(MIB)),
    "all of it": lambda disk: disk.write(0, bytes(HEADER_BYTES)),
}


@pytest.mark.guest
@pytest.mark.parametrize("damage", DAMAGES)
def test_header_of_a_disk_in_use_is_never_written_again(coffer, disk, damage):
    kill_format(coffer, disk, "proven")
    opened = coffer.open(disk.volume, expect=(DONE, REFUSED))
    if opened.status == REFUSED:
        return  # then there is no data
    write_plain(only(opened)["device"], b"real data" * 1000)
    coffer.close(disk, expect=None)
    coffer.close(disk, options=["--force"])
    DAMAGES[damage](disk)
    before = disk.digest()
    again = coffer.format(disk, expect=None)
    coffer.close(disk, options=["--force"])
    assert disk.digest() == before, again
    assert again.status in ((DONE,) if damage == "no damage" else (REFUSED, DAMAGED)), again


def test_format_finishes_a_disk_used_with_its_exported_key(coffer, disk):
    kill_format(coffer, disk, "proven")
    key = coffer.folder / "key"
    coffer.run("key", "export", f"disk/{disk.volume}", "--out", key, *coffer.secret())
    found = only(coffer.run("disk", "open", disk, "--key-file", key, "--json"))
    write_plain(found["device"], b"real data" * 1000)
    coffer.close(found["name"])
    found = only(coffer.format(disk))
    assert first_bytes(found["device"], 9000) == b"real data" * 1000


# ---- a keystore that somebody edited ----

def remove_disks_from_keystore(coffer):
    with contextlib.closing(sqlite3.connect(coffer.vault / "vault.db")) as keystore, keystore:
        removed = keystore.execute("DELETE FROM record WHERE key LIKE 'record/disk/%'")
        assert removed.rowcount > 0


@pytest.mark.parametrize("verb", ["open", "open --all", "open another", "close", "close --all",
                                  "format another"])
def test_keystore_with_a_record_removed_is_damaged(coffer, disk, make_disk, verb):
    other = make_disk()
    coffer.format(disk)
    if "open" in verb:
        coffer.close(disk)
    remove_disks_from_keystore(coffer)
    before = other.digest()
    words = {"open": ("open", disk.volume), "open another": ("open", other),
             "close": ("close", disk.volume),
             "format another": ("format", other, "--yes-destroy", other)}
    told = coffer.run("disk", *words.get(verb, verb.split()), "--json", *coffer.secret(),
                      expect=DAMAGED)
    assert json.loads(told.out)
    assert "vault.db" in told.err, told
    assert other.digest() == before


# ---- a killed engine ----

def kill_engine(coffer, found):
    if found["backend"] != "user":
        pytest.skip("dm-crypt has no process to kill")
    assert rig.end_engines(str(coffer.folder))


def assert_gives(opened, data):
    """The data, or a word on what to do; never a device that is dead."""
    if opened.status == DONE:
        assert read_from_disk(only(opened)["device"], len(data)) == data
    else:
        assert "try:" in opened.err, opened


def test_open_after_the_engine_was_killed_gives_the_data(coffer, disk):
    data = os.urandom(MIB)
    found = only(coffer.format(disk))
    write_plain(found["device"], data)
    kill_engine(coffer, found)
    assert_gives(coffer.open(disk.volume, expect=None), data)


def test_format_after_the_engine_was_killed_gives_the_data(coffer, disk):
    data = os.urandom(MIB)
    found = only(coffer.format(disk))
    write_plain(found["device"], data)
    kill_engine(coffer, found)
    assert_gives(coffer.format(disk, expect=None), data)


def test_open_while_a_dead_disk_is_mounted_says_what_to_do(coffer, disk, place):
    found = only(coffer.format(disk))
    tool("mkfs.ext4", "-q", found["device"])
    with mounted(found["device"], place / "mnt") as folder:
        (folder / "file").write_text("kept")
        tool("sync", "--file-system", folder)
        superblock = read_from_disk(found["device"], 4096)
        kill_engine(coffer, found)
        assert_gives(coffer.open(disk.volume, expect=None), superblock)
    found = only(coffer.open(disk.volume))
    with mounted(found["device"], place / "mnt") as folder:
        assert (folder / "file").read_text() == "kept"


@pytest.mark.parametrize("by", ["name", "source", "all"])
def test_close_takes_away_what_a_killed_engine_left(coffer, disk, by):
    kill_engine(coffer, only(coffer.format(disk)))
    coffer.close({"name": disk.volume, "source": disk.node, "all": "--all"}[by])
    assert not is_served(coffer, disk.volume)
    assert status_of(coffer, disk.volume)["state"] == "closed"


# ---- a keystore that was cut off ----

@pytest.mark.guest
@pytest.mark.parametrize("left", [0, 5000])
def test_forced_close_works_with_a_truncated_keystore(coffer, disk, left):
    coffer.format(disk)
    os.truncate(coffer.vault / "vault.db", left)
    closed = coffer.close(disk.volume, options=["--force"])
    assert only(closed)["state"] == "closed"
    assert "vault" in closed.err, closed
    assert not is_served(coffer, disk.volume)


# ---- what only looks ----

LOOKS = {
    "list": lambda coffer, disk, other: coffer.run("disk", "list", *coffer.secret()),
    "status": lambda coffer, disk, other: coffer.run("disk", "status", *coffer.secret()),
    "format": lambda coffer, disk, other: coffer.format(
        disk, options=["--name", "another" + disk.volume], expect=(REFUSED, DAMAGED)),
    "format --dry-run": lambda coffer, disk, other: coffer.format(
        disk, options=["--dry-run"], expect=None),
    "format another": lambda coffer, disk, other: coffer.format(other),
    "open another": lambda coffer, disk, other: coffer.open(other),
}


@pytest.mark.parametrize("look", LOOKS)
def test_damaged_header_is_not_changed_by(coffer, disk, make_disk, look):
    """libcryptsetup mends the first header from the second whenever it may write."""
    foreign, other = make_disk(), make_disk()
    ours = (disk, other) if look == "open another" else (disk,)
    coffer.format(*ours)
    coffer.close(*ours)
    tool("cryptsetup", "luksFormat", "-q", *CHEAP, foreign, "/etc/hostname")
    for damaged in disk, foreign:
        damaged.write(0, b"a text by mistake\n" * 200)
    before = disk.digest(), foreign.digest()
    LOOKS[look](coffer, disk, other)
    if look.startswith("format"):
        LOOKS[look](coffer, foreign, make_disk())
    assert (disk.digest(), foreign.digest()) == before


# ---- close --dry-run ----

def test_dry_run_of_close_says_what_would_be_closed(coffer, disk):
    coffer.format(disk)
    told = coffer.run("disk", "close", disk, "--dry-run", *coffer.secret())
    assert disk.volume in told.out + told.err, told


def test_dry_run_of_close_closes_nothing(coffer, disk):
    device = only(coffer.format(disk))["device"]
    coffer.run("disk", "close", disk, "--dry-run", *coffer.secret())
    coffer.run("disk", "close", "--all", "--dry-run", *coffer.secret())
    assert status_of(coffer, disk.volume)["state"] == "open"
    write_plain(device, b"still writable")


def test_dry_run_of_close_refuses_what_close_refuses(coffer, disk, place):
    device = only(coffer.format(disk))["device"]
    tool("mkfs.ext4", "-q", device)
    with mounted(device, place / "mnt"):
        coffer.run("disk", "close", disk, "--dry-run", *coffer.secret(), expect=BUSY)


# ---- the same device twice at once ----

def format_words(coffer, disk):
    return ("disk", "format", disk, "--yes-destroy", disk, "--json", *coffer.secret())


def assert_one_formatted(coffer, disk, runs):
    """One did it; the other found nothing to do, perhaps but to open it, or was refused."""
    told = [run.communicate(timeout=120) for run in runs]
    statuses = sorted(run.returncode for run in runs)
    assert statuses[0] == DONE and statuses[1] in (DONE, REFUSED, BUSY), told
    uuids = {json.loads(out)["disks"][0]["uuid"]
             for run, (out, _) in zip(runs, told) if run.returncode == DONE}
    assert len(uuids) == 1, told
    # One key was made, and it is the one that the header has.
    history = coffer.run("key", "history", disk.volume, "--json", *coffer.secret()).json["keys"]
    assert len(history) == 1, history
    coffer.close(disk)
    coffer.open(disk)


@pytest.mark.guest
@pytest.mark.parametrize("fifths", range(5))
def test_one_of_two_formats_at_once_formats(coffer, disk, make_disk, fifths):
    scout = make_disk()
    began = time.monotonic()
    coffer.format(scout)
    delay_s = (time.monotonic() - began) * fifths / 5
    runs = [coffer.start(*format_words(coffer, disk))]
    time.sleep(delay_s)
    runs.append(coffer.start(*format_words(coffer, disk)))
    assert_one_formatted(coffer, disk, runs)


@pytest.mark.parametrize("point", ["key-durable", "header-written", "slot-added", "proven",
                                   "header-copied", "crypttab"])
def test_format_beside_one_that_stands_still_leaves_it_the_disk(coffer, disk, point):
    first = coffer.start(*format_words(coffer, disk), fault="list")
    line = first.stderr.readline()
    while line and point not in line:
        line = first.stderr.readline()
    if not line:
        first.communicate()
        pytest.skip("built without -Dfaults=true: there are no points to stop at")
    first.send_signal(signal.SIGSTOP)
    second = coffer.start(*format_words(coffer, disk))
    with contextlib.suppress(subprocess.TimeoutExpired):
        second.wait(timeout=1)
    first.send_signal(signal.SIGCONT)
    assert_one_formatted(coffer, disk, [first, second])


def test_format_that_cannot_have_its_lock_is_no_success(coffer, disk):
    """What fails before the first disk is looked at fails for all of them."""
    (coffer.root / "run/coffer/format.lock").mkdir(parents=True)
    failed = coffer.format(disk, expect=None)
    assert failed.status != DONE, failed
    assert failed.json["error"]["subject"].endswith("format.lock")


@pytest.mark.parametrize("left", ["open", "closed"])
@pytest.mark.parametrize("before", ["blank", "half-formatted"])
def test_format_leaves_what_another_one_formatted_while_it_asked(coffer, disk, before, left):
    data = os.urandom(4096)
    if before == "half-formatted":
        kill_format(coffer, disk, "key-durable")

    @contextlib.contextmanager
    def change():
        write_plain(only(coffer.format(disk))["device"], data)
        if left == "closed":
            coffer.close(disk)
        yield
    dialogue = format_while(coffer, disk, change)
    assert dialogue.status in (DONE, REFUSED, BUSY), dialogue.said
    assert first_bytes(only(coffer.open(disk))["device"], len(data)) == data


# ---- sectors ----

@pytest.mark.guest
@pytest.mark.parametrize("sector_bytes", [512, 2048])
def test_disk_with_sectors_of_any_size_keeps_its_data(coffer, disk, sector_bytes):
    data = os.urandom(MIB)
    found = only(coffer.format(disk, options=["--sector-bytes", sector_bytes]))
    assert f"sector: {sector_bytes} [bytes]" in tool("cryptsetup", "luksDump", disk).stdout
    write_plain(found["device"], data)
    coffer.close(disk)
    assert first_bytes(only(coffer.open(disk))["device"], MIB) == data


@pytest.mark.guest
def test_sectors_that_do_not_divide_the_disk_are_refused(coffer, disk):
    disk.detach()
    os.truncate(disk.file, 64 * MIB + 512)
    disk.attach()
    assert_refused_untouched(coffer, disk, ["--sector-bytes", "4096"], (REFUSED, USAGE))
    assert disk.volume not in coffer.run("key", "list", "--json", *coffer.secret()).out


def test_disk_of_an_odd_size_gets_sectors_that_divide_it(coffer, disk):
    disk.detach()
    os.truncate(disk.file, 64 * MIB + 512)
    disk.attach()
    coffer.format(disk)
    assert "sector: 512 [bytes]" in tool("cryptsetup", "luksDump", disk).stdout
