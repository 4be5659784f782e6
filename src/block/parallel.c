/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "parallel.h"

/* Unlocking waits for devices as much as for the processor: twice as many threads as cores. */
#define THREADS_PER_CORE 2
#define THREADS_MAX	 16

struct pool {
	atomic_size_t next;
	size_t count;
	void (*work)(size_t index, void *context);
	void *context;
};

/* Takes indexes until none is left. */
static void *worker(void *argument)
{
	struct pool *pool = argument;

	for (;;) {
		size_t index = atomic_fetch_add(&pool->next, 1);

		if (index >= pool->count)
			return NULL;
		pool->work(index, pool->context);
	}
}

void parallel_each(size_t count, void (*work)(size_t index, void *context), void *context)
{
	struct pool pool = { .count = count, .work = work, .context = context };
	pthread_t threads[THREADS_MAX];
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	size_t wanted = cores > 0 ? (size_t)cores * THREADS_PER_CORE : THREADS_PER_CORE;
	size_t started = 0;

	if (wanted > THREADS_MAX)
		wanted = THREADS_MAX;
	/* The caller is one of the workers. */
	while (started + 1 < wanted && started + 1 < count &&
	       pthread_create(&threads[started], NULL, worker, &pool) == 0)
		started++;
	(void)worker(&pool);
	for (size_t i = 0; i < started; i++)
		(void)pthread_join(threads[i], NULL);
}
