/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BASE_PROGRESS_H
#define COF_BASE_PROGRESS_H

/*
 * Progress of several jobs at once: on a terminal one line each that is redrawn, with a bar, rate
 * and remaining time where a job has a size; elsewhere one line per step. All on stderr.
 * Safe from several threads.
 */

#include <stdint.h>

#include "cleanup.h"
#include "result.h"

struct progress;

/**
 * progress_new() - a board for @jobs lines
 * @quiet: draw nothing (for --json and --quiet)
 */
cof_result progress_new(size_t jobs, bool quiet, struct progress **ret_progress,
			struct cof_error *err);
/** progress_free() - leaves the last state of each line on the terminal */
void progress_free(struct progress *progress);
DEFINE_FREEP(struct progress, progress_freep, progress_free)

/** progress_step() - job @job (from 0), called @name, now does @step; all borrowed */
void progress_step(struct progress *progress, size_t job, const char *name, const char *step);
/**
 * progress_end() - job @job has come to its end; shown on a terminal alone, since the verb's own
 * result says the same
 */
void progress_end(struct progress *progress, size_t job, const char *name, const char *state);
/** progress_amount() - job @job has done @done_bytes of @total_bytes of its present step */
void progress_amount(struct progress *progress, size_t job, uint64_t done_bytes,
		     uint64_t total_bytes);

#endif
