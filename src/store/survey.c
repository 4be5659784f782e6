/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is in the packs of a group.
 */

#include <stdio.h>
#include <string.h>

#include "log.h"
#include "number.h"
#include "store_internal.h"

/* One walk over the packs. */
struct survey {
	struct store *store;
	store_pack_visit visit;
	void *context;
	size_t damaged;
};

/* Adds up what a table says. */
static void sum_up(const struct pack *pack, struct store_pack *facts)
{
	for (uint32_t i = 0; i < pack->count; i++) {
		if (pack->entries[i].type == CHUNK_PADDING)
			continue;
		facts->chunks++;
		facts->plain_bytes += pack->entries[i].plain_bytes;
		facts->stored_bytes += pack->entries[i].stored_bytes;
	}
}

/* A backend_visit. */
static cof_result visit_pack(const char *name, uint64_t size_bytes, void *context,
			     struct cof_error *err)
{
	struct survey *survey = context;
	_cleanup_(pack_closep) struct pack *pack = NULL;
	struct store_pack facts = { .bytes = size_bytes };
	uint8_t id[STORE_UUID_BYTES];
	cof_result opened;

	if (strlen(name) != 2 * sizeof(id) || cof_failed(hex_parse(name, id, sizeof(id), NULL)))
		return COF_OK;
	opened = pack_open(&survey->store->source, id, &pack, NULL);
	if (opened.code == COF_E_NOENT)
		return COF_OK;
	if (cof_failed(opened)) {
		log_debug("store", "pack %s does not open", name);
		survey->damaged++;
		return COF_OK;
	}
	(void)snprintf(facts.id, sizeof(facts.id), "%s", name);
	facts.key_id = pack->head.key_id;
	facts.key_generation = pack->head.key_generation;
	facts.created = pack->head.created;
	sum_up(pack, &facts);
	return survey->visit(&facts, survey->context, err);
}

cof_result store_each_pack(struct store *store, store_pack_visit visit, void *context,
			   size_t *ret_damaged, struct cof_error *err)
{
	struct survey survey = { store, visit, context, 0 };

	TRY(store->backend->ops->list(store->backend, "packs", visit_pack, &survey, err));
	*ret_damaged = survey.damaged;
	return COF_OK;
}
