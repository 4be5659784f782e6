/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk encrypt, second half. What has been done for good is the job's stage; a step whose stage is
 * not noted yet is done again from its beginning:
 *   noted    nothing but the end of the device was written, and that is done again
 *   drafted  the header is in the vault; the beginning of the device is data, header, or part of
 *            each, and becomes the header
 *   running  the header says how far the data are
 */

#include <stdio.h>
#include <string.h>

#include "disk_audit.h"
#include "disk_format_job.h"
#include "disk_job.h"
#include "disk_result.h"
#include "fs_shrink.h"
#include "key_place.h"
#include "luks_header.h"

/* One run. */
struct encrypting {
	struct changing changing;
	struct disk_change_plan *plan;
};

static void encrypting_done(struct encrypting *encrypting)
{
	changing_done(&encrypting->changing);
}

/* Tells a person what happens now. */
static void say_step(struct encrypting *encrypting, const char *step)
{
	progress_step(encrypting->changing.progress, 0, encrypting->plan->disk.name, step);
}

/* Looks at the device again: the plan may be minutes old, since the user was asked in between. */
static cof_result look_again(const struct disk_change_plan *plan, struct cof_error *err)
{
	_cleanup_(device_freep) struct device *now = NULL;
	struct verdict verdict;
	struct disk planned;
	char why_not[384];

	TRY(device_by_number(plan->device->number, &now, err));
	disk_of_device(plan->device, &planned);
	TRY(device_verdict(now, &verdict, err));
	ENSURE(disk_is_device(&planned, now, why_not, sizeof(why_not)) &&
		       strcmp(now->node, plan->device->node) == 0 &&
		       now->size_bytes == plan->device->size_bytes &&
		       strcmp(verdict.reason, plan->holds) == 0,
	       err, COF_E_REFUSED, plan->device->node,
	       "is not as it was a moment ago and was not touched");
	return COF_OK;
}

/* Step 1: the key durable, read back and mirrored, and that the disk is being encrypted. */
static cof_result store_key(struct encrypting *encrypting, struct cof_error *err)
{
	struct changing *changing = &encrypting->changing;
	const struct disk_change_plan *plan = encrypting->plan;

	if (plan->action == CHANGE_RESUME) {
		TRY(changing_load(changing, err));
		ENSURE(changing->job.size_bytes == plan->device->size_bytes, err, COF_E_REFUSED,
		       plan->device->node, "has %llu bytes, and had %llu when it began",
		       (unsigned long long)plan->device->size_bytes,
		       (unsigned long long)changing->job.size_bytes);
		return COF_OK;
	}
	say_step(encrypting, "storing its key");
	changing->job = (struct disk_job){ .stage = JOB_NOTED,
					   .size_bytes = plan->device->size_bytes,
					   .data_bytes = plan->data_bytes,
					   .sector_bytes = plan->sector_bytes,
					   .shrink = plan->shrink_to_bytes > 0 };
	TRY(changing_begin(changing, true, err));
	return changing_point(changing, "key-durable", err);
}

/* Step 2: where the file system ends, as it is now; smaller than it was, if that was asked for. */
static cof_result shrink(struct encrypting *encrypting, struct cof_error *err)
{
	struct changing *changing = &encrypting->changing;
	struct disk_job *job = &changing->job;
	uint64_t most_bytes = encrypt_most_bytes(job->size_bytes);
	struct fs_extent extent;

	TRY(fs_extent_read(changing->node, &extent, err));
	if (!extent.kind)
		return COF_OK;
	if (extent.end_bytes > most_bytes && job->shrink && fs_can_shrink(&extent)) {
		say_step(encrypting, "making its file system smaller");
		TRY(fs_shrink(changing->paths, changing->node, &extent, most_bytes, err));
		TRY(fs_extent_read(changing->node, &extent, err));
		TRY(changing_point(changing, "shrunk", err));
	}
	TRY(encrypt_check_room(changing->node, extent.end_bytes, job->size_bytes, err));
	job->data_bytes = extent.end_bytes;
	return COF_OK;
}

/* Step 3: the beginning of the data at the end of the device, the header in the vault. */
static cof_result draft(struct encrypting *encrypting, struct cof_error *err)
{
	struct changing *changing = &encrypting->changing;
	struct luks_format_spec spec = { .uuid = changing->disk->uuid,
					 .subsystem = "coffer",
					 .sector_bytes = changing->job.sector_bytes };
	_cleanup_buffer_ struct buffer copy = { 0 };

	if (changing->job.stage != JOB_NOTED)
		return COF_OK;
	TRY(shrink(encrypting, err));
	say_step(encrypting, "copying its first 16 MiB to its end");
	TRY(luks_encrypt_begin(changing->node, &spec, changing->key, &copy, err));
	TRY(changing_point(changing, "moved", err));
	/* After the copy, so that data which somebody wrote in between are no failure. */
	TRY(disk_samples(changing->node, NULL, changing->job.data_bytes, changing->job.proof, err));
	changing->job.stage = JOB_DRAFTED;
	TRY(changing_store(changing, buffer_span(&copy), err));
	return changing_point(changing, "drafted", err);
}

/* Whether the whole header is on the device. */
static bool has_header(const struct changing *changing)
{
	struct luks_header_state state;

	return !cof_failed(luks_header_examine(changing->node, &state, NULL)) && state.whole &&
	       strcmp(state.uuid, changing->disk->uuid) == 0;
}

/* Writes the header over data that are at the end as well. *ret_used: they are not, since somebody
 * has used the device after they were copied. */
static cof_result replace_head(struct changing *changing, struct span copy, bool *ret_used,
			       struct cof_error *err)
{
	_cleanup_luks_writes_ struct luks_writes writes = { 0 };
	enum head_state state;

	TRY(encrypt_head_look(changing->node, copy, changing->job.size_bytes, &state, err));
	*ret_used = state == HEAD_CHANGED;
	if (*ret_used)
		return COF_OK;
	ENSURE(state != HEAD_MIXED, err, COF_E_REFUSED, changing->node,
	       "somebody wrote to it while a part of its header was there already");
	TRY(luks_plan_restore(changing->node, copy, &writes, err));
	return luks_writes_run(changing->node, &writes, disk_work_verb(changing->disk), err);
}

/* Step 4: the header in its place, and nothing of the plain data beside it. */
static cof_result write_header(struct encrypting *encrypting, bool *ret_used, struct cof_error *err)
{
	struct changing *changing = &encrypting->changing;
	_cleanup_(record_freep) struct record *copy = NULL;
	_cleanup_fd_ int claim = -1;
	bool found;

	*ret_used = false;
	if (changing->job.stage != JOB_DRAFTED)
		return COF_OK;
	say_step(encrypting, "writing its header");
	TRY(vault_get(changing->vault, DISK_HEADER_KIND, changing->disk->name, &copy, &found, err));
	ENSURE(found, err, COF_E_CONFLICT, changing->disk->name,
	       "the copy of its header is gone from the vault");
	/* From here on nobody can mount it: first this hold, then the header. */
	TRY(device_claim(encrypting->plan->device, true, &claim, err));
	if (!has_header(changing))
		TRY(replace_head(changing, buffer_span(&copy->blob), ret_used, err));
	if (*ret_used) {
		changing->job.stage = JOB_NOTED;
		return COF_OK;
	}
	TRY(luks_encrypt_wipe_head(changing->node, err));
	TRY(changing_point(changing, "head-wiped", err));
	changing->job.stage = JOB_RUNNING;
	TRY(changing_store(changing, SPAN(NULL, 0), err));
	return changing_point(changing, "header-in-place", err);
}

/* crypttab_edit()'s change: the line of this disk. */
static cof_result set_line(struct crypttab *table, void *context, struct cof_error *err)
{
	const struct encrypting *encrypting = context;
	const struct disk_change_plan *plan = encrypting->plan;
	struct crypttab_entry line;

	if (crypttab_find(table, plan->disk.name, &line))
		return COF_OK;
	return crypttab_set(table, plan->disk.name, disk_crypttab_source(&plan->disk, plan->device),
			    disk_line_key(encrypting->changing.paths, &plan->disk),
			    DISK_CRYPTTAB_OPTIONS, err);
}

/* Steps 6 to 8: compared, with its line, ready. */
static cof_result finish(struct encrypting *encrypting, struct cof_error *err)
{
	struct changing *changing = &encrypting->changing;

	say_step(encrypting, "comparing the data with what they were");
	TRY(disk_compare_samples(changing, changing->key, err));
	TRY(changing_point(changing, "compared", err));
	if (changing->disk->crypttab)
		TRY(crypttab_edit(changing->paths->crypttab, set_line, encrypting, err));
	TRY(changing_point(changing, "crypttab", err));
	TRY(changing_end(changing, err));
	return changing_point(changing, "ready", err);
}

/* The last step, through the same code as `disk open`. */
static cof_result open_disk(struct encrypting *encrypting, struct cof_error *err)
{
	struct disk_result *result = &encrypting->plan->result;
	const char *name = encrypting->plan->disk.name;
	struct disk_open_spec spec = { 0 };
	bool changed = result->changed;

	TRY(disk_open(encrypting->changing.vault, encrypting->changing.paths, &name, 1, &spec, NULL,
		      result, err));
	if (encrypting->plan->action == CHANGE_DONE && result->changed)
		result->did = "was encrypted already; opened";
	result->changed |= changed;
	return changing_point(&encrypting->changing, "open", err);
}

/* Everything before the long step, during which no other disk can be formatted. */
static cof_result prepare(struct encrypting *encrypting, struct cof_error *err)
{
	struct disk_change_plan *plan = encrypting->plan;
	_cleanup_fd_ int lock = -1;
	bool used = true;

	TRY(disk_format_lock(encrypting->changing.paths, &lock, err));
	TRY(look_again(plan, err));
	TRY(disk_audit_change_start(encrypting->changing.vault, AUDIT_DISK_ENCRYPT, plan, err));
	plan->disk.work = DISK_WORK_ENCRYPT;
	plan->result.changed = true;
	TRY(store_key(encrypting, err));
	while (used) {
		TRY(draft(encrypting, err));
		TRY(write_header(encrypting, &used, err));
	}
	return COF_OK;
}

/* Encrypts the device, from where it is. */
static cof_result encrypt(struct encrypting *encrypting, struct cof_error *err)
{
	TRY(prepare(encrypting, err));
	TRY(changing_run(&encrypting->changing, NULL, "encrypting", err));
	TRY(finish(encrypting, err));
	return open_disk(encrypting, err);
}

cof_result disk_encrypt_run(struct vault *vault, const struct paths *paths,
			    struct disk_change_plan *plan, struct progress *progress,
			    struct cof_error *err)
{
	_cleanup_(encrypting_done) struct encrypting encrypting = {
		.plan = plan,
		.changing = { .vault = vault,
			      .paths = paths,
			      .progress = progress,
			      .work = DISK_WORK_ENCRYPT,
			      .disk = &plan->disk,
			      .node = plan->device->node },
	};
	struct cof_error failure = { 0 };

	if (cof_failed(plan->action == CHANGE_DONE ? open_disk(&encrypting, &failure)
						   : encrypt(&encrypting, &failure)))
		disk_result_fail(&plan->result, &failure);
	disk_audit(vault, paths, AUDIT_DISK_ENCRYPT, &plan->result, 1);
	progress_end(progress, 0, plan->result.name, plan->result.state);
	return disk_first_failure(&plan->result, 1, err);
}
