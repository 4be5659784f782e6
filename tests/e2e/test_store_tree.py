# SPDX-License-Identifier: LGPL-2.1-or-later
"""coffer store with folders: what comes out is what went in, with everything that a file system keeps."""

import os
import stat

import pytest

import rig
from rig import DAMAGED, REFUSED, USAGE
from store_rig import KIB, Group, flip, mixed, noise


@pytest.fixture(params=[True, False], ids=["encrypted", "plain"])
def group(bare, request):
    made = Group(bare, encrypt=request.param)
    made.create()
    return made


def make_tree(folder):
    folder.mkdir()
    (folder / "empty folder").mkdir(mode=0o751)
    (folder / "deep/er/est").mkdir(parents=True)
    (folder / "deep/er/est/file").write_bytes(mixed(700 * KIB))
    (folder / "empty").write_bytes(b"")
    (folder / "größe\nnewline").write_bytes(b"odd name")
    for number in range(300):
        (folder / f"deep/small{number}").write_bytes(noise(number * 7, number))
    os.link(folder / "deep/er/est/file", folder / "other name")
    os.symlink("deep/er", folder / "link")
    os.symlink("/nowhere", folder / "dangling")
    os.mkfifo(folder / "fifo", 0o620)
    os.mknod(folder / "device", stat.S_IFCHR | 0o640, os.makedev(1, 3))
    with open(folder / "sparse", "wb") as sparse:
        sparse.truncate(8 * rig.MIB)
        sparse.seek(3 * rig.MIB)
        sparse.write(noise(100 * KIB))
    with open(folder / "hole", "wb") as hole:
        hole.truncate(rig.MIB)
    os.chown(folder / "empty", 1234, 4321)
    os.chmod(folder / "empty", 0o4755)
    os.setxattr(folder / "deep", "user.note", b"of a folder")
    os.setxattr(folder / "empty", "trusted.note", bytes(range(256)))
    for path in (folder / "deep/er/est/file", folder / "link", folder / "empty folder"):
        os.utime(path, ns=(1, 1234567890123456789), follow_symlinks=False)


def facts_of(path):
    """What a file system knows of one thing, without what differs each time."""
    status = os.lstat(path)
    facts = [status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, status.st_rdev,
             {name: os.getxattr(path, name, follow_symlinks=False)
              for name in os.listxattr(path, follow_symlinks=False)}]
    if stat.S_ISREG(status.st_mode):
        facts += [path.read_bytes(), status.st_nlink]
    if stat.S_ISLNK(status.st_mode):
        facts.append(os.readlink(path))
    return facts


def tree_of(folder):
    return {str(path.relative_to(folder)): facts_of(path)
            for path in [folder, *sorted(folder.rglob("*"))]}


def test_a_tree_comes_out_as_it_went_in(group, place):
    make_tree(place / "in")
    before = tree_of(place / "in")
    put = group.run("put", "tree", place / "in", "--json").json["version"]
    assert put["kind"] == "tree" and put["files"] == len(before) - 1
    group.run("get", "tree", "-o", place / "out")
    assert tree_of(place / "out") == before
    assert os.path.samefile(place / "out/other name", place / "out/deep/er/est/file")
    assert os.lstat(place / "out/sparse").st_blocks * 512 < rig.MIB
    assert os.lstat(place / "out/hole").st_blocks == 0
    group.run("verify")


def test_a_tree_that_did_not_change_costs_nothing(group, place):
    make_tree(place / "in")
    group.run("put", "one", place / "in")
    packs = group.files("packs")
    assert group.run("put", "two", place / "in", "--json").json["version"]["new_bytes"] == 0
    assert group.files("packs") == packs


def test_many_small_files(group, place):
    (place / "in").mkdir()
    for number in range(1500):
        (place / f"in/{number}").write_bytes(b"%d" % number)
    group.run("put", "many", place / "in")
    group.run("get", "many", "-o", place / "out")
    assert tree_of(place / "in") == tree_of(place / "out")


def test_access_control_lists_come_along(group, place):
    (place / "in").mkdir()
    (place / "in/file").write_bytes(b"x")
    # user::rw-, user:1234:r--, group::---, mask::r--, other::---: see linux/posix_acl_xattr.h
    entries = [(1, 6, 0xffffffff), (2, 4, 1234), (4, 0, 0xffffffff), (0x10, 4, 0xffffffff),
               (0x20, 0, 0xffffffff)]
    acl = (2).to_bytes(4, "little") + b"".join(
        tag.to_bytes(2, "little") + mode.to_bytes(2, "little") + who.to_bytes(4, "little")
        for tag, mode, who in entries)
    try:
        os.setxattr(place / "in/file", "system.posix_acl_access", acl)
    except OSError:
        pytest.skip("this file system has no access control lists")
    group.run("put", "tree", place / "in")
    group.run("get", "tree", "-o", place / "out")
    assert os.getxattr(place / "out/file", "system.posix_acl_access") == acl


def test_a_tree_goes_into_a_new_folder_alone(group, place):
    make_tree(place / "in")
    group.run("put", "tree", place / "in")
    (place / "out").mkdir()
    group.run("get", "tree", "-o", place / "out", expect=REFUSED)
    assert not list((place / "out").iterdir())
    assert "-o PATH" in group.run("get", "tree", expect=USAGE).err


def test_a_damaged_tree_is_named_and_no_wrong_file_comes_out(group, place):
    make_tree(place / "in")
    before = tree_of(place / "in")
    group.run("put", "tree", place / "in")
    pack = max(group.files("packs"), key=lambda path: path.stat().st_size)
    flip(pack, 100_000)
    found = group.run("verify", "--json", expect=DAMAGED).json["damages"]
    assert "tree" in [damage["version"] for damage in found]
    group.run("get", "tree", "-o", place / "out", expect=DAMAGED)
    if not (place / "out").exists():  # damaged before the first file
        return
    for path, facts in tree_of(place / "out").items():
        if stat.S_ISREG(facts[0]) and len(facts) > 6 and facts[6]:
            assert before[path][6].startswith(facts[6])
