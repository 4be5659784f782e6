/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "version_code.h"

#include <string.h>

#define MAGIC	     "CofStVer"
#define MAGIC_BYTES  8
#define VERSION	     1
#define BODY_VERSION 1
#define FLAG_SEALED  0x01
#define PAD_BYTES    512 /* so that a record's length tells little of the name's */

/* Whether @text is UTF-8, RFC 3629, without control characters. */
static bool is_clean_utf8(const uint8_t *text, size_t len)
{
	for (size_t at = 0; at < len;) {
		uint8_t first = text[at];
		size_t more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
		uint32_t code = more ? first & (0x3fu >> more) : first;

		if ((first >= 0x80 && first < 0xc2) || first > 0xf4 || at + more >= len)
			return false;
		for (size_t i = 1; i <= more; i++) {
			if ((text[at + i] & 0xc0) != 0x80)
				return false;
			code = code << 6 | (text[at + i] & 0x3f);
		}
		if (code < 0x20 || (code >= 0x7f && code < 0xa0) || (more == 2 && code < 0x800) ||
		    (code >= 0xd800 && code < 0xe000) || (more == 3 && code < 0x10000) ||
		    code > 0x10ffff)
			return false;
		at += 1 + more;
	}
	return true;
}

cof_result version_check_name(const char *name, struct cof_error *err)
{
	size_t len = strlen(name);

	ENSURE(len >= 1 && len <= VERSION_NAME_MAX_BYTES, err, COF_E_USAGE, "name of a version",
	       "has %zu bytes, must have 1 to %d", len, VERSION_NAME_MAX_BYTES);
	ENSURE(is_clean_utf8((const uint8_t *)name, len) && !strchr(name, '/') &&
		       strcmp(name, ".") != 0 && strcmp(name, "..") != 0,
	       err, COF_E_USAGE, "name of a version",
	       "must be UTF-8 without control characters and without a slash");
	return COF_OK;
}

cof_result version_head_encode(const struct version_head *head, uint32_t body_bytes,
			       struct buffer *out, struct cof_error *err)
{
	TRY(buffer_add(out, MAGIC, MAGIC_BYTES, err));
	TRY(buffer_add_u8(out, VERSION, err));
	TRY(buffer_add_u8(out, head->encrypted ? FLAG_SEALED : 0, err));
	TRY(buffer_add(out, head->group, STORE_UUID_BYTES, err));
	TRY(buffer_add(out, head->id, STORE_UUID_BYTES, err));
	TRY(buffer_add_be16(out, head->key_id, err));
	TRY(buffer_add_be32(out, head->key_generation, err));
	TRY(buffer_add_be64(out, head->keystore, err));
	TRY(buffer_add_be32(out, body_bytes, err));
	return buffer_add(out, head->nonce, AEAD_NONCE_BYTES, err);
}

static cof_result check_digest(struct span bytes, const char *subject, struct cof_error *err)
{
	uint8_t digest[SHA256_BYTES];

	ENSURE(bytes.len > SHA256_BYTES && memcmp(bytes.data, MAGIC, MAGIC_BYTES) == 0, err,
	       COF_E_FORMAT, subject, "is no record of a version");
	TRY(sha256(SPAN(bytes.data, bytes.len - SHA256_BYTES), digest, err));
	ENSURE(memcmp(digest, bytes.data + bytes.len - SHA256_BYTES, SHA256_BYTES) == 0, err,
	       COF_E_FORMAT, subject, "does not match its checksum");
	return COF_OK;
}

cof_result version_record_decode(struct span bytes, const char *subject,
				 struct version_head *ret_head, struct span *ret_body,
				 struct cof_error *err)
{
	struct version_head head = { 0 };
	uint32_t body_bytes = 0;
	struct reader reader;
	uint8_t version = 0;
	uint8_t flags = 0;

	TRY(check_digest(bytes, subject, err));
	reader = reader_of(SPAN(bytes.data + MAGIC_BYTES, bytes.len - MAGIC_BYTES - SHA256_BYTES),
			   subject);
	TRY(reader_u8(&reader, &version, err));
	TRY(reader_u8(&reader, &flags, err));
	ENSURE(version == VERSION && (flags & ~FLAG_SEALED) == 0, err, COF_E_FORMAT, subject,
	       "has version %u and flags 0x%02x, which are not known", version, flags);
	head.encrypted = flags & FLAG_SEALED;
	TRY(reader_copy(&reader, head.group, STORE_UUID_BYTES, err));
	TRY(reader_copy(&reader, head.id, STORE_UUID_BYTES, err));
	TRY(reader_be16(&reader, &head.key_id, err));
	TRY(reader_be32(&reader, &head.key_generation, err));
	TRY(reader_be64(&reader, &head.keystore, err));
	TRY(reader_be32(&reader, &body_bytes, err));
	TRY(reader_copy(&reader, head.nonce, AEAD_NONCE_BYTES, err));
	ENSURE(body_bytes == reader.rest.len && head.encrypted == (head.key_id != 0), err,
	       COF_E_FORMAT, subject, "has a body of %zu bytes with content key %u",
	       reader.rest.len, head.key_id);
	*ret_head = head;
	*ret_body = reader.rest;
	return COF_OK;
}

cof_result version_encode(const struct version *version, struct buffer *out, struct cof_error *err)
{
	size_t name_bytes = strlen(version->name);
	size_t start = out->len;
	size_t len;

	TRY(buffer_add_u8(out, BODY_VERSION, err));
	TRY(buffer_add_u8(out, version->kind, err));
	TRY(buffer_add_be64(out, version->created, err));
	TRY(buffer_add_be64(out, version->bytes, err));
	TRY(buffer_add_be64(out, version->files, err));
	TRY(buffer_add_be64(out, version->new_bytes, err));
	TRY(buffer_add_u8(out, (uint8_t)name_bytes, err));
	TRY(buffer_add(out, version->name, name_bytes, err));
	TRY(recipe_root_encode(&version->root, out, err));
	len = (out->len - start + PAD_BYTES - 1) / PAD_BYTES * PAD_BYTES;
	TRY(buffer_reserve(out, start + len - out->len, err));
	memset(out->data + out->len, 0, start + len - out->len);
	out->len = start + len;
	return COF_OK;
}

cof_result version_decode(struct span body, const char *subject, struct version *ret_version,
			  struct cof_error *err)
{
	struct reader reader = reader_of(body, subject);
	struct version version = { 0 };
	uint8_t body_version = 0;
	uint8_t name_bytes = 0;
	uint8_t kind = 0;

	TRY(reader_u8(&reader, &body_version, err));
	TRY(reader_u8(&reader, &kind, err));
	ENSURE(body_version == BODY_VERSION && (kind == VERSION_STREAM || kind == VERSION_TREE),
	       err, COF_E_FORMAT, subject, "has a body of version %u and kind %u", body_version,
	       kind);
	version.kind = kind;
	TRY(reader_be64(&reader, &version.created, err));
	TRY(reader_be64(&reader, &version.bytes, err));
	TRY(reader_be64(&reader, &version.files, err));
	TRY(reader_be64(&reader, &version.new_bytes, err));
	TRY(reader_u8(&reader, &name_bytes, err));
	TRY(reader_copy(&reader, (uint8_t *)version.name, name_bytes, err));
	ENSURE(strlen(version.name) == name_bytes &&
		       !cof_failed(version_check_name(version.name, NULL)),
	       err, COF_E_FORMAT, subject, "has a name that is not allowed");
	TRY(recipe_root_decode(&reader, &version.root, err));
	*ret_version = version;
	return COF_OK;
}
