/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Making, opening and unlocking a group: see store.h.
 */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fault.h"
#include "file.h"
#include "group_code.h"
#include "store_internal.h"

#define GROUP_NAME "group"

bool store_exists(const char *folder)
{
	_cleanup_free_ char *path = NULL;

	return !cof_failed(path_format(&path, NULL, "%s/" GROUP_NAME, folder)) && path_exists(path);
}

bool store_unfinished(const char *folder, uint8_t uuid[static STORE_UUID_BYTES])
{
	_cleanup_buffer_ struct buffer content = { 0 };
	_cleanup_free_ char *path = NULL;
	struct keystore_file file;

	if (store_exists(folder) || cof_failed(path_format(&path, NULL, "%s/keys/a", folder)) ||
	    cof_failed(file_read_plain(path, KEYSTORE_MAX_BYTES, &content, NULL)) ||
	    cof_failed(keystore_decode(buffer_span(&content), path, &file, NULL)))
		return false;
	memcpy(uuid, file.group, STORE_UUID_BYTES);
	return true;
}

uint64_t store_now(void)
{
	return fault_number("COFFER_TEST_TIME", (uint64_t)time(NULL));
}

/* Refuses a folder that is in use for something else. */
static cof_result check_empty(const char *folder, struct cof_error *err)
{
	static const char *const ours[] = { "keys", "packs", "index", "versions", "locks" };
	_cleanup_dir_ DIR *dir = opendir(folder);
	const struct dirent *entry;

	if (!dir)
		return COF_OK;
	while ((entry = readdir(dir))) {
		bool known = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;

		for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
			known |= strcmp(entry->d_name, ours[i]) == 0;
		/* What a cut-off run has left of the group's file. */
		known |= strncmp(entry->d_name, GROUP_NAME ".", sizeof(GROUP_NAME)) == 0;
		ENSURE(known, err, COF_E_REFUSED, folder,
		       "is not empty: it has %s; a group wants a folder of its own", entry->d_name);
	}
	return COF_OK;
}

/* An object where there must be none. A backend_visit. */
static cof_result refuse_object(const char *name, uint64_t size_bytes, void *context,
				struct cof_error *err)
{
	FAIL(err, COF_E_REFUSED, context,
	     "has packs or versions, but no group's file: it was lost, and has to be put back");
}

cof_result store_create(const struct store_place *place,
			const uint8_t uuid[static STORE_UUID_BYTES],
			const struct keyring_spec *spec, struct cof_error *err)
{
	_cleanup_(backend_freep) struct backend *backend = NULL;
	_cleanup_buffer_ struct buffer content = { 0 };
	struct group group = { .created = store_now(),
			       .min_bytes = STORE_MIN_BYTES,
			       .avg_bytes = STORE_AVG_BYTES,
			       .max_bytes = STORE_MAX_BYTES };
	struct keyring_place keys = { .state_folder = place->state_folder };
	char folder[256];

	ENSURE(!store_exists(place->folder), err, COF_E_REFUSED, place->folder,
	       "has a storage group already");
	TRY(check_empty(place->folder, err));
	TRY(backend_file_open(place->folder, true, &backend, err));
	(void)snprintf(folder, sizeof(folder), "%s", place->folder);
	TRY(backend->ops->list(backend, "packs", refuse_object, folder, err));
	TRY(backend->ops->list(backend, "versions", refuse_object, folder, err));
	TRY(fault_point("store/folders", err));
	memcpy(group.uuid, uuid, STORE_UUID_BYTES);
	memcpy(keys.group, uuid, STORE_UUID_BYTES);
	keys.backend = backend;
	TRY(keyring_create(&keys, spec, group.created, err));
	TRY(group_encode(&group, &content, err));
	TRY(backend->ops->put(backend, GROUP_NAME, buffer_span(&content), err));
	return fault_point("store/created", err);
}

void store_close(struct store *store)
{
	if (!store)
		return;
	index_free(store->index);
	mac_free(store->names);
	chunker_done(&store->chunker);
	keyring_free(store->keyring);
	backend_free(store->backend);
	free(store->state_folder);
	free(store);
}

/* Reads the group's own file. */
static cof_result read_group(struct store *store, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer content = { 0 };
	_cleanup_free_ char *path = NULL;
	struct group group;

	TRY(path_format(&path, err, "%s/" GROUP_NAME, store->backend->place));
	TRY(backend_get_small(store->backend, GROUP_NAME, GROUP_MAX_BYTES, &content, err));
	TRY(group_decode(buffer_span(&content), path, &group, err));
	memcpy(store->uuid, group.uuid, STORE_UUID_BYTES);
	store->min_bytes = group.min_bytes;
	store->avg_bytes = group.avg_bytes;
	store->max_bytes = group.max_bytes;
	return COF_OK;
}

cof_result store_open(const struct store_place *place, struct store **ret_store,
		      struct cof_error *err)
{
	_cleanup_(store_closep) struct store *store = NULL;
	struct keyring_place keys = { .state_folder = place->state_folder };
	cof_result failure;

	if (!store_exists(place->folder)) {
		failure = cof_raise(err, COF_E_NOENT, place->folder, "%s",
				    path_exists(place->folder)
					    ? "there is no storage group in this folder"
					    : "there is no storage group, and no such folder");
		cof_error_try(err, "coffer store create %s --encrypt", place->folder);
		return failure;
	}
	store = calloc(1, sizeof(*store));
	ENSURE(store, err, COF_E_NOMEM, NULL, "no memory left");
	TRY(path_format(&store->state_folder, err, "%s", place->state_folder));
	TRY(backend_file_open(place->folder, false, &store->backend, err));
	TRY(read_group(store, err));
	keys.backend = store->backend;
	memcpy(keys.group, store->uuid, STORE_UUID_BYTES);
	TRY(keyring_load(&keys, &store->keyring, err));
	store->source =
		(struct pack_source){ .backend = store->backend, .keyring = store->keyring };
	memcpy(store->source.group, store->uuid, STORE_UUID_BYTES);
	*ret_store = TAKE(store);
	return COF_OK;
}

const uint8_t *store_uuid(const struct store *store)
{
	return store->uuid;
}

const char *store_folder(const struct store *store)
{
	return store->backend->place;
}

struct keyring *store_keyring(struct store *store)
{
	return store->keyring;
}

cof_result store_unlock(struct store *store, struct keyring_secret secret, struct cof_error *err)
{
	const struct keystore_body *body;
	uint64_t newest = 0;

	TRY(keyring_unlock(store->keyring, secret, err));
	TRY(catalogue_newest_keystore(store, &newest, err));
	ENSURE(newest <= keyring_sequence(store->keyring), err, COF_E_AUTH, store_folder(store),
	       "its keystore is an older one: number %llu, and a version was written with %llu",
	       (unsigned long long)keyring_sequence(store->keyring), (unsigned long long)newest);
	body = keyring_body(store->keyring);
	TRY(mac_new(body->id_key, &store->names, err));
	return chunker_init(&store->chunker, wrap_key_span(body->chunker_key), store->min_bytes,
			    store->avg_bytes, store->max_bytes, err);
}

cof_result store_need_index(struct store *store, struct cof_error *err)
{
	if (store->index)
		return COF_OK;
	return index_open(&store->source, &store->index, err);
}

cof_result store_raise_no_version(const struct store *store, const char *name,
				  struct cof_error *err)
{
	cof_result failure = cof_raise(err, COF_E_NOENT, name, "there is no such version in %s",
				       store_folder(store));

	cof_error_try(err, "coffer store list %s", store_folder(store));
	return failure;
}
