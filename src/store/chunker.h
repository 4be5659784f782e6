/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STORE_CHUNKER_H
#define COF_STORE_CHUNKER_H

/*
 * Content-defined chunks by a keyed gear hash, pure: doc/format-store.md, section 7.
 *
 * A position is a candidate by the CHUNKER_WINDOW_BYTES before it alone, wherever a chunk begins;
 * the cuts are then walked from candidate to candidate. So any way to find the candidates gives
 * the same cuts.
 */

#include "secret.h"

#define CHUNKER_WINDOW_BYTES 32	  /* a 32-bit hash that is shifted by one for each byte */
#define CHUNKER_KEY_BYTES    1024 /* 256 words of 32 bits */

/**
 * struct chunker - how a group cuts
 * @gear: 256 words, in locked memory; owned
 * @min_bytes, @avg_bytes, @max_bytes: powers of two, of a chunk; @min_bytes is at least
 *         CHUNKER_WINDOW_BYTES
 * @early_mask, @late_mask: a candidate's hash has zeros there: before and from @avg_bytes on
 */
struct chunker {
	struct secret *gear;
	uint32_t min_bytes;
	uint32_t avg_bytes;
	uint32_t max_bytes;
	uint32_t early_mask;
	uint32_t late_mask;
};

/**
 * chunker_init() - from the group's chunker key
 * @key: 32 bytes or more
 * Fails: COF_E_FORMAT (the sizes), COF_E_NOMEM, COF_E_FAILED
 */
cof_result chunker_init(struct chunker *chunker, struct span key, uint32_t min_bytes,
			uint32_t avg_bytes, uint32_t max_bytes, struct cof_error *err);
void chunker_done(struct chunker *chunker);

/**
 * chunker_next() - the length of the chunk at the front of @data
 * @ended: nothing follows @data, so that what is left over is a chunk too
 * Returns 0 where more data is needed, or none is left; never for more than max_bytes of data.
 */
size_t chunker_next(const struct chunker *chunker, struct span data, bool ended);

/** chunker_next_plainly() - the same by the definition, byte by byte: what the fast one must equal
 */
size_t chunker_next_plainly(const struct chunker *chunker, struct span data, bool ended);

#endif
