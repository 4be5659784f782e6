/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `coffer revoke`: a new root key, which no secret and no header of before yields.
 */

#include <string.h>

#include "agent.h"
#include "backup_show.h"
#include "file.h"
#include "log.h"
#include "mirrors.h"
#include "number.h"
#include "passphrase.h"
#include "revoke_keep.h"
#include "unlocking.h"
#include "verbs.h"

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

/* The command that adds a method again, in words; returns @out. */
static char *enroll_command(const struct vault_slot *slot, char *out, size_t room)
{
	bool clevis = strcmp(slot->method, "clevis") == 0;

	if (strcmp(slot->method, "tang") == 0)
		(void)snprintf(out, room, "`coffer enroll tang %.400s`", slot->detail);
	else
		(void)snprintf(out, room, "`coffer enroll %s`", clevis ? "tang" : slot->method);
	return out;
}

/* Names the methods that went although nobody meant them, but for passphrases and recovery keys,
 * which are new. @kept: bits of the slots that stayed, or were meant. */
static void tell_dropped(struct cli_call *call, const struct vault_slot *slots, size_t count,
			 uint32_t kept)
{
	char command[512];

	for (size_t i = 0; i < count && !call->quiet; i++) {
		const struct vault_slot *slot = &slots[i];
		bool person = !slot->unattended && strcmp(slot->method, "fido2") != 0;

		if ((kept & 1u << slot->number) || (person && !kept))
			continue;
		log_notice("revoked as well: slot %d, %s%s%s; %s adds it to the new header",
			   slot->number, slot->method, slot->detail[0] ? ", " : "", slot->detail,
			   enroll_command(slot, command, sizeof(command)));
	}
}

/* What follows from a new root key. */
static void settle(struct cli_call *call, struct vault *vault)
{
	lock_agent(call);
	mirrors_warn(call, MIRRORS_AFTER_REVOKE);
	cli_say(call,
		"Backups and copies of the vault made before still open with what was revoked, "
		"and hold the disks' keys: `coffer key rotate --all` gives the disks new ones.");
	backup_tell_older(vault);
}

/* Makes a new root key, after which only the new secrets open anything. */
static cof_result revoke_all(struct cli_call *call, struct vault *vault, const char *uuid,
			     struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *existing = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *new = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *recovery = NULL;
	_cleanup_free_ struct vault_slot *slots = NULL;
	struct vault_new spec = { 0 };
	bool done = false;
	size_t count = 0;

	TRY(cli_check_recovery(call, err));
	if (call->dry_run) {
		cli_say(call,
			"Would make a new root key for the vault %s and drop every unlock "
			"method that it has now.",
			uuid);
		cli_show_changed(call, false);
		return COF_OK;
	}
	TRY(cli_confirm_destroy(call, uuid, NULL,
				"every unlock method that the vault has now will open nothing more",
				err));
	TRY(cli_ask_exchange(call, vault, &existing, &new, &done, err));
	if (done) {
		cli_say(call, "Only the new passphrase opens the vault: it was revoked already.");
		lock_agent(call);
		cli_show_changed(call, false);
		return COF_OK;
	}
	TRY(get_new_recovery(call, &recovery, err));
	TRY(cli_is_fips(call, vault, &spec.fips, err));
	TRY(vault_slots(vault, &slots, &count, err));
	spec.passphrase = new;
	spec.recovery = recovery;
	cli_say_slow(call);
	TRY(cof_explain(vault_revoke(vault, existing, &spec, err), err, NULL,
			"cannot revoke the unlock methods of %s", call->paths->vault_dir));
	cli_say(call,
		"The vault has a new root key (epoch %u). Copies of the old header open "
		"nothing new, whoever has them and whatever secret they know.",
		vault_epoch(vault));
	settle(call, vault);
	tell_dropped(call, slots, count, 0);
	cli_show_changed(call, true);
	return COF_OK;
}

/* The slot that is to go. */
static cof_result find_slot(const struct cli_call *call, const struct vault_slot *slots,
			    size_t count, const struct vault_slot **ret_slot, struct cof_error *err)
{
	uint64_t number = UINT64_MAX;

	if (!cof_failed(uint_parse(call->args[0], LUKS_SLOTS_MAX, &number, NULL)))
		for (size_t i = 0; i < count; i++)
			if ((uint64_t)slots[i].number == number) {
				*ret_slot = &slots[i];
				return COF_OK;
			}
	cof_ignore(cof_raise(err, COF_E_NOENT, "revoke",
			     "there is no unlock method with this number"));
	cof_error_try(err, "coffer slots, which shows them");
	return (cof_result){ COF_E_NOENT };
}

/* Says which methods stay. */
static void say_kept(const struct cli_call *call, const struct revoke_keep *keep)
{
	for (size_t i = 0; i < keep->count; i++)
		cli_say(call, "  slot %d stays", keep->kept[i].slot);
}

/* What takes the place of what is not kept: a passphrase where nothing is, and a recovery key. */
static cof_result get_new(struct cli_call *call, const struct revoke_keep *keep,
			  struct slot_secret **ret_new, struct slot_secret **ret_recovery,
			  struct cof_error *err)
{
	bool recovery = false;

	for (size_t i = 0; i < keep->count; i++)
		recovery = recovery || keep->kept[i].method == VAULT_RECOVERY;
	if (!recovery)
		TRY(cli_check_recovery(call, err));
	if (keep->count == 0)
		TRY(cli_ask_new(call, "new-passphrase-file", ret_new, err));
	if (!recovery)
		TRY(get_new_recovery(call, ret_recovery, err));
	return COF_OK;
}

/* Makes a new root key, after which one method opens nothing, and those that are kept do. */
static cof_result revoke_one(struct cli_call *call, struct vault *vault, const char *uuid,
			     struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *existing = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *new = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *recovery = NULL;
	_cleanup_(revoke_keep_done) struct revoke_keep keep = { 0 };
	_cleanup_free_ struct vault_slot *slots = NULL;
	const struct vault_slot *gone;
	struct vault_new spec = { 0 };
	char loss[VAULT_DETAIL_BYTES];
	size_t count;

	TRY(vault_slots(vault, &slots, &count, err));
	TRY(find_slot(call, slots, count, &gone, err));
	(void)snprintf(loss, sizeof(loss),
		       "slot %d (%s) will open nothing more, nor will the others whose secrets are "
		       "not given",
		       gone->number, gone->method);
	if (call->dry_run) {
		cli_say(call, "Would make a new root key for the vault %s: %s.", uuid, loss);
		cli_show_changed(call, false);
		return COF_OK;
	}
	TRY(cli_confirm_destroy(call, uuid, NULL, loss, err));
	TRY(cli_ask_existing(call, vault, &existing, err));
	TRY(cli_is_fips(call, vault, &spec.fips, err));
	TRY(revoke_keep_gather(call, slots, count, gone, existing, spec.fips, &keep, err));
	TRY(get_new(call, &keep, &new, &recovery, err));
	spec.passphrase = new;
	spec.recovery = recovery;
	spec.kept = keep.kept;
	spec.kept_count = keep.count;
	spec.empty_slots = 1u << gone->number;
	cli_say_slow(call);
	TRY(cof_explain(vault_revoke(vault, existing, &spec, err), err, NULL,
			"cannot revoke slot %d of %s", gone->number, call->paths->vault_dir));
	cli_say(call,
		"The vault has a new root key (epoch %u), which slot %d (%s) of no header opens.",
		vault_epoch(vault), gone->number, gone->method);
	say_kept(call, &keep);
	settle(call, vault);
	tell_dropped(call, slots, count, keep.slots | spec.empty_slots);
	cli_show_changed(call, true);
	return COF_OK;
}

/* coffer revoke. */
static cof_result run_revoke(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	char uuid[37];

	ENSURE(call->arg_count > 0 ||
		       (!cli_value(call, KEEP_PASSPHRASE) && !cli_value(call, KEEP_FILE)),
	       err, COF_E_USAGE, "revoke",
	       "keeps nothing unless the slot is named that is to go: coffer slots shows them");
	TRY(cli_open_vault(call, false, &vault, err));
	(void)cli_uuid_format(vault_uuid(vault), uuid);
	return call->arg_count ? revoke_one(call, vault, uuid, err)
			       : revoke_all(call, vault, uuid, err);
}

const struct cli_verb cli_verb_revoke = {
	.verb = "revoke",
	.arguments = "[SLOT]",
	.max_args = 1,
	.argument_type = CLI_NUMBER,
	.summary = "make all present unlock methods worthless, or one of them",
	.description =
		"Taking a keyslot away is no revocation: an old copy of the header, with a secret "
		"that opened it once, still yields the root key. Revoke makes a new header with a "
		"new root key, and seals every record anew, in one transaction. Only the "
		"passphrase and the recovery key that are given or made here open the vault "
		"afterwards; enrol other methods again.\n\n"
		"With SLOT, which `coffer slots` shows, that one method goes, in the same way: the "
		"header and the root key are new, so nothing else will do. Of the others, those "
		"stay in their slots whose secrets are given: the one that opens the vault now, "
		"those of --keep-passphrase-file and --keep-key-file, and what is typed when it "
		"is asked for. A TPM, a server, a token or a command is to be enrolled again.\n\n"
		"What somebody has read from the vault already is not undone by this, nor do "
		"backups and copies of the vault from before change: they open with what opened "
		"them, and hold the disks' keys. `coffer key rotate --all` gives the disks new "
		"ones. Such an old key opens a disk still together with a copy of its header from "
		"then, which `coffer disk rekey` alone makes worthless.\n\n"
		"NAME of --yes-destroy is the vault's UUID, which `coffer status` shows.",
	.options = (const struct cli_option[]){ CLI_UNLOCK_OPTIONS,
						CLI_NEW_PASSPHRASE_OPTION,
						CLI_RECOVERY_OPTIONS,
						CLI_FIPS_OPTION,
						{ KEEP_PASSPHRASE, CLI_FILE, "FILE",
						  "with SLOT: a passphrase or recovery key that "
						  "stays; may be repeated" },
						{ KEEP_FILE, CLI_FILE, "FILE",
						  "with SLOT: a key file that stays; may be "
						  "repeated" },
						{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer revoke", "Ask for everything." },
			{ "coffer revoke 2", "One method; asks for the secrets of the others." },
			{ "coffer revoke --dry-run", "Show what would be done." },
			{ 0 },
		},
	.changes = true,
	.destroys = true,
	.shows = true,
	.needs_root = true,
	.run = run_revoke,
};
