/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>

struct slot {
	void *job;
	bool done;
	cof_result result;
	struct cof_error error;
};

/*
 * A ring: jobs from @taken to @begun are being worked on or done, from @begun to @submitted they
 * wait. The three only count up.
 */
struct pool {
	pthread_mutex_t lock;
	pthread_cond_t wanted; /* there is work, or the end has come */
	pthread_cond_t finished;
	uint64_t taken;
	uint64_t begun;
	uint64_t submitted;
	bool ends;
	struct pool_work work;
	struct slot *slots;
	size_t depth;
	struct worker {
		struct pool *pool;
		size_t number;
		pthread_t thread;
	} * workers;
	size_t threads; /* that run */
};

size_t pool_processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return (size_t)CPU_COUNT(&set);
}

/* The next job, or NULL at the end. Called and left with the lock held. */
static struct slot *next_slot(struct pool *pool)
{
	while (pool->begun == pool->submitted && !pool->ends)
		(void)pthread_cond_wait(&pool->wanted, &pool->lock);
	if (pool->begun == pool->submitted)
		return NULL;
	return &pool->slots[pool->begun++ % pool->depth];
}

static void *work(void *context)
{
	const struct worker *worker = context;
	struct pool *pool = worker->pool;
	struct slot *slot;

	(void)pthread_mutex_lock(&pool->lock);
	while ((slot = next_slot(pool))) {
		cof_result result;

		(void)pthread_mutex_unlock(&pool->lock);
		result =
			pool->work.run(slot->job, worker->number, pool->work.context, &slot->error);
		(void)pthread_mutex_lock(&pool->lock);
		slot->result = result;
		slot->done = true;
		(void)pthread_cond_broadcast(&pool->finished);
	}
	(void)pthread_mutex_unlock(&pool->lock);
	return NULL;
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	(void)pthread_mutex_lock(&pool->lock);
	pool->ends = true;
	(void)pthread_cond_broadcast(&pool->wanted);
	(void)pthread_mutex_unlock(&pool->lock);
	for (size_t i = 0; i < pool->threads; i++)
		(void)pthread_join(pool->workers[i].thread, NULL);
	(void)pthread_cond_destroy(&pool->wanted);
	(void)pthread_cond_destroy(&pool->finished);
	(void)pthread_mutex_destroy(&pool->lock);
	free(pool->slots);
	free(pool->workers);
	free(pool);
}

/* Starts one thread, which leaves signals to the process's first one. */
static int start_worker(struct worker *worker)
{
	sigset_t all;
	sigset_t before;
	int status;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	status = pthread_create(&worker->thread, NULL, work, worker);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return status;
}

cof_result pool_new(size_t threads, size_t depth, struct pool_work work_of, struct pool **ret_pool,
		    struct cof_error *err)
{
	_cleanup_(pool_freep) struct pool *pool = calloc(1, sizeof(*pool));

	ENSURE(pool, err, COF_E_NOMEM, NULL, "no memory for threads");
	(void)pthread_mutex_init(&pool->lock, NULL);
	(void)pthread_cond_init(&pool->wanted, NULL);
	(void)pthread_cond_init(&pool->finished, NULL);
	pool->work = work_of;
	pool->depth = depth;
	pool->slots = calloc(depth, sizeof(*pool->slots));
	pool->workers = calloc(threads, sizeof(*pool->workers));
	ENSURE(pool->slots && pool->workers, err, COF_E_NOMEM, NULL, "no memory for threads");
	for (size_t i = 0; i < threads; i++) {
		pool->workers[i] = (struct worker){ .pool = pool, .number = i };
		ENSURE(start_worker(&pool->workers[i]) == 0, err, COF_E_NOMEM, NULL,
		       "a thread cannot be started");
		pool->threads++;
	}
	*ret_pool = TAKE(pool);
	return COF_OK;
}

/* Only the thread that calls these moves @submitted and @taken. */
bool pool_is_full(const struct pool *pool)
{
	return pool->submitted - pool->taken == pool->depth;
}

bool pool_is_empty(const struct pool *pool)
{
	return pool->submitted == pool->taken;
}

void pool_submit(struct pool *pool, void *job)
{
	struct slot *slot = &pool->slots[pool->submitted % pool->depth];

	(void)pthread_mutex_lock(&pool->lock);
	*slot = (struct slot){ .job = job };
	pool->submitted++;
	(void)pthread_cond_signal(&pool->wanted);
	(void)pthread_mutex_unlock(&pool->lock);
}

cof_result pool_take(struct pool *pool, void **ret_job, struct cof_error *err)
{
	struct slot *slot = &pool->slots[pool->taken % pool->depth];

	(void)pthread_mutex_lock(&pool->lock);
	while (!slot->done)
		(void)pthread_cond_wait(&pool->finished, &pool->lock);
	pool->taken++;
	(void)pthread_mutex_unlock(&pool->lock);
	*ret_job = slot->job;
	if (cof_failed(slot->result) && err)
		*err = slot->error;
	return slot->result;
}
