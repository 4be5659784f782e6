/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "index.h"
#include "record.h"

#define PAGE_FIRST_ENTRIES 8
#define ENTRY_BYTES	   (2 * INDEX_DIGEST_BYTES)

static int compare_digests(const struct index_digest *a, const struct index_digest *b)
{
	return memcmp(a->bytes, b->bytes, INDEX_DIGEST_BYTES);
}

/* HMAC-SHA-256 of @message under the index key, cut to its first half. */
static cof_result digest_of(const struct wrap_key *index_key, const struct buffer *message,
			    struct index_digest *ret_digest, struct cof_error *err)
{
	uint8_t full[SHA256_BYTES];

	TRY(hmac_sha256(index_key, buffer_span(message), full, err));
	memcpy(ret_digest->bytes, full, INDEX_DIGEST_BYTES);
	return COF_OK;
}

cof_result index_key_digest(const struct wrap_key *index_key, const char *key,
			    struct index_digest *ret_digest, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer message = { 0 };

	TRY(buffer_add_text(&message, err, "key/%s", key));
	TRY(digest_of(index_key, &message, ret_digest, err));
	return COF_OK;
}

cof_result index_value_digest(const struct wrap_key *index_key, const char *key, struct span value,
			      struct index_digest *ret_digest, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer message = { 0 };
	uint8_t hash[SHA256_BYTES];

	TRY(sha256(value, hash, err));
	TRY(buffer_add_text(&message, err, "value/%s", key));
	TRY(buffer_add_u8(&message, 0, err));
	TRY(buffer_add(&message, hash, sizeof(hash), err));
	TRY(digest_of(index_key, &message, ret_digest, err));
	return COF_OK;
}

bool index_digest_is_zero(const struct index_digest *digest)
{
	static const struct index_digest zero;

	return compare_digests(digest, &zero) == 0;
}

char *index_page_name(unsigned int page, char out[static 3])
{
	(void)snprintf(out, 3, "%02x", page & 0xff);
	return out;
}

void index_page_done(struct index_page *page)
{
	free(page->entries);
	*page = (struct index_page){ 0 };
}

/* The place of a key's entry, or where it would be. */
static size_t place_of(const struct index_page *page, const struct index_digest *key)
{
	size_t low = 0;
	size_t high = page->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_digests(&page->entries[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Whether the entry at @place is that of @key. */
static bool is_at(const struct index_page *page, size_t place, const struct index_digest *key)
{
	return place < page->count && compare_digests(&page->entries[place].key, key) == 0;
}

const struct index_entry *index_page_find(const struct index_page *page,
					  const struct index_digest *key)
{
	size_t place = place_of(page, key);

	return is_at(page, place, key) ? &page->entries[place] : NULL;
}

/* Makes room for one more entry. */
static cof_result page_reserve(struct index_page *page, struct cof_error *err)
{
	size_t room = page->room ? 2 * page->room : PAGE_FIRST_ENTRIES;
	struct index_entry *grown;

	if (page->count < page->room)
		return COF_OK;
	grown = reallocarray(page->entries, room, sizeof(*grown));
	ENSURE(grown, err, COF_E_NOMEM, NULL, "no memory for %zu index entries", room);
	page->entries = grown;
	page->room = room;
	return COF_OK;
}

cof_result index_page_put(struct index_page *page, const struct index_entry *entry,
			  bool *ret_is_new, struct cof_error *err)
{
	size_t place = place_of(page, &entry->key);
	bool is_new = !is_at(page, place, &entry->key);

	if (is_new) {
		TRY(page_reserve(page, err));
		memmove(&page->entries[place + 1], &page->entries[place],
			(page->count - place) * sizeof(page->entries[0]));
		page->count++;
	}
	page->entries[place] = *entry;
	*ret_is_new = is_new;
	return COF_OK;
}

bool index_page_remove(struct index_page *page, const struct index_digest *key)
{
	size_t place = place_of(page, key);

	if (!is_at(page, place, key))
		return false;
	page->count--;
	memmove(&page->entries[place], &page->entries[place + 1],
		(page->count - place) * sizeof(page->entries[0]));
	return true;
}

cof_result index_page_encode(const struct index_page *page, struct buffer *out,
			     struct cof_error *err)
{
	TRY(buffer_add_be32(out, (uint32_t)page->count, err));
	for (size_t i = 0; i < page->count; i++) {
		TRY(buffer_add(out, page->entries[i].key.bytes, INDEX_DIGEST_BYTES, err));
		TRY(buffer_add(out, page->entries[i].value.bytes, INDEX_DIGEST_BYTES, err));
	}
	return COF_OK;
}

/* Reads the entries of a page, whose number and length agree. */
static cof_result decode_entries(struct reader *reader, uint32_t count, struct index_page *page,
				 struct cof_error *err)
{
	for (uint32_t i = 0; i < count; i++) {
		struct index_entry entry;
		struct span bytes;

		TRY(reader_take(reader, ENTRY_BYTES, &bytes, err));
		memcpy(entry.key.bytes, bytes.data, INDEX_DIGEST_BYTES);
		memcpy(entry.value.bytes, bytes.data + INDEX_DIGEST_BYTES, INDEX_DIGEST_BYTES);
		ENSURE(i == 0 || compare_digests(&page->entries[i - 1].key, &entry.key) < 0, err,
		       COF_E_FORMAT, reader->subject, "entry %u is out of order", i);
		TRY(page_reserve(page, err));
		page->entries[page->count++] = entry;
	}
	return COF_OK;
}

cof_result index_page_decode(struct span bytes, const char *subject, struct index_page *ret_page,
			     struct cof_error *err)
{
	_cleanup_(index_page_done) struct index_page page = { 0 };
	struct reader reader = reader_of(bytes, subject);
	uint32_t count;

	TRY(reader_be32(&reader, &count, err));
	ENSURE(reader.rest.len == (uint64_t)count * ENTRY_BYTES, err, COF_E_FORMAT, subject,
	       "has %zu bytes of entries, %u entries need %llu", reader.rest.len, count,
	       (unsigned long long)count * ENTRY_BYTES);
	TRY(decode_entries(&reader, count, &page, err));

	*ret_page = page;
	page = (struct index_page){ 0 };
	return COF_OK;
}

uint64_t manifest_records(const struct manifest *manifest, const char *kind)
{
	uint64_t records = 0;

	for (size_t i = 0; i < manifest->kind_count; i++) {
		if (!kind || strcmp(manifest->kinds[i].kind, kind) == 0)
			records += manifest->kinds[i].records;
	}
	return records;
}

cof_result manifest_count(struct manifest *manifest, const char *kind, bool more,
			  struct cof_error *err)
{
	struct manifest_kind *last = &manifest->kinds[manifest->kind_count];

	for (size_t i = 0; i < manifest->kind_count; i++) {
		struct manifest_kind *entry = &manifest->kinds[i];

		if (strcmp(entry->kind, kind) != 0)
			continue;
		entry->records += more ? 1 : -1ULL;
		if (entry->records == 0) {
			*entry = *(last - 1);
			manifest->kind_count--;
		}
		return COF_OK;
	}
	ENSURE(more, err, COF_E_AUTH, kind, "the manifest has no record of this kind to remove");
	ENSURE(manifest->kind_count < INDEX_KINDS_MAX, err, COF_E_USAGE, kind,
	       "the vault has %d kinds of records, and cannot have more", INDEX_KINDS_MAX);
	(void)snprintf(last->kind, sizeof(last->kind), "%s", kind);
	last->records = 1;
	manifest->kind_count++;
	return COF_OK;
}

cof_result manifest_encode(const struct manifest *manifest, struct buffer *out,
			   struct cof_error *err)
{
	TRY(buffer_add_be64(out, manifest->rows, err));
	for (size_t i = 0; i < INDEX_PAGES; i++)
		TRY(buffer_add(out, manifest->pages[i].bytes, INDEX_DIGEST_BYTES, err));
	TRY(buffer_add_u8(out, (uint8_t)manifest->kind_count, err));
	for (size_t i = 0; i < manifest->kind_count; i++) {
		const struct manifest_kind *entry = &manifest->kinds[i];

		TRY(buffer_add_u8(out, (uint8_t)strlen(entry->kind), err));
		TRY(buffer_add(out, entry->kind, strlen(entry->kind), err));
		TRY(buffer_add_be64(out, entry->records, err));
	}
	return COF_OK;
}

/* Reads the count of one kind. */
static cof_result decode_kind(struct reader *reader, struct manifest_kind *ret_kind,
			      struct cof_error *err)
{
	struct span name;
	uint8_t len;

	TRY(reader_u8(reader, &len, err));
	ENSURE(len >= 1 && len <= RECORD_KIND_MAX_BYTES, err, COF_E_FORMAT, reader->subject,
	       "a kind has %u bytes, must have 1 to %d", len, RECORD_KIND_MAX_BYTES);
	TRY(reader_take(reader, len, &name, err));
	memset(ret_kind->kind, 0, sizeof(ret_kind->kind));
	memcpy(ret_kind->kind, name.data, name.len);
	TRY(reader_be64(reader, &ret_kind->records, err));
	ENSURE(ret_kind->records > 0, err, COF_E_FORMAT, reader->subject,
	       "names a kind that has no record");
	return COF_OK;
}

cof_result manifest_decode(struct span bytes, const char *subject, struct manifest *ret_manifest,
			   struct cof_error *err)
{
	struct reader reader = reader_of(bytes, subject);
	struct manifest manifest = { 0 };
	struct span digest;
	uint8_t kind_count;

	TRY(reader_be64(&reader, &manifest.rows, err));
	for (size_t i = 0; i < INDEX_PAGES; i++) {
		TRY(reader_take(&reader, INDEX_DIGEST_BYTES, &digest, err));
		memcpy(manifest.pages[i].bytes, digest.data, INDEX_DIGEST_BYTES);
	}
	TRY(reader_u8(&reader, &kind_count, err));
	ENSURE(kind_count <= INDEX_KINDS_MAX, err, COF_E_FORMAT, subject,
	       "names %u kinds, may name %d", kind_count, INDEX_KINDS_MAX);
	for (; manifest.kind_count < kind_count; manifest.kind_count++)
		TRY(decode_kind(&reader, &manifest.kinds[manifest.kind_count], err));
	ENSURE(reader.rest.len == 0, err, COF_E_FORMAT, subject, "has %zu bytes too many",
	       reader.rest.len);

	*ret_manifest = manifest;
	return COF_OK;
}
