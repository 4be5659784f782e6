/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_ENGINE_RANGE_H
#define COF_BLOCK_ENGINE_RANGE_H

/*
 * Locks on ranges of bytes between a few threads: many may read a range, one may write it.
 *
 * A write of part of a sector reads, changes and writes the whole of it; without this lock it
 * would undo what another thread has written to the rest in the meantime. Each thread holds one
 * range at most, so that there is nothing to wait for in a circle.
 */

#include <pthread.h>
#include <stdint.h>

#include "result.h"

#define RANGE_SLOTS_MAX 64

/** struct range_locks - for @count threads; the content is private to range.c */
struct range_locks {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	unsigned int waiting;
	size_t count;
	struct range {
		uint64_t start;
		uint64_t end; /* equal to start: nothing is held */
		bool exclusive;
	} held[RANGE_SLOTS_MAX];
};

/** range_locks_init() - @count is how many ranges can be held at once, 1 to RANGE_SLOTS_MAX */
void range_locks_init(struct range_locks *locks, size_t count);
void range_locks_done(struct range_locks *locks);

/**
 * range_lock() - wait for @start to @end, and hold it
 * @slot:      of the calling thread, which holds nothing in it; less than the count
 * @exclusive: nobody else may hold any of it; otherwise nobody else may hold it exclusively
 */
void range_lock(struct range_locks *locks, size_t slot, uint64_t start, uint64_t end,
		bool exclusive);
/** range_unlock() - let go of what the slot holds; nothing is fine */
void range_unlock(struct range_locks *locks, size_t slot);

#endif
