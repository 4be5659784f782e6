/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The small files of a storage group: its own, the keystore, versions, runs of the index. A
 * checksum at the end would keep a fuzzer out, so it is put right before.
 */

#include "fuzz.h"
#include "group_code.h"
#include "index_run.h"
#include "keystore_code.h"
#include "version_code.h"

/* The input with the right SHA-256 at its end; the caller frees. */
static uint8_t *with_checksum(struct span input)
{
	uint8_t *copy = malloc(input.len);

	FUZZ_CHECK(copy);
	memcpy(copy, input.data, input.len);
	FUZZ_CHECK(!cof_failed(sha256(SPAN(copy, input.len - SHA256_BYTES),
				      copy + input.len - SHA256_BYTES, NULL)));
	return copy;
}

static void try_keystore(struct span bytes)
{
	_cleanup_buffer_ struct buffer again = { 0 };
	struct keystore_file file;

	if (cof_failed(keystore_decode(bytes, "fuzz", &file, NULL)))
		return;
	FUZZ_CHECK(file.slot_count <= KEYSTORE_SLOTS_MAX);
	FUZZ_CHECK(!cof_failed(keystore_encode_head(&file, (uint32_t)file.body.len, &again, NULL)));
	FUZZ_CHECK(again.len == file.head.len &&
		   memcmp(again.data, file.head.data, again.len) == 0);
}

static void try_version(struct span bytes)
{
	struct version_head head;
	struct version version;
	struct span body;

	if (cof_failed(version_record_decode(bytes, "fuzz", &head, &body, NULL)) ||
	    cof_failed(version_decode(body, "fuzz", &version, NULL)))
		return;
	FUZZ_CHECK(!cof_failed(version_check_name(version.name, NULL)));
	FUZZ_CHECK(version.root.count <= RECIPE_ROOT_MAX);
}

static void try_run(struct span bytes)
{
	static const uint8_t group[STORE_UUID_BYTES] = { 0 };
	uint8_t id[STORE_ID_BYTES] = { 0 };
	struct index_entry found;
	struct index_run run;

	if (cof_failed(index_run_decode(bytes, group, "fuzz", &run, NULL)))
		return;
	for (size_t i = 0; i < 256; i++) {
		memset(id, (int)i, sizeof(id));
		if (index_run_find(&run, id, &found))
			FUZZ_CHECK(found.pack < run.pack_count);
	}
}

void fuzz_one(struct span input)
{
	_cleanup_free_ uint8_t *copy = NULL;
	struct group group;
	struct span bytes;

	if (input.len <= SHA256_BYTES)
		return;
	copy = with_checksum(input);
	bytes = SPAN(copy, input.len);
	if (!cof_failed(group_decode(bytes, "fuzz", &group, NULL)))
		FUZZ_CHECK(group.min_bytes < group.avg_bytes && group.avg_bytes < group.max_bytes);
	try_keystore(bytes);
	try_version(bytes);
	try_run(bytes);
}
