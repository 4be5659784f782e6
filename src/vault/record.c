/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "record.h"

/* Tags of a body's parts, in the order in which they are stored. */
enum part { PART_META = 1, PART_SECRET = 2, PART_BLOB = 3 };

#define PART_HEADER_BYTES 6 /* tag, 2 bytes; length, 4 bytes */

void record_free(struct record *record)
{
	if (!record)
		return;
	free(record->kind);
	free(record->name);
	json_free(record->meta);
	secret_free(record->secret);
	buffer_done(&record->blob);
	free(record);
}

/* The number of bytes of the UTF-8 character at @text, 0 where there is no valid one. */
static size_t utf8_char_bytes(const unsigned char *text)
{
	size_t bytes = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;

	if ((text[0] >= 0x80 && text[0] < 0xc2) || text[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < bytes; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	}
	/* Overlong forms, surrogates and what is above U+10FFFF: RFC 3629, section 4. */
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
	    (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return bytes;
}

/* Whether @text is UTF-8 without control characters, as keys of a keystore must be. */
static bool is_printable(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	while (*at) {
		size_t bytes = utf8_char_bytes(at);

		if (bytes == 0 || *at < 0x20 || *at == 0x7f)
			return false;
		at += bytes;
	}
	return true;
}

cof_result record_check_names(const char *kind, const char *name, struct cof_error *err)
{
	size_t kind_bytes = strlen(kind);
	size_t name_bytes = strlen(name);

	ENSURE(kind_bytes >= 1 && kind_bytes <= RECORD_KIND_MAX_BYTES, err, COF_E_USAGE, name,
	       "a kind has %zu bytes, must have 1 to %d", kind_bytes, RECORD_KIND_MAX_BYTES);
	ENSURE(strspn(kind, "abcdefghijklmnopqrstuvwxyz-") == kind_bytes, err, COF_E_USAGE, name,
	       "a kind may have lower-case letters and dashes alone");
	ENSURE(name_bytes >= 1 && name_bytes <= VAULT_NAME_MAX_BYTES, err, COF_E_USAGE, kind,
	       "a name has %zu bytes, must have 1 to %d", name_bytes, VAULT_NAME_MAX_BYTES);
	ENSURE(!strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0, err,
	       COF_E_USAGE, kind, "a name may have no slash and not be \".\" or \"..\"");
	ENSURE(is_printable(name), err, COF_E_USAGE, kind,
	       "a name must be UTF-8 without control characters");
	return COF_OK;
}

cof_result record_new(const char *kind, const char *name, struct record **ret_record,
		      struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;

	TRY(record_check_names(kind, name, err));
	record = calloc(1, sizeof(*record));
	ENSURE(record, err, COF_E_NOMEM, name, "no memory for a record");
	record->kind = strdup(kind);
	record->name = strdup(name);
	record->meta = json_new_object();
	ENSURE(record->kind && record->name, err, COF_E_NOMEM, name, "no memory for a record");

	*ret_record = TAKE(record);
	return COF_OK;
}

/* Writes one part at @at and returns the place behind it. */
static uint8_t *put_part(uint8_t *at, enum part tag, struct span value)
{
	*at++ = 0;
	*at++ = (uint8_t)tag;
	for (int shift = 24; shift >= 0; shift -= 8)
		*at++ = (uint8_t)(value.len >> shift);
	memcpy(at, value.data, value.len);
	return at + value.len;
}

cof_result record_encode(const struct record *record, struct secret **ret_body,
			 struct cof_error *err)
{
	_cleanup_free_ char *meta = json_format(record->meta);
	_cleanup_secret_ struct secret *body = NULL;
	size_t meta_bytes = strlen(meta);
	size_t secret_bytes = record->secret ? record->secret->len : 0;
	size_t total = PART_HEADER_BYTES + meta_bytes;
	uint8_t *at;

	ENSURE(meta_bytes <= RECORD_META_MAX_BYTES, err, COF_E_USAGE, record->name,
	       "has %zu bytes of description, may have %u", meta_bytes, RECORD_META_MAX_BYTES);
	ENSURE(secret_bytes <= RECORD_SECRET_MAX_BYTES, err, COF_E_USAGE, record->name,
	       "has a secret of %zu bytes, may have %u", secret_bytes, RECORD_SECRET_MAX_BYTES);
	ENSURE(record->blob.len <= RECORD_BLOB_MAX_BYTES, err, COF_E_USAGE, record->name,
	       "has %zu bytes of data, may have %u", record->blob.len, RECORD_BLOB_MAX_BYTES);
	total += record->secret ? PART_HEADER_BYTES + secret_bytes : 0;
	total += record->blob.len ? PART_HEADER_BYTES + record->blob.len : 0;
	TRY(secret_new(total, &body, err));
	at = put_part(body->data, PART_META, SPAN(meta, meta_bytes));
	if (record->secret)
		at = put_part(at, PART_SECRET, secret_span(record->secret));
	if (record->blob.len)
		(void)put_part(at, PART_BLOB, buffer_span(&record->blob));

	*ret_body = TAKE(body);
	return COF_OK;
}

/* Takes one part of a body into @record. */
static cof_result take_part(uint16_t tag, struct span value, const char *subject,
			    struct record *record, struct cof_error *err)
{
	ENSURE(value.len > 0, err, COF_E_FORMAT, subject, "part %u is empty", tag);
	switch (tag) {
	case PART_META:
		json_free(TAKE(record->meta));
		ENSURE(value.len <= RECORD_META_MAX_BYTES, err, COF_E_FORMAT, subject,
		       "has %zu bytes of description, may have %u", value.len,
		       RECORD_META_MAX_BYTES);
		return json_parse(value, subject, &record->meta, err);
	case PART_SECRET:
		ENSURE(value.len <= RECORD_SECRET_MAX_BYTES, err, COF_E_FORMAT, subject,
		       "has a secret of %zu bytes, may have %u", value.len,
		       RECORD_SECRET_MAX_BYTES);
		return secret_copy(value, &record->secret, err);
	case PART_BLOB:
		ENSURE(value.len <= RECORD_BLOB_MAX_BYTES, err, COF_E_FORMAT, subject,
		       "has %zu bytes of data, may have %u", value.len, RECORD_BLOB_MAX_BYTES);
		return buffer_add(&record->blob, value.data, value.len, err);
	default:
		FAIL(err, COF_E_FORMAT, subject, "part %u is not known here", tag);
	}
}

cof_result record_decode(struct span body, const char *subject, struct record *record,
			 struct cof_error *err)
{
	struct reader reader = reader_of(body, subject);
	uint16_t last = 0;

	do {
		struct span value;
		uint32_t len;
		uint16_t tag;

		TRY(reader_be16(&reader, &tag, err));
		ENSURE(tag > last, err, COF_E_FORMAT, subject, "part %u comes after part %u", tag,
		       last);
		ENSURE(last != 0 || tag == PART_META, err, COF_E_FORMAT, subject,
		       "starts with part %u, must start with part %d", tag, PART_META);
		TRY(reader_be32(&reader, &len, err));
		TRY(reader_take(&reader, len, &value, err));
		TRY(take_part(tag, value, subject, record, err));
		last = tag;
	} while (reader.rest.len > 0);
	return COF_OK;
}
