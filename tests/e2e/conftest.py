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


# What runs in the guest: of these every case, and of those every test's first.
GUEST_WHOLE = ("test_disks.py", "test_foreign.py", "test_refusals.py")
GUEST_FIRST = ("test_crash.py", "test_full.py", "test_mistakes.py")


def pytest_configure(config):
    # Builds with -Dfaults=true harden passphrases as cheaply as recovery keys then: in a guest,
    # Argon2 takes minutes. Tests that are about its cost take this out again.
    os.environ.setdefault("COFFER_TEST_COST", "cheap")
    # A shell starts what runs in the background with Ctrl-C ignored, and programs inherit that.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "guest: depends on the kernel; runs in the guest, too")
    config.addinivalue_line("markers", "slow: takes more than some seconds; left out by --quick")


def pytest_collection_modifyitems(config, items):
    """COFFER_SELECT=first: of a test with many cases only the first. COFFER_SELECT=guest: what
    depends on the kernel, which is all of some files and tests marked in others. A guest takes
    seconds for what a machine does at once."""
    which = os.environ.get("COFFER_SELECT")
    if not which:
        return
    seen, kept, left_out = set(), [], []
    for item in items:
        name = item.nodeid.split("[")[0]
        file = name.split("::")[0].rsplit("/")[-1]
        wanted = name not in seen or (which == "guest" and file in GUEST_WHOLE)
        if which == "guest" and file not in GUEST_WHOLE + GUEST_FIRST:
            wanted = wanted and item.get_closest_marker("guest")
        (kept if wanted else left_out).append(item)
        seen.add(name)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


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
