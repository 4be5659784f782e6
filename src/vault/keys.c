/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "internal.h"
#include "record.h"

cof_result root_derive(const struct root_key *root, const uint8_t *uuid, struct span info,
		       struct wrap_key **ret_key, struct cof_error *err)
{
	_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;

	ENSURE(root->secret.len == ROOT_KEY_BYTES, err, COF_E_AUTH, NULL,
	       "the root key has %zu bytes, must have %d", root->secret.len, ROOT_KEY_BYTES);
	TRY(wrap_key_new(AEAD_KEY_BYTES, &key, err));
	TRY(hkdf_sha256(root_key_span(root), SPAN(uuid, VAULT_UUID_BYTES), info, &key->secret,
			err));
	*ret_key = TAKE(key);
	return COF_OK;
}

/* A root key that derives in this process. */
struct own_source {
	struct root_key *root;
	uint8_t uuid[VAULT_UUID_BYTES];
};

static void own_source_free(void *context)
{
	struct own_source *own = context;

	if (!own)
		return;
	root_key_free(own->root);
	free(own);
}

static void own_source_freep(struct own_source **own)
{
	own_source_free(*own);
}

static cof_result own_source_derive(void *context, struct span info, struct wrap_key **ret_key,
				    struct cof_error *err)
{
	const struct own_source *own = context;

	return root_derive(own->root, own->uuid, info, ret_key, err);
}

cof_result keys_from_root(const struct root_key *root, const uint8_t *uuid, uint32_t epoch,
			  struct keys *ret_keys, struct cof_error *err)
{
	_cleanup_(own_source_freep) struct own_source *own = calloc(1, sizeof(*own));

	ENSURE(own, err, COF_E_NOMEM, NULL, "no memory for a key source");
	memcpy(own->uuid, uuid, VAULT_UUID_BYTES);
	TRY(root_key_copy(root_key_span(root), &own->root, err));

	*ret_keys = (struct keys){ .epoch = epoch };
	memcpy(ret_keys->uuid, uuid, VAULT_UUID_BYTES);
	ret_keys->source = (struct key_source){ .derive = own_source_derive,
						.free = own_source_free,
						.context = TAKE(own) };
	return COF_OK;
}

void keys_done(struct keys *keys)
{
	wrap_key_free(keys->index_key);
	if (keys->source.free)
		keys->source.free(keys->source.context);
	*keys = (struct keys){ 0 };
}

cof_result keys_start(struct keys *keys, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer info = { 0 };

	TRY(buffer_add_text(&info, err, "coffer/index-digest/v1/%u", keys->epoch));
	TRY(keys->source.derive(keys->source.context, buffer_span(&info), &keys->index_key, err));
	return COF_OK;
}

/* The key that seals the value with this header at this place. */
static cof_result derive(const struct keys *keys, const struct sealed_place *place,
			 const struct sealed_header *header, struct wrap_key **ret_key,
			 struct cof_error *err)
{
	_cleanup_buffer_ struct buffer info = { 0 };

	TRY(sealed_info(place, header, &info, err));
	TRY(keys->source.derive(keys->source.context, buffer_span(&info), ret_key, err));
	return COF_OK;
}

cof_result keys_seal(const struct keys *keys, const char *purpose, const char *kind,
		     const char *name, struct sealed_header header, struct span plain,
		     struct buffer *stored, struct cof_error *err)
{
	_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;
	struct sealed_place place = { purpose, keys->uuid, kind, name };

	header.epoch = keys->epoch;
	TRY(random_bytes(header.nonce, sizeof(header.nonce), err));
	TRY(derive(keys, &place, &header, &key, err));
	TRY(sealed_write(key, &place, &header, plain, stored, err));
	return COF_OK;
}

cof_result keys_open(const struct keys *keys, const char *purpose, const char *kind,
		     const char *name, struct span stored, const char *subject,
		     struct sealed_header *ret_header, struct secret **ret_plain,
		     struct cof_error *err)
{
	_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;
	struct sealed_place place = { purpose, keys->uuid, kind, name };
	struct sealed_header header;

	TRY(sealed_parse(stored, subject, &header, NULL, err));
	ENSURE(header.epoch == keys->epoch, err, COF_E_AUTH, subject,
	       "is sealed in epoch %u, the vault is in epoch %u", header.epoch, keys->epoch);
	TRY(derive(keys, &place, &header, &key, err));
	TRY(sealed_read(key, &place, stored, subject, ret_plain, err));
	if (ret_header)
		*ret_header = header;
	return COF_OK;
}

cof_result keys_seal_record(const struct keys *keys, const struct record *record,
			    struct buffer *stored, struct cof_error *err)
{
	_cleanup_secret_ struct secret *body = NULL;
	struct sealed_header header = { .generation = record->generation,
					.created = (uint64_t)record->created };

	memcpy(header.id, record->id, sizeof(header.id));
	TRY(record_encode(record, &body, err));
	TRY(keys_seal(keys, "record", record->kind, record->name, header, secret_span(body), stored,
		      err));
	return COF_OK;
}

cof_result keys_open_record(const struct keys *keys, const char *kind, const char *name,
			    struct span stored, uint64_t revision, struct record **ret_record,
			    struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	_cleanup_secret_ struct secret *body = NULL;
	struct sealed_header header;

	TRY(record_new(kind, name, &record, err));
	TRY(keys_open(keys, "record", kind, name, stored, name, &header, &body, err));
	TRY(record_decode(secret_span(body), name, record, err));
	memcpy(record->id, header.id, sizeof(record->id));
	record->generation = header.generation;
	record->created = (time_t)header.created;
	record->revision = revision;

	*ret_record = TAKE(record);
	return COF_OK;
}
