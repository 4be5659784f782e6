# SPDX-License-Identifier: LGPL-2.1-or-later
"""disk decrypt: a disk of the vault becomes a plain device, and keeps every byte."""

import random
import signal

import pytest

import rig
from rig import DONE, mounted, tool, tree_digest
from test_change_crash import kill_after, own_points
from test_crash import SHARE, record_count
from test_encrypt import kinds
from test_rekey import make_used, used  # pylint: disable=unused-import


def decrypt(coffer, disk, *options, **more):
    return coffer.run("disk", "decrypt", disk, "--yes-destroy", disk, *options, *coffer.secret(),
                      **more)


def check_plain(coffer, disk, place):
    """The device is the file system, and the vault knows nothing of it any more."""
    with mounted(disk, place / "mnt", "-o", "ro") as folder:
        assert tree_digest(folder) == disk.tree
    assert not kinds(coffer)
    assert not list(coffer.vault.glob("*.decrypting"))
    assert disk.volume not in (coffer.crypttab.read_text() if coffer.crypttab.exists() else "")


def test_decrypt_leaves_a_plain_file_system(coffer, used, place):
    done = decrypt(coffer, used, "--json").disks[0]
    assert done["changed"] and done["state"] == "plain"
    check_plain(coffer, used, place)
    lines = [line for line in coffer.run("audit", "--json", *coffer.secret()).json["lines"]
             if line["event"] == "disk.decrypt"]
    assert [line["result"] for line in lines] == ["started", "done"]


def test_decrypt_asks_first(coffer, used):
    before = used.digest()
    refused = coffer.run("disk", "decrypt", used, *coffer.secret(), expect=rig.REFUSED)
    assert "--yes-destroy" in refused.err and used.digest() == before


def test_decrypt_dry_run_changes_nothing(coffer, used):
    before = used.digest()
    assert "remove its key and header copies" in decrypt(coffer, used, "--dry-run").out
    assert used.digest() == before and not list(coffer.vault.glob("*.decrypting"))


def test_decrypt_refuses_an_open_disk(coffer, used):
    coffer.open(used.volume)
    refused = decrypt(coffer, used.volume, expect=rig.REFUSED)
    assert "can only be decrypted while it is closed" in refused.err
    assert f"coffer disk close {used.volume}" in refused.err


def test_a_device_in_the_middle_looks_like_no_file_system_and_is_refused(coffer, used, place):
    stopped = decrypt(coffer, used, fault="kill:decrypt/step", expect=None)
    assert stopped.status == -signal.SIGKILL
    assert not tool("blkid", "-p", "-o", "value", "-s", "TYPE", used, check=False).stdout
    for words in (["disk", "open", used.volume], ["disk", "open", used.volume, "--force"],
                  ["key", "rotate", used.volume], ["disk", "rekey", used.volume],
                  ["disk", "format", used, "--force", "--yes-destroy", used],
                  ["disk", "header", "repair", used.volume],
                  ["disk", "destroy", used.volume, "--yes-destroy", used.volume]):
        before = used.digest()
        refused = coffer.run(*words, *coffer.secret(), expect=rig.REFUSED)
        assert f"coffer disk decrypt {used.volume}" in refused.err, str(refused)
        assert used.digest() == before
    assert f"coffer disk decrypt {used.volume}" in coffer.run("disk", "list", *coffer.secret()).out
    decrypt(coffer, used.volume)
    check_plain(coffer, used, place)


def test_a_file_that_is_gone_is_told_and_nothing_is_written(coffer, used):
    decrypt(coffer, used, fault="kill:decrypt/step", expect=None)
    header = next(coffer.vault.glob("*.decrypting"))
    kept = header.read_bytes()
    header.unlink()
    before = used.digest()
    told = decrypt(coffer, used.volume, expect=rig.FAILED)
    assert "is gone, which says where the data" in told.err and used.digest() == before
    header.write_bytes(kept)
    assert decrypt(coffer, used.volume).status == DONE


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_decrypt_converges_after_a_stop_at_any_point(coffer, make_used, place, record_property,
                                                     fault):
    points = own_points(decrypt(coffer, make_used(), fault="list"))
    for number in points:
        disk = make_used()
        first = decrypt(coffer, disk, fault=f"{fault}:#{number}", expect=None)
        assert first.status in (-signal.SIGKILL, rig.FAILED, DONE), str(first)
        if kinds(coffer):
            decrypt(coffer, disk)
        check_plain(coffer, disk, place)
        disk.detach()
    record_count(record_property, f"decrypt {fault}", len(points))


@pytest.mark.slow
def test_decrypt_converges_after_kills_at_random_moments(coffer, make_used, place,
                                                         record_property):
    killed = 0
    for number in range(max(2, 12 // SHARE)):
        disk = make_used()
        moments = random.Random(number)
        for _ in range(3):
            killed += kill_after(coffer.start("disk", "decrypt", disk, "--yes-destroy", disk,
                                              *coffer.secret()), moments.uniform(0.05, 0.6))
        if kinds(coffer):
            decrypt(coffer, disk)
        check_plain(coffer, disk, place)
        disk.detach()
    record_count(record_property, "decrypt, killed at random moments", killed)
