/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "chunker.h"

#include <endian.h>

#include "kdf.h"

/* Cuts before the average want two bits more than after it: normalized chunking, FastCDC 2016. */
#define EARLY_MORE_BITS 1
#define LATE_LESS_BITS	1

void chunker_done(struct chunker *chunker)
{
	secret_free(chunker->gear);
	chunker->gear = NULL;
}

/* The top @bits bits of a word. */
static uint32_t top_bits(unsigned int bits)
{
	return ~(uint32_t)0 << (32 - bits);
}

/* The key's bytes are big-endian words, as all numbers in coffer's formats. */
static void words_to_host(uint32_t *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		words[i] = be32toh(words[i]);
}

cof_result chunker_init(struct chunker *chunker, struct span key, uint32_t min_bytes,
			uint32_t avg_bytes, uint32_t max_bytes, struct cof_error *err)
{
	static const char info[] = "coffer/store/gear/v1";
	unsigned int bits = (unsigned int)__builtin_ctz(avg_bytes ? avg_bytes : 1);

	ENSURE(min_bytes >= CHUNKER_WINDOW_BYTES && min_bytes < avg_bytes &&
		       avg_bytes < max_bytes && max_bytes <= 1u << 24 && avg_bytes == 1u << bits &&
		       bits > LATE_LESS_BITS,
	       err, COF_E_FORMAT, "chunk sizes", "%u, %u and %u bytes", min_bytes, avg_bytes,
	       max_bytes);
	TRY(secret_new(CHUNKER_KEY_BYTES, &chunker->gear, err));
	chunker->min_bytes = min_bytes;
	chunker->avg_bytes = avg_bytes;
	chunker->max_bytes = max_bytes;
	chunker->early_mask = top_bits(bits + EARLY_MORE_BITS);
	chunker->late_mask = top_bits(bits - LATE_LESS_BITS);
	TRY(hkdf_sha256(key, SPAN(NULL, 0), SPAN(info, sizeof(info) - 1), chunker->gear, err));
	words_to_host((uint32_t *)(void *)chunker->gear->data, CHUNKER_KEY_BYTES / 4);
	return COF_OK;
}

/* The limits of one scan. */
struct limits {
	size_t early; /* positions before this one want the early mask */
	size_t end;   /* none is looked for from here on */
};

static struct limits limits_of(const struct chunker *chunker, size_t len)
{
	size_t end = len < chunker->max_bytes ? len : chunker->max_bytes;

	return (struct limits){ .early = end < chunker->avg_bytes ? end : chunker->avg_bytes,
				.end = end };
}

/* What is the chunk where no candidate was found. */
static size_t without_candidate(const struct chunker *chunker, size_t len, bool ended)
{
	if (len >= chunker->max_bytes)
		return chunker->max_bytes;
	return ended ? len : 0;
}

size_t chunker_next(const struct chunker *chunker, struct span data, bool ended)
{
	const uint32_t *gear = (const uint32_t *)(const void *)chunker->gear->data;
	const uint32_t early = chunker->early_mask;
	const uint32_t late = chunker->late_mask;
	struct limits limits = limits_of(chunker, data.len);
	uint32_t hash = 0;
	size_t at;

	if (data.len <= chunker->min_bytes)
		return without_candidate(chunker, data.len, ended);
	for (at = chunker->min_bytes - CHUNKER_WINDOW_BYTES; at < chunker->min_bytes; at++)
		hash = (hash << 1) + gear[data.data[at]];
	/* Here @hash is that of the bytes before @at, which is where a chunk would end. */
	for (; at < limits.early; at++) {
		if (!(hash & early))
			return at;
		hash = (hash << 1) + gear[data.data[at]];
	}
	for (; at < limits.end; at++) {
		if (!(hash & late))
			return at;
		hash = (hash << 1) + gear[data.data[at]];
	}
	return without_candidate(chunker, data.len, ended);
}

/* The hash of the window that ends before @at. */
static uint32_t hash_before(const uint32_t *gear, const uint8_t *data, size_t at)
{
	uint32_t hash = 0;

	for (size_t i = at - CHUNKER_WINDOW_BYTES; i < at; i++)
		hash = (hash << 1) + gear[data[i]];
	return hash;
}

size_t chunker_next_plainly(const struct chunker *chunker, struct span data, bool ended)
{
	const uint32_t *gear = (const uint32_t *)(const void *)chunker->gear->data;
	size_t end = data.len < chunker->max_bytes ? data.len : chunker->max_bytes;

	for (size_t at = chunker->min_bytes; at < end; at++) {
		uint32_t mask = at < chunker->avg_bytes ? chunker->early_mask : chunker->late_mask;

		if (!(hash_before(gear, data.data, at) & mask))
			return at;
	}
	return without_candidate(chunker, data.len, ended);
}
