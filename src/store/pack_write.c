/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pack_write.h"

#include <string.h>

#include "bulk.h"
#include "crc32c.h"
#include "number.h"

#define SEGMENT_BYTES                                                                              \
	((size_t)4 << 20)	      /* of one write: whole pages, and large enough for disks     \
				       */
#define SLACK_BYTES ((size_t)1 << 20) /* room for the record that crosses a segment's end */

/*
 * struct pack_writer
 * @segment:  what is not written yet; whole pages go out when SEGMENT_BYTES are full
 * @len:      of it
 * @written_bytes: of the pack, before @segment
 * @entries:  of the pack at hand, an array of struct pack_entry
 * @data_end: where the records end, bytes from the pack's start
 */
struct pack_writer {
	const struct pack_place *place;
	uint8_t *segment;
	size_t len;
	uint64_t written_bytes;
	struct upload *upload; /* NULL: no pack is at hand */
	struct pack_head head;
	struct pack_tail tail;
	struct gcm *gcm;
	struct buffer entries;
	uint32_t count;
	uint64_t data_end;
};

char *pack_name(const uint8_t pack[static STORE_UUID_BYTES], char out[static PACK_NAME_CHARS])
{
	memcpy(out, "packs/", 6);
	(void)hex_format(pack, STORE_UUID_BYTES, out + 6);
	return out;
}

cof_result pack_wrap_key(const struct content_key *key, const uint8_t pack[static STORE_UUID_BYTES],
			 struct wrap_key **ret_key, struct cof_error *err)
{
	_cleanup_(wrap_key_freep) struct wrap_key *wrap = NULL;

	TRY(wrap_key_new(AEAD_KEY_BYTES, &wrap, err));
	TRY(hkdf_sha256(content_key_span(key), SPAN(pack, STORE_UUID_BYTES),
			span_of_text("coffer/store/pack/v1"), &wrap->secret, err));
	*ret_key = TAKE(wrap);
	return COF_OK;
}

/* Gives up the pack at hand. */
static void drop_pack(struct pack_writer *writer)
{
	if (writer->upload)
		writer->place->backend->ops->upload_free(writer->upload);
	writer->upload = NULL;
	gcm_free(writer->gcm);
	writer->gcm = NULL;
	writer->entries.len = 0;
	writer->count = 0;
	writer->len = 0;
	writer->written_bytes = 0;
	memset(&writer->tail, 0, sizeof(writer->tail));
}

void pack_writer_free(struct pack_writer *writer)
{
	if (!writer)
		return;
	drop_pack(writer);
	buffer_done(&writer->entries);
	free(writer->segment);
	free(writer);
}

cof_result pack_writer_new(const struct pack_place *place, struct pack_writer **ret_writer,
			   struct cof_error *err)
{
	_cleanup_(pack_writer_freep) struct pack_writer *writer = calloc(1, sizeof(*writer));
	void *segment = NULL;

	ENSURE(writer, err, COF_E_NOMEM, NULL, "no memory for a pack");
	writer->place = place;
	ENSURE(posix_memalign(&segment, BACKEND_ALIGN_BYTES, SEGMENT_BYTES + SLACK_BYTES) == 0, err,
	       COF_E_NOMEM, NULL, "no memory for a pack");
	writer->segment = segment;
	*ret_writer = TAKE(writer);
	return COF_OK;
}

/* Makes the key of a new pack, and wraps it for the head. */
static cof_result make_key(struct pack_writer *writer, struct cof_error *err)
{
	const struct pack_place *place = writer->place;
	_cleanup_(data_key_freep) struct data_key *key = NULL;
	_cleanup_(wrap_key_freep) struct wrap_key *wrap = NULL;
	_cleanup_buffer_ struct buffer wrapped = { 0 };
	uint8_t context[PACK_WRAP_CONTEXT_BYTES];

	TRY(data_key_random(AEAD_KEY_BYTES, &key, err));
	TRY(pack_wrap_key(place->key, writer->head.pack, &wrap, err));
	TRY(random_bytes(writer->head.nonce, AEAD_NONCE_BYTES, err));
	pack_wrap_context(&writer->head, context);
	TRY(aead_seal(wrap, writer->head.nonce, SPAN(context, sizeof(context)), data_key_span(key),
		      &wrapped, err));
	memcpy(writer->head.wrapped, wrapped.data, PACK_WRAPPED_BYTES);
	return gcm_new(key, true, &writer->gcm, err);
}

/* Begins a pack: its head pages are the first of what will be written. */
static cof_result begin_pack(struct pack_writer *writer, struct cof_error *err)
{
	const struct pack_place *place = writer->place;
	char name[PACK_NAME_CHARS];

	writer->head = (struct pack_head){ .encrypted = place->key != NULL,
					   .sequence = 1,
					   .key_id = place->key_id,
					   .key_generation = place->key_generation,
					   .created = place->now };
	memcpy(writer->head.group, place->group, STORE_UUID_BYTES);
	TRY(random_bytes(writer->head.pack, STORE_UUID_BYTES, err));
	if (place->key)
		TRY(make_key(writer, err));
	TRY(pack_head_encode(&writer->head, writer->segment, err));
	memset(writer->segment + PACK_PAGE_BYTES, 0, PACK_PAGE_BYTES);
	writer->len = PACK_HEAD_BYTES;
	writer->data_end = PACK_HEAD_BYTES;
	return place->backend->ops->upload(place->backend, pack_name(writer->head.pack, name),
					   &writer->upload, err);
}

/* Counts what lies from @offset on into the checksums of the stripes. */
static void add_checksums(struct pack_tail *tail, uint64_t offset, struct span bytes)
{
	while (bytes.len) {
		uint64_t from = offset - PACK_HEAD_BYTES;
		size_t stripe = from / PACK_STRIPE_BYTES;
		size_t rest = PACK_STRIPE_BYTES - from % PACK_STRIPE_BYTES;
		size_t len = bytes.len < rest ? bytes.len : rest;

		tail->crcs[stripe] = crc32c(tail->crcs[stripe], SPAN(bytes.data, len));
		bytes = SPAN(bytes.data + len, bytes.len - len);
		offset += len;
	}
}

/* Writes the first @len bytes of the segment; the tail page alone is in no checksum. */
static cof_result write_out(struct pack_writer *writer, size_t len, bool counted,
			    struct cof_error *err)
{
	size_t skip = writer->written_bytes == 0 ? PACK_HEAD_BYTES : 0;

	if (counted)
		add_checksums(&writer->tail, writer->written_bytes + skip,
			      SPAN(writer->segment + skip, len - skip));
	TRY(writer->place->backend->ops->upload_add(writer->upload, SPAN(writer->segment, len),
						    err));
	writer->written_bytes += len;
	writer->len -= len;
	memmove(writer->segment, writer->segment + len, writer->len);
	return COF_OK;
}

/* Puts one record behind the others. */
static cof_result append(struct pack_writer *writer, const struct pack_entry *entry,
			 struct span stored, struct cof_error *err)
{
	uint8_t context[PACK_RECORD_CONTEXT_BYTES];
	uint8_t nonce[AEAD_NONCE_BYTES];
	uint8_t *out = writer->segment + writer->len;
	size_t len = stored.len;

	TRY(buffer_add(&writer->entries, entry, sizeof(*entry), err));
	if (writer->gcm) {
		pack_record_context(writer->head.pack, writer->count, entry, context);
		pack_nonce(writer->count, nonce);
		TRY(gcm_seal(writer->gcm, nonce, SPAN(context, sizeof(context)), stored, out, err));
		len += AEAD_TAG_BYTES;
	} else {
		memmove(out, stored.data, len);
	}
	writer->count++;
	writer->len += len;
	writer->data_end += len;
	if (writer->len >= SEGMENT_BYTES)
		TRY(write_out(writer, SEGMENT_BYTES, true, err));
	return COF_OK;
}

/* Length of a whole pack with one more record of @stored_bytes and the padding's record. */
static uint64_t needed_with(const struct pack_writer *writer, size_t stored_bytes)
{
	size_t tag = writer->gcm ? AEAD_TAG_BYTES : 0;
	uint64_t toc_bytes = pack_toc_bytes(writer->count + 2, writer->gcm != NULL) + tag;

	return writer->data_end + stored_bytes + tag + 1 + tag + toc_bytes + 2 * PACK_PAGE_BYTES;
}

cof_result pack_writer_add(struct pack_writer *writer, const struct pack_entry *entry,
			   struct span stored, struct cof_error *err)
{
	ENSURE(stored.len == entry->stored_bytes && stored.len >= 1 &&
		       stored.len <= SLACK_BYTES - AEAD_TAG_BYTES,
	       err, COF_E_FORMAT, NULL, "a record of %zu bytes", stored.len);
	if (writer->upload && (needed_with(writer, stored.len) > PACK_FULL_BYTES ||
			       writer->count + 2 > PACK_RECORDS_MAX))
		TRY(pack_writer_finish(writer, err));
	if (!writer->upload)
		TRY(begin_pack(writer, err));
	return append(writer, entry, stored, err);
}

/* Fills the place up to the table with zeros that look like everything else once sealed. */
static cof_result pad(struct pack_writer *writer, uint64_t *ret_pack_bytes, struct cof_error *err)
{
	_cleanup_free_ uint8_t *zeros = calloc(1, SLACK_BYTES);
	size_t tag = writer->gcm ? AEAD_TAG_BYTES : 0;
	struct pack_entry entry = { .type = CHUNK_PADDING };
	uint64_t toc_bytes;
	uint64_t pack_bytes;
	uint64_t rest;

	ENSURE(zeros, err, COF_E_NOMEM, NULL, "no memory for a pack");
	do {
		/* A table that grows by a page for the padding makes less of it necessary. */
		toc_bytes = pack_toc_bytes(writer->count + 1, writer->gcm != NULL) + tag;
		pack_bytes = pack_padded(writer->data_end + 1 + tag, toc_bytes);
		rest = pack_bytes - PACK_PAGE_BYTES - toc_bytes - writer->data_end - tag;
		if (rest > SLACK_BYTES - AEAD_TAG_BYTES) {
			/* More than one record holds: the last one gets what is left. */
			rest = SLACK_BYTES / 2;
			toc_bytes = 0;
		}
		entry.stored_bytes = (uint32_t)rest;
		entry.plain_bytes = (uint32_t)rest;
		TRY(append(writer, &entry, SPAN(zeros, rest), err));
	} while (!toc_bytes);
	*ret_pack_bytes = pack_bytes;
	return COF_OK;
}

/* Puts the table behind the records. */
static cof_result append_toc(struct pack_writer *writer, struct cof_error *err)
{
	const struct pack_entry *entries = (const void *)writer->entries.data;
	_cleanup_buffer_ struct buffer toc = { 0 };
	uint8_t context[PACK_TOC_CONTEXT_BYTES];
	uint8_t nonce[AEAD_NONCE_BYTES];

	TRY(pack_toc_encode(entries, writer->count, writer->gcm != NULL, &toc, err));
	if (writer->gcm) {
		TRY(buffer_reserve(&toc, AEAD_TAG_BYTES, err));
		pack_toc_context(&writer->head, (uint32_t)toc.len, context);
		pack_nonce(PACK_TOC_ORDINAL, nonce);
		TRY(gcm_seal(writer->gcm, nonce, SPAN(context, sizeof(context)), buffer_span(&toc),
			     toc.data, err));
		toc.len += AEAD_TAG_BYTES;
	}
	TRY(sha256(buffer_span(&toc), writer->tail.toc_digest, err));
	for (size_t at = 0; at < toc.len; at += PACK_PAGE_BYTES) {
		memcpy(writer->segment + writer->len, toc.data + at, PACK_PAGE_BYTES);
		writer->len += PACK_PAGE_BYTES;
		if (writer->len >= SEGMENT_BYTES)
			TRY(write_out(writer, SEGMENT_BYTES, true, err));
	}
	return COF_OK;
}

/* The last page, which has the checksums of all before. */
static cof_result append_tail(struct pack_writer *writer, uint64_t pack_bytes,
			      struct cof_error *err)
{
	struct pack_tail *tail = &writer->tail;
	uint64_t covered = pack_bytes - PACK_PAGE_BYTES - PACK_HEAD_BYTES;

	if (writer->len)
		TRY(write_out(writer, writer->len, true, err));
	ENSURE(writer->written_bytes == pack_bytes - PACK_PAGE_BYTES, err, COF_E_FAILED, NULL,
	       "a pack has %llu bytes instead of %llu", (unsigned long long)writer->written_bytes,
	       (unsigned long long)pack_bytes);
	memcpy(tail->pack, writer->head.pack, STORE_UUID_BYTES);
	tail->pack_bytes = pack_bytes;
	tail->toc_offset = writer->data_end;
	tail->stripes = (uint32_t)((covered + PACK_STRIPE_BYTES - 1) / PACK_STRIPE_BYTES);
	TRY(pack_tail_encode(tail, writer->segment, err));
	writer->len = PACK_PAGE_BYTES;
	return write_out(writer, PACK_PAGE_BYTES, false, err);
}

/* All of the end; the caller forgets the pack whatever becomes of it. */
static cof_result close_pack(struct pack_writer *writer, struct cof_error *err)
{
	const struct pack_place *place = writer->place;
	uint64_t pack_bytes = 0;

	TRY(pad(writer, &pack_bytes, err));
	TRY(append_toc(writer, err));
	TRY(append_tail(writer, pack_bytes, err));
	TRY(place->backend->ops->upload_finish(writer->upload, err));
	return place->written(writer->head.pack, (const void *)writer->entries.data, writer->count,
			      place->context, err);
}

cof_result pack_writer_finish(struct pack_writer *writer, struct cof_error *err)
{
	cof_result closed = COF_OK;

	if (writer->upload)
		closed = close_pack(writer, err);
	drop_pack(writer);
	return closed;
}
