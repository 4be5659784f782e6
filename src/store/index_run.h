/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STORE_INDEX_RUN_H
#define COF_STORE_INDEX_RUN_H

/*
 * One immutable, sorted run of the index, pure: doc/format-store.md, section 5. It says in which
 * pack a chunk is said to be; the pack's own table, which is authenticated, has the last word.
 */

#include "pack_code.h"

/** struct index_entry - where a chunk is */
struct index_entry {
	uint8_t id[STORE_ID_BYTES];
	uint32_t pack; /* place in the run's list of packs */
	uint32_t ordinal;
};

/** struct index_run - a run in memory; everything is borrowed from its bytes */
struct index_run {
	const uint8_t *packs;
	uint32_t pack_count;
	const uint8_t *bloom;
	uint32_t bloom_blocks;
	const uint8_t *entries;
	uint64_t entry_count;
};

/**
 * index_run_encode() - a whole run
 * @packs:   @pack_count ids of STORE_UUID_BYTES
 * @entries: sorted here, in place
 * Fails: COF_E_NOMEM, COF_E_FAILED
 */
cof_result index_run_encode(const uint8_t group[static STORE_UUID_BYTES], const uint8_t *packs,
			    uint32_t pack_count, struct index_entry *entries, size_t entry_count,
			    struct buffer *out, struct cof_error *err);

/** index_run_decode() - the parts of a run; their content is not looked at.
 * Fails: COF_E_FORMAT (it is none, or of another group) */
cof_result index_run_decode(struct span bytes, const uint8_t group[static STORE_UUID_BYTES],
			    const char *subject, struct index_run *ret_run, struct cof_error *err);
/** index_run_check() - that a run matches its checksum. Fails: COF_E_FORMAT */
cof_result index_run_check(struct span bytes, const char *subject, struct cof_error *err);

/** index_run_find() - @ret_entry: set when this returns true; its pack is in the run's list */
bool index_run_find(const struct index_run *run, const uint8_t id[static STORE_ID_BYTES],
		    struct index_entry *ret_entry);

#endif
