#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""`coffer disk repair-crypttab` over sixty disks and sixty keys: with hints, and with disks of which
nothing but their key tells which is which.

    bench_crypttab.py COFFER [--disks N] [--rounds N] [--json FILE]

Times whole processes: wall clock and processor time.
"""

import argparse
import json
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import uuid

from bench_unlock import PASSPHRASE, loops, measured, run

# The figure to reach, in seconds, where all keys are tried.
WANTED_S = 15.0


def forget(folder, count):
    """Other names in another order and other UUIDs, so that only keys tell the disks apart."""
    for number, other in enumerate(random.Random(1).sample(range(count), count)):
        path = (folder / f"disk{number}").rename(folder / f"other{other}")
        run("cryptsetup", "luksUUID", "-q", "--uuid", uuid.uuid4(), path)


def rounds_of(coffer, secret, devices, found_by, count):
    """The figures of some rounds, each of which must find every disk in the expected way."""
    words = [*coffer, "disk", "repair-crypttab", "--dry-run", "--json", "--passphrase-file", secret]
    found = json.loads(run(*words))["disks"]
    ours = [disk for disk in found if disk["source"] in devices]
    if len(ours) != len(devices) or any(disk["found_by"] != found_by for disk in ours):
        sys.exit(f"bench_crypttab: not every disk was found by {found_by}")
    return [measured(*words) for _ in range(count)]


def report(results, count):
    print(f"{'medians':34}{'wall':>9}{'CPU':>9}")
    for title, figures in results.items():
        wall = statistics.median(figure["wall_s"] for figure in figures)
        cpu = statistics.median(figure["cpu_s"] for figure in figures)
        print(f"{f'{count} disks, {count} keys, {title}':34}{wall:8.2f}s{cpu:8.2f}s")
    reached = statistics.median(figure["wall_s"] for figure in results["by trial"]) <= WANTED_S
    print(f"wanted by trial: {WANTED_S:.0f} s at most{'' if reached else '  below target'}")
    return {"bench": "crypttab", "disks": count, "reached": reached, "all": results}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("coffer", help="the program")
    parser.add_argument("--disks", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", help="file for the figures")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="coffer-bench-", dir="/dev/shm"))
    coffer = [options.coffer, "--vault", folder / "vault", "--root", folder]
    secret = folder / "secret"
    secret.write_text(PASSPHRASE)
    results = {}
    try:
        (folder / "etc").mkdir()
        run(*coffer, "init", "--passphrase-file", secret, "--no-recovery")
        with loops(folder, "disk", options.disks) as disks:
            agreed = [word for disk in disks for word in ("--yes-destroy", disk)]
            run(*coffer, "disk", "format", *disks, *agreed, "--json", "--crypttab",
                "--passphrase-file", secret)
            run(*coffer, "disk", "close", "--all", "--passphrase-file", secret)
            results["by hint"] = rounds_of(coffer, secret, disks, "uuid", options.rounds)
        forget(folder, options.disks)
        with loops(folder, "other", options.disks) as disks:
            results["by trial"] = rounds_of(coffer, secret, disks, "trial", options.rounds)
    finally:
        subprocess.run([*map(str, coffer), "disk", "close", "--all", "--force"], check=False,
                       capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)
    figures = report(results, options.disks)
    if options.json:
        with open(options.json, "w", encoding="ascii") as file:
            json.dump(figures, file, indent=1)


if __name__ == "__main__":
    main()
