# SPDX-License-Identifier: LGPL-2.1-or-later
"""`coffer doctor`: each fault is made for real, found, mended by the command that is printed, and
not found again."""

import os
import shlex
import shutil
import signal
import time

import pytest

import rig
from rig import DAMAGED, DONE, FAILED, LOCKED, NO_DEVICE, REFUSED, USAGE, tool
from test_crash import points_of
from test_full import fill
from test_header import AREA, KIB, export_key
from test_mirrors import copy_in, overwrite_page
from test_swap import part  # noqa: F401 pylint: disable=unused-import
from test_vault_faults import add_with_cryptsetup

# What every vault of these tests lacks, and what this machine's own swap is like.
USUAL = ("the vault is in this folder alone", "there was never a backup",
         "no backup was ever tried by a drill")


def findings(coffer, *options, swap=False):
    document = coffer.run("doctor", "--json", *(options or coffer.secret()), expect=None).json
    return [finding for finding in document["findings"] if finding["problem"] not in USUAL
            and (swap or finding["area"] != "swap")]


def only(coffer, *options, swap=False):
    found = findings(coffer, *options, swap=swap)
    assert len(found) == 1, found
    return found[0]


def mend(coffer, finding, *more, expect=DONE):
    """Types the command of a remedy, up to where it is explained."""
    command = finding["remedy"].split(", ")[0].split(";")[0]
    words = shlex.split(command)
    if words[0] == "coffer":
        return coffer.run(*words[1:], *more, expect=expect)
    return tool("sh", "-c", command)


def mended(coffer, finding, *more):
    mend(coffer, finding, *more)
    assert findings(coffer) == []


def configure(coffer, *lines):
    path = coffer.root / "etc/coffer/coffer.conf"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines))
    return path


@pytest.fixture
def kept(coffer, disk):
    """A closed disk of the vault."""
    coffer.format(disk)
    coffer.close(disk)
    return disk


# ---- the whole ----

def test_well_kept_vault_is_well(coffer, kept, place):
    (place / "mirror").mkdir()
    tool("mount", "-t", "tmpfs", "-o", "size=32m", "mirror", place / "mirror")
    configure(coffer, f"mirror = {place / 'mirror'}")
    coffer.run("unlock", *coffer.secret())
    for finding in coffer.run("doctor", "--json", expect=FAILED).json["findings"]:
        if finding["area"] == "backup":
            words = shlex.split(finding["remedy"].replace("FILE", str(place / "v.backup")))
            coffer.run(*words[1:], *coffer.secret())
    told = coffer.run("doctor", "--json", expect=None).json
    assert [finding for finding in told["findings"] if finding["area"] != "swap"] == []
    assert all(check["made"] for check in told["checks"]) and len(told["checks"]) == 10
    if not told["findings"]:
        assert told["well"] is True
        assert "All is well: 10 checks made.\n" == coffer.run("doctor").out


def test_no_vault_is_found(bare):
    found = only(bare, "--fast")
    assert found["code"] == "not-found" and " init" in found["remedy"]
    bare.run("doctor", expect=NO_DEVICE)


def test_locked_vault_is_found_unless_it_is_not_asked_about(coffer):
    found = next(item for item in coffer.run("doctor", "--json", expect=LOCKED).json["findings"]
                 if item["code"] == "locked")
    assert coffer.run("doctor", "--fast", "--json", expect=None).json["checks"][-2] == {
        "area": "crypttab", "check": "crypttab", "made": False, "why_not": "--fast"}
    assert findings(coffer, "--fast") == []
    mend(coffer, found, *coffer.secret())
    told = coffer.run("doctor", "--json", expect=None).json
    assert "locked" not in [item["code"] for item in told["findings"]]


def test_fast_with_a_secret_is_wrong_usage(coffer):
    coffer.run("doctor", "--fast", *coffer.secret(), expect=USAGE)


@pytest.mark.parametrize("columns", [60, 80])
def test_findings_fit_the_screen(coffer, kept, columns, monkeypatch):
    kept.write(0, bytes(4 * KIB))
    monkeypatch.setenv("COLUMNS", str(columns))
    told = coffer.run("doctor", *coffer.secret(), expect=DAMAGED)
    repair = f"           try:   coffer disk header repair {kept.volume}"
    # A command stays in one line, however long the name of its disk is.
    assert max(len(line) for line in told.out.splitlines() if line != repair) <= columns
    assert f"  damage   {kept.volume}: " in told.out
    assert f"  try:   coffer disk header repair {kept.volume}\n" in told.out
    assert "wrong or due, 1 of them damage" in " ".join(told.err.split())


# ---- the machine ----

def test_mistake_in_the_configuration_is_found(coffer):
    path = configure(coffer, "mirrors = /x")
    found = only(coffer)
    assert (found["area"], found["severity"], found["subject"]) == ("system", "damage", str(path))
    told = coffer.run("doctor", *coffer.secret(), expect=DAMAGED)
    assert "mirrors is not a setting" in told.out and "not a setting" not in told.err
    path.write_text(path.read_text().replace("mirrors", found["remedy"]))
    assert "mirrors is not" not in coffer.run("doctor", expect=None).out


def test_sockets_that_are_not_enabled_are_found(coffer):
    socket = coffer.run("disk", "list", "--json", *coffer.secret()) and \
        next((coffer.root / "run").rglob("*"), None)
    units = coffer.root / "usr/lib/systemd/system"
    shutil.copytree(rig.TOP / "systemd", units)
    (coffer.root / "run/systemd/system").mkdir(parents=True)
    coffer.run("unlock", *coffer.secret())
    run_dir = next((coffer.root / "run/coffer").rglob("agent.sock")).parent
    assert findings(coffer, "--fast") == [], socket
    coffer.crypttab.write_text(f"enc-x /dev/disk/by-id/x {run_dir}/keys.sock luks\n")
    found = findings(coffer, "--fast")
    assert [item["subject"] for item in found] == ["coffer-keys.socket", "coffer-agent.socket"]
    for item in found:
        mend(coffer, item)
    assert findings(coffer, "--fast") == []


def test_mount_that_would_stop_the_boot_is_found(coffer, disk):
    coffer.format(disk, options=("--crypttab",))
    coffer.close(disk)
    fstab = coffer.root / "etc/fstab"
    fstab.write_text(f"/dev/mapper/{disk.volume} /srv/a ext4 defaults 0 2\n")
    found = only(coffer)
    assert found["area"] == "system" and "nofail" in found["remedy"]
    fstab.write_text(fstab.read_text().replace("defaults", "nofail"))
    assert findings(coffer) == []


def test_unit_that_waits_and_is_not_there_is_found(coffer):
    (coffer.root / "etc/coffer").mkdir()
    (coffer.root / "etc/coffer/boot.list").write_text("wait ghost.service\n")
    found = only(coffer)
    assert (found["area"], found["subject"]) == ("system", "ghost.service")
    mended(coffer, found)


# ---- the vault ----

def test_header_changed_by_another_tool_is_found(coffer):
    add_with_cryptsetup(coffer, "one more secret")
    found = only(coffer, "--fast")
    assert "another tool" in found["problem"]
    words = found["remedy"].split(", ")[0].replace("FILE", str(coffer.recovery)).split()
    coffer.run(*words[1:])
    coffer.run("lock")
    assert findings(coffer) == []


def damage_header(coffer):
    with open(coffer.vault / "root.luks", "r+b") as header:
        header.write(bytes(AREA * 2))


def lose_header(coffer):
    (coffer.vault / "root.luks").unlink()


def put_older_header_back(coffer):
    older = coffer.folder / "older"
    shutil.copy2(coffer.vault / "root.luks", older)
    coffer.run("enroll", "file", coffer.folder / "key", *coffer.secret())
    shutil.copy2(older, coffer.vault / "root.luks")


@pytest.mark.parametrize("do", [damage_header, lose_header, put_older_header_back])
def test_header_that_is_not_its_copy_is_found(coffer, kept, do):
    do(coffer)
    found = findings(coffer, "--fast")[0]
    assert (found["area"], found["severity"]) == ("vault", "damage")
    coffer.run("doctor", "--fast", expect=DAMAGED)
    mended(coffer, found)


def test_damaged_keystore_is_found_with_the_mirror_that_is_whole(coffer):
    folder = coffer.folder / "mirror"
    folder.mkdir()
    configure(coffer, f"mirror = {folder}")
    coffer.run("unlock", *coffer.secret())
    coffer.run("lock")
    os.truncate(coffer.vault / "vault.db", 5000)
    found = next(item for item in findings(coffer) if item["subject"].endswith("vault.db"))
    assert found["severity"] == "damage"
    tool("sh", "-c", found["remedy"])
    near, aside = findings(coffer)
    assert "on the same file system as the vault" in near["problem"]
    assert aside["severity"] == "advice"
    assert aside["subject"].startswith(f"{coffer.vault}.aside")
    mend(coffer, aside)
    assert findings(coffer) == [near]


@pytest.mark.parametrize("gone", ["vault.db", ""])
def test_vault_or_keystore_that_is_gone_is_one_damage(coffer, kept, gone):
    folder = coffer.folder / "mirror"
    folder.mkdir()
    configure(coffer, f"mirror = {folder}")
    coffer.run("unlock", *coffer.secret())
    coffer.open(kept)
    coffer.run("lock", expect=None)
    (coffer.vault / gone).rename(coffer.folder / "gone")
    found, = [item for item in findings(coffer, "--fast") if item["severity"] == "damage"]
    assert found["area"] == "vault" and "cp -a" in found["remedy"]
    coffer.run("doctor", "--fast", expect=DAMAGED)
    for shown in coffer.run("disk", "status", "--json", expect=None).json["disks"]:
        assert shown["header_copy"] is None
    (coffer.folder / "gone").rename(coffer.vault / gone)
    coffer.close(kept)


def test_changed_audit_log_is_found(coffer, kept):
    log = coffer.vault / "audit.log"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(lines[:2] + lines[3:]))
    found = only(coffer)
    assert found["severity"] == "damage" and "audit log" in found["problem"]
    assert found["remedy"].endswith("coffer audit --accept then begins a new log")
    coffer.run("audit", "--accept", *coffer.secret())
    assert findings(coffer) == []


def test_vault_without_recovery_key_is_found(bare):
    bare.run("init", "--passphrase-file", bare.passphrase, "--no-recovery")
    secret = ("--passphrase-file", bare.passphrase)
    found = only(bare, *secret)
    mend(bare, found, *secret, "--out", bare.recovery)
    assert findings(bare, *secret) == []


# ---- mirrors and backups ----

@pytest.mark.parametrize("state", ["behind", "damaged"])
def test_mirror_that_is_not_current_is_found(coffer, place, state):
    folder = place / "mirror"
    folder.mkdir()
    tool("mount", "-t", "tmpfs", "-o", "size=96m", "mirror", folder)
    configure(coffer, f"mirror = {folder}")
    if state == "damaged":
        coffer.run("unlock", *coffer.secret())
        coffer.run("lock")
        overwrite_page(copy_in(folder))
    found = findings(coffer)
    assert any(state in item["problem"] for item in found if item["area"] == "mirrors"), found
    mend(coffer, next(item for item in found if item["area"] == "mirrors"), *coffer.secret())
    coffer.run("lock")
    for aside in findings(coffer):
        assert state == "damaged" and aside["severity"] == "advice"
        mend(coffer, aside)
    assert findings(coffer) == []


def test_backup_that_lacks_changes_is_found(coffer, place, disk):
    coffer.run("backup", "create", place / "v.backup", *coffer.secret())
    coffer.format(disk)
    coffer.close(disk)
    found = only(coffer)
    assert "lacks" in found["problem"] and found["remedy"] == "coffer backup create FILE"
    coffer.run("backup", "create", place / "new.backup", *coffer.secret())
    assert findings(coffer) == []


def test_vault_without_room_is_found_and_a_failed_write_says_where(coffer, disk, place):
    small = place / "small"
    small.mkdir()
    tool("mount", "-t", "tmpfs", "-o", "size=48m", "small", small)
    shutil.copytree(coffer.vault, small / "vault")
    coffer.vault = small / "vault"
    assert findings(coffer) == []
    fill(small, 8 * KIB)
    found = only(coffer)
    assert (found["area"], found["code"]) == ("vault", "no-space")
    assert found["remedy"] == f"make room in {coffer.vault}"
    (small / "ballast").unlink()
    fill(small, 4)
    failed = coffer.format(disk, expect=None)
    assert f"make room in {coffer.vault}, then the same command" in failed.out, failed


def test_clock_that_goes_back_is_found_and_stops_nothing(coffer, kept, place, monkeypatch):
    points_of(coffer.run("backup", "create", place / "v.backup", *coffer.secret(), fault="list"))
    coffer.run("drill", place / "v.backup", *coffer.secret())
    assert findings(coffer) == []
    monkeypatch.setenv("COFFER_TEST_TIME", str(int(time.time()) - 400 * 86400))
    found = findings(coffer)
    assert {(item["area"], item["subject"]) for item in found} == {("system", "clock")}
    coffer.run("unlock", *coffer.secret())
    coffer.open(kept)
    coffer.run("key", "rotate", kept.volume)
    coffer.run("disk", "close", "--all")
    coffer.run("enroll", "file", place / "key", *coffer.secret())
    coffer.run("disk", "destroy", kept, "--yes-destroy", kept)
    coffer.run("audit", "--certificate", kept.volume)
    coffer.run("backup", "create", place / "new.backup", *coffer.secret())
    coffer.run("drill", place / "new.backup", *coffer.secret())
    assert coffer.run("audit", "--verify", "--json").json["verdict"]["state"] == "whole"
    assert findings(coffer) == []
    monkeypatch.delenv("COFFER_TEST_TIME")
    assert {item["problem"] for item in findings(coffer)} == {
        "the last backup was 400 days ago", "the last drill was 400 days ago"}
    coffer.run("status", "--check")


# ---- disks ----

def wipe_magic(disk):
    tool("wipefs", "--all", "--quiet", disk)


def zero_first_header(disk):
    disk.write(0, bytes(4 * KIB))


def zero_second_header(disk):
    disk.write(AREA, bytes(4 * KIB))


def destroy_header(disk):
    disk.write(0, bytes(256 * KIB))


@pytest.mark.parametrize("do", [wipe_magic, zero_first_header, zero_second_header, destroy_header])
def test_damaged_header_is_found(coffer, kept, do):
    do(kept)
    found = only(coffer)
    assert (found["area"], found["severity"], found["subject"]) == ("disks", "damage", kept.volume)
    mended(coffer, found, *coffer.secret(), "--yes-destroy", kept.volume)


def test_older_header_is_found(coffer, kept):
    tool("cryptsetup", "luksHeaderBackup", kept, "--header-backup-file", coffer.folder / "old")
    (coffer.folder / "more").write_text("one more secret")
    tool("cryptsetup", "luksAddKey", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000",
         "--key-file", export_key(coffer, kept.volume), kept, coffer.folder / "more")
    assert findings(coffer) == []  # its copy follows
    tool("cryptsetup", "luksHeaderRestore", "-q", kept, "--header-backup-file",
         coffer.folder / "old")
    found = only(coffer)
    assert "older" in found["problem"]
    mended(coffer, found, *coffer.secret(), "--yes-destroy", kept.volume)


def test_header_on_two_devices_is_found(coffer, kept, make_disk):
    clone = make_disk()
    shutil.copyfile(kept.file, clone.file)
    found = only(coffer)
    assert found["subject"] == kept.volume and clone.node in found["problem"]
    clone.detach()
    assert findings(coffer) == []


def test_killed_engine_is_found(coffer, disk):
    if rig.has_device_mapper():
        pytest.skip("dm-crypt has no process that could be killed")
    coffer.format(disk)
    pid = next(entry.name for entry in os.scandir("/proc") if entry.name.isdigit()
               and disk.volume.encode() in read_line(entry.path))
    os.kill(int(pid), signal.SIGKILL)
    found = only(coffer)
    assert found["subject"] == disk.volume and "killed" in found["problem"]
    for command in found["remedy"].split(" && "):
        coffer.run(*shlex.split(command)[1:], *coffer.secret())
    assert findings(coffer) == []


def read_line(process):
    try:
        with open(process + "/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""


def killed(result):
    if result.status != -signal.SIGKILL:
        pytest.skip("built without -Dfaults=true: nothing can be stopped half-way")


def test_half_formatted_disk_is_found(coffer, disk):
    killed(coffer.format(disk, fault="kill:format/key-durable", expect=None))
    found = only(coffer)
    assert (found["subject"], found["problem"]) == (disk.volume, "is half-formatted")
    found["remedy"] = found["remedy"].replace("DEV", disk.node)
    mended(coffer, found, *coffer.secret(), "--yes-destroy", disk.node)


def test_half_destroyed_disk_is_found(coffer, kept):
    killed(coffer.run("disk", "destroy", kept, "--yes-destroy", kept, *coffer.secret(),
                      fault="kill:destroy/noted", expect=None))
    found = only(coffer)
    assert (found["subject"], found["problem"]) == (kept.volume, "is half-destroyed")
    mended(coffer, found, *coffer.secret(), "--yes-destroy", kept.volume)


def test_half_rotated_key_is_found(coffer, kept):
    killed(coffer.run("key", "rotate", kept.volume, *coffer.secret(),
                      fault="kill:rotate/key-durable", expect=None))
    found = only(coffer)
    assert "not finished" in found["problem"]
    mended(coffer, found, *coffer.secret())


def test_certificate_that_is_missing_is_found(coffer, kept):
    killed(coffer.run("disk", "destroy", kept, "--yes-destroy", kept, *coffer.secret(),
                      fault="kill:destroy/forgotten", expect=None))
    found = only(coffer)
    assert "certificate" in found["problem"]
    mended(coffer, found, *coffer.secret())


def test_absent_disk_is_advised_and_no_fault(coffer, kept):
    coffer.run("disk", "status", *coffer.secret())
    before = coffer.run("doctor", *coffer.secret(), expect=None).status
    kept.detach()
    found = only(coffer)
    assert (found["severity"], found["subject"]) == ("advice", kept.volume)
    assert coffer.run("doctor", *coffer.secret(), expect=None).status == before
    kept.attach()
    assert findings(coffer) == []


def test_key_file_that_is_not_there_is_found(coffer, kept, place):
    (place / "keys").mkdir()
    coffer.run("key", "relocate", kept.volume, "--to", place / "keys", *coffer.secret())
    told = findings(coffer)
    assert all(item["severity"] == "advice" for item in told)
    key = next((place / "keys").iterdir())
    key.rename(place / "elsewhere")
    found = next(item for item in findings(coffer) if "is not there" in item["problem"])
    assert found["subject"] == kept.volume and key.name in found["problem"]
    (place / "elsewhere").rename(key)
    assert findings(coffer) == told


# ---- crypttab and swap ----

def test_lines_that_repair_crypttab_would_change_are_found(coffer, disk):
    coffer.format(disk, options=("--crypttab",))
    coffer.close(disk)
    assert findings(coffer) == []
    line = coffer.crypttab.read_text()
    key = line.split()[2]
    coffer.crypttab.write_text(line.replace(key, "/old.key") + f"enc-gone /dev/gone {key} luks\n")
    found = findings(coffer)
    assert [(item["area"], item["subject"]) for item in found] == \
        [("crypttab", disk.volume), ("crypttab", "enc-gone")]
    mended(coffer, found[0], "--yes", *coffer.secret())
    coffer.crypttab.write_text("")
    assert "has no line" in only(coffer)["problem"]


def test_swap_that_is_not_encrypted_at_the_next_boot_is_found(coffer, part):  # noqa: F811
    node = part.nodes[0]
    (coffer.root / "etc/fstab").write_text(f"{node} none swap sw 0 0\n")
    found = next(item for item in findings(coffer, swap=True) if item["subject"] == node)
    assert (found["area"], found["code"]) == ("swap", "refused")
    mend(coffer, found)
    assert node not in [item["subject"] for item in findings(coffer, swap=True)]


def test_swap_that_cannot_be_encrypted_is_found_with_a_remedy_that_is_not_refused(
        coffer, make_disk, place):
    disk = make_disk()
    tool("mkswap", disk)
    path = place / "swapfile"
    path.write_bytes(bytes(1 << 20))
    (coffer.root / "etc/fstab").write_text(f"{disk.node} none swap sw 0 0\n"
                                           f"{path} none swap sw 0 0\n")
    found = {item["subject"]: item for item in findings(coffer, swap=True)}
    assert "use a partition of a GPT disk" in found[disk.node]["remedy"]
    assert "next boot" in found[str(path)]["problem"]
    assert "partition or logical volume" in found[str(path)]["remedy"]


def test_hibernation_to_swap_with_a_random_key_is_found(coffer, part):  # noqa: F811
    node = part.nodes[0]
    coffer.run("swap", "encrypt", node)
    grub = coffer.root / "etc/default/grub"
    grub.parent.mkdir()
    grub.write_text(f'GRUB_CMDLINE_LINUX="resume={node}"\n')
    found = next(item for item in findings(coffer, swap=True) if "hibernates" in item["problem"])
    assert str(grub) in found["cause"]
    grub.write_text("")
    assert not any("hibernates" in item["problem"] for item in findings(coffer, swap=True))


def test_check_that_cannot_look_is_a_finding(coffer):
    coffer.crypttab.write_bytes(b"a\0b")
    found = [item for item in findings(coffer) if item["area"] == "crypttab"]
    assert found and found[0]["severity"] == "damage"


def test_unsafe_folder_is_found(coffer):
    coffer.vault.chmod(0o777)
    found = only(coffer, "--fast")
    assert found["code"] == "refused"
    coffer.run("doctor", "--fast", expect=REFUSED)
    mended(coffer, found)
