# SPDX-License-Identifier: LGPL-2.1-or-later
"""A vault whose header, folder or mirror is not as the program left it, and the way out."""

import shutil

import pytest

from rig import DAMAGED, LOCKED, REFUSED, USAGE, WRONG_KEY, tool

RESTORE = "coffer backup restore --header-only"


def add_with_cryptsetup(coffer, secret):
    """Adds a keyslot by another tool, as a person would."""
    (coffer.folder / "existing").write_text(coffer.recovery.read_text().replace("\n", ""))
    (coffer.folder / "added").write_text(secret)
    tool("cryptsetup", "luksAddKey", "-q", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000",
         "--key-file", coffer.folder / "existing", coffer.vault / "root.luks",
         coffer.folder / "added")


@pytest.fixture
def mirror(coffer):
    """A mirror of the vault, which has a copy already."""
    folder = coffer.folder / "mirror"
    folder.mkdir()
    configuration = coffer.root / "etc/coffer/coffer.conf"
    configuration.parent.mkdir()
    configuration.write_text(f"mirror = {folder}\n")
    coffer.run("unlock", *coffer.secret())
    coffer.run("lock")
    return folder


def vault_of(coffer):
    return coffer.run("status", "--json").json["vault"]


def enroll_file(coffer, name, **options):
    return coffer.run("enroll", "file", coffer.folder / name, *coffer.secret(), **options)


@pytest.fixture
def rolled_back(coffer):
    """A vault whose older header was put back: only its copy opens with the newer key file."""
    old = (coffer.vault / "root.luks").read_bytes()
    enroll_file(coffer, "newer.key")
    (coffer.vault / "root.luks").write_bytes(old)
    return coffer


# ---- an older header ----

def test_older_header_is_never_built_upon(rolled_back):
    result = enroll_file(rolled_back, "another.key", expect=DAMAGED)
    assert "older header" in result.err and RESTORE in result.err
    new = rolled_back.folder / "new"
    new.write_text("another passphrase\n")
    rolled_back.run("passwd", "--passphrase-file", rolled_back.passphrase, "--new-passphrase-file",
                    new, expect=DAMAGED)
    uuid = vault_of(rolled_back)["uuid"]
    rolled_back.run("revoke", *rolled_back.secret(), "--new-passphrase-file", new,
                    "--no-recovery", "--yes-destroy", uuid, expect=DAMAGED)
    rolled_back.run(*RESTORE.split()[1:])
    rolled_back.run("key", "list", "--key-file", rolled_back.folder / "newer.key")


def test_older_header_is_warned_of_and_unlocks(rolled_back):
    result = rolled_back.run("unlock", *rolled_back.secret())
    assert "older" in result.err and RESTORE in result.err
    assert "older" in rolled_back.run("unlock").err
    status = rolled_back.run("status", "--json").json
    assert status["vault"]["header"] == "older"
    assert any(RESTORE in warning for warning in status["warnings"])


def test_key_that_only_the_copy_knows_is_explained(rolled_back):
    result = rolled_back.run("key", "list", "--key-file", rolled_back.folder / "newer.key",
                             expect=WRONG_KEY)
    assert "older" in result.err and RESTORE in result.err


def test_good_header_gives_no_warning(coffer):
    assert vault_of(coffer)["header"] == "current"
    assert coffer.run("unlock", *coffer.secret()).err == ""


# ---- a header that another tool changed ----

def test_unlocking_copies_what_another_tool_changed_to_the_mirror(coffer, mirror):
    add_with_cryptsetup(coffer, "by hand")
    coffer.run("unlock", *coffer.secret())
    assert vault_of(coffer)["header"] == "current"
    assert vault_of(coffer)["mirrors"][0]["state"] == "current"
    copy = next(mirror.glob("coffer-*/root.luks"))
    tool("cryptsetup", "open", "--test-passphrase", "--key-file", coffer.folder / "added", copy)


def test_change_by_another_tool_is_reported_while_unlocked(coffer, mirror):
    coffer.run("unlock", *coffer.secret())
    add_with_cryptsetup(coffer, "by hand")
    vault = vault_of(coffer)
    assert vault["state"] == "unlocked" and vault["header"] == "changed"
    assert vault["mirrors"][0]["state"] == "behind"
    assert "another tool" in coffer.run("unlock").err
    assert "another tool" in coffer.run("status").out
    coffer.run("unlock", *coffer.secret())
    vault = vault_of(coffer)
    assert vault["header"] == "current" and vault["mirrors"][0]["state"] == "current"


def test_unlock_brings_a_mirror_that_was_away_up_to_date(coffer, mirror):
    mirror.rename(mirror.with_name("elsewhere"))
    enroll_file(coffer, "one.key")
    assert vault_of(coffer)["mirrors"][0]["state"] == "away"
    mirror.with_name("elsewhere").rename(mirror)
    assert vault_of(coffer)["mirrors"][0]["state"] == "behind"
    coffer.run("unlock", *coffer.secret())
    assert vault_of(coffer)["mirrors"][0]["state"] == "current"


# ---- commands that were killed ----

def slots_of(coffer):
    return coffer.run("slots", "--json").json["slots"]


def faults_or_skip(coffer):
    listed = coffer.run("enroll", "file", coffer.folder / "probe.key", *coffer.secret(),
                        fault="list")
    if "fault-point" not in listed.err:
        pytest.skip("built without -Dfaults=true: there are no points to stop at")


def test_enroll_that_was_killed_is_finished_by_the_same_command(coffer):
    faults_or_skip(coffer)
    enroll_file(coffer, "a.key", fault="kill:enroll/slot-added", expect=None)
    assert "unknown" in [slot["method"] for slot in slots_of(coffer)]
    enroll_file(coffer, "a.key")
    assert [slot["method"] for slot in slots_of(coffer)].count("file") == 2
    assert len(slots_of(coffer)) == 4
    assert "already" in enroll_file(coffer, "a.key").out


@pytest.mark.slow
def test_passphrase_that_was_taken_back_outlives_changes_of_others(coffer):
    faults_or_skip(coffer)
    files = {}
    for name in "bde":
        files[name] = coffer.folder / name
        files[name].write_text(f"the passphrase {name}\n")

    def passwd(old, new, **options):
        return coffer.run("passwd", "--passphrase-file", old, "--new-passphrase-file", new,
                          **options)
    passwd(coffer.passphrase, files["b"], fault="kill:passwd/new-token", expect=None)
    passwd(files["b"], coffer.passphrase)
    coffer.run("enroll", "passphrase", *coffer.secret(), "--new-passphrase-file", files["d"])
    passwd(files["d"], files["e"])
    coffer.run("key", "list", "--passphrase-file", coffer.passphrase)
    coffer.run("key", "list", "--passphrase-file", files["b"], expect=WRONG_KEY)


@pytest.mark.slow
def test_passwd_again_finishes_what_a_kill_at_the_end_has_left(coffer, mirror):
    faults_or_skip(coffer)
    new = coffer.folder / "new"
    new.write_text("another passphrase\n")
    change = ["passwd", "--passphrase-file", coffer.passphrase, "--new-passphrase-file", new]
    coffer.run(*change, fault="kill:passwd/old-removed", expect=None)
    assert coffer.run(*change, "--json").json["vault"]["changed"] is False
    assert vault_of(coffer)["header"] == "current"
    assert vault_of(coffer)["mirrors"][0]["state"] == "current"
    dump = tool("cryptsetup", "luksDump", coffer.vault / "root.luks").stdout
    assert dump.count("coffer-method") == len(slots_of(coffer))


# ---- folders of others ----

def test_init_refuses_a_folder_that_others_write_to(bare):
    bare.vault.mkdir()
    bare.vault.chmod(0o777)
    result = bare.init(expect=REFUSED)
    assert "0777" in result.err and f"chmod go-w {bare.vault}" in result.err
    assert list(bare.vault.iterdir()) == []


def test_vault_that_others_write_to_is_not_opened(coffer):
    coffer.vault.chmod(0o770)
    assert "chmod go-w" in coffer.run("key", "list", *coffer.secret(), expect=REFUSED).err


def test_agent_makes_no_socket_where_others_write(coffer):
    run = coffer.root / "run/coffer"
    run.mkdir(parents=True)
    run.chmod(0o777)
    assert "chmod go-w" in coffer.run("unlock", *coffer.secret(), expect=REFUSED).err
    assert not list(run.rglob("agent.sock"))


def test_mirror_that_is_a_link_is_reported_and_left_alone(coffer, mirror):
    victim = mirror / "victim"
    victim.mkdir()
    copy = next(mirror.glob("coffer-*"))
    shutil.rmtree(copy)
    copy.symlink_to(victim)
    enroll_file(coffer, "one.key")
    found = vault_of(coffer)["mirrors"][0]
    assert found["state"] == "failed" and "symbolic link" in found["reason"]
    assert list(victim.iterdir()) == []


# ---- an older vault under an open disk ----

def put_back(coffer, older):
    shutil.rmtree(coffer.vault)
    older.rename(coffer.vault)


@pytest.fixture
def older(coffer, disk):
    """A copy of the vault as it was before the disk was opened; the vault has moved on since."""
    coffer.format(disk)
    coffer.close(disk)
    shutil.copytree(coffer.vault, coffer.folder / "older")
    coffer.run("unlock", *coffer.secret())
    coffer.run("lock")
    coffer.open(disk)
    return coffer.folder / "older"


def test_close_says_that_the_vault_is_older_and_closes_what_its_key_opens(coffer, disk, older):
    put_back(coffer, older)
    told = coffer.run("disk", "close", disk, "--json")
    assert told.disks[0]["state"] == "closed" and "older" in told.disks[0]["note"]
    coffer.open(disk)


def test_close_keeps_a_disk_open_whose_key_an_older_vault_may_not_have(coffer, disk, older):
    coffer.run("key", "rotate", disk, *coffer.secret())
    put_back(coffer, older)
    told = coffer.run("disk", "close", disk, "--json", expect=LOCKED)
    assert "older" in told.err and told.disks[0]["state"] == "open"
    told = coffer.close(disk, expect=REFUSED)
    assert "could not be opened again" in told.err


def test_close_names_the_mirror_that_is_newer(coffer, mirror, disk, older):
    put_back(coffer, older)
    told = coffer.run("disk", "close", disk)
    assert "not the newest" in told.err and f"cp -a {mirror}" in told.err


def test_close_of_a_vault_that_is_not_older_says_nothing(coffer, disk):
    coffer.format(disk)
    coffer.run("unlock", *coffer.secret())
    coffer.run("lock")
    told = coffer.run("disk", "close", disk, "--json")
    assert told.disks[0]["note"] is None and told.err == ""


# ---- a damaged keystore ----

def damaged(content, at):
    if at == "cut off":
        return content[:5000]
    start = len(content) * at // 100 // 4096 * 4096
    return content[:start] + bytes(4096) + content[start + 4096:]


@pytest.mark.parametrize("at", ["cut off", 0, 30, 60, 90])
def test_damage_of_the_keystore_is_named_with_a_way_out(coffer, mirror, disk, at):
    coffer.format(disk)
    coffer.close(disk)
    keystore = coffer.vault / "vault.db"
    keystore.write_bytes(damaged(keystore.read_bytes(), at))
    status = coffer.run("status", expect=DAMAGED)
    assert "vault.db" in status.err and f"cp -a {mirror}" in status.err
    for verb in (["disk", "list"], ["key", "list", *coffer.secret()],
                 ["enroll", "file", coffer.folder / "a.key", *coffer.secret()]):
        told = coffer.run(*verb, expect=None)
        assert told.status == 0 or "try:" in told.err, told


def test_damaged_audit_log_shows_in_status(coffer):
    log = coffer.vault / "audit.log"
    log.write_text(log.read_text().replace('"done"', '"gone"', 1))
    told = coffer.run("status", expect=DAMAGED)
    assert "audit log" in told.err and "coffer audit --accept" in told.err and "locked" in told.out


def test_line_that_a_power_cut_left_is_no_damage_in_status(coffer):
    with open(coffer.vault / "audit.log", "a", encoding="utf-8") as log:
        log.write('{"seq":4,"time":"2026-')
    coffer.run("status")


# ---- status --check ----

def test_status_check_counts_records_that_open(coffer, disk):
    coffer.format(disk)
    coffer.close(disk)
    keys = coffer.run("key", "list", "--json", *coffer.secret()).json["keys"]
    vault = coffer.run("status", "--check", "--json", *coffer.secret()).json["vault"]
    assert vault["records_checked"] >= len(keys) > 0
    coffer.run("unlock", *coffer.secret())
    count = vault["records_checked"]
    assert f"{count} records checked, all open" in coffer.run("status", "--check").out


def test_status_check_of_a_locked_vault_wants_a_secret(coffer):
    result = coffer.run("status", "--check", expect=LOCKED)
    assert "records checked" not in result.out


def test_status_check_reports_damage(rolled_back):
    result = rolled_back.run("status", "--check", "--json", *rolled_back.secret(), expect=DAMAGED)
    assert "records_checked" not in result.json["vault"]
    assert result.json["error"]["remedy"] == RESTORE


def test_status_takes_no_secret_without_check(coffer):
    coffer.run("status", *coffer.secret(), expect=USAGE)
