# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command line itself, and the verbs of the vault, as a user runs them."""

import json
import os
import pty
import re
import select
import shutil
import signal
import stat
import subprocess
import time

import pytest

import rig
from rig import DAMAGED, DONE, LOCKED, NO_DEVICE, PROGRAM, REFUSED, USAGE, WRONG_KEY, tool

VERBS = ["init", "unlock", "lock", "status", "doctor", "slots", "enroll passphrase",
         "enroll recovery", "enroll file", "passwd", "revoke", "key list", "key show",
         "key export", "key history"]


def plain(*words, **options):
    """Runs the program with no vault, no terminal and nothing else of its own."""
    done = subprocess.run([PROGRAM, *words], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, start_new_session=True, timeout=60, **options)
    return rig.Result(list(words), done)


def without_terminal(coffer, *words, stdin=""):
    """The same with a vault: there is nobody to ask, wherever the tests are run."""
    done = subprocess.run([PROGRAM, *coffer.arguments(*words)], capture_output=True, text=True,
                          check=False, input=stdin, start_new_session=True, timeout=120)
    return rig.Result([str(word) for word in words], done)


def secret_file(coffer, name, text):
    path = coffer.folder / name
    path.write_text(text + "\n")
    return path


def opens(coffer, *secret):
    """Whether a secret opens the vault."""
    return coffer.run("key", "list", *secret, expect=(DONE, WRONG_KEY)).status == DONE


def mode_of(path):
    return stat.S_IMODE(os.stat(path).st_mode)


class Terminal:
    """The program on a terminal of its own, with somebody who types."""

    def __init__(self, coffer, *words):
        self.shown = ""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.environ["LANG"] = "C.UTF-8"
            os.execv(PROGRAM, [PROGRAM, *coffer.arguments(*words)])

    def wait_for(self, text, timeout=60):
        end = time.monotonic() + timeout
        while text not in self.shown and time.monotonic() < end:
            if not select.select([self.master], [], [], 1)[0]:
                continue
            try:
                piece = os.read(self.master, 4096)
            except OSError:
                break
            if not piece:
                break
            self.shown += piece.decode(errors="replace")
        assert text in self.shown, self.shown

    def answer(self, prompt, line):
        """Types a line after a prompt that was not answered yet."""
        self.wait_for(prompt)
        before, self.shown = self.shown, ""
        os.write(self.master, (line + "\n").encode())
        return before

    def end(self):
        """Its exit status, once it has ended."""
        while True:
            try:
                piece = os.read(self.master, 4096)
            except OSError:
                break
            if not piece:
                break
            self.shown += piece.decode(errors="replace")
        os.close(self.master)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


# ---- help and usage ----

def test_version_is_one_line():
    result = plain("--version")
    assert result.status == DONE
    assert re.fullmatch(r"coffer \d+\.\d+\.\d+\n", result.out)


def test_nothing_shows_the_overview():
    result = plain()
    assert result.status == DONE
    assert "coffer init" in result.out and "enroll" in result.out


def test_overview_names_every_exit_status():
    shown = plain().out
    assert re.findall(r"^  (\d) {5}", shown, re.MULTILINE) == list("0123456789")
    assert "exit status" in plain("unlock", "--help").out


def test_noun_alone_lists_its_verbs():
    result = plain("enroll")
    assert result.status == DONE
    for verb in ("enroll passphrase", "enroll recovery", "enroll file FILE"):
        assert verb in result.out


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_verb_is_the_same_in_both_forms(verb):
    after, before = plain(*verb.split(), "--help"), plain("help", *verb.split())
    assert after.status == before.status == DONE
    assert after.out == before.out
    assert f"coffer {verb}" in after.out and "Examples:" in after.out


@pytest.mark.parametrize("columns, limit", [("60", 60), ("80", 80), ("200", 80)])
def test_help_is_as_wide_as_the_screen_and_no_wider(columns, limit):
    environment = dict(os.environ, COLUMNS=columns)
    for words in ([], ["unlock", "--help"], ["enroll", "passphrase", "--help"], ["disk"]):
        lines = plain(*words, env=environment).out.splitlines()
        # Examples are to be copied, and stay in one piece.
        prose = [line for line in lines if not line.startswith("  coffer")]
        assert max(map(len, prose)) <= limit
        assert any(len(line) > limit * 3 // 4 for line in prose)


@pytest.mark.parametrize("columns", [60, 80])
def test_table_fits_a_narrow_screen(coffer, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    for words in (["slots"], ["disk", "list"]):
        assert max(map(len, coffer.run(*words).out.splitlines())) <= columns


def test_errors_and_warnings_fit_a_narrow_screen(coffer, disk, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    coffer.format(disk)
    coffer.close(disk)
    disk.write(0, bytes(rig.MIB))
    shown = coffer.run("disk", "list", *coffer.secret()).out
    refused = coffer.run("disk", "open", disk.volume, "another-name", *coffer.secret(), expect=None)
    secret = coffer.folder / "short"
    secret.write_text("short\n")
    weak = coffer.run("enroll", "passphrase", "--new-passphrase-file", secret, *coffer.secret())
    assert "is weak" in weak.err and "its header is" in shown and "try:" in refused.err
    for text in (shown, refused.err, weak.err):
        assert max(map(len, text.splitlines())) <= 60
    assert f"`coffer disk header repair {disk.volume}`" in shown


@pytest.mark.parametrize("verb", VERBS)
def test_manual_page_names_every_option_of_help(verb):
    shown = plain("help", *verb.split()).out
    page = plain("help", "--man", "coffer-" + verb.split()[0]).out.replace("\\-", "-")
    options = re.findall(r"^  (--[a-z-]+)", shown, re.MULTILINE)
    for option in options:
        assert f"\\fB{option}\\fR" in page


def test_manual_pages_name_each_other_and_not_themselves():
    overview = plain("help", "--man", "coffer").out.split(".SH SEE ALSO\n")[1]
    assert ".BR coffer (8)" not in overview
    for verb in VERBS:
        assert f".BR coffer\\-{verb.split()[0]} (8),\n" in overview
    assert ".BR coffer (8),\n" in plain("help", "--man", "coffer-key").out


def test_manual_pages_are_well_formed(place):
    if not shutil.which("groff"):
        pytest.skip("groff is not installed")
    for page in ["coffer", "coffer-errors", *{"coffer-" + verb.split()[0] for verb in VERBS}]:
        source = place / page
        source.write_text(plain("help", "--man", page).out)
        done = tool("groff", "-man", "-ww", "-Tutf8", "-z", source)
        assert done.stderr == "", page


def test_unknown_command_suggests_the_right_one():
    result = plain("unlok")
    assert result.status == USAGE
    assert result.out == ""
    assert "coffer: unlok: no such command\n  try:   coffer unlock\n" == result.err


def test_unknown_option_suggests_the_right_one():
    result = plain("unlock", "--pasphrase-file", "x")
    assert result.status == USAGE
    assert "--passphrase-file" in result.err


def test_usage_error_as_json_is_one_document():
    result = plain("unlok", "--json")
    assert result.status == USAGE
    assert result.json["error"]["code"] == "usage"
    assert result.json["error"]["remedy"] == "coffer unlock"
    assert "no such command" in result.err


def test_control_characters_do_not_reach_the_terminal():
    result = plain("no\x1b[2Jsuch\ncoffer: all is well")
    assert result.status == USAGE
    assert "\x1b" not in result.err
    assert len(result.err.splitlines()) == 2


def test_passphrase_typed_as_argument_is_not_repeated():
    result = plain("unlock", "correct-horse", "--json")
    assert result.status == USAGE
    assert "horse" not in result.err + result.out


def test_full_device_as_stdout_is_a_failure():
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([PROGRAM, "--version"], stdout=full, stderr=subprocess.PIPE,
                              text=True, check=False)
    assert done.returncode == rig.FAILED
    assert "standard output" in done.stderr


def test_missing_configuration_is_named(place):
    result = plain("--config", str(place / "none"), "--root", str(place), "status", "--json")
    assert result.status == NO_DEVICE
    assert result.json["error"]["subject"] == str(place / "none")


def test_misspelt_setting_is_named_with_the_nearest_one_and_nothing_else(coffer):
    config = coffer.root / "etc/coffer/coffer.conf"
    config.parent.mkdir()
    config.write_text("# mine\nmirrors = /x\n")
    refused = coffer.run("disk", "open", "--all", expect=DAMAGED)
    assert refused.err == f"coffer: {config}: line 2: mirrors is not a setting\n  try:   mirror\n"
    shown = coffer.run("status", expect=DAMAGED)
    assert shown.err == refused.err and "in this folder alone" not in shown.out
    config.write_text("")
    assert "in this folder alone" in coffer.run("status").out


@pytest.mark.parametrize("words", [[], ["disk"]])
def test_json_without_a_verb_is_wrong_usage(words):
    result = plain(*words, "--json")
    assert result.status == USAGE and result.json["error"]["code"] == "usage"
    assert "needs a verb" in result.err and "try:   coffer help" in result.err
    assert plain(*words).status == DONE


def test_verb_without_its_noun_names_every_noun_that_has_it():
    told = plain("list").err
    for noun in ("boot", "disk", "key", "service", "store", "tape"):
        assert f"coffer {noun} list" in told, noun


@pytest.mark.parametrize("words", ["disk header", "help disk header", "disk header --help"])
def test_verbs_of_two_words_have_help_as_a_noun_has(words):
    told = plain(*words.split())
    assert told.status == DONE, told
    assert told.out.startswith("coffer disk header: ") and "  disk header repair " in told.out
    assert "disk list" not in told.out


def test_help_of_a_verb_of_two_words_takes_three():
    assert plain("help", "disk", "header", "check").out == \
        plain("disk", "header", "check", "--help").out
    assert "try:   coffer help disk header\n" in plain("disk", "header", "xyzzy").err


@pytest.mark.parametrize("words", ["disk open", "disk close", "key rotate"])
def test_no_disk_named_shows_how_one_is(words):
    told = plain(*words.split())
    assert told.status == USAGE
    assert f"try:   coffer {words} DISK, " in told.err and f"or coffer {words} --all" in told.err


def test_unknown_method_names_where_the_methods_are(coffer):
    told = coffer.run("unlock", "--method", "yubikey", expect=USAGE)
    assert "try:   coffer slots" in told.err and "fido2" in told.err


def test_help_works_with_a_broken_configuration(place):
    (place / "coffer.conf").write_text("nonsense\n")
    assert plain("--config", str(place / "coffer.conf"), "help", "lock").status == DONE


def test_ordinary_user_is_told_what_to_type(bare):
    if not shutil.which("setpriv"):
        pytest.skip("setpriv is not installed")
    done = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", "--regid", "65534",
                           PROGRAM, "--vault", str(bare.vault), "unlock"],
                          capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode == 127 or "execute" in done.stderr:
        pytest.skip("the program is in a folder that ordinary users can't enter")
    assert done.returncode == REFUSED
    assert "sudo coffer unlock" in done.stderr


def test_completion_offers_verbs_and_options(place):
    script = place / "completion"
    script.write_text(plain("completion", "bash").out)
    ask = """source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _coffer
             printf '%s\\n' "${COMPREPLY[@]}" """

    def complete(*words):
        return tool("bash", "-c", ask, script, *words).stdout.split()
    assert "unlock" in complete("coffer", "unl")
    assert set(complete("coffer", "enroll", "")) == {
        "passphrase", "recovery", "file", "tpm2", "fido2", "tang", "command"}
    assert complete("coffer", "enroll", "recovery", "--ou") == ["--out"]
    assert complete("coffer", "unlock", "--passphrase-file", str(script)) == [str(script)]
    assert complete("coffer", "--vault", "/x", "key", "hist") == ["history"]


# ---- init ----

def test_init_makes_vault_and_recovery_key(bare):
    result = bare.init(expect=DONE)
    assert str(bare.vault) in result.out
    assert mode_of(bare.recovery) == 0o600
    assert re.fullmatch(r"([0-9A-Z]{5}-){12}[0-9A-Z]{5}\n", bare.recovery.read_text())
    assert bare.recovery.read_text().strip() not in result.out + result.err
    assert mode_of(bare.vault) == 0o700
    assert opens(bare, "--passphrase-file", bare.passphrase)
    assert opens(bare, "--passphrase-file", bare.recovery)


def test_init_again_says_that_the_vault_is_there(coffer):
    before = (coffer.vault / "root.luks").read_bytes()
    result = coffer.run("init", "--passphrase-file", coffer.passphrase, "--recovery-out",
                        coffer.recovery, "--json")
    assert result.json["vault"]["changed"] is False
    assert (coffer.vault / "root.luks").read_bytes() == before


def test_init_with_other_passphrase_is_refused(coffer):
    other = secret_file(coffer, "other", "something else")
    result = coffer.run("init", "--passphrase-file", other, "--recovery-out", coffer.recovery,
                        expect=REFUSED)
    assert "nothing was changed" in result.err


def test_init_again_with_other_recovery_file_is_refused(coffer):
    result = coffer.run("init", "--passphrase-file", coffer.passphrase, "--recovery-out",
                        coffer.folder / "elsewhere", expect=REFUSED)
    assert "coffer enroll recovery" in result.err
    assert not (coffer.folder / "elsewhere").exists()


def test_init_without_terminal_wants_a_place_for_the_recovery_key(bare):
    result = without_terminal(bare, "init", "--passphrase-file", bare.passphrase)
    assert result.status == REFUSED
    assert "--recovery-out" in result.err
    assert not bare.vault.exists()


@pytest.mark.slow
def test_init_without_recovery_warns_until_there_is_one(bare):
    result = bare.run("init", "--passphrase-file", bare.passphrase, "--no-recovery")
    assert "coffer enroll recovery" in result.err
    assert bare.run("status", "--json").json["vault"]["recovery"] is False
    assert "no recovery key" in bare.run("status").out


def test_init_never_overwrites_the_recovery_file(bare):
    bare.recovery.write_text("my diary\n")
    bare.recovery.chmod(0o600)
    result = bare.init(expect=REFUSED)
    assert "something else" in result.err
    assert bare.recovery.read_text() == "my diary\n"
    assert not bare.vault.exists()


def test_init_refuses_recovery_file_that_others_can_read(bare, vault_made_once):
    shutil.copy(vault_made_once.recovery, bare.recovery)
    bare.recovery.chmod(0o644)
    assert "0644" in bare.init(expect=REFUSED).err


@pytest.mark.slow
def test_init_takes_the_recovery_key_that_a_crash_left(bare, vault_made_once):
    shutil.copy2(vault_made_once.recovery, bare.recovery)
    bare.init()
    assert bare.recovery.read_text() == vault_made_once.recovery.read_text()
    assert opens(bare, "--passphrase-file", bare.recovery)


def test_init_keeps_the_recovery_key_out_of_the_vault(bare):
    bare.vault.mkdir(mode=0o700)
    result = bare.run("init", "--passphrase-file", bare.passphrase, "--recovery-out",
                      bare.vault / "recovery", expect=REFUSED)
    assert "in the vault" in result.err
    assert list(bare.vault.iterdir()) == []


def test_init_refuses_both_wishes_for_recovery(bare):
    bare.run("init", "--passphrase-file", bare.passphrase, "--recovery-out", bare.recovery,
             "--no-recovery", expect=USAGE)
    assert not bare.recovery.exists()


def test_init_dry_run_makes_nothing(bare):
    result = bare.run("init", "--dry-run", "--passphrase-file", bare.passphrase, "--recovery-out",
                      bare.recovery)
    assert "Would make" in result.out
    assert not bare.vault.exists() and not bare.recovery.exists()


def test_dry_run_as_json_is_one_document(bare):
    vault = bare.run("init", "--dry-run", "--no-recovery", "--json").json["vault"]
    assert vault == {"folder": str(bare.vault), "state": "absent", "changed": False}


@pytest.mark.slow
@pytest.mark.slow
def test_init_hardens_the_passphrase_with_argon2(bare, monkeypatch):
    monkeypatch.delenv("COFFER_TEST_COST")
    bare.init()
    costs = {slot["method"]: slot["pbkdf"] for slot in bare.run("slots", "--json").json["slots"]}
    assert costs == {"passphrase": "argon2id", "recovery": "pbkdf2"}
    bare.run("unlock", "--passphrase-file", bare.passphrase)
    bare.run("lock")


def test_init_fips_has_no_argon2(bare):
    bare.run("init", "--fips", "--passphrase-file", bare.passphrase, "--no-recovery")
    assert {slot["pbkdf"] for slot in bare.run("slots", "--json").json["slots"]} == {"pbkdf2"}


def test_init_on_terminal_asks_twice_and_shows_the_recovery_key(bare):
    terminal = Terminal(bare, "init")
    terminal.answer("assphrase", "tr0ub4dor and three")
    terminal.answer("once more", "tr0ub4dor and three")
    shown = terminal.answer("Press Enter", "")
    assert terminal.end() == DONE
    recovery = re.search(r"([0-9A-Z]{5}-){12}[0-9A-Z]{5}", shown).group()
    assert "tr0ub4dor" not in shown + terminal.shown
    assert opens(bare, "--passphrase-file", secret_file(bare, "typed", recovery.lower()))
    assert opens(bare, "--passphrase-file", secret_file(bare, "typed2", "tr0ub4dor and three"))


def test_init_warns_of_a_weak_passphrase_in_a_script(bare):
    bare.passphrase.write_text("x\n")
    result = bare.init()
    assert "coffer: the new passphrase is weak: it has fewer than 12 characters\n" in result.err
    assert opens(bare, "--passphrase-file", bare.passphrase)


def test_init_says_nothing_of_a_long_passphrase(bare):
    assert bare.init().err == ""


def test_init_refuses_an_empty_passphrase(bare):
    bare.passphrase.write_text("\n")
    assert "passphrase is empty" in bare.init(expect=USAGE).err
    assert not bare.vault.exists() and not bare.recovery.exists()


def test_init_on_terminal_asks_for_another_than_a_weak_passphrase(bare):
    terminal = Terminal(bare, "init", "--no-recovery")
    terminal.answer("New passphrase", "short")
    terminal.answer("once more", "short")
    terminal.answer("Take it all the same?", "")
    terminal.answer("New passphrase", "not so short any more")
    terminal.answer("once more", "not so short any more")
    assert terminal.end() == DONE
    assert opens(bare, "--passphrase-file", secret_file(bare, "long", "not so short any more"))
    assert not opens(bare, "--passphrase-file", secret_file(bare, "short", "short"))


def test_init_on_terminal_takes_a_weak_passphrase_from_who_insists(bare):
    terminal = Terminal(bare, "init", "--no-recovery")
    terminal.answer("New passphrase", "short")
    terminal.answer("once more", "short")
    assert "weak" in terminal.answer("Take it all the same?", "yes")
    assert terminal.end() == DONE
    assert opens(bare, "--passphrase-file", secret_file(bare, "short", "short"))


def test_init_on_terminal_may_be_mistyped_twice(bare):
    terminal = Terminal(bare, "init", "--no-recovery")
    terminal.answer("New passphrase", "")
    terminal.answer("New passphrase", "correct horse battery")
    terminal.answer("once more", "correct horse buttery")
    assert "differ" in terminal.answer("New passphrase", "correct horse battery")
    terminal.answer("once more", "correct horse battery")
    assert terminal.end() == DONE


def test_init_on_terminal_mistyped_three_times_makes_nothing(bare):
    terminal = Terminal(bare, "init", "--no-recovery")
    for _ in range(3):
        terminal.answer("New passphrase", "")
    assert terminal.end() == USAGE
    assert not bare.vault.exists()


# ---- unlock, lock, status ----

def test_status_without_vault_is_absent(bare):
    result = bare.run("status", "--json")
    assert result.json["vault"] == {"state": "absent", "folder": str(bare.vault)}
    assert "coffer init" in bare.run("status").out


def test_status_of_locked_vault_shows_its_facts(coffer):
    vault = coffer.run("status", "--json").json["vault"]
    assert vault["state"] == "locked"
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", vault["uuid"])
    assert vault["epoch"] == 1 and vault["recovery"] is True and vault["mirrors"] == []
    assert sorted(slot["method"] for slot in vault["slots"]) == ["passphrase", "recovery"]


def test_unlock_and_lock_change_the_state(coffer):
    def state():
        return coffer.run("status", "--json").json["vault"]["state"]
    assert state() == "locked"
    coffer.run("unlock", "--passphrase-file", coffer.recovery)
    assert state() == "unlocked"
    assert coffer.run("status", "--json").json["vault"]["created"].startswith("20")
    coffer.run("lock")
    assert state() == "locked"


def test_unlocked_vault_asks_for_nothing(coffer):
    coffer.run("unlock", *coffer.secret())
    assert without_terminal(coffer, "key", "list", "--json").json == {"keys": []}


def test_unlock_again_changes_nothing(coffer):
    coffer.run("unlock", *coffer.secret())
    result = coffer.run("unlock", "--json")
    assert result.json["vault"]["changed"] is False


def test_unlock_with_time_limit_ends_by_itself(coffer):
    coffer.run("unlock", "--for", "2s", *coffer.secret())
    end = time.monotonic() + 30
    while coffer.run("status", "--json").json["vault"]["state"] == "unlocked":
        assert time.monotonic() < end
        time.sleep(0.5)


def test_lock_again_changes_nothing(coffer):
    assert coffer.run("lock", "--json").json["vault"] == {
        "folder": str(coffer.vault), "state": "locked", "changed": False}


def test_unlock_with_wrong_passphrase_says_so(coffer):
    wrong = secret_file(coffer, "wrong", "not this one")
    result = coffer.run("unlock", "--passphrase-file", wrong, "--json", expect=WRONG_KEY)
    assert result.json["error"]["code"] == "wrong-key"
    assert "not this one" not in result.err + result.out
    assert result.err.startswith(f"coffer: wrong passphrase for the vault {coffer.vault}\n  cause: ")
    assert "\n  try: " in result.err
    assert coffer.run("status", "--json").json["vault"]["state"] == "locked"


def test_unlock_with_wrong_key_file_says_so(coffer):
    wrong = secret_file(coffer, "wrong", "not this one")
    result = coffer.run("unlock", "--key-file", wrong, expect=WRONG_KEY)
    assert result.err.startswith("coffer: wrong key file for the vault ")


def test_unlock_with_misspelt_recovery_key_names_the_group(coffer):
    groups = coffer.recovery.read_text().strip().split("-")
    groups[4] = groups[4][:2] + ("0" if groups[4][2] != "0" else "1") + groups[4][3:]
    wrong = secret_file(coffer, "wrong", "-".join(groups))
    result = coffer.run("unlock", "--passphrase-file", wrong, expect=WRONG_KEY)
    assert result.err.startswith("coffer: wrong recovery key for the vault ")
    assert "group 5" in result.err


def test_unlock_takes_the_passphrase_from_stdin(coffer):
    result = without_terminal(coffer, "unlock", "--passphrase-file", "-",
                              stdin=coffer.recovery.read_text())
    assert result.status == DONE


def test_unlock_takes_a_systemd_credential(coffer):
    credentials = coffer.folder / "credentials"
    credentials.mkdir()
    shutil.copy(coffer.recovery, credentials / "coffer.passphrase")
    done = subprocess.run([PROGRAM, *coffer.arguments("unlock")], check=False, timeout=60,
                          stdin=subprocess.DEVNULL, capture_output=True, start_new_session=True,
                          env=dict(os.environ, CREDENTIALS_DIRECTORY=str(credentials)))
    assert done.returncode == DONE, done.stderr


def test_unlock_dry_run_leaves_it_locked(coffer):
    assert "Would unlock" in coffer.run("unlock", "--dry-run").out
    assert coffer.run("status", "--json").json["vault"]["state"] == "locked"


def test_unlock_dry_run_names_vault_methods_and_mirrors(coffer, place):
    (coffer.root / "etc/coffer").mkdir()
    (coffer.root / "etc/coffer/coffer.conf").write_text(f"mirror = {place / 'mirror'}\n")
    told = coffer.run("unlock", "--dry-run").out
    status = coffer.run("status", "--json").json["vault"]
    assert status["uuid"] in told
    assert "slot 0 opens it: passphrase\n" in told and "slot 1 opens it: recovery\n" in told
    assert f"the mirror {place / 'mirror'} is away\n" in told
    told = coffer.run("unlock", "--dry-run", "--json").json["vault"]
    assert (told["uuid"], told["slots"]) == (status["uuid"], status["slots"])
    assert [mirror["state"] for mirror in told["mirrors"]] == ["away"]


def test_unlock_of_an_unlocked_vault_says_when_that_ends(coffer):
    coffer.run("unlock", *coffer.secret(), "--for", "90m")
    assert "is unlocked already; the agent forgets the key in 1h " in coffer.run("unlock").out
    coffer.run("lock")
    coffer.run("unlock", *coffer.secret(), "--for", "forever")
    assert "is unlocked already, until `coffer lock`." in coffer.run("unlock").out


def test_unlocked_vault_says_why_a_secret_is_needed_once_more(coffer):
    coffer.run("unlock", *coffer.secret())
    with rig.Dialogue(coffer, "enroll", "passphrase") as dialogue:
        dialogue.wait_for("Passphrase or recovery key of")
        assert "needed once more" in " ".join(dialogue.said.split())
    coffer.run("lock")
    with rig.Dialogue(coffer, "enroll", "passphrase") as dialogue:
        dialogue.wait_for("Passphrase or recovery key of")
        assert "once more" not in dialogue.said


def test_mistyped_recovery_key_is_not_put_down_to_the_keyboard(coffer):
    key = coffer.recovery.read_text()
    wrong = secret_file(coffer, "wrong", ("B" if key[0] == "A" else "A") + key[1:].strip())
    told = coffer.run("unlock", "--passphrase-file", wrong, expect=WRONG_KEY).err
    assert "group 1 of 13" in told and "group by group" in told and "keyboard" not in told
    wrong = secret_file(coffer, "wrong", "a wrong passphrase")
    assert "keyboard" in coffer.run("unlock", "--passphrase-file", wrong, expect=WRONG_KEY).err


def test_lock_dry_run_as_json_is_one_document(coffer):
    assert coffer.run("lock", "--dry-run", "--json").json["vault"]["state"] == "locked"


@pytest.mark.parametrize("words", [["unlock"], ["lock"], ["lock", "--dry-run"], ["slots"],
                                   ["key", "list"], ["passwd"], ["status", "--check"]])
def test_no_vault_is_said_with_what_makes_one(bare, words):
    result = bare.run(*words, expect=NO_DEVICE)
    assert result.err == (
        f"coffer: {bare.vault}: there is no vault, and no such folder\n"
        f"  try:   coffer --vault {bare.vault} init, or --vault with the vault's folder\n")
    assert result.out == ""


def test_empty_folder_is_no_vault(bare):
    bare.vault.mkdir()
    assert "there is no vault in this folder" in bare.run("slots", expect=NO_DEVICE).err


def test_system_without_vault_names_init(place):
    result = plain("--root", str(place), "lock")
    assert result.status == NO_DEVICE
    assert "try:   coffer init, or --vault DIR" in result.err


@pytest.mark.parametrize("words", [["unlock"], ["lock"], ["status"], ["slots"], ["status", "--check"],
                                   ["init", "--no-recovery", "--passphrase-file"]])
def test_file_as_vault_is_wrong_usage(bare, words):
    bare.vault.write_text("root:x:0:0\n")
    words = words + [bare.passphrase] if words[0] == "init" else words
    result = bare.run(*words, expect=USAGE)
    assert result.err == (f"coffer: {bare.vault}: is a file; a vault is a folder\n"
                          "  try:   --vault DIR\n")
    assert bare.vault.read_text() == "root:x:0:0\n"


@pytest.mark.parametrize("line, said", [
    ("slots --vault=", "--vault: the value is empty"), ("--vault", "--vault: needs a value"),
    ("unlock --for 3x", "--for: the value is not a duration"),
    ("unlock --quiet=x", "--quiet: takes no value"), ("disk --foo", "--foo: coffer disk has no"),
    ("slots x", "slots: takes no arguments, but 1 was given"), ("", '"": no such command')])
def test_mistake_on_the_command_line_has_cause_and_remedy(line, said):
    result = plain(*(line.split() or [""]))
    assert result.status == USAGE
    assert result.err.startswith(f"coffer: {said}") and "\n  try:   " in result.err


def test_locked_vault_with_nobody_to_ask_is_locked(coffer):
    result = without_terminal(coffer, "key", "list", "--json")
    assert result.status == LOCKED
    assert result.json["error"]["code"] == "locked"
    assert "--passphrase-file" in result.json["error"]["remedy"]


@pytest.mark.parametrize("line", ["unlock --for 10m", "enroll command /bin/true"])
def test_unlocked_vault_with_nobody_to_ask_says_what_is_needed(coffer, line):
    coffer.run("unlock", *coffer.secret())
    told = without_terminal(coffer, *line.split(), "--json")
    error = told.json["error"]
    assert told.status == LOCKED and error["remedy"] == "--passphrase-file FILE"
    assert "is unlocked, but what the agent gives out is not enough" in error["cause"]


def test_both_kinds_of_secret_at_once_are_refused(coffer):
    coffer.run("unlock", *coffer.secret(), "--key-file", coffer.recovery, expect=USAGE)


def test_wrong_answer_on_terminal_may_be_mended(coffer):
    terminal = Terminal(coffer, "unlock")
    terminal.answer("recovery key of", "wrong one")
    terminal.answer("recovery key of", coffer.recovery.read_text().strip())
    assert terminal.end() == DONE


def test_nothing_typed_is_asked_again(coffer):
    terminal = Terminal(coffer, "unlock")
    terminal.answer("recovery key of", "")
    assert "is empty" in terminal.answer("recovery key of", coffer.recovery.read_text().strip())
    assert terminal.end() == DONE


def test_nothing_typed_three_times_ends_it(coffer):
    terminal = Terminal(coffer, "unlock")
    for _ in range(3):
        terminal.answer("recovery key of", "")
    assert terminal.end() == USAGE


@pytest.mark.parametrize("columns", [60, 80])
def test_question_fits_the_screen(coffer, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    with rig.Dialogue(coffer, "revoke") as dialogue:
        dialogue.wait_for("to go on: ")
    asked = dialogue.said.replace("\r", "").splitlines()[:-1]
    assert len(asked) > 1 and max(map(len, asked)) <= columns


def test_command_of_a_remedy_stays_in_one_line(place):
    folder = place / ("long" * 15)
    told = plain("--vault", str(folder), "slots", env=dict(os.environ, COLUMNS="60"))
    assert f"  try:   coffer --vault {folder} init,\n" in told.err


@pytest.mark.slow
def test_three_wrong_answers_end_it(coffer):
    terminal = Terminal(coffer, "unlock")
    for _ in range(3):
        terminal.answer("recovery key of", "wrong one")
    assert terminal.end() == WRONG_KEY


@pytest.mark.slow
def test_typed_while_the_passphrase_is_checked_is_neither_shown_nor_taken(bare, monkeypatch):
    monkeypatch.delenv("COFFER_TEST_COST")
    bare.init()
    terminal = Terminal(bare, "unlock")
    terminal.answer("recovery key of", "wrong one")
    terminal.wait_for("\n")  # the prompt is over, and Argon2 is at work
    os.write(terminal.master, b"typed too early\n")
    assert "typed too early" not in terminal.answer("recovery key of", bare.recovery.read_text())
    assert terminal.end() == DONE


def test_interrupted_question_leaves_no_trace(coffer):
    terminal = Terminal(coffer, "unlock")
    terminal.wait_for("recovery key of")
    os.write(terminal.master, b"\x03")
    assert terminal.end() == -signal.SIGINT


# ---- slots, enroll, passwd, revoke ----

def test_slots_lists_every_method(coffer):
    table = coffer.run("slots").out
    assert "passphrase" in table and "recovery" in table
    assert "OPENED BY" in table and "a person" in table


def test_slots_tells_who_must_be_there(coffer):
    key = coffer.folder / "vault.key"
    coffer.run("enroll", "file", key, *coffer.secret())
    lines = [line for line in coffer.run("slots").out.splitlines() if " file " in line]
    assert len(lines) == 1 and "who has the file" in lines[0]
    explained = coffer.run("slots", "--help").out
    for method in ("passphrase", "recovery", "file", "tpm2", "clevis", "fido2", "pkcs11", "unknown"):
        assert f"\n    {method} " in explained


def test_enroll_passphrase_opens_the_vault(coffer):
    new = secret_file(coffer, "new", "a second passphrase")
    result = coffer.run("enroll", "passphrase", *coffer.secret(), "--new-passphrase-file", new,
                        "--label", "anna", "--json")
    slots = coffer.run("slots", "--json").json["slots"]
    added = [slot for slot in slots if slot["slot"] == result.json["slot"]]
    assert added[0]["label"] == "anna" and added[0]["method"] == "passphrase"
    assert opens(coffer, "--passphrase-file", new)
    assert opens(coffer, "--passphrase-file", coffer.passphrase)


def test_enroll_passphrase_again_changes_nothing(coffer):
    result = coffer.run("enroll", "passphrase", *coffer.secret(), "--new-passphrase-file",
                        coffer.passphrase, "--json")
    assert result.json == {"changed": False}
    assert len(coffer.run("slots", "--json").json["slots"]) == 2


@pytest.mark.slow
def test_enroll_reads_both_from_stdin(coffer):
    result = without_terminal(coffer, "enroll", "passphrase", "--passphrase-file", "-",
                              "--new-passphrase-file", "-",
                              stdin=coffer.recovery.read_text() + "from a pipe\n")
    assert result.status == DONE, result
    assert opens(coffer, "--passphrase-file", secret_file(coffer, "pipe", "from a pipe"))


def test_enroll_with_wrong_secret_adds_nothing(coffer):
    wrong = secret_file(coffer, "wrong", "not this one")
    coffer.run("enroll", "recovery", "--passphrase-file", wrong, "--out", coffer.folder / "r2",
               expect=WRONG_KEY)
    assert not (coffer.folder / "r2").exists()
    assert len(coffer.run("slots", "--json").json["slots"]) == 2


def test_enroll_recovery_opens_the_vault(coffer):
    second = coffer.folder / "second"
    coffer.run("enroll", "recovery", *coffer.secret(), "--out", second)
    assert mode_of(second) == 0o600
    assert opens(coffer, "--passphrase-file", second)
    again = coffer.run("enroll", "recovery", *coffer.secret(), "--out", second, "--json")
    assert again.json == {"changed": False}


def test_enroll_recovery_without_terminal_wants_a_file(coffer):
    result = without_terminal(coffer, "enroll", "recovery", *coffer.secret())
    assert result.status == REFUSED
    assert "--out" in result.err


def test_enroll_file_makes_a_key_file(coffer):
    key = coffer.folder / "vault.key"
    said = coffer.run("enroll", "file", key, *coffer.secret()).out
    assert f"Made the key file {key} of 64 random bytes" in " ".join(said.split())
    assert mode_of(key) == 0o600 and key.stat().st_size == 64
    assert opens(coffer, "--key-file", key)
    assert coffer.run("enroll", "file", key, *coffer.secret(), "--json").json == {
        "changed": False}


@pytest.mark.slow
def test_enroll_file_takes_a_file_that_is_there(coffer):
    key = coffer.folder / "mine.key"
    key.write_bytes(b"any bytes\nat all\0")
    coffer.run("enroll", "file", key, *coffer.secret())
    assert key.read_bytes() == b"any bytes\nat all\0"
    assert opens(coffer, "--key-file", key)


def test_enroll_dry_run_adds_nothing(coffer):
    coffer.run("enroll", "file", coffer.folder / "none", "--dry-run")
    assert not (coffer.folder / "none").exists()
    assert len(coffer.run("slots", "--json").json["slots"]) == 2


def test_passwd_replaces_the_passphrase(coffer):
    new = secret_file(coffer, "new", "another passphrase")
    change = ["passwd", "--passphrase-file", coffer.passphrase, "--new-passphrase-file", new]
    assert "coffer revoke" in coffer.run(*change).err
    assert opens(coffer, "--passphrase-file", new)
    assert not opens(coffer, "--passphrase-file", coffer.passphrase)
    assert opens(coffer, *coffer.secret())
    assert coffer.run(*change, "--json").json["vault"]["changed"] is False


def test_passwd_to_the_same_passphrase_is_refused(coffer):
    result = coffer.run("passwd", "--passphrase-file", coffer.passphrase, "--new-passphrase-file",
                        coffer.passphrase, expect=USAGE)
    assert "opens the vault now" in result.err


def revoke(coffer, *more, **options):
    new = secret_file(coffer, "new", "after the theft")
    uuid = coffer.run("status", "--json").json["vault"]["uuid"]
    return coffer.run("revoke", *coffer.secret(), "--new-passphrase-file", new, "--recovery-out",
                      coffer.folder / "recovery2", "--yes-destroy", uuid, *more, **options)


def test_revoke_leaves_only_the_new_secrets(coffer):
    coffer.run("unlock", *coffer.secret())
    revoke(coffer)
    status = coffer.run("status", "--json").json
    assert status["vault"]["epoch"] == 2 and status["vault"]["state"] == "locked"
    assert not opens(coffer, "--passphrase-file", coffer.passphrase)
    assert not opens(coffer, *coffer.secret())
    assert opens(coffer, "--passphrase-file", coffer.folder / "new")
    assert opens(coffer, "--passphrase-file", coffer.folder / "recovery2")


def test_revoke_says_that_it_is_done_before_what_follows_from_it(coffer):
    coffer.run("unlock", *coffer.secret())
    uuid = coffer.run("status", "--json").json["vault"]["uuid"]
    words = ["revoke", *coffer.secret(), "--new-passphrase-file",
             secret_file(coffer, "new", "after the theft"), "--no-recovery", "--yes-destroy", uuid]
    with rig.Dialogue(coffer, *words) as dialogue:
        dialogue.wait_for("vault is locked now")
        assert "has a new root key" in dialogue.said.split("vault is locked now")[0]


def test_revoke_says_so_when_it_takes_the_key_that_a_killed_one_left(coffer):
    revoke(coffer, expect=None, fault="kill:recovery/handed-over")
    left = (coffer.folder / "recovery2").read_text()
    assert opens(coffer, *coffer.secret())
    assert f"{coffer.folder / 'recovery2'} was there already" in revoke(coffer).err
    assert (coffer.folder / "recovery2").read_text() == left
    assert opens(coffer, "--passphrase-file", coffer.folder / "recovery2")


@pytest.mark.slow
def test_revoke_again_changes_nothing(coffer):
    revoke(coffer)
    assert revoke(coffer, "--json").json["vault"]["changed"] is False
    assert coffer.run("status", "--json").json["vault"]["epoch"] == 2


def test_revoke_unconfirmed_is_refused(coffer):
    new = secret_file(coffer, "new", "after the theft")
    result = without_terminal(coffer, "revoke", *coffer.secret(), "--new-passphrase-file", new,
                              "--no-recovery", "--json")
    assert result.status == REFUSED
    uuid = coffer.run("status", "--json").json["vault"]["uuid"]
    assert result.json["error"]["remedy"] == f"--yes-destroy {uuid}"
    assert opens(coffer, *coffer.secret())


def test_revoke_on_terminal_ignores_what_was_typed_before_the_question(coffer):
    uuid = coffer.run("status", "--json").json["vault"]["uuid"]
    words = ["revoke", *coffer.secret(), "--new-passphrase-file", coffer.recovery, "--no-recovery"]
    with rig.Dialogue(coffer, *words, ahead=uuid + "\n") as dialogue:
        dialogue.wait_for("to go on: ")
        assert dialogue.answer("no") == REFUSED
        assert "not confirmed" in dialogue.said
    assert opens(coffer, *coffer.secret())


def test_revoke_on_terminal_takes_no_second_answer_from_a_long_line(coffer):
    with rig.Dialogue(coffer, "revoke", "--no-recovery") as dialogue:
        dialogue.wait_for("to go on: ")
        assert dialogue.answer("x" * 600) == REFUSED


def test_revoke_keeps_the_recovery_key_out_of_the_vault(coffer):
    new = secret_file(coffer, "new", "after the theft")
    uuid = coffer.run("status", "--json").json["vault"]["uuid"]
    result = coffer.run("revoke", *coffer.secret(), "--new-passphrase-file", new, "--recovery-out",
                        coffer.vault / "recovery", "--yes-destroy", uuid, expect=REFUSED)
    assert "in the vault" in result.err
    assert not (coffer.vault / "recovery").exists()


def test_revoke_does_not_bring_the_old_recovery_key_back(coffer):
    new = secret_file(coffer, "new", "after the theft")
    uuid = coffer.run("status", "--json").json["vault"]["uuid"]
    result = coffer.run("revoke", *coffer.secret(), "--new-passphrase-file", new,
                        "--recovery-out", coffer.recovery, "--yes-destroy", uuid, expect=REFUSED)
    assert "is to be revoked" in result.err
    assert opens(coffer, *coffer.secret())


@pytest.mark.slow
def test_revoke_makes_an_old_header_worthless(coffer):
    old = (coffer.vault / "root.luks").read_bytes()
    revoke(coffer)
    (coffer.vault / "root.luks").write_bytes(old)
    result = coffer.run("key", "list", *coffer.secret(), expect=None)
    assert result.status == rig.DAMAGED, result


# ---- keys ----

def test_key_list_is_empty_in_a_new_vault(coffer):
    assert coffer.run("key", "list", "--json", *coffer.secret()).json == {"keys": []}


def test_key_export_opens_the_disk_without_coffer(coffer, disk):
    coffer.format(disk)
    coffer.close(disk)
    names = [(key["kind"], key["name"]) for key in
             coffer.run("key", "list", "--json", *coffer.secret()).json["keys"]]
    assert ("disk", disk.volume) in names
    key = coffer.folder / "exported"
    coffer.run("key", "export", disk.volume, "--out", key, *coffer.secret())
    assert mode_of(key) == 0o600
    tool("cryptsetup", "open", "--test-passphrase", "--key-file", key, disk.node)


def test_key_export_never_overwrites(coffer, disk):
    coffer.format(disk)
    coffer.close(disk)
    coffer.run("key", "export", disk.volume, "--out", coffer.passphrase, *coffer.secret(),
               expect=REFUSED)
    assert coffer.passphrase.read_text() == "correct horse battery staple\n"


def test_key_export_needs_a_file(coffer):
    coffer.run("key", "export", "disk/x", *coffer.secret(), expect=USAGE)


def test_key_show_without_terminal_is_refused(coffer):
    result = without_terminal(coffer, "key", "show", "disk/x", *coffer.secret())
    assert result.status == REFUSED
    assert result.out == ""


def test_key_show_on_terminal_shows_hex_after_a_warning(coffer, disk):
    coffer.format(disk)
    coffer.close(disk)
    key = coffer.folder / "exported"
    coffer.run("key", "export", disk.volume, "--out", key, *coffer.secret())
    terminal = Terminal(coffer, "key", "show", disk.volume, *coffer.secret())
    before = terminal.answer("Press Enter", "")
    assert terminal.end() == DONE
    assert key.read_bytes().hex() not in before
    assert key.read_bytes().hex() in terminal.shown.replace("\r\n", "")


def test_key_history_lists_generations(coffer, disk):
    coffer.format(disk)
    coffer.close(disk)
    keys = coffer.run("key", "history", "disk/" + disk.volume, "--json",
                      *coffer.secret()).json["keys"]
    assert keys[0]["bytes"] == 64
    assert [key["generation"] for key in keys] == sorted(
        (key["generation"] for key in keys), reverse=True)
    told = coffer.run("key", "history", disk.volume, *coffer.secret()).out
    assert "not kept" in told and "Not kept are generations that had the key" in told


def test_unknown_key_is_not_found(coffer):
    for verb in (["history", "nothing"], ["export", "nothing", "--out", coffer.folder / "x"]):
        result = coffer.run("key", *verb, "--json", *coffer.secret(), expect=NO_DEVICE)
        assert json.loads(result.out)["error"]["code"] == "not-found"
    assert not (coffer.folder / "x").exists()
