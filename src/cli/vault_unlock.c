/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `coffer unlock` and `coffer lock`: the root key comes to the agent and goes.
 */

#include <string.h>

#include "agent.h"
#include "audit.h"
#include "log.h"
#include "mirrors.h"
#include "number.h"
#include "status_view.h"
#include "unlocking.h"
#include "verbs.h"

/* How long is left, as a person says it; returns @out. */
static char *time_left(uint64_t seconds, char out[static 48])
{
	if (seconds == UINT64_MAX)
		(void)snprintf(out, 48, "until `coffer lock`");
	else if (seconds >= 7200)
		(void)snprintf(out, 48, "for %llu hours", (unsigned long long)seconds / 3600);
	else if (seconds >= 120)
		(void)snprintf(out, 48, "for %llu minutes", (unsigned long long)seconds / 60);
	else
		(void)snprintf(out, 48, "for %llu seconds", (unsigned long long)seconds);
	return out;
}

/* Answers with the state that the vault is in now; what it returns may be added to. */
static struct json *show_state(struct cli_call *call, const char *state, bool changed)
{
	struct json *document = json_new_object();
	struct json *vault = json_new_object();

	json_set_text(vault, "folder", call->paths->vault_dir);
	json_set_text(vault, "state", state);
	json_set_bool(vault, "changed", changed);
	json_set(document, "vault", vault);
	cli_show(call, document);
	return vault;
}

/* There is nothing to do: until when. */
static void say_unlocked(const struct cli_call *call, uint64_t seconds_left)
{
	char left[STATUS_TIME_CHARS];

	if (seconds_left == UINT64_MAX)
		cli_say(call, "The vault %s is unlocked already, until `coffer lock`.",
			call->paths->vault_dir);
	else
		cli_say(call, "The vault %s is unlocked already; the agent forgets the key in %s.",
			call->paths->vault_dir, status_time_left(seconds_left, left));
}

/* Whether the agent holds this vault's root key already. */
static cof_result is_unlocked(struct cli_call *call, struct vault *vault,
			      struct agent_status *ret_status, bool *ret_unlocked,
			      struct cof_error *err)
{
	TRY(agent_query(call->paths, ret_status, err));
	*ret_unlocked = ret_status->running && ret_status->unlocked &&
			ret_status->epoch == vault_epoch(vault) &&
			memcmp(ret_status->uuid, vault_uuid(vault), VAULT_UUID_BYTES) == 0;
	return COF_OK;
}

/* Whether a mirror that can be reached lacks something; @ret_count: of all mirrors. */
static bool mirrors_are_due(struct vault *vault, size_t *ret_count)
{
	_cleanup_free_ struct vault_mirror *mirrors = NULL;
	bool due = false;

	*ret_count = 0;
	if (!cof_failed(vault_mirrors(vault, &mirrors, ret_count, NULL)))
		for (size_t i = 0; i < *ret_count; i++)
			due = due || mirrors[i].state == MIRROR_BEHIND ||
			      mirrors[i].state == MIRROR_FAILED ||
			      mirrors[i].state == MIRROR_DAMAGED;
	return due;
}

/* Brings the mirrors up to date and names those that are not then. The vault is unlocked, whatever
 * comes of this. */
static void settle_mirrors(struct cli_call *call, struct vault *vault)
{
	size_t count;

	if (mirrors_are_due(vault, &count))
		cof_ignore(vault_sync(vault, NULL));
	if (count > 0)
		mirrors_warn(call, MIRRORS_AFTER_UNLOCK);
}

/* The same where the agent has the keys already: with them, a mirror's mark is proven. */
static void settle_through_agent(struct cli_call *call, struct vault *vault)
{
	struct key_source source;
	bool unlocked = false;
	size_t count;

	if (mirrors_are_due(vault, &count) &&
	    !cof_failed(agent_key_source(call->paths, &source, &unlocked, NULL)) && unlocked)
		cof_ignore(vault_unlock_from(vault, source, NULL));
	settle_mirrors(call, vault);
}

/* Catches up with what was changed while nobody could, and says what a person must see to. */
static void settle(struct cli_call *call, struct vault *vault)
{
	enum vault_header header;
	char text[FINDING_TEXT_CHARS];

	settle_mirrors(call, vault);
	if (vault_header_mended(vault))
		log_notice("the header's copy in the keystore had been altered, and not by coffer; "
			   "it was written again from the header: find out who did that");
	if (!call->quiet && !cof_failed(vault_header_state(vault, &header, NULL)) &&
	    header != VAULT_HEADER_KEPT)
		log_notice("%s", status_header_warning(header, text));
}

/* Whether there is nothing to unlock. Asking again copies a header that another tool has changed,
 * where somebody can be asked. */
static bool is_settled(struct cli_call *call, struct vault *vault)
{
	enum vault_header header;
	char text[FINDING_TEXT_CHARS];

	if (cli_value(call, "passphrase-file") || cli_value(call, "key-file") ||
	    cli_value(call, "for") || cli_flag(call, "accept-older"))
		return false;
	if (cof_failed(vault_header_state(vault, &header, NULL)) || header == VAULT_HEADER_KEPT)
		return true;
	if (header == VAULT_HEADER_CHANGED && cli_on_terminal(call))
		return false;
	if (!call->quiet)
		log_notice("%s", status_header_warning(header, text));
	return true;
}

/* The agent has the key now, and for how long; the keystore learns how far the log goes. */
static void note_given(struct vault *vault, uint64_t limit_seconds)
{
	struct json *detail = json_new_object();

	if (limit_seconds != UINT64_MAX)
		json_set_uint(detail, "seconds", limit_seconds);
	audit_note(vault, &(struct audit_entry){ .event = AUDIT_VAULT_UNLOCK,
						 .subject = "agent",
						 .detail = detail });
	audit_keep(vault);
}

/* The last line while the agent has the key: after it, nothing could seal it. */
static void note_locking(struct cli_call *call)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct key_source source;
	bool unlocked = false;

	if (!vault_exists(call->paths) || cof_failed(vault_open(call->paths, &vault, NULL)))
		return;
	if (cof_failed(agent_key_source(call->paths, &source, &unlocked, NULL)) || !unlocked) {
		audit_note_expiry(vault);
		return;
	}
	/* A vault that is damaged is locked all the same; then the line is not sealed. */
	cof_ignore(vault_unlock_from(vault, source, NULL));
	audit_note(vault, &(struct audit_entry){ .event = AUDIT_VAULT_LOCK });
	audit_keep(vault);
}

cof_result cli_give(const struct cli_call *call, struct vault *vault, uint64_t limit_seconds,
		    struct cof_error *err)
{
	TRY(cof_explain(agent_give(call->paths, vault, limit_seconds, err), err, NULL,
			"cannot hand the root key of %s to the agent", call->paths->vault_dir));
	note_given(vault, limit_seconds);
	return COF_OK;
}

cof_result cli_lock(struct cli_call *call, bool *ret_was_unlocked, struct cof_error *err)
{
	note_locking(call);
	return agent_lock(call->paths, ret_was_unlocked, err);
}

/* --dry-run: which vault, what opens it, and which mirrors would be caught up with. A secret that
 * is given must be there; it is not tried. */
static cof_result plan_unlock(struct cli_call *call, struct vault *vault, bool unlocked,
			      uint64_t limit_seconds, struct cof_error *err)
{
	_cleanup_free_ struct vault_slot *slots = NULL;
	_cleanup_free_ struct vault_mirror *mirrors = NULL;
	struct json *shown = show_state(call, unlocked ? "unlocked" : "locked", false);
	size_t slot_count = 0;
	size_t mirror_count = 0;
	char left[48];
	char uuid[37];

	TRY(cli_check_given(call, err));
	TRY(vault_slots(vault, &slots, &slot_count, err));
	TRY(vault_mirrors(vault, &mirrors, &mirror_count, err));
	cli_say(call, "Would unlock the vault %s (%s) %s.", call->paths->vault_dir,
		cli_uuid_format(vault_uuid(vault), uuid), time_left(limit_seconds, left));
	for (size_t i = 0; i < slot_count; i++)
		cli_say(call, "  slot %d opens it: %s%s%s%s", slots[i].number, slots[i].method,
			slots[i].label[0] ? " \"" : "", slots[i].label,
			slots[i].label[0] ? "\"" : "");
	for (size_t i = 0; i < mirror_count; i++)
		cli_say(call, "  the mirror %s %s %s%s", mirrors[i].folder,
			mirrors[i].state == MIRROR_FAILED ? "has" : "is",
			status_mirror_name(&mirrors[i]),
			mirrors[i].state == MIRROR_BEHIND ? ": would be brought up to date" : "");
	json_set_text(shown, "uuid", uuid);
	json_set(shown, "slots", slots_json(slots, slot_count));
	json_set(shown, "mirrors", mirrors_json(mirrors, mirror_count));
	return COF_OK;
}

/* Unlocks the vault and leaves its root key with the agent. */
static cof_result run_unlock(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct agent_status status = { 0 };
	bool unlocked = false;
	uint64_t limit_seconds;
	char left[48];

	TRY(cli_duration(call, "for", call->paths->agent_limit_seconds, &limit_seconds, err));
	TRY(cli_open_vault(call, false, &vault, err));
	TRY(is_unlocked(call, vault, &status, &unlocked, err));
	if (unlocked && is_settled(call, vault)) {
		if (!call->dry_run)
			settle_through_agent(call, vault);
		say_unlocked(call, status.seconds_left);
		(void)show_state(call, "unlocked", false);
		return COF_OK;
	}
	if (call->dry_run)
		return plan_unlock(call, vault, unlocked, limit_seconds, err);
	if (cli_flag(call, "accept-older"))
		vault_accept_older(vault, mirrors_ask_older, call);
	/* The agent has the key before a mirror that does not answer is waited for. */
	vault_defer_mirrors(vault);
	TRY(cli_unlock_somehow(call, vault, err));
	/* This writes to the keystore, so the mirrors come after it. */
	TRY(cli_give(call, vault, limit_seconds, err));
	cli_say(call, "Unlocked the vault %s %s.", call->paths->vault_dir,
		time_left(limit_seconds, left));
	settle(call, vault);
	(void)show_state(call, "unlocked", true);
	return COF_OK;
}

/* Has the agent wipe the root key. */
static cof_result run_lock(struct cli_call *call, struct cof_error *err)
{
	struct agent_status status = { 0 };
	bool unlocked;
	bool was_unlocked = false;

	if (call->dry_run) {
		TRY(agent_query(call->paths, &status, err));
		unlocked = status.running && status.unlocked;
		if (!unlocked && !vault_exists(call->paths))
			return cli_raise_absent(call, err);
		cli_say(call, unlocked ? "Would lock the vault %s." : "The vault %s is locked.",
			call->paths->vault_dir);
		(void)show_state(call, unlocked ? "unlocked" : "locked", false);
		return COF_OK;
	}
	TRY(cli_lock(call, &was_unlocked, err));
	if (!was_unlocked && !vault_exists(call->paths))
		return cli_raise_absent(call, err);
	cli_say(call,
		was_unlocked ? "Locked the vault %s. Disks that are open stay open."
			     : "The vault %s was locked already.",
		call->paths->vault_dir);
	(void)show_state(call, "locked", was_unlocked);
	return COF_OK;
}

const struct cli_verb cli_verb_unlock = {
	.verb = "unlock",
	.summary = "unlock the vault, for all commands from now on",
	.description =
		"Unlocks with what needs nobody, if such methods were enrolled: the TPM, a Tang "
		"server, a command, a FIDO2 token that is plugged in, in this order, each for at "
		"most 10 seconds (unattended-limit of coffer.conf). Where none opens the vault, or "
		"a secret is named, proves the passphrase, recovery key or key file. Leaves the "
		"root key with the "
		"agent, which keeps it in locked memory for a while. Commands need no passphrase "
		"during that time. Mirrors that are behind are brought up to date, and a header "
		"that another tool has changed is copied into the keystore and to the mirrors. A "
		"header that is older than its copy is warned of.",
	.options =
		(const struct cli_option[]){
			CLI_UNLOCK_OPTIONS,
			{ "method", CLI_TEXT, "NAME",
			  "unlock with the methods of this name alone: tpm2, tang, clevis, command "
			  "or fido2" },
			{ "no-unattended", CLI_FLAG, NULL,
			  "ask for the passphrase, whatever else could open the vault" },
			{ "for", CLI_DURATION, "DURATION",
			  "how long the agent keeps the root key: 90s, 15m, 8h, 30d or forever; "
			  "agent-limit of coffer.conf or 8h unless told otherwise" },
			{ "accept-older", CLI_FLAG, NULL,
			  "go on with a keystore that is older than the newest known, because it "
			  "was put back on purpose; what a newer mirror has is listed and kept "
			  "aside" },
			{ 0 },
		},
	.examples =
		(const struct cli_example[]){
			{ "coffer unlock",
			  "With the TPM, a server or a command; else ask for the passphrase." },
			{ "coffer unlock --method tang", "With a Tang server, and nothing else." },
			{ "coffer unlock --for 15m", "For a quarter of an hour." },
			{ "coffer unlock --passphrase-file -",
			  "Take the passphrase from standard input." },
			{ 0 },
		},
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_unlock,
};

const struct cli_verb cli_verb_lock = {
	.verb = "lock",
	.summary = "lock the vault",
	.description = "The agent wipes the root key. Disks that are open stay open.",
	.examples =
		(const struct cli_example[]){
			{ "coffer lock", "Forget the root key now." },
			{ 0 },
		},
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_lock,
};
