# SPDX-License-Identifier: LGPL-2.1-or-later
"""`disk bench` and `disk tune`: what suits a device, and how dm-crypt serves it."""

import json
import signal

import pytest

import rig
from rig import DONE, FAILED, IMPOSSIBLE, NO_DEVICE, REFUSED, USAGE, tool
from test_adopt import encrypt
from test_crash import chosen, points_of, record_count

QUEUES = "no-read-workqueue, no-write-workqueue"


def tune(coffer, *words, **more):
    return coffer.run("disk", "tune", *words, "--json", *coffer.secret(), **more)


def flags_of(disk):
    """As cryptsetup reads them."""
    metadata = json.loads(tool("cryptsetup", "luksDump", "--dump-json-metadata", disk).stdout)
    return metadata["config"].get("flags", [])


def header_word(coffer, disk):
    return coffer.run("disk", "status", disk.volume, "--json", "--passphrase-file",
                      coffer.recovery).json["disks"][0]["header"]


@pytest.fixture
def formatted(coffer, disk):
    coffer.format(disk)
    coffer.close(disk)
    return disk


# ---- bench ----

def test_bench_measures_ciphers_and_devices(bare, disk):
    shown = bare.run("disk", "bench", disk, "--json").json
    assert len(shown["ciphers"]) == 5
    assert all(row["encrypt"] > 0 and row["decrypt"] > 0 for row in shown["ciphers"])
    assert bool(shown["kernel_unmeasured"]) == (shown["ciphers"][0]["kernel_encrypt"] is None)
    device = shown["devices"][0]
    assert device["device"] == str(disk) and device["kind"] == "file" and device["read"] > 0
    assert device["sector"] == 4096 and device["why_sector"] and device["why_flags"]


def test_bench_says_what_the_processor_says(bare):
    words = open("/proc/cpuinfo", encoding="ascii").read().split()
    shown = bare.run("disk", "bench", "--dry-run", "--json").json
    assert shown["aes"]["processor"] == ("aes" in words) and "ciphers" not in shown


def test_bench_writes_nothing(bare, disk):
    before = disk.digest()
    bare.run("disk", "bench", disk)
    assert disk.digest() == before


def test_bench_of_what_is_no_device_is_refused(bare):
    bare.run("disk", "bench", "/dev/none", expect=NO_DEVICE)


def test_sector_size_that_bench_advises_is_what_format_takes(coffer, make_disk):
    for options in ((), ("--sector-size", "4096")):
        disk = make_disk(64, options)
        wanted = coffer.run("disk", "bench", disk, "--dry-run", "--json").json["devices"][0]
        coffer.format(disk)
        assert f"sector: {wanted['sector']} [bytes]" in tool("cryptsetup", "luksDump", disk).stdout
        coffer.close(disk)


# ---- tune ----

def test_flags_are_kept_in_the_header_and_its_copy(coffer, formatted):
    found = tune(coffer, formatted.volume, "--set", "no-read-workqueue", "--set",
                 "no-write-workqueue").disks[0]
    assert found["changed"] and found["before"] == "none" and found["flags"] == QUEUES
    assert sorted(flags_of(formatted)) == ["no-read-workqueue", "no-write-workqueue"]
    assert header_word(coffer, formatted) == "good"
    history = coffer.run("key", "history", f"disk-header/{formatted.volume}", "--json",
                         *coffer.secret()).json["keys"]
    assert len(history) == 2
    again = tune(coffer, formatted, "--set", "no-read-workqueue").disks[0]
    assert not again["changed"]
    tune(coffer, formatted, "--clear", "no-read-workqueue")
    assert flags_of(formatted) == ["no-write-workqueue"]
    coffer.open(formatted)
    coffer.close(formatted)


def test_flags_are_shown_without_options(coffer, formatted):
    shown = coffer.run("disk", "tune", formatted.volume, *coffer.secret())
    assert "has these flags already: none" in shown.out
    assert flags_of(formatted) == []


def test_advised_flags_are_taken_and_discard_stays(coffer, formatted):
    tune(coffer, formatted, "--set", "discard", "--set", "same-cpu-crypt")
    advised = tune(coffer, formatted, "--auto").disks[0]
    assert "discard" in advised["flags"] and "same-cpu-crypt" not in advised["flags"]
    assert set(advised["advised"].split(", ")) < set(advised["flags"].split(", "))


def test_discard_says_what_it_shows(coffer, formatted):
    told = coffer.run("disk", "tune", formatted.volume, "--set", "discard", *coffer.secret())
    assert "which blocks are unused" in told.err and flags_of(formatted) == ["allow-discards"]


def test_dry_run_writes_nothing(coffer, formatted):
    before = formatted.digest()
    shown = tune(coffer, formatted.volume, "--auto", "--dry-run").disks[0]
    assert not shown["changed"] and formatted.digest() == before


def test_flags_that_are_not_named_stay(coffer, formatted):
    tune(coffer, formatted.volume, "--set", "submit-from-crypt-cpus")
    assert flags_of(formatted) == ["submit-from-crypt-cpus"]
    tune(coffer, formatted.volume, "--set", "same-cpu-crypt")
    assert sorted(flags_of(formatted)) == ["same-cpu-crypt", "submit-from-crypt-cpus"]


@pytest.mark.parametrize("words", [("--set", "fast"), ("--clear", "fast"),
                                   ("--set", "discard", "--clear", "discard")])
def test_wrong_flags_are_wrong_usage(coffer, formatted, words):
    tune(coffer, formatted.volume, *words, expect=USAGE)


def test_luks1_keeps_no_flags(coffer, disk, place):
    (place / "old.key").write_text("what somebody chose long ago")
    encrypt(disk, place / "old.key", "luks1")
    coffer.run("disk", "adopt", disk, "--key-file", place / "old.key", "--vault-passphrase-file",
               coffer.recovery)
    refused = tune(coffer, disk.volume, "--auto", expect=IMPOSSIBLE).disks[0]["error"]
    assert "keeps no flags" in refused["text"] and "crypttab" in refused["remedy"]


def test_device_without_discard_gets_no_such_flag(coffer, make_disk):
    disk = make_disk()
    discards = open(f"/sys/class/block/{disk.node[5:]}/queue/discard_max_bytes",
                    encoding="ascii").read().strip() != "0"
    coffer.format(disk)
    coffer.close(disk)
    tune(coffer, disk.volume, "--set", "discard", expect=DONE if discards else IMPOSSIBLE)


def test_damaged_header_is_not_written(coffer, formatted):
    formatted.write(0, bytes(4096))
    before = formatted.digest()
    tune(coffer, formatted.volume, "--auto", expect=(rig.DAMAGED, REFUSED))
    assert formatted.digest() == before


def test_unknown_disk_is_told(coffer):
    tune(coffer, "enc-none", expect=NO_DEVICE)


@pytest.mark.guest
def test_open_disk_takes_the_flags_over(coffer, disk):
    coffer.format(disk)
    found = tune(coffer, disk.volume, "--set", "same-cpu-crypt").disks[0]
    if rig.has_device_mapper():
        table = tool("dmsetup", "table", disk.volume).stdout
        assert "same_cpu_crypt" in table and found["note"] is None
    else:
        assert "the user-space engine" in found["note"]
    coffer.close(disk)
    coffer.open(disk)
    if rig.has_device_mapper():
        assert "same_cpu_crypt" in tool("dmsetup", "table", disk.volume).stdout


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["kill", "fail"])
def test_tune_converges_after_a_stop_at_any_point(coffer, formatted, record_property, fault):
    coffer.run("key", "list", *coffer.secret())

    def run(way, **more):
        return tune(coffer, formatted.volume, way, "no-read-workqueue", **more)
    points = points_of(run("--set", fault="list"))
    way = "--clear"
    for number in chosen(points):
        first = run(way, fault=f"{fault}:#{number}", expect=None)
        assert first.status in (-signal.SIGKILL, FAILED, DONE), first
        coffer.open(formatted, options=["--test"])
        run(way)
        assert bool(flags_of(formatted)) == (way == "--set"), f"after {points[number - 1]}"
        assert header_word(coffer, formatted) == "good"
        way = "--set" if way == "--clear" else "--clear"
    record_count(record_property, "tune", len(chosen(points)))
