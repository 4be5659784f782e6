# SPDX-License-Identifier: LGPL-2.1-or-later
"""coffer store: versions go in and come out, each byte once, and nothing else is shown or served."""

import subprocess

import pytest

import rig
from rig import DONE, LOCKED, NO_DEVICE, REFUSED, USAGE, WRONG_KEY
from store_rig import KIB, Group, mixed, noise


@pytest.fixture
def group(bare):
    made = Group(bare)
    made.create()
    return made


@pytest.mark.parametrize("encrypt", [True, False])
def test_what_was_put_comes_out(bare, encrypt):
    group = Group(bare, encrypt=encrypt)
    group.create()
    contents = {"empty": b"", "byte": b"x", "small": mixed(10 * KIB), "zeros": bytes(3 * rig.MIB),
                "large": mixed(9 * rig.MIB)}
    for name, content in contents.items():
        group.put(name, content)
    assert group.names() == sorted(contents)
    for name, content in contents.items():
        assert group.get(name) == content


def test_streams_go_in_and_come_out(group):
    content = mixed(5 * rig.MIB)
    words = [str(word) for word in (rig.PROGRAM, "--root", group.coffer.root, "store")]
    secret = [str(word) for word in group.secret]
    subprocess.run([*words, "put", group.folder, "stream", *secret], input=content, check=True,
                   capture_output=True)
    got = subprocess.run([*words, "get", group.folder, "stream", *secret], check=True,
                         capture_output=True, stdin=subprocess.DEVNULL)
    assert got.stdout == content and got.stderr == b""


def test_the_same_data_is_stored_once(group):
    content = noise(4 * rig.MIB)
    first = group.put("one", content).json["version"]
    assert first["new_bytes"] == first["bytes"] == len(content)
    before = sum(path.stat().st_size for path in group.files("packs"))
    assert group.put("two", content).json["version"]["new_bytes"] == 0
    assert sum(path.stat().st_size for path in group.files("packs")) == before
    # An insertion moves everything behind it, and costs a few chunks all the same.
    changed = content[:2 * rig.MIB] + b"inserted" + content[2 * rig.MIB:]
    assert group.put("three", changed).json["version"]["new_bytes"] <= 512 * KIB
    assert group.get("three") == changed


def test_packs_tell_nothing_of_the_content(group):
    secret = b"a line that somebody might look for "
    group.put("plain-name-of-a-version", secret * 5000)
    for path in group.folder.rglob("*"):
        if path.is_file():
            assert secret not in path.read_bytes()
            assert b"plain-name" not in path.read_bytes() and "plain" not in str(path.name)
    assert all(path.stat().st_size % 4096 == 0 for path in group.files("packs"))


def test_a_removed_version_is_gone_and_the_others_stay(group):
    content = mixed(600 * KIB)
    group.put("one", content)
    group.put("two", content)
    group.run("remove", "one", expect=REFUSED)
    assert group.names() == ["one", "two"]
    group.run("remove", "one", "--dry-run")
    assert group.names() == ["one", "two"]
    group.run("remove", "one", "--yes-destroy", "one")
    assert group.names() == ["two"] and group.get("two") == content
    group.run("remove", "one", "--yes-destroy", "one", expect=NO_DEVICE)
    group.put("one", content)


def test_a_name_is_used_once(group):
    group.put("one", b"first")
    again = group.put("one", b"second", expect=REFUSED)
    assert "one" in again.err and "coffer store remove" in again.err
    assert group.get("one") == b"first"


@pytest.mark.parametrize("name", ["", "a/b", ".", "..", "a\nb", "x" * 256, "\udcff"])
def test_names_that_are_none_are_refused(group, name):
    group.run("put", name, "/etc/hostname", expect=USAGE)
    assert not group.names()


def test_unusual_names_work(group):
    for name in ("größe 2026", "x" * 255, "a:b", "-", "日本"):
        group.put(name, name.encode())
        assert group.get(name) == name.encode()


def test_a_wrong_passphrase_opens_nothing(group):
    group.put("one", b"content")
    wrong = group.coffer.folder / "wrong"
    wrong.write_text("something else\n")
    for words in (("list",), ("get", "one", "-o", group.coffer.folder / "out"), ("put", "two",
                                                                                "/etc/hostname")):
        run = group.coffer.run("store", words[0], group.folder, *words[1:], "--passphrase-file",
                               wrong, expect=WRONG_KEY)
        assert "wrong passphrase" in run.err and "try:" in run.err
    assert not (group.coffer.folder / "out").exists()
    assert group.names() == ["one"]


def test_without_a_terminal_nobody_is_asked(group):
    run = group.coffer.run("store", "list", group.folder, expect=LOCKED)
    assert "--passphrase-file" in run.err


@pytest.mark.parametrize("length, expect", [(1, DONE), (255, DONE), (256, USAGE)])
def test_passphrases_have_1_to_255_bytes(bare, length, expect):
    bare.passphrase.write_bytes(b"\xe2\x82\xac"[:length] * (length // 3) +
                                b"\0" * (length - 3 * (length // 3)) + b"\n")
    group = Group(bare)
    group.create(expect=expect)
    if expect == DONE:
        group.put("one", b"content")
        # One byte less is another passphrase: nothing is cut off.
        if length > 1:
            content = bare.passphrase.read_bytes()
            bare.passphrase.write_bytes(content[:length - 1] + b"\n")
            group.run("list", expect=WRONG_KEY)


def test_the_vault_opens_a_group(coffer):
    group = Group(coffer, encrypt=False)  # no --passphrase-file
    secret = ("--vault-passphrase-file", coffer.recovery)
    group.run("create", "--encrypt", *secret)
    group.run("put", "one", "/etc/hostname", *secret)
    assert "--vault-passphrase-file FILE" in group.run("list", expect=LOCKED).err
    assert group.run("list", "--json", *secret).json["versions"][0]["name"] == "one"
    records = coffer.run("key", "list", "--json", *coffer.secret()).out
    assert '"store"' in records


def test_options_of_create_are_checked(bare):
    group = Group(bare)
    for words in (("--rotate", "6d"), ("--rotate", "25569d"), ("--rotate", "36h"),
                  ("--mode", "other"), ("--mode", "static", "--rotate", "30d")):
        group.create(*words, expect=USAGE)
        assert not group.folder.exists()
    plain = Group(bare, encrypt=False)
    plain.create("--rotate", "30d", expect=USAGE)
    plain.create("--mode", "static", expect=USAGE)
    for number, words in enumerate((("--rotate", "7d"), ("--rotate", "25568d"),
                                    ("--mode", "static"))):
        Group(bare, f"group{number}").create(*words)


def test_a_folder_that_is_in_use_is_refused(bare, group):
    group.create(expect=REFUSED)
    other = Group(bare, "other")
    other.folder.mkdir()
    (other.folder / "letter.txt").write_text("mine")
    assert "letter.txt" in other.create(expect=REFUSED).err
    assert [path.name for path in other.folder.iterdir()] == ["letter.txt"]


def test_a_passphrase_for_a_group_that_is_not_encrypted_is_refused(bare):
    group = Group(bare, encrypt=False)
    group.create()
    group.run("put", "one", "/etc/hostname", "--passphrase-file", bare.passphrase, expect=USAGE)
    assert not group.names()


def test_what_is_not_there_is_said(bare, group):
    assert "coffer store create" in Group(bare, "nowhere").run("list", expect=NO_DEVICE).err
    assert "coffer store list" in group.get("nothing", expect=NO_DEVICE).err
    group.run("show", "nothing", expect=NO_DEVICE)
    group.run("put", "one", group.coffer.folder / "missing", expect=NO_DEVICE)


def test_get_writes_over_nothing(group):
    group.put("one", b"content")
    target = group.coffer.folder / "target"
    target.write_bytes(b"mine")
    group.run("get", "one", "-o", target, expect=REFUSED)
    assert target.read_bytes() == b"mine"


# ---- keys ----

DAY = 86400
START = 1_800_000_000


def at(monkeypatch, day):
    """From now on it is that many days after the beginning."""
    monkeypatch.setenv("COFFER_TEST_TIME", str(START + day * DAY))


def keys_of(group):
    return {key["key"]: key for key in group.run("keys", "--json").json["keys"]}


def test_a_new_key_is_made_after_the_period_and_the_old_one_reads(bare, monkeypatch):
    group = Group(bare)
    at(monkeypatch, 0)
    group.create("--rotate", "7d")
    contents = {str(day): noise(40 * KIB, day) for day in (0, 6, 7, 13, 14, 25_000)}
    rotated = []
    for day, content in contents.items():
        at(monkeypatch, int(day))
        rotated.append(group.put(day, content).json["rotated"])
    assert rotated == [False, False, True, False, True, True]
    assert {day: group.get(day) for day in contents} == contents
    keys = keys_of(group)
    assert [key["state"] for key in keys.values()] == ["retired"] * 3 + ["active"]
    assert [key["packs"] > 0 for key in keys.values()] == [True] * 4
    assert len({copy.read_bytes() for copy in group.copies()}) == 1


def test_a_static_key_stays(bare, monkeypatch):
    group = Group(bare)
    at(monkeypatch, 0)
    group.create("--mode", "static")
    for day in (0, 25_000):
        at(monkeypatch, day)
        assert not group.put(str(day), b"content").json["rotated"]
    assert list(keys_of(group)) == [1]


def test_keys_prove_which_one_encrypts_what(group):
    group.put("one", mixed(600 * KIB))
    shown = group.run("keys", "--json").json
    packs = group.files("packs")
    assert sorted(pack["pack"] for pack in shown["packs"]) == [path.name for path in packs]
    assert {pack["key"] for pack in shown["packs"]} == {1} and shown["plain_packs"] == 0
    assert keys_of(group)[1]["bytes"] == sum(path.stat().st_size for path in packs)
    assert [copy["state"] for copy in shown["copies"]] == ["good"] * 3
    assert shown["opened_by"] == ["passphrase"]


def test_stats_add_up(bare):
    group = Group(bare, encrypt=False)
    group.create()
    content = bytes(2 * rig.MIB) + noise(2 * rig.MIB)
    for name in ("one", "two"):
        group.put(name, content)
    stats = group.run("stats", "--json").json
    assert stats["versions"] == 2 and stats["bytes"] == 2 * len(content)
    assert stats["unique_bytes"] < len(content) and not stats["encrypted"]
    assert stats["compressed_bytes"] < 1.1 * 2 * rig.MIB and stats["encrypted_bytes"] == 0
    assert stats["pack_bytes"] == sum(path.stat().st_size for path in group.files("packs"))
    assert "not encrypted" in group.run("keys").out
