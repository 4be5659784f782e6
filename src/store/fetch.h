/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STORE_FETCH_H
#define COF_STORE_FETCH_H

/*
 * From packs to bytes: threads read, decrypt and decompress ahead; the bytes come in order.
 */

#include "store_internal.h"

/**
 * struct fetch_sink - who gets the bytes, in order
 * @data: some of them; borrowed
 * @mark: where fetch_mark() was called
 */
struct fetch_sink {
	cof_result (*data)(struct span bytes, void *context, struct cof_error *err);
	cof_result (*mark)(void *mark, void *context, struct cof_error *err);
	void *context;
};

struct fetch;

/** fetch_new() - @store: unlocked; borrowed */
cof_result fetch_new(struct store *store, struct fetch_sink sink, struct fetch **ret_fetch,
		     struct cof_error *err);
/** fetch_free() - ends the threads; marks that were not told stay their owner's */
void fetch_free(struct fetch *fetch);
DEFINE_FREEP(struct fetch, fetch_freep, fetch_free)

/** fetch_stream() - the bytes of a whole stream come next.
 * Fails: COF_E_FORMAT, COF_E_AUTH (damaged or altered), COF_E_IO, as the sink */
cof_result fetch_stream(struct fetch *fetch, const struct recipe_root *root, struct cof_error *err);
/** fetch_mark() - something that the sink is told after the bytes so far. Fails: as above */
cof_result fetch_mark(struct fetch *fetch, void *mark, struct cof_error *err);
/** fetch_finish() - wait until the sink was told everything. Fails: as above */
cof_result fetch_finish(struct fetch *fetch, struct cof_error *err);

/** fetch_chunk() - one chunk, now. @type: what it must be. @ret_plain: the caller runs
 * buffer_done(). Fails: as above */
cof_result fetch_chunk(struct fetch *fetch, const uint8_t id[static STORE_ID_BYTES],
		       enum chunk_type type, struct buffer *ret_plain, struct cof_error *err);

#endif
