/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer disk destroy: what a disk holds is made unreadable for good.
 */

#include <stdio.h>
#include <string.h>

#include "backup_show.h"
#include "disk_destroy.h"
#include "disk_results.h"
#include "log.h"
#include "number.h"
#include "unlocking.h"
#include "verbs.h"

/* Who can read the data all the same: what has both a key and a copy of the header. */
static void describe_backups(const struct destroy_steps *steps, char *out, size_t out_size_bytes)
{
	if (!steps->last_backup[0])
		(void)snprintf(out, out_size_bytes,
			       "except with a backup of the vault from before (none is known)");
	else if (steps->backup_holds)
		(void)snprintf(out, out_size_bytes,
			       "except with a backup of the vault from before (the last: %s)",
			       steps->last_backup);
	else
		(void)snprintf(out, out_size_bytes,
			       "and the last backup of the vault, %s, does not have it yet",
			       steps->last_backup);
}

/* What is said before the question. */
static void describe_loss(const struct disk_destroy_job *job, char *out, size_t out_size_bytes)
{
	char backups[160];
	char size[16];

	describe_backups(&job->steps, backups, sizeof(backups));
	if (job->action == DESTROY_VAULT) {
		(void)snprintf(out, out_size_bytes,
			       "every key and header copy of %s will be removed, and the disk can "
			       "never be opened again, should it turn up, %s",
			       job->disk.name, backups);
		return;
	}
	(void)snprintf(out, out_size_bytes,
		       "all data on %s (%s%s%s%s%s, %s) will be unreadable for good, %s",
		       job->device->node, job->device->vendor, job->device->vendor[0] ? " " : "",
		       job->device->model[0] ? job->device->model : job->device->transport,
		       job->device->serial[0] ? ", serial number " : "", job->device->serial,
		       size_format(job->device->size_bytes, size), backups);
}

/* What goes, disk by disk; shown before anything is asked. */
static void say_plan(const struct cli_call *call, const struct disk_destroy_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct disk_destroy_job *job = &plan->jobs[i];
		char size[16];

		if (job->result.error.code != COF_E_NONE)
			continue;
		cli_say(call, "%s%s%s:", job->disk.name, job->device ? " on " : "",
			job->device ? job->device->node : "");
		if (job->action == DESTROY_CERTIFY) {
			cli_say(call, "  write the certificate of what was destroyed already");
			continue;
		}
		if (job->device) {
			cli_say(call,
				"  overwrite %zu keyslot%s and both headers (%s), and read back",
				job->slot_count, job->slot_count == 1 ? "" : "s",
				size_format(job->wipe_bytes, size));
			cli_say(call, "  %s",
				job->device->discards ? "discard all blocks of the device"
						      : "no discard: the device has none");
		}
		if (job->has_line)
			cli_say(call, "  remove its line from %s", call->paths->crypttab);
		cli_say(call,
			"  remove its record with %zu key%s and %zu header %s from the vault and "
			"its mirrors",
			job->key_count, job->key_count == 1 ? "" : "s", job->copy_count,
			job->copy_count == 1 ? "copy" : "copies");
		cli_say(call, "  write a certificate to the audit log");
	}
}

/* Asks for each disk; one refusal ends everything. */
static cof_result confirm(const struct cli_call *call, const struct disk_destroy_plan *plan,
			  struct cof_error *err)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct disk_destroy_job *job = &plan->jobs[i];
		char loss[1024];

		if (job->result.error.code != COF_E_NONE || job->action == DESTROY_CERTIFY)
			continue;
		describe_loss(job, loss, sizeof(loss));
		TRY(cli_confirm_destroy(call, call->args[i], job->disk.serial, loss, err));
	}
	return COF_OK;
}

/* A vault_visit_aside: warns of one copy. */
static cof_result warn_of_copy(const char *path, const char *remedy, void *context,
			       struct cof_error *err)
{
	struct cof_error warning = { 0 };

	(void)context;
	(void)err;
	(void)snprintf(warning.headline, sizeof(warning.headline),
		       "warning: what was destroyed may still be opened with the keys in %s", path);
	(void)snprintf(warning.text, sizeof(warning.text),
		       "it is a copy of the vault that was set aside, and follows no change");
	cof_error_try(&warning, "%s, once nothing in it is needed", remedy);
	cli_report(&warning);
	return COF_OK;
}

/* Names the disks that a backup brings back. */
static void tell_backups(const struct cli_call *call, const struct disk_destroy_plan *plan)
{
	for (size_t i = 0; i < plan->count && !call->quiet; i++) {
		const struct disk_destroy_job *job = &plan->jobs[i];

		if (job->result.changed && job->steps.backup_holds)
			log_notice("%s: backups of the vault made until %s still have its key and "
				   "a copy of its header, with which what was not overwritten can "
				   "be read: destroy them as well",
				   job->disk.name, job->steps.last_backup);
	}
}

/* Warns of the copies that were set aside, once something was destroyed. */
static void warn_of_copies(const struct cli_call *call, struct vault *vault,
			   const struct disk_destroy_plan *plan)
{
	bool destroyed = false;

	for (size_t i = 0; i < plan->count; i++)
		destroyed = destroyed || plan->jobs[i].result.changed;
	/* The certificates name them too, or there is none. */
	if (!destroyed)
		return;
	cof_ignore(vault_copies_aside(vault, warn_of_copy, NULL, NULL));
	tell_backups(call, plan);
	backup_tell_older(vault);
}

/* Hands every job's result to disk_results_show(). */
static cof_result show(struct cli_call *call, const struct disk_destroy_plan *plan,
		       struct cof_error *err)
{
	_cleanup_free_ struct disk_result *results = calloc(plan->count + 1, sizeof(*results));

	ENSURE(results, err, COF_E_NOMEM, NULL, "no memory for %zu results", plan->count);
	for (size_t i = 0; i < plan->count; i++)
		results[i] = plan->jobs[i].result;
	disk_results_suggest_list(call->args, plan->count, results);
	return disk_results_show(call, results, plan->count, "destroyed",
				 call->dry_run ? "planned" : "was not touched", err);
}

/* Whether one of the disks was refused: then none is destroyed, before anybody is asked. */
static bool any_refused(struct disk_destroy_plan *plan)
{
	bool refused = false;

	for (size_t i = 0; i < plan->count; i++)
		refused = refused || plan->jobs[i].result.error.code != COF_E_NONE;
	for (size_t i = 0; i < plan->count && refused; i++)
		if (plan->jobs[i].result.error.code == COF_E_NONE)
			plan->jobs[i].result.state = "untouched";
	return refused;
}

/* coffer disk destroy. */
static cof_result run_destroy(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(disk_destroy_plan_done) struct disk_destroy_plan plan = { 0 };
	_cleanup_(progress_freep) struct progress *progress = NULL;

	TRY(cli_open_vault(call, true, &vault, err));
	TRY(disk_destroy_plan(vault, call->paths, call->args, call->arg_count,
			      cli_flag(call, "missing"), &plan, err));
	say_plan(call, &plan);
	if (call->dry_run || any_refused(&plan))
		return show(call, &plan, err);
	TRY(confirm(call, &plan, err));
	TRY(progress_new(plan.count, call->json || call->quiet, &progress, err));
	/* Every failure is in the jobs' results as well, from where show() passes the first up. */
	cof_ignore(disk_destroy_run(vault, call->paths, &plan, progress, err));
	progress_free(TAKE(progress));
	warn_of_copies(call, vault, &plan);
	return show(call, &plan, err);
}

const struct cli_verb cli_verb_disk_destroy = {
	.noun = "disk",
	.verb = "destroy",
	.arguments = "DEV|NAME...",
	.min_args = 1,
	.max_args = SIZE_MAX,
	.argument_type = CLI_DEVICE,
	.summary = "make disks unreadable for good: keyslots, headers, keys; with a certificate",
	.description =
		"Destroys disks of the vault. What will go is shown, and the serial number (or the "
		"name, where there is none) is asked for. Then both headers and all keyslots are "
		"overwritten and read back, the device is told to discard everything, the line in "
		"crypttab goes, and the vault and its mirrors forget every key and every header "
		"copy of the disk, also the older ones. A certificate goes into the audit log. A "
		"run that was interrupted is finished by the same command; until the vault has "
		"let go of the key, `coffer disk header repair` could still bring the disk "
		"back.\n\n"
		"A disk that is open or in use is refused. One whose device is not there is "
		"destroyed with --missing: the vault forgets it, and whatever is on the disk can "
		"never be opened again.\n\n"
		"Overwriting proves little on flash: what makes the data unreadable is that the "
		"key is gone. A mirror that is away keeps its copy of the keys until it is back; "
		"it is named. So is a copy of the vault that was set aside, in a mirror or beside "
		"the vault's folder: it is not touched, and while there is one, the certificate "
		"does not say that the keys are removed. Backups of the vault from before keep "
		"theirs: with one, a header and its key can be put back, and then whatever was "
		"neither overwritten nor discarded can be read. The question and the certificate "
		"name the last one that is known.",
	.options =
		(const struct cli_option[]){
			{ "missing", CLI_FLAG, NULL,
			  "the device is gone for good: remove what the vault has of it" },
			CLI_UNLOCK_OPTIONS,
			{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer disk destroy /dev/sdj", "ask, then destroy one disk" },
			{ "coffer disk destroy /dev/sdj --dry-run", "show what would go" },
			{ "coffer disk destroy enc-wwn-0x5000c500a1b2c3d4 --missing",
			  "forget a disk that was sent away" },
			{ 0 } },
	.changes = true,
	.destroys = true,
	.shows = true,
	.needs_root = true,
	.run = run_destroy,
};
