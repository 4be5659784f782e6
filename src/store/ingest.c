/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ingest.h"

#include <stdatomic.h>
#include <string.h>

#include "bulk.h"
#include "fault.h"
#include "pack_write.h"
#include "pool.h"

#define BATCH_BYTES ((size_t)4 << 20)
#define CUTS_MAX    2048 /* in a batch: small files make many */
#define BATCHES_MAX 6	 /* at once: 24 MiB */
#define WORKERS_MAX 8	 /* each has a pack's segment of 5 MiB */

/* One chunk in a batch; none where @len is 0, which only an end has. */
struct cut {
	uint32_t offset;
	uint32_t len;
	bool ends;
	uint8_t id[STORE_ID_BYTES];
};

/*
 * struct batch - what one thread works on at a time
 * @cut_to: bytes of @data that are in @cuts
 */
struct batch {
	uint8_t *data;
	size_t len;
	size_t cut_to;
	struct cut cuts[CUTS_MAX];
	size_t count;
	struct batch *next; /* in the list of those that are free */
};

/* What each thread has of its own. */
struct worker_tools {
	struct mac *mac;
	struct compressor *compressor;
	struct pack_writer *writer;
};

/*
 * struct ingest
 * @tools: of the pool's threads; the last one is the caller's
 */
struct ingest {
	struct store *store;
	struct ingest_sink sink;
	struct content_key *key;
	struct pack_place place;
	struct pool *pool;
	struct worker_tools *tools;
	size_t threads;
	struct batch *current;
	struct batch *spare;
	atomic_uint_least64_t new_bytes;
};

static void batch_free(struct batch *batch)
{
	if (!batch)
		return;
	free(batch->data);
	free(batch);
}

void ingest_free(struct ingest *ingest)
{
	void *job;

	if (!ingest)
		return;
	while (ingest->pool && !pool_is_empty(ingest->pool)) {
		/* Given up on purpose: what the job ended with changes nothing. */
		cof_ignore(pool_take(ingest->pool, &job, NULL));
		batch_free(job);
	}
	pool_free(ingest->pool);
	for (size_t i = 0; ingest->tools && i <= ingest->threads; i++) {
		mac_free(ingest->tools[i].mac);
		compressor_free(ingest->tools[i].compressor);
		pack_writer_free(ingest->tools[i].writer);
	}
	free(ingest->tools);
	batch_free(ingest->current);
	for (struct batch *batch = ingest->spare; batch;) {
		struct batch *next = batch->next;

		batch_free(batch);
		batch = next;
	}
	content_key_free(ingest->key);
	free(ingest);
}

/* Keeps one chunk, unless the group has it. */
static cof_result keep(struct ingest *ingest, struct worker_tools *tools, enum chunk_type type,
		       struct span plain, uint8_t *ret_id, struct cof_error *err)
{
	struct pack_entry entry = { .type = (uint8_t)type, .plain_bytes = (uint32_t)plain.len };
	struct span stored = plain;
	struct span packed;
	bool ours = false;

	TRY(mac_run(tools->mac, plain, ret_id, err));
	TRY(index_claim(ingest->store->index, ret_id, &ours, err));
	if (!ours)
		return COF_OK;
	if (type == CHUNK_DATA)
		(void)atomic_fetch_add(&ingest->new_bytes, plain.len);
	TRY(compressor_pack(tools->compressor, plain, &packed, err));
	if (packed.len) {
		stored = packed;
		entry.flags = CHUNK_COMPRESSED;
	}
	entry.stored_bytes = (uint32_t)stored.len;
	memcpy(entry.id, ret_id, STORE_ID_BYTES);
	return pack_writer_add(tools->writer, &entry, stored, err);
}

/* A pool_work. */
static cof_result work_batch(void *job, size_t worker, void *context, struct cof_error *err)
{
	struct ingest *ingest = context;
	struct batch *batch = job;

	for (size_t i = 0; i < batch->count; i++) {
		struct cut *cut = &batch->cuts[i];

		if (cut->len)
			TRY(keep(ingest, &ingest->tools[worker], CHUNK_DATA,
				 SPAN(batch->data + cut->offset, cut->len), cut->id, err));
	}
	return COF_OK;
}

/* The tools of one thread. */
static cof_result make_tools(struct ingest *ingest, struct worker_tools *tools,
			     struct cof_error *err)
{
	TRY(mac_new(keyring_body(ingest->store->keyring)->id_key, &tools->mac, err));
	TRY(compressor_new(&tools->compressor, err));
	return pack_writer_new(&ingest->place, &tools->writer, err);
}

/* Where the packs go. */
static cof_result make_place(struct ingest *ingest, struct cof_error *err)
{
	struct store *store = ingest->store;
	const struct keystore_key *facts = NULL;

	TRY(keyring_active_key(store->keyring, &ingest->key, &facts, err));
	ingest->place = (struct pack_place){ .backend = store->backend,
					     .key = ingest->key,
					     .key_id = facts ? facts->id : 0,
					     .key_generation = facts ? facts->generation : 0,
					     .now = store_now(),
					     .written = index_add_pack,
					     .context = store->index };
	memcpy(ingest->place.group, store->uuid, STORE_UUID_BYTES);
	return COF_OK;
}

cof_result ingest_new(struct store *store, struct ingest_sink sink, struct ingest **ret_ingest,
		      struct cof_error *err)
{
	_cleanup_(ingest_freep) struct ingest *ingest = calloc(1, sizeof(*ingest));
	/* One more than processors: one of them waits for the disk at times. */
	size_t threads = pool_processors() + 1;

	ENSURE(ingest, err, COF_E_NOMEM, NULL, "no memory left");
	threads = threads < WORKERS_MAX ? threads : WORKERS_MAX;
	ingest->store = store;
	ingest->sink = sink;
	TRY(store_need_index(store, err));
	TRY(make_place(ingest, err));
	ingest->tools = calloc(threads + 1, sizeof(*ingest->tools));
	ENSURE(ingest->tools, err, COF_E_NOMEM, NULL, "no memory left");
	ingest->threads = threads;
	for (size_t i = 0; i <= threads; i++)
		TRY(make_tools(ingest, &ingest->tools[i], err));
	TRY(pool_new(threads, BATCHES_MAX, (struct pool_work){ work_batch, ingest }, &ingest->pool,
		     err));
	*ret_ingest = TAKE(ingest);
	return COF_OK;
}

/* Tells the sink what the oldest batch consists of. */
static cof_result deliver(struct ingest *ingest, struct cof_error *err)
{
	void *job = NULL;
	cof_result done = pool_take(ingest->pool, &job, err);
	struct batch *batch = job;

	for (size_t i = 0; !cof_failed(done) && i < batch->count; i++) {
		const struct cut *cut = &batch->cuts[i];
		struct recipe_ref ref = { .bytes = cut->len };

		memcpy(ref.id, cut->id, STORE_ID_BYTES);
		if (cut->len)
			done = ingest->sink.chunk(&ref, ingest->sink.context, err);
		if (!cof_failed(done) && cut->ends && ingest->sink.end)
			done = ingest->sink.end(ingest->sink.context, err);
	}
	batch->next = ingest->spare;
	ingest->spare = batch;
	return done;
}

/* An empty batch. */
static cof_result new_batch(struct ingest *ingest, struct batch **ret_batch, struct cof_error *err)
{
	struct batch *batch = ingest->spare;

	if (batch) {
		ingest->spare = batch->next;
		batch->len = 0;
		batch->cut_to = 0;
		batch->count = 0;
	} else {
		batch = calloc(1, sizeof(*batch));
		if (batch)
			batch->data = malloc(BATCH_BYTES);
		if (!batch || !batch->data) {
			batch_free(batch);
			FAIL(err, COF_E_NOMEM, NULL, "no memory for %zu bytes", BATCH_BYTES);
		}
	}
	*ret_batch = batch;
	return COF_OK;
}

/* Sends the batch at hand on its way; what is not cut yet begins the next one. */
static cof_result submit(struct ingest *ingest, struct cof_error *err)
{
	struct batch *batch = ingest->current;
	struct batch *next = NULL;
	size_t rest = batch->len - batch->cut_to;

	if (pool_is_full(ingest->pool))
		TRY(deliver(ingest, err));
	TRY(new_batch(ingest, &next, err));
	memcpy(next->data, batch->data + batch->cut_to, rest);
	next->len = rest;
	ingest->current = next;
	pool_submit(ingest->pool, batch);
	return COF_OK;
}

/* Cuts what the batch at hand has; @ended: nothing follows. */
static cof_result cut(struct ingest *ingest, bool ended, struct cof_error *err)
{
	for (;;) {
		struct batch *batch = ingest->current;
		struct span rest = SPAN(batch->data + batch->cut_to, batch->len - batch->cut_to);
		size_t len = chunker_next(&ingest->store->chunker, rest, ended);

		if (!len)
			return COF_OK;
		batch->cuts[batch->count++] =
			(struct cut){ .offset = (uint32_t)batch->cut_to, .len = (uint32_t)len };
		batch->cut_to += len;
		if (batch->count == CUTS_MAX)
			TRY(submit(ingest, err));
	}
}

cof_result ingest_room(struct ingest *ingest, uint8_t **ret_out, size_t *ret_room,
		       struct cof_error *err)
{
	if (!ingest->current)
		TRY(new_batch(ingest, &ingest->current, err));
	if (ingest->current->len == BATCH_BYTES) {
		TRY(cut(ingest, false, err));
		/* The cuts may have filled it up and sent it off. */
		if (ingest->current->len == BATCH_BYTES)
			TRY(submit(ingest, err));
	}
	*ret_out = ingest->current->data + ingest->current->len;
	*ret_room = BATCH_BYTES - ingest->current->len;
	return COF_OK;
}

cof_result ingest_wrote(struct ingest *ingest, size_t len, struct cof_error *err)
{
	ingest->current->len += len;
	return COF_OK;
}

cof_result ingest_end(struct ingest *ingest, struct cof_error *err)
{
	struct batch *batch;

	if (!ingest->current)
		TRY(new_batch(ingest, &ingest->current, err));
	TRY(cut(ingest, true, err));
	batch = ingest->current;
	batch->cuts[batch->count++] =
		(struct cut){ .offset = (uint32_t)batch->cut_to, .ends = true };
	if (batch->count == CUTS_MAX || batch->len == BATCH_BYTES)
		TRY(submit(ingest, err));
	return COF_OK;
}

cof_result ingest_store(struct ingest *ingest, enum chunk_type type, struct span plain,
			uint8_t ret_id[static STORE_ID_BYTES], struct cof_error *err)
{
	ENSURE(plain.len >= 1 && plain.len <= STORE_MAX_BYTES, err, COF_E_FORMAT, NULL,
	       "a chunk of %zu bytes", plain.len);
	return keep(ingest, &ingest->tools[ingest->threads], type, plain, ret_id, err);
}

cof_result ingest_drain(struct ingest *ingest, struct cof_error *err)
{
	if (ingest->current && ingest->current->count)
		TRY(submit(ingest, err));
	while (!pool_is_empty(ingest->pool))
		TRY(deliver(ingest, err));
	return COF_OK;
}

cof_result ingest_commit(struct ingest *ingest, uint64_t *ret_new_bytes, struct cof_error *err)
{
	struct store *store = ingest->store;

	for (size_t i = 0; i <= ingest->threads; i++)
		TRY(pack_writer_finish(ingest->tools[i].writer, err));
	TRY(store->backend->ops->sync(store->backend, "packs", err));
	TRY(fault_point("store/packs-durable", err));
	TRY(index_write(store->index, err));
	*ret_new_bytes = atomic_load(&ingest->new_bytes);
	return COF_OK;
}
