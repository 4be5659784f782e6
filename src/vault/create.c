/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A new vault: everything under temporary names, proven, and the header's name last.
 */

#include <string.h>

#include "audit_head.h"
#include "clock.h"
#include "fault.h"

/* The new keystore's path, beside the one that it is to have. */
static cof_result new_keystore_path(const struct vault *vault, char **ret_path,
				    struct cof_error *err)
{
	return path_format(ret_path, err, "%s.new", vault->keystore_path);
}

cof_result keystore_remove(const char *path, struct cof_error *err)
{
	_cleanup_free_ char *journal = NULL;

	TRY(path_format(&journal, err, "%s-journal", path));
	TRY(file_remove(path, err));
	TRY(file_remove(journal, err));
	return COF_OK;
}

/* Refuses where a vault is, or a keystore whose header was lost. */
static cof_result check_nothing_there(const struct vault *vault, struct cof_error *err)
{
	cof_result result;

	ENSURE(!path_exists(vault->header_path), err, COF_E_REFUSED, vault->paths->vault_dir,
	       "there is a vault already");
	if (!vault_exists(vault->paths))
		return COF_OK;
	result = cof_raise(err, COF_E_REFUSED, vault->keystore_path,
			   "holds the records of a vault whose header, root.luks, is gone");
	cof_error_try(err, RESTORE_HEADER);
	return result;
}

/* Writes identity, an empty index and the header's copy into a new keystore. */
static cof_result fill_keystore(struct vault *vault, const struct keys *keys, time_t created,
				struct cof_error *err)
{
	_cleanup_(index_edit_done) struct index_edit edit = { .keys = keys };
	_cleanup_(change_set_done) struct change_set set = { 0 };
	_cleanup_buffer_ struct buffer identity = { 0 };
	_cleanup_buffer_ struct buffer copy = { 0 };

	TRY(identity_seal(keys, created, &identity, err));
	TRY(header_copy_read(vault->new_header_path, &copy, err));
	TRY(change_set_put(&set, ROW_IDENTITY, &identity, 0, err));
	TRY(change_set_put(&set, ROW_HEADER, &copy, 0, err));
	TRY(index_edit_finish(&edit, 1, &set, err));
	TRY(vault->engine->commit(vault->keystore, set.changes, set.count, NULL, err));
	return COF_OK;
}

/* Opens the vault that is about to get its name as any command would: header, identity, records. */
static cof_result prove_new(struct vault *vault, const struct vault_new *spec,
			    struct cof_error *err)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(root_key_freep) struct root_key *root = NULL;
	_cleanup_(keys_done) struct keys keys = { 0 };
	time_t created;

	TRY(vault_open_header(vault->new_header_path, spec->passphrase, &key, NULL, err));
	TRY(root_key_copy(volume_key_span(key), &root, err));
	TRY(keys_from_root(root, vault->uuid, vault->epoch, &keys, err));
	TRY(vault_prove(vault, &keys, &created, err));
	TRY(keys_start(&keys, err));
	vault->keys = keys;
	keys = (struct keys){ 0 };
	vault->created = created;
	vault->unlocked = true;
	return vault_check_rows(vault, NULL, err);
}

/* Makes the keystore under its temporary name and proves it with the new header. */
static cof_result make_keystore(struct vault *vault, const struct vault_new *spec,
				const struct volume_key *key, const char *path,
				struct cof_error *err)
{
	_cleanup_(root_key_freep) struct root_key *root = NULL;
	_cleanup_(keys_done) struct keys keys = { 0 };

	TRY(vault->engine->open(path, true, &vault->keystore, err));
	TRY(fault_point("init/keystore-made", err));
	TRY(root_key_copy(volume_key_span(key), &root, err));
	TRY(keys_from_root(root, vault->uuid, vault->epoch, &keys, err));
	TRY(keys_start(&keys, err));
	TRY(fill_keystore(vault, &keys, clock_now(), err));
	TRY(prove_new(vault, spec, err));
	TRY(fault_point("init/proven", err));
	/* Opened under its temporary name, SQLite would look for its journal there. */
	vault->engine->close(TAKE(vault->keystore));
	return COF_OK;
}

/* Gives everything its name, the header last: from then on there is a vault. */
static cof_result install(struct vault *vault, const char *new_keystore, struct cof_error *err)
{
	TRY(keystore_remove(vault->keystore_path, err));
	TRY(file_rename(new_keystore, vault->keystore_path, err));
	TRY(fault_point("init/keystore-named", err));
	TRY(vault->engine->open(vault->keystore_path, false, &vault->keystore, err));
	TRY(mark_write(vault, err));
	audit_new_vault(vault);
	audit_note(vault, &(struct audit_entry){ .event = AUDIT_VAULT_INIT });
	TRY(file_rename(vault->new_header_path, vault->header_path, err));
	TRY(fault_point("init/header-named", err));
	mirrors_write(vault);
	return COF_OK;
}

cof_result vault_create(const struct paths *paths, const struct vault_new *spec,
			struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_free_ struct luks_info *info = calloc(1, sizeof(*info));
	_cleanup_free_ char *new_keystore = NULL;
	_cleanup_fd_ int lock = -1;

	ENSURE(info, err, COF_E_NOMEM, paths->vault_dir, "no memory for a header");
	TRY(vault_new(paths, &vault, err));
	TRY(new_keystore_path(vault, &new_keystore, err));
	TRY(folder_make(paths->vault_dir, 0700, err));
	TRY(folder_check_private(paths->vault_dir, err));
	TRY(file_sync_folder_of(paths->vault_dir, err));
	TRY(vault_take_lock(vault, VAULT_LOCK_TIMEOUT_MS, &lock, err));
	TRY(check_nothing_there(vault, err));
	TRY(keystore_remove(new_keystore, err));
	TRY(file_remove(vault->mark_path, err));
	vault->epoch = 1;
	TRY(header_format(vault, spec, NULL, vault->epoch, "init", &key, err));
	TRY(luks_read(vault->new_header_path, NULL, info, err));
	TRY(vault_set_uuid(vault, info->uuid, err));
	TRY(make_keystore(vault, spec, key, new_keystore, err));
	TRY(install(vault, new_keystore, err));
	return COF_OK;
}
