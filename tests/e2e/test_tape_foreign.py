# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keys and caches of Bareos, with what its own bscrypto has made (tests/data/bareos)."""

import json
import os
import pty
import subprocess

import pytest

import rig
from rig import DAMAGED, DONE, NO_DEVICE, USAGE, WRONG_KEY

DATA = rig.TOP / "tests/data/bareos"
KEK = DATA / "kek.txt"
KNOWN = json.loads((DATA / "bareos.json").read_text())
PASSPHRASES = [one["passphrase"] for one in KNOWN["wrapped"]]
VOLUMES = [line.split("\t") for line in (DATA / "populate.txt").read_text().splitlines()]


def tape(*words, given=b"", expect=DONE):
    """Runs coffer tape without a vault; gives its standard output."""
    done = subprocess.run([rig.PROGRAM, "tape", *map(str, words)], input=given,
                          capture_output=True, check=False)
    assert done.returncode == expect, f"{words}: {done.returncode}\n{done.stderr.decode()}"
    return done.stdout


@pytest.fixture
def cache(place):
    path = place / "bareos-sd.9103.cryptoc"
    path.write_bytes((DATA / "sample.cryptoc").read_bytes())
    return path


def dumped(path):
    return json.loads(tape("cache", "dump", path, "--bareos", "--json"))["volumes"]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_unwrap_gives_the_passphrase_and_nothing_else(number):
    wrapped = (DATA / f"wrapped{number}.b64").read_bytes()
    given = tape("key", "unwrap", "--bareos", "--kek-file", KEK, given=wrapped)
    assert given.decode() == PASSPHRASES[number - 1]


def test_unwrap_with_another_kek_is_a_wrong_key():
    assert tape("key", "unwrap", DATA / "wrapped1.b64", "--bareos", "--kek-file",
                DATA / "plain.txt", expect=WRONG_KEY) == b""


@pytest.mark.parametrize("given, status", [(b"", USAGE), (b"???", DAMAGED), (b"AAAA", DAMAGED),
                                           (b"A" * 53, DAMAGED)])
def test_unwrap_refuses_what_is_no_key(given, status):
    tape("key", "unwrap", "--bareos", "--kek-file", KEK, given=given, expect=status)


def test_unwrap_needs_a_kek_that_is_there(place):
    given = (DATA / "wrapped1.b64").read_bytes()
    tape("key", "unwrap", "--bareos", given=given, expect=USAGE)
    tape("key", "unwrap", "--bareos", "--kek-file", place / "none", given=given, expect=NO_DEVICE)


def test_wrap_and_unwrap_are_each_others_reverse(place):
    clear = PASSPHRASES[0].encode()
    assert tape("key", "wrap", "--bareos", "--kek-file", KEK, given=clear + b"\n") == \
        (DATA / "wrapped1.b64").read_bytes()
    kek = place / "kek"
    kek.write_bytes(bytes(range(32)))
    wrapped = tape("key", "wrap", "--kek-file", kek, given=clear)
    assert wrapped != (DATA / "wrapped1.b64").read_bytes()
    assert tape("key", "unwrap", "--kek-file", kek, given=wrapped) == clear


def test_generate_makes_what_bareos_takes(place):
    out = place / "kek"
    tape("key", "generate", "--out", out)
    assert len(out.read_bytes()) == 32 and out.stat().st_mode & 0o777 == 0o600
    before = out.read_bytes()
    tape("key", "generate", "--out", out, expect=rig.REFUSED)
    assert out.read_bytes() == before
    wrapped = tape("key", "generate", "--bareos", "--kek-file", out)
    assert len(wrapped) == 54
    assert len(tape("key", "unwrap", "--bareos", "--kek-file", out, given=wrapped)) == 32
    encoded = tape("key", "generate", "--base64")
    assert len(encoded) == 43 and len(tape("key", "base64", "--decode", given=encoded)) == 32


def test_base64_goes_both_ways():
    clear = KNOWN["wrapped"][0]["passphrase"].encode()
    encoded = tape("key", "base64", given=clear)
    assert tape("key", "base64", "--decode", given=encoded + b"\n") == clear
    assert tape("key", "base64", DATA / "plain.b64", "--decode") == \
        b"*1#wrw&)Xj+5Scwv&h+FjUmqe7jG|mKP"


def test_a_key_ends_with_a_newline_on_a_terminal_alone():
    main, terminal = pty.openpty()
    with open(DATA / "wrapped1.b64", "rb") as wrapped:
        subprocess.run([rig.PROGRAM, "tape", "key", "unwrap", "--bareos", "--kek-file", KEK],
                       stdin=wrapped, stdout=terminal, check=True)
    assert os.read(main, 100).decode() == PASSPHRASES[0] + "\r\n"
    os.close(terminal)
    os.close(main)


def test_cache_dump_shows_the_sample(cache):
    volumes = dumped(cache)
    assert [[one["volume"], one["key"]] for one in volumes] == VOLUMES
    assert all(one["added"] == "2026-11-20T15:43:00Z" for one in volumes)
    assert tape("cache", "dump", cache, "--bareos", "--tsv") == (DATA / "populate.txt").read_bytes()
    table = tape("cache", "dump", cache, "--bareos").decode()
    assert VOLUMES[0][0] in table and VOLUMES[2][1] not in table


def test_cache_that_is_damaged_is_refused_and_stays(cache):
    whole = cache.read_bytes()
    wrongs = [whole[:cut] for cut in (1, 31, 32, 200, 871)] + [
        whole + b"\0", whole[:24] + b"\2" + whole[25:], whole[:28] + b"\xff\xff\xff\xff" + whole[32:],
        whole[:48] + b"\x1b[2J" + whole[52:], b"X" + whole[1:]]
    verbs = [("dump",), ("reset",), ("populate", DATA / "populate.txt"),
             ("update", "NEW", DATA / "wrapped1.b64")]
    for wrong in wrongs:
        for verb, *rest in verbs if wrong is wrongs[0] or wrong is wrongs[-1] else verbs[:1]:
            cache.write_bytes(wrong)
            tape("cache", verb, cache, *rest, "--bareos", expect=DAMAGED)
            assert cache.read_bytes() == wrong


def test_cache_is_refused_without_saying_whose_it_is(cache):
    tape("cache", "dump", cache, expect=USAGE)
    tape("cache", "dump", cache.parent / "none", "--bareos", expect=NO_DEVICE)


def test_populate_makes_a_cache_and_adds_to_one(place):
    path = place / "cache"
    lines = (DATA / "populate.txt").read_bytes()
    tape("cache", "populate", path, "--bareos", "--dry-run", given=lines)
    assert not path.exists()
    tape("cache", "populate", path, "--bareos", given=lines)
    assert [[one["volume"], one["key"]] for one in dumped(path)] == VOLUMES
    before = path.read_bytes()
    assert json.loads(tape("cache", "populate", path, "--bareos", "--json",
                           given=lines))["changed"] == 0
    assert path.read_bytes() == before
    tape("cache", "populate", path, "--bareos", given=b"NEW\tZm9vYmFy\nA00001L6\tZm8\n")
    assert [one["volume"] for one in dumped(path)] == ["A00001L6", "A00002L6", "B00003L8", "NEW"]
    assert dumped(path)[0]["key"] == "Zm8"


@pytest.mark.parametrize("lines", [b"A0001", b"A0001 key\n", b"A\tZm8\nB\n", b"\tZm8\n",
                                   b"A\x1b\tZm8\n", b"A" * 128 + b"\tZm8\n", b"A\t" + b"Z" * 128])
def test_populate_takes_all_lines_or_none(cache, lines):
    before = cache.read_bytes()
    tape("cache", "populate", cache, "--bareos", given=lines, expect=DAMAGED)
    assert cache.read_bytes() == before


def test_update_and_reset_change_what_they_say(cache):
    tape("cache", "update", cache, "A00002L6", DATA / "plain.b64", "--bareos")
    volumes = dumped(cache)
    assert volumes[1]["key"] == VOLUMES[2][1]
    assert volumes[1]["added"] > "2026-11-20T15:43:00Z" and volumes[0]["added"] < volumes[1]["added"]
    tape("cache", "reset", cache, "--bareos")
    assert all(one["added"] > "2026-11-20T15:43:00Z" for one in dumped(cache))
    assert cache.stat().st_mode & 0o777 == 0o644


def test_cache_that_cannot_be_written_is_left_whole(cache):
    before = cache.read_bytes()
    full = subprocess.run(
        ["sh", "-c", 'ulimit -f 0; trap "" XFSZ; exec "$@"', "sh", rig.PROGRAM, "tape", "cache",
         "reset", str(cache), "--bareos"], capture_output=True, check=False)
    assert full.returncode == rig.FAILED
    assert cache.read_bytes() == before and os.listdir(cache.parent) == [cache.name]


def imported(coffer, *words, **more):
    return coffer.run("import", "bareos", *words, "--json", *coffer.secret(), **more)


def test_import_takes_a_cache_and_export_gives_it_back(coffer, cache, place):
    # One of the three has a clear key, which no KEK opens.
    wrapped, clear = place / "wrapped.tsv", place / "clear.tsv"
    wrapped.write_text("".join(f"{name}\t{key}\n" for name, key in VOLUMES[:2]))
    clear.write_text("\t".join(VOLUMES[2]) + "\n")
    assert imported(coffer, wrapped, "--kek-file", KEK).json["added"] == 2
    assert imported(coffer, clear).json["added"] == 1
    again = imported(coffer, wrapped, "--kek-file", KEK).json
    assert (again["added"], again["same"]) == (0, 2)
    out = place / "out.cryptoc"
    coffer.run("tape", "cache", "export", out, "--bareos", "--kek-file", KEK, *coffer.secret())
    volumes = {one["volume"]: one["key"] for one in dumped(out)}
    assert [volumes[name] for name, _ in VOLUMES[:2]] == [key for _, key in VOLUMES[:2]]
    coffer.run("tape", "cache", "export", out, "--bareos", *coffer.secret(), expect=rig.REFUSED)
    plain = place / "plain.cryptoc"
    coffer.run("tape", "cache", "export", plain, "--bareos", *coffer.secret())
    assert {one["volume"]: one["key"] for one in dumped(plain)}["B00003L8"] == VOLUMES[2][1]
    mixed = imported(coffer, cache, "--kek-file", KEK, expect=USAGE)
    assert mixed.json["same"] == 2 and mixed.json["refused"] == 1


def test_import_refuses_wrong_keys_and_takes_the_others(coffer, place):
    lines = place / "lines"
    lines.write_text(f"GOOD\t{VOLUMES[0][1]}\nBAD\tZm9v\n")
    assert imported(coffer, lines, "--kek-file", KEK, expect=DAMAGED).json["added"] == 1
    assert imported(coffer, lines, "--kek-file", DATA / "plain.txt",
                    expect=WRONG_KEY).json["added"] == 0
    lines.write_text(f"GOOD\t{VOLUMES[1][1]}\n")
    imported(coffer, lines, "--kek-file", KEK, expect=rig.REFUSED)
    lines.write_text("no tab\n")
    imported(coffer, lines, expect=DAMAGED)
    lines.write_text(f"NEW\t{VOLUMES[0][1]}\n")
    imported(coffer, lines, "--kek-file", KEK, "--dry-run")
    rows = coffer.run("key", "list", "--json", *coffer.secret()).json["keys"]
    assert [row["name"] for row in rows if row["kind"] == "tape"] == ["GOOD"]
