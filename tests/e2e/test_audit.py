# SPDX-License-Identifier: LGPL-2.1-or-later
"""The audit log: each verb leaves its line, tampering is found, no crash or full disk harms it."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

import pytest

import rig
from rig import DAMAGED, DONE, FAILED, NO_DEVICE, REFUSED, USAGE, WRONG_KEY, mounted, tool


def log_of(coffer):
    return coffer.vault / "audit.log"


def lines_of(coffer, *options):
    return coffer.run("audit", "--json", *options).json["lines"]


def events(coffer, *options):
    return [(line["event"], line["result"]) for line in lines_of(coffer, *options)]


def verify(coffer, **options):
    return coffer.run("audit", "--verify", "--json", *coffer.secret(), **options)


def start_agent(coffer):
    coffer.run("unlock", *coffer.secret())


# ---- lines ----

def test_init_begins_the_log(coffer):
    first, second = lines_of(coffer)[:2]
    assert first["event"] == "audit.begin" and first["prev"] == 64 * "0"
    assert first["detail"]["vault"] == coffer.run("status", "--json").json["vault"]["uuid"]
    assert second["event"] == "vault.init" and second["who"]["verb"] == "init"
    assert second["who"]["uid"] == 0 and second["who"]["pid"] > 0
    assert (log_of(coffer).stat().st_mode & 0o777) == 0o600


def test_unlock_and_lock_leave_lines(coffer):
    start_agent(coffer)
    coffer.run("lock")
    assert events(coffer)[-3:] == [
        ("vault.unlock", "done"), ("vault.unlock", "done"), ("vault.lock", "done")]
    assert "subject" in lines_of(coffer)[-2] and lines_of(coffer)[-2]["detail"]["seconds"] == 28800


def wait_for_the_limit(coffer):
    end = time.monotonic() + 30
    while coffer.run("status", "--json").json["vault"]["state"] == "unlocked":
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.parametrize("finder", ["key", "lock"])
def test_time_limit_of_the_agent_leaves_a_line_once(coffer, finder):
    coffer.run("unlock", "--for", "1s", *coffer.secret())
    given = lines_of(coffer, "--event", "vault.unlock")[-1]
    wait_for_the_limit(coffer)
    command = ["lock"] if finder == "lock" else ["key", "list", *coffer.secret()]
    for _ in range(2):
        coffer.run(*command)
        line, = lines_of(coffer, "--event", "vault.lock")
        assert line["detail"]["by"] == "time limit" and line["detail"]["at"] > given["time"]
    verify(coffer)


def test_limit_that_is_not_over_leaves_no_line(coffer):
    start_agent(coffer)
    coffer.run("key", "list", *coffer.secret())
    assert lines_of(coffer, "--event", "vault.lock") == []
    coffer.run("lock")
    coffer.run("lock")
    coffer.run("key", "list", *coffer.secret())
    line, = lines_of(coffer, "--event", "vault.lock")
    assert "detail" not in line


def test_restart_of_the_machine_leaves_a_line(coffer, place):
    """In a mount namespace of its own, where the kernel says another boot id."""
    start_agent(coffer)
    other = place / "boot-id"
    other.write_text("0b3e1b1e-0000-4000-8000-000000000000\n")
    inside = ["mount", "--bind", str(other), "/proc/sys/kernel/random/boot_id"]
    arguments = coffer.arguments("key", "list", *coffer.secret())
    tool("unshare", "--mount", "sh", "-c", '"$0" "$1" "$2" "$3" && shift 3 && exec "$@"',
         *inside, rig.PROGRAM, *arguments)
    line, = lines_of(coffer, "--event", "vault.lock")
    assert line["detail"] == {"by": "restart"}


def test_wrong_passphrase_leaves_a_line(coffer):
    wrong = coffer.folder / "wrong"
    wrong.write_text("wrong secret words\n")
    coffer.run("key", "list", "--passphrase-file", wrong, expect=WRONG_KEY)
    line = lines_of(coffer)[-1]
    assert (line["event"], line["result"], line["code"]) == \
        ("vault.unlock-failed", "failed", "wrong-key")
    assert "wrong secret words" not in log_of(coffer).read_text()
    verify(coffer)


def test_slots_leave_lines(coffer):
    coffer.run("enroll", "file", coffer.folder / "new.key", *coffer.secret())
    new = coffer.folder / "new"
    new.write_text("a much newer passphrase\n")
    coffer.run("passwd", "--passphrase-file", coffer.passphrase, "--new-passphrase-file", new)
    found = events(coffer, "--event", "vault")
    assert ("vault.enroll", "done") in found and ("vault.passwd", "done") in found
    verify(coffer)


def test_event_of_no_class_is_refused_with_the_classes(coffer):
    for event in ("keys", "disks.open", "enroll"):
        refused = coffer.run("audit", "--event", event, expect=USAGE).err
        assert event in refused and "vault, key, backup, disk, swap" in refused
    for event in ("key", "disk.open", "swap.", "audit.seal"):
        coffer.run("audit", "--event", event)


def test_disk_verbs_leave_lines(coffer, disk):
    coffer.format(disk)
    coffer.close(disk)
    coffer.open(disk)
    coffer.open(disk)  # is open already: no line
    coffer.close(disk)
    coffer.open(disk, options=["--test"])
    assert events(coffer, "--event", "disk", "--subject", disk.volume) == [
        ("disk.format", "started"), ("disk.open", "done"), ("disk.format", "done"),
        ("disk.close", "done"), ("disk.open", "done"), ("disk.close", "done")]
    assert events(coffer, "--event", "key.use") == [("key.use", "done")]
    assert ("record.put", "done") in events(coffer, "--subject", f"disk/{disk.volume}")
    started = lines_of(coffer, "--event", "disk.format")[0]
    assert started["detail"]["source"] == disk.node
    assert verify(coffer).json["verdict"]["state"] == "whole"


def test_refusal_leaves_a_line(coffer, disk):
    tool("mkfs.ext4", "-q", disk)
    coffer.format(disk, expect=REFUSED)
    coffer.open("no-such-disk", expect=NO_DEVICE)
    found = lines_of(coffer, "--event", "disk")
    assert [(line["event"], line["result"]) for line in found] == [
        ("disk.format", "refused"), ("disk.open", "failed")]
    assert found[0]["detail"]["reason"]


def test_key_export_leaves_a_line_and_no_key(coffer, disk):
    coffer.format(disk)
    out = coffer.folder / "out"
    coffer.run("key", "export", disk.volume, "--out", out, *coffer.secret())
    line, = lines_of(coffer, "--event", "key.export")
    assert line["subject"] == f"disk/{disk.volume}" and line["detail"]["file"] == str(out)
    text = log_of(coffer).read_bytes()
    assert out.read_bytes().hex().encode() not in text and out.read_bytes() not in text
    # One that fails leaves a line as well.
    coffer.run("key", "export", "disk/none", "--out", out, *coffer.secret(), expect=NO_DEVICE)
    assert lines_of(coffer, "--event", "key.export")[-1]["result"] == "failed"


def test_dry_runs_leave_no_line(coffer, disk):
    before = len(lines_of(coffer))
    start_agent(coffer)
    after = len(lines_of(coffer))
    coffer.run("disk", "format", disk, "--dry-run", "--json")
    coffer.run("lock", "--dry-run")
    assert len(lines_of(coffer)) == after > before


@contextlib.contextmanager
def key_server(coffer):
    """A key server; gives what asks it for the key of a volume, as systemd-cryptsetup does."""
    server = coffer.start("key-server")

    def ask(volume):
        with socket.socket(socket.AF_UNIX) as client:
            client.bind(f"\0{os.getpid():x}/cryptsetup/{volume}")
            client.connect(str(next(coffer.root.glob("run/coffer/**/keys.sock"))))
            client.shutdown(socket.SHUT_WR)
            return client.recv(100)
    try:
        for _ in range(500):
            if any(coffer.root.glob("run/coffer/**/keys.sock")):
                break
            time.sleep(0.02)
        yield ask
    finally:
        server.send_signal(signal.SIGTERM)
        server.told = server.communicate(timeout=60)[1]
        ask.told = server.told


def test_key_server_leaves_lines(coffer, disk):
    coffer.format(disk)
    coffer.close(disk)
    start_agent(coffer)
    with key_server(coffer) as ask:
        assert len(ask(disk.volume)) == 64
    line, = lines_of(coffer, "--event", "key.use")
    assert line["subject"] == disk.volume and line["who"]["verb"] == "key-server"
    verdict = verify(coffer).json["verdict"]
    assert verdict["state"] == "whole"
    assert verdict["sealed_seq"] > line["seq"]


def test_key_server_gives_no_key_of_a_disk_that_is_half_destroyed(coffer, disk):
    coffer.format(disk)
    coffer.close(disk)
    killed = coffer.run("disk", "destroy", disk, "--yes-destroy", disk, *coffer.secret(),
                        fault="kill:destroy/noted", expect=None)
    if killed.status != -signal.SIGKILL:
        pytest.skip("built without -Dfaults=true: a destruction cannot be stopped")
    start_agent(coffer)
    with key_server(coffer) as ask:
        assert ask(disk.volume) == b""
    assert f"coffer disk destroy {disk.volume}" in ask.told
    assert lines_of(coffer, "--event", "key.use") == []


# ---- filters, export ----

def test_filters(coffer):
    start_agent(coffer)
    coffer.run("lock")
    assert len(lines_of(coffer, "--limit", "2")) == 2
    assert lines_of(coffer, "--since", "2099-01-01") == []
    assert len(lines_of(coffer, "--since", "1h")) == len(lines_of(coffer))
    coffer.run("audit", "--since", "yesterday", expect=USAGE)
    coffer.run("audit", "--verify", "--accept", expect=USAGE)
    assert "vault.lock" in coffer.run("audit").out
    # Who sees numbers missing is told that they are seals, where any are hidden.
    assert "Seals, which have numbers too, are not shown" in coffer.run("audit").out
    assert "Seals" not in coffer.run("audit", "--limit", "1").out
    assert "Seals" not in coffer.run("audit", "--event", "audit.seal").out
    assert [event for event, _ in events(coffer, "--event", "audit.seal")].count("audit.seal") > 1


def test_export_writes_once_and_for_its_owner(coffer):
    out = coffer.folder / "log.json"
    coffer.run("audit", "--export", out, *coffer.secret())
    exported = json.loads(out.read_text())
    assert exported["verdict"]["state"] == "whole"
    assert [line["seq"] for line in exported["lines"]] == list(range(1, 1 + len(exported["lines"])))
    assert (out.stat().st_mode & 0o777) == 0o600
    coffer.run("audit", "--export", out, *coffer.secret(), expect=REFUSED)


def test_certificate_of_what_was_not_destroyed_is_not_there(coffer):
    coffer.run("audit", "--certificate", "enc-x", *coffer.secret(), expect=NO_DEVICE)


# ---- tampering ----

def tampered(kind, text):
    lines = text.splitlines(keepends=True)
    if kind == "removed":
        del lines[3]
    if kind == "changed":
        lines[3] = lines[3].replace('"done"', '"gone"')
    if kind == "reordered":
        lines[3], lines[4] = lines[4], lines[3]
    if kind == "cut-off":
        del lines[4:]
    return "".join(lines)


@pytest.mark.parametrize("kind", ["removed", "changed", "reordered", "cut-off"])
def test_tampering_is_found_and_named(coffer, kind):
    for _ in range(3):
        start_agent(coffer)
        coffer.run("lock")
    log = log_of(coffer)
    log.write_text(tampered(kind, log.read_text()))
    found = verify(coffer, expect=DAMAGED)
    assert found.json["verdict"]["state"] == kind, found
    assert "audit.log line" in found.json["error"]["subject"]
    # It stays found, whatever is written afterwards; and status --check finds it, too.
    start_agent(coffer)
    coffer.run("lock")
    assert verify(coffer, expect=DAMAGED).json["verdict"]["state"] == kind
    assert "audit" in coffer.run("status", "--check", *coffer.secret(), expect=DAMAGED).err


def test_removed_log_is_found(coffer):
    start_agent(coffer)
    coffer.run("lock")
    log_of(coffer).unlink()
    assert verify(coffer, expect=DAMAGED).json["verdict"]["state"] == "cut-off"


def test_log_of_another_vault_is_found(coffer, place):
    other = rig.Coffer(place / "other")
    other.passphrase.write_text("first\n")
    other.init()
    shutil.copy(log_of(other), log_of(coffer))
    assert verify(coffer, expect=DAMAGED).json["verdict"]["state"] == "foreign"


def test_accept_sets_the_log_aside(coffer):
    start_agent(coffer)
    coffer.run("lock")
    log_of(coffer).unlink()
    verify(coffer, expect=DAMAGED)
    coffer.run("audit", "--accept", *coffer.secret())
    assert verify(coffer).json["verdict"]["state"] == "whole"
    assert list(coffer.vault.glob("audit.log.damaged-*"))
    assert lines_of(coffer)[1]["event"] == "audit.accept"
    assert lines_of(coffer)[1]["detail"]["fault"] == "cut-off"
    start_agent(coffer)
    coffer.run("lock")
    verify(coffer)
    assert "nothing to do" in coffer.run("audit", "--accept", *coffer.secret()).out


def test_torn_last_line_is_kept_and_marked(coffer):
    with open(log_of(coffer), "a", encoding="utf-8") as log:
        log.write('{"seq":4,"time":"2026-')
    verdict = verify(coffer).json["verdict"]
    assert verdict["state"] == "whole" and verdict["torn"] == 1
    assert '{"seq":4,"time":"2026-\n' in log_of(coffer).read_text()
    assert ("audit.torn", "done") in events(coffer)


# ---- epochs, clocks, files, processes ----

def test_revoke_seals_what_was_before(coffer):
    new = coffer.folder / "new"
    new.write_text("the new passphrase\n")
    uuid = coffer.run("status", "--json").json["vault"]["uuid"]
    coffer.run("revoke", "--passphrase-file", coffer.passphrase, "--new-passphrase-file", new,
               "--recovery-out", coffer.folder / "new-recovery", "--yes-destroy", uuid)
    coffer.recovery = coffer.folder / "new-recovery"
    assert ("vault.revoke", "done") in events(coffer)
    verify(coffer)
    log = log_of(coffer)
    log.write_text(log.read_text().replace('"vault.init"', '"vault.open"'))
    assert verify(coffer, expect=DAMAGED).json["verdict"]["state"] == "changed"


def has_faults(coffer):
    return "fault-point" in coffer.run("key", "list", *coffer.secret(), fault="list").err


def test_clock_that_goes_backwards_is_noted(coffer, monkeypatch):
    if not has_faults(coffer):
        pytest.skip("built without -Dfaults=true: the clock cannot be set")
    monkeypatch.setenv("COFFER_TEST_TIME", "1000000000")
    start_agent(coffer)
    coffer.run("lock")
    found = [line for line in lines_of(coffer) if "clock_back_seconds" in line]
    assert len(found) == 1 and found[0]["time"] == "2001-09-09T01:46:40Z"
    verify(coffer)


def test_full_file_is_kept_and_the_chain_goes_on(coffer, monkeypatch):
    if not has_faults(coffer):
        pytest.skip("built without -Dfaults=true: the size cannot be set")
    monkeypatch.setenv("COFFER_TEST_AUDIT_BYTES", "2000")
    for _ in range(4):
        start_agent(coffer)
        coffer.run("lock")
    older = sorted(coffer.vault.glob("audit-*.log"))
    assert len(older) > 2 and older[0].name == "audit-00000000000000000001.log"
    seqs = [line["seq"] for line in lines_of(coffer, "--event", "vault")]
    assert seqs == sorted(seqs)
    verify(coffer)
    coffer.run("status")
    text = log_of(coffer).read_text()
    log_of(coffer).write_text(text.replace('"done"', '"gone"', 1))
    coffer.run("status", expect=DAMAGED)
    log_of(coffer).write_text(text)
    older[1].unlink()
    assert verify(coffer, expect=DAMAGED).json["verdict"]["state"] == "removed"


def test_two_processes_at_once(coffer):
    running = [coffer.start("key", "list", *coffer.secret()) for _ in range(8)]
    for process in running:
        _, err = process.communicate(timeout=300)
        assert process.returncode == DONE and "audit" not in err
    assert len(lines_of(coffer, "--event", "vault.unlock")) == 8
    verify(coffer)


@pytest.mark.slow
def test_kill_at_any_point_leaves_a_log_that_is_whole(coffer, place, monkeypatch):
    if not has_faults(coffer):
        pytest.skip("built without -Dfaults=true: there are no points to stop at")
    monkeypatch.setenv("COFFER_TEST_AUDIT_BYTES", "1500")

    def enroll(made, **more):
        return made.run("enroll", "file", made.folder / "new.key", *made.secret(), **more)

    def copy(name):
        made = rig.Coffer(place / name)
        shutil.copytree(coffer.vault, made.vault)
        shutil.copy2(coffer.recovery, made.recovery)
        return made
    points = [line for line in enroll(copy("scout"), fault="list").err.splitlines()
              if line.startswith("fault-point ")]
    assert any("audit/torn" in point for point in points)
    assert any("audit/rotated" in point for point in points)
    for number in range(1, len(points) + 1):
        made = copy(f"round{number}")
        enroll(made, fault=f"kill:#{number}", expect=-signal.SIGKILL)
        enroll(made)
        assert verify(made).json["verdict"]["state"] == "whole", points[number - 1]


# ---- a full disk ----

def fill_up(path):
    """Leaves not one block, also of those that were only promised."""
    for _ in range(3):
        ballast = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_SYNC)
        with contextlib.suppress(OSError):
            while True:
                os.write(ballast, bytes(4096))
        os.close(ballast)
        tool("sync")


def test_full_disk_stops_what_destroys_and_nothing_else(coffer, make_disk, place):
    store = make_disk(size_mib=64)
    tool("mkfs.ext4", "-q", "-m", "0", store)
    disk = make_disk()
    with mounted(store, place / "small") as folder:
        shutil.copytree(coffer.vault, folder / "vault")
        coffer.vault = folder / "vault"
        coffer.format(disk)
        coffer.close(disk)
        fill_up(folder / "ballast")
        # Lines still fit into the last block that the log has; then none does.
        sizes = [0, log_of(coffer).stat().st_size]
        while sizes[-1] > sizes[-2]:
            result = coffer.run("key", "list", *coffer.secret())
            sizes.append(log_of(coffer).stat().st_size)
        assert "audit log" in result.err
        opened = coffer.open(disk)
        assert opened.disks[0]["state"] == "open"
        fresh = make_disk()
        before = fresh.digest()
        refused = coffer.format(fresh, expect=FAILED)
        assert "audit log" in refused.out + refused.err or "space" in refused.out + refused.err
        assert fresh.digest() == before
        (folder / "ballast").unlink()
        coffer.format(fresh)
        assert "audit log" not in coffer.run("key", "list", *coffer.secret()).err
        verify(coffer)
        coffer.close(disk, fresh)


# ---- mirrors, journal ----

def test_mirror_has_the_log(coffer):
    folder = coffer.folder / "mirror"
    folder.mkdir()
    configuration = coffer.root / "etc/coffer/coffer.conf"
    configuration.parent.mkdir()
    configuration.write_text(f"mirror = {folder}\n")
    start_agent(coffer)
    coffer.run("lock")
    mirrored, = folder.glob("coffer-*/audit.log")
    assert '"vault.lock"' in mirrored.read_text()
    # The copy is a whole vault, whose log is whole.
    other = rig.Coffer(coffer.folder / "restored")
    shutil.copytree(mirrored.parent, other.vault)
    other.vault.chmod(0o700)
    other.recovery = coffer.recovery
    verify(other)


def test_journal_gets_fields(coffer):
    """In a mount namespace of its own, where the test is journald."""
    script = pathlib.Path(coffer.folder / "listen.py")
    script.write_text(
        "import os, socket, subprocess, sys\n"
        "subprocess.run(['mount', '-t', 'tmpfs', 'none', '/run'], check=True)\n"
        "os.makedirs('/run/systemd/journal')\n"
        "journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "journal.bind('/run/systemd/journal/socket')\n"
        "journal.settimeout(5)\n"
        "subprocess.run(sys.argv[1:], check=True, stdout=sys.stderr)\n"
        "print(journal.recv(65536).decode())\n")
    arguments = coffer.arguments("key", "list", *coffer.secret())
    heard = subprocess.run(
        ["unshare", "--mount", "/usr/bin/python3", str(script), rig.PROGRAM, *arguments],
        capture_output=True, text=True, check=True).stdout.splitlines()
    fields = dict(line.split("=", 1) for line in heard if "=" in line)
    line = lines_of(coffer)[-1]
    assert fields["COFFER_EVENT"] == "vault.unlock" and fields["COFFER_RESULT"] == "done"
    assert fields["COFFER_SEQ"] == str(line["seq"]) and len(fields["COFFER_CHAIN"]) == 64
    assert fields["SYSLOG_IDENTIFIER"] == "coffer" and len(fields["MESSAGE_ID"]) == 32
