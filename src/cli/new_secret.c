/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * New passphrases and recovery keys, and what opens the vault already.
 */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "fault.h"
#include "file.h"
#include "log.h"
#include "parse.h"
#include "passphrase.h"
#include "recovery.h"
#include "strength.h"
#include "unlocking.h"

/* Has a new passphrase typed twice; who mistypes it may do so again. */
static cof_result ask_typed(const char *option, struct slot_secret **ret_passphrase,
			    struct cof_error *err)
{
	for (unsigned int attempt = 1;; attempt++) {
		struct cof_error failure = { 0 };
		cof_result asked = passphrase_ask("New passphrase", true, ret_passphrase, &failure);

		if (asked.code == COF_E_USAGE && attempt < CLI_TRIES) {
			cli_report(&failure);
			continue;
		}
		if (asked.code == COF_E_UNSUPPORTED)
			cof_error_try(&failure, "--%s FILE", option);
		if (cof_failed(asked) && err)
			*err = failure;
		return asked;
	}
}

/* Says of a weak passphrase that it is one. A person decides about it; a script is only warned. */
static cof_result settle_weakness(const struct cli_call *call, struct span passphrase, bool typed,
				  bool *ret_taken, struct cof_error *err)
{
	const char *weakness = passphrase_weakness(passphrase);
	bool asked = weakness && typed && cli_on_terminal(call);
	bool taken = true;

	if (weakness && (asked || !call->quiet))
		log_notice("the new passphrase is weak: %s", weakness);
	if (asked)
		TRY(cli_ask_yes("Take it all the same? Type yes, or press Enter for another one: ",
				&taken, err));

	*ret_taken = taken;
	return COF_OK;
}

cof_result cli_ask_new(struct cli_call *call, const char *option,
		       struct slot_secret **ret_passphrase, struct cof_error *err)
{
	const char *file = cli_value(call, option);

	for (;;) {
		_cleanup_(slot_secret_freep) struct slot_secret *passphrase = NULL;
		bool taken;

		if (file)
			TRY(passphrase_read(file, &passphrase, err));
		else
			TRY(ask_typed(option, &passphrase, err));
		TRY(settle_weakness(call, slot_secret_span(passphrase), !file, &taken, err));
		if (taken) {
			*ret_passphrase = TAKE(passphrase);
			return COF_OK;
		}
	}
}

/* Reads a recovery key back from the file that an earlier run wrote. */
static cof_result read_recovery(const char *file, struct slot_secret **ret_recovery,
				struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *text = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *recovery = NULL;
	struct stat stat_of;
	cof_result parsed;

	if (stat(file, &stat_of) != 0)
		return cof_raise_errno(err, errno, file, "cannot be looked at");
	ENSURE(S_ISREG(stat_of.st_mode), err, COF_E_REFUSED, file,
	       "is there already and is no regular file");
	ENSURE((stat_of.st_mode & 077) == 0, err, COF_E_REFUSED, file,
	       "is there already with mode %04o, so that others may have read it",
	       (unsigned int)stat_of.st_mode & 07777);
	parsed = passphrase_read(file, &text, NULL);
	if (!cof_failed(parsed))
		parsed = recovery_parse(slot_secret_span(text), &recovery, NULL);
	if (cof_failed(parsed)) {
		parsed = cof_raise(err, COF_E_REFUSED, file,
				   "is there already and holds something else than a recovery key");
		cof_error_try(err, "another file; this one was not changed");
		return parsed;
	}

	*ret_recovery = TAKE(recovery);
	return COF_OK;
}

/* Raises that a recovery key can neither be shown nor written. */
static cof_result raise_no_place(const struct cli_call *call, struct cof_error *err)
{
	cof_result failure =
		cof_raise(err, COF_E_REFUSED, "recovery key",
			  "there is no terminal to show it on, and nobody told where to write it");

	if (cli_find_offered(call->verb, "recovery-out"))
		cof_error_try(err, "--recovery-out FILE, or --no-recovery");
	else
		cof_error_try(err, "--out FILE");
	return failure;
}

/* Shows a recovery key to the person at the terminal, from its locked memory. */
static cof_result show_recovery(struct cli_call *call, const struct slot_secret *recovery,
				struct cof_error *err)
{
	static const char before[] =
		"\nThe recovery key opens the vault when all else is lost. It is shown once:\n\n  ";
	static const char after[] = "\n\nWrite it down and keep it away from this machine.\n"
				    "Press Enter when that is done (Ctrl-C: nothing is changed). ";

	if (!cli_on_terminal(call))
		return raise_no_place(call, err);
	TRY(fd_write_all(STDERR_FILENO, span_of_text(before), "terminal", err));
	TRY(fd_write_all(STDERR_FILENO, slot_secret_span(recovery), "terminal", err));
	return cli_wait_enter(after, err);
}

cof_result cli_new_recovery(struct cli_call *call, const char *file,
			    struct slot_secret **ret_recovery, bool *ret_reused,
			    struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *recovery = NULL;
	bool reused = file && path_exists(file);

	if (reused) {
		TRY(read_recovery(file, &recovery, err));
	} else {
		TRY(recovery_generate(&recovery, err));
		if (file)
			TRY(keyfile_write(file, slot_secret_span(recovery), "\n", err));
		else
			TRY(show_recovery(call, recovery, err));
	}
	TRY(fault_point("recovery/handed-over", err));

	*ret_recovery = TAKE(recovery);
	*ret_reused = reused;
	return COF_OK;
}

/* A recovery key beside the vault that it opens would be lost, or stolen, together with it. */
static cof_result check_recovery_place(const struct cli_call *call, const char *file,
				       struct cof_error *err)
{
	_cleanup_free_ char *copy = NULL;
	_cleanup_free_ char *folder = NULL;
	_cleanup_free_ char *vault = realpath(call->paths->vault_dir, NULL);
	char *slash;
	size_t len;

	if (!vault)
		return COF_OK;
	copy = strdup(file);
	ENSURE(copy, err, COF_E_NOMEM, file, "no memory left");
	slash = strrchr(copy, '/');
	if (slash)
		slash[slash == copy] = '\0';
	folder = realpath(slash ? copy : ".", NULL);
	len = strlen(vault);
	ENSURE(!folder || strncmp(folder, vault, len) != 0 ||
		       (folder[len] != '\0' && folder[len] != '/'),
	       err, COF_E_REFUSED, file, "the recovery key would lie in the vault that it opens");
	return COF_OK;
}

cof_result cli_check_recovery(const struct cli_call *call, struct cof_error *err)
{
	const char *file = cli_value(call, "recovery-out");
	bool none = cli_flag(call, "no-recovery");

	ENSURE(!file || !none, err, COF_E_USAGE, "--no-recovery",
	       "does not go with --recovery-out");
	if (file)
		TRY(check_recovery_place(call, file, err));
	if (!file && !none && !call->dry_run && !cli_on_terminal(call))
		return raise_no_place(call, err);
	return COF_OK;
}

cof_result cli_opens(struct cli_call *call, const struct slot_secret *secret, bool *ret_opens,
		     struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	cof_result unlocked;

	TRY(vault_open(call->paths, &vault, err));
	unlocked = vault_unlock(vault, secret, NULL, err);
	if (cof_failed(unlocked) && unlocked.code != COF_E_KEY)
		return unlocked;

	*ret_opens = !cof_failed(unlocked);
	return COF_OK;
}

/* Whether a vault's slots for people show that it was made without Argon2. */
static bool slots_are_fips(const struct vault_slot *slots, size_t count)
{
	bool people = false;

	for (size_t i = 0; i < count; i++) {
		if (strncmp(slots[i].pbkdf, "argon2", 6) == 0)
			return false;
		people = people || strcmp(slots[i].method, "passphrase") == 0;
	}
	return people;
}

cof_result cli_is_fips(struct cli_call *call, struct vault *vault, bool *ret_fips,
		       struct cof_error *err)
{
	_cleanup_free_ struct vault_slot *slots = NULL;
	size_t count = 0;

	TRY(vault_slots(vault, &slots, &count, err));

	*ret_fips = cli_flag(call, "fips") || slots_are_fips(slots, count);
	return COF_OK;
}
