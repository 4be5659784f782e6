/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STORE_INDEX_H
#define COF_STORE_INDEX_H

/*
 * Which chunks a group has, and where: the runs of the index, and the tables of packs that no run
 * covers, because a writer was cut off or the index is gone. Nothing here is believed before the
 * pack's own table says the same. index_claim() and index_add_pack() are safe from any thread; the
 * rest is for one, while no other claims.
 */

#include "index_run.h"
#include "shelf.h"

struct index;

/** index_open() - map the runs; read the tables of packs that are in none of them.
 * @source: borrowed. Fails: COF_E_IO, COF_E_NOMEM */
cof_result index_open(const struct pack_source *source, struct index **ret_index,
		      struct cof_error *err);
void index_free(struct index *index);
DEFINE_FREEP(struct index, index_freep, index_free)

/** index_shelf() - its packs; borrowed */
struct shelf *index_shelf(struct index *index);

/**
 * index_find() - a chunk
 * @ret_pack: for shelf_put() of index_shelf()
 * A run that is wrong about it makes the index be built again from the packs, in memory.
 * Fails: COF_E_FORMAT (it is in no pack), as shelf_get() (its pack is damaged)
 */
cof_result index_find(struct index *index, const uint8_t id[static STORE_ID_BYTES],
		      struct pack **ret_pack, uint32_t *ret_ordinal, struct cof_error *err);

/** index_claim() - whether the caller has to store this chunk: nobody has it, and nobody else is
 * storing it. Fails: COF_E_NOMEM */
cof_result index_claim(struct index *index, const uint8_t id[static STORE_ID_BYTES],
		       bool *ret_yours, struct cof_error *err);

/** index_add_pack() - a pack that this process has written; for struct pack_place */
cof_result index_add_pack(const uint8_t pack[static STORE_UUID_BYTES],
			  const struct pack_entry *entries, uint32_t count, void *index,
			  struct cof_error *err);

/** index_write() - a new run with everything that is in none yet, durable. Fails: COF_E_IO,
 * COF_E_NOSPC, COF_E_NOMEM */
cof_result index_write(struct index *index, struct cof_error *err);

/** struct index_facts - for those who show them */
struct index_facts {
	size_t runs;
	size_t packs;	     /* that a run covers, or whose table was read */
	size_t loose_packs;  /* that no run covers */
	size_t damaged_runs; /* that cannot be used */
	uint64_t chunks;     /* in the runs; one that is in several counts as often */
};
void index_facts(const struct index *index, struct index_facts *ret_facts);

/** index_check_runs() - every run against its checksum; @visit is called for each that is damaged,
 * with its name and what is wrong. Fails: COF_E_IO, as @visit */
typedef cof_result (*index_damage)(const char *name, const struct cof_error *why, void *context,
				   struct cof_error *err);
cof_result index_check_runs(struct backend *backend, const uint8_t group[static STORE_UUID_BYTES],
			    index_damage visit, void *context, struct cof_error *err);

#endif
