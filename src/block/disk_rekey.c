/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk rekey: the data under a new volume key. The key in the vault stays: its keyslot holds the
 * new volume key as well until all data are under that, and the header says how far they are.
 */

#include <stdio.h>
#include <string.h>

#include "disk_audit.h"
#include "disk_format_job.h"
#include "disk_job.h"
#include "disk_result.h"

/* One run. */
struct rekeying {
	struct changing changing;
	struct disk_change_plan *plan;
	const char *mapping; /* through which the disk is in use meanwhile; NULL: it is closed */
};

static void rekeying_done(struct rekeying *rekeying)
{
	changing_done(&rekeying->changing);
}

/* Refuses a disk that is open in a way in which its data cannot change. */
static cof_result check_use(const struct paths *paths, struct disk_change_plan *plan,
			    struct cof_error *err)
{
	struct disk_open_state state;
	struct verdict verdict;

	TRY(disk_state_of(paths, plan->disk.name, &state, err));
	if (state.open && strcmp(state.backend, "dm-crypt") == 0) {
		disk_result_open(&plan->result, &state);
		return COF_OK;
	}
	TRY(device_verdict(plan->device, &verdict, err));
	if (verdict.state != VERDICT_IN_USE && verdict.state != VERDICT_UNFIT)
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_REFUSED, plan->disk.name, "%s",
			     state.open ? "is open without dm-crypt, and was not touched"
					: "cannot be given a new volume key"));
	cof_error_cause(err, "%s is %s", plan->device->node, verdict.reason);
	cof_error_try(err, "%s", verdict.remedy);
	return (cof_result){ COF_E_REFUSED };
}

/* Refuses a header that has keyslots which would not survive. */
static cof_result check_slots(const struct disk_change_plan *plan, const struct luks_info *info,
			      struct cof_error *err)
{
	if (info->slot_count == 1)
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_REFUSED, plan->disk.name,
			     "has %zu keyslots, and only that of the vault can get a new volume "
			     "key",
			     info->slot_count));
	cof_error_try(err, "coffer disk adopt %s --only, which removes the others",
		      plan->device->node);
	return (cof_result){ COF_E_REFUSED };
}

/* What must be right before a new volume key is made. */
static cof_result check_header(struct vault *vault, struct disk_change_plan *plan,
			       struct cof_error *err)
{
	const char *node = plan->device->node;
	struct luks_info info;

	TRY(luks_read(node, NULL, &info, err));
	TRY(disk_check_header(node, &info, err));
	ENSURE(info.version == 2, err, COF_E_UNSUPPORTED, node,
	       "has a LUKS1 header: only LUKS2 can change its volume key");
	ENSURE(!info.integrity[0] && !info.hw_opal, err, COF_E_UNSUPPORTED, node,
	       "is encrypted in a way that cannot be changed where it is");
	TRY(changing_prove_key(vault, plan->disk.name, node, err));
	ENSURE(plan->device->size_bytes > info.data_offset_bytes, err, COF_E_FORMAT, node,
	       "has no data behind its header");
	plan->data_bytes = plan->device->size_bytes - info.data_offset_bytes;
	if (info.data_length_bytes && info.data_length_bytes < plan->data_bytes)
		plan->data_bytes = info.data_length_bytes;
	plan->sector_bytes = info.sector_bytes;
	return check_slots(plan, &info, err);
}

/* Everything about the disk. */
static cof_result plan_disk(struct vault *vault, const struct paths *paths,
			    const struct disk_set *set, const char *typed,
			    struct disk_change_plan *plan, struct cof_error *err)
{
	_cleanup_(disk_finder_done) struct disk_finder finder = { 0 };
	const struct device *device;
	const struct disk *disk;
	char why_not[384];
	dev_t number;

	TRY(disk_lookup(set, typed, &disk, &number, err));
	plan->disk = *disk;
	(void)snprintf(plan->result.name, sizeof(plan->result.name), "%s", disk->name);
	(void)snprintf(plan->result.uuid, sizeof(plan->result.uuid), "%s", disk->uuid);
	TRY(disk_check_work(disk, DISK_WORK_REKEY, err));
	TRY(disk_finder_init(&finder, err));
	TRY(disk_finder_find(&finder, disk, &device, err));
	ENSURE(!number || device->number == number, err, COF_E_REFUSED, disk->name,
	       "both %s and %s have its header", typed, device->node);
	ENSURE(disk_is_device(disk, device, why_not, sizeof(why_not)), err, COF_E_REFUSED,
	       disk->name, "%s is another device: %s", device->node, why_not);
	TRY(device_by_number(device->number, &plan->device, err));
	(void)snprintf(plan->result.source, sizeof(plan->result.source), "%s", device->node);
	TRY(check_use(paths, plan, err));
	plan->action = disk->ready ? CHANGE_NEW : CHANGE_RESUME;
	return disk->ready ? check_header(vault, plan, err) : COF_OK;
}

cof_result disk_rekey_plan(struct vault *vault, const struct paths *paths, const char *typed,
			   struct disk_change_plan *ret_plan, struct cof_error *err)
{
	_cleanup_(disk_set_done) struct disk_set set = { 0 };
	struct disk_change_plan plan = { 0 };

	TRY(disk_set_load(vault, &set, err));
	disk_result_start(&plan.result, typed);
	if (cof_failed(plan_disk(vault, paths, &set, typed, &plan, &plan.result.error)))
		disk_result_fail(&plan.result, &plan.result.error);
	else if (!plan.result.device[0])
		plan.result.state = "planned";

	*ret_plan = plan;
	return COF_OK;
}

/* Step 1: noted. */
static cof_result note(struct rekeying *rekeying, struct cof_error *err)
{
	struct changing *changing = &rekeying->changing;
	const struct disk_change_plan *plan = rekeying->plan;

	if (plan->action == CHANGE_RESUME)
		return changing_load(changing, err);
	changing->job = (struct disk_job){ .stage = JOB_NOTED,
					   .size_bytes = plan->device->size_bytes,
					   .data_bytes = plan->data_bytes,
					   .sector_bytes = plan->sector_bytes };
	TRY(changing_begin(changing, false, err));
	return changing_point(changing, "noted", err);
}

/* Step 2: a digest of the data, where nobody can change them meanwhile; then the new volume key in
 * a keyslot, and the header ready to change to it. */
static cof_result begin(struct rekeying *rekeying, struct cof_error *err)
{
	struct changing *changing = &rekeying->changing;
	_cleanup_buffer_ struct buffer copy = { 0 };
	enum luks_reencrypt_state state;

	if (changing->job.stage == JOB_RUNNING)
		return COF_OK;
	TRY(luks_reencrypt_look(changing->node, NULL, &state, err));
	if (state == LUKS_REENCRYPT_NONE) {
		if (!rekeying->mapping)
			TRY(disk_samples(changing->node, changing->key, changing->job.data_bytes,
					 changing->job.proof, err));
		TRY(changing_store(changing, SPAN(NULL, 0), err));
		TRY(luks_rekey_begin(changing->node, changing->key, err));
	}
	TRY(changing_point(changing, "begun", err));
	TRY(luks_copy_header(changing->node, &copy, err));
	changing->job.stage = JOB_RUNNING;
	TRY(changing_store(changing, buffer_span(&copy), err));
	return changing_point(changing, "copied-first", err);
}

/* The last steps: compared, and ready. */
static cof_result finish(struct rekeying *rekeying, struct cof_error *err)
{
	struct changing *changing = &rekeying->changing;

	progress_step(changing->progress, 0, changing->disk->name,
		      "comparing the data with what they were");
	if (!rekeying->mapping)
		TRY(disk_compare_samples(changing, changing->key, err));
	TRY(changing_point(changing, "compared", err));
	TRY(changing_end(changing, err));
	if (rekeying->mapping)
		disk_proof_renew(changing->vault, changing->paths, changing->disk->name,
				 changing->node);
	return changing_point(changing, "ready", err);
}

/* Everything before the long step. */
static cof_result prepare(struct rekeying *rekeying, struct cof_error *err)
{
	struct disk_change_plan *plan = rekeying->plan;
	_cleanup_fd_ int lock = -1;

	TRY(disk_format_lock(rekeying->changing.paths, &lock, err));
	TRY(disk_audit_change_start(rekeying->changing.vault, AUDIT_DISK_REKEY, plan, err));
	plan->disk.work = DISK_WORK_REKEY;
	plan->result.changed = true;
	TRY(note(rekeying, err));
	return begin(rekeying, err);
}

/* Gives the data a new volume key, from where they are. */
static cof_result rekey(struct rekeying *rekeying, struct cof_error *err)
{
	TRY(prepare(rekeying, err));
	TRY(changing_run(&rekeying->changing, rekeying->mapping, "encrypting with a new volume key",
			 err));
	return finish(rekeying, err);
}

cof_result disk_rekey_run(struct vault *vault, const struct paths *paths,
			  struct disk_change_plan *plan, struct progress *progress,
			  struct cof_error *err)
{
	_cleanup_(rekeying_done) struct rekeying rekeying = {
		.plan = plan,
		.mapping = plan->result.device[0] ? plan->disk.name : NULL,
		.changing = { .vault = vault,
			      .paths = paths,
			      .progress = progress,
			      .work = DISK_WORK_REKEY,
			      .disk = &plan->disk,
			      .node = plan->device->node },
	};
	struct cof_error failure = { 0 };

	if (cof_failed(rekey(&rekeying, &failure)))
		disk_result_fail(&plan->result, &failure);
	else if (!rekeying.mapping)
		plan->result.state = "closed";
	disk_audit(vault, paths, AUDIT_DISK_REKEY, &plan->result, 1);
	progress_end(progress, 0, plan->result.name, plan->result.state);
	return disk_first_failure(&plan->result, 1, err);
}
