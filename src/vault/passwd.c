/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A new passphrase in the place of an old one. Killed after any step and run again with the same
 * secrets, it ends with the new one alone. The new slot's token says which slot it replaces, so
 * that no other slot is ever taken away, whatever was begun and not finished before.
 */

#include <string.h>

#include "audit_head.h"
#include "fault.h"
#include "mountpoint.h"
#include "place.h"

/* Writes a slot's token as it is, which raises the header's sequence number: what is cut off while
 * the old slot is being wiped then is a change that was begun, and not damage. */
static cof_result begin_removal(const struct vault *vault, const struct slots_seen *seen, int slot,
				struct cof_error *err)
{
	_cleanup_free_ char *text = NULL;

	if (seen->ours[slot] < 0)
		return COF_OK;
	text = token_format(&seen->tokens[slot]);
	TRY(luks_token_set(vault->header_path, seen->ours[slot], text, NULL, err));
	return fault_point("passwd/removing", err);
}

/* Removes a slot that was replaced, and then its token. */
static cof_result remove_replaced(const struct vault *vault, const struct slots_seen *seen,
				  int slot, struct cof_error *err)
{
	TRY(luks_slot_remove(vault->header_path, NULL, slot, err));
	TRY(fault_point("passwd/old-removed", err));
	if (seen->ours[slot] >= 0)
		TRY(luks_token_remove(vault->header_path, seen->ours[slot], err));
	TRY(fault_point("passwd/old-token-removed", err));
	return COF_OK;
}

/* Removes the slots in @gone, or, where that is 0, those that the token of @slot says it replaces,
 * as long as they are ours; then the copy and the mirrors follow. */
static cof_result finish(struct vault *vault, int slot, uint32_t gone, struct cof_error *err)
{
	_cleanup_free_ struct slots_seen *seen = NULL;

	TRY(slots_see(vault->header_path, &seen, err));
	for (int other = 0; other < LUKS_SLOTS_MAX; other++) {
		bool unfinished = gone == 0 && (seen->tokens[slot].replaces & 1u << other) &&
				  seen->ours[other] >= 0;

		if (other == slot || (!unfinished && !(gone & 1u << other)))
			continue;
		TRY(begin_removal(vault, seen, slot, err));
		TRY(remove_replaced(vault, seen, other, err));
	}
	TRY(slots_tidy(vault->header_path, 1u << slot, err));
	TRY(fault_point("passwd/tidied", err));
	TRY(header_keep(vault, err));
	TRY(fault_point("passwd/header-kept", err));
	commit_follow_up(vault);
	return COF_OK;
}

/* Refuses to let the recovery key go, which is what somebody types who forgot the passphrase. */
static cof_result check_old_method(const struct slots_seen *seen, int old_slot,
				   struct cof_error *err)
{
	cof_result result;

	if (strcmp(seen->tokens[old_slot].method, "recovery") != 0)
		return COF_OK;
	result = cof_raise(err, COF_E_REFUSED, NULL,
			   "keyslot %d is the recovery key's, which would be gone", old_slot);
	cof_error_try(err, "coffer enroll passphrase");
	return result;
}

/* Writes to the token of the new slot which one it replaces. */
static cof_result note_replacing(const struct vault *vault, const struct slots_seen *seen, int slot,
				 int old_slot, struct cof_error *err)
{
	/* What another tool wrote of a slot that was there before stays as it is. */
	if (seen->with_token & 1u << slot)
		return slot_set_replaces(vault->header_path, seen, slot, 1u << old_slot, err);
	return slot_set_token(vault->header_path, VAULT_PASSPHRASE, seen->tokens[old_slot].label,
			      slot, 1u << old_slot, err);
}

/* The slot of the new secret: made or found, proven and named, while the old one still opens. */
static cof_result make_new(struct vault *vault, const struct volume_key *key, int old_slot,
			   const struct slot_secret *secret, bool fips, int *ret_slot,
			   struct cof_error *err)
{
	_cleanup_free_ struct slots_seen *seen = NULL;
	enum luks_cost cost = slot_cost(VAULT_PASSPHRASE, false, fips);
	int slot;

	TRY(slots_see(vault->header_path, &seen, err));
	TRY(check_old_method(seen, old_slot, err));
	TRY(slot_find(vault->header_path, seen, secret, cost, old_slot, &slot, err));
	if (slot < 0)
		TRY(luks_slot_add(vault->header_path, NULL, key, secret, cost, &slot, err));
	TRY(fault_point("passwd/new-added", err));
	TRY(slot_prove(vault->header_path, key, secret, slot, err));
	TRY(note_replacing(vault, seen, slot, old_slot, err));
	TRY(fault_point("passwd/new-token", err));
	/* A secret that was once to be replaced is wanted again. */
	TRY(slots_tidy(vault->header_path, 1u << slot, err));
	TRY(fault_point("passwd/taken-back", err));
	/* The copy has both slots: whichever secret the user has, it opens that copy. */
	TRY(header_keep(vault, err));
	TRY(fault_point("passwd/both-kept", err));

	*ret_slot = slot;
	return COF_OK;
}

/* The change itself; see vault_passwd(). */
static cof_result change(struct vault *vault, const struct slot_secret *existing,
			 const struct slot_secret *secret, bool fips, int *ret_slot,
			 struct cof_error *err)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_fd_ int lock = -1;
	cof_result result;
	uint32_t gone = 0;
	int old_slot = -1;
	int slot;

	TRY(vault_take_lock(vault, VAULT_LOCK_TIMEOUT_MS, &lock, err));
	result = vault_prove_secret(vault, existing, &key, &old_slot, err);
	if (result.code == COF_E_KEY) {
		/* A run that was killed at its very end has left the new secret alone. */
		if (cof_failed(vault_prove_secret(vault, secret, &key, &slot, NULL)))
			return result;
	} else {
		TRY(result);
		slot = old_slot;
	}
	/* Before a slot is made: it may get the number of one that is gone. */
	TRY(slots_tidy(vault->header_path, 0, err));
	if (old_slot >= 0 && !ct_equal(slot_secret_span(existing), slot_secret_span(secret))) {
		TRY(make_new(vault, key, old_slot, secret, fips, &slot, err));
		gone = 1u << old_slot;
	}
	TRY(finish(vault, slot, gone, err));
	audit_note_slot(vault, AUDIT_VAULT_PASSWD, slot);
	if (ret_slot)
		*ret_slot = slot;
	return COF_OK;
}

/* Whether a secret opens the header as it is now. */
static bool still_opens(const struct vault *vault, const struct slot_secret *secret)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;

	return !cof_failed(vault_open_header(vault->header_path, secret, &key, NULL, NULL));
}

/* Says of a full disk which file system it is, and which passphrase opens the vault now. */
static void explain_full(const struct vault *vault, const struct slot_secret *existing,
			 const struct slot_secret *secret, struct cof_error *err)
{
	_cleanup_free_ char *mount = NULL;
	bool old = still_opens(vault, existing);
	bool new = still_opens(vault, secret);

	if (!err || cof_failed(mount_of(vault->paths->vault_dir, &mount, NULL)))
		return;
	cof_error_cause(err, "the file system mounted at %s is full; %s", mount,
			old && new ? "the old passphrase still opens the vault, and so does the "
				     "new one"
			: old	   ? "the old passphrase still opens the vault"
				   : "the new passphrase opens the vault, the old one no more");
	cof_error_try(err, "make room in %s, then the same command again", mount);
}

cof_result vault_passwd(struct vault *vault, const struct slot_secret *existing,
			const struct slot_secret *secret, bool fips, int *ret_slot,
			struct cof_error *err)
{
	cof_result result = change(vault, existing, secret, fips, ret_slot, err);

	if (result.code == COF_E_NOSPC)
		explain_full(vault, existing, secret, err);
	return result;
}
