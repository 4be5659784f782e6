/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STORE_ID_TABLE_H
#define COF_STORE_ID_TABLE_H

/*
 * A hash table of chunks in memory. Ids are keyed digests, so they are their own hashes.
 */

#include "index_run.h"

#define ID_TABLE_CLAIMED UINT32_MAX /* as a pack: being stored */

/** struct id_table - { 0 } is empty; @used of @room places are taken */
struct id_table {
	struct index_entry *places;
	bool *taken;
	size_t used;
	size_t room;
};

void id_table_done(struct id_table *table);
/** id_table_find() - borrowed until the next change; NULL where there is none */
struct index_entry *id_table_find(const struct id_table *table, const uint8_t *id);
/** id_table_put() - add it, or replace what is there. Fails: COF_E_NOMEM */
cof_result id_table_put(struct id_table *table, const struct index_entry *entry,
			struct cof_error *err);

#endif
