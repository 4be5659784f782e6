# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest that is a whole Debian: it boots systemd, runs one script, and shuts down in order."""

import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
KERNEL_ARGUMENTS = ("console=ttyS0 quiet loglevel=3 systemd.show_status=0 panic=-1 "
                    "sysrq_always_enabled")


class GuestError(Exception):
    """The guest itself failed, not what ran in it."""


class Machine:
    """Keeps its disks from one boot to the next."""

    def __init__(self, folder, build):
        self.folder = pathlib.Path(folder)
        self.disks = []
        made = subprocess.run([HERE / "image.sh", build, self.folder], capture_output=True,
                              text=True, check=False)
        if made.returncode:
            raise GuestError(made.stderr)

    def add_disk(self, serial, size_mib):
        """A blank disk, /dev/disk/by-id/virtio-SERIAL inside."""
        path = self.folder / f"disk-{serial}"
        with open(path, "wb") as disk:
            disk.truncate(size_mib << 20)
        self.disks.append((path, serial))
        return path

    def remove_disk(self, serial):
        """Pulled out: the next boot does not have it."""
        self.disks = [disk for disk in self.disks if disk[1] != serial]

    def arguments(self, session, memory_mib):
        arguments = [
            "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "1",
            "-display", "none", "-nodefaults", "-no-reboot", "-net", "none", "-m", str(memory_mib),
            "-kernel", self.folder / "kernel", "-initrd", self.folder / "initramfs",
            "-append", KERNEL_ARGUMENTS, "-serial", f"file:{session / 'console'}",
            "-device", "virtio-rng-pci", "-virtfs",
            f"local,path={session},mount_tag=session,security_model=none,multidevs=remap"]
        drives = [(self.folder / "image", "root")] + self.disks
        for number, (path, serial) in enumerate(drives):
            arguments += [
                "-drive", f"file={path},if=none,id=d{number},format=raw,cache=unsafe",
                "-device", f"virtio-blk-pci,drive=d{number},serial={serial}"]
        return arguments

    def boot(self, script, timeout_s=420, memory_mib=1536, may_die=False):
        """Boots, runs a shell script, shuts down; gives (exit status, output).

        The status is None when the guest restarted itself and may_die allows that.
        """
        session = self.folder / "session"
        session.mkdir(exist_ok=True)
        for name in ("status", "output", "journal", "console"):
            (session / name).unlink(missing_ok=True)
        (session / "script").write_text(script)
        try:
            subprocess.run(self.arguments(session, memory_mib), timeout=timeout_s,
                           stdin=subprocess.DEVNULL, capture_output=True, check=False)
        except subprocess.TimeoutExpired as over:
            raise GuestError(f"still running after {timeout_s} s\n{self.told(session)}") from over
        status = session / "status"
        if not status.exists():
            if may_die:
                return None, self.told(session)
            raise GuestError("the guest ended before the script did\n" + self.told(session))
        return int(status.read_text()), self.told(session)

    @staticmethod
    def told(session):
        """What the script said, and what is worth knowing after a failure."""
        parts = []
        for name in ("output", "journal", "console"):
            path = session / name
            if path.exists() and (name == "output" or not parts or not parts[0]):
                parts.append(path.read_text(errors="replace"))
        return "\n".join(parts)
