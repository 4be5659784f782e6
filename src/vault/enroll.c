/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One more unlock method. Killed after any step and run again with the same secret, it finds what
 * it has made and goes on from there.
 */

#include "audit_head.h"
#include "fault.h"

/* The slot of the new secret: added unless a killed run has done so, proven, and then named, so
 * that a slot without a name is one whose making was cut off. */
static cof_result make_slot(const char *header_path, const struct volume_key *key,
			    const struct token *token, const struct slot_secret *secret,
			    enum luks_cost cost, int *slot, struct cof_error *err)
{
	bool added = *slot < 0;

	if (added)
		TRY(luks_slot_add(header_path, NULL, key, secret, cost, slot, err));
	TRY(fault_point("enroll/slot-added", err));
	TRY(slot_prove(header_path, key, secret, *slot, err));
	TRY(slot_name_by(header_path, token, *slot, added, err));
	TRY(fault_point("enroll/slot-named", err));
	return COF_OK;
}

cof_result enroll_secret(struct vault *vault, const struct slot_secret *existing,
			 const struct token *token, const struct slot_secret *secret,
			 enum luks_cost cost, int *ret_slot, struct cof_error *err)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_free_ struct slots_seen *seen = NULL;
	_cleanup_fd_ int lock = -1;
	bool is_there;
	int slot;

	TRY(vault_take_lock(vault, VAULT_LOCK_TIMEOUT_MS, &lock, err));
	TRY(vault_prove_secret(vault, existing, &key, NULL, err));
	TRY(slots_tidy(vault->header_path, 0, err));
	TRY(slots_see(vault->header_path, &seen, err));
	TRY(slot_find(vault->header_path, seen, secret, cost, -1, &slot, err));
	is_there = slot >= 0 && (seen->with_token & 1u << slot) != 0;
	if (!is_there)
		TRY(make_slot(vault->header_path, key, token, secret, cost, &slot, err));
	TRY(header_keep(vault, err));
	TRY(fault_point("enroll/header-kept", err));
	commit_follow_up(vault);
	if (!is_there)
		audit_note_slot(vault, AUDIT_VAULT_ENROLL, slot);
	if (ret_slot)
		*ret_slot = is_there ? -1 : slot;
	return COF_OK;
}

cof_result vault_enroll(struct vault *vault, const struct slot_secret *existing,
			enum vault_method method, const char *label,
			const struct slot_secret *secret, bool strong, bool fips, int *ret_slot,
			struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *normal = NULL;
	struct token token = { 0 };

	TRY(slot_normalize(method, secret, &normal, err));
	token_note(&token, slot_method_name(method), label);
	return enroll_secret(vault, existing, &token, normal, slot_cost(method, strong, fips),
			     ret_slot, err);
}
