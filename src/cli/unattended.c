/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unlocking with what needs nobody who knows a secret, before a person is asked.
 */

#include <string.h>

#include "log.h"
#include "passphrase.h"
#include "unattended.h"
#include "unlocking.h"

/* A method as a person reads it: "tang, slot 2 (http://server)"; returns @out. */
static const char *way_words(const struct vault_way *way, char *out, size_t room)
{
	(void)snprintf(out, room, "%s, slot %d%s%s%s", way->method, way->slot,
		       way->detail[0] ? " (" : "", way->detail, way->detail[0] ? ")" : "");
	return out;
}

/* Tries one; hardware that asks for a PIN gets it from the person at the terminal. */
static cof_result try_way(const struct cli_call *call, struct vault *vault,
			  const struct vault_way *way, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *pin = NULL;
	cof_result unlocked;

	if (way->kind == VAULT_WAY_FIDO2 && cli_on_terminal(call))
		log_notice("if a FIDO2 token is plugged in, touch it when it blinks");
	unlocked = vault_unlock_way(vault, way, NULL, err);
	if (unlocked.code != COF_E_LOCKED || !way->asks_pin || !cli_on_terminal(call))
		return unlocked;
	TRY(passphrase_ask(way->kind == VAULT_WAY_TPM2 ? "PIN of the TPM"
						       : "PIN of the FIDO2 token",
			   false, &pin, err));
	return vault_unlock_way(vault, way, pin, err);
}

/* Says why a method did not open the vault, in one line and its remedy. */
static void report_way(const struct cli_call *call, const char *words, const struct cof_error *why)
{
	if (call->quiet)
		return;
	log_notice("%s did not open the vault: %s %s%s%s%s%s", words, why->subject, why->text,
		   why->cause[0] ? ": " : "", why->cause, why->remedy[0] ? "; try: " : "",
		   why->remedy);
}

/* Tries all methods, or those of one name, in their order; @err gets why the last one failed. */
static cof_result try_ways(struct cli_call *call, struct vault *vault, const char *method,
			   size_t *ret_tried, struct cof_error *err)
{
	_cleanup_free_ struct vault_way *ways = NULL;
	char words[VAULT_DETAIL_BYTES + 64];
	size_t count = 0;

	*ret_tried = 0;
	TRY(vault_ways(vault, &ways, &count, err));
	for (size_t i = 0; i < count; i++) {
		struct cof_error why = { 0 };

		if (method && strcmp(ways[i].method, method) != 0)
			continue;
		/* With --method, why the last one failed is the failure of all. */
		if (method && *ret_tried > 0)
			report_way(call, words, err);
		(*ret_tried)++;
		(void)way_words(&ways[i], words, sizeof(words));
		if (!cof_failed(try_way(call, vault, &ways[i], &why))) {
			cli_say(call, "Opened by %s.", words);
			return COF_OK;
		}
		if (!method)
			report_way(call, words, &why);
		*err = why;
	}
	return COF_OK;
}

/* Refuses options that say different things. */
static cof_result check_options(const struct cli_call *call, const char *method,
				struct cof_error *err)
{
	static const char *const names[] = { "tpm2", "tang", "clevis", "command", "fido2" };
	bool known = !method;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		known = known || strcmp(method, names[i]) == 0;
	if (!known) {
		cof_ignore(cof_raise(
			err, COF_E_USAGE, method,
			"is no method that needs nobody (tpm2, tang, clevis, command, fido2)"));
		cof_error_try(err, "coffer slots, which shows the methods of this vault; a "
				   "security token is fido2");
		return (cof_result){ COF_E_USAGE };
	}
	ENSURE(!method || !cli_flag(call, "no-unattended"), err, COF_E_USAGE, "--method",
	       "does not go with --no-unattended");
	ENSURE(!method || !cli_is_given(call), err, COF_E_USAGE, "--method",
	       "does not go with --passphrase-file or --key-file");
	return COF_OK;
}

/* Raises that --method found nothing that opens. */
static cof_result raise_method(const struct cli_call *call, const char *method, size_t tried,
			       struct cof_error *err)
{
	cof_result result = err && tried > 0
				    ? (cof_result){ err->code }
				    : cof_raise(err, COF_E_NOENT, method,
						"the vault has no unlock method of this name");

	return cof_explain(result, err,
			   tried > 0 ? "coffer unlock, which asks for the passphrase when nothing "
				       "else opens the vault"
				     : "coffer slots, which shows those that there are",
			   "cannot unlock vault %s", call->paths->vault_dir);
}

cof_result cli_unlock_somehow(struct cli_call *call, struct vault *vault, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *secret = NULL;
	const char *method = cli_value(call, "method");
	struct cof_error why = { 0 };
	size_t tried = 0;

	TRY(check_options(call, method, err));
	if (!cli_is_given(call) && !cli_flag(call, "no-unattended"))
		TRY(try_ways(call, vault, method, &tried, &why));
	if (vault_is_unlocked(vault))
		return COF_OK;
	if (method) {
		cof_result failed = raise_method(call, method, tried, &why);

		if (err)
			*err = why;
		return failed;
	}
	return cli_ask_existing(call, vault, &secret, err);
}
