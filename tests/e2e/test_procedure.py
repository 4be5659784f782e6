# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a storage appliance's manual has people do with qs-util, from the device map to the restart
that shows that all is back; the README's table says which command stands for which."""

import shutil

import pytest

import rig
from rig import mounted, tool
from test_places import key_field, medium
from test_swap import Partitions


def make_pool(coffer, disks, place):
    """A file system with a file on each disk; gives their digests."""
    digests = {}
    for disk in disks:
        plain = coffer.open(disk).disks[0]["device"]
        tool("mkfs.ext4", "-q", plain)
        with mounted(plain, place / "pool") as folder:
            (folder / "file").write_text(f"on {disk.volume}\n" * 1000)
            digests[disk.volume] = rig.tree_digest(folder)
    return digests


def read_pool(coffer, digests, place):
    """Opens all disks, and looks whether everything is there."""
    opened = coffer.open(options=["--all"]).disks
    assert {entry["name"] for entry in opened} == set(digests)
    for entry in opened:
        with mounted(entry["device"], place / "pool", "-o", "ro") as folder:
            assert rig.tree_digest(folder) == digests[entry["name"]]


@pytest.mark.guest
def test_procedure_of_the_manual_works_from_end_to_end(coffer, make_disk, place):
    # 1. cryptswap: both files say that swap is encrypted from the next start on.
    area = Partitions(make_disk(size_mib=80))
    tool("mkswap", area.nodes[0])
    coffer.run("swap", "encrypt", area.nodes[0])
    assert "/dev/mapper/swap none swap" in (coffer.root / "etc/fstab").read_text()

    # 2. devicemap, and whether AES is accelerated.
    disks = [make_disk(64) for _ in range(2)]
    shown = coffer.run("disk", "list", "--json").json["devices"]
    assert {str(disk) for disk in disks} <= {entry["device"] for entry in shown}
    assert "accelerated" in coffer.run("disk", "bench", "--dry-run", "--json").json["aes"]

    # 3. cryptformat: key, header, its copy, a line, and open.
    found = coffer.format(*disks, options=["--crypttab"]).disks
    assert [entry["state"] for entry in found] == ["open"] * 2
    assert all(disk.volume in coffer.crypttab.read_text() for disk in disks)
    digests = make_pool(coffer, disks, place)

    # 4. A backup of keys and headers, and the proof that it opens the disks.
    coffer.run("backup", "create", place / "backup", *coffer.secret())
    coffer.run("drill", place / "backup", *coffer.secret())

    # 5. The keys on a medium of their own, and crypttab says so.
    with medium(place, make_disk) as stick:
        coffer.run("key", "relocate", "--all", "--to", stick, *coffer.secret())
        assert all(key_field(coffer, disk) == f"{stick}/{disk.volume}.key" for disk in disks)

        # 6. cryptcloseall, and cryptopen with a key file, as systemd does it at the next start.
        coffer.close(options=["--all"])
        one = disks[0]
        coffer.run("disk", "open", one, "--key-file", stick / f"{one.volume}.key", "--name",
                   one.volume)
        coffer.close(options=["--all"])

        # 7. crypttabrepair.
        lines = sorted(coffer.crypttab.read_text().splitlines())
        coffer.crypttab.write_text("".join(line + "\n" for line in lines if "swap" in line))
        coffer.run("disk", "repair-crypttab", "--yes", *coffer.secret())
        fields = [line.split()[:3] for line in lines]
        assert sorted(line.split()[:3]
                      for line in coffer.crypttab.read_text().splitlines()) == fields

    # 8. The medium is in the safe: cryptopenall, with one passphrase.
    read_pool(coffer, digests, place)
    coffer.close(options=["--all"])

    # 9. The system's disk is lost, and with it the vault: the backup brings everything back.
    shutil.rmtree(coffer.vault)
    coffer.run("backup", "restore", place / "backup", *coffer.secret())
    read_pool(coffer, digests, place)

    # 10. cryptclose and cryptdestroy.
    coffer.close(disks[0])
    coffer.run("disk", "destroy", disks[0], "--yes-destroy", disks[0], *coffer.secret())
    tool("cryptsetup", "isLuks", disks[1])
    assert tool("cryptsetup", "isLuks", disks[0], check=False).returncode != 0
    assert len(coffer.open(options=["--all"]).disks) == 1
