/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STORE_INGEST_H
#define COF_STORE_INGEST_H

/*
 * From bytes to packs: one thread reads and cuts, others hash, compress, encrypt and write; the
 * chunks come back in order. doc/decisions/store.md has the figures.
 */

#include "store_internal.h"

/**
 * struct ingest_sink - who is told what the data consists of, in order
 * @chunk: one chunk
 * @end:   where ingest_end() was called
 */
struct ingest_sink {
	cof_result (*chunk)(const struct recipe_ref *ref, void *context, struct cof_error *err);
	cof_result (*end)(void *context, struct cof_error *err);
	void *context;
};

struct ingest;

/** ingest_new() - @store: unlocked and settled; borrowed. Fails: COF_E_NOMEM, as index_open() */
cof_result ingest_new(struct store *store, struct ingest_sink sink, struct ingest **ret_ingest,
		      struct cof_error *err);
/** ingest_free() - ends the threads; what was not committed is given up */
void ingest_free(struct ingest *ingest);
DEFINE_FREEP(struct ingest, ingest_freep, ingest_free)

/** ingest_room() - where the next bytes are to be put: @ret_room is 1 or more */
cof_result ingest_room(struct ingest *ingest, uint8_t **ret_out, size_t *ret_room,
		       struct cof_error *err);
/** ingest_wrote() - @len bytes were put there */
cof_result ingest_wrote(struct ingest *ingest, size_t len, struct cof_error *err);
/** ingest_end() - a file ends here, and a chunk with it */
cof_result ingest_end(struct ingest *ingest, struct cof_error *err);

/** ingest_store() - keep one chunk at once, in this thread; at most STORE_MAX_BYTES */
cof_result ingest_store(struct ingest *ingest, enum chunk_type type, struct span plain,
			uint8_t ret_id[static STORE_ID_BYTES], struct cof_error *err);

/** ingest_drain() - wait until the sink was told everything */
cof_result ingest_drain(struct ingest *ingest, struct cof_error *err);
/** ingest_commit() - after ingest_drain(): close the packs, make them and the index durable.
 * @ret_new_bytes: of data that the group did not have, before compression */
cof_result ingest_commit(struct ingest *ingest, uint64_t *ret_new_bytes, struct cof_error *err);

#endif
