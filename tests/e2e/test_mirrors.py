# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mirrors that are away, full, fresh or newer than the vault, and a vault that only they have."""

import contextlib
import ctypes
import os
import shutil
import sqlite3
import subprocess

import pytest

import rig
from rig import DAMAGED, NO_DEVICE, REFUSED, Dialogue, mounted, tool
from test_crash import chosen, crash, points_of


@pytest.fixture
def mirrors(coffer):
    """Two configured mirrors, which have a copy already."""
    folders = [coffer.folder / "one", coffer.folder / "two"]
    for folder in folders:
        folder.mkdir()
    configure(coffer, *folders)
    coffer.run("unlock", *coffer.secret())
    coffer.run("lock")
    return folders


def configure(coffer, *folders):
    configuration = coffer.root / "etc/coffer/coffer.conf"
    configuration.parent.mkdir(exist_ok=True)
    configuration.write_text("".join(f"mirror = {folder}\n" for folder in folders))


def vault_of(coffer):
    return coffer.run("status", "--json").json["vault"]


def states_of(coffer):
    return [mirror["state"] for mirror in vault_of(coffer)["mirrors"]]


def import_key(coffer, name, **options):
    """A change that is seen from outside: one more disk, or one more unlock method."""
    return coffer.run("enroll", "file", coffer.folder / name, *coffer.secret(), **options)


@pytest.fixture
def diverged(coffer, mirrors, disk):
    """A vault of which the first mirror has a newer copy, with a disk's key, and the second an
    older one."""
    older = coffer.folder / "older"
    shutil.copytree(coffer.vault, older)
    configure(coffer, mirrors[0])
    coffer.format(disk)
    coffer.close(disk)
    configure(coffer, *mirrors)
    shutil.rmtree(coffer.vault)
    older.rename(coffer.vault)
    return mirrors


def kept_copies(folder):
    return list(folder.glob("coffer-*.newer-*"))


# ---- a mirror that is newer ----

def test_newer_mirror_is_called_newer_and_the_way_back_works(coffer, diverged, disk):
    assert states_of(coffer) == ["newer", "current"]
    status = coffer.run("status")
    remedy = next(line for line in status.out.splitlines()
                  if f"{diverged[0]} is newer" in line).split("try: ")[1].strip("`")
    assert remedy.index("mv ") < remedy.index("cp -a ")
    refused = coffer.run("unlock", *coffer.secret(), expect=DAMAGED)
    assert remedy.split(" && ")[1] in refused.err
    subprocess.run(["sh", "-c", remedy], check=True)
    coffer.open(disk.volume)


def test_mirror_of_a_vault_without_keystore_is_compared_with_no_revision(coffer, mirrors):
    (coffer.vault / "vault.db").unlink()
    told = coffer.run("status", expect=DAMAGED).out
    assert "newer: its copy is of epoch 1, revision " in told
    assert "the vault's own keystore cannot be read" in told and "the vault of 0" not in told


def test_second_mirror_with_the_newest_copy_is_said_to_have_the_same(coffer, mirrors, disk):
    shutil.copytree(coffer.vault, coffer.folder / "before")
    coffer.format(disk)
    coffer.close(disk)
    coffer.run("lock", expect=None)
    shutil.rmtree(coffer.vault)
    shutil.copytree(coffer.folder / "before", coffer.vault)
    warnings = [text for text in coffer.run("status", "--json").json["warnings"]
                if "is newer" in text]
    assert len(warnings) == 2 and "cp -a" in warnings[0]
    assert f"nothing here: {mirrors[0]} has the same copy" in warnings[1]


def test_second_vault_beside_a_live_one_is_not_offered_its_copy(coffer, mirrors):
    system = coffer.root / "var/lib/coffer"
    system.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(coffer.vault, system)
    coffer.vault = coffer.folder / "second"
    error = coffer.run("init", "--passphrase-file", coffer.passphrase, "--no-recovery", "--json",
                       expect=REFUSED).json["error"]
    assert str(system) in error["text"] and str(mirrors[0]) in error["cause"]
    assert "cp -a" not in error["remedy"] and not coffer.vault.exists()


def test_accept_older_in_a_script_keeps_the_newer_copy_and_lists_what_is_lost(coffer, diverged,
                                                                              disk):
    told = coffer.run("unlock", "--accept-older", *coffer.secret())
    assert f"disk/{disk.volume}" in told.err
    assert states_of(coffer) == ["current", "current"]
    kept, = kept_copies(diverged[0])
    coffer.run("lock")
    shutil.rmtree(coffer.vault)
    shutil.copytree(kept, coffer.vault)
    configure(coffer)
    coffer.open(disk.volume)


def test_mirror_of_another_past_is_kept_however_old_its_revision(coffer, mirrors, disk):
    """A vault was put back while the mirror with a disk's key was away, and has moved on since."""
    older = coffer.folder / "older"
    shutil.copytree(coffer.vault, older)
    configure(coffer, mirrors[0])
    coffer.format(disk)
    coffer.close(disk)
    shutil.rmtree(coffer.vault)
    older.rename(coffer.vault)
    configure(coffer, mirrors[1])
    for number in range(8):
        import_key(coffer, f"{number}.key")
        coffer.run("unlock", *coffer.secret())
        coffer.run("lock")
    configure(coffer, *mirrors)
    told = coffer.run("unlock", *coffer.secret())
    assert disk.volume in told.err
    assert states_of(coffer) == ["current", "current"]
    kept, = kept_copies(mirrors[0])
    coffer.run("lock")
    shutil.rmtree(coffer.vault)
    shutil.copytree(kept, coffer.vault)
    configure(coffer)
    coffer.open(disk.volume)


def test_mirror_that_was_away_while_a_disk_was_formatted_anew_is_brought_up_to_date(
        coffer, mirrors, disk):
    coffer.format(disk)
    coffer.close(disk)
    away = coffer.folder / "away"
    mirrors[0].rename(away)
    coffer.run("unlock", *coffer.secret())
    coffer.run("lock")
    away.rename(mirrors[0])
    coffer.run("unlock", *coffer.secret())
    assert states_of(coffer) == ["current", "current"]
    assert not kept_copies(mirrors[0])


def test_mirror_is_current_after_each_unlocking(coffer, mirrors):
    for _ in range(2):
        coffer.run("unlock", *coffer.secret())
        assert states_of(coffer) == ["current", "current"]
        coffer.run("lock")
        assert states_of(coffer) == ["current", "current"]


def test_mirror_without_a_keystore_is_behind_and_gets_one(coffer, mirrors):
    keystore = next(mirrors[0].glob("coffer-*")) / "vault.db"
    keystore.unlink()
    assert states_of(coffer) == ["behind", "current"]
    coffer.run("unlock", *coffer.secret())
    assert states_of(coffer) == ["current", "current"]
    assert keystore.exists()


@pytest.mark.parametrize("answer, agreed", [("no", False), ("yes", True)])
def test_accept_older_on_a_terminal_asks(coffer, diverged, disk, answer, agreed):
    before = (diverged[0] / next(diverged[0].iterdir()).name / "vault.db").read_bytes()
    with Dialogue(coffer, "unlock", "--accept-older", *coffer.secret()) as dialogue:
        dialogue.wait_for("yes or no")
        assert f"disk/{disk.volume}" in dialogue.said
        status = dialogue.answer(answer)
    assert status == (0 if agreed else REFUSED), dialogue.said
    assert len(kept_copies(diverged[0])) == int(agreed)
    if not agreed:
        assert next(diverged[0].glob("coffer-*/vault.db")).read_bytes() == before


# ---- a copy that is damaged ----

def flip(path, offset):
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


def flip_record(copy):
    """In a row's value, where the database itself sees nothing."""
    keystore = copy / "vault.db"
    with contextlib.closing(sqlite3.connect(keystore)) as opened:
        value, = opened.execute("SELECT value FROM record WHERE key LIKE 'record/disk/%'").fetchone()
    flip(keystore, keystore.read_bytes().index(value) + len(value) // 2)


def overwrite_page(copy, at=0.5):
    keystore = copy / "vault.db"
    content = keystore.read_bytes()
    start = int(len(content) * at) // 4096 * 4096
    keystore.write_bytes(content[:start] + bytes(4096) + content[start + 4096:])


def truncate_keystore(copy):
    os.truncate(copy / "vault.db", 5000)


def change_line(copy):
    log = copy / "audit.log"
    log.write_text(log.read_text().replace('"done"', '"gone"', 1))


ROT = {
    "record": (flip_record, "vault.db, record/disk/"),
    "page": (overwrite_page, "vault.db"),
    "keystore cut off": (truncate_keystore, "vault.db"),
    "keyslot": (lambda copy: flip(copy / "root.luks", 32768 + 4096), "root.luks"),
    "mark": (lambda copy: flip(copy / "vault.mark", 80), "vault.mark"),
    "log": (change_line, "audit.log"),
}


def copy_in(mirror):
    return next(mirror.glob("coffer-" + 8 * "?" + "-????-????-????-" + 12 * "?"))


@pytest.mark.parametrize("rot", ROT)
def test_check_finds_what_is_damaged_in_a_mirror_and_unlock_mends_it(coffer, mirrors, disk, rot):
    damage, where = ROT[rot]
    coffer.format(disk)
    coffer.close(disk)
    damage(copy_in(mirrors[0]))
    bad = copy_in(mirrors[0])
    digest = rig.tree_digest(bad)
    told = coffer.run("status", "--check", "--json", *coffer.secret(), expect=DAMAGED)
    assert where in told.json["error"]["text"] and "coffer unlock" in told.json["error"]["remedy"]
    assert [mirror["state"] for mirror in told.json["vault"]["mirrors"]] == ["damaged", "current"]
    assert states_of(coffer) == ["damaged", "current"]
    told = coffer.run("unlock", *coffer.secret())
    assert f"the copy in {mirrors[0]} is damaged" in told.err and where in told.err
    assert states_of(coffer) == ["current", "current"]
    vault = coffer.run("status", "--check", "--json").json["vault"]
    assert vault["mirrors_checked"] == 2
    kept, = mirrors[0].glob("coffer-*.damaged-*")
    assert rig.tree_digest(kept) == digest


def test_full_disk_keeps_a_damaged_copy_until_there_is_room(coffer, place):
    folder = place / "small"
    folder.mkdir()
    rig.tool("mount", "-t", "tmpfs", "-o", "size=24m", "small", folder)
    configure(coffer, folder)
    coffer.run("unlock", *coffer.secret())
    coffer.run("lock")
    overwrite_page(copy_in(folder))
    coffer.run("status", "--check", *coffer.secret(), expect=DAMAGED)
    digest = rig.tree_digest(copy_in(folder))
    for _ in range(2):
        told = coffer.run("unlock", *coffer.secret())
        assert f"make room in {folder}" in told.err and states_of(coffer) == ["failed"]
        coffer.run("lock")
        copies = [path for path in folder.iterdir() if path.is_dir()]
        assert digest in map(rig.tree_digest, copies)
    rig.tool("mount", "-o", "remount,size=96m", folder)
    coffer.run("unlock", *coffer.secret())
    assert states_of(coffer) == ["current"]
    assert digest in [rig.tree_digest(copy) for copy in folder.glob("coffer-*.damaged-*")]


def test_agent_mends_a_mirror_too(coffer, mirrors):
    coffer.run("unlock", *coffer.secret())
    overwrite_page(copy_in(mirrors[1]))
    coffer.run("status", "--check", expect=DAMAGED)
    coffer.run("unlock")
    assert states_of(coffer) == ["current", "current"]
    coffer.run("status", "--check")


def test_change_finds_a_copy_that_cannot_be_read(coffer, mirrors):
    truncate_keystore(copy_in(mirrors[0]))
    assert states_of(coffer) == ["damaged", "current"]
    told = import_key(coffer, "a.key")
    assert "*.damaged-DATE" in told.err
    assert states_of(coffer) == ["current", "current"]
    coffer.run("status", "--check", *coffer.secret())


def test_damaged_copy_that_cannot_be_set_aside_is_not_called_current(coffer, mirrors, make_disk):
    stick = make_disk()
    tool("mkfs.ext4", "-q", stick)
    folder = coffer.folder / "stick"
    configure(coffer, folder)
    with mounted(stick, folder):
        coffer.run("unlock", *coffer.secret())
        change_line(copy_in(folder))
        coffer.run("status", "--check", expect=DAMAGED)
        tool("mount", "-o", "remount,ro", folder)
        told = coffer.run("unlock")
        assert f"the mirror {folder} is damaged" in told.err and states_of(coffer) == ["damaged"]
        tool("mount", "-o", "remount,rw", folder)
        coffer.run("unlock")
        assert states_of(coffer) == ["current"]


def test_damage_of_the_vault_does_not_spread_to_the_mirrors(coffer, mirrors, disk):
    coffer.format(disk)
    coffer.close(disk)
    before = [rig.tree_digest(copy_in(mirror)) for mirror in mirrors]
    overwrite_page(coffer.vault, at=0.9)  # in the copy of the disk's header
    told = coffer.run("unlock", *coffer.secret())
    assert "mirrors were not written" in told.err
    coffer.run("lock")
    assert [rig.tree_digest(copy_in(mirror)) for mirror in mirrors] == before


def test_log_that_was_changed_does_not_replace_its_copies(coffer, mirrors):
    good = (copy_in(mirrors[0]) / "audit.log").read_bytes()
    change_line(coffer.vault)
    told = coffer.run("unlock", *coffer.secret())
    assert "audit log" in told.err and "coffer audit --verify" in told.err
    coffer.run("lock")
    assert (copy_in(mirrors[0]) / "audit.log").read_bytes() == good
    assert states_of_damaged(coffer) == ["current", "current"]
    coffer.run("audit", "--accept", *coffer.secret())
    kept, = copy_in(mirrors[0]).glob("audit.log.newer-*")
    assert kept.read_bytes() == good
    new = (copy_in(mirrors[0]) / "audit.log").read_text()
    assert "audit.accept" in new
    coffer.run("status", "--check", *coffer.secret())


def test_copy_of_the_log_with_more_lines_is_kept(coffer, mirrors):
    log = coffer.vault / "audit.log"
    beginning = log.read_text()
    coffer.run("key", "list", *coffer.secret())
    import_key(coffer, "a.key")
    more = (copy_in(mirrors[0]) / "audit.log").read_text()
    assert len(more) > len(beginning)
    log.write_text(beginning)
    coffer.run("unlock", *coffer.secret())
    kept, = copy_in(mirrors[0]).glob("audit.log.newer-*")
    assert kept.read_text() == more


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_mending_a_mirror_converges_after_a_stop_at_any_point(coffer, mirrors, fault):
    def unlock(**options):
        result = coffer.run("unlock", *coffer.secret(), **options)
        coffer.run("lock", expect=None)
        return result

    def break_again():
        for kept in mirrors[0].glob("coffer-*.damaged-*"):
            shutil.rmtree(kept)
        change_line(copy_in(mirrors[0]))
        coffer.run("status", "--check", *coffer.secret(), expect=DAMAGED)
    break_again()
    points = points_of(unlock(fault="list"))
    assert "mirror/set-aside" in points
    for number in chosen(points):
        break_again()
        assert crash(unlock, number, fault).status == 0, points[number - 1]
        coffer.run("status", "--check", *coffer.secret())
        assert states_of(coffer) == ["current", "current"], points[number - 1]
        assert list(mirrors[0].glob("coffer-*.damaged-*")), points[number - 1]


# ---- mirrors that do not get a change ----

def test_change_warns_of_each_mirror_that_has_not_got_it(coffer, mirrors):
    shutil.rmtree(mirrors[0])
    told = import_key(coffer, "a.key")
    assert f"warning: the mirror {mirrors[0]} is away" in told.err
    assert "cause:" in told.err and "try:" in told.err
    assert str(mirrors[1]) not in told.err


def test_format_warns_of_a_mirror_that_is_away(coffer, mirrors, disk):
    shutil.rmtree(mirrors[1])
    told = coffer.format(disk)
    assert f"warning: the mirror {mirrors[1]} is away" in told.err


def test_change_warns_of_a_mirror_that_is_full(coffer, mirrors, make_disk):
    small = make_disk(size_mib=4)
    tool("mkfs.ext4", "-q", small)
    configure(coffer, coffer.folder / "small", mirrors[0])
    with mounted(small, coffer.folder / "small"):
        told = import_key(coffer, "a.key")
        assert "warning: the mirror" in told.err and "make room" in told.err
        assert states_of(coffer) == ["failed", "current"]


def test_nothing_is_warned_of_when_nothing_was_changed(coffer, mirrors):
    import_key(coffer, "a.key")
    shutil.rmtree(mirrors[0])
    assert "mirror" not in coffer.run("key", "list", *coffer.secret()).err
    assert "mirror" not in import_key(coffer, "a.key", expect=0).err


def test_revoke_names_the_mirrors_that_keep_the_old_header(coffer, mirrors):
    mirrors[0].rename(coffer.folder / "elsewhere")
    new = coffer.folder / "new"
    new.write_text("another passphrase\n")
    told = coffer.run("revoke", *coffer.secret(), "--new-passphrase-file", new, "--no-recovery",
                      "--yes-destroy", vault_of(coffer)["uuid"])
    assert str(mirrors[0]) in told.err and "old header" in told.err
    assert str(mirrors[1]) not in told.err


# ---- a mirror that does not answer ----

@contextlib.contextmanager
def hanging(folder):
    """A file system at folder whose server never answers, as a share whose machine is gone."""
    server = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={server},rootmode=40000,user_id=0,group_id=0"
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.mount(b"none", os.fsencode(folder), b"fuse", 0, options.encode()) == 0
    try:
        yield
    finally:
        os.close(server)
        tool("umount", "--lazy", folder)


@pytest.fixture
def impatient(coffer, monkeypatch):
    listed = coffer.run("enroll", "file", coffer.folder / "probe", *coffer.secret(), fault="list")
    if "fault-point" not in listed.err:
        pytest.skip("built without -Dfaults=true: the time limit cannot be set")
    monkeypatch.setenv("COFFER_TEST_REACH_MS", "200")


def test_mirror_that_hangs_holds_up_nothing(coffer, mirrors, impatient, disk):
    with hanging(mirrors[0]):
        assert states_of(coffer) == ["away", "current"]
        assert "does not answer" in coffer.run("status").out
        told = coffer.run("unlock", *coffer.secret())
        assert f"the mirror {mirrors[0]} is away" in told.err and "does not answer" in told.err
        assert "does not answer" in coffer.format(disk).err
        coffer.close(disk)
        assert states_of(coffer) == ["away", "current"]
    assert states_of(coffer) == ["behind", "current"]
    coffer.run("unlock")
    assert states_of(coffer) == ["current", "current"]


def test_vault_that_is_gone_is_looked_for_in_the_mirrors_that_answer(coffer, mirrors, impatient):
    shutil.rmtree(coffer.vault)
    with hanging(mirrors[0]):
        assert f"cp -a {mirrors[1]}" in coffer.run("unlock", expect=NO_DEVICE).err
        with hanging(mirrors[1]):
            told = coffer.run("unlock", expect=NO_DEVICE).err
            assert str(mirrors[0]) in told and "coffer init" in told


# ---- a vault that is gone ----

@pytest.mark.parametrize("empty", [False, True])
def test_vault_that_is_gone_is_brought_back_from_its_mirror(coffer, mirrors, empty):
    shutil.rmtree(coffer.vault)
    if empty:
        coffer.vault.mkdir()
    for verb in (["key", "list"], ["unlock"], ["slots"], ["disk", "open", "--all"]):
        told = coffer.run(*verb, expect=NO_DEVICE)
        assert str(mirrors[0]) in told.err and "coffer init" not in told.err
    assert str(mirrors[0]) in coffer.run("status").out
    assert "coffer init" not in coffer.run("status").out
    remedy = told.err.split("try:")[1].strip()
    subprocess.run(["sh", "-c", remedy], check=True)
    coffer.run("unlock", *coffer.secret())


def test_init_refuses_while_a_mirror_has_a_vault(coffer, mirrors):
    shutil.rmtree(coffer.vault)
    coffer.recovery.unlink()
    refused = coffer.init(expect=REFUSED)
    assert str(mirrors[0]) in refused.err and "--force" in refused.err
    assert not coffer.recovery.exists() and not coffer.vault.exists()
    coffer.run("init", "--dry-run", "--passphrase-file", coffer.passphrase, "--no-recovery",
               expect=REFUSED)
    coffer.run("init", "--passphrase-file", coffer.passphrase, "--recovery-out", coffer.recovery,
               "--force")
    assert len(list(mirrors[0].glob("coffer-*"))) == 2


# ---- a mirror that is new or fresh ----

def test_unlock_fills_a_mirror_that_was_configured_just_now(coffer, mirrors):
    coffer.run("unlock", *coffer.secret())
    third = coffer.folder / "three"
    third.mkdir()
    configure(coffer, *mirrors, third)
    assert "no copy of the vault yet" in coffer.run("status").out
    assert states_of(coffer)[2] == "behind"
    coffer.run("unlock")
    assert states_of(coffer)[2] == "current"


def test_stick_that_was_replaced_is_filled_and_a_bare_mount_point_is_not(coffer, make_disk):
    point = coffer.folder / "stick"
    sticks = [make_disk(), make_disk()]
    for stick in sticks:
        tool("mkfs.ext4", "-q", stick)
    configure(coffer, point)
    with mounted(sticks[0], point):
        coffer.run("unlock", *coffer.secret())
        assert states_of(coffer) == ["current"]
    told = coffer.run("unlock", *coffer.secret())
    assert "is it mounted?" in told.err and not list(point.iterdir())
    with mounted(sticks[1], point):
        coffer.run("unlock", *coffer.secret())
        assert states_of(coffer) == ["current"]


def files_of(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def test_copy_under_the_mount_point_is_not_taken_for_the_stick(coffer, make_disk):
    point, stick = coffer.folder / "stick", make_disk()
    tool("mkfs.ext4", "-q", stick)
    point.mkdir()
    configure(coffer, point)
    coffer.run("unlock", *coffer.secret())
    [bare] = point.iterdir()
    with mounted(stick, point):
        coffer.run("unlock", *coffer.secret())
        assert states_of(coffer) == ["current"]
    before = files_of(bare)
    told = coffer.run("unlock", *coffer.secret()).err
    assert "is it mounted?" in told and files_of(bare) == before
    assert states_of(coffer) == ["away"]
    # Who wants the folder itself does what the remedies say.
    tool("mv", bare, f"{bare}.old")
    assert f"mkdir -m 700 {bare}" in " ".join(coffer.run("status").out.split())
    tool("mkdir", "-m", "700", bare)
    coffer.run("unlock", *coffer.secret())
    assert states_of(coffer) == ["current"]


# ---- what is shown of a vault that is damaged ----

def remove_header(coffer):
    (coffer.vault / "root.luks").unlink()


def cut_keystore(coffer):
    with open(coffer.vault / "vault.db", "r+b") as keystore:
        keystore.truncate(5000)


def remove_disks(coffer):
    with contextlib.closing(sqlite3.connect(coffer.vault / "vault.db")) as keystore, keystore:
        keystore.execute("DELETE FROM record WHERE key LIKE 'record/disk/%'")


def mistake_in_config(coffer):
    with open(coffer.root / "etc/coffer/coffer.conf", "a", encoding="utf-8") as configuration:
        configuration.write("mirorr = /mnt\n")


DAMAGES = {
    "no header": (remove_header, "coffer backup restore --header-only"),
    "keystore cut off": (cut_keystore, "cp -a "),
    "config": (mistake_in_config, "coffer.conf"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_status_shows_what_it_can_of_a_damaged_vault(coffer, mirrors, disk, damage):
    coffer.format(disk)  # a vault without any record would be one that init did not finish
    coffer.close(disk)
    uuid = vault_of(coffer)["uuid"]
    do, remedy = DAMAGES[damage]
    do(coffer)
    told = coffer.run("status", "--json", expect=DAMAGED)
    assert told.json["vault"]["uuid"] == uuid
    assert [mirror["folder"] for mirror in told.json["vault"]["mirrors"]] == list(map(str, mirrors))
    assert remedy in told.err
    shown = coffer.run("status", expect=DAMAGED)
    assert uuid in shown.out and remedy in shown.err


@pytest.mark.parametrize("damage", DAMAGES)
def test_disk_list_shows_what_it_can_of_a_damaged_vault(coffer, mirrors, disk, damage):
    coffer.format(disk)
    coffer.close(disk)
    do, remedy = DAMAGES[damage]
    do(coffer)
    told = coffer.run("disk", "list", expect=DAMAGED)
    assert disk.node in told.out and remedy in told.err


def test_status_says_unknown_of_a_keystore_that_is_missing(coffer, mirrors):
    (coffer.vault / "vault.db").unlink()
    shown = coffer.run("status", expect=DAMAGED).out
    assert "epoch and revision unknown" in shown and "the keystore cannot be read" in shown
    assert "never" not in shown and "0 in the vault" not in shown
    told = coffer.run("status", "--json", expect=DAMAGED).json
    assert told["vault"]["revision"] is None and told["disks"]["known"] is None


def test_mirror_on_the_vaults_own_file_system_is_warned_of(coffer, make_disk):
    near, far = coffer.folder / "near", coffer.folder / "far"
    near.mkdir()
    stick = make_disk()
    tool("mkfs.ext4", "-q", stick)
    configure(coffer, near, far)
    with mounted(stick, far):
        coffer.run("unlock", *coffer.secret())
        warnings = coffer.run("status", "--json").json["warnings"]
    said = [text for text in warnings if "same file system as the vault" in text]
    assert len(said) == 1 and str(near) in said[0]


def test_check_names_the_mirror_that_was_not_read(coffer, mirrors):
    mirrors[0].rename(coffer.folder / "away")
    shown = " ".join(coffer.run("status", "--check", *coffer.secret()).out.split())
    assert f"1 of 2 mirrors read, {mirrors[0]} is away" in shown


def test_vault_that_is_gone_may_be_in_a_mirror_that_is_not_mounted(coffer, mirrors):
    shutil.rmtree(coffer.vault)
    for mirror in mirrors:
        shutil.rmtree(mirror)
        mirror.mkdir()
    told = coffer.run("unlock", expect=NO_DEVICE).err
    assert f"mount {mirrors[0]} and look again" in told
    assert f"mount {mirrors[0]}" in " ".join(coffer.run("status").out.split())
    coffer.init()


def test_slots_are_shown_without_a_keystore_and_with_a_mistake_in_the_configuration(coffer,
                                                                                    mirrors):
    mistake_in_config(coffer)
    assert "recovery" in coffer.run("slots", expect=DAMAGED).out
    cut_keystore(coffer)
    told = coffer.run("slots", expect=DAMAGED)
    assert "recovery" in told.out and "coffer.conf" in told.err and "cp -a " in told.err
    remove_header(coffer)
    coffer.run("slots", "--json", expect=DAMAGED)


def test_mistake_in_the_configuration_keeps_changes_away(coffer, mirrors):
    mistake_in_config(coffer)
    assert "coffer.conf" in import_key(coffer, "a.key", expect=DAMAGED).err


def test_older_keystore_is_shown_while_the_agent_has_the_keys(coffer, diverged, disk):
    coffer.run("unlock", "--accept-older", *coffer.secret())
    older = coffer.folder / "older.db"
    shutil.copy(coffer.vault / "vault.db", older)
    coffer.format(disk, options=["--force"])
    coffer.close(disk)
    shutil.copy(older, coffer.vault / "vault.db")
    for verb in (["status"], ["disk", "list"]):
        told = coffer.run(*verb, expect=DAMAGED)
        assert "older" in told.err and "cp -a " in told.err, told
        assert told.out
    assert "newer" in states_of_damaged(coffer)


def states_of_damaged(coffer):
    status = coffer.run("status", "--json", expect=DAMAGED)
    return [mirror["state"] for mirror in status.json["vault"]["mirrors"]]


def test_tampered_keystore_names_the_newest_good_copy(coffer, mirrors, disk):
    coffer.format(disk)
    coffer.close(disk)
    remove_disks(coffer)
    # One mirror is as bad as the vault.
    shutil.copy(coffer.vault / "vault.db", next(mirrors[0].glob("coffer-*")) / "vault.db")
    told = coffer.run("disk", "open", "--all", *coffer.secret(), expect=DAMAGED)
    assert f"cp -a {mirrors[1]}" in told.err
    subprocess.run(["sh", "-c", told.err.split("try:")[1].strip()], check=True)
    coffer.open(disk.volume)


def test_tampered_keystore_without_a_good_copy_leads_to_a_backup(coffer, disk):
    coffer.format(disk)
    coffer.close(disk)
    remove_disks(coffer)
    assert "backup" in coffer.run("disk", "list", *coffer.secret(), expect=DAMAGED).err


def test_history_shows_when_and_why_each_generation_ended(coffer, disk):
    coffer.format(disk)
    coffer.close(disk)
    key = coffer.folder / "disk.key"
    coffer.run("key", "export", f"disk/{disk.volume}", "--out", key, *coffer.secret())
    tool("cryptsetup", "luksAddKey", "-q", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000",
         "--key-file", key, disk, "/etc/hostname")
    coffer.open(disk)
    coffer.close(disk)
    copy = f"disk-header/{disk.volume}"
    told = coffer.run("key", "history", copy, "--json", *coffer.secret()).json
    shown = [entry["generation"] for entry in told["keys"]]
    absent = [entry["generation"] for entry in told["not_kept"]]
    assert sorted(shown + absent) == list(range(1, shown[0] + 1))
    assert told["keys"][0]["why"] is None and told["keys"][0]["ended"] is None
    assert [entry["why"] for entry in told["keys"][1:]] == ["another header"]
    for newer, older in zip(told["keys"], told["keys"][1:]):
        if newer["generation"] == older["generation"] + 1:
            assert older["ended"] == newer["created"]
    table = coffer.run("key", "history", copy, *coffer.secret()).out
    assert "REPLACED BY" in table and "another header" in table and "current" in table
    history = coffer.run("key", "history", disk.volume, "--json", *coffer.secret()).json
    kept = [entry["generation"] for entry in history["keys"]]
    absent = [entry["generation"] for entry in history["not_kept"]]
    assert sorted(kept + absent) == list(range(1, kept[0] + 1))
