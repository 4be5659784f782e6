/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shelf.h"

#include <pthread.h>
#include <string.h>

#define PACKS_KEPT 64		      /* tables of about 200 KiB each, at the most */
#define PACKS_MAX  (PACKS_KEPT + 128) /* with those that jobs are using */

struct shelf {
	const struct pack_source *source;
	pthread_mutex_t lock;
	struct pack *packs[PACKS_MAX];
	size_t count;
	uint64_t clock; /* counts the uses */
};

cof_result shelf_new(const struct pack_source *source, struct shelf **ret_shelf,
		     struct cof_error *err)
{
	struct shelf *shelf = calloc(1, sizeof(*shelf));

	ENSURE(shelf, err, COF_E_NOMEM, NULL, "no memory left");
	shelf->source = source;
	(void)pthread_mutex_init(&shelf->lock, NULL);
	*ret_shelf = shelf;
	return COF_OK;
}

void shelf_free(struct shelf *shelf)
{
	if (!shelf)
		return;
	for (size_t i = 0; i < shelf->count; i++)
		pack_close(shelf->packs[i]);
	(void)pthread_mutex_destroy(&shelf->lock);
	free(shelf);
}

/* A pack that is there already. */
static struct pack *find(struct shelf *shelf, const uint8_t *id)
{
	for (size_t i = 0; i < shelf->count; i++)
		if (memcmp(shelf->packs[i]->head.pack, id, STORE_UUID_BYTES) == 0)
			return shelf->packs[i];
	return NULL;
}

/* Closes what nobody uses and was not used for longest, until there is room. */
static void make_room(struct shelf *shelf)
{
	while (shelf->count >= PACKS_KEPT) {
		size_t oldest = shelf->count;

		for (size_t i = 0; i < shelf->count; i++)
			if (!shelf->packs[i]->users &&
			    (oldest == shelf->count ||
			     shelf->packs[i]->used_at < shelf->packs[oldest]->used_at))
				oldest = i;
		if (oldest == shelf->count)
			return;
		pack_close(shelf->packs[oldest]);
		shelf->packs[oldest] = shelf->packs[--shelf->count];
	}
}

cof_result shelf_get(struct shelf *shelf, const uint8_t id[static STORE_UUID_BYTES],
		     struct pack **ret_pack, struct cof_error *err)
{
	struct pack *pack;
	cof_result opened = COF_OK;

	/* Opening under the lock makes the others wait, who mostly want the same pack. */
	(void)pthread_mutex_lock(&shelf->lock);
	pack = find(shelf, id);
	if (!pack) {
		make_room(shelf);
		if (shelf->count == PACKS_MAX)
			opened = cof_raise(err, COF_E_FAILED, NULL, "too many packs are in use");
		else
			opened = pack_open(shelf->source, id, &pack, err);
		if (!cof_failed(opened))
			shelf->packs[shelf->count++] = pack;
	}
	if (!cof_failed(opened)) {
		pack->users++;
		pack->used_at = ++shelf->clock;
	}
	(void)pthread_mutex_unlock(&shelf->lock);
	TRY(opened);
	*ret_pack = pack;
	return COF_OK;
}

void shelf_put(struct shelf *shelf, struct pack *pack)
{
	(void)pthread_mutex_lock(&shelf->lock);
	pack->users--;
	(void)pthread_mutex_unlock(&shelf->lock);
}
