# SPDX-License-Identifier: LGPL-2.1-or-later
"""LUKS devices that the vault does not know, made by other programs."""

import os

import pytest

import rig
from rig import WRONG_KEY, tool

KEY = b"a key that another program made up"
CONTENT = os.urandom(2 * rig.MIB)
KINDS = {
    "luks2": ["--type", "luks2", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"],
    "luks2-4096": ["--type", "luks2", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000",
                   "--sector-size", "4096"],
    "luks2-cbc": ["--type", "luks2", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000",
                  "--cipher", "aes-cbc-essiv:sha256", "--key-size", "256"],
    "luks2-argon2": ["--type", "luks2", "--pbkdf", "argon2id", "--pbkdf-force-iterations", "4",
                     "--pbkdf-memory", "32768", "--pbkdf-parallel", "1"],
}


@pytest.fixture
def key(place):
    path = place / "key"
    path.write_bytes(KEY)
    return path


def first_bytes(device, count):
    with open(device, "rb") as opened:
        return opened.read(count)


@pytest.mark.parametrize("kind", KINDS)
def test_content_written_by_cryptsetup_is_read(bare, disk, key, kind):
    """cryptsetup encrypts in place, without device-mapper, so that it also runs here."""
    disk.detach()
    disk.file.write_bytes(CONTENT + bytes(62 * rig.MIB))
    tool("cryptsetup", "reencrypt", "--encrypt", "-q", *KINDS[kind], "--key-file", key,
         "--reduce-device-size", "32M", disk.file, cwd=disk.file.parent)
    disk.attach()
    found = bare.run("disk", "open", disk, "--key-file", key, "--json").disks[0]
    assert first_bytes(found["device"], len(CONTENT)) == CONTENT
    bare.run("disk", "close", disk)


def test_content_written_by_qemu_is_read(bare, disk, key, place):
    disk.detach()
    (place / "plain").write_bytes(CONTENT)
    rig.qemu_img_luks("convert", "-f", "raw", "-O", "luks", "--object",
                       f"secret,id=key,file={key}", "-o", "key-secret=key,iter-time=200", place / "plain",
                       disk.file)
    disk.attach()
    found = bare.run("disk", "open", disk, "--key-file", key, "--json").disks[0]
    assert first_bytes(found["device"], len(CONTENT)) == CONTENT
    bare.run("disk", "close", disk)


def test_content_written_here_is_read_by_qemu(bare, disk, key, place):
    disk.detach()
    rig.qemu_img_luks("create", "-f", "luks", "--object", f"secret,id=key,file={key}",
                       "-o", "key-secret=key,iter-time=200", disk.file, "32M")
    disk.attach()
    found = bare.run("disk", "open", disk, "--key-file", key, "--json").disks[0]
    with open(found["device"], "r+b") as device:
        device.write(CONTENT)
        device.flush()
        os.fsync(device.fileno())
    bare.run("disk", "close", disk)
    disk.detach()
    tool("qemu-img", "convert", "-O", "raw", "--object", f"secret,id=key,file={key}", "--image-opts",
         f"driver=luks,key-secret=key,file.filename={disk.file}", place / "plain")
    assert first_bytes(place / "plain", len(CONTENT)) == CONTENT


@pytest.fixture
def foreign(disk, key):
    tool("cryptsetup", "luksFormat", "-q", *KINDS["luks2"], disk, key)
    return disk


def test_wrong_key_file_is_told_apart(bare, foreign, place):
    (place / "wrong").write_bytes(b"another key")
    bare.run("disk", "open", foreign, "--key-file", place / "wrong", expect=WRONG_KEY)


def test_name_is_taken(bare, foreign, key):
    name = "given" + foreign.file.name
    found = bare.run("disk", "open", foreign, "--key-file", key, "--name", name, "--json").disks[0]
    assert found["name"] == name
    bare.run("disk", "close", name)


def test_name_with_a_slash_is_refused(bare, foreign, key):
    bare.run("disk", "open", foreign, "--key-file", key, "--name", "a/b", expect=rig.USAGE)


def test_read_only_is_taken(bare, foreign, key):
    found = bare.run("disk", "open", foreign, "--key-file", key, "--read-only", "--json").disks[0]
    assert tool("blockdev", "--getro", found["device"]).stdout.strip() == "1"
    bare.run("disk", "close", foreign)


def test_read_only_is_refused_while_open_for_writing(bare, foreign, key):
    bare.run("disk", "open", foreign, "--key-file", key)
    refused = bare.run("disk", "open", foreign, "--key-file", key, "--read-only", expect=rig.BUSY)
    assert "is open for writing" in refused.err


def test_missing_key_file_is_told_apart(bare, foreign, place):
    bare.run("disk", "open", foreign, "--key-file", place / "missing", expect=rig.NO_DEVICE)


@pytest.mark.parametrize("cipher", ["serpent-256", "twofish-256"])
def test_other_ciphers_are_refused_by_the_engine(bare, disk, key, cipher):
    if rig.has_device_mapper():
        pytest.skip("dm-crypt does these ciphers itself")
    disk.detach()
    rig.qemu_img_luks("create", "-f", "luks", "--object", f"secret,id=key,file={key}",
                       "-o", f"key-secret=key,iter-time=200,cipher-alg={cipher}", disk.file, "32M")
    disk.attach()
    bare.run("disk", "open", disk, "--key-file", key, expect=rig.IMPOSSIBLE)
