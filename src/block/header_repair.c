/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk header repair: the least change that makes a header good again, tried out in memory first.
 */

#include <stdio.h>
#include <string.h>

#include "disk_result.h"
#include "fault.h"
#include "header_job.h"
#include "log.h"

/* A header as it would be after some writes. */
struct outcome {
	struct luks_rehearsal rehearsal;
	bool valid; /* it would be a header */
	bool ours;  /* with the UUID of the record, or of any where none is known */
	bool opens; /* with the vault's key, where there is one */
	struct cof_error error;
};

static void outcome_done(struct outcome *outcome)
{
	luks_rehearsal_done(&outcome->rehearsal);
}
#define OUTCOME_NONE ((struct outcome){ .rehearsal = LUKS_REHEARSAL_NONE })

/* Tries what the writes would make of the header. */
static cof_result rehearse(const struct header_job *job, const struct luks_writes *writes,
			   struct outcome *outcome, struct cof_error *err)
{
	struct luks_info info;
	cof_result tried;

	outcome_done(outcome);
	*outcome = OUTCOME_NONE;
	tried = luks_rehearse(job->device->node, writes, &outcome->rehearsal, &outcome->error);
	if (!cof_failed(tried))
		tried = luks_read(outcome->rehearsal.path, NULL, &info, &outcome->error);
	if (tried.code == COF_E_IO || tried.code == COF_E_NOMEM) {
		if (err)
			*err = outcome->error;
		return tried;
	}
	outcome->valid = !cof_failed(tried);
	outcome->ours = outcome->valid && (!job->known || strcmp(info.uuid, job->disk.uuid) == 0);
	outcome->opens = outcome->ours;
	if (outcome->ours && job->known)
		TRY(header_try_key(job, outcome->rehearsal.path, &outcome->opens, NULL, err));
	return COF_OK;
}

/* Whether a restore would write nothing but the places that are damaged. Then the header becomes
 * the one of the copy again, to the last byte. */
static bool is_as_small(const struct luks_header_state *state, const struct luks_writes *restore)
{
	for (size_t i = 0; i < restore->count; i++) {
		const struct luks_write *write = &restore->items[i];
		bool first = write->offset_bytes == 0;
		enum luks_area_state area = first ? state->first : state->second;

		if (write->bytes.len != state->area_bytes ||
		    (!first && write->offset_bytes != state->area_bytes) ||
		    area == LUKS_AREA_GOOD || area == LUKS_AREA_NO_MAGIC)
			return false;
	}
	return restore->count > 0;
}

/* Plans what the device itself gives, or the same from the copy. */
static cof_result plan_mend(const struct header_job *job, const struct luks_header_state *state,
			    struct luks_writes *writes, struct cof_error *err)
{
	_cleanup_luks_writes_ struct luks_writes restore = { 0 };

	TRY(luks_plan_mend(job->device->node, job->known ? job->disk.uuid : NULL, writes, err));
	if (writes->count == 0 || !job->copy ||
	    cof_failed(luks_plan_restore(job->device->node, buffer_span(&job->copy->blob), &restore,
					 NULL)) ||
	    !is_as_small(state, &restore))
		return COF_OK;
	luks_writes_done(writes);
	return luks_writes_move(writes, &restore, err);
}

/* Adds keyslots whose bytes were overwritten, and tries again. */
static cof_result plan_slots(const struct header_job *job, struct outcome *outcome,
			     struct luks_writes *writes, struct cof_error *err)
{
	_cleanup_luks_writes_ struct luks_writes slots = { 0 };

	if (!outcome->ours || !job->copy)
		return COF_OK;
	TRY(luks_plan_slots(outcome->rehearsal.path, buffer_span(&job->copy->blob), &slots, err));
	if (slots.count == 0)
		return COF_OK;
	/* Keyslots first: as long as a header stays damaged, a run that was killed is seen. */
	TRY(luks_writes_move(&slots, writes, err));
	*writes = slots;
	slots = (struct luks_writes){ 0 };
	return rehearse(job, writes, outcome, err);
}

/* Why nothing can be done for a header that the device itself does not mend. */
static cof_result refuse_without_copy(const struct header_work *work, const struct header_job *job,
				      const struct outcome *outcome, struct cof_error *err)
{
	cof_result failure;

	if (!job->known && work->vault && !work->unlocked) {
		failure = cof_raise(err, COF_E_LOCKED, job->device->node,
				    "the vault is locked, and only a copy in it could mend this "
				    "header");
		cof_error_try(err, "coffer unlock, then the same again");
		return failure;
	}
	failure = cof_raise(err, COF_E_FORMAT, job->device->node,
			    "too little is left of its LUKS header, and the vault has no copy");
	cof_error_cause(err, "%s",
			outcome->error.text[0] ? outcome->error.text
			: outcome->valid       ? "the vault's key does not open it"
					       : "nothing of it is left");
	if (job->open.open)
		cof_error_try(err,
			      "copy the data from %s elsewhere, and do not close it: its "
			      "volume key is not taken from what is open",
			      job->open.device);
	else if (!job->known)
		cof_error_try(err,
			      "coffer disk header restore %s --from FILE, if there is a "
			      "backup of its header",
			      job->device->node);
	return failure;
}

/* A header that is there, and that the vault's key does not open, was made so by somebody. */
static cof_result refuse_changed(const struct header_job *job,
				 const struct luks_header_state *state, struct cof_error *err)
{
	cof_result failure = cof_raise(err, COF_E_REFUSED, job->device->node,
				       "has a header that the vault's key does not open");

	if (strcmp(state->uuid, job->disk.uuid) != 0)
		cof_error_cause(err,
				"it is the header of another disk: its UUID is %s, the record "
				"says %s",
				state->uuid, job->disk.uuid);
	else
		cof_error_cause(err, "the keyslot of the vault is gone from it");
	cof_error_try(err, "coffer disk header restore %s --force, which replaces it by the copy",
		      job->disk.name);
	return failure;
}

/* Plans to put back the whole copy. */
static cof_result plan_copy(const struct header_work *work, const struct header_job *job,
			    const struct luks_header_state *state, struct outcome *outcome,
			    struct luks_writes *writes, struct cof_error *err)
{
	if (job->known && state->mendable &&
	    (outcome->valid || strcmp(state->uuid, job->disk.uuid) != 0))
		return refuse_changed(job, state, err);
	if (!job->copy)
		return refuse_without_copy(work, job, outcome, err);
	/* A copy says where the data were when it was taken, not where they are. */
	TRY(disk_refuse_changing(&job->disk, err));
	luks_writes_done(writes);
	TRY(luks_plan_restore(job->device->node, buffer_span(&job->copy->blob), writes, err));
	TRY(rehearse(job, writes, outcome, err));
	ENSURE(outcome->opens, err, COF_E_FORMAT, job->device->node,
	       "the copy in the vault does not mend its header: %s",
	       outcome->valid ? "the vault's key does not open it" : outcome->error.text);
	return COF_OK;
}

/* Refuses what must not be written to. */
static cof_result refuse(struct header_plan *plan, bool force, struct cof_error *err)
{
	const struct header_job *job = &plan->job;
	cof_result failure;

	TRY(header_refuse_use(job, true, err));
	ENSURE(!job->open.open || !job->known || strcmp(job->open.uuid, job->disk.uuid) == 0, err,
	       COF_E_REFUSED, job->device->node, "another volume is open on it: its UUID is %s",
	       job->open.uuid);
	ENSURE(!job->other, err, COF_E_REFUSED, job->device->node, "is another device than %s: %s",
	       job->disk.name, job->why_not);
	TRY(header_find_foreign(job, plan->foreign, sizeof(plan->foreign), err));
	if (!plan->foreign[0] || force)
		return COF_OK;
	failure = cof_raise(err, COF_E_REFUSED, job->device->node,
			    "holds something else, which a repair would overwrite");
	cof_error_cause(err, "%s", plan->foreign);
	cof_error_try(err, "coffer disk header repair %s --force, if that is there by mistake",
		      job->device->node);
	return failure;
}

/* A good header may still be older than its copy: that is no damage, and no repair's business. */
static cof_result refuse_older(const struct header_job *job, struct cof_error *err)
{
	_cleanup_luks_diff_ struct luks_diff diff = { 0 };
	_cleanup_buffer_ struct buffer present = { 0 };
	cof_result failure;

	if (!job->copy)
		return COF_OK;
	TRY(luks_copy_header(job->device->node, &present, err));
	TRY(luks_copies_diff(buffer_span(&job->copy->blob), buffer_span(&present), &diff, err));
	if (!diff.went_back)
		return COF_OK;
	failure = cof_raise(err, COF_E_REFUSED, job->device->node,
			    "its header is whole, but older than its copy in the vault");
	cof_error_try(err, "coffer disk header restore %s --force, which puts the newer one back",
		      job->disk.name);
	return failure;
}

cof_result header_repair_plan(struct header_work *work, const char *typed, bool force,
			      struct header_plan *ret_plan, struct cof_error *err)
{
	_cleanup_(header_plan_done) struct header_plan plan = { 0 };
	_cleanup_(outcome_done) struct outcome outcome = OUTCOME_NONE;

	TRY(header_job_find(work, typed, &plan.job, err));
	TRY(luks_header_examine(plan.job.device->node, &plan.state, err));
	TRY(plan_mend(&plan.job, &plan.state, &plan.writes, err));
	TRY(rehearse(&plan.job, &plan.writes, &outcome, err));
	TRY(plan_slots(&plan.job, &outcome, &plan.writes, err));
	if (!outcome.opens)
		TRY(plan_copy(work, &plan.job, &plan.state, &outcome, &plan.writes, err));
	if (plan.writes.count > 0)
		TRY(refuse(&plan, force, err));
	else
		TRY(refuse_older(&plan.job, err));

	*ret_plan = plan;
	plan = (struct header_plan){ 0 };
	return COF_OK;
}

/* What closing with a locked vault relies on follows the header; without it, closing asks for the
 * vault's key. */
static void renew_proof(const struct header_work *work, const struct header_job *job)
{
	_cleanup_buffer_ struct buffer copy = { 0 };

	if (work->vault && !cof_failed(luks_copy_header(job->device->node, &copy, NULL)))
		cof_ignore(disk_proof_write(work->vault, work->paths, job->disk.name,
					    buffer_span(&copy), NULL));
}

cof_result header_repair_run(struct header_work *work, struct header_plan *plan,
			     struct cof_error *err)
{
	const struct header_job *job = &plan->job;

	TRY(header_write(plan, "repair", err));
	TRY(header_prove(job, err));
	TRY(fault_point("repair/proven", err));
	if (!job->known)
		return COF_OK;
	TRY(disk_refresh_copy(work->vault, work->paths, job->disk.name, job->device->node, job->key,
			      err));
	if (job->open.open)
		renew_proof(work, job);
	return COF_OK;
}
