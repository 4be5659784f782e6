# SPDX-License-Identifier: LGPL-2.1-or-later
"""coffer tape mtx-changer, with a site's own script that moves tapes between slots and a drive."""

import sys

import pytest

import rig
import tape_rig
from rig import BUSY, LOCKED, NO_DEVICE, REFUSED, USAGE
from test_tape import label, make_drive  # noqa: F401 pylint: disable=unused-import

pytestmark = pytest.mark.skipif(not tape_rig.EMULATOR.exists(), reason="built without tests")

# The interface of Bareos' and Bacula's mtx-changer: CHANGER OPERATION SLOT DRIVE INDEX.
SCRIPT = """#!{python}
import sys
sys.path.insert(0, {folder!r})
import tape_rig
slots, log = {slots!r}, open({log!r}, "a")
log.write(" ".join(sys.argv[1:]) + "\\n")
operation = sys.argv[2]
drive = tape_rig.Host({node!r})
if operation == "list":
    for slot, (path, barcode) in slots.items():
        print(f"{{slot}}:{{barcode}}")
elif operation == "load":
    if sys.argv[3] not in slots:
        sys.exit(5)
    drive.load(slots[sys.argv[3]][0])
elif operation == "unload":
    log.write(f"key at unload: {{drive.has_key()}}\\n")
    drive.load(None)
elif operation == "loaded":
    print(0)
else:
    sys.exit(37)
"""


class Library:
    """Two tapes, a drive, and the script between them."""

    def __init__(self, coffer, drive, place):
        self.coffer, self.drive, self.log = coffer, drive, place / "log"
        self.tapes = {str(slot): tape_rig.make_tape(place / f"slot{slot}", serial=f"SN{slot}")
                      for slot in (1, 2)}
        self.script = place / "mtx-changer"
        slots = {slot: (str(path), f"A0000{slot}L6") for slot, path in self.tapes.items()}
        self.script.write_text(SCRIPT.format(
            python=sys.executable, folder=str(rig.TOP / "tests/e2e"), slots=slots,
            log=str(self.log), node=str(drive.path)))
        self.script.chmod(0o755)
        drive.load(None)

    def call(self, operation, slot="0", *words, secret=True, **more):
        return self.coffer.run("tape", "mtx-changer", "/dev/sg9", operation, slot, "/dev/nst0", "0",
                               "--script", self.script, *words,
                               *(self.coffer.secret() if secret else ()), **more)

    @property
    def calls(self):
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def library(coffer, make_drive, place):
    return Library(coffer, make_drive(), place)


def labelled(library, slot="1"):
    """A volume by its barcode, which the changer alone knows; then the drive is empty again."""
    library.drive.load(library.tapes[slot])
    label(library.coffer, f"A0000{slot}L6")
    library.drive.load(None)


def test_load_gives_the_key_and_unload_takes_it(library):
    labelled(library)
    library.call("load", "1")
    library.drive.write(b"secret")
    assert tape_rig.blocks_of(library.tapes["1"])[0][0] == "E"
    library.call("unload", "1", secret=False)
    assert library.calls[-1] == "key at unload: False"
    assert "/dev/sg9 load 1 /dev/nst0 0" in library.calls
    # The tape says itself what it needs, whatever its barcode.
    library.call("load", "1")
    assert library.drive.read() == b"secret"


def test_a_blank_tape_gets_the_key_of_its_barcode(library, place):
    labelled(library)
    tape_rig.make_tape(place / "slot1", serial="SN1")  # erased: nothing names a key
    library.call("load", "1")
    library.drive.write(b"secret")
    assert tape_rig.blocks_of(library.tapes["1"])[0][0] == "E"


def test_a_tape_that_is_not_known_fails_closed(library):
    done = library.call("load", "2", expect=NO_DEVICE)
    assert "A00002L6" in done.err and not library.drive.has_key()
    library.call("unload", "2", secret=False)
    library.call("load", "2", "--policy", "may")
    assert not library.drive.has_key()


def test_another_cartridge_with_the_barcode_is_refused(library, place):
    labelled(library)
    tape_rig.make_tape(place / "slot1", serial="SN7")
    library.call("load", "1", expect=REFUSED)
    assert not library.drive.has_key()


def test_operations_and_statuses_are_passed_on(library):
    assert library.call("loaded", secret=False).out == "0\n"
    assert library.call("list", secret=False).out == "1:A00001L6\n2:A00002L6\n"
    library.call("transfer", "1", secret=False, expect=37)
    library.call("load", "7", expect=5)
    assert library.calls[0] == "/dev/sg9 loaded 0 /dev/nst0 0"


def test_a_locked_vault_fails_the_load(library):
    labelled(library)
    library.call("load", "1", secret=False, expect=LOCKED)
    assert not library.drive.has_key()


def test_a_drive_that_gets_no_tape_is_waited_for(library):
    labelled(library)
    library.script.write_text("#!/bin/sh\nexit 0\n")
    done = library.call("load", "1", "--wait", "1", expect=BUSY)
    assert "no tape ready" in done.err


def test_unload_stops_where_the_key_stays(library):
    labelled(library)
    library.call("load", "1")
    library.drive.vanish_at(0xb5)
    before = library.calls
    library.call("unload", "1", secret=False, expect=NO_DEVICE)
    assert library.calls == before


def test_wrong_calls_are_refused(library):
    library.coffer.run("tape", "mtx-changer", "/dev/sg9", "load", "1", expect=USAGE)
    library.coffer.run("tape", "mtx-changer", "/dev/sg9", expect=USAGE)
    done = library.coffer.run("tape", "mtx-changer", "/dev/sg9", "loaded", "--script",
                              library.log.parent / "none", expect=NO_DEVICE)
    assert "--script" in done.err
