/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A vault from a backup, in a folder that has none: everything under temporary names, proven, and
 * the header's name last, as in create.c.
 */

#include <string.h>

#include "audit_file.h"
#include "audit_head.h"
#include "backup_stream.h"
#include "fault.h"
#include "note.h"

#define BATCH_BYTES (4u << 20) /* of rows, in one transaction */

/**
 * struct restoring
 * @vault:   the object of the vault that is to be; owned
 * @path:    of the new keystore, until it has its name; owned
 * @batch:   rows that are not written yet, of @batch_bytes
 * @config:  of the backup
 */
struct restoring {
	struct backup *backup;
	struct vault *vault;
	char *path;
	struct change_set batch;
	size_t batch_bytes;
	bool has_config;
	struct buffer config;
};

/* What is left of a run that failed would fill the disk that may just be full. */
static void restoring_done(struct restoring *restoring)
{
	change_set_done(&restoring->batch);
	buffer_done(&restoring->config);
	if (restoring->path) {
		vault_relock(restoring->vault);
		restoring->vault->engine->close(TAKE(restoring->vault->keystore));
		cof_ignore(keystore_remove(restoring->path, NULL));
		cof_ignore(file_remove(restoring->vault->new_header_path, NULL));
	}
	free(restoring->path);
	vault_close(restoring->vault);
}

/* ---- what is there ---- */

/* What the vault that is there says of itself in the clear; not proven. */
struct found_vault {
	bool is_backups; /* it is the vault of the backup */
	uint32_t epoch;
	uint64_t revision;
};

/* Whether the vault that is there is the backup's, and has changed since. */
static bool is_newer(const struct found_vault *found, const struct backup_head *head)
{
	return found->is_backups &&
	       (found->epoch > head->epoch ||
		(found->epoch == head->epoch && found->revision > head->revision));
}

static cof_result refuse(const struct paths *paths, const struct backup *backup,
			 const struct found_vault *found, struct cof_error *err)
{
	cof_result refused = cof_raise(err, COF_E_REFUSED, paths->vault_dir,
				       "there is a vault already, or what is left of one");

	if (is_newer(found, &backup->head))
		cof_error_cause(err,
				"that vault is newer than the backup: epoch %u, revision %llu "
				"against epoch %u, revision %llu",
				found->epoch, (unsigned long long)found->revision,
				backup->head.epoch, (unsigned long long)backup->head.revision);
	cof_error_try(err,
		      "mv %s %s.aside, which keeps it, then coffer backup restore %s; or --vault "
		      "DIR for another place",
		      paths->vault_dir, paths->vault_dir, backup->file);
	return refused;
}

/* Opens the keystore that is there; whether it is at the backup's state, as far as its rows in the
 * clear tell. */
static bool looks_same(struct vault *vault, const struct backup *backup,
		       struct found_vault *ret_found)
{
	uint8_t uuid[VAULT_UUID_BYTES];
	bool found;

	*ret_found = (struct found_vault){ 0 };
	ret_found->is_backups =
		path_exists(vault->keystore_path) &&
		!cof_failed(vault_open_keystore(vault, NULL)) &&
		!cof_failed(identity_epoch(vault, &ret_found->epoch, uuid, &found, NULL)) &&
		found && memcmp(uuid, backup->head.uuid, sizeof(uuid)) == 0 &&
		!cof_failed(sealed_revision(vault, &ret_found->revision, NULL));
	return ret_found->is_backups && ret_found->epoch == backup->head.epoch &&
	       ret_found->revision == backup->head.revision;
}

cof_result backup_check_place(const struct backup *backup, const struct paths *paths,
			      struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct found_vault found;

	if (!vault_exists(paths))
		return COF_OK;
	TRY(vault_new(paths, &vault, err));
	return looks_same(vault, backup, &found) ? COF_OK : refuse(paths, backup, &found, err);
}

/* A row of the backup that is looked for. */
struct wanted {
	const char *key;
	struct buffer value;
};

static cof_result find_row(const struct backup_item *item, void *context, struct cof_error *err)
{
	struct wanted *wanted = context;

	if (item->kind != BACKUP_ROW || strcmp(item->name, wanted->key) != 0)
		return COF_OK;
	return buffer_add(&wanted->value, item->value.data, item->value.len, err);
}

/* Whether the keystore that is there holds just what the backup holds: two manifests that are the
 * same seal the same rows. */
static cof_result is_same(struct vault *vault, struct backup *backup, bool *ret_same,
			  struct found_vault *ret_found, struct cof_error *err)
{
	struct wanted wanted = { .key = ROW_MANIFEST };
	_cleanup_row_ struct row row = { 0 };
	cof_result walked;

	*ret_same = looks_same(vault, backup, ret_found);
	if (!*ret_same)
		return COF_OK;
	TRY(row_get(vault, ROW_MANIFEST, &row, err));
	walked = backup_walk(backup, find_row, &wanted, err);
	*ret_same = !cof_failed(walked) && row.found &&
		    ct_equal(buffer_span(&row.value), buffer_span(&wanted.value));
	buffer_done(&wanted.value);
	return walked;
}

/* Refuses where another vault is, or the backup's with a damaged header; @ret_whole: that of the
 * backup is there. */
static cof_result check_place(struct restoring *restoring, bool *ret_whole, struct cof_error *err)
{
	struct vault *vault = restoring->vault;
	struct found_vault found;
	bool same = false;

	*ret_whole = false;
	if (!vault_exists(vault->paths))
		return COF_OK;
	TRY(is_same(vault, restoring->backup, &same, &found, err));
	vault->engine->close(TAKE(vault->keystore));
	if (!same)
		return refuse(vault->paths, restoring->backup, &found, err);
	*ret_whole = path_exists(vault->header_path);
	return *ret_whole ? vault_read_header(vault, err) : COF_OK;
}

/* ---- the audit log ---- */

/* How the log that is in the folder compares with the backup's. */
struct log_check {
	const char *folder;
	size_t same;
};

/* A file of the log that begins as the backup's does was restored before; lines may have come
 * since.
 */
static cof_result check_log(const struct backup_item *item, void *context, struct cof_error *err)
{
	struct log_check *check = context;
	_cleanup_buffer_ struct buffer found = { 0 };
	_cleanup_free_ char *path = NULL;

	if (item->kind != BACKUP_AUDIT)
		return COF_OK;
	TRY(path_format(&path, err, "%s/%s", check->folder, item->name));
	if (!path_exists(path))
		return COF_OK;
	TRY(file_read(path, BACKUP_ITEM_MAX_BYTES, &found, err));
	check->same += found.len >= item->value.len &&
		       memcmp(found.data, item->value.data, item->value.len) == 0;
	return COF_OK;
}

/* Sets the log of an earlier vault aside. */
static cof_result clear_log(struct restoring *restoring, struct cof_error *err)
{
	struct log_check check = { .folder = restoring->vault->paths->vault_dir };
	_cleanup_(vault_names_freep) char **names = NULL;
	_cleanup_fd_ int lock = -1;
	size_t count;

	TRY(audit_lock(check.folder, &lock, err));
	TRY(audit_files(check.folder, &names, &count, err));
	if (count == 0)
		return COF_OK;
	TRY(backup_walk(restoring->backup, check_log, &check, err));
	return check.same == count ? COF_OK : audit_set_aside(check.folder, "old", err);
}

/* ---- writing ---- */

/* Writes the rows that wait. */
static cof_result flush(struct restoring *restoring, struct cof_error *err)
{
	struct vault *vault = restoring->vault;

	TRY(vault->engine->commit(vault->keystore, restoring->batch.changes, restoring->batch.count,
				  NULL, err));
	change_set_done(&restoring->batch);
	restoring->batch = (struct change_set){ 0 };
	restoring->batch_bytes = 0;
	return COF_OK;
}

static cof_result put_row(struct restoring *restoring, const char *key, struct span value,
			  struct cof_error *err)
{
	struct buffer copy = { 0 };

	TRY(buffer_add(&copy, value.data, value.len, err));
	TRY(change_set_put(&restoring->batch, key, &copy, 0, err));
	restoring->batch_bytes += value.len;
	return restoring->batch_bytes < BATCH_BYTES ? COF_OK : flush(restoring, err);
}

static cof_result put_audit(const struct restoring *restoring, const struct backup_item *item,
			    struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;

	TRY(path_format(&path, err, "%s/%s", restoring->vault->paths->vault_dir, item->name));
	if (path_exists(path))
		return COF_OK;
	TRY(file_create(path, item->value, 0600, err));
	return fault_point("backup-restore/audit-written", err);
}

static cof_result put_item(const struct backup_item *item, void *context, struct cof_error *err)
{
	struct restoring *restoring = context;

	if (item->kind == BACKUP_ROW)
		return put_row(restoring, item->name, item->value, err);
	if (item->kind == BACKUP_AUDIT)
		return put_audit(restoring, item, err);
	restoring->has_config = true;
	return buffer_add(&restoring->config, item->value.data, item->value.len, err);
}

/* The header, under its temporary name. */
static cof_result write_header(struct restoring *restoring, struct cof_error *err)
{
	const char *path = restoring->vault->new_header_path;
	struct span copy;
	uint64_t sequence;

	TRY(header_copy_split(buffer_span(&restoring->backup->anchor), &sequence, &copy, err));
	TRY(file_remove(path, err));
	TRY(luks_write_header_copy(copy, path, err));
	return fault_point("backup-restore/header-written", err);
}

/* The keystore, under its temporary name, and the log. */
static cof_result write_rows(struct restoring *restoring, struct cof_error *err)
{
	struct vault *vault = restoring->vault;

	TRY(keystore_remove(restoring->path, err));
	TRY(vault->engine->open(restoring->path, true, &vault->keystore, err));
	TRY(put_row(restoring, ROW_HEADER, buffer_span(&restoring->backup->anchor), err));
	TRY(backup_walk(restoring->backup, put_item, restoring, err));
	TRY(flush(restoring, err));
	return fault_point("backup-restore/keystore-written", err);
}

/* Opens everything in the new keystore as any command would. */
static cof_result prove(struct restoring *restoring, struct cof_error *err)
{
	struct vault *vault = restoring->vault;
	const struct backup *backup = restoring->backup;

	vault->epoch = backup->head.epoch;
	memcpy(vault->uuid, backup->head.uuid, sizeof(vault->uuid));
	TRY(keys_from_root(backup->root, vault->uuid, vault->epoch, &vault->keys, err));
	TRY(vault_prove(vault, &vault->keys, &vault->created, err));
	TRY(keys_start(&vault->keys, err));
	vault->unlocked = true;
	TRY(vault_check_rows(vault, NULL, err));
	/* Opened under its temporary name, SQLite would look for its journal there. */
	vault_relock(vault);
	vault->engine->close(TAKE(vault->keystore));
	return fault_point("backup-restore/proven", err);
}

/* Gives everything its name, the header last: from then on there is a vault. */
static cof_result install(struct restoring *restoring, struct cof_error *err)
{
	const struct vault *vault = restoring->vault;

	TRY(keystore_remove(vault->keystore_path, err));
	TRY(file_rename(restoring->path, vault->keystore_path, err));
	free(TAKE(restoring->path));
	TRY(fault_point("backup-restore/keystore-named", err));
	TRY(file_rename(vault->new_header_path, vault->header_path, err));
	return fault_point("backup-restore/header-named", err);
}

/* ---- the configuration ---- */

static cof_result restore_config(const struct restoring *restoring,
				 struct backup_restored *restored, struct cof_error *err)
{
	const char *path = restoring->vault->paths->config;
	_cleanup_buffer_ struct buffer found = { 0 };
	_cleanup_free_ char *folder = NULL;
	_cleanup_free_ char *beside = NULL;

	restored->config = CONFIG_NONE;
	if (!restoring->has_config || !path)
		return COF_OK;
	if (!path_exists(path)) {
		TRY(path_format(&folder, err, "%.*s", (int)(path_base(path) - path), path));
		TRY(folder_make(folder, 0755, err));
		TRY(file_create(path, buffer_span(&restoring->config), 0644, err));
		restored->config = CONFIG_WRITTEN;
		return fault_point("backup-restore/config-written", err);
	}
	TRY(file_read(path, BACKUP_ITEM_MAX_BYTES, &found, err));
	restored->config = CONFIG_SAME;
	if (ct_equal(buffer_span(&found), buffer_span(&restoring->config)))
		return COF_OK;
	restored->config = CONFIG_OTHER;
	TRY(path_format(&beside, err, "%s.restored", path));
	return file_replace(beside, buffer_span(&restoring->config), 0644, err);
}

/* The configuration alone, of a vault that is there already. */
static cof_result take_config(const struct backup_item *item, void *context, struct cof_error *err)
{
	return item->kind == BACKUP_CONFIG ? put_item(item, context, err) : COF_OK;
}

/* ---- all of it ---- */

cof_result backup_restore(struct backup *backup, const struct paths *paths,
			  struct backup_restored *ret_restored, struct cof_error *err)
{
	_cleanup_(restoring_done) struct restoring restoring = { .backup = backup };
	_cleanup_fd_ int lock = -1;

	ENSURE(backup->root, err, COF_E_LOCKED, backup->file, "the backup is locked");
	TRY(vault_new(paths, &restoring.vault, err));
	TRY(folder_make(paths->vault_dir, 0700, err));
	TRY(folder_check_private(paths->vault_dir, err));
	TRY(file_sync_folder_of(paths->vault_dir, err));
	TRY(vault_take_lock(restoring.vault, VAULT_LOCK_TIMEOUT_MS, &lock, err));
	TRY(check_place(&restoring, &ret_restored->already, err));
	if (ret_restored->already) {
		TRY(backup_walk(backup, take_config, &restoring, err));
		return restore_config(&restoring, ret_restored, err);
	}
	TRY(path_format(&restoring.path, err, "%s.new", restoring.vault->keystore_path));
	TRY(clear_log(&restoring, err));
	TRY(write_header(&restoring, err));
	TRY(write_rows(&restoring, err));
	TRY(prove(&restoring, err));
	TRY(install(&restoring, err));
	return restore_config(&restoring, ret_restored, err);
}

/* Whether the vault has noted already that it was restored from this backup. */
static bool is_noted(struct vault *vault, const struct backup_facts *facts)
{
	_cleanup_json_ struct json *note = NULL;

	return !cof_failed(note_get(vault, NOTE_BACKUP, &note, NULL)) && note &&
	       json_get_text(note, "id") && strcmp(json_get_text(note, "id"), facts->id) == 0;
}

cof_result backup_settle(const struct backup *backup, const struct paths *paths,
			 struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct backup_facts facts;
	struct note_stand stand;
	struct keys keys;

	ENSURE(backup->root, err, COF_E_LOCKED, backup->file, "the backup is locked");
	TRY(vault_open(paths, &vault, err));
	TRY(keys_from_root(backup->root, backup->head.uuid, backup->head.epoch, &keys, err));
	TRY(vault_unlock_from(vault, keys.source, err));
	backup_read_facts(backup, &facts);
	if (is_noted(vault, &facts))
		return COF_OK;
	TRY(note_stand_read(vault, &stand, err));
	return backup_remember(vault, AUDIT_BACKUP_RESTORE, backup->file, &facts, &stand, err);
}
