# SPDX-License-Identifier: LGPL-2.1-or-later
"""What opens a vault without a person, for real: tangd on loopback, and swtpm as the TPM."""

import contextlib
import os
import pathlib
import socket
import struct
import subprocess
import threading
import time

from rig import tool

TANGD = "/usr/libexec/tangd"
SWTPM = "/usr/bin/swtpm"

# TPM 2.0 Library, part 2, sections 6.5.2, 6.12 and 7.4
GET_CAPABILITY, FLUSH_CONTEXT, CAP_HANDLES = 0x17a, 0x165, 1
KINDS = 0x02000000, 0x03000000, 0x80000000  # loaded sessions, saved ones, objects


class Listener:
    """Serves each connection in a thread, until the end of the block."""

    def __init__(self, family, address):
        self.socket = socket.socket(family)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(address)
        self.socket.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Tang(Listener):
    """A Tang server with keys of its own: tangd speaks HTTP on its standard input and output."""

    def __init__(self, folder, port=0):
        self.keys = pathlib.Path(folder)
        if not self.keys.exists():
            self.keys.mkdir()
            tool("/usr/libexec/tangd-keygen", self.keys)
        self.requests = 0
        super().__init__(socket.AF_INET, ("127.0.0.1", port))
        self.port = self.socket.getsockname()[1]

    def serve(self, connection):
        self.requests += 1
        with connection:
            subprocess.run([TANGD, self.keys], stdin=connection, stdout=connection,
                           stderr=subprocess.DEVNULL, check=False)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def thumbprint(self):
        return tool("tang-show-keys", self.port).stdout.split()[0]


class Tpm(Listener):
    """A TPM with a state of its own. As the kernel's /dev/tpmrm0 does, what one process has left in
    it is flushed before the next one uses it."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        (self.folder / "state").mkdir(parents=True)
        self.raw = str(self.folder / "raw")
        self.last_pid = None
        self.lock = threading.Lock()
        self.process = subprocess.Popen(
            [SWTPM, "socket", "--tpm2", "--tpmstate", f"dir={self.folder / 'state'}",
             "--server", f"type=unixio,path={self.raw}",
             "--ctrl", f"type=unixio,path={self.raw}.ctrl",
             "--flags", "startup-clear,not-need-init"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while not os.path.exists(self.raw):
            assert time.monotonic() < end and self.process.poll() is None
            time.sleep(0.01)
        os.symlink(f"{self.raw}.ctrl", self.folder / "tpm.ctrl")
        super().__init__(socket.AF_UNIX, str(self.folder / "tpm"))

    @property
    def device(self):
        return f"swtpm:path={self.folder / 'tpm'}"

    def send(self, command):
        with socket.socket(socket.AF_UNIX) as raw:
            raw.connect(self.raw)
            raw.sendall(command)
            return read_message(raw)

    def flush(self):
        for kind in KINDS:
            found = self.send(struct.pack(">HIIIII", 0x8001, 22, GET_CAPABILITY, CAP_HANDLES,
                                          kind, 16))
            count, = struct.unpack(">I", found[15:19])
            for handle in struct.unpack(f">{count}I", found[19:19 + 4 * count]):
                self.send(struct.pack(">HIII", 0x8001, 14, FLUSH_CONTEXT, handle))

    def serve(self, connection):
        pid, _, _ = struct.unpack("3i", connection.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        with connection, self.lock:
            if pid != self.last_pid:
                self.flush()
                self.last_pid = pid
            while command := read_message(connection):
                connection.sendall(self.send(command))

    def extend(self, pcr):
        tool("tpm2_pcrextend", "-T", self.device, f"{pcr}:sha256={'01' * 32}")

    def close(self):
        super().close()
        self.process.kill()
        self.process.wait()


def read_message(stream):
    """One command or response: its size is in bytes 2 to 5."""
    message = b""
    while len(message) < 6 or len(message) < struct.unpack(">I", message[2:6])[0]:
        piece = stream.recv(4096)
        if not piece:
            break
        message += piece
    return message
