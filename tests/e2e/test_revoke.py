# SPDX-License-Identifier: LGPL-2.1-or-later
"""`coffer revoke SLOT`: one unlock method goes with a new root key, and the others stay."""

import os

import pytest

import rig
from rig import DONE, LOCKED, NO_DEVICE, REFUSED, USAGE, WRONG_KEY
from test_crash import chosen, copy_of, crash, points_of, record_count


@pytest.fixture
def three(coffer):
    """A vault with a passphrase, a recovery key and a key file in slots 0, 1 and 2."""
    coffer.key = coffer.folder / "key"
    coffer.run("enroll", "file", coffer.key, "--label", "stick", *coffer.secret())
    return coffer


def vault_of(coffer):
    return coffer.run("status", "--json").json["vault"]


def revoke(coffer, slot, *words, **more):
    return coffer.run("revoke", slot, "--yes-destroy", vault_of(coffer)["uuid"], *words, **more)


def opens(coffer, *secret):
    return coffer.run("key", "list", *secret, expect=(DONE, WRONG_KEY)).status == DONE


def state(coffer):
    """Whether the passphrase, the recovery key and the key file open the vault."""
    return [opens(coffer, "--passphrase-file", coffer.passphrase),
            opens(coffer, "--passphrase-file", coffer.recovery),
            opens(coffer, "--key-file", coffer.key)]


def slots(coffer):
    return {slot["slot"]: (slot["method"], slot["label"]) for slot in vault_of(coffer)["slots"]}


def test_one_method_goes_and_the_others_stay_in_their_slots(three, disk):
    three.format(disk)
    three.close(disk)
    told = revoke(three, 0, *three.secret(), "--keep-key-file", three.key)
    assert "slot 0 (passphrase)" in told.out and "slot 1 stays" in told.out
    assert vault_of(three)["epoch"] == 2 and state(three) == [False, True, True]
    assert slots(three) == {1: ("recovery", None), 2: ("file", "stick")}
    three.open(disk)


def test_backup_that_still_opens_with_what_was_revoked_is_told(three, place):
    three.run("backup", "create", place / "backup", *three.secret())
    told = revoke(three, 2, *three.secret(), "--keep-passphrase-file", three.passphrase)
    assert "still open with what was revoked" in told.out
    assert "`coffer key rotate --all`" in told.out
    for verb in (["status", "--check"], ["doctor"]):
        found = three.run(*verb, *three.secret(), expect=None).out
        assert "open with what was revoked since" in " ".join(found.split())
    three.run("backup", "create", place / "newer", *three.secret())
    assert "revoked" not in three.run("doctor", *three.secret(), expect=None).out


def test_header_of_before_opens_nothing_with_the_revoked_secret(three):
    old = (three.vault / "root.luks").read_bytes()
    revoke(three, 2, *three.secret(), "--keep-passphrase-file", three.passphrase)
    assert state(three) == [True, True, False]
    (three.vault / "root.luks").write_bytes(old)
    three.run("key", "list", "--key-file", three.key, expect=rig.DAMAGED)


def test_new_recovery_key_takes_the_place_of_one_that_goes_in_another_slot(three):
    passphrase = ("--passphrase-file", three.passphrase)
    refused = revoke(three, 1, *passphrase, expect=REFUSED)
    assert "--recovery-out" in refused.err and state(three) == [True, True, True]
    revoke(three, 1, *passphrase, "--keep-key-file", three.key, "--recovery-out",
           three.folder / "new")
    assert state(three) == [True, False, True]
    assert opens(three, "--passphrase-file", three.folder / "new")
    assert slots(three)[3] == ("recovery", None) and 1 not in slots(three)


def test_again_changes_nothing(three):
    words = (*three.secret(), "--keep-passphrase-file", three.passphrase)
    revoke(three, 2, *words)
    revoke(three, 2, *words, expect=NO_DEVICE)
    assert vault_of(three)["epoch"] == 2 and state(three) == [True, True, False]


def test_what_is_not_kept_goes_and_is_named(three):
    told = revoke(three, 0, *three.secret())
    assert "revoked as well: slot 2, file; `coffer enroll file`" in told.err
    assert state(three) == [False, True, False]


def test_secret_of_the_slot_that_goes_opens_the_vault_once_more(three):
    new = three.folder / "new"
    new.write_text("another of many words\n")
    revoke(three, 2, "--key-file", three.key, "--new-passphrase-file", new, "--no-recovery")
    assert state(three) == [False, False, False]
    assert opens(three, "--passphrase-file", new) and list(slots(three)) == [0]


@pytest.mark.parametrize("words, status", [
    ((9,), NO_DEVICE), (("x",), NO_DEVICE), ((), USAGE), ((0, 1), USAGE)])
def test_slot_that_is_not_there_is_refused(three, words, status):
    told = three.run("revoke", *words, *three.secret(), "--keep-key-file", three.key,
                     expect=status)
    assert "coffer slots" in told.err or len(words) > 1
    assert vault_of(three)["epoch"] == 1


def test_kept_secret_must_open_another_slot(three):
    keep = ("--keep-key-file", three.key)
    told = revoke(three, 2, *three.secret(), *keep, expect=REFUSED)
    assert "opens slot 2, which is to be revoked" in told.err
    three.key.write_text("another key, which opens nothing")
    revoke(three, 0, *three.secret(), *keep, expect=WRONG_KEY)
    assert vault_of(three)["epoch"] == 1


def test_revocation_of_one_is_confirmed_and_planned(three):
    told = three.run("revoke", 2, *three.secret(), expect=REFUSED)
    assert "slot 2 (file) will open nothing more" in told.err
    assert "slot 2 (file)" in three.run("revoke", 2, "--dry-run").out
    three.run("unlock", *three.secret())
    revoke(three, 2, expect=LOCKED)
    assert vault_of(three)["epoch"] == 1


@pytest.mark.parametrize("typed", [True, False])
def test_secrets_of_the_others_are_asked_for(three, typed):
    uuid = vault_of(three)["uuid"]
    with rig.Dialogue(three, "revoke", 2, *three.secret(), "--yes-destroy", uuid) as dialogue:
        dialogue.wait_for("To keep slot 0 (passphrase)")
        assert dialogue.answer(three.passphrase.read_text().strip() if typed else "") == DONE
    assert state(three) == [typed, True, False]


def test_wrong_secret_of_one_to_keep_changes_nothing(three):
    with rig.Dialogue(three, "revoke", 2, *three.secret(), "--yes-destroy",
                      vault_of(three)["uuid"]) as dialogue:
        for _ in range(2):
            dialogue.wait_for("just Enter: ")
            dialogue.said = ""
            os.write(dialogue.master, b"wrong\n")
            dialogue.wait_for("does not open slot 0")
        dialogue.wait_for("just Enter: ")
        assert dialogue.answer("wrong") == WRONG_KEY
    assert state(three) == [True, True, True]


@pytest.mark.slow
def test_killed_at_any_step_the_kept_methods_open_every_record(three, disk, place,
                                                                record_property):
    three.format(disk)
    three.close(disk)

    def one(made, **more):
        made.key = three.key
        return revoke(made, 2, *made.secret(), "--keep-passphrase-file", made.passphrase, **more)
    points = points_of(one(copy_of(three, place, 0), fault="list"))
    for number in chosen(points):
        made = copy_of(three, place, number)
        again = crash(lambda made=made, **more: one(made, **more), number)
        assert again.status in (DONE, NO_DEVICE), f"after {points[number - 1]}\n{again}"
        made.run("disk", "open", disk, "--test", "--passphrase-file", made.passphrase)
        assert not opens(made, "--key-file", three.key)
    record_count(record_property, "revoke of one slot", len(chosen(points)))
