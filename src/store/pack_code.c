/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pack_code.h"

#include <string.h>

#define HEAD_MAGIC    "CofStPak"
#define TAIL_MAGIC    "CofStEnd"
#define MAGIC_BYTES   8
#define VERSION	      1
#define SUITE	      1 /* HMAC-SHA-256 ids, AES-256-GCM, zstd */
#define FLAG_SEALED   0x01
#define DIGEST_OFFSET (PACK_PAGE_BYTES - SHA256_BYTES)

/* Fills a page up and puts its digest at the end. */
static cof_result page_finish(const struct buffer *content, uint8_t out[static PACK_PAGE_BYTES],
			      struct cof_error *err)
{
	memset(out, 0, PACK_PAGE_BYTES);
	memcpy(out, content->data, content->len);
	return sha256(SPAN(out, DIGEST_OFFSET), out + DIGEST_OFFSET, err);
}

/* Checks a page's digest, magic and version; the reader stands behind them. */
static cof_result page_start(struct span page, const char *magic, const char *subject,
			     struct reader *ret_reader, struct cof_error *err)
{
	struct reader reader = reader_of(page, subject);
	uint8_t digest[SHA256_BYTES];
	struct span mark = { 0 };
	uint8_t version = 0;

	TRY(reader_take(&reader, MAGIC_BYTES, &mark, err));
	ENSURE(page.len == PACK_PAGE_BYTES && memcmp(mark.data, magic, MAGIC_BYTES) == 0, err,
	       COF_E_FORMAT, subject, "is no pack: a page begins otherwise");
	TRY(sha256(SPAN(page.data, DIGEST_OFFSET), digest, err));
	ENSURE(memcmp(digest, page.data + DIGEST_OFFSET, SHA256_BYTES) == 0, err, COF_E_FORMAT,
	       subject, "a page does not match its checksum");
	TRY(reader_u8(&reader, &version, err));
	ENSURE(version == VERSION, err, COF_E_FORMAT, subject, "has version %u, known is %d",
	       version, VERSION);
	*ret_reader = reader;
	return COF_OK;
}

cof_result pack_head_encode(const struct pack_head *head, uint8_t out[static PACK_PAGE_BYTES],
			    struct cof_error *err)
{
	_cleanup_buffer_ struct buffer page = { 0 };

	TRY(buffer_add(&page, HEAD_MAGIC, MAGIC_BYTES, err));
	TRY(buffer_add_u8(&page, VERSION, err));
	TRY(buffer_add_u8(&page, head->encrypted ? FLAG_SEALED : 0, err));
	TRY(buffer_add_u8(&page, SUITE, err));
	TRY(buffer_add(&page, head->group, STORE_UUID_BYTES, err));
	TRY(buffer_add(&page, head->pack, STORE_UUID_BYTES, err));
	TRY(buffer_add_be32(&page, head->sequence, err));
	TRY(buffer_add_be16(&page, head->key_id, err));
	TRY(buffer_add_be32(&page, head->key_generation, err));
	TRY(buffer_add_be64(&page, head->created, err));
	TRY(buffer_add(&page, head->nonce, AEAD_NONCE_BYTES, err));
	TRY(buffer_add(&page, head->wrapped, PACK_WRAPPED_BYTES, err));
	return page_finish(&page, out, err);
}

/* Takes @len bytes into an array. */
static cof_result decode_page(struct span page, const char *subject, struct pack_head *ret_head,
			      struct cof_error *err)
{
	struct pack_head head = { 0 };
	struct reader reader;
	uint8_t flags = 0;
	uint8_t suite = 0;

	TRY(page_start(page, HEAD_MAGIC, subject, &reader, err));
	TRY(reader_u8(&reader, &flags, err));
	TRY(reader_u8(&reader, &suite, err));
	ENSURE((flags & ~FLAG_SEALED) == 0 && suite == SUITE, err, COF_E_FORMAT, subject,
	       "has flags 0x%02x and suite %u, which are not known", flags, suite);
	TRY(reader_copy(&reader, head.group, STORE_UUID_BYTES, err));
	TRY(reader_copy(&reader, head.pack, STORE_UUID_BYTES, err));
	TRY(reader_be32(&reader, &head.sequence, err));
	TRY(reader_be16(&reader, &head.key_id, err));
	TRY(reader_be32(&reader, &head.key_generation, err));
	TRY(reader_be64(&reader, &head.created, err));
	TRY(reader_copy(&reader, head.nonce, AEAD_NONCE_BYTES, err));
	TRY(reader_copy(&reader, head.wrapped, PACK_WRAPPED_BYTES, err));
	head.encrypted = flags & FLAG_SEALED;
	ENSURE(head.encrypted == (head.key_id != 0) && head.sequence >= 1, err, COF_E_FORMAT,
	       subject, "names content key %u, which does not go with its flags", head.key_id);
	*ret_head = head;
	return COF_OK;
}

/* Whether a page was never written. */
static bool is_blank(struct span page)
{
	for (size_t i = 0; i < page.len; i++)
		if (page.data[i])
			return false;
	return true;
}

cof_result pack_head_decode(struct span bytes, const char *subject, struct pack_head *ret_head,
			    bool *ret_damaged, struct cof_error *err)
{
	struct pack_head heads[2];
	bool whole[2];
	bool damaged = false;
	size_t better;

	ENSURE(bytes.len == PACK_HEAD_BYTES, err, COF_E_FORMAT, subject,
	       "has a head of %zu bytes, must have %d", bytes.len, PACK_HEAD_BYTES);
	for (size_t i = 0; i < 2; i++) {
		struct span page = SPAN(bytes.data + i * PACK_PAGE_BYTES, PACK_PAGE_BYTES);

		whole[i] = !cof_failed(decode_page(page, subject, &heads[i], NULL));
		damaged |= !whole[i] && !is_blank(page);
	}
	if (!whole[0] && !whole[1])
		return decode_page(SPAN(bytes.data, PACK_PAGE_BYTES), subject, &heads[0], err);
	better = whole[1] && (!whole[0] || heads[1].sequence > heads[0].sequence);
	/* The first page is written with the pack; a blank one is damage too. */
	if (ret_damaged)
		*ret_damaged = damaged || !whole[0];
	*ret_head = heads[better];
	return COF_OK;
}

/* Writes a number of @len bytes, big-endian. */
static uint8_t *put_be(uint8_t *out, uint64_t value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(value >> (8 * (len - 1 - i)));
	return out + len;
}

static uint8_t *put_bytes(uint8_t *out, const uint8_t *bytes, size_t len)
{
	memcpy(out, bytes, len);
	return out + len;
}

void pack_wrap_context(const struct pack_head *head, uint8_t out[static PACK_WRAP_CONTEXT_BYTES])
{
	out = put_bytes(out, head->group, STORE_UUID_BYTES);
	out = put_bytes(out, head->pack, STORE_UUID_BYTES);
	out = put_be(out, head->key_id, 2);
	(void)put_be(out, head->key_generation, 4);
}

static uint8_t *put_entry(uint8_t *out, const struct pack_entry *entry)
{
	*out++ = entry->type;
	*out++ = entry->flags;
	out = put_be(out, entry->stored_bytes, 4);
	out = put_be(out, entry->plain_bytes, 4);
	return put_bytes(out, entry->id, STORE_ID_BYTES);
}

void pack_record_context(const uint8_t pack[static STORE_UUID_BYTES], uint32_t ordinal,
			 const struct pack_entry *entry,
			 uint8_t out[static PACK_RECORD_CONTEXT_BYTES])
{
	out = put_bytes(out, pack, STORE_UUID_BYTES);
	out = put_be(out, ordinal, 4);
	(void)put_entry(out, entry);
}

void pack_toc_context(const struct pack_head *head, uint32_t len,
		      uint8_t out[static PACK_TOC_CONTEXT_BYTES])
{
	out = put_bytes(out, head->group, STORE_UUID_BYTES);
	out = put_bytes(out, head->pack, STORE_UUID_BYTES);
	(void)put_be(out, len, 4);
}

void pack_nonce(uint32_t ordinal, uint8_t out[static AEAD_NONCE_BYTES])
{
	memset(out, 0, AEAD_NONCE_BYTES);
	(void)put_be(out + AEAD_NONCE_BYTES - 4, ordinal, 4);
}

/* Up to whole pages. */
static uint64_t whole_pages(uint64_t bytes)
{
	return (bytes + PACK_PAGE_BYTES - 1) / PACK_PAGE_BYTES * PACK_PAGE_BYTES;
}

size_t pack_toc_bytes(size_t count, bool encrypted)
{
	size_t tag = encrypted ? AEAD_TAG_BYTES : 0;

	return whole_pages(4 + count * PACK_ENTRY_BYTES + tag) - tag;
}

cof_result pack_toc_encode(const struct pack_entry *entries, uint32_t count, bool encrypted,
			   struct buffer *out, struct cof_error *err)
{
	size_t len = pack_toc_bytes(count, encrypted);
	uint8_t *at;

	TRY(buffer_reserve(out, len, err));
	at = out->data + out->len;
	memset(at, 0, len);
	at = put_be(at, count, 4);
	for (uint32_t i = 0; i < count; i++)
		at = put_entry(at, &entries[i]);
	out->len += len;
	return COF_OK;
}

static cof_result decode_entry(struct reader *reader, struct pack_entry *entry,
			       struct cof_error *err)
{
	TRY(reader_u8(reader, &entry->type, err));
	TRY(reader_u8(reader, &entry->flags, err));
	TRY(reader_be32(reader, &entry->stored_bytes, err));
	TRY(reader_be32(reader, &entry->plain_bytes, err));
	TRY(reader_copy(reader, entry->id, STORE_ID_BYTES, err));
	ENSURE(entry->type >= CHUNK_DATA && entry->type <= CHUNK_PADDING &&
		       (entry->flags & ~CHUNK_COMPRESSED) == 0,
	       err, COF_E_FORMAT, reader->subject, "has a record of type %u with flags 0x%02x",
	       entry->type, entry->flags);
	ENSURE(entry->stored_bytes >= 1 && entry->plain_bytes >= 1 &&
		       entry->plain_bytes <= PACK_FULL_BYTES &&
		       (entry->flags & CHUNK_COMPRESSED ||
			entry->stored_bytes == entry->plain_bytes),
	       err, COF_E_FORMAT, reader->subject, "has a record of %u bytes for %u",
	       entry->stored_bytes, entry->plain_bytes);
	return COF_OK;
}

cof_result pack_toc_decode(struct span plain, bool encrypted, uint64_t data_bytes,
			   const char *subject, struct pack_entry **ret_entries,
			   uint32_t *ret_count, struct cof_error *err)
{
	_cleanup_free_ struct pack_entry *entries = NULL;
	struct reader reader = reader_of(plain, subject);
	uint64_t sum = 0;
	uint32_t count = 0;

	TRY(reader_be32(&reader, &count, err));
	ENSURE(count >= 1 && count <= PACK_RECORDS_MAX &&
		       pack_toc_bytes(count, encrypted) == plain.len,
	       err, COF_E_FORMAT, subject, "has a table of %zu bytes for %u records", plain.len,
	       count);
	entries = calloc(count, sizeof(*entries));
	ENSURE(entries, err, COF_E_NOMEM, subject, "no memory left");
	for (uint32_t i = 0; i < count; i++) {
		TRY(decode_entry(&reader, &entries[i], err));
		sum += entries[i].stored_bytes + (encrypted ? AEAD_TAG_BYTES : 0);
	}
	ENSURE(sum == data_bytes, err, COF_E_FORMAT, subject,
	       "has records of %llu bytes in a place of %llu", (unsigned long long)sum,
	       (unsigned long long)data_bytes);
	ENSURE(is_blank(reader.rest), err, COF_E_FORMAT, subject, "has something behind its table");

	*ret_entries = TAKE(entries);
	*ret_count = count;
	return COF_OK;
}

cof_result pack_tail_encode(const struct pack_tail *tail, uint8_t out[static PACK_PAGE_BYTES],
			    struct cof_error *err)
{
	_cleanup_buffer_ struct buffer page = { 0 };

	TRY(buffer_add(&page, TAIL_MAGIC, MAGIC_BYTES, err));
	TRY(buffer_add_u8(&page, VERSION, err));
	TRY(buffer_add(&page, tail->pack, STORE_UUID_BYTES, err));
	TRY(buffer_add_be64(&page, tail->pack_bytes, err));
	TRY(buffer_add_be64(&page, tail->toc_offset, err));
	TRY(buffer_add(&page, tail->toc_digest, SHA256_BYTES, err));
	TRY(buffer_add_be32(&page, tail->stripes, err));
	for (uint32_t i = 0; i < tail->stripes; i++)
		TRY(buffer_add_be32(&page, tail->crcs[i], err));
	return page_finish(&page, out, err);
}

cof_result pack_tail_decode(struct span page, uint64_t pack_bytes, const char *subject,
			    struct pack_tail *ret_tail, struct cof_error *err)
{
	struct pack_tail tail = { 0 };
	struct reader reader;
	uint64_t covered;

	TRY(page_start(page, TAIL_MAGIC, subject, &reader, err));
	TRY(reader_copy(&reader, tail.pack, STORE_UUID_BYTES, err));
	TRY(reader_be64(&reader, &tail.pack_bytes, err));
	TRY(reader_be64(&reader, &tail.toc_offset, err));
	TRY(reader_copy(&reader, tail.toc_digest, SHA256_BYTES, err));
	TRY(reader_be32(&reader, &tail.stripes, err));
	ENSURE(tail.pack_bytes == pack_bytes, err, COF_E_FORMAT, subject,
	       "is %llu bytes long, must be %llu", (unsigned long long)pack_bytes,
	       (unsigned long long)tail.pack_bytes);
	ENSURE(pack_bytes > PACK_HEAD_BYTES + PACK_PAGE_BYTES && pack_bytes <= PACK_FULL_BYTES &&
		       tail.toc_offset > PACK_HEAD_BYTES &&
		       tail.toc_offset < pack_bytes - PACK_PAGE_BYTES,
	       err, COF_E_FORMAT, subject, "has its table at byte %llu of %llu",
	       (unsigned long long)tail.toc_offset, (unsigned long long)pack_bytes);
	covered = pack_bytes - PACK_PAGE_BYTES - PACK_HEAD_BYTES;
	ENSURE(tail.stripes == (covered + PACK_STRIPE_BYTES - 1) / PACK_STRIPE_BYTES, err,
	       COF_E_FORMAT, subject, "has %u checksums for %llu bytes", tail.stripes,
	       (unsigned long long)covered);
	for (uint32_t i = 0; i < tail.stripes; i++)
		TRY(reader_be32(&reader, &tail.crcs[i], err));
	*ret_tail = tail;
	return COF_OK;
}

uint64_t pack_padded(uint64_t data_end, uint64_t toc_bytes)
{
	uint64_t needed = whole_pages(data_end + toc_bytes) + PACK_PAGE_BYTES;
	uint64_t step = PACK_PAGE_BYTES;

	while (step * 32 <= needed)
		step *= 2;
	needed = (needed + step - 1) / step * step;
	return needed < PACK_FULL_BYTES ? needed : PACK_FULL_BYTES;
}
