/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "index.h"

#include <pthread.h>
#include <string.h>

#include "fault.h"
#include "id_table.h"
#include "log.h"
#include "number.h"

#define RUNS_MAX   4096 /* more than that nobody leaves behind */
#define NAME_CHARS 64

/* One run that is in use. */
struct run {
	char name[NAME_CHARS];
	struct mapping mapping;
	struct index_run parts;
};

/*
 * struct index
 * @packs:  ids of packs that no run covers, STORE_UUID_BYTES each: read from their tables, or
 *          written by this process
 * @loose:  their chunks, and chunks that are being stored
 * @damaged: runs that cannot be used
 */
struct index {
	const struct pack_source *source;
	struct shelf *shelf;
	struct run *runs;
	size_t run_count;
	size_t damaged;
	pthread_mutex_t lock;
	struct buffer packs;
	struct id_table loose;
	bool rebuilt;
};

struct shelf *index_shelf(struct index *index)
{
	return index->shelf;
}

/* Forgets the runs. */
static void drop_runs(struct index *index)
{
	for (size_t i = 0; i < index->run_count; i++)
		index->source->backend->ops->unmap(&index->runs[i].mapping);
	index->run_count = 0;
}

void index_free(struct index *index)
{
	if (!index)
		return;
	drop_runs(index);
	free(index->runs);
	shelf_free(index->shelf);
	buffer_done(&index->packs);
	id_table_done(&index->loose);
	(void)pthread_mutex_destroy(&index->lock);
	free(index);
}

/* Maps one run; one that cannot be used is passed over. A backend_visit. */
static cof_result open_run(const char *name, uint64_t size_bytes, void *context,
			   struct cof_error *err)
{
	struct index *index = context;
	struct backend *backend = index->source->backend;
	struct run *run = &index->runs[index->run_count];
	cof_result opened;

	if (index->run_count == RUNS_MAX)
		return COF_OK;
	*run = (struct run){ 0 };
	(void)snprintf(run->name, sizeof(run->name), "index/%s", name);
	opened = backend->ops->map(backend, run->name, &run->mapping, NULL);
	/* Another process has put runs together meanwhile: what it had is read from the packs. */
	if (opened.code == COF_E_NOENT)
		return COF_OK;
	if (!cof_failed(opened))
		opened = index_run_decode(run->mapping.bytes, index->source->group, run->name,
					  &run->parts, NULL);
	if (cof_failed(opened)) {
		log_debug("store", "%s cannot be used", run->name);
		backend->ops->unmap(&run->mapping);
		index->damaged++;
		return COF_OK;
	}
	index->run_count++;
	return COF_OK;
}

/* Adds one pack's chunks to those that no run covers. */
static cof_result add_loose(struct index *index, const uint8_t *pack,
			    const struct pack_entry *entries, uint32_t count, struct cof_error *err)
{
	struct index_entry entry = { .pack = (uint32_t)(index->packs.len / STORE_UUID_BYTES) };

	TRY(buffer_add(&index->packs, pack, STORE_UUID_BYTES, err));
	for (uint32_t i = 0; i < count; i++) {
		if (entries[i].type == CHUNK_PADDING)
			continue;
		memcpy(entry.id, entries[i].id, STORE_ID_BYTES);
		entry.ordinal = i;
		TRY(id_table_put(&index->loose, &entry, err));
	}
	return COF_OK;
}

cof_result index_add_pack(const uint8_t pack[static STORE_UUID_BYTES],
			  const struct pack_entry *entries, uint32_t count, void *index_of,
			  struct cof_error *err)
{
	struct index *index = index_of;
	cof_result added;

	(void)pthread_mutex_lock(&index->lock);
	added = add_loose(index, pack, entries, count, err);
	(void)pthread_mutex_unlock(&index->lock);
	return added;
}

/* Whether a run covers a pack, or its table was read. */
static bool is_covered(const struct index *index, const uint8_t *pack)
{
	for (size_t i = 0; i < index->run_count; i++)
		for (uint32_t at = 0; at < index->runs[i].parts.pack_count; at++)
			if (memcmp(index->runs[i].parts.packs + (size_t)at * STORE_UUID_BYTES, pack,
				   STORE_UUID_BYTES) == 0)
				return true;
	for (size_t at = 0; at < index->packs.len; at += STORE_UUID_BYTES)
		if (memcmp(index->packs.data + at, pack, STORE_UUID_BYTES) == 0)
			return true;
	return false;
}

/* Reads the table of a pack that is covered by nothing. A backend_visit. */
static cof_result read_pack(const char *name, uint64_t size_bytes, void *context,
			    struct cof_error *err)
{
	struct index *index = context;
	uint8_t id[STORE_UUID_BYTES];
	struct pack *pack;
	cof_result added;

	if (strlen(name) != 2 * sizeof(id) || cof_failed(hex_parse(name, id, sizeof(id), NULL)) ||
	    is_covered(index, id))
		return COF_OK;
	/* What is damaged has no chunks that could be used; `verify` names it. */
	if (cof_failed(shelf_get(index->shelf, id, &pack, NULL))) {
		log_debug("store", "pack %s cannot be read", name);
		return COF_OK;
	}
	added = add_loose(index, id, pack->entries, pack->count, err);
	shelf_put(index->shelf, pack);
	return added;
}

cof_result index_open(const struct pack_source *source, struct index **ret_index,
		      struct cof_error *err)
{
	_cleanup_(index_freep) struct index *index = calloc(1, sizeof(*index));
	struct backend *backend = source->backend;

	ENSURE(index, err, COF_E_NOMEM, NULL, "no memory for the index");
	index->source = source;
	(void)pthread_mutex_init(&index->lock, NULL);
	index->runs = calloc(RUNS_MAX, sizeof(*index->runs));
	ENSURE(index->runs, err, COF_E_NOMEM, NULL, "no memory for the index");
	TRY(shelf_new(source, &index->shelf, err));
	TRY(backend->ops->list(backend, "index", open_run, index, err));
	TRY(backend->ops->list(backend, "packs", read_pack, index, err));
	*ret_index = TAKE(index);
	return COF_OK;
}

/* The pack that has the chunk, if its own table says so. Otherwise NULL: with @ret_failure filled
 * in where it cannot be read. */
static struct pack *confirm(struct index *index, const uint8_t *pack_id, const uint8_t *id,
			    uint32_t ordinal, struct cof_error *ret_failure)
{
	struct pack *pack = NULL;

	if (cof_failed(shelf_get(index->shelf, pack_id, &pack, ret_failure)))
		return NULL;
	if (ordinal < pack->count && pack->entries[ordinal].type != CHUNK_PADDING &&
	    memcmp(pack->entries[ordinal].id, id, STORE_ID_BYTES) == 0)
		return pack;
	shelf_put(index->shelf, pack);
	return NULL;
}

/* Looks a chunk up in the runs. */
static struct pack *find_in_runs(struct index *index, const uint8_t *id, uint32_t *ret_ordinal,
				 struct cof_error *ret_failure)
{
	struct index_entry entry;

	for (size_t i = index->run_count; i > 0; i--) {
		const struct index_run *parts = &index->runs[i - 1].parts;
		struct pack *pack;

		if (!index_run_find(parts, id, &entry))
			continue;
		pack = confirm(index, parts->packs + (size_t)entry.pack * STORE_UUID_BYTES, id,
			       entry.ordinal, ret_failure);
		if (pack) {
			*ret_ordinal = entry.ordinal;
			return pack;
		}
	}
	return NULL;
}

/* Looks a chunk up among those that no run covers. */
static struct pack *find_loose(struct index *index, const uint8_t *id, uint32_t *ret_ordinal,
			       struct cof_error *ret_failure)
{
	uint8_t pack_id[STORE_UUID_BYTES];
	const struct index_entry *entry;
	uint32_t ordinal = 0;
	bool found;

	(void)pthread_mutex_lock(&index->lock);
	entry = id_table_find(&index->loose, id);
	found = entry && entry->pack != ID_TABLE_CLAIMED;
	if (found) {
		ordinal = entry->ordinal;
		memcpy(pack_id, index->packs.data + (size_t)entry->pack * STORE_UUID_BYTES,
		       STORE_UUID_BYTES);
	}
	(void)pthread_mutex_unlock(&index->lock);
	*ret_ordinal = ordinal;
	return found ? confirm(index, pack_id, id, ordinal, ret_failure) : NULL;
}

/* Reads every table, whatever the runs say. */
static cof_result rebuild(struct index *index, struct cof_error *err)
{
	struct backend *backend = index->source->backend;

	log_debug("store", "the index is built again from the packs");
	index->rebuilt = true;
	drop_runs(index);
	return backend->ops->list(backend, "packs", read_pack, index, err);
}

cof_result index_find(struct index *index, const uint8_t id[static STORE_ID_BYTES],
		      struct pack **ret_pack, uint32_t *ret_ordinal, struct cof_error *err)
{
	struct cof_error failure = { 0 };
	char hex[2 * STORE_ID_BYTES + 1];
	struct pack *pack;

	pack = find_in_runs(index, id, ret_ordinal, &failure);
	if (!pack)
		pack = find_loose(index, id, ret_ordinal, &failure);
	if (!pack && !index->rebuilt) {
		TRY(rebuild(index, err));
		pack = find_loose(index, id, ret_ordinal, &failure);
	}
	/* Whoever wants a chunk has lost it, whatever became of the pack. */
	if (failure.code == COF_E_NOENT)
		failure.code = COF_E_FORMAT;
	if (!pack && failure.code != COF_E_NONE && err)
		*err = failure;
	if (!pack && failure.code != COF_E_NONE)
		return (cof_result){ failure.code };
	ENSURE(pack, err, COF_E_FORMAT, "chunk", "%.16s is in no pack that can be read",
	       hex_format(id, STORE_ID_BYTES, hex));
	*ret_pack = pack;
	return COF_OK;
}

cof_result index_claim(struct index *index, const uint8_t id[static STORE_ID_BYTES],
		       bool *ret_yours, struct cof_error *err)
{
	struct index_entry claim = { .pack = ID_TABLE_CLAIMED };
	struct pack *pack;
	uint32_t ordinal;
	cof_result claimed = COF_OK;

	pack = find_in_runs(index, id, &ordinal, NULL);
	if (pack) {
		shelf_put(index->shelf, pack);
		*ret_yours = false;
		return COF_OK;
	}
	memcpy(claim.id, id, STORE_ID_BYTES);
	(void)pthread_mutex_lock(&index->lock);
	*ret_yours = !id_table_find(&index->loose, id);
	if (*ret_yours)
		claimed = id_table_put(&index->loose, &claim, err);
	(void)pthread_mutex_unlock(&index->lock);
	return claimed;
}

/* Puts a run into the index's folder. */
static cof_result put_run(struct index *index, const uint8_t *packs, uint32_t pack_count,
			  struct index_entry *entries, size_t count, struct cof_error *err)
{
	struct backend *backend = index->source->backend;
	_cleanup_buffer_ struct buffer content = { 0 };
	uint8_t id[STORE_UUID_BYTES];
	char hex[2 * STORE_UUID_BYTES + 1];
	char name[NAME_CHARS];

	TRY(index_run_encode(index->source->group, packs, pack_count, entries, count, &content,
			     err));
	TRY(random_bytes(id, sizeof(id), err));
	(void)snprintf(name, sizeof(name), "index/%s", hex_format(id, sizeof(id), hex));
	TRY(backend->ops->put(backend, name, buffer_span(&content), err));
	return fault_point("store/index-durable", err);
}

cof_result index_write(struct index *index, struct cof_error *err)
{
	_cleanup_free_ struct index_entry *entries = NULL;
	size_t count = 0;

	if (!index->loose.used || !index->packs.len)
		return COF_OK;
	entries = malloc(index->loose.used * sizeof(*entries));
	ENSURE(entries, err, COF_E_NOMEM, NULL, "no memory for the index");
	for (size_t i = 0; i < index->loose.room; i++)
		if (index->loose.taken[i] && index->loose.places[i].pack != ID_TABLE_CLAIMED)
			entries[count++] = index->loose.places[i];
	if (!count)
		return COF_OK;
	return put_run(index, index->packs.data, (uint32_t)(index->packs.len / STORE_UUID_BYTES),
		       entries, count, err);
}

void index_facts(const struct index *index, struct index_facts *ret_facts)
{
	struct index_facts facts = { .runs = index->run_count,
				     .damaged_runs = index->damaged,
				     .loose_packs = index->packs.len / STORE_UUID_BYTES };

	facts.packs = facts.loose_packs;
	for (size_t i = 0; i < index->run_count; i++) {
		facts.packs += index->runs[i].parts.pack_count;
		facts.chunks += index->runs[i].parts.entry_count;
	}
	*ret_facts = facts;
}

/* Who checks the runs, and what to tell whom. */
struct checking {
	struct backend *backend;
	const uint8_t *group;
	index_damage visit;
	void *context;
};

/* A backend_visit. */
static cof_result check_run(const char *name, uint64_t size_bytes, void *context,
			    struct cof_error *err)
{
	const struct checking *checking = context;
	struct backend *backend = checking->backend;
	struct mapping mapping = { 0 };
	struct index_run parts;
	struct cof_error why = { 0 };
	char full[NAME_CHARS];
	cof_result checked;

	(void)snprintf(full, sizeof(full), "index/%s", name);
	checked = backend->ops->map(backend, full, &mapping, &why);
	if (checked.code == COF_E_NOENT)
		return COF_OK;
	if (!cof_failed(checked))
		checked = index_run_decode(mapping.bytes, checking->group, full, &parts, &why);
	if (!cof_failed(checked))
		checked = index_run_check(mapping.bytes, full, &why);
	backend->ops->unmap(&mapping);
	if (!cof_failed(checked))
		return COF_OK;
	return checking->visit(full, &why, checking->context, err);
}

cof_result index_check_runs(struct backend *backend, const uint8_t group[static STORE_UUID_BYTES],
			    index_damage visit, void *context, struct cof_error *err)
{
	struct checking checking = { backend, group, visit, context };

	return backend->ops->list(backend, "index", check_run, &checking, err);
}
