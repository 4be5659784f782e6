/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk format, second half: key durable → header → proven → header copy → crypttab → open.
 *
 * The steps go over all devices one after the other, so that the vault is written twice however
 * many there are; the headers are written in parallel.
 */

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "disk_audit.h"
#include "disk_format_job.h"
#include "disk_result.h"
#include "fault.h"
#include "key_place.h"
#include "parallel.h"
#include "tabfile.h"

/* What the threads share. */
struct formatting {
	struct vault *vault;
	pthread_mutex_t vault_lock; /* a vault is for one thread at a time */
	const struct paths *paths;
	const struct disk_format_spec *spec;
	struct disk_format_plan *plan;
	struct progress *progress;
};

/* Whether this device still takes part: refused and failed ones do not. */
static bool is_going(const struct disk_format_job *job)
{
	return job->result.error.code == COF_E_NONE;
}

/* Marks every device that still takes part as failed by what failed for all of them. */
static void fail_all(struct disk_format_plan *plan, const struct cof_error *failure)
{
	for (size_t i = 0; i < plan->count; i++) {
		if (!is_going(&plan->jobs[i]))
			continue;
		plan->jobs[i].result.error = *failure;
		plan->jobs[i].result.state = "failed";
	}
}

/*
 * Looks at the device again: the plan may be minutes old, since the user was asked in between. It
 * must be the device that was planned for, and hold what the user agreed to lose.
 */
static cof_result look_again(const struct disk_format_job *job, struct cof_error *err)
{
	_cleanup_(device_freep) struct device *now = NULL;
	struct disk planned;
	struct verdict verdict;
	char why_not[384];

	TRY(device_by_number(job->device->number, &now, err));
	disk_of_device(job->device, &planned);
	if (!disk_is_device(&planned, now, why_not, sizeof(why_not)) ||
	    strcmp(now->node, job->device->node) != 0 ||
	    now->size_bytes != job->device->size_bytes) {
		cof_ignore(cof_raise(err, COF_E_REFUSED, job->device->node,
				     "is another device than a moment ago and was not touched"));
		return (cof_result){ COF_E_REFUSED };
	}
	TRY(device_verdict(now, &verdict, err));
	if (verdict.state == job->verdict.state && strcmp(verdict.reason, job->verdict.reason) == 0)
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_REFUSED, job->device->node,
			     "changed since it was looked at and was not touched"));
	cof_error_cause(err, "now: %s", verdict.reason[0] ? verdict.reason : "empty");
	return (cof_result){ COF_E_REFUSED };
}

/* Step 0: nothing is stored for a device that changed since it was planned. */
static void look_again_at_all(struct disk_format_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		struct disk_format_job *job = &plan->jobs[i];

		if (is_going(job) && job->action != FORMAT_FINISH &&
		    cof_failed(look_again(job, &job->result.error)))
			job->result.state = "failed";
	}
}

/* The new record of a device, or a new generation of its old one: a fresh key, not ready. */
static cof_result make_record(const struct formatting *formatting, struct disk_format_job *job,
			      struct cof_error *err)
{
	job->disk.ready = false;
	if (!job->record)
		TRY(record_new(DISK_KIND, job->disk.name, &job->record, err));
	secret_free(TAKE(job->record->secret));
	TRY(secret_random(formatting->spec->key_bytes, &job->record->secret, err));
	json_free(TAKE(job->record->meta));
	job->record->meta = disk_to_meta(&job->disk);
	return COF_OK;
}

/* Step 1: every new key durable, read back and mirrored, in one transaction. */
static cof_result store_keys(struct formatting *formatting, struct cof_error *err)
{
	struct disk_format_plan *plan = formatting->plan;
	_cleanup_free_ struct vault_write *writes = calloc(plan->count, sizeof(*writes));
	size_t count = 0;

	ENSURE(writes, err, COF_E_NOMEM, NULL, "no memory for %zu devices", plan->count);
	for (size_t i = 0; i < plan->count; i++) {
		struct disk_format_job *job = &plan->jobs[i];

		if (!is_going(job) || job->action != FORMAT_NEW)
			continue;
		progress_step(formatting->progress, i, job->disk.name, "storing its key");
		TRY(make_record(formatting, job, err));
		writes[count++] =
			(struct vault_write){ .record = job->record, .keep_history = true };
	}
	if (count > 0)
		TRY(vault_commit(formatting->vault, writes, count, err));
	return fault_point("format/key-durable", err);
}

/* The key as the vault has it now, not as it is in our memory. */
static cof_result read_back_key(struct formatting *formatting, const struct disk_format_job *job,
				struct slot_secret **ret_key, struct cof_error *err)
{
	cof_result result;
	bool found = false;

	(void)pthread_mutex_lock(&formatting->vault_lock);
	result = disk_key(formatting->vault, job->disk.name, ret_key, &found, err);
	(void)pthread_mutex_unlock(&formatting->vault_lock);
	TRY(result);
	ENSURE(found, err, COF_E_CONFLICT, job->disk.name, "its record is gone from the vault");
	return COF_OK;
}

/* Step 2: header and keyslot, opened again with the stored key. */
static cof_result write_header(struct formatting *formatting, struct disk_format_job *job,
			       struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *volume_key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *proven = NULL;
	struct luks_format_spec spec = { .uuid = job->disk.uuid,
					 .subsystem = "coffer",
					 .sector_bytes = job->sector_bytes };
	_cleanup_fd_ int claim = -1;
	const char *node = job->device->node;
	struct stat status;

	TRY(look_again(job, err));
	/* libcryptsetup claims it again itself. */
	TRY(device_claim(job->device, false, &claim, err));
	ENSURE(fstat(claim, &status) == 0 && status.st_rdev == job->device->number, err,
	       COF_E_REFUSED, node, "is another device than a moment ago and was not touched");
	if (job->overwrites)
		TRY(device_wipe_signatures(job->device, claim, err));
	fd_closep(&claim);
	claim = -1;
	TRY(read_back_key(formatting, job, &key, err));
	TRY(luks_format(node, &spec, NULL, &volume_key, err));
	TRY(fault_point("format/header-written", err));
	TRY(luks_slot_add(node, NULL, volume_key, key, LUKS_COST_RANDOM_KEY, NULL, err));
	TRY(fault_point("format/slot-added", err));
	TRY(luks_unlock(node, NULL, key, LUKS_ANY_SLOT, &proven, NULL, err));
	ENSURE(ct_equal(volume_key_span(volume_key), volume_key_span(proven)), err, COF_E_FAILED,
	       node, "the stored key opens another volume key than the one just made");
	return fault_point("format/proven", err);
}

/* parallel_each()'s work: step 2 of one device. */
static void header_work(size_t index, void *context)
{
	struct formatting *formatting = context;
	struct disk_format_job *job = &formatting->plan->jobs[index];
	struct cof_error *err = &job->result.error;

	if (!is_going(job) || job->action == FORMAT_FINISH)
		return;
	progress_step(formatting->progress, index, job->disk.name, "writing its header");
	job->result.changed = true;
	if (cof_failed(write_header(formatting, job, err)))
		job->result.state = "failed";
}

/* The records of step 3, owned until they are committed. */
struct copy_records {
	struct record **items;
	size_t count;
};

static void copy_records_done(struct copy_records *records)
{
	for (size_t i = 0; i < records->count; i++)
		record_free(records->items[i]);
	free(records->items);
}

/* The record of one header's copy. One that was not just written must hold what its copy holds. */
static cof_result copy_record(struct formatting *formatting, const struct disk_format_job *job,
			      struct record **ret_record, bool *ret_same, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;

	if (job->action == FORMAT_FINISH)
		TRY(disk_record_key(job->record, &key, err));
	return disk_copy_record(formatting->vault, formatting->paths, job->disk.name,
				job->device->node, key, ret_record, ret_same, err);
}

/* Step 3: header copies into the vault; from now on the disks are ready. */
static cof_result store_copies(struct formatting *formatting, struct cof_error *err)
{
	struct disk_format_plan *plan = formatting->plan;
	_cleanup_free_ struct vault_write *writes = calloc(2 * plan->count, sizeof(*writes));
	_cleanup_(copy_records_done) struct copy_records copies = {
		.items = calloc(plan->count, sizeof(*copies.items))
	};
	size_t count = 0;

	ENSURE(writes && copies.items, err, COF_E_NOMEM, NULL, "no memory for %zu devices",
	       plan->count);
	for (size_t i = 0; i < plan->count; i++) {
		struct disk_format_job *job = &plan->jobs[i];
		bool crypttab_noted =
			json_get_bool(job->record ? job->record->meta : NULL, "crypttab", false);
		bool same;

		if (!is_going(job))
			continue;
		TRY(copy_record(formatting, job, &copies.items[copies.count], &same, err));
		if (!same)
			writes[count++] =
				(struct vault_write){ .record = copies.items[copies.count],
						      .keep_history = true };
		copies.count++;
		if (job->disk.ready && crypttab_noted == job->disk.crypttab)
			continue;
		job->disk.ready = true;
		json_free(TAKE(job->record->meta));
		job->record->meta = disk_to_meta(&job->disk);
		writes[count++] = (struct vault_write){ .record = job->record };
		job->result.changed = true;
	}
	if (count > 0)
		TRY(vault_commit(formatting->vault, writes, count, err));
	return fault_point("format/header-copied", err);
}

/* crypttab_edit()'s change: a line for every device that wants one. */
static cof_result set_lines(struct crypttab *table, void *context, struct cof_error *err)
{
	struct formatting *formatting = context;
	struct disk_format_plan *plan = formatting->plan;

	for (size_t i = 0; i < plan->count; i++) {
		const struct disk_format_job *job = &plan->jobs[i];
		struct crypttab_entry entry;
		bool there;

		if (!is_going(job) || !job->disk.crypttab)
			continue;
		TRY(disk_check_crypttab(formatting->paths, table, &job->disk, job->device, "format",
					true, err));
		there = crypttab_find(table, job->disk.name, &entry);
		TRY(crypttab_set(table, job->disk.name,
				 disk_crypttab_source(&job->disk, job->device),
				 disk_line_key(formatting->paths, &job->disk),
				 there ? NULL : DISK_CRYPTTAB_OPTIONS, err));
	}
	return COF_OK;
}

/* Step 4: crypttab. */
static cof_result write_crypttab(struct formatting *formatting, struct cof_error *err)
{
	bool wanted = false;

	for (size_t i = 0; i < formatting->plan->count; i++)
		wanted |= is_going(&formatting->plan->jobs[i]) &&
			  formatting->plan->jobs[i].disk.crypttab;
	if (wanted)
		TRY(crypttab_edit(formatting->paths->crypttab, set_lines, formatting, err));
	return fault_point("format/crypttab", err);
}

/* Says so where a disk was not formatted, since the vault's key opens what is on it. */
static void tell_kept(const struct disk_format_spec *spec, struct disk_format_job *job)
{
	struct disk_result *result = &job->result;

	if (job->action != FORMAT_FINISH || result->error.code != COF_E_NONE)
		return;
	if (result->changed)
		result->did = "was encrypted already and keeps its data; opened";
	if (spec->force && !result->note[0])
		(void)snprintf(result->note, sizeof(result->note),
			       "--anew would format it again, with a new key");
}

/* Step 5: open what was formatted, through the same code as `disk open`. */
static cof_result open_all(struct formatting *formatting, struct cof_error *err)
{
	struct disk_format_plan *plan = formatting->plan;
	_cleanup_free_ const char **names = calloc(plan->count + 1, sizeof(*names));
	_cleanup_free_ struct disk_result *results = calloc(plan->count + 1, sizeof(*results));
	_cleanup_free_ size_t *indexes = calloc(plan->count + 1, sizeof(*indexes));
	struct disk_open_spec spec = { 0 };
	size_t count = 0;

	ENSURE(names && results && indexes, err, COF_E_NOMEM, NULL, "no memory for %zu devices",
	       plan->count);
	for (size_t i = 0; i < plan->count; i++) {
		if (!is_going(&plan->jobs[i]))
			continue;
		indexes[count] = i;
		names[count++] = plan->jobs[i].disk.name;
	}
	if (count == 0)
		return COF_OK;
	/* What fails here is in the results, one by one. */
	cof_ignore(disk_open(formatting->vault, formatting->paths, names, count, &spec, NULL,
			     results, NULL));
	for (size_t i = 0; i < count; i++) {
		struct disk_result *result = &plan->jobs[indexes[i]].result;
		bool changed = result->changed || results[i].changed;

		*result = results[i];
		result->changed = changed;
		tell_kept(formatting->spec, &plan->jobs[indexes[i]]);
		progress_end(formatting->progress, indexes[i], result->name, result->state);
	}
	return fault_point("format/open", err);
}

/* Passes the first device's failure up. */
static cof_result first_failure(const struct disk_format_plan *plan, struct cof_error *err)
{
	for (size_t i = 0; i < plan->count; i++)
		TRY(disk_first_failure(&plan->jobs[i].result, 1, err));
	return COF_OK;
}

cof_result disk_format_run(struct vault *vault, const struct paths *paths,
			   struct disk_format_plan *plan, const struct disk_format_spec *spec,
			   struct progress *progress, struct cof_error *err)
{
	static cof_result (*const steps[])(
		struct formatting * formatting,
		struct cof_error * failure) = { store_copies, write_crypttab, open_all };
	struct formatting formatting = { .vault = vault,
					 .vault_lock = PTHREAD_MUTEX_INITIALIZER,
					 .paths = paths,
					 .spec = spec,
					 .plan = plan,
					 .progress = progress };
	_cleanup_fd_ int lock = -1;
	struct cof_error failure = { 0 };

	if (cof_failed(disk_format_lock(paths, &lock, &failure))) {
		fail_all(plan, &failure);
		return first_failure(plan, err);
	}
	look_again_at_all(plan);
	if (cof_failed(disk_audit_format_start(vault, plan, &failure)) ||
	    cof_failed(store_keys(&formatting, &failure))) {
		fail_all(plan, &failure);
		disk_audit_format_end(vault, paths, plan);
		return first_failure(plan, err);
	}
	parallel_each(plan->count, header_work, &formatting);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (cof_failed(steps[i](&formatting, &failure))) {
			fail_all(plan, &failure);
			break;
		}
	}
	disk_audit_format_end(vault, paths, plan);
	return first_failure(plan, err);
}
