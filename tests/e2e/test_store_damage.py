# SPDX-License-Identifier: LGPL-2.1-or-later
"""coffer store on damaged files: each damage is named, and no wrong byte ever comes out."""

import hashlib
import shutil

import pytest

import rig
from rig import DAMAGED, DONE, REFUSED, USAGE, WRONG_KEY
from store_rig import KIB, Group, flip, mixed

CONTENT = mixed(700 * KIB)
# Offsets in a pack: both head pages, records, table, last page (from the end).
PACK_OFFSETS = [0, 9, 30, 50, 90, 3000, 4064, 5000, 8192, 20000, -9000, -5000, -4096, -4080, -4000, -1]


@pytest.fixture(params=[True, False], ids=["encrypted", "plain"])
def group(bare, request):
    made = Group(bare, encrypt=request.param)
    made.create()
    made.put("one", CONTENT)
    made.put("two", b"small")
    return made


def check_damage(group, path, offset):
    """One byte of a file is another one: it is named, and what is got is right or nothing."""
    size = path.stat().st_size
    flip(path, offset % size)
    found = group.run("verify", "--json", expect=DAMAGED).json["damages"]
    assert path.name in " ".join(damage["file"] for damage in found), f"byte {offset} of {size}"
    for name, content in (("one", CONTENT), ("two", b"small")):
        got = group.get(name, expect=(DONE, DAMAGED, rig.NO_DEVICE))
        assert got == content or (isinstance(got, rig.Result) and got.status != DONE)
    return found


def test_a_changed_byte_of_a_pack_is_named(group):
    pack = max(group.files("packs"), key=lambda path: path.stat().st_size)
    for offset in PACK_OFFSETS:
        check_damage(group, pack, offset)
        flip(pack, offset % pack.stat().st_size)
    group.run("verify")


def test_a_damaged_pack_is_named_with_the_version_that_it_affects(group):
    pack = max(group.files("packs"), key=lambda path: path.stat().st_size)
    found = check_damage(group, pack, 20000)
    assert {damage["version"] for damage in found} == {None, "one"}
    assert group.get("two") == b"small"


def test_a_changed_byte_is_found_without_keys(group):
    pack = max(group.files("packs"), key=lambda path: path.stat().st_size)
    for path, offset in [(pack, offset) for offset in PACK_OFFSETS] + \
                        [(group.files("versions")[0], 200), (group.files("index")[0], 90)]:
        flip(path, offset % path.stat().st_size)
        run = group.coffer.run("store", "verify", group.folder, "--checksums", expect=DAMAGED)
        assert path.name in run.out, f"byte {offset}"
        flip(path, offset % path.stat().st_size)
    group.coffer.run("store", "verify", group.folder, "--checksums")


def test_a_changed_byte_of_a_version_is_named(group):
    for path in group.files("versions"):
        for offset in (0, 9, 12, 30, 50, 65, 100, 300, -1):
            check_damage(group, path, offset)
            flip(path, offset % path.stat().st_size)


def test_a_changed_byte_of_the_index_is_named_and_mended(group):
    for offset in (0, 12, 40, 70, 130, 200, -40, -1):
        path = group.files("index")[0]
        flip(path, offset % path.stat().st_size)
        assert group.get("one") == CONTENT and group.get("two") == b"small"
        found = group.run("verify", "--json", expect=DAMAGED).json["damages"]
        assert [damage["file"] for damage in found] == [f"index/{path.name}"]
        assert found[0]["mended"]
        group.run("verify")


def test_the_index_is_made_again_from_the_packs(group):
    for path in group.files("index"):
        path.unlink()
    assert group.get("one") == CONTENT
    assert group.put("again", CONTENT).json["version"]["new_bytes"] == 0
    assert group.files("index")
    group.run("verify")


def test_a_changed_byte_of_a_keystore_is_named_and_mended(group):
    whole = group.folder.joinpath("keys/a").read_bytes()
    for copy in group.copies():
        for offset in (0, 9, 12, 30, 60, 120, -60, -1):
            flip(copy, offset % len(whole))
            found = group.run("verify", "--json", expect=DAMAGED).json["damages"]
            assert [damage["file"] for damage in found] == [str(copy)] and found[0]["mended"]
            assert copy.read_bytes() == whole
    group.run("verify")


def test_lost_copies_of_a_keystore_are_written_again(group):
    copies = group.copies()
    whole = copies[0].read_bytes()
    for kept in range(3):
        for number, copy in enumerate(copies):
            if number != kept:
                copy.unlink()
        run = group.run("list")
        assert "was missing, and was written again" in run.err
        assert [copy.read_bytes() for copy in copies] == [whole] * 3


def test_without_any_copy_of_the_keystore_nothing_opens(group):
    for copy in group.copies():
        copy.write_bytes(copy.read_bytes()[:-1])
    run = group.run("list", expect=DAMAGED)
    assert "keys/a" in run.err and "keys/b" in run.err and ".keys" in run.err
    for copy in group.copies():
        copy.unlink()
    group.run("list", expect=rig.NO_DEVICE)


def test_a_changed_byte_of_the_groups_file_is_named(group):
    path = group.folder / "group"
    for offset in (0, 8, 9, 12, 30, 36, 45, 77):
        flip(path, offset)
        for verb in (("verify",), ("list",), ("verify", "--checksums")):
            assert "group" in group.run(*verb, expect=DAMAGED).err
        flip(path, offset)


def test_a_copy_that_is_not_encrypted_never_counts(bare):
    group, plain = Group(bare), Group(bare, "plain", encrypt=False)
    group.create()
    plain.create()
    forged = bytearray(plain.folder.joinpath("keys/a").read_bytes())
    uuid = group.folder.joinpath("keys/a").read_bytes()[10:26]
    forged[10:26] = uuid
    forged[26:34] = (99).to_bytes(8, "big")
    forged[-32:] = hashlib.sha256(forged[:-32]).digest()
    for copy in group.copies()[:2]:
        copy.write_bytes(forged)
    group.put("one", CONTENT)
    assert group.run("stats", "--json").json["encrypted"]
    # With all three replaced, whoever names a passphrase is told.
    for copy in group.copies():
        copy.write_bytes(forged)
    group.run("put", "two", "/etc/hostname", expect=USAGE)


def test_an_older_keystore_is_noticed(bare):
    group = Group(bare)
    group.create()
    old = [copy.read_bytes() for copy in group.copies()]
    rotated = dict(COFFER_TEST_TIME=str(4_000_000_000))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in rotated.items():
            patch.setenv(name, value)
        group.put("one", CONTENT)
    for copy, content in zip(group.copies(), old):
        copy.write_bytes(content)
    run = group.run("list", expect=DAMAGED)
    assert "older" in run.err


def test_a_version_under_another_name_is_refused(group):
    one, two = group.files("versions")
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(content)
    for name in ("one", "two"):
        group.get(name, expect=DAMAGED)
    group.run("verify", expect=DAMAGED)


def test_a_keystore_of_another_group_does_not_count(bare):
    group, other = Group(bare), Group(bare, "other")
    group.create()
    group.put("one", CONTENT)
    whole = group.copies()[0].read_bytes()
    other.create()
    shutil.copy(other.folder / "keys/a", group.folder / "keys/a")
    assert group.get("one") == CONTENT
    assert (group.folder / "keys/a").read_bytes() == whole


def test_a_pack_of_another_group_is_refused(bare):
    group, other = Group(bare), Group(bare, "other")
    for made in (group, other):
        made.create()
        made.put("one", CONTENT)
    pack = max(group.files("packs"), key=lambda path: path.stat().st_size)
    stranger = max(other.files("packs"), key=lambda path: path.stat().st_size)
    shutil.copy(stranger, pack)
    group.get("one", expect=DAMAGED)
    found = group.run("verify", "--json", expect=DAMAGED).json["damages"]
    assert f"packs/{pack.name}" in [damage["file"] for damage in found]


def test_what_is_put_again_heals_what_was_lost(group):
    pack = max(group.files("packs"), key=lambda path: path.stat().st_size)
    pack.unlink()
    group.get("one", expect=DAMAGED)
    assert group.put("again", CONTENT).json["version"]["new_bytes"] > 0
    assert group.get("again") == CONTENT
    assert group.get("one") == CONTENT


def test_a_group_whose_own_file_is_lost_is_not_made_over(group):
    (group.folder / "group").unlink()
    group.create(expect=REFUSED)
    group.run("list", expect=rig.NO_DEVICE)


def test_a_wrong_passphrase_repairs_nothing(bare):
    group = Group(bare)
    group.create()
    group.copies()[0].unlink()
    bare.passphrase.write_text("something else\n")
    group.run("verify", expect=WRONG_KEY)
    assert not (group.folder / "keys/a").exists()
