/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Records as the layers above see them: one, all of a kind, a record's history, and the check of
 * everything.
 */

#include <string.h>

#include "audit_head.h"

/* Readers take no lock. One that finds others writing each time takes it in the end, as otherwise
 * it could not tell their changes from tampering. */
#define LIST_ATTEMPTS 4

/* Keeps writers out for the last attempt. */
static cof_result last_attempt(const struct vault *vault, int attempt, int *lock,
			       struct cof_error *err)
{
	if (attempt < LIST_ATTEMPTS - 1)
		return COF_OK;
	return vault_take_lock(vault, VAULT_LOCK_TIMEOUT_MS, lock, err);
}

cof_result vault_get(struct vault *vault, const char *kind, const char *name,
		     struct record **ret_record, bool *ret_found, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	_cleanup_free_ char *key = NULL;
	_cleanup_row_ struct row row = { 0 };

	TRY(record_row_key(&key, kind, name, err));
	TRY(row_get_known(vault, key, &row, err));
	if (row.found) {
		TRY(keys_open_record(&vault->keys, kind, name, buffer_span(&row.value),
				     row.revision, &record, err));
		*ret_record = TAKE(record);
	}
	*ret_found = row.found;
	return COF_OK;
}

cof_result vault_get_generation(struct vault *vault, const char *kind, const char *name,
				uint64_t generation, struct record **ret_record, bool *ret_found,
				struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	_cleanup_free_ char *key = NULL;
	_cleanup_row_ struct row row = { 0 };
	bool found;

	TRY(vault_get(vault, kind, name, &record, &found, err));
	if (!found || record->generation != generation) {
		record_free(TAKE(record));
		TRY(history_row_key(&key, kind, name, generation, err));
		TRY(row_get_known(vault, key, &row, err));
		found = row.found;
		if (found)
			TRY(keys_open_record(&vault->keys, kind, name, buffer_span(&row.value),
					     row.revision, &record, err));
	}
	if (found)
		*ret_record = TAKE(record);
	*ret_found = found;
	return COF_OK;
}

/* Makes an array of keys one of the names in them: "record/KIND/NAME" becomes "NAME". */
static void keep_names(struct key_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		char *name = strrchr(list->keys[i], '/') + 1;

		memmove(list->keys[i], name, strlen(name) + 1);
	}
}

cof_result vault_names(struct vault *vault, const char *kind, char ***ret_names,
		       struct cof_error *err)
{
	_cleanup_(key_list_done) struct key_list list = { 0 };
	_cleanup_free_ char *prefix = NULL;

	TRY(record_row_key(&prefix, kind, "", err));
	TRY(key_list_walk(vault, prefix, &list, err));
	keep_names(&list);
	if (!list.keys)
		list.keys = calloc(1, sizeof(*list.keys));
	ENSURE(list.keys, err, COF_E_NOMEM, kind, "no memory for a list");

	*ret_names = TAKE(list.keys);
	list.count = 0;
	return COF_OK;
}

void vault_names_free(char **names)
{
	for (size_t i = 0; names && names[i]; i++)
		free(names[i]);
	free(names);
}

/* The keys of all records of @kind, whose number is what the manifest says. */
static cof_result list_records(struct vault *vault, const char *kind, struct key_list *ret_list,
			       struct cof_error *err)
{
	_cleanup_free_ char *prefix = NULL;
	const struct manifest *manifest;
	_cleanup_fd_ int lock = -1;
	uint64_t expected = 0;
	size_t found = 0;

	TRY(path_format(&prefix, err, ROW_RECORDS "%s%s", kind ? kind : "", kind ? "/" : ""));
	for (int attempt = 0; attempt < LIST_ATTEMPTS; attempt++) {
		_cleanup_(key_list_done) struct key_list list = { 0 };
		uint64_t before;

		TRY(last_attempt(vault, attempt, &lock, err));
		TRY(vault_read_manifest(vault, &manifest, err));
		before = manifest->revision;
		expected = manifest_records(manifest, kind);
		TRY(key_list_walk(vault, prefix, &list, err));
		found = list.count;
		if (found == expected) {
			*ret_list = list;
			list = (struct key_list){ 0 };
			return COF_OK;
		}
		TRY(vault_read_manifest(vault, &manifest, err));
		if (manifest->revision == before)
			break;
	}
	return copy_try_newest(
		vault,
		cof_raise(err, COF_E_AUTH, vault->keystore_path,
			  "holds %zu records of kind %s, the vault wrote %llu: some were removed "
			  "or added",
			  found, kind ? kind : "any", (unsigned long long)expected),
		err);
}

cof_result vault_each(struct vault *vault, const char *kind, vault_visit visit, void *context,
		      struct cof_error *err)
{
	_cleanup_(key_list_done) struct key_list list = { 0 };

	TRY(list_records(vault, kind, &list, err));
	for (size_t i = 0; i < list.count; i++) {
		_cleanup_(record_freep) struct record *record = NULL;
		_cleanup_free_ char *record_kind = NULL;
		_cleanup_free_ char *name = NULL;
		uint64_t generation;
		bool found;

		TRY(row_key_split(list.keys[i], &record_kind, &name, &generation, err));
		TRY(vault_get(vault, record_kind, name, &record, &found, err));
		if (found)
			TRY(visit(record, context, err));
	}
	return COF_OK;
}

cof_result vault_each_generation(struct vault *vault, const char *kind, const char *name,
				 vault_visit visit, void *context, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *newest = NULL;
	_cleanup_(key_list_done) struct key_list list = { 0 };
	_cleanup_free_ char *prefix = NULL;
	bool found;

	TRY(vault_get(vault, kind, name, &newest, &found, err));
	if (found)
		TRY(visit(newest, context, err));
	TRY(path_format(&prefix, err, ROW_HISTORY "%s/%s/", kind, name));
	TRY(key_list_walk(vault, prefix, &list, err));
	for (size_t i = list.count; i > 0; i--) {
		_cleanup_(record_freep) struct record *record = NULL;
		_cleanup_free_ char *row_kind = NULL;
		_cleanup_free_ char *row_name = NULL;
		uint64_t generation;

		TRY(row_key_split(list.keys[i - 1], &row_kind, &row_name, &generation, err));
		TRY(vault_get_generation(vault, kind, name, generation, &record, &found, err));
		if (found)
			TRY(visit(record, context, err));
	}
	return COF_OK;
}

/* Opens every row whose key is in @list. */
static cof_result check_rows(struct vault *vault, const struct key_list *list,
			     struct cof_error *err)
{
	for (size_t i = 0; i < list->count; i++) {
		_cleanup_(record_freep) struct record *record = NULL;
		_cleanup_free_ char *kind = NULL;
		_cleanup_free_ char *name = NULL;
		_cleanup_row_ struct row row = { 0 };
		uint64_t generation;

		TRY(row_key_split(list->keys[i], &kind, &name, &generation, err));
		TRY(row_get_known(vault, list->keys[i], &row, err));
		if (!row.found)
			continue;
		TRY(keys_open_record(&vault->keys, kind, name, buffer_span(&row.value),
				     row.revision, &record, err));
		ENSURE(generation == 0 || record->generation == generation, err, COF_E_AUTH,
		       list->keys[i], "holds generation %llu",
		       (unsigned long long)record->generation);
	}
	return COF_OK;
}

/* One attempt at vault_check(): @ret_rows is how many rows there are. */
static cof_result check_set(struct vault *vault, size_t *ret_records, size_t *ret_rows,
			    struct cof_error *err)
{
	_cleanup_(key_list_done) struct key_list records = { 0 };
	_cleanup_(key_list_done) struct key_list history = { 0 };
	struct audit_chain chain;
	uint64_t seq;
	bool noted;

	TRY(list_records(vault, NULL, &records, err));
	TRY(key_list_walk(vault, ROW_HISTORY, &history, err));
	TRY(check_rows(vault, &records, err));
	TRY(check_rows(vault, &history, err));
	*ret_records = records.count;
	TRY(audit_head_get(vault, &seq, &chain, &noted, err));
	*ret_rows = records.count + history.count + noted;
	return COF_OK;
}

cof_result vault_check_rows(struct vault *vault, size_t *ret_records, struct cof_error *err)
{
	const struct manifest *manifest;
	_cleanup_fd_ int lock = -1;
	uint64_t before = 0;
	size_t records = 0;
	size_t rows = 0;

	for (int attempt = 0; attempt < LIST_ATTEMPTS; attempt++) {
		TRY(last_attempt(vault, attempt, &lock, err));
		TRY(vault_read_manifest(vault, &manifest, err));
		before = manifest->revision;
		TRY(check_set(vault, &records, &rows, err));
		TRY(vault_read_manifest(vault, &manifest, err));
		if (rows == manifest->rows) {
			if (ret_records)
				*ret_records = records;
			return COF_OK;
		}
		if (before == manifest->revision)
			break;
	}
	return copy_try_newest(
		vault,
		cof_raise(err, COF_E_AUTH, vault->keystore_path,
			  "holds %zu records and older generations, the vault wrote %llu", rows,
			  (unsigned long long)vault->manifest.rows),
		err);
}

/* That the header is not one which any change would be refused for. */
static cof_result check_header(struct vault *vault, struct cof_error *err)
{
	enum vault_header state;

	/* This waits for who is just changing it; what is wrong then is wrong without a lock too.
	 */
	TRY(vault_header_state(vault, &state, err));
	if (state == VAULT_HEADER_FORGED)
		return header_check_seal(vault, err);
	return state == VAULT_HEADER_KEPT || state == VAULT_HEADER_CHANGED
		       ? COF_OK
		       : header_check_copy(vault, err);
}

cof_result vault_check(struct vault *vault, size_t *ret_records, struct cof_error *err)
{
	ENSURE(vault->unlocked, err, COF_E_LOCKED, vault->paths->vault_dir, "the vault is locked");
	TRY(vault_check_keystore(vault, err));
	TRY(vault_check_rows(vault, ret_records, err));
	return check_header(vault, err);
}
