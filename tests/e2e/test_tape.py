# SPDX-License-Identifier: LGPL-2.1-or-later
"""coffer tape, on emulated drives: a real AES-256-GCM per block, and as strict as a drive."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

import rig
import tape_rig
from rig import BUSY, DAMAGED, DONE, IMPOSSIBLE, NO_DEVICE, REFUSED, USAGE, WRONG_KEY

pytestmark = pytest.mark.skipif(not tape_rig.EMULATOR.exists(), reason="built without tests")


@pytest.fixture
def make_drive(bare, place):
    """Makes drives: make_drive(profile, generation=..., barcode=...), each with a tape."""
    drives = []

    def make(profile="lto6", **more):
        tape = tape_rig.make_tape(place / f"tape{len(drives)}", **more)
        drives.append(tape_rig.Drive(bare.root, len(drives), profile, tape))
        drives[-1].tape = tape
        return drives[-1]
    yield make
    for drive in drives:
        drive.end()


@pytest.fixture
def drive(make_drive):
    return make_drive()


def tape(coffer, verb, *words, secret=True, **more):
    return coffer.run("tape", verb, *words, *(coffer.secret() if secret else ()), **more)


def label(coffer, volume="A00001L6", *words, **more):
    return tape(coffer, "label", "nst0", "--volume", volume, "--json", *words, **more).json


def key_of(coffer, volume="A00001L6"):
    """A volume's key, as the vault gives it out."""
    rows = coffer.run("key", "list", "--json", *coffer.secret()).json["keys"]
    names = [row["name"] for row in rows if row["kind"] == "tape-key"]
    out = coffer.folder / "exported"
    for name in names:
        out.unlink(missing_ok=True)
        coffer.run("key", "export", f"tape-key/{name}", "--out", out, *coffer.secret())
        yield name, out.read_bytes()


# A command that writes one block through the drive's socket, as tar would through its node.
WRITER = """
import sys
sys.path.insert(0, {folder!r})
import tape_rig
tape_rig.Host({path!r}).write(b"from the command")
{more}
"""


def writer(drive, more=""):
    return [sys.executable, "-c",
            WRITER.format(folder=str(rig.TOP / "tests/e2e"), path=str(drive.path), more=more)]


def test_label_load_write_read_clear(coffer, drive):
    made = label(coffer)
    assert made["changed"] and not drive.has_key()
    drive.write(b"clear label")
    loaded = tape(coffer, "load", "nst0", "--volume", "A00001L6", "--json").json
    assert loaded["has_key"] and loaded["clear_on_demount"] and loaded["locked"]
    drive.write(b"secret data")
    assert [letter for letter, _ in tape_rig.blocks_of(drive.tape)] == ["C", "E"]
    assert b"secret data" not in drive.tape.read_bytes()
    # What is on the tape opens with the key from the vault and nothing of coffer's.
    (name, key), = key_of(coffer)
    clear, ukad, akad = tape_rig.decrypt(tape_rig.blocks_of(drive.tape)[1][1], key)
    assert (clear, ukad) == (b"secret data", f"coffer1:{name}")
    assert akad[:3] == b"CFK" and tape_rig.chip_of(drive.tape)[0x1400] == ukad
    tape(coffer, "clear", "nst0", secret=False)
    drive.rewind()
    assert drive.read() == b"clear label"
    with pytest.raises(tape_rig.Sense, match="07/74/01"):
        drive.read()
    # Without a name the tape says itself what it needs.
    tape(coffer, "load", "nst0")
    assert drive.read() == b"secret data"
    drive.load(None)
    assert not drive.has_key()


def test_nothing_on_the_tape_names_a_volume(coffer, drive):
    label(coffer, "SECRET-NAME")
    tape(coffer, "load", "nst0", "--volume", "SECRET-NAME")
    drive.write(b"data")
    assert b"SECRET-NAME" not in drive.tape.read_bytes()


@pytest.mark.parametrize("profile", ["hp-lto4", "ibm-lto8", "quantum-lto4", "t10000", "mhvtl",
                                     "plain"])
def test_every_maker_s_drive_takes_a_key(coffer, make_drive, profile):
    drive = make_drive(profile)
    label(coffer)
    tape(coffer, "load", "nst0", "--volume", "A00001L6")
    drive.write(b"secret")
    assert tape_rig.blocks_of(drive.tape)[0][0] == "E"
    tape(coffer, "clear", "nst0", secret=False)
    assert not drive.has_key()


@pytest.mark.parametrize("profile, generation, status", [
    ("library", 6, REFUSED), ("none", 6, IMPOSSIBLE), ("lto6", 3, IMPOSSIBLE)])
def test_a_volume_that_must_be_encrypted_fails_closed(coffer, make_drive, profile, generation,
                                                      status):
    drive = make_drive(profile, generation=generation)
    tape(coffer, "label", "nst0", "--volume", "A1", expect=status)
    marker = coffer.folder / "ran"
    tape(coffer, "run", "nst0", "--volume", "A1", *coffer.secret(), "--", "touch", marker,
         secret=False, expect=status)
    assert not marker.exists() and not tape_rig.blocks_of(drive.tape)


def test_a_drive_whose_pages_are_cut_off_gets_no_key(coffer, make_drive):
    make_drive("short")
    tape(coffer, "label", "nst0", "--volume", "A1", expect=DAMAGED)
    tape(coffer, "clear", "nst0", secret=False, expect=DAMAGED)


def test_policy_may_goes_on_without_and_never_stays_clear(coffer, make_drive):
    drive = make_drive(generation=3)
    label(coffer, "MAY", "--policy", "may")
    label(coffer, "NEVER", "--policy", "never", "--reuse")
    for volume in ("MAY", "NEVER"):
        assert not tape(coffer, "load", "nst0", "--volume", volume, "--json").json["has_key"]
        done = coffer.run("tape", "run", "nst0", "--volume", volume, *coffer.secret(), "--",
                          *writer(drive))
        assert "no key" in done.out
    assert {letter for letter, _ in tape_rig.blocks_of(drive.tape)} == {"C"}
    tape(coffer, "label", "nst0", "--volume", "X", "--policy", "perhaps", expect=USAGE)


def test_no_tape_no_drive_no_volume(coffer, make_drive):
    drive = make_drive()
    tape(coffer, "load", "nst7", expect=NO_DEVICE)
    tape(coffer, "load", "nst0", "--volume", "NONE", expect=NO_DEVICE)
    done = tape(coffer, "load", "nst0", expect=NO_DEVICE)
    assert "--volume" in done.err
    tape(coffer, "label", "nst0", expect=USAGE)
    tape(coffer, "label", "nst0", "--volume", "a/b", expect=USAGE)
    drive.load(None)
    tape(coffer, "label", "nst0", "--volume", "A1", expect=NO_DEVICE)
    tape(coffer, "next", "nst0", secret=False, expect=NO_DEVICE)


def test_label_again_does_nothing_and_a_new_key_keeps_the_old_key(coffer, drive):
    first = label(coffer)
    assert not label(coffer)["changed"]
    tape(coffer, "load", "nst0", "--volume", "A00001L6")
    drive.write(b"old data")
    second = label(coffer, "A00001L6", "--new-key")
    assert second["changed"] and second["key"] != first["key"]
    drive.rewind()
    tape(coffer, "load", "nst0")
    assert drive.read() == b"old data"
    drive.rewind()
    tape(coffer, "load", "nst0", "--volume", "A00001L6")
    drive.write(b"new data")
    assert second["key"].encode() in tape_rig.blocks_of(drive.tape)[0][1]
    history = coffer.run("key", "history", "tape/A00001L6", "--json", *coffer.secret()).json
    assert len(history["keys"]) >= 2


def test_label_refuses_the_tape_of_another_volume(coffer, drive, place):
    label(coffer, "A1")
    tape(coffer, "load", "nst0", "--volume", "A1")
    drive.write(b"data")
    before = drive.tape.read_bytes()
    done = tape(coffer, "label", "nst0", "--volume", "B1", expect=REFUSED)
    assert "A1" in done.err and drive.tape.read_bytes() == before
    label(coffer, "B1", "--reuse")
    # Another cartridge for a volume that has one.
    drive.load(tape_rig.make_tape(place / "other", serial="SN0002"))
    for verb in ("label", "load"):
        done = tape(coffer, verb, "nst0", "--volume", "A1", expect=REFUSED)
        assert "SN0001" in done.err and "SN0002" in done.err
    assert not drive.has_key()


def test_label_refuses_what_another_program_has_encrypted(coffer, drive):
    key = bytes(32)
    drive.again(0xb5, 0x20, 0, 0x10, 0, 0, 0, 0, 0, 52,
                out=b"\0\x10\0\x30\x40\0\2\3\1" + bytes(10) + b"\x20" + key)
    drive.write(b"of Bareos")
    drive.rewind()
    tape(coffer, "clear", "nst0", secret=False)
    tape(coffer, "label", "nst0", "--volume", "A1", expect=REFUSED)
    done = tape(coffer, "which-key", "nst0", expect=NO_DEVICE)
    assert "does not say" in done.err
    assert tape(coffer, "next", "nst0", "--json", secret=False).json["next"] == "wrong-key"


def test_which_key_finds_the_volume_without_trying_keys(coffer, make_drive):
    drive = make_drive("hp-lto4", barcode="A00001L4")
    label(coffer, "A00001L4")
    drive.write(b"clear label")
    tape(coffer, "load", "nst0", "--volume", "A00001L4")
    drive.write(b"secret")
    drive.rewind()
    tape(coffer, "clear", "nst0", secret=False)
    found = tape(coffer, "which-key", "nst0", "--json").json
    assert found["key"]["known"] and found["key"]["volume"] == "A00001L4"
    assert (found["barcode"], found["tape_serial"], found["next"]) == ("A00001L4", "SN0001",
                                                                       "clear")
    # A locked vault knows its keys by their ids, and not whose they are.
    locked = tape(coffer, "which-key", "nst0", "--json", secret=False).json
    assert locked["key"]["known"] and locked["key"]["volume"] is None
    # Nothing was moved, and the drive takes the key still.
    tape(coffer, "load", "nst0")
    assert drive.read() == b"clear label" and drive.read() == b"secret"


def test_which_key_of_another_vault_is_not_known(coffer, bare, drive):
    label(coffer)
    tape(coffer, "load", "nst0", "--volume", "A00001L6")
    drive.write(b"secret")
    drive.rewind()
    coffer.run("--vault", bare.folder / "none", "tape", "which-key", "nst0", expect=NO_DEVICE)
    drive.load(tape_rig.make_tape(bare.folder / "blank"))
    assert "nothing" in tape(coffer, "which-key", "nst0").out


def test_status_tells_all_of_every_drive(coffer, make_drive):
    drive = make_drive("ibm-lto8", barcode="A00001L8")
    make_drive("none")
    make_drive("library")
    label(coffer, "A00001L8")
    tape(coffer, "load", "nst0", "--volume", "A00001L8")
    first, second, third = tape(coffer, "status", "--json").json["drives"]
    assert first["key"]["volume"] == "A00001L8" and first["writes_encrypted"]
    assert first["control"] == "the application" and first["model"] == "ULT3580-HH8"
    assert first["access"] == "root" and first["barcode"] == "A00001L8"
    assert not second["encrypts"] and third["control"] == "the library"
    text = tape(coffer, "status", "nst0").out
    assert "of volume A00001L8" in text and "writes encrypted" in text
    os.chmod(drive.path, 0o666)
    assert tape(coffer, "status", "nst0", "--json").json["drives"][0]["access"] == \
        "everybody on this machine"


def test_status_goes_on_after_a_drive_that_fails(coffer, make_drive):
    make_drive("short")
    make_drive("lto6")
    done = tape(coffer, "status", "--json", secret=False, expect=DAMAGED)
    assert [one["drive"] for one in done.json["drives"]] == ["nst1"]


def test_list_shows_drives_and_changers(bare, make_drive):
    drive = make_drive(barcode="A00001L6")
    drive.describe(5, 8, "ADIC", "Scalar 24")
    shown = tape(bare, "list", "--json", secret=False).json["devices"]
    assert [(one["name"], one["type"], one["loaded"]) for one in shown] == \
        [("nst0", "drive", "yes"), ("sg5", "changer", None)]
    assert shown[0]["barcode"] == "A00001L6"
    assert "Scalar 24" in tape(bare, "list", secret=False).out


@pytest.mark.parametrize("name", ["nst0", "/dev/nst0", "st0", "sg0", "/dev/sg0"])
def test_a_drive_has_many_names(bare, drive, name):
    (drive.root / "dev/nst0").touch()
    assert tape(bare, "next", name, "--json", secret=False).json["drive"] == drive.name


def test_a_changer_is_no_drive(bare, drive):
    drive.describe(5, 8, "ADIC", "Scalar 24")
    tape(bare, "clear", "sg5", secret=False, expect=USAGE)


def test_run_gives_the_key_and_takes_it_away(coffer, drive):
    label(coffer)
    done = coffer.run("tape", "run", "nst0", "--volume", "A00001L6", *coffer.secret(), "--",
                      *writer(drive, "sys.exit(41)"), expect=41)
    assert "cleared" in done.out and not drive.has_key()
    assert tape_rig.blocks_of(drive.tape)[0][0] == "E"
    coffer.run("tape", "run", "nst0", *coffer.secret(), "--", "/no/such/program", expect=NO_DEVICE)
    assert not drive.has_key()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_run_clears_the_key_when_the_command_is_killed(coffer, drive, number):
    label(coffer)
    coffer.run("tape", "run", "nst0", "--volume", "A00001L6", *coffer.secret(), "--",
               *writer(drive, f"import os; os.kill(os.getpid(), {int(number)})"),
               expect=128 + number)
    assert not drive.has_key()


def started(coffer, drive, seconds=60):
    """coffer tape run with a command that writes a block and stays."""
    process = coffer.start("tape", "run", "nst0", "--volume", "A00001L6", *coffer.secret(), "--",
                           *writer(drive, f"import time; time.sleep({seconds})"))
    for _ in range(500):
        if tape_rig.blocks_of(drive.tape):
            return process
        time.sleep(0.01)
    raise AssertionError(process.communicate())


def test_run_passes_on_a_signal_and_clears(coffer, drive):
    label(coffer)
    process = started(coffer, drive)
    done = tape(coffer, "load", "nst0", expect=BUSY)
    assert "in use" in done.err
    assert tape(coffer, "status", "nst0", "--json").json["drives"][0]["has_key"]
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM and not drive.has_key()


def test_run_that_is_killed_leaves_the_key_to_its_command_alone(coffer, drive):
    label(coffer)
    process = started(coffer, drive, seconds=1.5)
    process.kill()
    process.wait()
    # The command goes on, so its key must stay: without it, it would write clear.
    tape(coffer, "clear", "nst0", secret=False, expect=BUSY)
    assert drive.has_key()
    process.communicate(timeout=20)
    done = tape(coffer, "status", "nst0", secret=False)
    assert "killed" in done.err and not drive.has_key()


def test_run_notices_that_another_host_has_changed_the_key(coffer, drive):
    label(coffer)
    other = drive.other.path
    script = f"tape_rig.Host({str(other)!r}).again(0xb5, 0x20, 0, 0x10, 0, 0, 0, 0, 0, 52, " \
        "out=b'\\0\\x10\\0\\x30\\x40\\0\\2\\3\\1' + bytes(10) + b'\\x20' + bytes(32))"
    done = coffer.run("tape", "run", "nst0", "--volume", "A00001L6", *coffer.secret(), "--",
                      *writer(drive, script), expect=BUSY)
    assert "another host" in done.err and not drive.has_key()


@pytest.mark.parametrize("operation", [0xa2, 0xb5])
def test_a_drive_that_vanishes_is_no_drive(coffer, drive, operation):
    label(coffer)
    drive.vanish_at(operation)
    done = tape(coffer, "load", "nst0", "--volume", "A00001L6", expect=NO_DEVICE)
    assert "vanished" in done.err


def test_unit_attentions_are_no_failure(coffer, drive):
    label(coffer)
    for codes in ((0x29, 0x00), (0x28, 0x00), (0x2a, 0x11)):
        drive.attention(*codes)
        tape(coffer, "load", "nst0", "--volume", "A00001L6")


def test_dry_runs_change_nothing(coffer, drive):
    before = drive.tape.read_bytes()
    tape(coffer, "label", "nst0", "--volume", "A1", "--dry-run")
    assert drive.tape.read_bytes() == before
    tape(coffer, "load", "nst0", "--volume", "A1", expect=NO_DEVICE)
    label(coffer)
    tape(coffer, "load", "nst0", "--volume", "A00001L6", "--dry-run")
    assert not drive.has_key()
    coffer.run("tape", "run", "nst0", "--volume", "A00001L6", "--dry-run", *coffer.secret(), "--",
               "false")
    tape(coffer, "load", "nst0", "--volume", "A00001L6")
    tape(coffer, "clear", "nst0", "--dry-run", secret=False)
    assert drive.has_key()


def test_an_ordinary_user_may_clear_and_look(bare, drive):
    os.chown(drive.path, 65534, 65534)
    for folder in (bare.folder, bare.root, bare.root / "dev", bare.root / "sys"):
        os.chmod(folder, 0o755)
    drive.again(0xb5, 0x20, 0, 0x10, 0, 0, 0, 0, 0, 52,
                out=b"\0\x10\0\x30\x40\0\2\3\1" + bytes(10) + b"\x20" + bytes(32))
    for words in (("status", "nst0"), ("next", "nst0"), ("clear", "nst0")):
        done = subprocess.run([rig.PROGRAM, *bare.arguments("tape", *words)], check=False,
                              capture_output=True, user=65534, group=65534, extra_groups=[])
        assert done.returncode == DONE, done.stderr
    assert not drive.has_key()
    done = subprocess.run([rig.PROGRAM, *bare.arguments("tape", "load", "nst0")], check=False,
                          capture_output=True, user=65534, group=65534, extra_groups=[])
    assert done.returncode == REFUSED


@pytest.mark.parametrize("sense, status", [("05/26/00", 1), ("07/26/10", 4), ("74/21", 3),
                                           ("EE/31", 5), ("70 00 03 00 00 00 00 00", 1)])
def test_explain_says_what_a_refusal_means(bare, sense, status):
    shown = tape(bare, "explain", sense, "--json", secret=False).json
    assert shown["exit_status"] == status and shown["cause"] and shown["remedy"]
    assert shown["cause"] in " ".join(tape(bare, "explain", sense, secret=False).out.split())


def test_explain_refuses_what_is_no_sense(bare):
    tape(bare, "explain", "what", secret=False, expect=USAGE)


def test_uses_of_keys_are_in_the_audit_log(coffer, drive):
    label(coffer)
    tape(coffer, "load", "nst0", "--volume", "A00001L6")
    tape(coffer, "clear", "nst0", secret=False)
    entries = coffer.run("audit", "--json").json["lines"]
    events = [entry["event"] for entry in entries]
    assert "key.use" in events and "tape.clear" in events
    assert any("A00001L6" in json.dumps(entry) for entry in entries)


def test_wrong_passphrase_leaves_the_drive_alone(coffer, drive):
    label(coffer)
    drive.commands()
    wrong = coffer.folder / "wrong"
    wrong.write_text("not the passphrase\n")
    coffer.run("tape", "load", "nst0", "--volume", "A00001L6", "--passphrase-file", wrong,
               expect=WRONG_KEY)
    assert not drive.has_key()


def test_failing_commands_tell_the_cause(coffer, make_drive):
    make_drive("library")
    done = tape(coffer, "label", "nst0", "--volume", "A1", expect=REFUSED)
    assert "library" in done.err and "try:" in done.err


def test_a_tape_that_bareos_has_written_stays_readable(coffer, make_drive, place):
    """Bareos puts the first 31 characters of the passphrase into the drive, and no KAD."""
    data = rig.TOP / "tests/data/bareos"
    known = json.loads((data / "bareos.json").read_text())["wrapped"][0]
    drive = make_drive(barcode="A00001L6")
    drive.again(0xb5, 0x20, 0, 0x10, 0, 0, 0, 0, 0, 52,
                out=b"\0\x10\0\x30\x40\0\2\3\1" + bytes(10) + b"\x20" +
                bytes.fromhex(known["drive_key_hex"]))
    drive.write(b"of Bareos")
    drive.rewind()
    lines = place / "lines"
    lines.write_text(f"A00001L6\t{known['wrapped_base64']}\n")
    coffer.run("import", "bareos", lines, "--kek-file", data / "kek.txt", *coffer.secret())
    # Nothing on the tape names the key, so its barcode does.
    tape(coffer, "load", "nst0")
    assert drive.read() == b"of Bareos"


def test_explain_a_drive_after_an_input_output_error(coffer, drive):
    def explained():
        return tape(coffer, "explain", "nst0", "--json", secret=False).json
    assert explained()["next"] == "none"
    label(coffer)
    tape(coffer, "load", "nst0", "--volume", "A00001L6")
    drive.write(b"secret")
    drive.rewind()
    assert "sense" not in explained()
    assert "nothing about keys" in tape(coffer, "explain", "nst0", secret=False).out
    tape(coffer, "clear", "nst0", secret=False)
    assert (explained()["sense"], explained()["exit_status"]) == ("07/74/01", WRONG_KEY)
    label(coffer, "OTHER", "--reuse")
    tape(coffer, "load", "nst0", "--volume", "OTHER", expect=(DONE, REFUSED))
    drive.rewind()
    assert explained()["sense"] == "07/74/03"
    drive.load(None)
    assert explained()["sense"] == "02/3A/00"
