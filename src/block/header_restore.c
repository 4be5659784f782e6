/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk header restore: a copy goes back to the device, and never a good header without a copy.
 */

#include <stdio.h>
#include <string.h>

#include "disk_result.h"
#include "fault.h"
#include "file.h"
#include "header_job.h"

/* What cryptsetup writes, at most: LUKS2 on-disk format 1.1.0, two areas of 4 MiB and 128 MiB. */
#define BACKUP_BYTES_MAX (136u << 20)

/* Reads a header from a file: cryptsetup's backup, or a copy that was exported. */
static cof_result load_file(const char *path, struct buffer *ret_copy, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer content = { 0 };

	TRY(file_read(path, BACKUP_BYTES_MAX, &content, err));
	if (!luks_copy_is(buffer_span(&content)))
		return luks_copy_header(path, ret_copy, err);
	*ret_copy = content;
	content = (struct buffer){ 0 };
	return COF_OK;
}

/* The copy that is to be put back. */
static cof_result load_wanted(struct header_work *work, const struct header_job *job,
			      const struct header_restore_spec *spec, struct buffer *ret_copy,
			      struct cof_error *err)
{
	if (spec->file)
		return load_file(spec->file, ret_copy, err);
	if (!job->known && work->vault && !work->unlocked)
		FAIL(err, COF_E_LOCKED, job->device->node, "the vault is locked");
	if (!job->known) {
		cof_ignore(cof_raise(err, COF_E_NOENT, job->device->node,
				     "the vault has no copy of its header"));
		cof_error_try(err, "coffer disk header restore %s --from FILE", job->device->node);
		return (cof_result){ COF_E_NOENT };
	}
	return header_load(work->vault, job->disk.name, spec->generation, ret_copy, err);
}

/* Refuses a device that is in use, or not the disk. */
static cof_result refuse_device(const struct header_job *job, struct cof_error *err)
{
	TRY(header_refuse_use(job, false, err));
	ENSURE(!job->other, err, COF_E_REFUSED, job->device->node, "is another device than %s: %s",
	       job->disk.name, job->why_not);
	return COF_OK;
}

/* Refuses a copy that is not this disk's, or that the vault's key does not open. */
static cof_result check_wanted(const struct header_plan *plan, const char *path,
			       struct volume_key **ret_key, struct cof_error *err)
{
	const struct header_job *job = &plan->job;
	struct luks_info info;
	bool opens;

	TRY(luks_read(path, NULL, &info, err));
	if (!job->known)
		return COF_OK;
	ENSURE(strcmp(info.uuid, job->disk.uuid) == 0, err, COF_E_REFUSED, job->device->node,
	       "the copy is of another disk: its UUID is %s, the record says %s", info.uuid,
	       job->disk.uuid);
	TRY(header_try_key(job, path, &opens, ret_key, err));
	ENSURE(opens, err, COF_E_REFUSED, job->device->node,
	       "the vault's key does not open that copy");
	return COF_OK;
}

/* The volume key that the data have: of the present header, or else of the newest copy. NULL where
 * neither tells. */
static cof_result find_data_key(const struct header_job *job, bool good,
				struct volume_key **ret_key, struct cof_error *err)
{
	_cleanup_(luks_rehearsal_done) struct luks_rehearsal rehearsal = LUKS_REHEARSAL_NONE;
	_cleanup_luks_writes_ struct luks_writes writes = { 0 };
	bool opens;

	if (good)
		TRY(header_try_key(job, job->device->node, &opens, ret_key, err));
	if (*ret_key || !job->copy)
		return COF_OK;
	TRY(luks_plan_restore(job->device->node, buffer_span(&job->copy->blob), &writes, err));
	TRY(luks_rehearse(job->device->node, &writes, &rehearsal, err));
	return header_try_key(job, rehearsal.path, &opens, ret_key, err);
}

/* Refuses a copy from before the volume key was changed: with it, the data are lost. */
static cof_result check_volume_key(const struct header_plan *plan,
				   const struct volume_key *of_wanted, struct cof_error *err)
{
	_cleanup_(volume_key_freep) struct volume_key *of_data = NULL;

	if (!plan->job.known)
		return COF_OK;
	TRY(find_data_key(&plan->job, plan->good, &of_data, err));
	ENSURE(!of_data || !of_wanted ||
		       ct_equal(volume_key_span(of_data), volume_key_span(of_wanted)),
	       err, COF_E_REFUSED, plan->job.device->node,
	       "that copy has another volume key than the data: they could not be read with it");
	return COF_OK;
}

/* Refuses to replace a good header, saying what would be lost. */
static cof_result refuse_good(const struct header_plan *plan, struct cof_error *err)
{
	_cleanup_luks_diff_ struct luks_diff diff = { 0 };
	_cleanup_buffer_ struct buffer present = { 0 };
	const char *node = plan->job.device->node;
	char cause[sizeof(err->cause)] = "";
	char *next = NULL;
	cof_result failure;

	TRY(luks_copy_header(node, &present, err));
	TRY(luks_copies_diff(buffer_span(&present), buffer_span(&plan->wanted), &diff, err));
	TRY(buffer_add_u8(&diff.text, 0, err));
	failure = cof_raise(err, COF_E_REFUSED, node, "its header is whole, and would be replaced");
	for (char *line = strtok_r((char *)diff.text.data, "\n", &next); line;
	     line = strtok_r(NULL, "\n", &next)) {
		size_t used = strlen(cause);

		(void)snprintf(cause + used, sizeof(cause) - used, "%s%s", used ? "; " : "", line);
	}
	cof_error_cause(err, "%s", cause);
	cof_error_try(err, "--force, which keeps the present one as a version in the vault");
	return failure;
}

/* Whether the device has a whole header; of another disk it is refused. */
static cof_result look_at_present(struct header_plan *plan, struct cof_error *err)
{
	const struct header_job *job = &plan->job;
	const struct luks_header_state *state = &plan->state;
	struct luks_info info;

	TRY(luks_header_examine(job->device->node, &plan->state, err));
	ENSURE(!job->known || !state->mendable || strcmp(state->uuid, job->disk.uuid) == 0, err,
	       COF_E_REFUSED, job->device->node,
	       "has the header of another disk: its UUID is %s, the record of %s says %s",
	       state->uuid, job->disk.name, job->disk.uuid);
	plan->good = state->whole && !cof_failed(luks_read(job->device->node, NULL, &info, NULL));
	return COF_OK;
}

cof_result header_restore_plan(struct header_work *work, const char *typed,
			       const struct header_restore_spec *spec, struct header_plan *ret_plan,
			       struct cof_error *err)
{
	_cleanup_(luks_rehearsal_done) struct luks_rehearsal rehearsal = LUKS_REHEARSAL_NONE;
	_cleanup_(volume_key_freep) struct volume_key *of_wanted = NULL;
	_cleanup_(header_plan_done) struct header_plan plan = { 0 };

	TRY(header_job_find(work, typed, &plan.job, err));
	TRY(refuse_device(&plan.job, err));
	/* A copy says where the data were when it was taken, not where they are. */
	TRY(disk_refuse_changing(&plan.job.disk, err));
	TRY(load_wanted(work, &plan.job, spec, &plan.wanted, err));
	TRY(look_at_present(&plan, err));
	TRY(luks_plan_restore(plan.job.device->node, buffer_span(&plan.wanted), &plan.writes, err));
	TRY(luks_rehearse(plan.job.device->node, &plan.writes, &rehearsal, err));
	TRY(check_wanted(&plan, rehearsal.path, &of_wanted, err));
	TRY(check_volume_key(&plan, of_wanted, err));
	plan.good = plan.good && plan.writes.count > 0;
	if (plan.good && !spec->force)
		return refuse_good(&plan, err);
	if (plan.writes.count > 0)
		TRY(header_find_foreign(&plan.job, plan.foreign, sizeof(plan.foreign), err));
	if (plan.foreign[0] && !spec->force) {
		cof_ignore(cof_raise(err, COF_E_REFUSED, plan.job.device->node,
				     "holds something else, which would be overwritten"));
		cof_error_cause(err, "%s", plan.foreign);
		cof_error_try(err, "--force, if that is there by mistake");
		return (cof_result){ COF_E_REFUSED };
	}

	*ret_plan = plan;
	plan = (struct header_plan){ 0 };
	return COF_OK;
}

/* The header that goes becomes a version in the vault. */
static cof_result keep_replaced(struct header_work *work, const struct header_plan *plan,
				struct cof_error *err)
{
	_cleanup_luks_diff_ struct luks_diff diff = { 0 };
	_cleanup_buffer_ struct buffer present = { 0 };

	if (!plan->good || !plan->job.known)
		return COF_OK;
	TRY(luks_copy_header(plan->job.device->node, &present, err));
	if (plan->job.copy)
		TRY(luks_copies_diff(buffer_span(&plan->job.copy->blob), buffer_span(&present),
				     &diff, err));
	/* With keyslots overwritten it is what a run that was killed has left. */
	if (diff.damaged_slots)
		return COF_OK;
	TRY(header_store(work->vault, plan->job.disk.name, buffer_span(&present), err));
	return fault_point("restore/kept", err);
}

cof_result header_restore_run(struct header_work *work, struct header_plan *plan,
			      struct cof_error *err)
{
	const struct header_job *job = &plan->job;

	TRY(keep_replaced(work, plan, err));
	TRY(header_write(plan, "restore", err));
	TRY(header_prove(job, err));
	TRY(fault_point("restore/proven", err));
	if (!job->known)
		return COF_OK;
	TRY(header_store(work->vault, job->disk.name, buffer_span(&plan->wanted), err));
	return fault_point("restore/recorded", err);
}
