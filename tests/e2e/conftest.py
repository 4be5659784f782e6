# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures of the end-to-end tests, the same on this machine's kernel and inside a guest."""

import os
import pathlib
import shutil
import signal
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import rig  # noqa: E402 pylint: disable=wrong-import-position


# What runs in the guest: the first case of every test in these files, and elsewhere what is marked.
GUEST_FILES = ("test_disks.py", "test_foreign.py", "test_refusals.py")
# What `./run check --quick` runs of a file: its first tests, which are its main path.
QUICK_TESTS = 12


def pytest_configure(config):
    # Builds with -Dfaults=true harden passphrases as cheaply as recovery keys then: in a guest,
    # Argon2 takes minutes. Tests that are about its cost take this out again.
    os.environ.setdefault("COFFER_TEST_COST", "cheap")
    # A shell starts what runs in the background with Ctrl-C ignored, and programs inherit that.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "guest(every_case=False): depends on the kernel; "
                            "runs in the guest, too")
    config.addinivalue_line("markers", "slow: takes more than some seconds; left out by --quick")


def pytest_collection_modifyitems(config, items):
    """COFFER_SELECT=quick: the first case of the first tests of each file. COFFER_SELECT=guest: what
    depends on the kernel; a guest takes seconds for what a machine does at once."""
    wanted = {"quick": wanted_quickly, "guest": wanted_in_guest}.get(
        os.environ.get("COFFER_SELECT"))
    if not wanted:
        return
    seen, kept, left_out = {}, [], []
    for item in items:
        tests = seen.setdefault(item.path.name, [])
        is_first = item.originalname not in tests
        if is_first:
            tests.append(item.originalname)
        (kept if wanted(item, is_first, len(tests)) else left_out).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


def wanted_quickly(_item, is_first, number):
    return is_first and number <= QUICK_TESTS


def wanted_in_guest(item, is_first, _number):
    mark = item.get_closest_marker("guest")
    if mark and mark.kwargs.get("every_case"):
        return True
    return is_first and (mark is not None or item.path.name in GUEST_FILES)


def pytest_sessionstart(session):
    if os.geteuid() != 0:
        pytest.exit("loop devices need root", returncode=2)


@pytest.fixture
def place():
    """A folder whose loop devices, mounts and processes end with the test."""
    folder = tempfile.mkdtemp(prefix="coffer-e2e-")
    yield pathlib.Path(folder)
    rig.sweep(folder)


@pytest.fixture(scope="session")
def vault_made_once():
    """One vault that tests copy: making one takes seconds, because of Argon2."""
    folder = tempfile.mkdtemp(prefix="coffer-e2e-vault-")
    coffer = rig.Coffer(folder)
    coffer.passphrase.write_text("correct horse battery staple\n")
    coffer.init()
    yield coffer
    rig.sweep(folder)


@pytest.fixture
def bare(place):
    """The program with no vault yet."""
    coffer = rig.Coffer(place)
    coffer.passphrase.write_text("correct horse battery staple\n")
    return coffer


@pytest.fixture
def coffer(bare, vault_made_once):
    """The program with a vault."""
    shutil.copytree(vault_made_once.vault, bare.vault)
    shutil.copy2(vault_made_once.recovery, bare.recovery)
    yield bare
    bare.run("disk", "close", "--all", "--force", expect=None)
    if any(bare.root.glob("run/coffer/**/agent.sock")):
        bare.run("lock", expect=None)


@pytest.fixture
def make_disk(place):
    """Makes disks: make_disk(size_mib=64, options=())."""
    disks = []

    def make(size_mib=64, options=()):
        disks.append(rig.Disk(place, size_mib, options))
        return disks[-1]
    return make


@pytest.fixture
def disk(make_disk):
    return make_disk()
