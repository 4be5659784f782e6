/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "index_run.h"

#include <endian.h>
#include <string.h>

#define MAGIC	       "CofStIdx"
#define MAGIC_BYTES    8
#define VERSION	       1
#define HEAD_BYTES     64
#define ENTRY_BYTES    (STORE_ID_BYTES + 4 + 4)
#define BLOCK_BYTES    64 /* a line of the processor's cache */
#define BLOCK_BITS     (8 * BLOCK_BYTES)
#define KEYS_PER_BLOCK 42 /* 12 bits for each chunk: 1 in 200 misses is looked up for nothing */
#define PROBES	       6

/* A big-endian word inside of an id, which is as good as random. */
static uint64_t word_at(const uint8_t *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return be64toh(word);
}

static uint32_t short_at(const uint8_t *bytes)
{
	uint32_t word;

	memcpy(&word, bytes, sizeof(word));
	return be32toh(word);
}

/* The block of the filter that an id belongs to: other bits of it than those that sort it. */
static uint32_t block_of(const uint8_t *id, uint32_t blocks)
{
	return (uint32_t)(((word_at(id + 8) >> 32) * blocks) >> 32);
}

/* The number of the @probe-th bit of an id in its block. */
static unsigned int bit_of(const uint8_t *id, unsigned int probe)
{
	return (unsigned int)(word_at(id + 16) >> (9 * probe)) % BLOCK_BITS;
}

static bool bloom_has(const struct index_run *run, const uint8_t *id)
{
	const uint8_t *block = run->bloom + (size_t)block_of(id, run->bloom_blocks) * BLOCK_BYTES;

	for (unsigned int i = 0; i < PROBES; i++) {
		unsigned int bit = bit_of(id, i);

		if (!(block[bit / 8] & 1u << bit % 8))
			return false;
	}
	return true;
}

static int compare_entries(const void *a, const void *b)
{
	return memcmp(((const struct index_entry *)a)->id, ((const struct index_entry *)b)->id,
		      STORE_ID_BYTES);
}

/* Bytes up to the filter, which begins at a whole block. */
static uint64_t bloom_offset(uint32_t pack_count)
{
	uint64_t end = HEAD_BYTES + (uint64_t)pack_count * STORE_UUID_BYTES;

	return (end + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
}

static cof_result encode_head(const uint8_t *group, uint32_t pack_count, uint32_t blocks,
			      uint64_t entry_count, struct buffer *out, struct cof_error *err)
{
	TRY(buffer_add(out, MAGIC, MAGIC_BYTES, err));
	TRY(buffer_add_u8(out, VERSION, err));
	TRY(buffer_add(out, group, STORE_UUID_BYTES, err));
	TRY(buffer_add_be32(out, pack_count, err));
	TRY(buffer_add_be32(out, blocks, err));
	TRY(buffer_add_be64(out, entry_count, err));
	memset(out->data + out->len, 0, HEAD_BYTES - out->len);
	out->len = HEAD_BYTES;
	return COF_OK;
}

/* Adds all ids to a filter of zeros. */
static void fill_bloom(uint8_t *bloom, uint32_t blocks, const struct index_entry *entries,
		       size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint8_t *block = bloom + (size_t)block_of(entries[i].id, blocks) * BLOCK_BYTES;

		for (unsigned int probe = 0; probe < PROBES; probe++) {
			unsigned int bit = bit_of(entries[i].id, probe);

			block[bit / 8] |= (uint8_t)(1u << bit % 8);
		}
	}
}

cof_result index_run_encode(const uint8_t group[static STORE_UUID_BYTES], const uint8_t *packs,
			    uint32_t pack_count, struct index_entry *entries, size_t entry_count,
			    struct buffer *out, struct cof_error *err)
{
	uint32_t blocks = (uint32_t)((entry_count + KEYS_PER_BLOCK - 1) / KEYS_PER_BLOCK);
	uint64_t bloom_at = bloom_offset(pack_count);

	qsort(entries, entry_count, sizeof(*entries), compare_entries);
	TRY(buffer_reserve(out,
			   bloom_at + (size_t)blocks * BLOCK_BYTES + entry_count * ENTRY_BYTES +
				   SHA256_BYTES,
			   err));
	TRY(encode_head(group, pack_count, blocks, entry_count, out, err));
	TRY(buffer_add(out, packs, (size_t)pack_count * STORE_UUID_BYTES, err));
	memset(out->data + out->len, 0, bloom_at + (size_t)blocks * BLOCK_BYTES - out->len);
	fill_bloom(out->data + bloom_at, blocks, entries, entry_count);
	out->len = bloom_at + (size_t)blocks * BLOCK_BYTES;
	for (size_t i = 0; i < entry_count; i++) {
		TRY(buffer_add(out, entries[i].id, STORE_ID_BYTES, err));
		TRY(buffer_add_be32(out, entries[i].pack, err));
		TRY(buffer_add_be32(out, entries[i].ordinal, err));
	}
	return sha256_append(out, err);
}

cof_result index_run_decode(struct span bytes, const uint8_t group[static STORE_UUID_BYTES],
			    const char *subject, struct index_run *ret_run, struct cof_error *err)
{
	struct reader reader = reader_of(bytes, subject);
	struct index_run run = { 0 };
	struct span mark = { 0 };
	struct span owner = { 0 };
	uint8_t version = 0;
	uint64_t bloom_at;

	TRY(reader_take(&reader, MAGIC_BYTES, &mark, err));
	ENSURE(memcmp(mark.data, MAGIC, MAGIC_BYTES) == 0, err, COF_E_FORMAT, subject,
	       "is no run of an index");
	TRY(reader_u8(&reader, &version, err));
	ENSURE(version == VERSION, err, COF_E_FORMAT, subject, "has version %u, known is %d",
	       version, VERSION);
	TRY(reader_take(&reader, STORE_UUID_BYTES, &owner, err));
	ENSURE(memcmp(owner.data, group, STORE_UUID_BYTES) == 0, err, COF_E_FORMAT, subject,
	       "belongs to another group");
	TRY(reader_be32(&reader, &run.pack_count, err));
	TRY(reader_be32(&reader, &run.bloom_blocks, err));
	TRY(reader_be64(&reader, &run.entry_count, err));
	bloom_at = bloom_offset(run.pack_count);
	ENSURE(run.entry_count >= 1 && run.entry_count <= bytes.len / ENTRY_BYTES &&
		       run.bloom_blocks ==
			       (run.entry_count + KEYS_PER_BLOCK - 1) / KEYS_PER_BLOCK &&
		       bytes.len == bloom_at + (uint64_t)run.bloom_blocks * BLOCK_BYTES +
					    run.entry_count * ENTRY_BYTES + SHA256_BYTES,
	       err, COF_E_FORMAT, subject, "has %zu bytes for %llu chunks in %u packs", bytes.len,
	       (unsigned long long)run.entry_count, run.pack_count);
	run.packs = bytes.data + HEAD_BYTES;
	run.bloom = bytes.data + bloom_at;
	run.entries = run.bloom + (size_t)run.bloom_blocks * BLOCK_BYTES;
	*ret_run = run;
	return COF_OK;
}

cof_result index_run_check(struct span bytes, const char *subject, struct cof_error *err)
{
	uint8_t digest[SHA256_BYTES];

	ENSURE(bytes.len > SHA256_BYTES, err, COF_E_FORMAT, subject, "has only %zu bytes",
	       bytes.len);
	TRY(sha256(SPAN(bytes.data, bytes.len - SHA256_BYTES), digest, err));
	ENSURE(memcmp(digest, bytes.data + bytes.len - SHA256_BYTES, SHA256_BYTES) == 0, err,
	       COF_E_FORMAT, subject, "does not match its checksum");
	return COF_OK;
}

bool index_run_find(const struct index_run *run, const uint8_t id[static STORE_ID_BYTES],
		    struct index_entry *ret_entry)
{
	uint64_t low = 0;
	uint64_t high = run->entry_count;
	uint64_t wanted = word_at(id);
	/* Ids are spread evenly, so the first place to look is near the right one. */
	uint64_t at = (uint64_t)((__uint128_t)wanted * run->entry_count >> 64);

	if (!bloom_has(run, id))
		return false;
	for (; low < high; at = low + (high - low) / 2) {
		const uint8_t *entry = run->entries + at * ENTRY_BYTES;
		int order = memcmp(id, entry, STORE_ID_BYTES);

		if (order == 0) {
			memcpy(ret_entry->id, id, STORE_ID_BYTES);
			ret_entry->pack = short_at(entry + STORE_ID_BYTES);
			ret_entry->ordinal = short_at(entry + STORE_ID_BYTES + 4);
			return ret_entry->pack < run->pack_count;
		}
		if (order < 0)
			high = at;
		else
			low = at + 1;
	}
	return false;
}
