# SPDX-License-Identifier: LGPL-2.1-or-later
"""start and stop: volumes, file systems and init scripts up in order and down again, in reverse.
systemd has no part in it here; with systemd the same is done in the guest (tests/vm)."""

import contextlib
import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

import pytest

import rig
from rig import BUSY, DONE, FAILED, LOCKED, NO_DEVICE, REFUSED, WRONG_KEY, tool

from test_crash import chosen, points_of

SCRIPT = """#!/bin/sh
case $1 in
start) [ ! -e {base}.fail ] || exit 1; echo start {name} >>{log}; : >{base}.up ;;
stop) echo stop {name} >>{log}; rm -f {base}.up ;;
status) [ -e {base}.up ] ;;
esac
"""


class Server:
    """Two volumes, of which one is mounted inside the other, and services that wait for both."""

    def __init__(self, coffer):
        self.coffer = coffer
        self.outer = coffer.folder / "srv"
        self.inner = self.outer / "deep"
        self.log = coffer.folder / "log"
        self.fstab = coffer.root / "etc/fstab"
        self.disks = [rig.Disk(coffer.folder, 48) for _ in range(2)]
        self.outer.mkdir()
        found = coffer.format(*self.disks, options=["--crypttab"]).disks
        for volume in found:
            tool("mkfs.ext4", "-q", volume["device"])
        with rig.mounted(found[0]["device"], self.outer):
            self.inner.mkdir()
        coffer.close("--all")
        self.names = [disk.volume for disk in self.disks]
        # The inner one comes first, as people have it.
        self.lines = (f"/dev/mapper/{self.names[1]} {self.inner} ext4 nofail 0 2\n"
                      f"/dev/mapper/{self.names[0]} {self.outer} auto noauto,nodev 0 2\n")
        self.crypttab = coffer.crypttab.read_text()

    def reset(self):
        self.fstab.write_text(self.lines)
        self.coffer.crypttab.write_text(self.crypttab)
        shutil.rmtree(self.coffer.root / "etc/init.d", ignore_errors=True)
        self.coffer.run("boot", "remove", "db", "web")
        self.log.unlink(missing_ok=True)
        for left in (*self.coffer.folder.glob("*.up"), *self.coffer.folder.glob("*.fail")):
            left.unlink()
        for disk in self.disks:
            if not disk.node:
                disk.attach()

    def add_services(self, *names):
        folder = self.coffer.root / "etc/init.d"
        folder.mkdir(exist_ok=True)
        for name in names:
            script = folder / name
            script.write_text(SCRIPT.format(name=name, log=self.log,
                                            base=self.coffer.folder / name))
            script.chmod(0o755)
        self.coffer.run("boot", "add", *names)

    def start(self, *words, **more):
        return self.coffer.run("start", "--json", *self.coffer.secret(), *words, **more)

    def stop(self, *words, **more):
        return self.coffer.run("stop", "--json", *words, **more)

    def said(self):
        return self.log.read_text().split("\n")[:-1] if self.log.exists() else []

    def is_up(self):
        return os.path.ismount(self.outer) and os.path.ismount(self.inner)

    def is_down(self):
        opened = self.coffer.run("disk", "list", "--json").out
        return not os.path.ismount(self.outer) and '"state":"open"' not in opened.replace(" ", "")

    def states(self, result):
        """What became of the outer and inner volume, both mounts, and the services."""
        found = {step["name"]: step["state"] for step in result.json["steps"]}
        order = [*self.names, str(self.outer), str(self.inner)]
        return [found.pop(name) for name in order] + list(found.values())


@pytest.fixture(scope="module")
def server_made_once(vault_made_once):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="coffer-e2e-start-"))
    coffer = rig.Coffer(folder)
    shutil.copytree(vault_made_once.vault, coffer.vault)
    for path in (vault_made_once.recovery, vault_made_once.passphrase):
        shutil.copy2(path, folder)
    yield Server(coffer)
    coffer.run("stop", "--force", "--kill", expect=None)
    rig.sweep(folder)


@pytest.fixture
def server(server_made_once):
    server_made_once.reset()
    yield server_made_once
    server_made_once.reset()
    server_made_once.stop("--force", "--kill")


@contextlib.contextmanager
def busy(folder):
    """A process that keeps a file system busy."""
    with subprocess.Popen([sys.executable, "-c", "import sys; print(); sys.stdin.read()"],
                          cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process
        process.kill()


def test_everything_comes_up_in_order_and_goes_down_in_reverse(server):
    server.add_services("db", "web")
    assert server.states(server.start()) == ["open"] * 2 + ["mounted"] * 2 + ["running"] * 2
    assert server.is_up()
    options = tool("findmnt", "-n", "-o", "OPTIONS", server.outer).stdout
    assert "nodev" in options
    assert server.states(server.stop()) == ["closed"] * 2 + ["unmounted"] * 2 + ["stopped"] * 2
    assert server.is_down()
    assert server.said() == ["start db", "start web", "stop web", "stop db"]


def test_again_does_nothing_and_asks_for_nothing(server):
    server.add_services("db")
    server.start()
    for words in ([], ["--dry-run"]):
        again = server.coffer.run("start", "--json", *words)
        assert not any(step["changed"] for step in again.json["steps"])
    server.stop()
    assert not any(step["changed"] for step in server.stop().json["steps"])
    assert server.said() == ["start db", "stop db"]


def test_dry_run_touches_nothing(server):
    server.add_services("db")
    assert set(server.states(server.start("--dry-run"))) == {"planned"}
    assert server.is_down() and not server.said()
    server.start()
    assert set(server.states(server.stop("--dry-run"))) == {"planned"}
    assert server.is_up()


def test_wrong_passphrase_starts_nothing(server):
    server.add_services("db")
    wrong = server.coffer.folder / "wrong"
    wrong.write_text("wrong\n")
    server.coffer.run("start", "--passphrase-file", wrong, expect=WRONG_KEY)
    server.coffer.run("start", expect=LOCKED)
    assert server.is_down() and not server.said()


def test_passphrase_comes_from_standard_input(server):
    done = subprocess.run([rig.PROGRAM, *server.coffer.arguments("start", "--passphrase-file", "-")],
                          input=server.coffer.recovery.read_bytes(), capture_output=True,
                          check=False)
    assert done.returncode == DONE, done.stderr
    assert server.is_up()


def test_missing_disk_costs_only_what_lies_on_it(server):
    server.add_services("db")
    server.coffer.run("boot", "add", "web", expect=NO_DEVICE)
    server.coffer.run("boot", "add", "db", "--for", server.outer)
    (server.coffer.root / "etc/init.d/web").write_text(
        (server.coffer.root / "etc/init.d/db").read_text().replace(" db", " web"))
    (server.coffer.root / "etc/init.d/web").chmod(0o755)
    server.coffer.run("boot", "add", "web")
    hidden = server.disks[1].file.with_suffix(".away")
    server.disks[1].detach()
    server.disks[1].file.rename(hidden)
    try:
        result = server.start(expect=NO_DEVICE)
    finally:
        hidden.rename(server.disks[1].file)
    assert server.states(result) == ["open", "failed", "mounted", "waiting", "running", "waiting"]
    assert server.said() == ["start db"]


def test_service_that_fails_does_not_stop_the_next_one(server):
    server.add_services("db", "web")
    (server.coffer.folder / "db.fail").touch()
    result = server.start(expect=FAILED)
    assert server.states(result)[4:] == ["failed", "running"]
    (server.coffer.folder / "db.fail").unlink()
    assert server.states(server.start())[4:] == ["running", "running"]


def test_corrected_errors_are_no_failure_and_others_are(server):
    server.start()
    server.stop()
    tools = server.coffer.folder / "bin"
    tools.mkdir(exist_ok=True)
    fsck = tools / "fsck.ext4"
    path = f"{tools}:{os.environ['PATH']}"
    for status, expected, states in ((1, DONE, ["mounted", "mounted"]),
                                     (4, FAILED, ["failed", "waiting"])):
        fsck.write_text(f"#!/bin/sh\nexit {status}\n")
        fsck.chmod(0o755)
        done = subprocess.run([rig.PROGRAM, *server.coffer.arguments(
            "start", "--json", *server.coffer.secret())], env=dict(os.environ, PATH=path),
            capture_output=True, text=True, check=False)
        result = rig.Result(["start"], done)
        assert result.status == expected, result
        assert server.states(result)[2:] == states
        assert ("fsck has corrected errors" in result.out) == (status == 1)
        server.stop()


def test_volume_that_others_have_opened_needs_no_passphrase_to_stop(server):
    server.coffer.open(server.disks[0])
    for proof in (server.coffer.root / "run/coffer/proof").iterdir():
        proof.unlink()
    server.start()
    server.stop()
    assert server.is_down()


def test_busy_file_system_names_who_uses_it_and_kills_nobody(server):
    server.start()
    with busy(server.inner) as process:
        result = server.stop(expect=BUSY)
        assert f"({process.pid})" in result.json["error"]["cause"]
        assert server.states(result) == ["open", "open", "mounted", "failed"]
        assert process.poll() is None
        # Nothing that could not be started again was taken away.
        assert server.is_up()
    server.stop()
    assert server.is_down()


def test_kill_ends_who_uses_it_and_nobody_else(server):
    server.start()
    with busy(server.inner) as process, busy(server.coffer.folder) as other:
        server.stop("--kill")
        assert process.wait(timeout=10) == -signal.SIGTERM and other.poll() is None
    assert server.is_down()


def test_kill_spares_programs_of_coffer(server):
    server.start()
    before = os.getcwd()
    os.chdir(server.inner)
    try:
        dialogue = rig.Dialogue(server.coffer, "unlock")
    finally:
        os.chdir(before)
    with dialogue:
        dialogue.wait_for("assphrase")
        assert f"({dialogue.process.pid})" in server.stop("--kill", expect=BUSY).out
        assert dialogue.process.poll() is None
    server.stop()


def test_stop_refuses_before_anything_is_touched_where_a_volume_would_not_open_again(server):
    server.add_services("db")
    server.start()
    header = server.disks[1].file.read_bytes()[:16 << 20]
    with open(server.disks[1].file, "r+b") as disk:
        disk.write(bytes(1 << 20))
    try:
        result = server.stop(expect=(REFUSED, LOCKED, rig.DAMAGED))
        assert "nothing was stopped" in result.json["error"]["headline"]
        assert server.is_up() and server.said() == ["start db"]
        server.stop("--force")
        assert server.is_down()
    finally:
        with open(server.disks[1].file, "r+b") as disk:
            disk.write(header)


def test_file_system_of_others_stays_mounted(server):
    server.add_services("db")
    plain = server.coffer.folder / "plain"
    server.fstab.write_text(server.lines + f"tmpfs {plain} tmpfs nofail 0 0\n")
    server.coffer.run("boot", "add", "db", "--for", plain)
    with rig.mounted("tmpfs", plain, "-t", "tmpfs"):
        server.start()
        server.stop()
        assert os.path.ismount(plain) and server.is_down()


def test_two_at_once_are_refused(server):
    folder = server.coffer.root / "run/coffer"
    server.start()
    with open(folder / "start.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for verb in (server.start, server.stop):
            assert "is at work" in verb(expect=BUSY).json["error"]["headline"]


def test_nothing_to_do_is_said(coffer):
    coffer.fstab = coffer.root / "etc/fstab"
    for verb in ("start", "stop"):
        assert "nothing to do" in coffer.run(verb).out


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["kill", "fail"])
@pytest.mark.parametrize("verb", ["start", "stop"])
def test_run_converges_after_a_stop_at_any_point(server, verb, fault):
    server.add_services("db")
    forward, back = ((server.start, server.stop) if verb == "start" else
                     (lambda **more: server.stop(*server.coffer.secret(), **more), server.start))
    back()
    points = points_of(forward(fault="list"))
    own = [number for number in chosen(points)
           if points[number - 1].startswith(("start/", "stop/"))]
    for number in own:
        back(expect=None)
        first = forward(fault=f"{fault}:#{number}", expect=None)
        assert first.status in ((-signal.SIGKILL,) if fault == "kill" else (FAILED, DONE)), first
        forward()
        assert server.is_up() if verb == "start" else server.is_down()
