# SPDX-License-Identifier: LGPL-2.1-or-later
"""The `run` script and the demo, as people meet them."""

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

import rig

AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
SMALL_TREE = "/usr/share/common-licenses"


def as_nobody(place, *words):
    """Runs a copy of the script, which an ordinary user can read wherever the tree is."""
    place.chmod(0o755)
    shutil.copy(rig.TOP / "run", place / "run")
    return rig.tool(*AS_NOBODY, "sh", place / "run", *words, check=False)


@pytest.mark.parametrize("command", ["demo", "check", "soak", "install"])
def test_ordinary_user_is_told_what_to_type(place, command):
    told = as_nobody(place, command)
    assert told.returncode == 1
    assert f"./run {command}" in told.stdout.splitlines()[-1]
    assert "sudo" in told.stdout or "su -c" in told.stdout


def test_no_command_lists_the_commands(place):
    told = as_nobody(place)
    assert told.returncode == 0
    for command in ("demo", "check", "bench", "soak", "install", "uninstall", "deps"):
        assert f"  {command} " in told.stdout + " "


def test_unknown_command_is_refused(place):
    assert as_nobody(place, "dmeo").returncode == 1


@pytest.mark.slow
def test_install_says_what_comes_next(place):
    told = rig.tool("sh", rig.TOP / "run", "install", place).stdout
    assert (place / "usr/local/sbin/coffer").exists() or (place / "usr/sbin/coffer").exists()
    after = told.split("installed below ")[1]
    for hint in ("coffer init", "man coffer", "mirror = DIR"):
        assert hint in after


@pytest.fixture
def installed(coffer, place):
    """Runs a copy of the script in a folder from which the program under test was installed."""
    release = place / "release/build-release"
    (release / "meson-logs").mkdir(parents=True)
    (release / "meson-logs/install-log.txt").touch()
    (release / "build.ninja").write_text("rule rm\n command = touch ../removed\n"
                                         "build uninstall: rm\n")
    shutil.copy(rig.TOP / "run", release.parent / "run")
    programs = place / "bin"
    programs.mkdir()
    # The machine's own units are none of this test's.
    for name, line in (("coffer", shlex.join([rig.PROGRAM, *coffer.arguments()])),
                       ("systemctl", ":")):
        (programs / name).write_text(f'#!/bin/sh\n{line} "$@"\n')
        (programs / name).chmod(0o755)
    return lambda *words: rig.tool(
        "sh", release.parent / "run", "uninstall", *words, check=False,
        env=dict(os.environ, PATH=f"{programs}:{os.environ['PATH']}")), release.parent / "removed"


def test_uninstall_refuses_while_a_disk_is_open_and_says_what_closes_it(coffer, disk, installed):
    uninstall, removed = installed
    coffer.format(disk)
    refused = uninstall()
    assert refused.returncode == 1 and not removed.exists()
    assert "  coffer disk close --all\n" in refused.stdout
    coffer.run("disk", "close", "--all")
    assert uninstall().returncode == 0 and removed.exists()


def test_uninstall_that_leaves_a_disk_open_says_how_to_close_it_afterwards(coffer, disk, installed):
    uninstall, removed = installed
    coffer.format(disk)
    told = uninstall("--leave-open")
    assert told.returncode == 0 and removed.exists(), told
    command = told.stdout.split("then type:\n")[1].strip()
    rig.tool("sh", "-c", command.replace("/run/coffer/", f"{coffer.root}/run/coffer/"))
    assert coffer.run("disk", "status", "--json").disks[0]["state"] == "closed"


@pytest.fixture
def temporary(place):
    """A TMPDIR of its own, to see whether something stays behind."""
    folder = tempfile.mkdtemp(dir=place)
    return dict(os.environ, TMPDIR=folder), folder


def left_behind(folder):
    loops = rig.tool("losetup", "--list", "--noheadings", "--output", "BACK-FILE").stdout
    mounts = open("/proc/self/mountinfo", encoding="utf-8").read()
    return os.listdir(folder), folder in loops, folder in mounts


def start_demo(environment):
    return subprocess.Popen(["sh", rig.TOP / "demo/demo.sh", rig.PROGRAM, SMALL_TREE],
                            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, start_new_session=True)


@pytest.mark.slow
def test_demo_runs_and_leaves_nothing(temporary):
    environment, folder = temporary
    demo = start_demo(environment)
    told, _ = demo.communicate(timeout=300)
    assert demo.returncode == 0, told
    assert "$ coffer disk format" in told
    assert left_behind(folder) == ([], False, False)


@pytest.mark.slow
@pytest.mark.parametrize("after", ["Unlock it once", "How things are", "Lock and close"])
def test_interrupted_demo_leaves_nothing(temporary, after):
    environment, folder = temporary
    demo = start_demo(environment)
    for line in demo.stdout:
        if after in line:
            break
    time.sleep(0.2)
    # What Ctrl-C does: the whole foreground group gets the signal.
    os.killpg(demo.pid, signal.SIGINT)
    told, _ = demo.communicate(timeout=120)
    assert demo.returncode == 130, told
    assert left_behind(folder) == ([], False, False)
