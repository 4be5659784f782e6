#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sixty disks unlocked with one passphrase through the vault, beside sixty times
`cryptsetup open --test-passphrase` with cryptsetup's default keyslots.

    bench_unlock.py COFFER [--disks N] [--rounds N] [--json FILE]

Both take turns in every round. Each times whole processes: wall clock, processor time and the
largest resident memory as the kernel accounts for them.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid

DISK_BYTES = 40 << 20
PASSPHRASE = "correct horse battery staple"
# The figures to reach: so many times faster, and so much of one unlock's memory.
WANTED_TIMES, WANTED_MEMORY = 50.0, 1.1


def run(*argv):
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"bench_unlock: {argv[0]}: {done.stderr}")
    return done.stdout.strip()


def measured(*argv):
    """Wall and processor seconds and the largest resident memory in KiB of one process."""
    start = time.monotonic()
    child = subprocess.Popen([str(word) for word in argv], stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - start
    if status:
        sys.exit(f"bench_unlock: {argv[0]}: {child.stderr.read().decode()}")
    child.stderr.close()
    child.returncode = 0
    return {"wall_s": wall, "cpu_s": usage.ru_utime + usage.ru_stime, "rss_kib": usage.ru_maxrss}


@contextlib.contextmanager
def loops(folder, prefix, count):
    """Loop devices on sparse files."""
    devices = []
    try:
        for number in range(count):
            path = folder / f"{prefix}{number}"
            with open(path, "ab") as file:
                file.truncate(DISK_BYTES)
            devices.append(run("losetup", "--find", "--show", path))
        yield devices
    finally:
        for device in devices:
            subprocess.run(["losetup", "--detach", device], check=False)


def make_peers(folder, count):
    """One default header, and copies of it under other UUIDs: each costs the same to open."""
    secret = folder / "peer-secret"
    secret.write_text(PASSPHRASE)
    first = folder / "peer0"
    with open(first, "wb") as file:
        file.truncate(DISK_BYTES)
    run("cryptsetup", "luksFormat", "-q", "--type", "luks2", first, secret)
    for number in range(1, count):
        copy = folder / f"peer{number}"
        shutil.copyfile(first, copy)
        run("cryptsetup", "luksUUID", "-q", "--uuid", uuid.uuid4(), copy)
    return secret


def one_round(coffer, names, peers, secret):
    """Coffer's sixty and one, and the peers' sixty one after the other."""
    many = measured(*coffer, "disk", "open", "--all", "--test", "--passphrase-file", secret)
    one = measured(*coffer, "disk", "open", names[0], "--test", "--passphrase-file", secret)
    peer_wall = peer_cpu = 0.0
    for peer in peers:
        figures = measured("cryptsetup", "open", "--test-passphrase", "--key-file", secret, peer)
        peer_wall += figures["wall_s"]
        peer_cpu += figures["cpu_s"]
    return {"many": many, "one": one, "peer": {"wall_s": peer_wall, "cpu_s": peer_cpu}}


def report(results, count):
    def middle(who, figure):
        return statistics.median(result[who][figure] for result in results)

    times = statistics.median(result["peer"]["wall_s"] / result["many"]["wall_s"]
                              for result in results)
    memory = statistics.median(result["many"]["rss_kib"] / result["one"]["rss_kib"]
                               for result in results)
    print(f"{'medians':34}{'wall':>9}{'CPU':>9}{'memory':>11}")
    for title, who in ((f"coffer, {count} disks", "many"), ("coffer, 1 disk", "one")):
        print(f"{title:34}{middle(who, 'wall_s'):8.2f}s{middle(who, 'cpu_s'):8.2f}s"
              f"{middle(who, 'rss_kib') / 1024:7.0f} MiB")
    print(f"{f'cryptsetup, {count} disks in turn':34}{middle('peer', 'wall_s'):8.2f}s"
          f"{middle('peer', 'cpu_s'):8.2f}s")
    beyond = middle("many", "wall_s") - middle("one", "wall_s")
    print(f"each disk beyond the first: {beyond / max(count - 1, 1) * 1000:.1f} ms")
    print(f"{times:.0f} times faster (wanted: {WANTED_TIMES:.0f}), {memory:.2f} of one unlock's "
          f"memory (wanted: at most {WANTED_MEMORY})"
          f"{'' if times >= WANTED_TIMES and memory <= WANTED_MEMORY else '  below target'}")
    return {"bench": "unlock", "disks": count, "rounds": len(results), "times_faster": times,
            "memory_of_one": memory, "reached": times >= WANTED_TIMES and memory <= WANTED_MEMORY,
            "all": results}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("coffer", help="the program")
    parser.add_argument("--disks", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", help="file for the figures")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="coffer-bench-", dir="/dev/shm"))
    coffer = [options.coffer, "--vault", folder / "vault", "--root", folder]
    try:
        secret = make_peers(folder, options.disks)
        with loops(folder, "disk", options.disks) as disks, \
                loops(folder, "peer", options.disks) as peers:
            run(*coffer, "init", "--passphrase-file", secret, "--no-recovery")
            agreed = [word for disk in disks for word in ("--yes-destroy", disk)]
            made = json.loads(run(*coffer, "disk", "format", *disks, *agreed, "--json",
                                  "--passphrase-file", secret))
            names = [disk["name"] for disk in made["disks"]]
            run(*coffer, "disk", "close", "--all", "--passphrase-file", secret)
            results = [one_round(coffer, names, peers, secret) for _ in range(options.rounds)]
        figures = report(results, options.disks)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        with open(options.json, "w", encoding="ascii") as file:
            json.dump(figures, file, indent=1)


if __name__ == "__main__":
    main()
