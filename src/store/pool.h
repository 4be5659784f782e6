/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STORE_POOL_H
#define COF_STORE_POOL_H

/*
 * Threads that work on jobs side by side and give them back in the order in which they came.
 * One thread submits and takes; the work runs in the pool's own threads.
 */

#include "cleanup.h"
#include "result.h"

struct pool;

/**
 * struct pool_work - what the threads do
 * @run:     one job; @worker is the thread's number, from 0
 * @context: handed to @run
 */
struct pool_work {
	cof_result (*run)(void *job, size_t worker, void *context, struct cof_error *err);
	void *context;
};

/**
 * pool_new() - start the threads
 * @threads: 1 or more
 * @depth:   most jobs between pool_submit() and pool_take()
 * Fails: COF_E_NOMEM
 */
cof_result pool_new(size_t threads, size_t depth, struct pool_work work, struct pool **ret_pool,
		    struct cof_error *err);
/** pool_free() - ends the threads after the jobs at hand; jobs not taken stay their owner's */
void pool_free(struct pool *pool);
DEFINE_FREEP(struct pool, pool_freep, pool_free)

/** pool_is_full() - whether a job has to be taken before the next one is submitted */
bool pool_is_full(const struct pool *pool);
/** pool_is_empty() - whether there is nothing to take */
bool pool_is_empty(const struct pool *pool);
/** pool_submit() - one more job; @job is borrowed until pool_take() gives it back. A full pool is a
 * programming error */
void pool_submit(struct pool *pool, void *job);
/** pool_take() - wait for the job that was submitted first of those at hand. @ret_job is set also
 * on failure. Fails: as the job */
cof_result pool_take(struct pool *pool, void **ret_job, struct cof_error *err);

/** pool_processors() - how many processors this process may use */
size_t pool_processors(void);

#endif
