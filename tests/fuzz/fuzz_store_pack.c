/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The pages and the table of a pack, and the plaintexts that a key would have opened: the body of a
 * keystore, lists of chunks, entries of trees, and compressed records. The first byte says which.
 */

#include "compress.h"
#include "entry_code.h"
#include "fuzz.h"
#include "keystore_code.h"
#include "recipe.h"

#define PLAIN_BYTES 70000

/* A page with the right checksum at its end. */
static void fill_page(uint8_t *page, struct span input)
{
	size_t len = input.len < PACK_PAGE_BYTES - SHA256_BYTES ? input.len
								: PACK_PAGE_BYTES - SHA256_BYTES;

	memset(page, 0, PACK_PAGE_BYTES);
	if (len)
		memcpy(page, input.data, len);
	FUZZ_CHECK(!cof_failed(sha256(SPAN(page, PACK_PAGE_BYTES - SHA256_BYTES),
				      page + PACK_PAGE_BYTES - SHA256_BYTES, NULL)));
}

static void try_pages(struct span input)
{
	uint8_t bytes[PACK_HEAD_BYTES] = { 0 };
	uint8_t again[PACK_PAGE_BYTES];
	struct pack_head head;
	struct pack_tail tail;

	fill_page(bytes, input);
	if (!cof_failed(pack_head_decode(SPAN(bytes, sizeof(bytes)), "fuzz", &head, NULL, NULL)))
		FUZZ_CHECK(!cof_failed(pack_head_encode(&head, again, NULL)));
	for (uint64_t len = 16384; len <= PACK_FULL_BYTES; len *= 2) {
		if (cof_failed(pack_tail_decode(SPAN(bytes, PACK_PAGE_BYTES), len, "fuzz", &tail,
						NULL)))
			continue;
		FUZZ_CHECK(tail.stripes <= PACK_STRIPES_MAX && tail.toc_offset < len);
	}
}

static void try_toc(struct span input, bool encrypted)
{
	_cleanup_free_ struct pack_entry *entries = NULL;
	_cleanup_buffer_ struct buffer again = { 0 };
	uint32_t count = 0;

	for (uint64_t len = 1; len < 1u << 20; len = len * 3 + 1) {
		if (cof_failed(
			    pack_toc_decode(input, encrypted, len, "fuzz", &entries, &count, NULL)))
			continue;
		FUZZ_CHECK(!cof_failed(pack_toc_encode(entries, count, encrypted, &again, NULL)));
		FUZZ_CHECK(again.len == input.len &&
			   memcmp(again.data, input.data, input.len) == 0);
		return;
	}
}

static void try_plaintexts(struct span input)
{
	static struct recipe_ref refs[RECIPE_LIST_MAX];
	struct keystore_body *body = calloc(1, sizeof(*body));
	struct reader reader = reader_of(input, "fuzz");
	struct recipe_root root;
	size_t count = 0;

	FUZZ_CHECK(body);
	if (!cof_failed(keystore_body_decode(input, "fuzz", body, NULL)))
		FUZZ_CHECK(keystore_body_bytes(body) == input.len);
	keystore_body_done(body);
	free(body);
	if (!cof_failed(recipe_list_decode(input, "fuzz", refs, &count, NULL)))
		FUZZ_CHECK(count <= RECIPE_LIST_MAX);
	if (!cof_failed(recipe_root_decode(&reader, &root, NULL)))
		FUZZ_CHECK(root.count <= RECIPE_ROOT_MAX);
}

static void try_entry(struct span input)
{
	struct entry entry = { 0 };
	_cleanup_buffer_ struct buffer again = { 0 };

	if (!cof_failed(entry_decode(input, &entry, NULL))) {
		FUZZ_CHECK(!strchr(entry.name, '/'));
		FUZZ_CHECK(!cof_failed(entry_encode(&entry, &again, NULL)));
		FUZZ_CHECK(again.len == input.len + ENTRY_LENGTH_BYTES &&
			   memcmp(again.data + ENTRY_LENGTH_BYTES, input.data, input.len) == 0);
	}
	entry_done(&entry);
}

static void try_frame(struct span input)
{
	static struct compressor *compressor;
	static uint8_t out[PLAIN_BYTES];

	if (!compressor)
		FUZZ_CHECK(!cof_failed(compressor_new(&compressor, NULL)));
	cof_ignore(compressor_unpack(compressor, input, out, sizeof(out), "fuzz", NULL));
}

void fuzz_one(struct span input)
{
	struct span rest;

	if (!input.len)
		return;
	rest = SPAN(input.data + 1, input.len - 1);
	switch (input.data[0] % 6) {
	case 0:
		try_pages(rest);
		break;
	case 1:
		try_toc(rest, true);
		break;
	case 2:
		try_toc(rest, false);
		break;
	case 3:
		try_plaintexts(rest);
		break;
	case 4:
		try_entry(rest);
		break;
	default:
		try_frame(rest);
		break;
	}
}
