/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The versions of a group: one commit record each, under a name that only the id key yields.
 */

#include <stdio.h>
#include <string.h>

#include "fault.h"
#include "number.h"
#include "store_internal.h"

#define FOLDER "versions"

/* The object of a version. */
static cof_result object_of(struct store *store, const char *name,
			    char out[static STORE_NAME_CHARS], struct cof_error *err)
{
	_cleanup_buffer_ struct buffer text = { 0 };
	uint8_t digest[SHA256_BYTES];
	char hex[2 * SHA256_BYTES + 1];

	TRY(version_check_name(name, err));
	TRY(buffer_add_text(&text, err, "coffer/store/name/v1/%s", name));
	TRY(mac_run(store->names, buffer_span(&text), digest, err));
	(void)snprintf(out, STORE_NAME_CHARS, FOLDER "/%s",
		       hex_format(digest, sizeof(digest), hex));
	return COF_OK;
}

/* The key of one record: HKDF-SHA256(content key, salt = record's id). */
static cof_result record_key(const struct content_key *content, const uint8_t *id,
			     struct wrap_key **ret_key, struct cof_error *err)
{
	_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;

	TRY(wrap_key_new(AEAD_KEY_BYTES, &key, err));
	TRY(hkdf_sha256(content_key_span(content), SPAN(id, STORE_UUID_BYTES),
			span_of_text("coffer/store/version/v1"), &key->secret, err));
	*ret_key = TAKE(key);
	return COF_OK;
}

/* A record's bytes. */
static cof_result encode_record(struct store *store, const struct version *version,
				struct buffer *out, struct cof_error *err)
{
	_cleanup_(content_key_freep) struct content_key *content = NULL;
	_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;
	_cleanup_buffer_ struct buffer body = { 0 };
	const struct keystore_key *facts = NULL;
	struct version_head head = { .keystore = keyring_sequence(store->keyring) };

	TRY(version_encode(version, &body, err));
	memcpy(head.group, store->uuid, STORE_UUID_BYTES);
	TRY(random_bytes(head.id, STORE_UUID_BYTES, err));
	TRY(random_bytes(head.nonce, AEAD_NONCE_BYTES, err));
	TRY(keyring_active_key(store->keyring, &content, &facts, err));
	if (!content) {
		TRY(version_head_encode(&head, (uint32_t)body.len, out, err));
		TRY(buffer_add(out, body.data, body.len, err));
		return sha256_append(out, err);
	}
	head.encrypted = true;
	head.key_id = facts->id;
	head.key_generation = facts->generation;
	TRY(record_key(content, head.id, &key, err));
	TRY(version_head_encode(&head, (uint32_t)(body.len + AEAD_TAG_BYTES), out, err));
	TRY(buffer_reserve(out, body.len + AEAD_TAG_BYTES, err));
	TRY(aead_seal(key, head.nonce, buffer_span(out), buffer_span(&body), out, err));
	return sha256_append(out, err);
}

cof_result catalogue_commit(struct store *store, const struct version *version,
			    struct cof_error *err)
{
	_cleanup_buffer_ struct buffer record = { 0 };
	char object[STORE_NAME_CHARS];
	cof_result put;

	TRY(object_of(store, version->name, object, err));
	TRY(encode_record(store, version, &record, err));
	put = store->backend->ops->put(store->backend, object, buffer_span(&record), err);
	if (put.code == COF_E_REFUSED)
		FAIL(err, COF_E_REFUSED, version->name,
		     "is the name of a version that another process has put meanwhile");
	TRY(put);
	return fault_point("store/version-durable", err);
}

/* Opens a record of any name. */
static cof_result decode_record(struct store *store, struct span bytes, const char *object,
				struct version *ret_version, struct cof_error *err)
{
	_cleanup_(content_key_freep) struct content_key *content = NULL;
	_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;
	_cleanup_secret_ struct secret *plain = NULL;
	struct version_head head;
	struct span body;

	TRY(version_record_decode(bytes, object, &head, &body, err));
	ENSURE(memcmp(head.group, store->uuid, STORE_UUID_BYTES) == 0 &&
		       head.encrypted == keyring_is_encrypted(store->keyring),
	       err, COF_E_AUTH, object, "belongs to another group");
	if (!head.encrypted)
		return version_decode(body, object, ret_version, err);
	TRY(keyring_find_key(store->keyring, head.key_id, head.key_generation, object, &content,
			     err));
	TRY(record_key(content, head.id, &key, err));
	TRY(aead_open(key, head.nonce, SPAN(bytes.data, VERSION_CONTEXT_BYTES), body, object,
		      &plain, err));
	return version_decode(secret_span(plain), object, ret_version, err);
}

/* Reads one object, whose name must be that of the version in it. */
static cof_result read_object(struct store *store, const char *object, struct version *ret_version,
			      struct cof_error *err)
{
	_cleanup_buffer_ struct buffer content = { 0 };
	char expected[STORE_NAME_CHARS];

	TRY(backend_get_small(store->backend, object, VERSION_RECORD_MAX_BYTES, &content, err));
	TRY(decode_record(store, buffer_span(&content), object, ret_version, err));
	TRY(object_of(store, ret_version->name, expected, err));
	ENSURE(strcmp(expected, object) == 0, err, COF_E_AUTH, object,
	       "has the record of another version");
	return COF_OK;
}

cof_result store_find(struct store *store, const char *name, struct version *ret_version,
		      bool *ret_found, struct cof_error *err)
{
	char object[STORE_NAME_CHARS];
	cof_result read;

	TRY(object_of(store, name, object, err));
	read = read_object(store, object, ret_version, err);
	*ret_found = read.code != COF_E_NOENT;
	return read.code == COF_E_NOENT ? COF_OK : read;
}

/* All versions that a walk has found. */
struct gathering {
	struct store *store;
	struct buffer versions; /* struct version each */
	size_t damaged;
	struct cof_error first; /* why, of the first that is damaged */
};

/* A backend_visit. */
static cof_result gather(const char *name, uint64_t size_bytes, void *context,
			 struct cof_error *err)
{
	struct gathering *gathering = context;
	struct cof_error why = { 0 };
	struct version version;
	char object[STORE_NAME_CHARS];
	cof_result read;

	/* The temporary name of a record that is being put, or was cut off. */
	if (strlen(name) != 2 * SHA256_BYTES)
		return COF_OK;
	(void)snprintf(object, sizeof(object), FOLDER "/%s", name);
	read = read_object(gathering->store, object, &version, &why);
	/* Removed meanwhile. */
	if (read.code == COF_E_NOENT)
		return COF_OK;
	if (cof_failed(read)) {
		if (!gathering->damaged++)
			gathering->first = why;
		return COF_OK;
	}
	return buffer_add(&gathering->versions, &version, sizeof(version), err);
}

static int compare_versions(const void *a, const void *b)
{
	return natural_compare(((const struct version *)a)->name,
			       ((const struct version *)b)->name);
}

cof_result store_each(struct store *store, store_visit visit, void *context, size_t *ret_damaged,
		      struct cof_error *err)
{
	struct gathering gathering = { .store = store };
	_cleanup_buffer_ struct buffer versions = { 0 };
	cof_result listed;
	size_t count;

	listed = store->backend->ops->list(store->backend, FOLDER, gather, &gathering, err);
	versions = gathering.versions;
	TRY(listed);
	if (gathering.damaged && !ret_damaged) {
		if (err)
			*err = gathering.first;
		return (cof_result){ gathering.first.code };
	}
	count = versions.len / sizeof(struct version);
	if (count)
		qsort(versions.data, count, sizeof(struct version), compare_versions);
	for (size_t i = 0; i < count; i++)
		TRY(visit((const struct version *)(const void *)versions.data + i, context, err));
	if (ret_damaged)
		*ret_damaged = gathering.damaged;
	return COF_OK;
}

cof_result store_remove(struct store *store, const char *name, struct cof_error *err)
{
	char object[STORE_NAME_CHARS];
	uint64_t size_bytes;
	bool found = false;

	TRY(object_of(store, name, object, err));
	TRY(store->backend->ops->size(store->backend, object, &size_bytes, &found, err));
	if (!found)
		return store_raise_no_version(store, name, err);
	TRY(store->backend->ops->remove(store->backend, object, err));
	return fault_point("store/version-removed", err);
}

/* The highest number of a keystore so far. */
struct newest {
	struct store *store;
	uint64_t sequence;
};

/* A backend_visit. */
static cof_result note_newest(const char *name, uint64_t size_bytes, void *context,
			      struct cof_error *err)
{
	struct newest *newest = context;
	_cleanup_buffer_ struct buffer content = { 0 };
	char object[STORE_NAME_CHARS];
	struct version_head head;
	struct span body;

	if (strlen(name) != 2 * SHA256_BYTES)
		return COF_OK;
	(void)snprintf(object, sizeof(object), FOLDER "/%s", name);
	if (!cof_failed(backend_get_small(newest->store->backend, object, VERSION_RECORD_MAX_BYTES,
					  &content, NULL)) &&
	    !cof_failed(version_record_decode(buffer_span(&content), object, &head, &body, NULL)) &&
	    memcmp(head.group, newest->store->uuid, STORE_UUID_BYTES) == 0 &&
	    head.keystore > newest->sequence)
		newest->sequence = head.keystore;
	return COF_OK;
}

cof_result catalogue_newest_keystore(struct store *store, uint64_t *ret_sequence,
				     struct cof_error *err)
{
	struct newest newest = { .store = store };

	TRY(store->backend->ops->list(store->backend, FOLDER, note_newest, &newest, err));
	*ret_sequence = newest.sequence;
	return COF_OK;
}

/* Who checks the records, and what to tell whom. */
struct checking {
	struct store *store;
	bool keys;
	catalogue_damage damage;
	void *context;
	uint64_t count;
};

/* A backend_visit. */
static cof_result check_record(const char *name, uint64_t size_bytes, void *context,
			       struct cof_error *err)
{
	struct checking *checking = context;
	_cleanup_buffer_ struct buffer content = { 0 };
	char object[STORE_NAME_CHARS];
	struct cof_error why = { 0 };
	struct version_head head;
	struct version version;
	struct span body;
	cof_result checked;

	if (strlen(name) != 2 * SHA256_BYTES)
		return COF_OK;
	checking->count++;
	(void)snprintf(object, sizeof(object), FOLDER "/%s", name);
	if (checking->keys) {
		checked = read_object(checking->store, object, &version, &why);
	} else {
		checked = backend_get_small(checking->store->backend, object,
					    VERSION_RECORD_MAX_BYTES, &content, &why);
		if (!cof_failed(checked))
			checked = version_record_decode(buffer_span(&content), object, &head, &body,
							&why);
	}
	if (!cof_failed(checked) || checked.code == COF_E_NOENT)
		return COF_OK;
	return checking->damage(object, &why, checking->context, err);
}

cof_result catalogue_check(struct store *store, bool keys, catalogue_damage damage, void *context,
			   uint64_t *ret_count, struct cof_error *err)
{
	struct checking checking = { store, keys, damage, context, 0 };

	TRY(store->backend->ops->list(store->backend, FOLDER, check_record, &checking, err));
	*ret_count = checking.count;
	return COF_OK;
}
