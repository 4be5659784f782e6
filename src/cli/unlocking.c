/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a verb gets at the vault: given secrets, the agent, a credential, or a person.
 */

#include <string.h>
#include <sys/stat.h>

#include "agent.h"
#include "file.h"
#include "log.h"
#include "parse.h"
#include "passphrase.h"
#include "recovery.h"
#include "silence.h"
#include "unlocking.h"

char *cli_uuid_format(const uint8_t uuid[static VAULT_UUID_BYTES], char out[static 37])
{
	char *at = out;

	for (size_t i = 0; i < VAULT_UUID_BYTES; i++)
		at += snprintf(at, 4, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
			       uuid[i]);
	return out;
}

/* The value of an option that not every verb has. */
static const char *optional_value(const struct cli_call *call, const char *option)
{
	return cli_find_offered(call->verb, option) ? cli_value(call, option) : NULL;
}

/* The value of one of the two options for the vault's secret. Where a verb takes a disk's secret
 * too, that has the short names, and the vault's the one that says whose it is. */
static const char *vault_value(const struct cli_call *call, const char *option)
{
	if (!cli_find_offered(call->verb, CLI_VAULT_PASSPHRASE))
		return optional_value(call, option);
	return strcmp(option, "passphrase-file") == 0 ? cli_value(call, CLI_VAULT_PASSPHRASE)
						      : NULL;
}

/* The option for a secret of the vault that a person would type. */
static const char *vault_option(const struct cli_call *call)
{
	return cli_find_offered(call->verb, CLI_VAULT_PASSPHRASE) ? CLI_VAULT_PASSPHRASE
								  : "passphrase-file";
}

/* The secret that the command line names; found is false when it names none. */
static cof_result read_given(const struct cli_call *call, struct slot_secret **ret_secret,
			     bool *ret_found, struct cof_error *err)
{
	const char *passphrase_file = vault_value(call, "passphrase-file");
	const char *key_file = vault_value(call, "key-file");

	ENSURE(!passphrase_file || !key_file, err, COF_E_USAGE, "--key-file",
	       "does not go with --passphrase-file");
	if (passphrase_file)
		TRY(passphrase_read(passphrase_file, ret_secret, err));
	else if (key_file)
		TRY(keyfile_read(key_file, ret_secret, err));

	*ret_found = passphrase_file || key_file;
	return COF_OK;
}

bool cli_is_given(const struct cli_call *call)
{
	return vault_value(call, "passphrase-file") || vault_value(call, "key-file");
}

/* What a secret that opened nothing was meant to be. */
static const char *meant_as(const struct cli_call *call, const struct slot_secret *secret)
{
	if (vault_value(call, "key-file"))
		return "key file";
	return recovery_looks_like(slot_secret_span(secret)) ? "recovery key" : "passphrase";
}

/* What to do about a secret of that kind which opened nothing. */
static const char *remedy_for(const char *kind)
{
	if (strcmp(kind, "recovery key") == 0)
		return "again, as it was written down, group by group; one from before `coffer "
		       "revoke` opens nothing any more; `coffer slots` shows what does";
	if (strcmp(kind, "key file") == 0)
		return "another file, or another secret: `coffer slots` shows what opens the vault";
	return "again, minding the keyboard's layout and capitals; or another secret: `coffer "
	       "slots` shows what opens the vault";
}

/* Unlocks with a secret, and says which vault it was when that fails. */
static cof_result unlock_with(const struct cli_call *call, struct vault *vault,
			      const struct slot_secret *secret, struct cof_error *err)
{
	cof_result unlocked = vault_unlock(vault, secret, NULL, err);

	if (unlocked.code == COF_E_KEY)
		return cof_explain(unlocked, err, remedy_for(meant_as(call, secret)),
				   "wrong %s for the vault %s", meant_as(call, secret),
				   call->paths->vault_dir);
	return cof_explain(unlocked, err, NULL, "cannot unlock vault %s", call->paths->vault_dir);
}

/* The vault that a secret is to open. */
struct unlocking {
	const struct cli_call *call;
	struct vault *vault;
};

/* A cli_try for it. */
static cof_result try_vault(const struct slot_secret *secret, void *context, struct cof_error *err)
{
	const struct unlocking *unlocking = context;

	return unlock_with(unlocking->call, unlocking->vault, secret, err);
}

/* Asks for one passphrase; where nobody can be asked, it is just locked. */
static cof_result ask_once(const char *subject, struct slot_secret **ret_secret,
			   struct cof_error *err)
{
	char prompt[320];
	cof_result asked;

	(void)snprintf(prompt, sizeof(prompt), "Passphrase or recovery key of %s", subject);
	asked = passphrase_ask(prompt, false, ret_secret, err);
	if (asked.code != COF_E_UNSUPPORTED)
		return asked;
	return cof_raise(err, COF_E_LOCKED, subject,
			 "is locked, and there is no terminal to ask on");
}

/* Asks and tries; a wrong answer may be mended twice. Nothing that is typed meanwhile shows. */
static cof_result ask_and_try(const char *subject, cli_try try, void *context,
			      struct slot_secret **ret_secret, struct cof_error *err)
{
	_cleanup_silence_ bool silent = silence_begin();

	for (unsigned int attempt = 1;; attempt++) {
		_cleanup_(slot_secret_freep) struct slot_secret *secret = NULL;
		struct cof_error failure = { 0 };
		cof_result unlocked;

		unlocked = ask_once(subject, &secret, &failure);
		if (!cof_failed(unlocked))
			unlocked = try(secret, context, &failure);
		/* COF_E_USAGE: nothing was typed, or too much. */
		if ((unlocked.code == COF_E_KEY || (!secret && unlocked.code == COF_E_USAGE)) &&
		    attempt < CLI_TRIES) {
			cli_report(&failure);
			continue;
		}
		if (cof_failed(unlocked)) {
			if (err)
				*err = failure;
			return unlocked;
		}
		*ret_secret = TAKE(secret);
		return COF_OK;
	}
}

/* Tries the systemd credential, or asks. */
static cof_result try_by_person(const char *subject, cli_try try, void *context,
				struct slot_secret **ret_secret, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *secret = NULL;
	bool found;

	TRY(passphrase_from_credential(CLI_CREDENTIAL, &secret, &found, err));
	if (found)
		TRY(try(secret, context, err));
	else
		TRY(ask_and_try(subject, try, context, &secret, err));

	*ret_secret = TAKE(secret);
	return COF_OK;
}

cof_result cli_open_with(const struct cli_call *call, const char *subject, cli_try try,
			 void *context, struct slot_secret **ret_secret, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *secret = NULL;
	bool given;

	TRY(read_given(call, &secret, &given, err));
	if (given)
		TRY(try(secret, context, err));
	else
		TRY(cof_explain(try_by_person(subject, try, context, &secret, err), err,
				"--passphrase-file FILE", "cannot open %s", subject));

	*ret_secret = TAKE(secret);
	return COF_OK;
}

/* Unlocks the vault with the systemd credential or by asking. */
static cof_result unlock_by_person(const struct cli_call *call, struct vault *vault,
				   struct slot_secret **ret_secret, struct cof_error *err)
{
	struct unlocking unlocking = { call, vault };
	cof_result unlocked =
		try_by_person(call->paths->vault_dir, try_vault, &unlocking, ret_secret, err);

	if (unlocked.code == COF_E_LOCKED && err && !err->remedy[0]) {
		unlocked = cof_raise(err, COF_E_LOCKED, call->paths->vault_dir,
				     "the vault is locked, and there is no terminal to ask on");
		cof_error_try(err, "coffer unlock, or --%s FILE", vault_option(call));
	}
	return unlocked;
}

/* Unlocks through an agent that holds this vault's present root key; one that holds another
 * vault's, or the key from before a revocation, is passed over. */
static cof_result unlock_by_agent(const struct cli_call *call, struct vault *vault,
				  bool *ret_unlocked, struct cof_error *err)
{
	struct agent_status status = { 0 };
	struct key_source source;
	bool unlocked = false;

	TRY(agent_query(call->paths, &status, err));
	if (status.running && status.unlocked && status.epoch == vault_epoch(vault) &&
	    memcmp(status.uuid, vault_uuid(vault), VAULT_UUID_BYTES) == 0)
		TRY(agent_key_source(call->paths, &source, &unlocked, err));
	if (unlocked)
		TRY(cof_explain(vault_unlock_from(vault, source, err), err, NULL,
				"cannot unlock vault %s", call->paths->vault_dir));

	*ret_unlocked = unlocked;
	return COF_OK;
}

bool cli_vault_by_agent(const struct cli_call *call, struct vault **ret_vault)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	bool unlocked = false;

	if (cof_failed(vault_open(call->paths, &vault, NULL)) ||
	    cof_failed(unlock_by_agent(call, vault, &unlocked, NULL)) || !unlocked)
		return false;
	*ret_vault = TAKE(vault);
	return true;
}

cof_result cli_check_folder(const struct cli_call *call, struct cof_error *err)
{
	struct stat place;
	cof_result failure;

	if (stat(call->paths->vault_dir, &place) < 0 || S_ISDIR(place.st_mode))
		return COF_OK;
	failure = cof_raise(err, COF_E_USAGE, call->paths->vault_dir,
			    "is a file; a vault is a folder");
	cof_error_try(err, "--vault DIR");
	return failure;
}

cof_result cli_raise_absent(const struct cli_call *call, struct cof_error *err)
{
	const char *folder = call->paths->vault_dir;
	cof_result failure;

	TRY(cli_check_folder(call, err));
	failure = cof_raise(err, COF_E_NOENT, folder, "%s",
			    path_exists(folder) ? "there is no vault in this folder"
						: "there is no vault, and no such folder");
	if (vault_copies_explain(call->paths, err))
		return failure;
	if (call->paths->vault_is_default)
		cof_error_try(err, "coffer init, or --vault DIR for a vault elsewhere");
	else
		cof_error_try(err, "coffer --vault %s init, or --vault with the vault's folder",
			      folder);
	return failure;
}

cof_result cli_open_vault(struct cli_call *call, bool unlocked, struct vault **ret_vault,
			  struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *secret = NULL;
	bool done = !unlocked;
	cof_result opened;

	opened = vault_open(call->paths, &vault, err);
	/* Unless it says already where there is a copy. */
	if (opened.code == COF_E_NOENT && !vault_exists(call->paths) && err && !err->cause[0])
		return cli_raise_absent(call, err);
	TRY(opened);
	if (!done) {
		TRY(read_given(call, &secret, &done, err));
		if (done)
			TRY(unlock_with(call, vault, secret, err));
	}
	if (!done)
		TRY(unlock_by_agent(call, vault, &done, err));
	if (!done)
		TRY(unlock_by_person(call, vault, &secret, err));

	*ret_vault = TAKE(vault);
	return COF_OK;
}

bool cli_secret_is_given(const struct cli_call *call)
{
	return vault_value(call, "passphrase-file") || vault_value(call, "key-file");
}

cof_result cli_check_given(const struct cli_call *call, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *secret = NULL;
	const char *file = optional_value(call, "passphrase-file");
	bool found;

	if (!file)
		file = optional_value(call, "key-file");
	if (file && strcmp(file, "-") == 0)
		return COF_OK;
	return read_given(call, &secret, &found, err);
}

void cli_warn_readable(const struct cli_call *call, const char *key_file)
{
	struct stat status;

	if (call->quiet || strcmp(key_file, "-") == 0 || stat(key_file, &status) != 0 ||
	    !S_ISREG(status.st_mode) || (status.st_mode & (S_IRWXG | S_IRWXO)) == 0)
		return;
	log_notice("the key file %s has mode %04o: others than its owner may use it; chmod 600 %s",
		   key_file, (unsigned int)(status.st_mode & 07777), key_file);
}

/* Whether an agent has a root key. */
static bool agent_has_key(const struct cli_call *call)
{
	struct agent_status status = { 0 };

	return !cof_failed(agent_query(call->paths, &status, NULL)) && status.unlocked;
}

/* Where nobody can be asked for what the agent's key does not replace, `coffer unlock` is no help.
 */
static cof_result explain_unasked(const struct cli_call *call, cof_result failed,
				  struct cof_error *err)
{
	const char *option = vault_option(call);

	if (failed.code != COF_E_LOCKED || cli_on_terminal(call) || !agent_has_key(call))
		return failed;
	cof_ignore(cof_raise(err, COF_E_LOCKED, call->paths->vault_dir,
			     "a secret that opens the vault is needed for this, and there is no "
			     "terminal to ask on"));
	cof_error_cause(err, "the vault is unlocked, but what the agent gives out is not enough");
	cof_error_try(err, "--%s FILE", option);
	return failed;
}

/* Who has just unlocked the vault does not expect to be asked once more. */
static void say_why_asked(const struct cli_call *call)
{
	if (call->quiet || !cli_on_terminal(call) || !agent_has_key(call))
		return;
	log_notice("the vault is unlocked, but what the agent gives out is not enough for this: a "
		   "secret that opens the vault now is needed once more");
}

cof_result cli_ask_existing(struct cli_call *call, struct vault *vault,
			    struct slot_secret **ret_existing, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *secret = NULL;
	bool given;

	TRY(read_given(call, &secret, &given, err));
	if (!given)
		say_why_asked(call);
	if (given)
		TRY(unlock_with(call, vault, secret, err));
	else
		TRY(explain_unasked(call, unlock_by_person(call, vault, &secret, err), err));

	*ret_existing = TAKE(secret);
	return COF_OK;
}
