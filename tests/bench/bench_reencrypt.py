#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""`coffer disk encrypt` and `disk rekey` against `cryptsetup reencrypt`, on the same image in turns.

    bench_reencrypt.py COFFER [--mib N] [--rounds N] [--json FILE]

Times whole processes. What coffer does beyond cryptsetup counts: the vault's commits, header copies,
the comparison of the data, and opening the disk.
"""

import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

from bench_unlock import PASSPHRASE, measured, run

# Of cryptsetup's rate, that is to be reached.
WANTED = 0.9
FREE_MIB = 32
CHEAP = ("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")


class Bench:
    """A vault, an image with a file system, and devices made from it."""

    def __init__(self, coffer, folder, mib):
        self.folder = folder
        self.secret = folder / "secret"
        self.secret.write_text(PASSPHRASE)
        self.coffer = [coffer, "--vault", folder / "vault", "--root", folder]
        self.image = folder / "image"
        (folder / "etc").mkdir()
        run(*self.coffer, "init", "--passphrase-file", self.secret, "--recovery-out",
            folder / "recovery")
        # The recovery key's keyslot is cheap, as the key file's of the other side.
        self.unlock = ["--passphrase-file", folder / "recovery"]
        with open(self.image, "wb") as image:
            image.truncate(mib << 20)
        run("mkfs.ext4", "-q", "-F", "-b", "4096", self.image, f"{mib - FREE_MIB}M")

    def device(self, name):
        """A new copy of the image, all of it written, so that no side pays for the pages."""
        path = self.folder / name
        run("cp", "--sparse=never", self.image, path)
        return run("losetup", "--find", "--show", path).strip()

    def drop(self, name, device):
        run("losetup", "--detach", device)
        (self.folder / name).unlink()

    def ours(self, figures):
        device = self.device("ours")
        figures["encrypt", "coffer"].append(
            measured(*self.coffer, "disk", "encrypt", device, "--json", *self.unlock))
        run(*self.coffer, "disk", "close", "enc-ours", *self.unlock)
        figures["rekey", "coffer"].append(
            measured(*self.coffer, "disk", "rekey", device, "--json", *self.unlock))
        run(*self.coffer, "disk", "destroy", "enc-ours", "--yes-destroy", "enc-ours", *self.unlock)
        self.drop("ours", device)

    def theirs(self, figures):
        device = self.device("theirs")
        words = ["cryptsetup", "reencrypt", "-q", "--key-file", self.secret, *CHEAP]
        figures["encrypt", "cryptsetup"].append(
            measured(*words, "--encrypt", "--reduce-device-size", f"{FREE_MIB}M", "--sector-size",
                     "4096", "--type", "luks2", device))
        figures["rekey", "cryptsetup"].append(measured(*words, device))
        self.drop("theirs", device)


def report(figures, mib):
    reached = True
    print(f"{'medians':12}{'cryptsetup':>14}{'coffer':>14}{'of its rate':>14}")
    for step in ("encrypt", "rekey"):
        walls = [statistics.median(figure["wall_s"] for figure in figures[step, side])
                 for side in ("cryptsetup", "coffer")]
        reached = reached and walls[0] / walls[1] >= WANTED
        rates = "".join(f"{mib / wall:10.0f} MB/s" for wall in walls)
        print(f"{step:12}{rates[1:]}{walls[0] / walls[1]:13.2f}")
    print(f"wanted: {WANTED} at least{'' if reached else '  below target'}")
    return {"bench": "reencrypt", "mib": mib, "reached": reached,
            "all": {" ".join(key): value for key, value in figures.items()}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("coffer", help="the program")
    parser.add_argument("--mib", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", help="file for the figures")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="coffer-bench-", dir="/dev/shm"))
    figures = {(step, side): [] for step in ("encrypt", "rekey")
               for side in ("cryptsetup", "coffer")}
    bench = Bench(options.coffer, folder, options.mib)
    try:
        for number in range(options.rounds):
            for turn in (bench.ours, bench.theirs)[::1 if number % 2 else -1]:
                turn(figures)
    finally:
        subprocess.run([*map(str, bench.coffer), "disk", "close", "--all", "--force"], check=False,
                       capture_output=True)
        listed = run("losetup", "--json", "--list") or '{"loopdevices":[]}'
        for loop in json.loads(listed)["loopdevices"]:
            if (loop["back-file"] or "").startswith(str(folder) + "/"):
                subprocess.run(["losetup", "--detach", loop["name"]], check=False)
        shutil.rmtree(folder, ignore_errors=True)
    results = report(figures, options.mib)
    if options.json:
        with open(options.json, "w", encoding="ascii") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    sys.exit(main())
