/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `coffer passwd` and `coffer revoke`: other secrets in place of those that open the vault now.
 */

#include <string.h>

#include "backup_show.h"
#include "agent.h"
#include "file.h"
#include "log.h"
#include "mirrors.h"
#include "passphrase.h"
#include "unattended.h"
#include "unlocking.h"
#include "verbs.h"

/* Answers whether something was changed. */
static void show_changed(struct cli_call *call, bool changed)
{
	struct json *document = json_new_object();
	struct json *vault = json_new_object();

	json_set_text(vault, "folder", call->paths->vault_dir);
	json_set_bool(vault, "changed", changed);
	json_set(document, "vault", vault);
	cli_show(call, document);
}

/*
 * A secret that opens the vault now, and the new passphrase. After a crash the old one may open
 * nothing any more while the new one does: then the new one takes effect already, and *ret_done
 * says so.
 */
static cof_result get_secrets(struct cli_call *call, struct vault *vault,
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
		show_changed(call, false);
		return COF_OK;
	}
	TRY(get_secrets(call, vault, &existing, &new, &done, err));
	if (done) {
		/* What a run that was killed at its end has left: a token, a copy, the mirrors. */
		TRY(cof_explain(vault_passwd(vault, new, new, false, &slot, err), err, NULL,
				"cannot finish the change of the passphrase of %s",
				call->paths->vault_dir));
		cli_say(call,
			"The new passphrase opens the vault already, and the old one does not.");
		show_changed(call, false);
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
	show_changed(call, true);
	return COF_OK;
}

/* The recovery key for the new header; the one that opens the vault now must not come back. */
static cof_result get_new_recovery(struct cli_call *call, struct slot_secret **ret_recovery,
				   struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *recovery = NULL;
	const char *file = cli_value(call, "recovery-out");
	bool reused = false;
	bool opens = false;

	if (cli_flag(call, "no-recovery"))
		return COF_OK;
	TRY(cli_new_recovery(call, file, &recovery, &reused, err));
	if (reused)
		TRY(cli_opens(call, recovery, &opens, err));
	if (opens) {
		cof_result failure = cof_raise(err, COF_E_REFUSED, file,
					       "holds a recovery key that is to be revoked");

		cof_error_try(err, "--recovery-out with another file");
		return failure;
	}
	if (reused && !call->quiet)
		log_notice("%s was there already; its recovery key, which has opened nothing so "
			   "far, becomes the vault's",
			   file);

	*ret_recovery = TAKE(recovery);
	return COF_OK;
}

/* An agent that holds the revoked root key has nothing to give any more. */
static void lock_agent(struct cli_call *call)
{
	bool was_unlocked = false;

	/* The revocation stands whether or not the agent can be reached. */
	cof_ignore(agent_lock(call->paths, &was_unlocked, NULL));
	(void)fflush(stdout);
	if (was_unlocked && !call->quiet)
		log_notice("the vault is locked now; `coffer unlock` opens it with the new secret");
}

/* Names the methods that needed nobody: nothing opens by itself until they are enrolled again. */
static void tell_dropped(struct cli_call *call, const struct vault_way *ways, size_t count)
{
	for (size_t i = 0; i < count && !call->quiet; i++)
		log_notice("revoked as well: %s%s%s; coffer enroll %s adds it to the new header",
			   ways[i].method, ways[i].detail[0] ? ", " : "", ways[i].detail,
			   strcmp(ways[i].method, "clevis") == 0 ? "tang" : ways[i].method);
}

/* Makes a new root key, after which only the new secrets open anything. */
static cof_result run_revoke(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *existing = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *new = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *recovery = NULL;
	_cleanup_free_ struct vault_way *ways = NULL;
	struct vault_new spec = { 0 };
	bool done = false;
	size_t count = 0;
	char uuid[37];

	TRY(cli_check_recovery(call, err));
	TRY(cli_open_vault(call, false, &vault, err));
	(void)cli_uuid_format(vault_uuid(vault), uuid);
	if (call->dry_run) {
		cli_say(call,
			"Would make a new root key for the vault %s and drop every unlock "
			"method that it has now.",
			uuid);
		show_changed(call, false);
		return COF_OK;
	}
	TRY(cli_confirm_destroy(call, uuid, NULL,
				"every unlock method that the vault has now will open nothing more",
				err));
	TRY(get_secrets(call, vault, &existing, &new, &done, err));
	if (done) {
		cli_say(call, "Only the new passphrase opens the vault: it was revoked already.");
		lock_agent(call);
		show_changed(call, false);
		return COF_OK;
	}
	TRY(get_new_recovery(call, &recovery, err));
	TRY(cli_is_fips(call, vault, &spec.fips, err));
	TRY(vault_ways(vault, &ways, &count, err));
	spec.passphrase = new;
	spec.recovery = recovery;
	cli_say_slow(call);
	TRY(cof_explain(vault_revoke(vault, existing, &spec, err), err, NULL,
			"cannot revoke the unlock methods of %s", call->paths->vault_dir));
	cli_say(call,
		"The vault has a new root key (epoch %u). Copies of the old header open "
		"nothing new, whoever has them and whatever secret they know.",
		vault_epoch(vault));
	lock_agent(call);
	mirrors_warn(call, MIRRORS_AFTER_REVOKE);
	backup_tell_older(vault);
	tell_dropped(call, ways, count);
	show_changed(call, true);
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

const struct cli_verb cli_verb_revoke = {
	.verb = "revoke",
	.summary = "make all present unlock methods worthless",
	.description =
		"Taking a keyslot away is no revocation: an old copy of the header, with a secret "
		"that opened it once, still yields the root key. Revoke makes a new header with a "
		"new root key, and seals every record anew, in one transaction. Only the "
		"passphrase and the recovery key that are given or made here open the vault "
		"afterwards; enrol other methods again.\n\n"
		"What somebody has read from the vault already is not undone by this: give the "
		"disks new keys for that.\n\n"
		"NAME of --yes-destroy is the vault's UUID, which `coffer status` shows.",
	.options = (const struct cli_option[]){ CLI_UNLOCK_OPTIONS,
						CLI_NEW_PASSPHRASE_OPTION,
						CLI_RECOVERY_OPTIONS,
						CLI_FIPS_OPTION,
						{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer revoke", "Ask for everything." },
			{ "coffer revoke --dry-run", "Show what would be done." },
			{ 0 },
		},
	.changes = true,
	.destroys = true,
	.shows = true,
	.needs_root = true,
	.run = run_revoke,
};
