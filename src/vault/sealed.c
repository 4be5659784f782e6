/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "sealed.h"

static const uint8_t magic[4] = { 'C', 'F', 'R', '1' };

/* The clear header as it is stored. */
static cof_result add_header(struct buffer *out, const struct sealed_header *header,
			     struct cof_error *err)
{
	TRY(buffer_add(out, magic, sizeof(magic), err));
	TRY(buffer_add_be16(out, SEALED_VERSION, err));
	TRY(buffer_add_be32(out, header->epoch, err));
	TRY(buffer_add_be64(out, header->generation, err));
	TRY(buffer_add(out, header->id, sizeof(header->id), err));
	TRY(buffer_add_be64(out, header->created, err));
	TRY(buffer_add(out, header->nonce, sizeof(header->nonce), err));
	return COF_OK;
}

cof_result sealed_parse(struct span stored, const char *subject, struct sealed_header *ret_header,
			struct span *ret_body, struct cof_error *err)
{
	struct reader reader = reader_of(stored, subject);
	struct sealed_header header;
	struct span bytes;
	uint16_t version;

	TRY(reader_take(&reader, sizeof(magic), &bytes, err));
	ENSURE(memcmp(bytes.data, magic, sizeof(magic)) == 0, err, COF_E_FORMAT, subject,
	       "is not a sealed value: it starts with %02x%02x%02x%02x", bytes.data[0],
	       bytes.data[1], bytes.data[2], bytes.data[3]);
	TRY(reader_be16(&reader, &version, err));
	ENSURE(version == SEALED_VERSION, err, COF_E_FORMAT, subject,
	       "is sealed in version %u, known here is %d", version, SEALED_VERSION);
	TRY(reader_be32(&reader, &header.epoch, err));
	TRY(reader_be64(&reader, &header.generation, err));
	TRY(reader_take(&reader, sizeof(header.id), &bytes, err));
	memcpy(header.id, bytes.data, sizeof(header.id));
	TRY(reader_be64(&reader, &header.created, err));
	TRY(reader_take(&reader, sizeof(header.nonce), &bytes, err));
	memcpy(header.nonce, bytes.data, sizeof(header.nonce));
	ENSURE(reader.rest.len > AEAD_TAG_BYTES, err, COF_E_FORMAT, subject,
	       "ends too early: %zu bytes after the header, more than %d are needed",
	       reader.rest.len, AEAD_TAG_BYTES);

	*ret_header = header;
	if (ret_body)
		*ret_body = reader.rest;
	return COF_OK;
}

cof_result sealed_info(const struct sealed_place *place, const struct sealed_header *header,
		       struct buffer *info, struct cof_error *err)
{
	TRY(buffer_add_text(info, err, "coffer/%s/v1/%u", place->purpose, header->epoch));
	TRY(buffer_add_u8(info, 0, err));
	TRY(buffer_add(info, place->kind, strlen(place->kind) + 1, err));
	TRY(buffer_add(info, place->name, strlen(place->name) + 1, err));
	TRY(buffer_add(info, header->id, sizeof(header->id), err));
	TRY(buffer_add_be64(info, header->generation, err));
	return COF_OK;
}

/* What is authenticated with the value: its clear header, and where it belongs. */
static cof_result add_context(struct buffer *out, const struct sealed_place *place,
			      struct span header, struct cof_error *err)
{
	TRY(buffer_add(out, header.data, header.len, err));
	TRY(buffer_add(out, place->uuid, VAULT_UUID_BYTES, err));
	TRY(buffer_add(out, place->kind, strlen(place->kind) + 1, err));
	TRY(buffer_add(out, place->name, strlen(place->name) + 1, err));
	return COF_OK;
}

cof_result sealed_write(const struct wrap_key *key, const struct sealed_place *place,
			const struct sealed_header *header, struct span plain,
			struct buffer *stored, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer clear = { 0 };
	_cleanup_buffer_ struct buffer context = { 0 };

	TRY(add_header(&clear, header, err));
	TRY(add_context(&context, place, buffer_span(&clear), err));
	TRY(buffer_add(stored, clear.data, clear.len, err));
	TRY(aead_seal(key, header->nonce, buffer_span(&context), plain, stored, err));
	return COF_OK;
}

cof_result sealed_read(const struct wrap_key *key, const struct sealed_place *place,
		       struct span stored, const char *subject, struct secret **ret_plain,
		       struct cof_error *err)
{
	_cleanup_buffer_ struct buffer context = { 0 };
	struct sealed_header header;
	struct span body;

	TRY(sealed_parse(stored, subject, &header, &body, err));
	TRY(add_context(&context, place, SPAN(stored.data, SEALED_HEADER_BYTES), err));
	TRY(aead_open(key, header.nonce, buffer_span(&context), body, subject, ret_plain, err));
	return COF_OK;
}
