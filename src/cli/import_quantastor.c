/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer import quantastor: disks that qs-util has encrypted, into the vault and back.
 */

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "backup_show.h"
#include "disk_results.h"
#include "file.h"
#include "quantastor.h"
#include "unlocking.h"
#include "verbs.h"

/* The folder, as crypttab names it: absolute, without a slash at its end. */
static cof_result choose_folder(const struct cli_call *call, char **ret_folder,
				struct cof_error *err)
{
	_cleanup_free_ char *folder = NULL;
	size_t len;

	if (call->arg_count == 0)
		return path_format(ret_folder, err, "%s" QUANTASTOR_FOLDER, call->paths->root);
	ENSURE(call->args[0][0] == '/', err, COF_E_USAGE, call->args[0],
	       "is no absolute path, as crypttab needs it");
	TRY(path_format(&folder, err, "%s", call->args[0]));
	for (len = strlen(folder); len > 1 && folder[len - 1] == '/'; len--)
		folder[len - 1] = '\0';
	*ret_folder = TAKE(folder);
	return COF_OK;
}

/* --dry-run: what would be done with each key file. */
static void say_plan(const struct cli_call *call, const struct quantastor_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct quantastor_job *job = &plan->jobs[i];

		if (job->result.error.code != COF_E_NONE)
			continue;
		cli_say(call, "%s opens %s:", job->key_file, job->device->node);
		cli_say(call, "  store its key and a copy of its header in the vault, as %s",
			job->result.name);
		if (job->header.len)
			cli_say(call, "  store the older copy of the header, %s, as well",
				job->header_file);
		if (job->adopt.jobs[0].disk.crypttab)
			cli_say(call, "  have its line in %s name coffer's key server",
				call->paths->crypttab);
	}
}

/* Shows every key file's result. */
static cof_result show(struct cli_call *call, const struct quantastor_plan *plan,
		       struct cof_error *err)
{
	_cleanup_free_ struct disk_result *results = calloc(plan->count + 1, sizeof(*results));

	ENSURE(results, err, COF_E_NOMEM, NULL, "no memory for %zu results", plan->count);
	for (size_t i = 0; i < plan->count; i++)
		results[i] = plan->jobs[i].result;
	return disk_results_show(call, results, plan->count, "imported",
				 call->dry_run ? "would be imported" : "is in the vault already",
				 err);
}

/* What comes next, once something was imported. */
static void say_next(struct cli_call *call, struct vault *vault, const struct quantastor_plan *plan)
{
	bool changed = false;

	for (size_t i = 0; i < plan->count; i++)
		changed = changed || plan->jobs[i].result.changed;
	if (!changed)
		return;
	backup_tell_older(vault);
	cli_say(call,
		"Nothing was removed from %s: once the machine has started with the vault, "
		"`coffer import quantastor --done` does that; --undo goes back.",
		plan->folder);
}

/* Takes the disks over. */
static cof_result import(struct cli_call *call, struct vault *vault, const char *folder,
			 struct cof_error *err)
{
	_cleanup_(quantastor_plan_done) struct quantastor_plan plan = { 0 };
	_cleanup_(progress_freep) struct progress *progress = NULL;

	TRY(progress_new(1, call->json || call->quiet, &progress, err));
	TRY(quantastor_plan(vault, call->paths, folder, progress, &plan, err));
	progress_free(TAKE(progress));
	if (plan.count == 0)
		cli_say(call, "%s has no key files: nothing to do", folder);
	if (call->dry_run) {
		say_plan(call, &plan);
		return show(call, &plan, err);
	}
	TRY(progress_new(plan.count, call->json || call->quiet, &progress, err));
	/* Every failure is in the results as well, from where show() passes the first up. */
	cof_ignore(quantastor_run(vault, call->paths, &plan, progress, err));
	progress_free(TAKE(progress));
	TRY(show(call, &plan, err));
	say_next(call, vault, &plan);
	return COF_OK;
}

/* Goes back, or removes what is old. */
static cof_result end(struct cli_call *call, struct vault *vault, const char *folder,
		      struct cof_error *err)
{
	_cleanup_(quantastor_end_done) struct quantastor_end ends = { 0 };
	bool undo = cli_flag(call, "undo");
	cof_result ended;

	if (!undo && !call->dry_run)
		TRY(cli_confirm_destroy(call, folder, NULL,
					"key files and header copies of the disks that were "
					"imported will be overwritten and removed there",
					err));
	ended = (undo ? quantastor_undo : quantastor_finish)(vault, call->paths, folder,
							     call->dry_run, &ends, err);
	if (!ends.results)
		return ended;
	if (ends.count == 0)
		cli_say(call, "no disk from %s is in the vault that this concerns: nothing to do",
			folder);
	return disk_results_show(
		call, ends.results, ends.count,
		undo ? "is as before the import" : "opens with the vault alone",
		undo ? "would be as before the import" : "would open with the vault alone", err);
}

/* coffer import quantastor. */
static cof_result run_import(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_free_ char *folder = NULL;
	bool ends = cli_flag(call, "undo") || cli_flag(call, "done");

	ENSURE(!cli_flag(call, "undo") || !cli_flag(call, "done"), err, COF_E_USAGE, "--undo",
	       "and --done exclude each other");
	TRY(choose_folder(call, &folder, err));
	TRY(cli_open_vault(call, true, &vault, err));
	return ends ? end(call, vault, folder, err) : import(call, vault, folder, err);
}

const struct cli_verb cli_verb_import_quantastor = {
	.noun = "import",
	.verb = "quantastor",
	.arguments = "[DIR]",
	.max_args = 1,
	.argument_type = CLI_FILE,
	.summary = "take over the disks that QuantaStor's qs-util has encrypted",
	.description =
		"DIR, " QUANTASTOR_FOLDER
		" unless named, has keys/NAME.key and headers/NAME.*; crypttab names the "
		"key files. Each key file is seen to open its device, which is found by that "
		"line, by the by-id name in the file's own name, by the LUKS UUID in the copy of "
		"the header, or by trying all. Then the vault stores the key, a copy of the "
		"header as it is, and qs-util's older copy, and the line names coffer's key "
		"server. Nothing is written to a disk, which may be open, and nothing is removed. "
		"A run that was interrupted is finished by the same command. A key file that "
		"opens nothing here stays, and is named.\n\n"
		"--undo brings the lines of crypttab back as they were and has the vault forget "
		"the disks, as long as the key files open them.\n\n"
		"--done removes what is old: it asks, sees that the vault's key opens each disk, "
		"and overwrites and removes its key file and header copy. A disk that is not "
		"attached keeps them.\n\n"
		"The disks keep their keys, and the time that each takes to open. `coffer key "
		"rotate --all` gives them new ones, which open in milliseconds; whoever has a copy "
		"of an old key file cannot use it any more.",
	.options = (const struct cli_option[]){ { "undo", CLI_FLAG, NULL,
						  "go back to how it was before the import" },
						{ "done", CLI_FLAG, NULL,
						  "overwrite and remove the old key files and "
						  "header copies" },
						CLI_UNLOCK_OPTIONS,
						{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer import quantastor --dry-run", "which key opens which disk" },
			{ "coffer import quantastor", "take the disks over" },
			{ "coffer import quantastor --done", "once the machine has started so" },
			{ 0 } },
	.changes = true,
	.destroys = true,
	.shows = true,
	.needs_root = true,
	.run = run_import,
};
