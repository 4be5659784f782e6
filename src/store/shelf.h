/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STORE_SHELF_H
#define COF_STORE_SHELF_H

/*
 * The packs that are in use at the moment, with their tables, so that each is read once: chunks
 * that belong together lie together. Safe from any thread.
 */

#include "pack_read.h"

struct shelf;

/** shelf_new() - an empty one; @source is borrowed. Fails: COF_E_NOMEM */
cof_result shelf_new(const struct pack_source *source, struct shelf **ret_shelf,
		     struct cof_error *err);
void shelf_free(struct shelf *shelf);
DEFINE_FREEP(struct shelf, shelf_freep, shelf_free)

/** shelf_get() - a pack, until shelf_put(). Fails: as pack_open() */
cof_result shelf_get(struct shelf *shelf, const uint8_t id[static STORE_UUID_BYTES],
		     struct pack **ret_pack, struct cof_error *err);
void shelf_put(struct shelf *shelf, struct pack *pack);

#endif
