# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the end-to-end tests are made of: the program, loop devices, and who else looks at them."""

import contextlib
import fcntl
import hashlib
import itertools
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import subprocess
import termios
import time

DONE, FAILED, USAGE, REFUSED, WRONG_KEY, NO_DEVICE, BUSY, LOCKED, DAMAGED, IMPOSSIBLE = range(10)

TOP = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("COFFER", str(TOP / "build/src/cli/coffer"))
MIB = 1 << 20
numbers = itertools.count(1)


def tool(*command, check=True, **options):
    """Runs another program and gives its output as text."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False, stdin=options.pop("stdin", subprocess.DEVNULL), **options)
    if check and done.returncode:
        raise AssertionError(f"{command[0]}: status {done.returncode}: {done.stderr}")
    return done


def qemu_img_luks(*words):
    """Makes a LUKS1 image. qemu measures its PBKDF by a clock that may stand still; then again."""
    for _ in range(20):
        done = tool("qemu-img", *words, check=False)
        if "accurate CPU usage" not in done.stderr:
            break
    assert done.returncode == 0, done.stderr


class Result:
    """How one run of coffer ended."""

    def __init__(self, arguments, done):
        self.arguments = arguments
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def disks(self):
        return self.json["disks"]

    def __str__(self):
        return (f"coffer {' '.join(self.arguments)}\nstatus {self.status}\n"
                f"stdout: {self.out}\nstderr: {self.err}")


class Coffer:
    """The program with a vault, a root prefix and a passphrase file of its own."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.vault = self.folder / "vault"
        self.root = self.folder / "root"
        self.passphrase = self.folder / "passphrase"
        self.recovery = self.folder / "recovery"
        (self.root / "etc").mkdir(parents=True, exist_ok=True)

    @property
    def crypttab(self):
        return self.root / "etc/crypttab"

    def arguments(self, *words):
        return ["--vault", str(self.vault), "--root", str(self.root), *map(str, words)]

    def start(self, *words, fault=None):
        """Starts it and gives the process."""
        environment = dict(os.environ, LANG="C.UTF-8")
        environment.pop("COFFER_FAULT", None)
        if fault:
            environment["COFFER_FAULT"] = fault
        return subprocess.Popen([PROGRAM, *self.arguments(*words)], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=environment)

    def run(self, *words, expect=DONE, fault=None):
        """Runs it to its end; expect is a status, several, or None for any."""
        process = self.start(*words, fault=fault)
        try:
            out, err = process.communicate(timeout=300)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
        result = Result([str(word) for word in words], done)
        if expect is not None:
            wanted = expect if isinstance(expect, tuple) else (expect,)
            assert result.status in wanted, f"expected status {expect}\n{result}"
        return result

    def init(self, **options):
        return self.run("init", "--passphrase-file", self.passphrase,
                        "--recovery-out", self.recovery, **options)

    def secret(self):
        # The recovery key's keyslot is cheap, so that a test does not wait for Argon2.
        return ("--passphrase-file", self.recovery)

    def format(self, *devices, options=(), **more):
        agreed = [word for device in devices for word in ("--yes-destroy", device)]
        return self.run("disk", "format", *devices, *agreed, "--json", *self.secret(), *options,
                        **more)

    def open(self, *devices, options=(), **more):
        return self.run("disk", "open", *devices, "--json", *self.secret(), *options, **more)

    def close(self, *devices, options=(), **more):
        return self.run("disk", "close", *devices, "--json", *options, *self.secret(), **more)


class Dialogue:
    """A run of coffer on a terminal of its own, where it asks its questions."""

    def __init__(self, coffer, *words, ahead=""):
        self.master, terminal = pty.openpty()
        os.write(self.master, ahead.encode())  # typed before the program has started
        self.said = ""
        environment = dict(os.environ, LANG="C.UTF-8")
        environment.pop("COFFER_FAULT", None)
        self.process = subprocess.Popen(
            [PROGRAM, *coffer.arguments(*words)], stdin=terminal, stdout=terminal, stderr=terminal,
            env=environment, start_new_session=True,
            # Passphrases are asked on the controlling terminal, whatever stdin is.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(terminal)

    def hear(self, timeout_s):
        """Takes in what was said meanwhile; false when there was nothing, or nobody is left."""
        if not select.select([self.master], [], [], timeout_s)[0]:
            return False
        try:
            heard = os.read(self.master, 65536)
        except OSError:  # EIO: the other end is closed
            return False
        self.said += heard.decode(errors="replace")
        return bool(heard)

    def wait_for(self, text, timeout_s=120):
        end = time.monotonic() + timeout_s
        while text not in self.said:
            self.hear(0.1)
            assert time.monotonic() < end, f"no {text!r} in: {self.said}"
            assert text in self.said or self.process.poll() is None or self.hear(0), self.said

    def answer(self, text, timeout_s=120):
        """Types a line and waits for the end; gives the exit status."""
        os.write(self.master, text.encode() + b"\n")
        end = time.monotonic() + timeout_s
        while self.process.poll() is None:
            self.hear(0.1)
            assert time.monotonic() < end, self.said
        while self.hear(0):
            pass
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.master)


class Disk:
    """A loop device on a sparse file, as a server's disk."""

    def __init__(self, folder, size_mib, options=()):
        # Volume names are the machine's, so no two tests may share one.
        self.file = pathlib.Path(folder) / f"disk{os.getpid()}n{next(numbers)}"
        with open(self.file, "wb") as backing:
            backing.truncate(size_mib * MIB)
        self.options = options
        self.node = None
        self.attach()

    def attach(self):
        self.node = tool("losetup", "--find", "--show", *self.options, self.file).stdout.strip()

    def detach(self):
        if self.node:
            tool("losetup", "--detach", self.node)
            self.node = None

    @property
    def volume(self):
        return "enc-" + self.file.name

    def digest(self):
        """Of all that is not zero: a guest is slow, and its disks are nearly empty."""
        tool("sync")
        digest = hashlib.sha256()
        zeroes = bytes(MIB)
        with open(self.file, "rb") as backing:
            number = 0
            while piece := backing.read(MIB):
                if piece != zeroes[:len(piece)]:
                    digest.update(b"%d:" % number + piece)
                number += 1
        return digest.hexdigest()

    def write(self, offset, data):
        with open(self.node, "r+b") as device:
            device.seek(offset)
            device.write(data)
            device.flush()
            os.fsync(device.fileno())

    def __str__(self):
        return self.node


@contextlib.contextmanager
def mounted(device, folder, *options):
    """A file system at folder for as long as the block runs."""
    folder = pathlib.Path(folder)
    folder.mkdir(exist_ok=True)
    tool("mount", *options, device, folder)
    try:
        yield folder
    finally:
        tool("umount", folder)


def tree_digest(folder):
    """Names and contents of all files below a folder, as one value."""
    digest = hashlib.sha256()
    for path in sorted(pathlib.Path(folder).rglob("*")):
        if path.is_file() and not path.is_symlink():
            digest.update(str(path.relative_to(folder)).encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def has_device_mapper():
    return os.path.exists("/dev/mapper/control") and \
        tool("dmsetup", "version", check=False).returncode == 0


def is_block_device(path):
    return pathlib.Path(path).is_block_device()


def sweep(folder):
    """Takes down whatever a test left on top of a folder, from the top to the bottom."""
    folder = str(folder)
    mounts = [line.split()[4] for line in open("/proc/self/mountinfo", encoding="utf-8")]
    for point in reversed([point for point in mounts if point.startswith(folder + "/")]):
        tool("umount", "--lazy", point, check=False)
    listed = tool("losetup", "--json", "--list", check=False).stdout or '{"loopdevices":[]}'
    for loop in json.loads(listed)["loopdevices"]:
        backing = loop["back-file"] or ""
        if backing.startswith(folder + "/"):
            end_mappings(loop["name"])
            tool("losetup", "--detach", loop["name"], check=False)
    end_engines(folder)
    shutil.rmtree(folder, ignore_errors=True)


def end_mappings(node):
    """Removes device-mapper devices on top of a device."""
    holders = pathlib.Path("/sys/class/block", pathlib.Path(node).name, "holders")
    for holder in sorted(holders.iterdir() if holders.is_dir() else []):
        tool("dmsetup", "remove", "--force", "--retry", "/dev/" + holder.name, check=False)


def is_running(pid):
    """A process that has ended has no program any more, also when nobody took note of its end."""
    try:
        os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return False
    return True


def end_engines(folder):
    """Ends processes of the program under test that were started for a vault below folder."""
    ended = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if os.readlink(entry / "exe").split(" ")[0] != os.path.realpath(PROGRAM):
                continue
            if folder.encode() in (entry / "cmdline").read_bytes():
                os.kill(int(entry.name), signal.SIGKILL)
                ended.append(int(entry.name))
    for _ in range(500):
        if not any(is_running(pid) for pid in ended):
            break
        time.sleep(0.01)
    return ended
