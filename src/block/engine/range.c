/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Locks on ranges: see range.h. A table as long as there are threads is searched faster than a
 * tree of so few entries.
 */

#include "range.h"

#include <string.h>

void range_locks_init(struct range_locks *locks, size_t count)
{
	memset(locks, 0, sizeof(*locks));
	(void)pthread_mutex_init(&locks->mutex, NULL);
	(void)pthread_cond_init(&locks->changed, NULL);
	locks->count = count < RANGE_SLOTS_MAX ? count : RANGE_SLOTS_MAX;
}

void range_locks_done(struct range_locks *locks)
{
	(void)pthread_cond_destroy(&locks->changed);
	(void)pthread_mutex_destroy(&locks->mutex);
}

/* Whether somebody else's range stands against this one. */
static bool blocked(const struct range_locks *locks, size_t slot, const struct range *wanted)
{
	for (size_t i = 0; i < locks->count; i++) {
		const struct range *other = &locks->held[i];

		if (i != slot && other->start < wanted->end && wanted->start < other->end &&
		    (other->exclusive || wanted->exclusive))
			return true;
	}
	return false;
}

void range_lock(struct range_locks *locks, size_t slot, uint64_t start, uint64_t end,
		bool exclusive)
{
	struct range wanted = { .start = start, .end = end, .exclusive = exclusive };

	(void)pthread_mutex_lock(&locks->mutex);
	while (blocked(locks, slot, &wanted)) {
		locks->waiting++;
		(void)pthread_cond_wait(&locks->changed, &locks->mutex);
		locks->waiting--;
	}
	locks->held[slot] = wanted;
	(void)pthread_mutex_unlock(&locks->mutex);
}

void range_unlock(struct range_locks *locks, size_t slot)
{
	(void)pthread_mutex_lock(&locks->mutex);
	locks->held[slot] = (struct range){ 0 };
	if (locks->waiting > 0)
		(void)pthread_cond_broadcast(&locks->changed);
	(void)pthread_mutex_unlock(&locks->mutex);
}
