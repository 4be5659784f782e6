# SPDX-License-Identifier: LGPL-2.1-or-later
"""Swap with a random key: both files keep every byte that is not ours, and nothing but swap is ever
made swap. Swap that is in use is tested where the kernel has dm-crypt, in the guest."""

import contextlib
import fcntl
import json
import os
import pathlib
import time

import pytest

import rig
from rig import BUSY, DONE, FAILED, IMPOSSIBLE, NO_DEVICE, REFUSED, USAGE, tool

from test_crash import chosen, crash, points_of

GENERATORS = pathlib.Path("/lib/systemd/system-generators")
FSTAB = ("# /etc/fstab: static file system information.\n"
         "\n"
         "UUID=11111111-2222-3333-4444-555555555555 /\text4  errors=remount-ro 0\t1\n"
         "  {spec}\tnone   swap\tsw,pri=7,discard  0 0  # the swap\n"
         "#{spec} none swap sw 0 0\n"
         "tmpfs /tmp tmpfs defaults 0 0")
CRYPTTAB = "# kept\n\n other  /dev/disk/by-id/x   none luks,discard\n# last, no newline"
needs_dm = pytest.mark.skipif(not rig.has_device_mapper(), reason="this kernel has no dm-crypt")


class Partitions:
    """Partitions of one GPT disk; the first of them is swap."""

    def __init__(self, disk, count=1):
        script = "label: gpt\n" + "size=64MiB, type=0657FD6D-A4AB-43C4-84E5-0933C84B4F4F\n" * count
        disk.detach()
        tool("sh", "-c", f"printf '{script}' | sfdisk --quiet {disk.file}")
        disk.options = ("--partscan",)
        disk.attach()
        self.nodes = [f"{disk.node}p{number + 1}" for number in range(count)]
        # A kernel that does not read GPT itself is told.
        for number in range(count):
            if not rig.is_block_device(self.nodes[number]):
                tool("partx", "--add", "--nr", number + 1, disk.node, check=False)
        assert all(map(rig.is_block_device, self.nodes))

    def value(self, tag, number=0):
        return tool("blkid", "-p", "-o", "value", "-s", tag, self.nodes[number]).stdout.strip()


@pytest.fixture
def part(make_disk):
    parts = Partitions(make_disk(size_mib=80))
    tool("mkswap", parts.nodes[0])
    return parts


@pytest.fixture
def files(bare, part):
    """fstab and crypttab with lines of others, and the swap by its UUID."""
    bare.fstab = bare.root / "etc/fstab"
    bare.fstab.write_text(FSTAB.format(spec="UUID=" + part.value("UUID")))
    bare.crypttab.write_text(CRYPTTAB)
    return bare


def encrypt(coffer, *words, **more):
    return coffer.run("swap", "encrypt", *words, "--json", **more)


def contents(coffer):
    """Of all files below etc, without locks."""
    return {path: path.read_bytes() for path in (coffer.root / "etc").rglob("*")
            if path.is_file() and not path.name.startswith(".")}


def source(part, number=0):
    return "PARTUUID=" + part.value("PART_ENTRY_UUID", number)


def line(part, name="swap", number=0):
    return (f"{name} {source(part, number)} /dev/urandom "
            "swap,cipher=aes-xts-plain64,size=512,sector-size=4096\n")


def test_both_files_change_in_one_place_each(files, part):
    spec = "UUID=" + part.value("UUID")
    found, = encrypt(files, part.nodes[0]).json["swaps"]
    assert (found["state"], found["name"], found["changed"]) == ("at-boot", "swap", True)
    assert files.crypttab.read_text() == CRYPTTAB + "\n" + line(part)
    expected = FSTAB.format(spec=spec).replace(f"  {spec}\t", "  /dev/mapper/swap\t")
    assert files.fstab.read_text() == expected


def test_again_changes_nothing(files, part):
    encrypt(files, part.nodes[0])
    before = contents(files)
    found, = encrypt(files, part.nodes[0]).json["swaps"]
    assert not found["changed"]
    assert contents(files) == before


def test_area_without_a_line_in_fstab_gets_one(bare, part):
    encrypt(bare, part.nodes[0])
    assert (bare.root / "etc/fstab").read_text() == "/dev/mapper/swap none swap sw 0 0\n"
    assert bare.crypttab.read_text() == line(part)


def test_full_disk_leaves_both_files_whole(files, part):
    etc = files.root / "etc"
    before = contents(files)
    tool("mount", "-t", "tmpfs", "-o", "size=64k", "small", etc)
    try:
        for path, content in before.items():
            path.write_bytes(content)
        (etc / "filler").write_bytes(b"x" * (13 * 4096))
        refused = encrypt(files, part.nodes[0], expect=FAILED)
        assert refused.json["error"]["code"] == "no-space"
        assert {path: path.read_bytes() for path in before} == before
        (etc / "filler").unlink()
        encrypt(files, part.nodes[0])
        assert files.crypttab.read_text() == CRYPTTAB + "\n" + line(part)
    finally:
        tool("umount", etc)


@pytest.mark.parametrize("form", ["PARTUUID={PART_ENTRY_UUID}", "node", "LABEL=my\\040swap"])
def test_every_way_to_name_the_area_in_fstab_is_known(files, part, form):
    tool("mkswap", "--label", "my swap", part.nodes[0])
    spec = part.nodes[0] if form == "node" else \
        form.format(PART_ENTRY_UUID=part.value("PART_ENTRY_UUID"))
    files.fstab.write_text(FSTAB.format(spec=spec))
    encrypt(files, part.nodes[0])
    assert files.fstab.read_text() == \
        FSTAB.format(spec=spec).replace(f"  {spec}\t", "  /dev/mapper/swap\t")


def test_dry_run_shows_a_diff_and_changes_nothing(files, part):
    before = contents(files)
    result = files.run("swap", "encrypt", part.nodes[0], "--dry-run")
    assert f"--- {files.crypttab}\n" in result.out and f"--- {files.fstab}\n" in result.out
    assert "+" + line(part) in result.out
    assert "-  UUID=" in result.out and "+  /dev/mapper/swap\tnone" in result.out
    assert "tmpfs" not in result.out
    assert contents(files) == before
    assert encrypt(files, part.nodes[0], "--dry-run").json["diff"]


def test_without_a_device_what_fstab_alone_names_is_encrypted(files, part):
    found = [swap for swap in encrypt(files, expect=None).json["swaps"]
             if swap["name"] == "swap" and swap["changed"]]
    assert len(found) == 1 and line(part) in files.crypttab.read_text()


def test_swap_file_of_fstab_is_shown_and_refused(bare, place):
    path = place / "swapfile"
    path.write_bytes(bytes(1 << 20))
    (bare.root / "etc/fstab").write_text(f"{path} none swap sw 0 0\n" * 2)
    shown, = [swap for swap in bare.run("swap", "status", "--json").json["swaps"]
              if swap["device"] == str(path)]
    assert (shown["active"], shown["at_boot"]) == (False, "plain")
    refused = encrypt(bare, expect=REFUSED).json["swaps"]
    assert [swap for swap in refused if swap["state"] == "failed"]


def test_two_areas_get_two_names(bare, make_disk):
    parts = Partitions(make_disk(size_mib=140), 2)
    for node in parts.nodes:
        tool("mkswap", node)
    names = [swap["name"] for swap in encrypt(bare, *parts.nodes).json["swaps"]]
    assert names == ["swap", "swap1"]
    assert bare.crypttab.read_text() == line(parts) + line(parts, "swap1", 1)


def test_name_that_a_line_has_is_left_to_it(files, part):
    files.crypttab.write_text("swap /dev/sdz none luks\n")
    encrypt(files, part.nodes[0])
    assert files.crypttab.read_text() == "swap /dev/sdz none luks\n" + line(part, "swap1")


def test_line_of_another_hand_is_taken_as_it_is(files, part):
    own = f"cryptswap {source(part)} /dev/urandom swap,cipher=aes-cbc-essiv:sha256,size=256\n"
    files.crypttab.write_text(own)
    found, = encrypt(files, part.nodes[0]).json["swaps"]
    assert found["name"] == "cryptswap"
    assert files.crypttab.read_text() == own
    assert "/dev/mapper/cryptswap" in files.fstab.read_text()


@pytest.mark.parametrize("command, found", [
    (["mkfs.ext4", "-q", "-F"], "ext4"),
    (["pvcreate", "-q", "-ff", "-y", "--devices"], "LVM2_member"),
    (["wipefs", "-a", "-q"], "nothing is recognised"),
])
def test_what_is_not_swap_is_refused_with_what_was_found(files, part, command, found):
    if "pvcreate" in command:
        tool("pvcreate", "-q", "-ff", "-y", "--devices", part.nodes[0], part.nodes[0])
    else:
        tool(*command, part.nodes[0])
    before = contents(files)
    result = encrypt(files, part.nodes[0], expect=REFUSED)
    assert found in result.json["error"]["cause"]
    assert contents(files) == before


def test_luks_device_is_refused(files, part, place):
    key = place / "key"
    key.write_text("x" * 20)
    tool("cryptsetup", "luksFormat", "-q", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000",
         part.nodes[0], key)
    assert "crypto_LUKS" in encrypt(files, part.nodes[0], expect=REFUSED).json["error"]["cause"]


def test_area_that_a_system_sleeps_in_is_refused(files, part):
    page = os.sysconf("SC_PAGE_SIZE")
    with open(part.nodes[0], "r+b") as area:
        area.seek(page - 10)
        area.write(b"S1SUSPEND\0")
    before = contents(files)
    error = encrypt(files, part.nodes[0], expect=REFUSED).json["error"]
    assert "swsuspend" in error["cause"] and "hibernated there" in error["remedy"]
    assert contents(files) == before


def test_read_only_area_is_refused(files, part):
    tool("blockdev", "--setro", part.nodes[0])
    before = contents(files)
    error = encrypt(files, part.nodes[0], expect=REFUSED).json["error"]
    assert error["text"] == "is read-only" and contents(files) == before


def test_area_that_finds_no_free_name_is_refused(files, part):
    taken = ["swap", *(f"swap{number}" for number in range(1, 1000))]
    files.crypttab.write_text("".join(f"{name} /dev/nosuch /dev/urandom swap\n" for name in taken))
    before = contents(files)
    error = encrypt(files, part.nodes[0], expect=REFUSED).json["error"]
    assert error["text"] == "finds no free name" and contents(files) == before


def has_open(pid, path):
    for one in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            if os.readlink(one) == str(path):
                return True
    return False


def test_name_that_somebody_took_meanwhile_is_refused(files, part):
    theirs = "swap /dev/disk/by-id/theirs none luks\n"
    lock = files.root / "etc/.crypttab.lock"
    with open(lock, "w", encoding="ascii") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        process = files.start("swap", "encrypt", part.nodes[0], "--json")
        while process.poll() is None and not has_open(process.pid, lock):
            time.sleep(0.01)
        files.crypttab.write_text(theirs)
    out, err = process.communicate(timeout=60)
    assert process.returncode == BUSY and "has a line in crypttab by now" in err, out
    assert files.crypttab.read_text() == theirs
    assert "/dev/mapper/swap" not in files.fstab.read_text()


def test_mounted_device_is_refused(files, part, place):
    tool("mkfs.ext4", "-q", "-F", part.nodes[0])
    with rig.mounted(part.nodes[0], place / "mount"):
        error = encrypt(files, part.nodes[0], expect=REFUSED).json["error"]
    assert "mounted" in error["cause"]


def test_device_without_a_lasting_name_is_refused(files, disk):
    tool("mkswap", disk)
    assert "no name that stays" in encrypt(files, disk, expect=REFUSED).json["error"]["text"]


def test_swap_file_is_refused_with_another_way(files, place):
    path = place / "swapfile"
    path.write_bytes(bytes(1 << 20))
    error = encrypt(files, path, expect=REFUSED).json["error"]
    assert "is a file" in error["text"] and "coffer disk format" in error["remedy"]


def test_wrong_name_leaves_all_alone(files, part):
    before = contents(files)
    result = encrypt(files, part.nodes[0], "/dev/nothing", expect=NO_DEVICE)
    assert [swap["state"] for swap in result.json["swaps"]] == ["untouched", "failed"]
    assert contents(files) == before
    encrypt(files, part.nodes[0], part.nodes[0], expect=USAGE)
    assert contents(files) == before


@pytest.mark.parametrize("name, text", [
    ("kernel/cmdline", "root=/dev/vda1 resume={spec} quiet\n"),
    ("default/grub", 'GRUB_CMDLINE_LINUX_DEFAULT="quiet resume={spec}"\n'),
    ("initramfs-tools/conf.d/resume", "# by the installer\nRESUME={spec}\n"),
])
def test_area_to_hibernate_to_is_refused_unless_told(files, part, name, text):
    path = files.root / "etc" / name
    path.parent.mkdir(parents=True)
    path.write_text(text.format(spec="UUID=" + part.value("UUID")))
    before = contents(files)
    error = encrypt(files, part.nodes[0], expect=REFUSED).json["error"]
    assert "hibernates" in error["text"] and str(path) in error["cause"]
    assert contents(files) == before
    encrypt(files, part.nodes[0], "--no-resume")
    assert files.crypttab.read_text().endswith(line(part))
    if "initramfs" in name:
        assert path.read_text() == "# by the installer\nRESUME=none\n"
        assert os.listdir(path.parent) == ["resume"]  # each file there is read


def test_resume_of_another_device_is_no_reason(files, part):
    path = files.root / "etc/kernel/cmdline"
    path.parent.mkdir()
    path.write_text("resume=UUID=00000000-0000-0000-0000-000000000000 noresume\n")
    encrypt(files, part.nodes[0])
    # One in a comment says nothing.
    path.write_text("# resume=UUID=" + part.value("UUID") + "\n")
    encrypt(files, part.nodes[0])


@pytest.mark.skipif(rig.has_device_mapper(), reason="this kernel has device-mapper")
def test_now_without_dm_crypt_is_not_possible_and_changes_nothing(files, part):
    before = contents(files)
    encrypt(files, part.nodes[0], "--now", expect=IMPOSSIBLE)
    assert contents(files) == before


def generated(place, generator, variable, path):
    """The units that one of systemd's generators makes of a file."""
    if not (GENERATORS / generator).exists():
        pytest.skip(f"{generator} is not installed here")
    for name in "abc":
        (place / name).mkdir()
    tool(GENERATORS / generator, place / "a", place / "b", place / "c",
         env=dict(os.environ, **{variable: str(path)}))
    return place / "a"


def test_systemd_maps_by_the_line_in_crypttab(files, part, place):
    encrypt(files, part.nodes[0])
    units = generated(place, "systemd-cryptsetup-generator", "SYSTEMD_CRYPTTAB", files.crypttab)
    unit = (units / "systemd-cryptsetup@swap.service").read_text()
    assert f"attach 'swap' '/dev/disk/by-partuuid/{part.value('PART_ENTRY_UUID')}'" in unit
    assert "'/dev/urandom' 'swap,cipher=aes-xts-plain64,size=512,sector-size=4096'" in unit
    assert "systemd-makefs swap '/dev/mapper/swap'" in unit
    assert "systemd-random-seed.service" in unit


def test_systemd_swaps_by_the_line_in_fstab(files, part, place):
    if tool("systemd-detect-virt", "--container", check=False).returncode == 0:
        pytest.skip("in a container systemd passes over swap in fstab")
    encrypt(files, part.nodes[0])
    units = generated(place, "systemd-fstab-generator", "SYSTEMD_FSTAB", files.fstab)
    unit = (units / "dev-mapper-swap.swap").read_text()
    assert "What=/dev/mapper/swap" in unit and "pri=7" in unit


@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_edits_converge_after_a_stop_at_any_point(files, part, fault):
    resume = files.root / "etc/initramfs-tools/conf.d/resume"
    resume.parent.mkdir(parents=True)
    spec = "UUID=" + part.value("UUID")

    def fresh():
        files.fstab.write_text(FSTAB.format(spec=spec))
        files.crypttab.write_text(CRYPTTAB)
        resume.write_text(f"RESUME={spec}\n")
        for copy in files.root.glob("etc/*.coffer-*"):
            copy.unlink()

    def run(**more):
        return encrypt(files, part.nodes[0], "--no-resume", **more)
    fresh()
    points = points_of(run(fault="list"))
    assert {"crypttab/replaced", "fstab/replaced", "swap/resume"} <= set(points)
    after = [path.read_text() for path in (files.crypttab, files.fstab, resume)]
    for number in chosen(points):
        fresh()
        again = crash(run, number, fault)
        assert again.status == DONE, f"after {points[number - 1]}\n{again}"
        assert [path.read_text() for path in (files.crypttab, files.fstab, resume)] == after


def state(coffer, node):
    swaps = coffer.run("swap", "status", "--json").json["swaps"]
    return next(swap for swap in swaps if node in (swap["device"], swap["source"]))


def test_status_tells_what_the_next_boot_makes_of_it(files, part):
    node = part.nodes[0]
    shown = state(files, node)
    assert (shown["active"], shown["encrypted"], shown["at_boot"]) == (False, False, "plain")
    assert shown["size"] == 64 * rig.MIB
    encrypt(files, node)
    shown = state(files, node)
    assert (shown["at_boot"], shown["name"]) == ("encrypted", "swap")
    assert "encrypted as swap" in files.run("swap", "status").out


# ---- in use: where the kernel has dm-crypt ----

def active():
    return [entry.split()[0] for entry in
            pathlib.Path("/proc/swaps").read_text(encoding="ascii").splitlines()[1:]]


@pytest.fixture
def in_use(files, part):
    tool("swapon", "--priority", "7", part.nodes[0])
    yield files
    for node in active():
        tool("swapoff", node, check=False)
    for name in ("swap", "swap1"):
        tool("dmsetup", "remove", "--retry", name, check=False)


@needs_dm
def test_now_swaps_onto_a_mapping_with_a_random_key(in_use, part):
    found, = encrypt(in_use, "--now").json["swaps"]
    assert (found["state"], found["device"]) == ("encrypted", "/dev/mapper/swap")
    real = os.path.realpath("/dev/mapper/swap")
    assert active() == [real]
    assert tool("swapon", "--show=PRIO", "--noheadings").stdout.strip() == "7"
    table = tool("dmsetup", "table", "swap").stdout
    assert "aes-xts-plain64" in table and "sector_size:4096" in table
    # The swap header is nowhere on the device in plaintext.
    assert not tool("blkid", "-p", part.nodes[0], check=False).stdout.count("TYPE=\"swap\"")
    shown = state(in_use, "/dev/mapper/swap")
    assert (shown["active"], shown["how"], shown["at_boot"]) == (True, "random-key", "encrypted")
    again, = encrypt(in_use, "--now").json["swaps"]
    assert not again["changed"]


@needs_dm
def test_all_active_swap_is_meant_without_a_name(in_use, part):
    found, = encrypt(in_use).json["swaps"]
    assert found["source"] == part.nodes[0]
    assert active() == [part.nodes[0]]
    assert in_use.crypttab.read_text().endswith(line(part))


@needs_dm
@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_now_converges_after_a_stop_at_any_point(in_use, part, fault):
    plain = in_use.fstab.read_text(), in_use.crypttab.read_text()

    def fresh():
        for node in active():
            tool("swapoff", node)
        tool("dmsetup", "remove", "--retry", "swap", check=False)
        tool("mkswap", "--uuid", json.loads(uuid), part.nodes[0])
        in_use.fstab.write_text(plain[0])
        in_use.crypttab.write_text(plain[1])
        tool("swapon", part.nodes[0])
    uuid = json.dumps(part.value("UUID"))

    def run(**more):
        return encrypt(in_use, "--now", **more)
    points = points_of(run(fault="list"))
    assert {"swap/off", "swap/mapped", "swap/made", "swap/on"} <= set(points)
    for number in chosen(points):
        fresh()
        again = crash(run, number, fault)
        assert again.status == DONE, f"after {points[number - 1]}\n{again}"
        assert active() == [os.path.realpath("/dev/mapper/swap")]
