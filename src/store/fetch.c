/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fetch.h"

#include <string.h>

#include "pool.h"

#define BATCH_BYTES ((size_t)4 << 20)
#define ITEMS_MAX   1024
#define BATCHES_MAX 6
#define RUNS_MAX    12		      /* packs of one batch that are in use at the same time */
#define READ_BYTES  ((size_t)4 << 20) /* at once */
#define WORKERS_MAX 8

/* One chunk, or a mark where @pack is NULL. */
struct item {
	struct pack *pack; /* from the shelf */
	uint32_t ordinal;
	uint32_t len;
	void *mark;
};

struct batch {
	uint8_t *out;
	size_t len;
	struct item items[ITEMS_MAX];
	size_t count;
	size_t runs; /* how often the pack changes */
	struct batch *next;
};

struct worker_tools {
	struct pack_tools pack;
	struct buffer stored;
};

/* @tools: of the pool's threads; the last one is the caller's */
struct fetch {
	struct store *store;
	struct fetch_sink sink;
	struct pool *pool;
	struct worker_tools *tools;
	size_t threads;
	struct batch *current;
	struct batch *spare;
};

/* Gives back a batch's packs. */
static void release(struct fetch *fetch, struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		if (batch->items[i].pack)
			shelf_put(index_shelf(fetch->store->index), batch->items[i].pack);
	batch->count = 0;
	batch->len = 0;
	batch->runs = 0;
}

static void batch_free(struct batch *batch)
{
	if (!batch)
		return;
	free(batch->out);
	free(batch);
}

void fetch_free(struct fetch *fetch)
{
	void *job;

	if (!fetch)
		return;
	while (fetch->pool && !pool_is_empty(fetch->pool)) {
		/* Given up on purpose: what the job ended with changes nothing. */
		cof_ignore(pool_take(fetch->pool, &job, NULL));
		release(fetch, job);
		batch_free(job);
	}
	pool_free(fetch->pool);
	for (size_t i = 0; fetch->tools && i <= fetch->threads; i++) {
		pack_tools_done(&fetch->tools[i].pack);
		buffer_done(&fetch->tools[i].stored);
	}
	free(fetch->tools);
	if (fetch->current)
		release(fetch, fetch->current);
	batch_free(fetch->current);
	for (struct batch *batch = fetch->spare; batch;) {
		struct batch *next = batch->next;

		batch_free(batch);
		batch = next;
	}
	free(fetch);
}

/* How many items from @from on lie one behind the other in one pack. */
static size_t run_length(const struct batch *batch, size_t from, size_t *ret_bytes)
{
	const struct item *first = &batch->items[from];
	size_t bytes = 0;
	size_t count = 0;

	while (from + count < batch->count) {
		const struct item *item = &batch->items[from + count];
		size_t len;

		if (item->pack != first->pack || item->ordinal != first->ordinal + count)
			break;
		len = pack_stored_bytes(item->pack, item->ordinal);
		if (count && bytes + len > READ_BYTES)
			break;
		bytes += len;
		count++;
	}
	*ret_bytes = bytes;
	return count;
}

/* Reads and opens a run of records. */
static cof_result open_run(struct fetch *fetch, struct worker_tools *tools,
			   const struct item *items, size_t count, size_t bytes, uint8_t *out,
			   struct cof_error *err)
{
	const struct pack *pack = items[0].pack;
	struct backend *backend = fetch->store->backend;
	const uint8_t *at;

	tools->stored.len = 0;
	TRY(buffer_reserve(&tools->stored, bytes, err));
	TRY(backend->ops->get(backend, pack->name, pack->offsets[items[0].ordinal],
			      tools->stored.data, bytes, err));
	TRY(pack_tools_take(&tools->pack, pack, err));
	at = tools->stored.data;
	for (size_t i = 0; i < count; i++) {
		size_t len = pack_stored_bytes(pack, items[i].ordinal);

		TRY(pack_open_record(&tools->pack, pack, items[i].ordinal, SPAN(at, len), false,
				     out, err));
		at += len;
		out += items[i].len;
	}
	return COF_OK;
}

/* A pool_work. */
static cof_result work_batch(void *job, size_t worker, void *context, struct cof_error *err)
{
	struct fetch *fetch = context;
	struct batch *batch = job;
	uint8_t *out = batch->out;
	size_t at = 0;

	while (at < batch->count) {
		size_t bytes = 0;
		size_t count;

		if (!batch->items[at].pack) {
			at++;
			continue;
		}
		count = run_length(batch, at, &bytes);
		TRY(open_run(fetch, &fetch->tools[worker], batch->items + at, count, bytes, out,
			     err));
		for (; count; count--)
			out += batch->items[at++].len;
	}
	return COF_OK;
}

cof_result fetch_new(struct store *store, struct fetch_sink sink, struct fetch **ret_fetch,
		     struct cof_error *err)
{
	_cleanup_(fetch_freep) struct fetch *fetch = calloc(1, sizeof(*fetch));
	size_t threads = pool_processors();

	ENSURE(fetch, err, COF_E_NOMEM, NULL, "no memory left");
	threads = threads < WORKERS_MAX ? threads : WORKERS_MAX;
	fetch->store = store;
	fetch->sink = sink;
	TRY(store_need_index(store, err));
	fetch->tools = calloc(threads + 1, sizeof(*fetch->tools));
	ENSURE(fetch->tools, err, COF_E_NOMEM, NULL, "no memory left");
	fetch->threads = threads;
	for (size_t i = 0; i <= threads; i++)
		TRY(pack_tools_init(&fetch->tools[i].pack, keyring_body(store->keyring)->id_key,
				    err));
	TRY(pool_new(threads, BATCHES_MAX, (struct pool_work){ work_batch, fetch }, &fetch->pool,
		     err));
	*ret_fetch = TAKE(fetch);
	return COF_OK;
}

/* Tells the sink what the oldest batch has. */
static cof_result deliver(struct fetch *fetch, struct cof_error *err)
{
	void *job = NULL;
	cof_result done = pool_take(fetch->pool, &job, err);
	struct batch *batch = job;
	const uint8_t *at = batch->out;
	size_t i = 0;

	while (!cof_failed(done) && i < batch->count) {
		size_t len = 0;

		for (; i < batch->count && batch->items[i].pack; i++)
			len += batch->items[i].len;
		if (len)
			done = fetch->sink.data(SPAN(at, len), fetch->sink.context, err);
		at += len;
		if (!cof_failed(done) && i < batch->count)
			done = fetch->sink.mark(batch->items[i++].mark, fetch->sink.context, err);
	}
	release(fetch, batch);
	batch->next = fetch->spare;
	fetch->spare = batch;
	return done;
}

/* Makes sure that there is a batch at hand. */
static cof_result need_batch(struct fetch *fetch, struct cof_error *err)
{
	struct batch *batch = fetch->spare;

	if (fetch->current)
		return COF_OK;
	if (batch) {
		fetch->spare = batch->next;
	} else {
		batch = calloc(1, sizeof(*batch));
		if (batch)
			batch->out = malloc(BATCH_BYTES);
		if (!batch || !batch->out) {
			batch_free(batch);
			FAIL(err, COF_E_NOMEM, NULL, "no memory for %zu bytes", BATCH_BYTES);
		}
	}
	fetch->current = batch;
	return COF_OK;
}

/* Sends the batch at hand on its way. */
static cof_result submit(struct fetch *fetch, struct cof_error *err)
{
	if (pool_is_full(fetch->pool))
		TRY(deliver(fetch, err));
	pool_submit(fetch->pool, fetch->current);
	fetch->current = NULL;
	return COF_OK;
}

/* Adds one item, whose pack is taken. */
static cof_result add_item(struct fetch *fetch, const struct item *item, struct cof_error *err)
{
	struct batch *batch;

	TRY(need_batch(fetch, err));
	batch = fetch->current;
	if (item->pack && (!batch->count || batch->items[batch->count - 1].pack != item->pack))
		batch->runs++;
	batch->items[batch->count++] = *item;
	batch->len += item->len;
	if (batch->count == ITEMS_MAX || batch->runs == RUNS_MAX)
		return submit(fetch, err);
	return COF_OK;
}

/* One chunk of a stream. */
static cof_result add_chunk(struct fetch *fetch, const struct recipe_ref *ref,
			    struct cof_error *err)
{
	struct shelf *shelf = index_shelf(fetch->store->index);
	struct item item = { 0 };
	const struct pack_entry *entry;
	cof_result added = COF_OK;

	TRY(index_find(fetch->store->index, ref->id, &item.pack, &item.ordinal, err));
	entry = &item.pack->entries[item.ordinal];
	item.len = entry->plain_bytes;
	if (entry->plain_bytes != ref->bytes || entry->plain_bytes > BATCH_BYTES)
		added = cof_raise(err, COF_E_FORMAT, item.pack->name,
				  "has a chunk of %u bytes where %llu are wanted",
				  entry->plain_bytes, (unsigned long long)ref->bytes);
	if (!cof_failed(added) && fetch->current && fetch->current->len + item.len > BATCH_BYTES)
		added = submit(fetch, err);
	if (!cof_failed(added))
		added = need_batch(fetch, err);
	if (cof_failed(added)) {
		shelf_put(shelf, item.pack);
		return added;
	}
	return add_item(fetch, &item, err);
}

cof_result fetch_mark(struct fetch *fetch, void *mark, struct cof_error *err)
{
	const struct item item = { .mark = mark };

	return add_item(fetch, &item, err);
}

cof_result fetch_finish(struct fetch *fetch, struct cof_error *err)
{
	if (fetch->current && fetch->current->count)
		TRY(submit(fetch, err));
	while (!pool_is_empty(fetch->pool))
		TRY(deliver(fetch, err));
	return COF_OK;
}

/* Reads one record into a buffer. */
static cof_result read_record(struct fetch *fetch, struct pack *pack, uint32_t ordinal,
			      struct buffer *ret_plain, struct cof_error *err)
{
	struct worker_tools *tools = &fetch->tools[fetch->threads];
	const struct item item = { .pack = pack,
				   .ordinal = ordinal,
				   .len = pack->entries[ordinal].plain_bytes };

	TRY(buffer_reserve(ret_plain, item.len, err));
	TRY(open_run(fetch, tools, &item, 1, pack_stored_bytes(pack, ordinal), ret_plain->data,
		     err));
	ret_plain->len = item.len;
	return COF_OK;
}

cof_result fetch_chunk(struct fetch *fetch, const uint8_t id[static STORE_ID_BYTES],
		       enum chunk_type type, struct buffer *ret_plain, struct cof_error *err)
{
	struct pack *pack = NULL;
	uint32_t ordinal = 0;
	cof_result read;

	TRY(index_find(fetch->store->index, id, &pack, &ordinal, err));
	if (pack->entries[ordinal].type == type)
		read = read_record(fetch, pack, ordinal, ret_plain, err);
	else
		read = cof_raise(err, COF_E_FORMAT, pack->name,
				 "has a record of kind %u where %u is wanted",
				 pack->entries[ordinal].type, (unsigned int)type);
	shelf_put(index_shelf(fetch->store->index), pack);
	return read;
}

/* A recipe_load. */
static cof_result load_list(const uint8_t id[static STORE_ID_BYTES], struct buffer *ret_list,
			    void *context, struct cof_error *err)
{
	return fetch_chunk(context, id, CHUNK_LIST, ret_list, err);
}

/* A recipe_visit. */
static cof_result visit_ref(const struct recipe_ref *ref, unsigned int level, void *context,
			    struct cof_error *err)
{
	return level ? COF_OK : add_chunk(context, ref, err);
}

cof_result fetch_stream(struct fetch *fetch, const struct recipe_root *root, struct cof_error *err)
{
	return recipe_each(root, load_list, visit_ref, fetch, err);
}
