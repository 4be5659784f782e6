# SPDX-License-Identifier: LGPL-2.1-or-later
"""The generator: what it leaves for systemd, with lists that are right, wrong and not there."""

import pathlib
import shutil
import subprocess

import pytest

import rig
from rig import DONE, tool

GENERATOR = pathlib.Path(rig.PROGRAM).parent.parent / "boot/coffer-generator"
if not GENERATOR.exists():
    GENERATOR = pathlib.Path("/usr/lib/systemd/system-generators/coffer-generator")
CRYPTTAB = "enc-a UUID=1 /run/coffer/keys.sock luks,nofail\n"
FSTAB = "UUID=9 / ext4 defaults 0 1\n/dev/mapper/enc-a /srv/a ext4 nofail 0 2\n"
ANALYZE = shutil.which("systemd-analyze")


@pytest.fixture
def etc(place):
    (place / "etc/coffer").mkdir(parents=True)
    (place / "out").mkdir()
    (place / "etc/crypttab").write_text(CRYPTTAB)
    (place / "etc/fstab").write_text(FSTAB)
    return place / "etc"


def generate(etc, text=None, expect=DONE):
    """Runs it; gives what it wrote by name, and what it said."""
    if text is not None:
        (etc / "coffer/boot.list").write_text(text)
    out = etc.parent / "out"
    done = subprocess.run([GENERATOR, "--root", etc.parent, out], capture_output=True, text=True,
                          check=False)
    assert done.returncode == expect, done.stderr
    return {str(path.relative_to(out)): path.read_text() for path in out.rglob("*")
            if path.is_file()}, done.stderr


def test_unit_what_starts_it_the_mount_and_the_target_get_drop_ins(etc):
    files, said = generate(etc, "wait db.service\n")
    assert set(files) == {f"{unit}.d/50-coffer.conf" for unit in (
        "db.service", "db.socket", "db.timer", "db.path", "srv-a.mount", "coffer.target")}
    for unit in ("db.service", "db.socket", "db.timer", "db.path"):
        assert "\nConditionPathIsMountPoint=/srv/a\n" in files[f"{unit}.d/50-coffer.conf"]
    assert "Wants=db.service\n" in files["coffer.target.d/50-coffer.conf"]
    assert not said


def test_no_list_and_an_empty_one_leave_nothing(etc):
    assert generate(etc) == ({}, "")
    assert generate(etc, "# nobody\n") == ({}, "")


def test_wrong_lines_are_named_and_cost_the_others_nothing(etc):
    files, said = generate(etc, "wait db.service for srv\nnonsense\nwait web.service\n")
    assert "boot.list line 1 " in said and "boot.list line 2 " in said
    assert "=/srv/a\n" in files["web.service.d/50-coffer.conf"]
    assert "ConditionPathExists=" in files["db.service.d/50-coffer.conf"]


def test_unit_stays_down_where_nobody_knows_what_it_waits_for(etc):
    (etc / "fstab").write_text("")
    files, said = generate(etc, "wait db.service\n")
    assert "ConditionPathExists=" in files["db.service.d/50-coffer.conf"]
    assert "db.service waits, but fstab has no file system of the vault" in said


def test_folder_that_takes_nothing_fails_no_boot(etc):
    (etc / "coffer/boot.list").write_text("wait db.service\n")
    done = subprocess.run([GENERATOR, "--root", etc.parent, "/proc/nowhere"], capture_output=True,
                          text=True, check=False)
    assert done.returncode == DONE and "/proc/nowhere" in done.stderr


def test_list_that_is_a_folder_fails_no_boot(etc):
    (etc / "coffer/boot.list").mkdir()
    files, said = generate(etc)
    assert not files and "boot.list" in said


@pytest.mark.skipif(not ANALYZE, reason="no systemd-analyze here")
def test_systemd_takes_what_was_generated(etc):
    generate(etc, "wait db.service for /srv/a /srv/my\\040files\nwait web.socket\n")
    out = etc.parent / "out"
    (out / "db.service").write_text("[Service]\nExecStart=/bin/true\n")
    (out / "db.socket").write_text("[Socket]\nListenStream=/run/db\n")
    (out / "web.socket").write_text("[Socket]\nListenStream=/run/web\nAccept=yes\n")
    (out / "web@.service").write_text("[Service]\nExecStart=/bin/true\n")
    shutil.copy(rig.TOP / "systemd/coffer.target", out)
    done = subprocess.run([ANALYZE, "verify", "--man=no", "db.service", "db.socket", "web.socket",
                           "coffer.target"], capture_output=True, text=True, check=False,
                          env={"SYSTEMD_UNIT_PATH": f"{out}:/usr/lib/systemd/system"})
    assert done.returncode == DONE and not done.stderr, done.stderr


def test_it_links_nothing_but_the_c_library():
    libraries = tool("ldd", GENERATOR).stdout
    for library in ("crypto", "cryptsetup", "sqlite", "systemd", "mount", "json"):
        assert library not in libraries
