/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "id_table.h"

#include <string.h>

#define FIRST_ROOM 1024 /* a power of two, as it always stays */

void id_table_done(struct id_table *table)
{
	free(table->places);
	free(table->taken);
	*table = (struct id_table){ 0 };
}

/* The place of an id, or the free one where it belongs. */
static size_t place_of(const struct id_table *table, const uint8_t *id)
{
	uint64_t word;
	size_t at;

	memcpy(&word, id, sizeof(word));
	at = word & (table->room - 1);
	while (table->taken[at] && memcmp(table->places[at].id, id, STORE_ID_BYTES) != 0)
		at = (at + 1) & (table->room - 1);
	return at;
}

struct index_entry *id_table_find(const struct id_table *table, const uint8_t *id)
{
	size_t at;

	if (!table->room)
		return NULL;
	at = place_of(table, id);
	return table->taken[at] ? &table->places[at] : NULL;
}

/* Twice the room. */
static cof_result grow(struct id_table *table, struct cof_error *err)
{
	struct id_table wider = { .room = table->room ? 2 * table->room : FIRST_ROOM };

	wider.places = malloc(wider.room * sizeof(*wider.places));
	wider.taken = calloc(wider.room, sizeof(*wider.taken));
	if (!wider.places || !wider.taken) {
		id_table_done(&wider);
		FAIL(err, COF_E_NOMEM, NULL, "no memory for %zu chunks", table->used);
	}
	for (size_t i = 0; i < table->room; i++) {
		size_t at;

		if (!table->taken[i])
			continue;
		at = place_of(&wider, table->places[i].id);
		wider.places[at] = table->places[i];
		wider.taken[at] = true;
	}
	wider.used = table->used;
	id_table_done(table);
	*table = wider;
	return COF_OK;
}

cof_result id_table_put(struct id_table *table, const struct index_entry *entry,
			struct cof_error *err)
{
	size_t at;

	if (4 * (table->used + 1) > 3 * table->room)
		TRY(grow(table, err));
	at = place_of(table, entry->id);
	table->used += !table->taken[at];
	table->taken[at] = true;
	table->places[at] = *entry;
	return COF_OK;
}
