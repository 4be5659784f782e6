# SPDX-License-Identifier: LGPL-2.1-or-later
"""crypttab lines: ours are right, and every byte that is not ours stays."""

import pytest

import rig
from rig import tool

FOREIGN = (b"# a comment\n"
           b"\n"
           b"   home\t\tUUID=0b1c   none  luks,discard   # trailing words\n"
           b"swap /dev/disk/by-partuuid/1 /dev/urandom swap,cipher=aes-xts-plain64\n"
           b"\t# an indented comment\n"
           b"not a line that anybody reads\n"
           b"last /dev/sdz1 none luks")


def ours(coffer, disk):
    return [line.split() for line in coffer.crypttab.read_text().splitlines()
            if line.startswith(disk.volume)]


def test_disk_without_stable_name_gets_no_line(coffer, disk):
    coffer.format(disk)
    assert not coffer.crypttab.exists() or not ours(coffer, disk)


def test_line_names_the_key_server(coffer, disk):
    coffer.format(disk, options=["--crypttab"])
    (name, source, key, options), = ours(coffer, disk)
    assert name == disk.volume
    assert source == str(disk.file)  # systemd makes the loop device of a file itself
    assert key.endswith("/keys.sock")
    assert "luks" in options.split(",")


@pytest.mark.parametrize("text", [FOREIGN, FOREIGN + b"\n", b"", b"\n\n", b"# only a comment"],
                         ids=["no newline", "newline", "empty", "blank", "comment"])
def test_foreign_bytes_are_kept(coffer, disk, text):
    coffer.crypttab.write_bytes(text)
    coffer.format(disk, options=["--crypttab"])
    after = coffer.crypttab.read_bytes()
    assert after.startswith(text)
    assert len(ours(coffer, disk)) == 1


def test_mode_of_the_file_is_kept(coffer, disk):
    coffer.crypttab.write_bytes(FOREIGN)
    coffer.crypttab.chmod(0o640)
    coffer.format(disk, options=["--crypttab"])
    assert coffer.crypttab.stat().st_mode & 0o777 == 0o640


def test_copy_of_the_version_before_is_kept(coffer, disk):
    coffer.crypttab.write_bytes(FOREIGN)
    coffer.format(disk, options=["--crypttab"])
    copies = [path for path in coffer.crypttab.parent.glob("crypttab?*")
              if path.read_bytes() == FOREIGN]
    assert len(copies) == 1


def test_format_again_adds_no_second_line(coffer, disk):
    coffer.format(disk, options=["--crypttab"])
    before = coffer.crypttab.read_bytes()
    coffer.close(disk)
    coffer.format(disk, options=["--crypttab"], expect=None)
    assert coffer.crypttab.read_bytes() == before


def test_systemd_takes_the_line(coffer, disk, place):
    generator = "/lib/systemd/system-generators/systemd-cryptsetup-generator"
    if not rig.os.path.exists(generator):
        pytest.skip("systemd's generator is not installed here")
    coffer.format(disk, options=["--crypttab"])
    for name in "abc":
        (place / name).mkdir()
    tool(generator, place / "a", place / "b", place / "c",
         env=dict(rig.os.environ, SYSTEMD_CRYPTTAB=str(coffer.crypttab)))
    units = [path for path in (place / "a").iterdir() if path.suffix == ".service"]
    assert len(units) == 1
    assert f"attach '{disk.volume}'" in units[0].read_text()
