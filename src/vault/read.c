/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading rows: what the index covers is checked against it each time.
 */

#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "number.h"
#include "record.h"

/* A commit by another process may come between the reads of one check; then it is made again. */
#define READ_ATTEMPTS 8

void row_done(struct row *row)
{
	buffer_done(&row->value);
}

cof_result row_get(struct vault *vault, const char *key, struct row *ret_row, struct cof_error *err)
{
	_cleanup_row_ struct row row = { 0 };

	ENSURE(vault->keystore, err, COF_E_FORMAT, vault->keystore_path,
	       "the keystore is missing or damaged");
	TRY(vault->engine->get(vault->keystore, key, &row.value, &row.revision, &row.found, err));
	*ret_row = row;
	row = (struct row){ 0 };
	return COF_OK;
}

cof_result sealed_revision(struct vault *vault, uint64_t *ret_revision, struct cof_error *err)
{
	_cleanup_row_ struct row row = { 0 };
	struct sealed_header header = { 0 };

	TRY(row_get(vault, ROW_MANIFEST, &row, err));
	if (row.found)
		TRY(sealed_parse(buffer_span(&row.value), ROW_MANIFEST, &header, NULL, err));
	*ret_revision = header.generation;
	return COF_OK;
}

/* Opens a manifest that is not the one known already, and remembers it. */
static cof_result open_manifest(struct vault *vault, struct row *row, struct cof_error *err)
{
	_cleanup_secret_ struct secret *plain = NULL;
	struct sealed_header header;
	struct manifest manifest;

	TRY(sealed_parse(buffer_span(&row->value), ROW_MANIFEST, &header, NULL, err));
	if (header.epoch > vault->epoch) {
		cof_result result = cof_raise(err, COF_E_LOCKED, vault->paths->vault_dir,
					      "was revoked from epoch %u to %u meanwhile",
					      vault->epoch, header.epoch);

		cof_error_try(err, "coffer unlock");
		return result;
	}
	TRY(keys_open(&vault->keys, "manifest", "", "", buffer_span(&row->value), ROW_MANIFEST,
		      &header, &plain, err));
	TRY(manifest_decode(secret_span(plain), ROW_MANIFEST, &manifest, err));
	vault->manifest = manifest;
	vault->manifest.revision = header.generation;
	buffer_done(&vault->sealed_manifest);
	vault->sealed_manifest = row->value;
	row->value = (struct buffer){ 0 };
	return COF_OK;
}

cof_result vault_read_manifest(struct vault *vault, const struct manifest **ret_manifest,
			       struct cof_error *err)
{
	_cleanup_row_ struct row row = { 0 };

	ENSURE(vault->unlocked, err, COF_E_LOCKED, vault->paths->vault_dir, "the vault is locked");
	TRY(row_get(vault, ROW_MANIFEST, &row, err));
	ENSURE(row.found, err, COF_E_AUTH, vault->keystore_path,
	       "the manifest of the vault's records is not there");
	if (row.value.len != vault->sealed_manifest.len ||
	    memcmp(row.value.data, vault->sealed_manifest.data, row.value.len) != 0)
		TRY(open_manifest(vault, &row, err));
	vault->manifest_revision = row.revision;
	*ret_manifest = &vault->manifest;
	return COF_OK;
}

cof_result vault_read_page(struct vault *vault, const struct manifest *manifest, unsigned int page,
			   const struct index_page **ret_page, struct cof_error *err)
{
	static const struct index_page empty;
	const struct index_digest *expected = &manifest->pages[page];
	struct index_cache *cache = &vault->pages[page];
	_cleanup_secret_ struct secret *plain = NULL;
	_cleanup_row_ struct row row = { 0 };
	struct index_digest found;
	struct index_page opened;
	char key[sizeof(ROW_INDEX) + 2] = ROW_INDEX;
	char name[3];

	if (index_digest_is_zero(expected)) {
		*ret_page = &empty;
		return COF_OK;
	}
	if (memcmp(&cache->digest, expected, sizeof(*expected)) != 0) {
		strcat(key, index_page_name(page, name));
		TRY(row_get(vault, key, &row, err));
		ENSURE(row.found, err, COF_E_AUTH, key, "is missing from the keystore");
		TRY(index_value_digest(vault->keys.index_key, key, buffer_span(&row.value), &found,
				       err));
		ENSURE(memcmp(&found, expected, sizeof(found)) == 0, err, COF_E_AUTH, key,
		       "is not the page that the vault wrote last");
		TRY(keys_open(&vault->keys, "index", "", name, buffer_span(&row.value), key, NULL,
			      &plain, err));
		TRY(index_page_decode(secret_span(plain), key, &opened, err));
		index_page_done(&cache->page);
		cache->page = opened;
		cache->digest = *expected;
	}
	*ret_page = &cache->page;
	return COF_OK;
}

/* Compares a row with what the index says of it. */
static cof_result check_row(struct vault *vault, const char *key, const struct row *row,
			    struct cof_error *err)
{
	const struct manifest *manifest;
	const struct index_entry *entry;
	const struct index_page *page;
	struct index_digest digest;

	TRY(index_key_digest(vault->keys.index_key, key, &digest, err));
	TRY(vault_read_manifest(vault, &manifest, err));
	TRY(vault_read_page(vault, manifest, digest.bytes[0], &page, err));
	entry = index_page_find(page, &digest);
	ENSURE(row->found || !entry, err, COF_E_AUTH, key,
	       "was removed from the keystore, and not by coffer");
	ENSURE(!row->found || entry, err, COF_E_AUTH, key,
	       "was put into the keystore, and not by coffer");
	if (!entry)
		return COF_OK;
	TRY(index_value_digest(vault->keys.index_key, key, buffer_span(&row->value), &digest, err));
	ENSURE(memcmp(&digest, &entry->value, sizeof(digest)) == 0, err, COF_E_AUTH, key,
	       "is not what the vault wrote last: altered, rolled back or from elsewhere");
	return COF_OK;
}

cof_result row_get_known(struct vault *vault, const char *key, struct row *ret_row,
			 struct cof_error *err)
{
	cof_result result = COF_OK;
	uint64_t before;
	uint64_t after;

	ENSURE(vault->unlocked, err, COF_E_LOCKED, vault->paths->vault_dir, "the vault is locked");
	for (int attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
		_cleanup_row_ struct row row = { 0 };

		TRY(vault->engine->revision(vault->keystore, &before, err));
		TRY(row_get(vault, key, &row, err));
		result = check_row(vault, key, &row, err);
		if (!cof_failed(result)) {
			*ret_row = row;
			row = (struct row){ 0 };
			return COF_OK;
		}
		TRY(vault->engine->revision(vault->keystore, &after, NULL));
		if (before == after)
			return copy_try_newest(vault, result, err);
	}
	FAIL(err, COF_E_BUSY, key, "was changed by others each of %d times it was read",
	     READ_ATTEMPTS);
}

cof_result record_row_key(char **ret_key, const char *kind, const char *name, struct cof_error *err)
{
	return path_format(ret_key, err, ROW_RECORDS "%s/%s", kind, name);
}

cof_result history_row_key(char **ret_key, const char *kind, const char *name, uint64_t generation,
			   struct cof_error *err)
{
	return path_format(ret_key, err, ROW_HISTORY "%s/%s/%020llu", kind, name,
			   (unsigned long long)generation);
}

void key_list_done(struct key_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->keys[i]);
	free(list->keys);
	*list = (struct key_list){ 0 };
}

/* Visits a row for key_list_walk(). */
static cof_result collect_key(const char *key, struct span value, uint64_t revision, void *context,
			      struct cof_error *err)
{
	struct key_list *list = context;
	char *copy;

	if (list->count + 1 >= list->room) {
		size_t room = list->room ? 2 * list->room : 16;
		char **grown = reallocarray(list->keys, room, sizeof(*grown));

		ENSURE(grown, err, COF_E_NOMEM, key, "no memory for %zu keys", room);
		list->keys = grown;
		list->room = room;
	}
	copy = strdup(key);
	ENSURE(copy, err, COF_E_NOMEM, key, "no memory for a key");
	list->keys[list->count++] = copy;
	list->keys[list->count] = NULL;
	return COF_OK;
}

cof_result key_list_walk(struct vault *vault, const char *prefix, struct key_list *ret_list,
			 struct cof_error *err)
{
	_cleanup_(key_list_done) struct key_list list = { 0 };

	ENSURE(vault->keystore, err, COF_E_FORMAT, vault->keystore_path,
	       "the keystore is missing or damaged");
	TRY(vault->engine->walk(vault->keystore, prefix, collect_key, &list, err));
	*ret_list = list;
	list = (struct key_list){ 0 };
	return COF_OK;
}

cof_result row_key_split(const char *key, char **ret_kind, char **ret_name,
			 uint64_t *ret_generation, struct cof_error *err)
{
	bool history = strncmp(key, ROW_HISTORY, strlen(ROW_HISTORY)) == 0;
	const char *kind = key + (history ? strlen(ROW_HISTORY) : strlen(ROW_RECORDS));
	_cleanup_free_ char *kind_copy = NULL;
	_cleanup_free_ char *name_copy = NULL;
	uint64_t generation = 0;
	const char *name = strchr(kind, '/');
	const char *end;

	ENSURE(name, err, COF_E_FORMAT, key, "is not the key of a record");
	name++;
	end = history ? strchr(name, '/') : name + strlen(name);
	ENSURE(end, err, COF_E_FORMAT, key, "names no generation");
	if (history)
		ENSURE(!cof_failed(uint_parse(end + 1, UINT64_MAX, &generation, NULL)) &&
			       generation > 0,
		       err, COF_E_FORMAT, key, "names no generation");
	TRY(path_format(&kind_copy, err, "%.*s", (int)(name - 1 - kind), kind));
	TRY(path_format(&name_copy, err, "%.*s", (int)(end - name), name));
	ENSURE(!cof_failed(record_check_names(kind_copy, name_copy, NULL)), err, COF_E_FORMAT, key,
	       "is not the key of a record");

	*ret_kind = TAKE(kind_copy);
	*ret_name = TAKE(name_copy);
	*ret_generation = generation;
	return COF_OK;
}
