/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pack_read.h"

#include <string.h>

#include "crc32c.h"
#include "number.h"
#include "pack_write.h"

#define RUN_BYTES   ((size_t)1 << 20) /* read at once */
#define LEAST_BYTES (PACK_HEAD_BYTES + 2 * PACK_PAGE_BYTES)

void pack_close(struct pack *pack)
{
	if (!pack)
		return;
	data_key_free(pack->key);
	free(pack->entries);
	free(pack->offsets);
	free(pack);
}

size_t pack_stored_bytes(const struct pack *pack, uint32_t ordinal)
{
	return pack->entries[ordinal].stored_bytes + (pack->head.encrypted ? AEAD_TAG_BYTES : 0);
}

cof_result pack_read_head(struct backend *backend, const char *name, struct pack_head *ret_head,
			  struct cof_error *err)
{
	uint8_t bytes[PACK_HEAD_BYTES];

	TRY(backend->ops->get(backend, name, 0, bytes, sizeof(bytes), err));
	return pack_head_decode(SPAN(bytes, sizeof(bytes)), name, ret_head, NULL, err);
}

/* Reads both ends of a pack, which must be that of its name and of this group. */
static cof_result read_ends(struct backend *backend, const char *name, const uint8_t *group,
			    struct pack_head *ret_head, struct pack_tail *ret_tail,
			    bool *ret_page_damaged, struct cof_error *err)
{
	uint8_t head[PACK_HEAD_BYTES];
	uint8_t tail[PACK_PAGE_BYTES];
	char hex[2 * STORE_UUID_BYTES + 1];
	uint64_t size_bytes = 0;
	bool found = false;

	TRY(backend->ops->size(backend, name, &size_bytes, &found, err));
	ENSURE(found, err, COF_E_NOENT, name, "is missing in %s", backend->place);
	ENSURE(size_bytes >= LEAST_BYTES, err, COF_E_FORMAT, name, "is only %llu bytes long",
	       (unsigned long long)size_bytes);
	TRY(backend->ops->get(backend, name, 0, head, sizeof(head), err));
	TRY(pack_head_decode(SPAN(head, sizeof(head)), name, ret_head, ret_page_damaged, err));
	TRY(backend->ops->get(backend, name, size_bytes - PACK_PAGE_BYTES, tail, sizeof(tail),
			      err));
	TRY(pack_tail_decode(SPAN(tail, sizeof(tail)), size_bytes, name, ret_tail, err));
	(void)hex_format(ret_head->pack, STORE_UUID_BYTES, hex);
	ENSURE(strcmp(hex, name + strlen("packs/")) == 0 &&
		       memcmp(ret_head->pack, ret_tail->pack, STORE_UUID_BYTES) == 0 &&
		       memcmp(ret_head->group, group, STORE_UUID_BYTES) == 0,
	       err, COF_E_AUTH, name, "has the content of another pack");
	return COF_OK;
}

/* Unwraps the key of an encrypted pack. */
static cof_result unwrap_key(const struct pack_source *source, struct pack *pack,
			     struct cof_error *err)
{
	const struct pack_head *head = &pack->head;
	_cleanup_(content_key_freep) struct content_key *content = NULL;
	_cleanup_(wrap_key_freep) struct wrap_key *wrap = NULL;
	_cleanup_secret_ struct secret *key = NULL;
	uint8_t context[PACK_WRAP_CONTEXT_BYTES];

	TRY(keyring_find_key(source->keyring, head->key_id, head->key_generation, pack->name,
			     &content, err));
	TRY(pack_wrap_key(content, head->pack, &wrap, err));
	pack_wrap_context(head, context);
	TRY(aead_open(wrap, head->nonce, SPAN(context, sizeof(context)),
		      SPAN(head->wrapped, PACK_WRAPPED_BYTES), pack->name, &key, err));
	return data_key_copy(secret_span(key), &pack->key, err);
}

/* Reads the table as it is stored, which its digest vouches for. */
static cof_result read_toc(struct backend *backend, const char *name, const struct pack_tail *tail,
			   struct buffer *toc, struct cof_error *err)
{
	size_t len = tail->pack_bytes - PACK_PAGE_BYTES - tail->toc_offset;
	uint8_t digest[SHA256_BYTES];

	TRY(buffer_reserve(toc, len, err));
	TRY(backend->ops->get(backend, name, tail->toc_offset, toc->data, len, err));
	toc->len = len;
	TRY(sha256(buffer_span(toc), digest, err));
	ENSURE(memcmp(digest, tail->toc_digest, SHA256_BYTES) == 0, err, COF_E_FORMAT, name,
	       "its table of contents does not match its checksum");
	return COF_OK;
}

/* Opens the table. */
static cof_result load_toc(const struct pack_source *source, struct pack *pack,
			   struct cof_error *err)
{
	_cleanup_buffer_ struct buffer toc = { 0 };
	_cleanup_(gcm_freep) struct gcm *gcm = NULL;
	uint8_t context[PACK_TOC_CONTEXT_BYTES];
	uint8_t nonce[AEAD_NONCE_BYTES];

	TRY(read_toc(source->backend, pack->name, &pack->tail, &toc, err));
	if (pack->key) {
		ENSURE(toc.len > AEAD_TAG_BYTES, err, COF_E_FORMAT, pack->name, "has no table");
		pack_toc_context(&pack->head, (uint32_t)(toc.len - AEAD_TAG_BYTES), context);
		pack_nonce(PACK_TOC_ORDINAL, nonce);
		TRY(gcm_new(pack->key, false, &gcm, err));
		TRY(gcm_open(gcm, nonce, SPAN(context, sizeof(context)), buffer_span(&toc),
			     toc.data, pack->name, err));
		toc.len -= AEAD_TAG_BYTES;
	}
	return pack_toc_decode(buffer_span(&toc), pack->head.encrypted,
			       pack->tail.toc_offset - PACK_HEAD_BYTES, pack->name, &pack->entries,
			       &pack->count, err);
}

cof_result pack_open(const struct pack_source *source, const uint8_t id[static STORE_UUID_BYTES],
		     struct pack **ret_pack, struct cof_error *err)
{
	_cleanup_(pack_closep) struct pack *pack = calloc(1, sizeof(*pack));
	uint32_t offset = PACK_HEAD_BYTES;

	ENSURE(pack, err, COF_E_NOMEM, NULL, "no memory for a pack's table");
	(void)pack_name(id, pack->name);
	TRY(read_ends(source->backend, pack->name, source->group, &pack->head, &pack->tail, NULL,
		      err));
	if (pack->head.encrypted)
		TRY(unwrap_key(source, pack, err));
	TRY(load_toc(source, pack, err));
	pack->offsets = calloc(pack->count, sizeof(*pack->offsets));
	ENSURE(pack->offsets, err, COF_E_NOMEM, NULL, "no memory for a pack's table");
	for (uint32_t i = 0; i < pack->count; i++) {
		pack->offsets[i] = offset;
		offset += (uint32_t)pack_stored_bytes(pack, i);
	}
	*ret_pack = TAKE(pack);
	return COF_OK;
}

void pack_tools_done(struct pack_tools *tools)
{
	gcm_freep(&tools->gcm);
	mac_freep(&tools->mac);
	compressor_freep(&tools->compressor);
	buffer_done(&tools->plain);
}

cof_result pack_tools_init(struct pack_tools *tools, const struct wrap_key *id_key,
			   struct cof_error *err)
{
	TRY(mac_new(id_key, &tools->mac, err));
	return compressor_new(&tools->compressor, err);
}

cof_result pack_tools_take(struct pack_tools *tools, const struct pack *pack, struct cof_error *err)
{
	gcm_freep(&tools->gcm);
	if (pack->key)
		TRY(gcm_new(pack->key, false, &tools->gcm, err));
	return COF_OK;
}

/* Decrypts a record, into the tools' buffer if it is to be decompressed afterwards. */
static cof_result decrypt(struct pack_tools *tools, const struct pack *pack, uint32_t ordinal,
			  struct span stored, uint8_t *out, struct cof_error *err)
{
	const struct pack_entry *entry = &pack->entries[ordinal];
	uint8_t context[PACK_RECORD_CONTEXT_BYTES];
	uint8_t nonce[AEAD_NONCE_BYTES];

	pack_record_context(pack->head.pack, ordinal, entry, context);
	pack_nonce(ordinal, nonce);
	return gcm_open(tools->gcm, nonce, SPAN(context, sizeof(context)), stored, out, pack->name,
			err);
}

cof_result pack_open_record(struct pack_tools *tools, const struct pack *pack, uint32_t ordinal,
			    struct span stored, bool prove, uint8_t *out, struct cof_error *err)
{
	const struct pack_entry *entry = &pack->entries[ordinal];
	bool compressed = entry->flags & CHUNK_COMPRESSED;
	struct span packed = SPAN(stored.data, entry->stored_bytes);
	uint8_t id[STORE_ID_BYTES];

	tools->plain.len = 0;
	if (tools->gcm) {
		if (compressed)
			TRY(buffer_reserve(&tools->plain, entry->stored_bytes, err));
		packed.data = compressed ? tools->plain.data : out;
		TRY(decrypt(tools, pack, ordinal, stored, compressed ? tools->plain.data : out,
			    err));
	}
	if (compressed)
		TRY(compressor_unpack(tools->compressor, packed, out, entry->plain_bytes,
				      pack->name, err));
	else if (!tools->gcm)
		memcpy(out, packed.data, packed.len);
	if (entry->type == CHUNK_PADDING || (tools->gcm && !prove))
		return COF_OK;
	TRY(mac_run(tools->mac, SPAN(out, entry->plain_bytes), id, err));
	ENSURE(memcmp(id, entry->id, STORE_ID_BYTES) == 0, err, COF_E_FORMAT, pack->name,
	       "record %u has another content than its id says", ordinal);
	return COF_OK;
}

/* Compares all stripes with their checksums. */
static cof_result check_stripes(struct backend *backend, const char *name,
				const struct pack_tail *tail, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer stripe = { 0 };
	uint64_t end = tail->pack_bytes - PACK_PAGE_BYTES;

	TRY(buffer_reserve(&stripe, PACK_STRIPE_BYTES, err));
	for (uint32_t i = 0; i < tail->stripes; i++) {
		uint64_t offset = PACK_HEAD_BYTES + (uint64_t)i * PACK_STRIPE_BYTES;
		size_t len = end - offset < PACK_STRIPE_BYTES ? end - offset : PACK_STRIPE_BYTES;

		TRY(backend->ops->get(backend, name, offset, stripe.data, len, err));
		ENSURE(crc32c(0, SPAN(stripe.data, len)) == tail->crcs[i], err, COF_E_FORMAT, name,
		       "bytes %llu to %llu do not match their checksum", (unsigned long long)offset,
		       (unsigned long long)(offset + len));
	}
	return COF_OK;
}

cof_result pack_check(struct backend *backend, const char *name,
		      const uint8_t group[static STORE_UUID_BYTES], struct cof_error *err)
{
	_cleanup_buffer_ struct buffer toc = { 0 };
	struct pack_head head;
	struct pack_tail tail;
	bool page_damaged = false;

	TRY(read_ends(backend, name, group, &head, &tail, &page_damaged, err));
	ENSURE(!page_damaged, err, COF_E_FORMAT, name, "one of its two head pages is damaged");
	TRY(check_stripes(backend, name, &tail, err));
	return read_toc(backend, name, &tail, &toc, err);
}

cof_result pack_check_pages(struct backend *backend, const char *name,
			    const uint8_t group[static STORE_UUID_BYTES], struct cof_error *err)
{
	struct pack_head head;
	struct pack_tail tail;
	bool page_damaged = false;

	TRY(read_ends(backend, name, group, &head, &tail, &page_damaged, err));
	ENSURE(!page_damaged, err, COF_E_FORMAT, name, "one of its two head pages is damaged");
	return COF_OK;
}

/* Reads as many records from @first on as fit; returns how many. */
static cof_result read_run(const struct pack_source *source, const struct pack *pack,
			   uint32_t first, struct buffer *stored, uint32_t *ret_count,
			   struct cof_error *err)
{
	size_t len = pack_stored_bytes(pack, first);
	uint32_t count = 1;

	while (first + count < pack->count &&
	       len + pack_stored_bytes(pack, first + count) <= RUN_BYTES)
		len += pack_stored_bytes(pack, first + count++);
	stored->len = 0;
	TRY(buffer_reserve(stored, len, err));
	TRY(source->backend->ops->get(source->backend, pack->name, pack->offsets[first],
				      stored->data, len, err));
	*ret_count = count;
	return COF_OK;
}

cof_result pack_prove(const struct pack_source *source, const struct pack *pack,
		      struct pack_tools *tools, struct buffer *bad, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer stored = { 0 };
	_cleanup_buffer_ struct buffer plain = { 0 };
	cof_result first_failure = COF_OK;
	uint32_t count = 0;

	TRY(pack_tools_take(tools, pack, err));
	for (uint32_t at = 0; at < pack->count; at += count) {
		const uint8_t *from;

		TRY(read_run(source, pack, at, &stored, &count, err));
		from = stored.data;
		for (uint32_t i = at; i < at + count; i++) {
			size_t len = pack_stored_bytes(pack, i);
			cof_result opened;

			plain.len = 0;
			TRY(buffer_reserve(&plain, pack->entries[i].plain_bytes, err));
			opened = pack_open_record(tools, pack, i, SPAN(from, len), true, plain.data,
						  cof_failed(first_failure) ? NULL : err);
			from += len;
			if (!cof_failed(opened))
				continue;
			TRY(buffer_add(bad, pack->entries[i].id, STORE_ID_BYTES, err));
			if (!cof_failed(first_failure))
				first_failure = opened;
		}
	}
	return first_failure;
}
