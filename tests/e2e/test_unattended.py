# SPDX-License-Identifier: LGPL-2.1-or-later
"""Unlock methods that need nobody who knows a secret: a Tang server, a TPM, a command, FIDO2."""

import base64
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import pytest

import rig
from key_servers import SWTPM, TANGD, Tang, Tpm
from rig import (BUSY, DAMAGED, DONE, FAILED, IMPOSSIBLE, LOCKED, NO_DEVICE, REFUSED, USAGE,
                 WRONG_KEY, tool)
from test_crash import chosen, copy_of, crash, points_of, record_count

SECRET = "0123456789-a-secret-of-the-key-server"

needs_tang = pytest.mark.skipif(not os.path.exists(TANGD), reason="tangd is not installed")
needs_tpm = pytest.mark.skipif(not os.path.exists(SWTPM), reason="swtpm is not installed")


@pytest.fixture(scope="session")
def tang_made_once():
    with tempfile.TemporaryDirectory(prefix="coffer-e2e-tang-") as folder:
        server = Tang(pathlib.Path(folder) / "keys")
        yield server
        server.close()


@pytest.fixture(scope="session")
def tpm_made_once():
    with tempfile.TemporaryDirectory(prefix="coffer-e2e-tpm-") as folder:
        tpm = Tpm(folder)
        yield tpm
        tpm.close()


@pytest.fixture
def tang(tang_made_once):
    return tang_made_once


@pytest.fixture
def tpm(coffer, tpm_made_once):
    configure(coffer, f"tpm2-device = {tpm_made_once.device}")
    return tpm_made_once


@pytest.fixture
def script():
    """Makes programs where nobody but root can put any: script("echo hello")."""
    folder = tempfile.mkdtemp(prefix="coffer-e2e-", dir="/var/lib")

    def make(text, name="fetch"):
        path = pathlib.Path(folder) / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path
    yield make
    shutil.rmtree(folder)


def configure(coffer, *lines):
    path = coffer.root / "etc/coffer/coffer.conf"
    path.parent.mkdir(exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)


def enroll_tang(coffer, tang, **more):
    return coffer.run("enroll", "tang", tang.url, "--thumbprint", tang.thumbprint,
                      *coffer.secret(), **more)


def enroll_command(coffer, *words, **more):
    return coffer.run("enroll", "command", *coffer.secret(), "--", *words, **more)


def slots(coffer):
    return coffer.run("slots", "--json").json["slots"]


def methods(coffer):
    return [slot["method"] for slot in slots(coffer)]


def unlocks(coffer, *words, said=None):
    """Unlocks, checks that it was by this method, and locks again."""
    result = coffer.run("unlock", *words)
    assert said is None or said in result.out, result
    coffer.run("lock")
    return result


def leftovers(coffer):
    return [path.name for path in coffer.vault.iterdir() if ".new" in path.name]


def edit_token(coffer, kind, edit):
    """Changes a token as somebody does who can write to the header."""
    header = coffer.vault / "root.luks"
    for number in range(32):
        found = tool("cryptsetup", "token", "export", "--token-id", number, header, check=False)
        token = json.loads(found.stdout) if found.returncode == 0 else {}
        if token.get("type") == kind or token.get("method") == kind:
            edit(token)
            tool("cryptsetup", "token", "remove", "--token-id", number, header)
            written = coffer.folder / "token.json"
            written.write_text(json.dumps(token))
            tool("cryptsetup", "token", "import", "--token-id", number, "--json-file", written,
                 header)
            return number
    raise AssertionError(f"no token of {kind}")


@contextlib.contextmanager
def without(program):
    """A machine on which a program is not installed, for what is run through the prefix given."""
    yield ["unshare", "--mount", "sh", "-c",
           f"mount --bind /dev/null {program} && exec \"$@\"", "sh"]


def run_in(prefix, coffer, *words):
    environment = dict(os.environ, LANG="C.UTF-8")
    return tool(*prefix, rig.PROGRAM, *coffer.arguments(*words), check=False, env=environment)


# ---- Tang ----

@needs_tang
def test_tang_opens_the_vault_for_clevis_too(coffer, tang):
    enroll_tang(coffer, tang)
    found = slots(coffer)[-1]
    assert (found["method"], found["detail"], found["unattended"]) == ("tang", tang.url, True)
    table = coffer.run("slots").out
    assert tang.url in table and "this machine while it reaches the server" in table
    unlocks(coffer, said="Opened by tang")
    # The tool that enrolled it gives the same secret, and cryptsetup takes it.
    secret = tool("clevis", "luks", "pass", "-d", coffer.vault / "root.luks",
                  "-s", found["slot"]).stdout
    done = subprocess.run(["cryptsetup", "open", "--test-passphrase", "--key-file", "-",
                               coffer.vault / "root.luks"], input=secret.encode(), check=False)
    assert done.returncode == 0
    assert not leftovers(coffer)


@needs_tang
def test_enrolled_header_is_kept_sealed_and_mirrored(coffer, tang, place):
    mirror = place / "mirror"
    mirror.mkdir()
    configure(coffer, f"mirror = {mirror}")
    enroll_tang(coffer, tang)
    status = coffer.run("status", "--json").json["vault"]
    assert status["header"] == "current" and status["mirrors"][0]["state"] == "current"
    copy = next(mirror.glob("coffer-*"))
    dump = tool("cryptsetup", "luksDump", copy / "root.luks").stdout
    assert "clevis" in dump
    assert "vault.enroll" in coffer.run("audit").out
    # The copy is a vault that the server opens.
    other = rig.Coffer(place / "other")
    shutil.copytree(copy, other.vault)
    unlocks(other, said="Opened by tang")


@needs_tang
def test_enrolling_the_same_server_again_changes_nothing(coffer, tang):
    enroll_tang(coffer, tang)
    before = (coffer.vault / "root.luks").read_bytes()
    assert "already" in enroll_tang(coffer, tang).out
    assert (coffer.vault / "root.luks").read_bytes() == before


@needs_tang
def test_thumbprint_of_another_server_is_refused(coffer, tang):
    other = "A" * 43
    result = coffer.run("enroll", "tang", tang.url, "--thumbprint", other, *coffer.secret(),
                        expect=REFUSED)
    assert other in result.err and tang.thumbprint in result.err
    assert "tang" not in methods(coffer) and not leftovers(coffer)


@needs_tang
def test_keys_of_a_server_are_asked_about_on_a_terminal_alone(coffer, tang):
    result = coffer.run("enroll", "tang", tang.url, *coffer.secret(), expect=REFUSED)
    assert "--thumbprint" in result.err
    with rig.Dialogue(coffer, "enroll", "tang", tang.url, *coffer.secret()) as asked:
        asked.wait_for("Type yes")
        assert tang.thumbprint in asked.said
        assert asked.answer("no") == REFUSED
    with rig.Dialogue(coffer, "enroll", "tang", tang.url, *coffer.secret()) as asked:
        asked.wait_for("Type yes")
        assert asked.answer("yes") == DONE
    unlocks(coffer, "--method", "tang")


@needs_tang
def test_server_that_is_down_leaves_the_other_ways(coffer, place):
    server = Tang(place / "keys")
    enroll_tang(coffer, server)
    server.close()
    result = coffer.run("enroll", "tang", server.url, "--thumbprint", "A" * 43, *coffer.secret(),
                        expect=FAILED)
    assert "cannot ask the Tang server" in result.err and server.url in result.err
    result = coffer.run("unlock", "--method", "tang", expect=FAILED)
    assert server.url in result.err
    result = coffer.run("unlock", expect=LOCKED)
    assert "tang, slot" in result.err and "--passphrase-file" in result.err
    unlocks(coffer, *coffer.secret())
    # It is there again, at the same place and with the same keys.
    server = Tang(place / "keys", server.port)
    unlocks(coffer, said="Opened by tang")
    server.close()


@needs_tang
def test_server_that_does_not_answer_is_given_up_in_time(coffer, place):
    server = Tang(place / "keys")
    enroll_tang(coffer, server)
    server.serve = lambda connection: connection.recv(1 << 16) and time.sleep(20)
    configure(coffer, "unattended-limit = 1s")
    result = coffer.run("unlock", "--method", "tang", expect=FAILED)
    assert "did not end within 1000 ms" in result.err
    server.close()


@needs_tang
def test_token_that_names_another_server_opens_nothing(coffer, tang, place):
    enroll_tang(coffer, tang)
    other = Tang(place / "keys")

    def redirect(token):
        text = token["jwe"]["protected"]
        header = decode(text).replace(tang.url.encode(), other.url.encode())
        token["jwe"]["protected"] = encode(header)
    edit_token(coffer, "clevis", redirect)
    assert slots(coffer)[-1]["detail"] == other.url
    coffer.run("unlock", "--method", "tang", expect=FAILED)
    # Who changed it is not known, that it was changed is.
    assert coffer.run("status", "--json").json["vault"]["header"] == "changed"
    unlocks(coffer, *coffer.secret())
    other.close()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@needs_tang
@pytest.mark.parametrize("change", ["pin", "url", "garbage"])
def test_token_that_would_have_clevis_do_something_else_is_not_given_to_it(coffer, tang, change):
    enroll_tang(coffer, tang)

    def edit(token):
        header = json.loads(decode(token["jwe"]["protected"]))
        if change == "pin":
            header["clevis"] = {"pin": "evil", "evil": {}}
        if change == "url":
            header["clevis"]["tang"]["url"] = "file:///etc/passwd"
        token["jwe"]["protected"] = "?" if change == "garbage" else \
            encode(json.dumps(header).encode())
    edit_token(coffer, "clevis", edit)
    before = tang.requests
    result = coffer.run("unlock", expect=LOCKED)
    assert "clevis token" in result.err and tang.requests == before


@needs_tang
def test_token_that_was_removed_leaves_a_slot_that_a_person_can_see(coffer, tang):
    enroll_tang(coffer, tang)
    number = edit_token(coffer, "clevis", lambda token: None)
    tool("cryptsetup", "token", "remove", "--token-id", number, coffer.vault / "root.luks")
    assert methods(coffer)[-1] == "unknown"
    coffer.run("unlock", expect=LOCKED)
    enroll_tang(coffer, tang)
    unlocks(coffer, said="Opened by tang")


@needs_tang
@pytest.mark.parametrize("program, package", [("/usr/bin/clevis", "clevis"),
                                              ("/usr/bin/clevis-luks-bind", "clevis-luks")])
def test_missing_clevis_is_named_with_its_package(coffer, tang, program, package):
    with without(program) as prefix:
        result = run_in(prefix, coffer, "enroll", "tang", tang.url, "--thumbprint",
                        tang.thumbprint, *coffer.secret())
    assert result.returncode == IMPOSSIBLE
    assert f"apt install {package}\n" in result.stderr + "\n"


@needs_tang
def test_missing_clevis_is_named_before_anything_is_asked(coffer, tang):
    for words in ([], ["--thumbprint", tang.thumbprint]):
        with without("/usr/bin/clevis") as prefix:
            result = run_in(prefix, coffer, "enroll", "tang", tang.url, *words)
        assert result.returncode == IMPOSSIBLE and "apt install clevis\n" in result.stderr


@needs_tang
def test_server_that_does_not_answer_has_a_remedy(coffer, tang):
    result = coffer.run("enroll", "tang", "http://127.0.0.1:9", "--thumbprint", tang.thumbprint,
                        *coffer.secret(), expect=FAILED)
    assert "try:   curl http://127.0.0.1:9/adv, " in result.err


def meddling(place, script):
    """A clevis that does as it should, and something else after it has bound a header."""
    real = place / "clevis"
    shutil.copy2("/usr/bin/clevis", real)
    path = place / "meddling"
    path.write_text(f'#!/bin/sh\n{real} "$@" || exit\n[ "$2" = bind ] || exit 0\n{script}\n')
    path.chmod(0o755)
    return ["unshare", "--mount", "sh", "-c",
            f'mount --bind {path} /usr/bin/clevis && exec "$@"', "sh"]


@needs_tang
@pytest.mark.parametrize("script, status, said", [
    ('cryptsetup luksKillSlot -q "$7" 1', DAMAGED, "something else"),
    ('cryptsetup config --label mine "$7"', DAMAGED, "something else"),
    ('cryptsetup token remove --token-id 2 "$7"', DAMAGED, "something else"),
    ('cryptsetup config --label theirs "${7%.enrolled.new}"', BUSY, "by another tool meanwhile"),
    ("exit 1", FAILED, "status 1"),
])
def test_copy_that_is_not_what_was_expected_is_not_taken(coffer, tang, place, script, status,
                                                         said):
    before = methods(coffer)
    result = run_in(meddling(place, script), coffer, "enroll", "tang", tang.url, "--thumbprint",
                    tang.thumbprint, *coffer.secret())
    assert result.returncode == status and said in result.stderr, result
    assert methods(coffer) == before and not leftovers(coffer)
    unlocks(coffer, *coffer.secret())


@needs_tang
def test_full_disk_leaves_the_header_as_it_was(coffer, tang, place):
    with rig.mounted("tmpfs", place / "small", "-t", "tmpfs", "-o", "size=24m") as folder:
        small = rig.Coffer(place)
        small.vault = folder / "vault"
        shutil.copytree(coffer.vault, small.vault)
        before = (small.vault / "root.luks").read_bytes()
        assert "No space left" in enroll_tang(small, tang, expect=FAILED).err
        assert (small.vault / "root.luks").read_bytes() == before and not leftovers(small)
        tool("mount", "-o", "remount,size=64m", folder)
        enroll_tang(small, tang)
        unlocks(small, said="Opened by tang")


@pytest.mark.parametrize("words", [["tang.example.org"], ["ftp://x"], ["http://x", "http://y"],
                                   ["http://x", "--thumbprint", "short"],
                                   ["http://x", "--thumbprint", "?" * 43]])
def test_what_is_no_server_is_wrong_usage(coffer, words):
    coffer.run("enroll", "tang", *words, *coffer.secret(), expect=USAGE)


@needs_tang
def test_dry_run_of_enrolling_asks_nobody_and_changes_nothing(coffer, tang):
    before = (coffer.vault / "root.luks").read_bytes()
    for words in (["tang", tang.url], ["tpm2"], ["fido2"], ["command", "--", "/bin/true"]):
        coffer.run("enroll", words[0], "--dry-run", *words[1:])
    assert (coffer.vault / "root.luks").read_bytes() == before


@needs_tang
def test_revoking_names_what_must_be_enrolled_again(coffer, tang):
    enroll_tang(coffer, tang)
    (coffer.folder / "new").write_text("another long passphrase\n")
    uuid = coffer.run("status", "--json").json["vault"]["uuid"]
    result = coffer.run("revoke", *coffer.secret(), "--new-passphrase-file", coffer.folder / "new",
                        "--no-recovery", "--yes-destroy", uuid)
    assert tang.url in result.err
    assert methods(coffer) == ["passphrase"]
    coffer.run("unlock", expect=LOCKED)


# ---- a command ----

def test_command_opens_the_vault(coffer, script):
    fetch = script(f'[ "$1" = "a word" ] && printf %s "{SECRET}"')
    enroll_command(coffer, fetch, "a word")
    found = slots(coffer)[-1]
    assert found["method"] == "command" and found["unattended"]
    assert json.loads(found["detail"]) == [str(fetch), "a word"]
    unlocks(coffer, said="Opened by command")
    unlocks(coffer, "--method", "command")
    assert "already" in enroll_command(coffer, fetch, "a word").out


def test_command_gets_no_input_and_nothing_of_our_environment(coffer, script):
    fetch = script(f'[ -z "$HOME$COFFER_TEST_COST" ] && [ -z "$(cat)" ] && printf "{SECRET}"')
    enroll_command(coffer, fetch)
    unlocks(coffer, said="Opened by command")


@pytest.mark.parametrize("text, status, said", [
    ("exit 3", FAILED, "status 3"),
    ("echo no such key >&2; exit 1", FAILED, "no such key"),
    ("exit 0", FAILED, "gave nothing"),
    ("echo short", REFUSED, "easy to guess"),
    ("echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", REFUSED, "easy to guess"),
    ("head -c 5000 /dev/zero | tr '\\0' x", DAMAGED, "more than 4096 bytes"),
    ("cat /proc/sys/kernel/random/uuid", REFUSED, "the second time"),
    ("sleep 20 & sleep 20", FAILED, "did not end within 1000 ms"),
])
def test_command_that_gives_no_secret_is_refused(coffer, script, text, status, said):
    configure(coffer, "unattended-limit = 1s")
    result = enroll_command(coffer, script(text), expect=status)
    assert said in result.err
    assert "command" not in methods(coffer)


def test_command_that_fails_later_leaves_the_other_ways(coffer, script):
    fetch = script(f"echo {SECRET}")
    enroll_command(coffer, fetch)
    for text in ("exit 1", "echo something else that is long enough", "exit 0"):
        script(text)
        result = coffer.run("unlock", expect=LOCKED)
        assert "command, slot" in result.err
    unlocks(coffer, *coffer.secret())


def test_program_that_others_can_change_is_refused(coffer, script, place):
    fetch = script(f"echo {SECRET}")
    fetch.chmod(0o775)
    assert "chmod go-w" in enroll_command(coffer, fetch, expect=REFUSED).err
    fetch.chmod(0o755)
    os.chown(fetch, 12345, 0)
    assert "chown root" in enroll_command(coffer, fetch, expect=REFUSED).err
    os.chown(fetch, 0, 0)
    fetch.parent.chmod(0o777)
    enroll_command(coffer, fetch, expect=REFUSED)
    fetch.parent.chmod(0o1777)
    enroll_command(coffer, fetch, expect=REFUSED)
    fetch.parent.chmod(0o755)
    link = place / "open" / "link"
    link.parent.mkdir()
    link.parent.chmod(0o777)
    link.symlink_to(fetch)
    enroll_command(coffer, link, expect=REFUSED)
    enroll_command(coffer, fetch)
    fetch.chmod(0o777)
    assert "others than root can change it" in coffer.run("unlock", expect=LOCKED).err


def test_command_is_an_absolute_path_of_a_program(coffer, script):
    enroll_command(coffer, "fetch", expect=USAGE)
    enroll_command(coffer, script("exit 0").parent / "missing", expect=NO_DEVICE)
    enroll_command(coffer, script("exit 0").parent, expect=REFUSED)
    enroll_command(coffer, script("exit 0"), "x" * 1100, expect=USAGE)
    enroll_command(coffer, script("exit 0"), "a\x7fb", expect=USAGE)
    coffer.run("enroll", "command", *coffer.secret(), expect=USAGE)


def test_command_that_somebody_wrote_into_the_header_is_not_run(coffer, script, place):
    fetch = script(f"echo {SECRET}")
    evil = script(f"touch {place}/was-run; echo {SECRET}", "evil")
    enroll_command(coffer, fetch)
    edit_token(coffer, "command", lambda token: token.update(command=[str(evil)]))
    result = coffer.run("unlock", expect=LOCKED)
    assert "never told to run it" in result.err and not (place / "was-run").exists()
    # A folder that came out of a mirror or a backup has no list of what was allowed.
    edit_token(coffer, "command", lambda token: token.update(command=[str(fetch)]))
    unlocks(coffer, said="Opened by command")
    (coffer.vault / "commands.allowed").unlink()
    coffer.run("unlock", expect=LOCKED)
    enroll_command(coffer, fetch)
    unlocks(coffer, said="Opened by command")


# ---- TPM2 ----

@needs_tpm
def test_tpm_opens_the_vault_until_its_pcrs_change(coffer, tpm):
    coffer.run("enroll", "tpm2", "--pcrs", "16", *coffer.secret())
    found = slots(coffer)[-1]
    assert (found["method"], found["detail"], found["unattended"]) == ("tpm2", "PCRs 16", True)
    unlocks(coffer, said="Opened by tpm2")
    assert "already" in coffer.run("enroll", "tpm2", "--pcrs", "16", *coffer.secret()).out
    assert coffer.run("status", "--json").json["vault"]["header"] == "current"
    tpm.extend(16)
    result = coffer.run("unlock", "--method", "tpm2", expect=WRONG_KEY)
    assert "what it measured has changed" in result.err
    coffer.run("unlock", expect=LOCKED)
    # What is there does not open any more: enrolling again adds one that does.
    coffer.run("enroll", "tpm2", "--pcrs", "16", *coffer.secret())
    unlocks(coffer, said="Opened by tpm2")


@needs_tpm
def test_another_tpm_opens_nothing(coffer, tpm, place):
    coffer.run("enroll", "tpm2", *coffer.secret())
    unlocks(coffer, said="Opened by tpm2")
    other = Tpm(place / "other")
    configure(coffer, f"tpm2-device = {other.device}")
    coffer.run("unlock", "--method", "tpm2", expect=(WRONG_KEY, FAILED))
    other.close()
    coffer.run("unlock", "--method", "tpm2", expect=(WRONG_KEY, FAILED, IMPOSSIBLE))
    unlocks(coffer, *coffer.secret())


@needs_tpm
def test_pin_of_the_tpm_is_asked_on_a_terminal(coffer, tpm):
    header = coffer.vault / "root.luks"
    key = coffer.folder / "key"
    key.write_text(coffer.passphrase.read_text().strip())
    tool("systemd-cryptenroll", f"--unlock-key-file={key}", f"--tpm2-device={tpm.device}",
         "--tpm2-with-pin=yes", header, env=dict(os.environ, NEWPIN="1234"))
    assert slots(coffer)[-1]["unattended"] is False
    assert "asks for a PIN" in coffer.run("unlock", "--method", "tpm2", expect=LOCKED).err
    with rig.Dialogue(coffer, "unlock", "--method", "tpm2") as asked:
        asked.wait_for("PIN of the TPM")
        assert asked.answer("1234") == DONE
    coffer.run("lock")


@needs_tpm
@needs_tang
def test_methods_are_tried_in_their_order(coffer, tpm, tang, script):
    enroll_command(coffer, script(f"echo {SECRET}"))
    enroll_tang(coffer, tang)
    coffer.run("enroll", "tpm2", "--pcrs", "23", *coffer.secret())
    unlocks(coffer, said="Opened by tpm2")
    tpm.extend(23)
    result = unlocks(coffer, said="Opened by tang")
    assert "tpm2, slot" in result.err
    unlocks(coffer, "--method", "command", said="Opened by command")
    coffer.run("unlock", "--no-unattended", expect=LOCKED)
    unlocks(coffer, "--no-unattended", *coffer.secret())


@pytest.mark.parametrize("pcrs", ["", "24", "7,8", "7+", "+7", "seven"])
def test_what_is_no_list_of_pcrs_is_wrong_usage(coffer, pcrs):
    coffer.run("enroll", "tpm2", f"--pcrs={pcrs}", *coffer.secret(), expect=USAGE)


@pytest.mark.skipif(os.path.exists("/dev/tpmrm0"), reason="this machine has a TPM")
def test_machine_without_a_tpm_is_told_so(coffer):
    result = coffer.run("enroll", "tpm2", *coffer.secret(), expect=IMPOSSIBLE)
    assert "TPM" in result.err and not leftovers(coffer)


# ---- FIDO2: as far as it goes without a token ----

def test_missing_fido2_token_is_told(coffer):
    result = coffer.run("enroll", "fido2", *coffer.secret(), expect=IMPOSSIBLE)
    assert "plug it in" in result.err
    assert "fido2" not in methods(coffer) and not leftovers(coffer)


def test_fido2_token_that_is_not_there_leaves_the_other_ways(coffer):
    written = coffer.folder / "token.json"
    written.write_text(json.dumps({
        "type": "systemd-fido2", "keyslots": ["1"], "fido2-credential": "QUJDREVGR0hJSktMTU5PUA==",
        "fido2-salt": "QUJDREVGR0hJSktMTU5PUEFCQ0RFRkdISUpLTE1OT1A=",
        "fido2-rp": "io.systemd.cryptsetup", "fido2-clientPin-required": True,
        "fido2-up-required": True, "fido2-uv-required": False}))
    tool("cryptsetup", "token", "import", "--json-file", written, coffer.vault / "root.luks")
    result = coffer.run("unlock", "--method", "fido2", expect=IMPOSSIBLE)
    assert "none is plugged in" in result.err
    with rig.Dialogue(coffer, "unlock") as asked:
        asked.wait_for("Passphrase or recovery key")
        assert "PIN" not in asked.said
        assert asked.answer(coffer.passphrase.read_text().strip()) == DONE
    coffer.run("lock")
    unlocks(coffer, *coffer.secret())


# ---- all of them ----

def round_of(coffer, place, name):
    made = copy_of(coffer, place, name)
    if (coffer.root / "etc/coffer").exists():
        shutil.copytree(coffer.root / "etc/coffer", made.root / "etc/coffer")
    return made


def converge(coffer, place, enroll, property_name, record_property):
    """At each point the old secret opens, and the same call ends with one slot that works."""
    points = points_of(enroll(round_of(coffer, place, 0), fault="list"))
    assert any("enroll/" in point for point in points)
    for number in chosen(points):
        for fault in ("kill", "fail"):
            made = round_of(coffer, place, f"{number}{fault}")

            def run(made=made, **more):
                result = enroll(made, **more)
                made.run("key", "list", *made.secret())
                return result
            again = crash(run, number, fault)
            where = f"{fault} at {points[number - 1]}\n{again}"
            assert again.status == DONE, where
            assert len(methods(made)) == 3, where
            unlocks(made, "--method", methods(made)[-1])
            assert not leftovers(made), where
            assert made.run("status", "--json").json["vault"]["header"] == "current", where
            shutil.rmtree(made.vault)
    record_count(record_property, property_name, len(chosen(points)))


@pytest.mark.slow
@needs_tang
def test_enroll_tang_converges_after_a_stop_at_any_point(coffer, tang, place, record_property):
    coffer.run("key", "list", *coffer.secret())
    thumbprint = tang.thumbprint

    def enroll(made, **more):
        return made.run("enroll", "tang", tang.url, "--thumbprint", thumbprint, *made.secret(),
                        **more)
    converge(coffer, place, enroll, "enroll tang", record_property)


@pytest.mark.slow
def test_enroll_command_converges_after_a_stop_at_any_point(coffer, script, place,
                                                            record_property):
    coffer.run("key", "list", *coffer.secret())
    fetch = script(f"echo {SECRET}")
    converge(coffer, place, lambda made, **more: enroll_command(made, fetch, **more),
             "enroll command", record_property)


@pytest.mark.slow
@needs_tpm
def test_enroll_tpm2_converges_after_a_stop_at_any_point(coffer, tpm, place, record_property):
    coffer.run("key", "list", *coffer.secret())

    def enroll(made, **more):
        return made.run("enroll", "tpm2", *made.secret(), **more)
    converge(coffer, place, enroll, "enroll tpm2", record_property)


@pytest.mark.parametrize("words, status", [
    (["--method", "passphrase"], USAGE),
    (["--method", "tang"], NO_DEVICE),
    (["--method", "tang", "--no-unattended"], USAGE),
    (["--method", "tang", "--passphrase-file", "-"], USAGE),
])
def test_method_that_cannot_be_is_refused(coffer, words, status):
    coffer.run("unlock", *words, expect=status)


@pytest.mark.parametrize("line", ["unattended-limit = 0", "unattended-limit = forever",
                                  "unattended-limit = 2h", "tpm2-device ="])
def test_setting_that_cannot_be_is_refused(coffer, line):
    configure(coffer, line)
    coffer.run("unlock", expect=DAMAGED)


def test_key_of_a_token_needs_a_header():
    result = tool(rig.PROGRAM, "token-key", "0", check=False)
    assert result.returncode != DONE and not result.stdout
