/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether a group is whole: see store_verify().
 */

#include <stdio.h>
#include <string.h>

#include "fetch.h"
#include "id_table.h"
#include "number.h"
#include "pack_write.h"
#include "pool.h"
#include "tree.h"

#define JOBS_MAX 4 /* packs at the same time; each takes about 2 MiB */

/* One pack to be looked at. */
struct job {
	uint8_t id[STORE_UUID_BYTES];
	char name[PACK_NAME_CHARS];
	uint64_t size_bytes;
	struct buffer bad; /* ids of chunks that do not open */
};

/*
 * struct verifying
 * @tools: of the pool's threads, with keys
 * @bad:   chunks that do not open
 */
struct verifying {
	struct store *store;
	bool keys;
	store_damage damage;
	void *context;
	struct progress *progress;
	uint64_t total_bytes;
	struct store_verified facts;
	struct pool *pool;
	struct pack_tools *tools;
	size_t threads;
	struct buffer packs; /* struct job each */
	struct id_table bad;
	struct fetch *fetch;
	struct buffer damaged_runs; /* their names, each ending with a NUL */
};

static void verifying_done(struct verifying *verifying)
{
	struct job *jobs = (void *)verifying->packs.data;
	void *job;

	while (verifying->pool && !pool_is_empty(verifying->pool))
		/* Given up on purpose: what the job ended with changes nothing. */
		cof_ignore(pool_take(verifying->pool, &job, NULL));
	pool_free(verifying->pool);
	for (size_t i = 0; verifying->tools && i < verifying->threads; i++)
		pack_tools_done(&verifying->tools[i]);
	free(verifying->tools);
	for (size_t i = 0; i < verifying->packs.len / sizeof(*jobs); i++)
		buffer_done(&jobs[i].bad);
	buffer_done(&verifying->packs);
	buffer_done(&verifying->damaged_runs);
	id_table_done(&verifying->bad);
	fetch_free(verifying->fetch);
}

/* Tells of one damage. */
static cof_result tell(struct verifying *verifying, const char *object, const char *version,
		       const struct cof_error *why, bool mended, struct cof_error *err)
{
	verifying->facts.damages++;
	return verifying->damage(object, version, why, mended, verifying->context, err);
}

/* ---- the keystore ---- */

static cof_result verify_copies(struct verifying *verifying, struct cof_error *err)
{
	static const char *const words[] = {
		[COPY_MISSING] = "is missing",
		[COPY_DAMAGED] = "is damaged",
		[COPY_OLDER] = "is older than another copy",
		[COPY_DIFFERS] = "differs from another copy",
	};
	struct keyring *keyring = verifying->store->keyring;
	const struct keyring_copy *copies = keyring_copies(keyring);

	/* What is not mended is told as such. Without the keys nothing proves which copy is right.
	 */
	if (verifying->keys)
		cof_ignore(keyring_repair(keyring, NULL));
	for (size_t i = 0; i < KEYRING_COPIES; i++) {
		struct cof_error why = { 0 };

		if (copies[i].state == COPY_GOOD)
			continue;
		cof_ignore(cof_raise(&why, COF_E_FORMAT, copies[i].path, "%s",
				     words[copies[i].state]));
		TRY(tell(verifying, copies[i].path, NULL, &why, copies[i].repaired, err));
	}
	return COF_OK;
}

/* ---- packs ---- */

/* A pool_work. */
static cof_result work_pack(void *context_of_job, size_t worker, void *context,
			    struct cof_error *err)
{
	struct verifying *verifying = context;
	const struct pack_source *source = &verifying->store->source;
	_cleanup_(pack_closep) struct pack *pack = NULL;
	struct job *job = context_of_job;
	cof_result checked;
	cof_result proven;

	/* Without a key the checksums are all there is; with one, they say nothing more of what is
	 * sealed. */
	if (!verifying->keys || !keyring_is_encrypted(source->keyring))
		checked = pack_check(source->backend, job->name, source->group, err);
	else
		checked = pack_check_pages(source->backend, job->name, source->group, err);
	if (!verifying->keys)
		return checked;
	/* Which chunks it has lost is of interest all the same. */
	TRY(pack_open(source, job->id, &pack, cof_failed(checked) ? NULL : err));
	proven = pack_prove(source, pack, &verifying->tools[worker], &job->bad,
			    cof_failed(checked) ? NULL : err);
	return cof_failed(checked) ? checked : proven;
}

/* Takes the oldest result. */
static cof_result take_pack(struct verifying *verifying, struct cof_error *err)
{
	struct index_entry entry = { 0 };
	struct cof_error why = { 0 };
	void *taken = NULL;
	cof_result done = pool_take(verifying->pool, &taken, &why);
	const struct job *job = taken;

	verifying->facts.packs++;
	verifying->facts.pack_bytes += job->size_bytes;
	progress_amount(verifying->progress, 0, verifying->facts.pack_bytes,
			verifying->total_bytes);
	for (size_t at = 0; at < job->bad.len; at += STORE_ID_BYTES) {
		memcpy(entry.id, job->bad.data + at, STORE_ID_BYTES);
		TRY(id_table_put(&verifying->bad, &entry, err));
	}
	/* Removed meanwhile, which is no damage as long as nothing needs it. */
	if (!cof_failed(done) || done.code == COF_E_NOENT)
		return COF_OK;
	return tell(verifying, job->name, NULL, &why, false, err);
}

/* A backend_visit. */
static cof_result list_pack(const char *name, uint64_t size_bytes, void *context,
			    struct cof_error *err)
{
	struct verifying *verifying = context;
	struct job job = { .size_bytes = size_bytes };

	if (strlen(name) != 2 * sizeof(job.id) ||
	    cof_failed(hex_parse(name, job.id, sizeof(job.id), NULL)))
		return COF_OK;
	(void)pack_name(job.id, job.name);
	verifying->total_bytes += size_bytes;
	return buffer_add(&verifying->packs, &job, sizeof(job), err);
}

static cof_result start_pool(struct verifying *verifying, struct cof_error *err)
{
	size_t threads = pool_processors();

	threads = threads < JOBS_MAX ? threads : JOBS_MAX;
	verifying->tools = calloc(threads, sizeof(*verifying->tools));
	ENSURE(verifying->tools, err, COF_E_NOMEM, NULL, "no memory left");
	verifying->threads = threads;
	for (size_t i = 0; verifying->keys && i < threads; i++)
		TRY(pack_tools_init(&verifying->tools[i],
				    keyring_body(verifying->store->keyring)->id_key, err));
	return pool_new(threads, JOBS_MAX, (struct pool_work){ work_pack, verifying },
			&verifying->pool, err);
}

static cof_result verify_packs(struct verifying *verifying, struct cof_error *err)
{
	struct backend *backend = verifying->store->backend;
	struct job *jobs;

	TRY(start_pool(verifying, err));
	TRY(backend->ops->list(backend, "packs", list_pack, verifying, err));
	jobs = (void *)verifying->packs.data;
	for (size_t i = 0; i < verifying->packs.len / sizeof(*jobs); i++) {
		if (pool_is_full(verifying->pool))
			TRY(take_pack(verifying, err));
		pool_submit(verifying->pool, &jobs[i]);
	}
	while (!pool_is_empty(verifying->pool))
		TRY(take_pack(verifying, err));
	return COF_OK;
}

/* ---- the index ---- */

/* An index_damage: with the keys it will be made again. */
static cof_result note_run(const char *name, const struct cof_error *why, void *context,
			   struct cof_error *err)
{
	struct verifying *verifying = context;

	TRY(buffer_add(&verifying->damaged_runs, name, strlen(name) + 1, err));
	return tell(verifying, name, NULL, why, verifying->keys, err);
}

/* Removes runs that are damaged, and writes one from the packs' tables in their place. */
static cof_result verify_index(struct verifying *verifying, struct cof_error *err)
{
	struct store *store = verifying->store;
	const struct buffer *runs = &verifying->damaged_runs;

	TRY(index_check_runs(store->backend, store->uuid, note_run, verifying, err));
	if (!verifying->keys)
		return COF_OK;
	for (size_t at = 0; at < runs->len; at += strlen((const char *)runs->data + at) + 1)
		TRY(store->backend->ops->remove(store->backend, (const char *)runs->data + at,
						err));
	index_freep(&store->index);
	TRY(store_need_index(store, err));
	return index_write(store->index, err);
}

/* ---- versions ---- */

/* A recipe_load. */
static cof_result load_list(const uint8_t id[static STORE_ID_BYTES], struct buffer *ret_list,
			    void *context, struct cof_error *err)
{
	const struct verifying *verifying = context;

	return fetch_chunk(verifying->fetch, id, CHUNK_LIST, ret_list, err);
}

/* A recipe_visit: the chunk is there, and is a good one. */
static cof_result visit_ref(const struct recipe_ref *ref, unsigned int level, void *context,
			    struct cof_error *err)
{
	const struct verifying *verifying = context;
	struct index *index = verifying->store->index;
	const struct pack_entry *entry;
	struct pack *pack = NULL;
	uint32_t ordinal = 0;
	bool good;

	TRY(index_find(index, ref->id, &pack, &ordinal, err));
	entry = &pack->entries[ordinal];
	good = (level || entry->plain_bytes == ref->bytes) &&
	       !id_table_find(&verifying->bad, ref->id);
	if (!good)
		cof_ignore(cof_raise(err, COF_E_FORMAT, pack->name, "has a damaged chunk of it"));
	shelf_put(index_shelf(index), pack);
	return good ? COF_OK : (cof_result){ COF_E_FORMAT };
}

/* A tree_visit: a file has all of its content. */
static cof_result verify_entry(struct entry *entry, void *context, struct cof_error *err)
{
	if (entry->type != ENTRY_FILE)
		return COF_OK;
	return recipe_each(&entry->root, load_list, visit_ref, context, err);
}

/* A store_visit. */
static cof_result verify_version(const struct version *version, void *context,
				 struct cof_error *err)
{
	struct verifying *verifying = context;
	struct cof_error why = { 0 };
	cof_result walked;

	verifying->facts.versions++;
	walked = recipe_each(&version->root, load_list, visit_ref, verifying, &why);
	if (!cof_failed(walked) && version->kind == VERSION_TREE)
		walked = tree_each(verifying->fetch, &version->root, verify_entry, verifying, &why);
	if (!cof_failed(walked))
		return COF_OK;
	return tell(verifying, why.subject, version->name, &why, false, err);
}

static cof_result refuse_data(struct span bytes, void *context, struct cof_error *err)
{
	FAIL(err, COF_E_FAILED, NULL, "nothing is fetched here");
}

/* A catalogue_damage. */
static cof_result note_record(const char *object, const struct cof_error *why, void *context,
			      struct cof_error *err)
{
	return tell(context, object, NULL, why, false, err);
}

static cof_result verify_versions(struct verifying *verifying, struct cof_error *err)
{
	struct store *store = verifying->store;
	const struct fetch_sink sink = { .data = refuse_data };
	size_t damaged = 0;
	uint64_t count = 0;

	TRY(catalogue_check(store, verifying->keys, note_record, verifying, &count, err));
	verifying->facts.versions = count;
	if (!verifying->keys)
		return COF_OK;
	verifying->facts.versions = 0;
	TRY(fetch_new(store, sink, &verifying->fetch, err));
	TRY(store_each(store, verify_version, verifying, &damaged, err));
	verifying->facts.versions += damaged;
	return COF_OK;
}

cof_result store_verify(struct store *store, bool keys, struct progress *progress,
			store_damage damage, void *context, struct store_verified *ret_verified,
			struct cof_error *err)
{
	_cleanup_(verifying_done) struct verifying verifying = {
		.store = store,
		.keys = keys,
		.damage = damage,
		.context = context,
		.progress = progress,
	};

	TRY(verify_copies(&verifying, err));
	TRY(verify_packs(&verifying, err));
	TRY(verify_index(&verifying, err));
	TRY(verify_versions(&verifying, err));
	*ret_verified = verifying.facts;
	return COF_OK;
}
