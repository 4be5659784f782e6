/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A vault as an object: where it is, opening and closing it. Unlocking is in unlock.c.
 */

#include <string.h>

#include "audit_head.h"

cof_result vault_new(const struct paths *paths, struct vault **ret_vault, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = calloc(1, sizeof(*vault));
	const char *folder = paths->vault_dir;

	ENSURE(vault, err, COF_E_NOMEM, folder, "no memory for a vault");
	vault->paths = paths;
	vault->engine = &keystore_sqlite;
	TRY(path_format(&vault->header_path, err, "%s/root.luks", folder));
	TRY(path_format(&vault->new_header_path, err, "%s/root.luks.new", folder));
	TRY(path_format(&vault->keystore_path, err, "%s/vault.db", folder));
	TRY(path_format(&vault->mark_path, err, "%s/vault.mark", folder));
	TRY(path_format(&vault->lock_path, err, "%s/.lock", folder));

	*ret_vault = TAKE(vault);
	return COF_OK;
}

void vault_forget_index(struct vault *vault)
{
	buffer_done(&vault->sealed_manifest);
	for (size_t i = 0; i < INDEX_PAGES; i++) {
		index_page_done(&vault->pages[i].page);
		vault->pages[i] = (struct index_cache){ 0 };
	}
}

void vault_relock(struct vault *vault)
{
	vault->unlocked = false;
	vault->created = 0;
	keys_done(&vault->keys);
	root_key_free(TAKE(vault->root));
	vault_forget_index(vault);
}

void vault_close(struct vault *vault)
{
	if (!vault)
		return;
	audit_finish(vault);
	vault_relock(vault);
	vault->engine->close(vault->keystore);
	free(vault->header_path);
	free(vault->new_header_path);
	free(vault->keystore_path);
	free(vault->mark_path);
	free(vault->lock_path);
	free(vault);
}

cof_result vault_take_lock(const struct vault *vault, unsigned int timeout_ms, int *ret_fd,
			   struct cof_error *err)
{
	return file_lock(vault->lock_path, timeout_ms, ret_fd, err);
}

cof_result vault_set_uuid(struct vault *vault, const char *text, struct cof_error *err)
{
	TRY(header_uuid_parse(text, vault->uuid, err));
	memcpy(vault->uuid_text, text, sizeof(vault->uuid_text));
	return COF_OK;
}

cof_result vault_open_keystore(struct vault *vault, struct cof_error *err)
{
	cof_result result;

	if (!path_exists(vault->keystore_path)) {
		result = cof_raise(err, COF_E_FORMAT, vault->keystore_path,
				   "the keystore is missing, its header is there");
		return copy_try_newest(vault, result, err);
	}
	result = vault->engine->open(vault->keystore_path, false, &vault->keystore, err);
	return result.code == COF_E_FORMAT ? copy_try_newest(vault, result, err) : result;
}

/* Whether the keystore has any record; one that cannot be read counts as having some. */
static bool keystore_has_records(struct vault *vault)
{
	_cleanup_(key_list_done) struct key_list records = { 0 };
	_cleanup_(key_list_done) struct key_list history = { 0 };

	if (!vault->keystore &&
	    cof_failed(vault->engine->open(vault->keystore_path, false, &vault->keystore, NULL)))
		return true;
	if (cof_failed(key_list_walk(vault, ROW_RECORDS, &records, NULL)) ||
	    cof_failed(key_list_walk(vault, ROW_HISTORY, &history, NULL)))
		return true;
	return records.count + history.count > 0;
}

bool vault_exists(const struct paths *paths)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;

	if (cof_failed(vault_new(paths, &vault, NULL)))
		return true;
	return path_exists(vault->header_path) ||
	       (path_exists(vault->keystore_path) && keystore_has_records(vault));
}

cof_result vault_read_header(struct vault *vault, struct cof_error *err)
{
	_cleanup_free_ struct luks_info *info = calloc(1, sizeof(*info));
	cof_result result;

	ENSURE(info, err, COF_E_NOMEM, vault->header_path, "no memory for a header");
	result = luks_read(vault->header_path, NULL, info, err);
	if (result.code == COF_E_FORMAT || result.code == COF_E_NOENT) {
		result =
			cof_raise(err, COF_E_FORMAT, vault->header_path, "the vault's header is %s",
				  path_exists(vault->header_path) ? "damaged" : "missing");
		cof_error_try(err, RESTORE_HEADER);
	}
	TRY(result);
	TRY(vault_set_uuid(vault, info->uuid, err));
	return COF_OK;
}

cof_result vault_open(const struct paths *paths, struct vault **ret_vault, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	bool found;

	TRY(vault_new(paths, &vault, err));
	if (!path_exists(vault->header_path) && !path_exists(vault->keystore_path)) {
		cof_result result =
			cof_raise(err, COF_E_NOENT, paths->vault_dir, "there is no vault");

		if (!vault_copies_explain(paths, err))
			cof_error_try(err, "coffer init");
		return result;
	}
	TRY(folder_check_private(paths->vault_dir, err));
	/* The UUID names the mirrors, should the keystore be damaged. */
	cof_ignore(vault_read_header(vault, NULL));
	TRY(vault_open_keystore(vault, err));
	TRY(header_converge(vault, err));
	if (vault->uuid_text[0] == '\0')
		TRY(vault_read_header(vault, err));
	TRY(identity_epoch(vault, &vault->epoch, NULL, &found, err));
	ENSURE(found, err, COF_E_FORMAT, vault->keystore_path,
	       "the keystore has no identity record");

	*ret_vault = TAKE(vault);
	return COF_OK;
}

bool vault_is_unlocked(const struct vault *vault)
{
	return vault->unlocked;
}

const struct root_key *vault_root_key(const struct vault *vault)
{
	return vault->root;
}

const uint8_t *vault_uuid(const struct vault *vault)
{
	return vault->uuid;
}

uint32_t vault_epoch(const struct vault *vault)
{
	return vault->epoch;
}

const char *vault_header_path(const struct vault *vault)
{
	return vault->header_path;
}

time_t vault_created(const struct vault *vault)
{
	return vault->created;
}

void vault_accept_older(struct vault *vault, vault_ask_older ask, void *context)
{
	vault->accept_older = true;
	vault->ask_older = ask;
	vault->ask_context = context;
}

cof_result vault_revision(struct vault *vault, uint64_t *ret_revision, struct cof_error *err)
{
	return sealed_revision(vault, ret_revision, err);
}

void vault_defer_mirrors(struct vault *vault)
{
	vault->defer_mirrors = true;
}

cof_result vault_sync(struct vault *vault, struct cof_error *err)
{
	_cleanup_fd_ int lock = -1;
	cof_result refreshed;
	bool changed;

	vault->defer_mirrors = false;
	TRY(vault_take_lock(vault, VAULT_LOCK_TIMEOUT_MS, &lock, err));
	/* Where the header or its copy cannot be read, the mirrors still get the records. */
	refreshed = header_refresh(vault, &changed, err);
	commit_follow_up(vault);
	return refreshed;
}

uint64_t vault_stamp(const struct paths *paths)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	uint64_t stamp = 0;

	if (cof_failed(vault_new(paths, &vault, NULL)) || !path_exists(vault->keystore_path) ||
	    cof_failed(folder_check_private(paths->vault_dir, NULL)) ||
	    cof_failed(vault->engine->open(vault->keystore_path, false, &vault->keystore, NULL)) ||
	    cof_failed(vault->engine->revision(vault->keystore, &stamp, NULL)))
		return 0;
	return stamp;
}
