/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Revocation: a new header with a new root key, and everything sealed anew in one transaction.
 */

#include <string.h>

#include "audit_head.h"
#include "fault.h"

/* Opens one row with the old keys and seals it with the new ones. */
static cof_result rewrap_row(struct vault *vault, const char *key, struct index_edit *edit,
			     struct change_set *set, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	_cleanup_buffer_ struct buffer stored = { 0 };
	_cleanup_free_ char *kind = NULL;
	_cleanup_free_ char *name = NULL;
	_cleanup_row_ struct row row = { 0 };
	uint64_t generation;

	TRY(row_key_split(key, &kind, &name, &generation, err));
	TRY(row_get_known(vault, key, &row, err));
	ENSURE(row.found, err, COF_E_CONFLICT, key, "was removed while the vault was revoked");
	TRY(keys_open_record(&vault->keys, kind, name, buffer_span(&row.value), row.revision,
			     &record, err));
	TRY(keys_seal_record(edit->keys, record, &stored, err));
	TRY(index_edit_put(edit, key, buffer_span(&stored), err));
	if (generation == 0)
		TRY(manifest_count(&edit->manifest, kind, true, err));
	TRY(change_set_put(set, key, &stored, row.revision, err));
	return COF_OK;
}

/* Seals every row below @prefix anew. */
static cof_result rewrap_rows(struct vault *vault, const char *prefix, struct index_edit *edit,
			      struct change_set *set, struct cof_error *err)
{
	_cleanup_(key_list_done) struct key_list list = { 0 };

	TRY(key_list_walk(vault, prefix, &list, err));
	for (size_t i = 0; i < list.count; i++)
		TRY(rewrap_row(vault, list.keys[i], edit, set, err));
	return COF_OK;
}

/* The one transaction: all rows, the identity, the index and the new header's copy. */
static cof_result rewrap(struct vault *vault, const struct keys *keys, struct cof_error *err)
{
	_cleanup_(index_edit_done) struct index_edit edit = { .keys = keys };
	_cleanup_(change_set_done) struct change_set set = { 0 };
	_cleanup_buffer_ struct buffer identity = { 0 };
	_cleanup_buffer_ struct buffer copy = { 0 };
	const struct manifest *old;
	uint64_t revision;

	TRY(vault_read_manifest(vault, &old, err));
	ENSURE(old->revision < UINT64_MAX, err, COF_E_FAILED, vault->paths->vault_dir,
	       "has used up its revisions");
	revision = old->revision + 1;
	edit.manifest_expected = vault->manifest_revision;
	TRY(rewrap_rows(vault, ROW_RECORDS, &edit, &set, err));
	TRY(rewrap_rows(vault, ROW_HISTORY, &edit, &set, err));
	TRY(audit_head_put(vault, &edit, &set, err));
	TRY(identity_seal(keys, vault->created, &identity, err));
	TRY(header_copy_read(vault->new_header_path, &copy, err));
	TRY(change_set_put(&set, ROW_IDENTITY, &identity, KEYSTORE_ANY, err));
	TRY(change_set_put(&set, ROW_HEADER, &copy, KEYSTORE_ANY, err));
	TRY(index_edit_finish(&edit, revision, &set, err));
	TRY(fault_point("revoke/sealed", err));
	TRY(vault->engine->commit(vault->keystore, set.changes, set.count, NULL, err));
	return COF_OK;
}

/* Makes @keys, of the next epoch, those of the vault, and checks that every record opens. */
static cof_result adopt(struct vault *vault, struct keys *keys, struct root_key **root,
			struct cof_error *err)
{
	time_t created = vault->created;

	vault_relock(vault);
	vault->keys = *keys;
	*keys = (struct keys){ 0 };
	vault->epoch = vault->keys.epoch;
	vault->created = created;
	vault->root = TAKE(*root);
	vault->unlocked = true;
	return vault_check_rows(vault, NULL, err);
}

/* Everything, under the lock. */
static cof_result revoke_locked(struct vault *vault, const struct vault_new *spec,
				struct cof_error *err)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(root_key_freep) struct root_key *root = NULL;
	_cleanup_(keys_done) struct keys keys = { 0 };
	uint32_t epoch = vault->epoch + 1;

	TRY(header_check_copy(vault, err));
	/* What is lost already must not be sealed anew as if it were all. */
	TRY(vault_check_rows(vault, NULL, err));
	TRY(header_format(vault, spec, vault->uuid_text, epoch, "revoke", &key, err));
	TRY(root_key_copy(volume_key_span(key), &root, err));
	TRY(keys_from_root(root, vault->uuid, epoch, &keys, err));
	TRY(keys_start(&keys, err));
	TRY(rewrap(vault, &keys, err));
	TRY(fault_point("revoke/committed", err));
	TRY(adopt(vault, &keys, &root, err));
	TRY(header_install_new(vault, err));
	TRY(fault_point("revoke/header-named", err));
	commit_follow_up(vault);
	TRY(fault_point("revoke/mirrored", err));
	return COF_OK;
}

cof_result vault_revoke(struct vault *vault, const struct slot_secret *existing,
			const struct vault_new *spec, struct cof_error *err)
{
	_cleanup_fd_ int lock = -1;

	ENSURE(vault->epoch < UINT32_MAX, err, COF_E_FAILED, vault->paths->vault_dir,
	       "has used up its epochs");
	TRY(vault_unlock(vault, existing, NULL, err));
	TRY(vault_take_lock(vault, VAULT_LOCK_TIMEOUT_MS, &lock, err));
	TRY(revoke_locked(vault, spec, err));
	audit_note(vault, &(struct audit_entry){ .event = AUDIT_VAULT_REVOKE });
	return COF_OK;
}
