/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "cleanup.h"
#include "log.h"
#include "patience.h"

struct patience {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t ended;
	struct timespec until;
	const char *what;
	bool is_over;
};

/* Waits for the end, and speaks when it does not come in time. */
static void *wait_for_end(void *context)
{
	struct patience *patience = context;
	int timed_out = 0;

	(void)pthread_mutex_lock(&patience->mutex);
	while (!patience->is_over && timed_out == 0)
		timed_out = pthread_cond_timedwait(&patience->ended, &patience->mutex,
						   &patience->until);
	if (!patience->is_over)
		log_notice("still waiting for %s; to interrupt is safe", patience->what);
	(void)pthread_mutex_unlock(&patience->mutex);
	return NULL;
}

struct patience *patience_begin(const char *what, unsigned int timeout_ms)
{
	struct patience *patience = calloc(1, sizeof(*patience));

	if (!patience)
		return NULL;
	patience->what = what;
	(void)pthread_mutex_init(&patience->mutex, NULL);
	(void)pthread_cond_init(&patience->ended, NULL);
	(void)clock_gettime(CLOCK_REALTIME, &patience->until);
	patience->until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	patience->until.tv_sec += timeout_ms / 1000 + patience->until.tv_nsec / 1000000000;
	patience->until.tv_nsec %= 1000000000;
	if (pthread_create(&patience->thread, NULL, wait_for_end, patience) != 0) {
		free(patience);
		return NULL;
	}
	return patience;
}

void patience_end(struct patience *patience)
{
	if (!patience)
		return;
	(void)pthread_mutex_lock(&patience->mutex);
	patience->is_over = true;
	(void)pthread_cond_signal(&patience->ended);
	(void)pthread_mutex_unlock(&patience->mutex);
	(void)pthread_join(patience->thread, NULL);
	(void)pthread_cond_destroy(&patience->ended);
	(void)pthread_mutex_destroy(&patience->mutex);
	free(patience);
}
