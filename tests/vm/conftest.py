# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures of the tests that boot a whole Debian."""

import os
import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from machine import Machine  # noqa: E402 pylint: disable=wrong-import-position

TOP = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def machine():
    """A guest with the program of build/ installed, gone after the test."""
    folder = tempfile.mkdtemp(prefix="coffer-vm-")
    yield Machine(folder, os.environ.get("COFFER_BUILD", TOP / "build"))
    shutil.rmtree(folder)
