/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `coffer passwd`: another passphrase in the place of one that opens the vault now.
 */

#include <string.h>

#include "log.h"
#include "passphrase.h"
#include "unlocking.h"
#include "verbs.h"

void cli_show_changed(struct cli_call *call, bool changed)
{
	struct json *document = json_new_object();
	struct json *vault = json_new_object();

	json_set_text(vault, "folder", call->paths->vault_dir);
	json_set_bool(vault, "changed", changed);
	json_set(document, "vault", vault);
	cli_show(call, document);
}

cof_result cli_ask_exchange(struct cli_call *call, struct vault *vault,
			    struct slot_secret **ret_existing, struct slot_secret **ret_new,
			    bool *ret_done, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *existing = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *new = NULL;
	cof_result opened = cli_ask_existing(call, vault, &existing, err);
	bool done = false;

	if (opened.code == COF_E_KEY && cli_value(call, "new-passphrase-file")) {
		struct cof_error other = { 0 };

		TRY(cli_ask_new(call, "new-passphrase-file", &new, &other));
		if (!cof_failed(cli_opens(call, new, &done, &other)) && done) {
			*ret_new = TAKE(new);
			*ret_done = true;
			return COF_OK;
		}
	}
	if (cof_failed(opened))
		return opened;
	TRY(cli_ask_new(call, "new-passphrase-file", &new, err));
	ENSURE(!ct_equal(slot_secret_span(existing), slot_secret_span(new)), err, COF_E_USAGE,
	       "new passphrase", "is the one that opens the vault now");

	*ret_existing = TAKE(existing);
	*ret_new = TAKE(new);
	*ret_done = false;
	return COF_OK;
}

/* Replaces the passphrase that the user gives by another one. */
static cof_result run_passwd(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *existing = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *new = NULL;
	bool done = false;
	bool fips;
	int slot;

	TRY(cli_open_vault(call, false, &vault, err));
	if (call->dry_run) {
		cli_say(call, "Would replace the passphrase that is given by another one.");
		cli_show_changed(call, false);
		return COF_OK;
	}
	TRY(cli_ask_exchange(call, vault, &existing, &new, &done, err));
	if (done) {
		/* What a run that was killed at its end has left: a token, a copy, the mirrors. */
		TRY(cof_explain(vault_passwd(vault, new, new, false, &slot, err), err, NULL,
				"cannot finish the change of the passphrase of %s",
				call->paths->vault_dir));
		cli_say(call,
			"The new passphrase opens the vault already, and the old one does not.");
		cli_show_changed(call, false);
		return COF_OK;
	}
	TRY(cli_is_fips(call, vault, &fips, err));
	cli_say_slow(call);
	TRY(cof_explain(vault_passwd(vault, existing, new, fips, &slot, err), err, NULL,
			"cannot change the passphrase of %s", call->paths->vault_dir));
	cli_say(call, "Changed the passphrase in slot %d.", slot);
	if (!call->quiet)
		log_notice("an old copy of the header still opens with the old passphrase; if it "
			   "got into wrong hands, `coffer revoke` makes such copies worthless");
	cli_show_changed(call, true);
	return COF_OK;
}

const struct cli_verb cli_verb_passwd = {
	.verb = "passwd",
	.summary = "replace a passphrase",
	.description =
		"Replaces the passphrase that is given by a new one. The new one is proven before "
		"the old one goes; other unlock methods stay.\n\n"
		"An old copy of the vault's header still opens with the old passphrase. Where that "
		"matters, use `coffer revoke`.",
	.options =
		(const struct cli_option[]){
			CLI_UNLOCK_OPTIONS, CLI_NEW_PASSPHRASE_OPTION, CLI_FIPS_OPTION, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer passwd", "Ask for both." },
			{ "coffer passwd --passphrase-file /root/old --new-passphrase-file "
			  "/root/new",
			  "In a script." },
			{ 0 },
		},
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_passwd,
};
