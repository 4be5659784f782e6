/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `coffer enroll passphrase|recovery|file`: one more unlock method.
 */

#include "file.h"
#include "log.h"
#include "passphrase.h"
#include "unlocking.h"
#include "verbs.h"

#define KEYFILE_RANDOM_BYTES 64 /* as many as the root key has */

void cli_show_slot(struct cli_call *call, int slot, bool changed)
{
	struct json *document = json_new_object();

	if (changed)
		json_set_uint(document, "slot", (uint64_t)slot);
	json_set_bool(document, "changed", changed);
	cli_show(call, document);
}

/* Where a method that a verb would add stands. */
struct method {
	enum vault_method method;
	const char *label;
	bool strong;
};

/* Adds the secret, unless an earlier run has done so already; one that was cut off is finished. */
static cof_result enroll(struct cli_call *call, struct vault *vault,
			 const struct slot_secret *existing, const struct method *method,
			 const struct slot_secret *secret, struct cof_error *err)
{
	bool fips;
	int slot;

	TRY(cli_is_fips(call, vault, &fips, err));
	if (method->method == VAULT_PASSPHRASE)
		cli_say_slow(call);
	TRY(cof_explain(vault_enroll(vault, existing, method->method, method->label, secret,
				     method->strong, fips, &slot, err),
			err, NULL, "cannot add an unlock method to %s", call->paths->vault_dir));
	if (slot < 0)
		cli_say(call, "This opens the vault already; nothing was changed.");
	else
		cli_say(call, "Added the unlock method as slot %d.", slot);
	cli_show_slot(call, slot, slot >= 0);
	return COF_OK;
}

/* Says what would be added. */
static cof_result only_plan(struct cli_call *call, const char *what)
{
	cli_say(call, "Would add %s to the unlock methods of %s.", what, call->paths->vault_dir);
	cli_show_slot(call, -1, false);
	return COF_OK;
}

/* The label given, or none. */
static const char *label_of(const struct cli_call *call)
{
	const char *label = cli_value(call, "label");

	return label ? label : "";
}

/* One more passphrase. */
static cof_result run_passphrase(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *existing = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *secret = NULL;
	struct method method = { .method = VAULT_PASSPHRASE, .label = label_of(call) };

	TRY(cli_open_vault(call, false, &vault, err));
	if (call->dry_run)
		return only_plan(call, "a passphrase");
	TRY(cli_ask_existing(call, vault, &existing, err));
	TRY(cli_ask_new(call, "new-passphrase-file", &secret, err));
	return enroll(call, vault, existing, &method, secret, err);
}

/* A recovery key, which the user has before the vault takes it. */
static cof_result run_recovery(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *existing = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *recovery = NULL;
	struct method method = { .method = VAULT_RECOVERY,
				 .label = label_of(call),
				 .strong = true };
	bool reused;

	TRY(cli_open_vault(call, false, &vault, err));
	if (call->dry_run)
		return only_plan(call, "a recovery key");
	TRY(cli_ask_existing(call, vault, &existing, err));
	TRY(cli_new_recovery(call, cli_value(call, "out"), &recovery, &reused, err));
	return enroll(call, vault, existing, &method, recovery, err);
}

/* A key file; a missing one is made of random bytes. */
static cof_result run_file(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *existing = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;
	struct method method = { .method = VAULT_FILE, .label = label_of(call) };
	const char *path = call->args[0];
	bool there = path_exists(path);

	TRY(cli_open_vault(call, false, &vault, err));
	if (call->dry_run)
		return only_plan(call, there ? "the key file" : "a new key file");
	TRY(cli_ask_existing(call, vault, &existing, err));
	if (there) {
		cli_warn_readable(call, path);
		TRY(keyfile_read(path, &key, err));
	} else {
		TRY(slot_secret_random(KEYFILE_RANDOM_BYTES, &key, err));
		TRY(keyfile_write(path, slot_secret_span(key), "", err));
		method.strong = true;
		cli_say(call, "Made the key file %s of %d random bytes.", path,
			KEYFILE_RANDOM_BYTES);
	}
	return enroll(call, vault, existing, &method, key, err);
}

const struct cli_verb cli_verb_enroll_passphrase = {
	.noun = "enroll",
	.verb = "passphrase",
	.summary = "add a passphrase",
	.description = "Asks for a passphrase or recovery key that opens the vault now, then twice "
		       "for the new one. The old ones stay: `coffer passwd` replaces one, `coffer "
		       "revoke` makes all of them worthless.",
	.options = (const struct cli_option[]){ CLI_UNLOCK_OPTIONS,
						CLI_NEW_PASSPHRASE_OPTION,
						CLI_LABEL_OPTION,
						CLI_FIPS_OPTION,
						{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer enroll passphrase --label anna",
			  "A passphrase for one more person." },
			{ 0 },
		},
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_passphrase,
};

const struct cli_verb cli_verb_enroll_recovery = {
	.noun = "enroll",
	.verb = "recovery",
	.summary = "add a recovery key",
	.description =
		"Makes a recovery key of 256 random bits, in groups that can be written down; "
		"each group has a check character, so that a typing error is named. It is "
		"shown on the terminal once, or written to FILE with mode 0600, before the "
		"vault takes it.",
	.options =
		(const struct cli_option[]){
			CLI_UNLOCK_OPTIONS,
			{ "out", CLI_FILE, "FILE", "write to FILE, which must be kept elsewhere" },
			CLI_LABEL_OPTION,
			CLI_FIPS_OPTION,
			{ 0 },
		},
	.examples =
		(const struct cli_example[]){
			{ "coffer enroll recovery", "Show it on the terminal." },
			{ "coffer enroll recovery --out /media/stick/recovery",
			  "Onto a USB stick." },
			{ 0 },
		},
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_recovery,
};

const struct cli_verb cli_verb_enroll_file = {
	.noun = "enroll",
	.verb = "file",
	.arguments = "FILE",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_FILE,
	.summary = "add a key file",
	.description =
		"The whole content of FILE opens the vault from then on. Where FILE is "
		"missing, it is made of 64 random bytes, with mode 0600. Keep it on a medium "
		"that is not in the machine all the time.",
	.options =
		(const struct cli_option[]){
			CLI_UNLOCK_OPTIONS, CLI_LABEL_OPTION, CLI_FIPS_OPTION, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer enroll file /media/stick/vault.key",
			  "Make a key file on a USB stick." },
			{ 0 },
		},
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_file,
};
