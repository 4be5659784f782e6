/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cleanup.h"
#include "disk_results.h"
#include "disk_steps.h"

cof_result disk_steps_names(struct cli_call *call, struct cof_error *err)
{
	_cleanup_free_ struct disk_result *results = calloc(call->arg_count + 1, sizeof(*results));
	cof_result checked;

	ENSURE(results, err, COF_E_NOMEM, NULL, "no memory for %zu results", call->arg_count);
	checked = disk_check_names(call->args, call->arg_count, results, err);
	if (!cof_failed(checked))
		return COF_OK;
	disk_results_suggest_list(call->args, call->arg_count, results);
	TRY(disk_results_show(call, results, call->arg_count, "", "", err));
	return checked;
}

/* Hands every device's result to disk_results_show(). */
static cof_result show(struct cli_call *call, const struct disk_steps *steps, struct cof_error *err)
{
	_cleanup_free_ struct disk_result *results = calloc(steps->count + 1, sizeof(*results));

	ENSURE(results, err, COF_E_NOMEM, NULL, "no memory for %zu results", steps->count);
	for (size_t i = 0; i < steps->count; i++)
		results[i] = *steps->result(steps->context, i);
	return disk_results_show(call, results, steps->count, steps->done,
				 call->dry_run ? "planned" : steps->same, err);
}

cof_result disk_steps_run(struct cli_call *call, const struct disk_steps *steps,
			  struct cof_error *err)
{
	_cleanup_(progress_freep) struct progress *progress = NULL;

	if (call->dry_run) {
		steps->say(steps->context);
		return show(call, steps, err);
	}
	if (steps->stops && steps->stops(steps->context))
		return show(call, steps, err);
	TRY(steps->confirm(steps->context, err));
	TRY(progress_new(steps->count, call->json || call->quiet, &progress, err));
	/* Every failure is in the results as well, from where show() passes the first up. */
	cof_ignore(steps->run(steps->context, progress, err));
	progress_free(TAKE(progress));
	return show(call, steps, err);
}
