/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keystore_code.h"

#include <string.h>

#define MAGIC		 "CofStKey"
#define MAGIC_BYTES	 8
#define VERSION		 1
#define BODY_VERSION	 1
#define FLAG_SEALED	 0x01
#define KEY_BYTES	 (2 + 4 + 1 + 8 + 8 + AEAD_KEY_BYTES)
#define BODY_FIXED_BYTES (1 + 2 * AEAD_KEY_BYTES + 1 + 4 + 2)

void keystore_body_done(struct keystore_body *body)
{
	wrap_key_freep(&body->id_key);
	wrap_key_freep(&body->chunker_key);
	secret_freep(&body->secrets);
}

static uint8_t *put_be(uint8_t *out, uint64_t value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(value >> (8 * (len - 1 - i)));
	return out + len;
}

void keystore_slot_context(const uint8_t group[static STORE_UUID_BYTES],
			   const struct keystore_slot *slot,
			   uint8_t out[static KEYSTORE_SLOT_CONTEXT_BYTES])
{
	memcpy(out, group, STORE_UUID_BYTES);
	out = put_be(out + STORE_UUID_BYTES, slot->method, 1);
	out = put_be(out, slot->cost.kind, 1);
	out = put_be(out, slot->cost.passes, 4);
	out = put_be(out, slot->cost.memory_kib, 4);
	memcpy(out, slot->salt, STRETCH_SALT_BYTES);
}

static cof_result encode_slot(const struct keystore_file *file, const struct keystore_slot *slot,
			      struct buffer *out, struct cof_error *err)
{
	uint8_t context[KEYSTORE_SLOT_CONTEXT_BYTES];

	keystore_slot_context(file->group, slot, context);
	TRY(buffer_add(out, context + STORE_UUID_BYTES, sizeof(context) - STORE_UUID_BYTES, err));
	TRY(buffer_add(out, slot->nonce, AEAD_NONCE_BYTES, err));
	return buffer_add(out, slot->wrapped, PACK_WRAPPED_BYTES, err);
}

cof_result keystore_encode_head(const struct keystore_file *file, uint32_t body_bytes,
				struct buffer *out, struct cof_error *err)
{
	TRY(buffer_add(out, MAGIC, MAGIC_BYTES, err));
	TRY(buffer_add_u8(out, VERSION, err));
	TRY(buffer_add_u8(out, file->encrypted ? FLAG_SEALED : 0, err));
	TRY(buffer_add(out, file->group, STORE_UUID_BYTES, err));
	TRY(buffer_add_be64(out, file->sequence, err));
	TRY(buffer_add_be64(out, file->saved, err));
	TRY(buffer_add_u8(out, (uint8_t)file->slot_count, err));
	for (size_t i = 0; i < file->slot_count; i++)
		TRY(encode_slot(file, &file->slots[i], out, err));
	TRY(buffer_add(out, file->nonce, AEAD_NONCE_BYTES, err));
	return buffer_add_be32(out, body_bytes, err);
}

static cof_result decode_slot(struct reader *reader, struct keystore_slot *slot,
			      struct cof_error *err)
{
	uint8_t method = 0;
	uint8_t kind = 0;

	TRY(reader_u8(reader, &method, err));
	TRY(reader_u8(reader, &kind, err));
	ENSURE(method == KEYSTORE_PASSPHRASE || method == KEYSTORE_VAULT, err, COF_E_FORMAT,
	       reader->subject, "has a slot of unknown kind %u", method);
	slot->method = method;
	slot->cost.kind = kind;
	TRY(reader_be32(reader, &slot->cost.passes, err));
	TRY(reader_be32(reader, &slot->cost.memory_kib, err));
	if (method == KEYSTORE_PASSPHRASE)
		TRY(stretch_cost_check(&slot->cost, reader->subject, err));
	else
		ENSURE(kind == 0 && slot->cost.passes == 0 && slot->cost.memory_kib == 0, err,
		       COF_E_FORMAT, reader->subject, "has a slot of the vault with a cost");
	TRY(reader_copy(reader, slot->salt, STRETCH_SALT_BYTES, err));
	TRY(reader_copy(reader, slot->nonce, AEAD_NONCE_BYTES, err));
	return reader_copy(reader, slot->wrapped, PACK_WRAPPED_BYTES, err);
}

/* Takes off the checksum at the end. */
static cof_result check_digest(struct span bytes, const char *subject, struct span *ret_rest,
			       struct cof_error *err)
{
	uint8_t digest[SHA256_BYTES];

	ENSURE(bytes.len > SHA256_BYTES, err, COF_E_FORMAT, subject, "has only %zu bytes",
	       bytes.len);
	*ret_rest = SPAN(bytes.data, bytes.len - SHA256_BYTES);
	TRY(sha256(*ret_rest, digest, err));
	ENSURE(memcmp(digest, bytes.data + ret_rest->len, SHA256_BYTES) == 0, err, COF_E_FORMAT,
	       subject, "does not match its checksum");
	return COF_OK;
}

static cof_result decode_slots(struct reader *reader, struct keystore_file *file,
			       struct cof_error *err)
{
	uint8_t count = 0;

	TRY(reader_u8(reader, &count, err));
	ENSURE(count <= KEYSTORE_SLOTS_MAX && (count > 0) == file->encrypted, err, COF_E_FORMAT,
	       reader->subject, "has %u slots", count);
	file->slot_count = count;
	for (size_t i = 0; i < count; i++)
		TRY(decode_slot(reader, &file->slots[i], err));
	return COF_OK;
}

cof_result keystore_decode(struct span bytes, const char *subject, struct keystore_file *ret_file,
			   struct cof_error *err)
{
	struct keystore_file file = { 0 };
	struct span rest = { 0 };
	struct reader reader;
	uint32_t body_bytes = 0;
	uint8_t version = 0;
	uint8_t flags = 0;

	ENSURE(bytes.len >= MAGIC_BYTES && memcmp(bytes.data, MAGIC, MAGIC_BYTES) == 0, err,
	       COF_E_FORMAT, subject, "is no keystore of a storage group");
	TRY(check_digest(bytes, subject, &rest, err));
	reader = reader_of(SPAN(rest.data + MAGIC_BYTES, rest.len - MAGIC_BYTES), subject);
	TRY(reader_u8(&reader, &version, err));
	TRY(reader_u8(&reader, &flags, err));
	ENSURE(version == VERSION && (flags & ~FLAG_SEALED) == 0, err, COF_E_FORMAT, subject,
	       "has version %u and flags 0x%02x, which are not known", version, flags);
	file.encrypted = flags & FLAG_SEALED;
	TRY(reader_copy(&reader, file.group, STORE_UUID_BYTES, err));
	TRY(reader_be64(&reader, &file.sequence, err));
	TRY(reader_be64(&reader, &file.saved, err));
	TRY(decode_slots(&reader, &file, err));
	TRY(reader_copy(&reader, file.nonce, AEAD_NONCE_BYTES, err));
	TRY(reader_be32(&reader, &body_bytes, err));
	ENSURE(body_bytes == reader.rest.len, err, COF_E_FORMAT, subject,
	       "has a body of %zu bytes, must have %u", reader.rest.len, body_bytes);
	file.body = reader.rest;
	file.head = SPAN(bytes.data, (size_t)(file.body.data - bytes.data));
	*ret_file = file;
	return COF_OK;
}

size_t keystore_body_bytes(const struct keystore_body *body)
{
	return BODY_FIXED_BYTES + body->key_count * KEY_BYTES;
}

cof_result keystore_body_encode(const struct keystore_body *body, struct secret **ret_plain,
				struct cof_error *err)
{
	_cleanup_secret_ struct secret *plain = NULL;
	uint8_t *out;

	TRY(secret_new(keystore_body_bytes(body), &plain, err));
	out = put_be(plain->data, BODY_VERSION, 1);
	memcpy(out, body->id_key->secret.data, AEAD_KEY_BYTES);
	out += AEAD_KEY_BYTES;
	memcpy(out, body->chunker_key->secret.data, AEAD_KEY_BYTES);
	out += AEAD_KEY_BYTES;
	out = put_be(out, body->mode, 1);
	out = put_be(out, body->rotate_days, 4);
	out = put_be(out, body->key_count, 2);
	for (size_t i = 0; i < body->key_count; i++) {
		const struct keystore_key *key = &body->keys[i];

		out = put_be(out, key->id, 2);
		out = put_be(out, key->generation, 4);
		out = put_be(out, key->state, 1);
		out = put_be(out, key->created, 8);
		out = put_be(out, key->retired, 8);
		memcpy(out, body->secrets->data + i * AEAD_KEY_BYTES, AEAD_KEY_BYTES);
		out += AEAD_KEY_BYTES;
	}
	*ret_plain = TAKE(plain);
	return COF_OK;
}

static cof_result decode_key(struct reader *reader, struct keystore_key *key, uint8_t *secret,
			     struct cof_error *err)
{
	uint8_t state = 0;

	TRY(reader_be16(reader, &key->id, err));
	TRY(reader_be32(reader, &key->generation, err));
	TRY(reader_u8(reader, &state, err));
	TRY(reader_be64(reader, &key->created, err));
	TRY(reader_be64(reader, &key->retired, err));
	ENSURE(key->id >= 1 && key->id <= KEYSTORE_KEYS_MAX && state >= KEYSTORE_ACTIVE &&
		       state <= KEYSTORE_COMPROMISED,
	       err, COF_E_FORMAT, reader->subject, "has a content key %u in state %u", key->id,
	       state);
	key->state = state;
	return reader_copy(reader, secret, AEAD_KEY_BYTES, err);
}

/* The content keys; each place is taken once. */
static cof_result decode_keys(struct reader *reader, struct keystore_body *body,
			      struct cof_error *err)
{
	bool taken[KEYSTORE_KEYS_MAX + 1] = { false };
	uint16_t count = 0;

	TRY(reader_be16(reader, &count, err));
	ENSURE(count <= KEYSTORE_KEYS_MAX && reader->rest.len == (size_t)count * KEY_BYTES, err,
	       COF_E_FORMAT, reader->subject, "has %u content keys in %zu bytes", count,
	       reader->rest.len);
	ENSURE((count > 0) == (body->mode != KEYSTORE_PLAIN), err, COF_E_FORMAT, reader->subject,
	       "has %u content keys in mode %d", count, (int)body->mode);
	if (!count)
		return COF_OK;
	TRY(secret_new((size_t)count * AEAD_KEY_BYTES, &body->secrets, err));
	for (size_t i = 0; i < count; i++) {
		TRY(decode_key(reader, &body->keys[i], body->secrets->data + i * AEAD_KEY_BYTES,
			       err));
		ENSURE(!taken[body->keys[i].id], err, COF_E_FORMAT, reader->subject,
		       "has content key %u twice", body->keys[i].id);
		taken[body->keys[i].id] = true;
	}
	body->key_count = count;
	return COF_OK;
}

cof_result keystore_body_decode(struct span plain, const char *subject,
				struct keystore_body *ret_body, struct cof_error *err)
{
	struct reader reader = reader_of(plain, subject);
	uint8_t version = 0;
	uint8_t mode = 0;

	TRY(reader_u8(&reader, &version, err));
	ENSURE(version == BODY_VERSION, err, COF_E_FORMAT, subject, "has a body of version %u",
	       version);
	TRY(wrap_key_new(AEAD_KEY_BYTES, &ret_body->id_key, err));
	TRY(reader_copy(&reader, ret_body->id_key->secret.data, AEAD_KEY_BYTES, err));
	TRY(wrap_key_new(AEAD_KEY_BYTES, &ret_body->chunker_key, err));
	TRY(reader_copy(&reader, ret_body->chunker_key->secret.data, AEAD_KEY_BYTES, err));
	TRY(reader_u8(&reader, &mode, err));
	TRY(reader_be32(&reader, &ret_body->rotate_days, err));
	ENSURE(mode <= KEYSTORE_STATIC &&
		       (mode == KEYSTORE_INTERNAL) == (ret_body->rotate_days != 0) &&
		       ret_body->rotate_days <= KEYSTORE_ROTATE_MAX_DAYS,
	       err, COF_E_FORMAT, subject, "has mode %u with a rotation every %u days", mode,
	       ret_body->rotate_days);
	ret_body->mode = mode;
	return decode_keys(&reader, ret_body, err);
}
