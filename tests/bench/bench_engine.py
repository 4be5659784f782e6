#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The engine's way from a block device to the disk, beside the same way without a cipher and
beside nbdkit's luks filter with nbdfuse, each under a loop device, on files in memory.

    bench_engine.py BENCH_CARRIER [--rounds N] [--seconds S] [--json FILE]

The three take turns in every round, so that all see the same machine; medians are compared.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

IMAGE_BYTES = 512 * 1024 * 1024
SECTOR_BYTES = 4096
WORKLOADS = [  # name, fio's rw, request, depth, whether it counts as large
    ("read 128K", "read", "128k", 16, True),
    ("write 128K", "write", "128k", 16, True),
    ("random read 128K", "randread", "128k", 16, True),
    ("random write 128K", "randwrite", "128k", 16, True),
    ("read 4K", "read", "4k", 16, False),
    ("write 4K", "write", "4k", 16, False),
    ("random read 4K", "randread", "4k", 16, False),
    ("random write 4K", "randwrite", "4k", 16, False),
]
# The figures: at least this many times nbdkit's, this part of the bare way's.
WANTED_LARGE, WANTED_SMALL, WANTED_OF_BARE = 5.0, 2.0, 0.65


def run(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def wait_for(path):
    for _ in range(500):
        if os.path.exists(path):
            return
        time.sleep(0.02)
    sys.exit(f"bench_engine: {path} did not appear")


@contextlib.contextmanager
def process(*argv):
    """A program that ends by itself when its mount or its socket goes."""
    child = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    try:
        yield child
    finally:
        try:
            child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            child.terminate()
            child.wait()


@contextlib.contextmanager
def mounted(folder):
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=False)


@contextlib.contextmanager
def loop(path):
    device = run("losetup", "-f", "--show", "--direct-io=on", "--sector-size",
                 str(SECTOR_BYTES), path)
    try:
        yield device
    finally:
        run("losetup", "-d", device)
        time.sleep(0.2)  # detached when the last opener has gone


@contextlib.contextmanager
def carrier(program, kind, folder):
    """bench_carrier on an image of its own."""
    image, point = f"{folder}/{kind}.img", f"{folder}/{kind}"
    os.mkdir(point)
    with open(image, "wb") as file:
        file.truncate(IMAGE_BYTES)
    with process(program, kind, image, point), mounted(point):
        wait_for(f"{point}/plain")
        with loop(f"{point}/plain") as device:
            yield device


@contextlib.contextmanager
def nbdkit(folder):
    """nbdkit's luks filter on a LUKS1 image, and nbdfuse on top."""
    image, point, socket, secret = (f"{folder}/{name}" for name in
                                    ("nbd.img", "nbd", "nbd.sock", "secret"))
    os.mkdir(point)
    with open(secret, "w", encoding="ascii") as file:
        file.write("bench")
    with open(image, "wb") as file:
        file.truncate(IMAGE_BYTES + 4 * 1024 * 1024)
    run("cryptsetup", "luksFormat", "-q", "--type", "luks1", "--pbkdf-force-iterations", "1000",
        "--key-size", "512", "--key-file", secret, image)
    server = subprocess.Popen(["nbdkit", "-f", "-U", socket, "--filter=luks", "file", image,
                               f"passphrase=+{secret}"])
    try:
        wait_for(socket)
        with process("nbdfuse", f"{point}/plain", f"nbd+unix:///?socket={socket}"), \
                mounted(point):
            wait_for(f"{point}/plain")
            with loop(f"{point}/plain") as device:
                yield device
    finally:
        server.terminate()
        server.wait()


def measure(device, rw, request, depth, seconds):
    """MB/s of one run of fio."""
    out = run("fio", "--name=bench", f"--filename={device}", f"--rw={rw}", f"--bs={request}",
              f"--iodepth={depth}", "--ioengine=libaio", "--direct=1", f"--runtime={seconds}",
              "--time_based", "--output-format=json")
    job = json.loads(out[out.index("{"):])["jobs"][0]
    return (job["read"]["bw_bytes"] + job["write"]["bw_bytes"]) / 1e6


def fill(device):
    """Every block written once, so that no run pays for memory that is touched first."""
    run("dd", "if=/dev/zero", f"of={device}", "bs=1M", f"count={IMAGE_BYTES >> 20}",
        "oflag=direct", "conv=notrunc", "status=none")


def rounds(devices, count, seconds):
    results = {name: {way: [] for way in devices} for name, *_ in WORKLOADS}
    for _ in range(count):
        for name, rw, request, depth, _large in WORKLOADS:
            for way, device in devices.items():
                results[name][way].append(measure(device, rw, request, depth, seconds))
    return results


def report(results):
    rows = []
    print(f"{'MB/s, medians':20}{'engine':>9}{'no cipher':>11}{'nbdkit':>9}"
          f"{'of bare':>9}{'x nbdkit':>10}")
    for name, _rw, request, _depth, large in WORKLOADS:
        middle = {way: statistics.median(values) for way, values in results[name].items()}
        of_bare = middle["xts"] / middle["none"]
        times = middle["xts"] / middle["nbdkit"] if "nbdkit" in middle else None
        wanted = WANTED_LARGE if large else WANTED_SMALL
        good = of_bare >= WANTED_OF_BARE and (times is None or times >= wanted)
        print(f"{name:20}{middle['xts']:9.0f}{middle['none']:11.0f}"
              f"{middle.get('nbdkit', 0):9.0f}{of_bare:9.2f}{times or 0:10.1f}"
              f"{'' if good else '  below target'}")
        rows.append({"workload": name, "request": request, "engine_mb_s": middle["xts"],
                     "no_cipher_mb_s": middle["none"], "nbdkit_mb_s": middle.get("nbdkit"),
                     "of_no_cipher": of_bare, "times_nbdkit": times, "reached": good,
                     "all_mb_s": results[name]})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("carrier", help="the program bench_carrier")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--json", help="file for the figures")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="coffer-bench-",
                                                                 dir="/dev/shm"))
        devices = {kind: stack.enter_context(carrier(options.carrier, kind, folder))
                   for kind in ("xts", "none")}
        if all(os.access(f"/usr/bin/{tool}", os.X_OK) for tool in ("nbdkit", "nbdfuse")):
            devices["nbdkit"] = stack.enter_context(nbdkit(folder))
        else:
            print("nbdkit or nbdfuse is not installed: that column is left out")
        for device in devices.values():
            fill(device)
        rows = report(rounds(devices, options.rounds, options.seconds))
    if options.json:
        with open(options.json, "w", encoding="ascii") as file:
            json.dump({"bench": "engine", "rounds": options.rounds, "rows": rows}, file, indent=1)


if __name__ == "__main__":
    main()
