/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A board of progress lines on stderr: see progress.h.
 */

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "number.h"
#include "progress.h"
#include "screen.h"

#define REDRAW_INTERVAL_MS 100
#define BAR_CHARS	   20

/* One line. */
struct job {
	char name[96];
	char step[96];
	uint64_t first_bytes; /* that were done before this run: they count for no rate */
	uint64_t done_bytes;
	uint64_t total_bytes;
	uint64_t started_ms; /* of the present step */
};

struct progress {
	pthread_mutex_t lock;
	bool quiet;
	bool terminal;
	bool drawn;
	uint64_t drawn_ms;
	size_t count;
	struct job jobs[];
};

/* "40s left", "12m05s left", "3h20m left". */
static void put_left(FILE *line, uint64_t seconds)
{
	if (seconds < 60)
		(void)fprintf(line, " %us left", (unsigned int)seconds);
	else if (seconds < 3600)
		(void)fprintf(line, " %um%02us left", (unsigned int)seconds / 60,
			      (unsigned int)seconds % 60);
	else
		(void)fprintf(line, " %lluh%02um left", (unsigned long long)seconds / 3600,
			      (unsigned int)(seconds % 3600 / 60));
}

/* The bar, rate and remaining time of a job whose size is known. */
static void put_amount(FILE *line, const struct job *job, uint64_t now)
{
	unsigned int filled = (unsigned int)(job->done_bytes * BAR_CHARS / job->total_bytes);
	uint64_t elapsed_ms = now - job->started_ms;
	uint64_t rate = elapsed_ms ? (job->done_bytes - job->first_bytes) * 1000 / elapsed_ms : 0;
	char done[16];
	char per_second[16];

	(void)fprintf(line, " [%.*s%*s] %s", (int)filled, "####################",
		      (int)(BAR_CHARS - filled), "", size_format(job->done_bytes, done));
	if (rate == 0)
		return;
	(void)fprintf(line, " %s/s", size_format(rate, per_second));
	if (job->done_bytes < job->total_bytes)
		put_left(line, (job->total_bytes - job->done_bytes) / rate);
}

/* One job's line, cut off where the screen ends: a line that went on in the next row would stay
 * there when it is drawn over. */
static void draw_job(const struct job *job, uint64_t now, size_t columns)
{
	char text[sizeof(job->name) + sizeof(job->step) + 128] = "";
	_cleanup_file_ FILE *line = fmemopen(text, sizeof(text), "w");

	if (!line)
		return;
	(void)fprintf(line, "%s%s%s", job->name, job->step[0] ? ": " : "", job->step);
	if (job->total_bytes > 0)
		put_amount(line, job, now);
	(void)fflush(line);
	(void)fprintf(stderr, "\r\033[K%.*s\n", (int)screen_fit(text, columns - 1), text);
}

/* Redraws every line, over the ones drawn before. */
static void draw(struct progress *progress)
{
	size_t columns = screen_columns(STDERR_FILENO, 80);
	uint64_t now = clock_ms();

	if (progress->drawn)
		(void)fprintf(stderr, "\033[%zuA", progress->count);
	for (size_t i = 0; i < progress->count; i++)
		draw_job(&progress->jobs[i], now, columns);
	progress->drawn = true;
	progress->drawn_ms = now;
}

cof_result progress_new(size_t jobs, bool quiet, struct progress **ret_progress,
			struct cof_error *err)
{
	struct progress *progress = calloc(1, sizeof(*progress) + jobs * sizeof(struct job));
	const char *kind = getenv("TERM");

	ENSURE(progress, err, COF_E_NOMEM, NULL, "no memory for a progress board");
	(void)pthread_mutex_init(&progress->lock, NULL);
	progress->quiet = quiet;
	/* What has scrolled away cannot be drawn over. */
	progress->terminal = isatty(STDERR_FILENO) && kind && strcmp(kind, "dumb") != 0 &&
			     jobs < screen_rows(STDERR_FILENO, SIZE_MAX);
	progress->count = jobs;
	*ret_progress = progress;
	return COF_OK;
}

void progress_free(struct progress *progress)
{
	if (!progress)
		return;
	if (progress->terminal && progress->drawn)
		draw(progress);
	(void)pthread_mutex_destroy(&progress->lock);
	free(progress);
}

void progress_step(struct progress *progress, size_t job, const char *name, const char *step)
{
	struct job *line;

	if (!progress || progress->quiet || job >= progress->count)
		return;
	(void)pthread_mutex_lock(&progress->lock);
	line = &progress->jobs[job];
	(void)snprintf(line->name, sizeof(line->name), "%s", name);
	(void)snprintf(line->step, sizeof(line->step), "%s", step);
	line->first_bytes = 0;
	line->done_bytes = 0;
	line->total_bytes = 0;
	line->started_ms = clock_ms();
	if (progress->terminal)
		draw(progress);
	else
		(void)fprintf(stderr, "%s: %s\n", name, step);
	(void)pthread_mutex_unlock(&progress->lock);
}

void progress_end(struct progress *progress, size_t job, const char *name, const char *state)
{
	if (progress && progress->terminal)
		progress_step(progress, job, name, state);
}

void progress_amount(struct progress *progress, size_t job, uint64_t done_bytes,
		     uint64_t total_bytes)
{
	if (!progress || progress->quiet || job >= progress->count)
		return;
	(void)pthread_mutex_lock(&progress->lock);
	if (progress->jobs[job].total_bytes == 0)
		progress->jobs[job].first_bytes = done_bytes < total_bytes ? done_bytes : 0;
	progress->jobs[job].done_bytes = done_bytes < total_bytes ? done_bytes : total_bytes;
	progress->jobs[job].total_bytes = total_bytes;
	if (progress->terminal && clock_ms() - progress->drawn_ms >= REDRAW_INTERVAL_MS)
		draw(progress);
	(void)pthread_mutex_unlock(&progress->lock);
}
