/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk adopt, second half: key durable → keyslot → proven → header copy → crypttab → other slots.
 *
 * The old way in is only ever removed as the last step, once the new one is proven.
 */

#include <stdio.h>
#include <string.h>

#include "disk_audit.h"
#include "disk_format_job.h"
#include "disk_life.h"
#include "disk_result.h"
#include "fault.h"
#include "key_place.h"
#include "log.h"

/* What the steps share. */
struct adopting {
	struct vault *vault;
	const struct paths *paths;
	const struct disk_adopt_spec *spec;
	struct disk_adopt_job *job;
};

/* Looks at the device again: the plan may be minutes old, since the user was asked in between. */
static cof_result look_again(const struct disk_adopt_job *job, struct cof_error *err)
{
	_cleanup_(device_freep) struct device *now = NULL;
	struct disk planned;
	struct luks_info info;
	char why_not[384];
	bool same;

	TRY(device_by_number(job->device->number, &now, err));
	disk_of_device(job->device, &planned);
	TRY(luks_read(job->device->node, NULL, &info, err));
	same = disk_is_device(&planned, now, why_not, sizeof(why_not)) &&
	       strcmp(now->node, job->device->node) == 0 &&
	       strcmp(info.uuid, job->disk.uuid) == 0 && info.sequence == job->info.sequence &&
	       info.slot_count == job->info.slot_count;
	ENSURE(same, err, COF_E_REFUSED, job->device->node,
	       "is not as it was a moment ago and was not touched");
	return COF_OK;
}

/* Step 1: the new key durable, read back and mirrored. */
static cof_result store_key(struct adopting *adopting, struct cof_error *err)
{
	struct disk_adopt_job *job = adopting->job;
	struct vault_write write = { .keep_history = true };

	if (job->action == ADOPT_NEW) {
		job->disk.ready = false;
		job->disk.work = DISK_WORK_ADOPT;
		TRY(record_new(DISK_KIND, job->disk.name, &job->record, err));
		if (job->secret)
			TRY(secret_copy(slot_secret_span(job->secret), &job->record->secret, err));
		else
			TRY(secret_random(DISK_KEY_BYTES_DEFAULT, &job->record->secret, err));
		json_free(TAKE(job->record->meta));
		job->record->meta = disk_to_meta(&job->disk);
		write.record = job->record;
		TRY(vault_commit(adopting->vault, &write, 1, err));
		job->result.changed = true;
	}
	return fault_point("adopt/key-durable", err);
}

/* Step 2: a keyslot for the key as the vault has it now, if that opens none, and the proof. */
static cof_result add_slot(struct adopting *adopting, const struct slot_secret *key,
			   struct cof_error *err)
{
	_cleanup_(volume_key_freep) struct volume_key *proven = NULL;
	struct disk_adopt_job *job = adopting->job;
	const char *node = job->device->node;

	if (job->action != ADOPT_FINISH && !job->secret) {
		TRY(luks_slot_add(node, NULL, job->volume_key, key, LUKS_COST_RANDOM_KEY,
				  &job->own_slot, err));
		job->result.changed = true;
	}
	TRY(fault_point("adopt/slot-added", err));
	TRY(luks_unlock(node, NULL, key, job->own_slot, &proven, NULL, err));
	ENSURE(ct_equal(volume_key_span(job->volume_key), volume_key_span(proven)), err,
	       COF_E_FAILED, node, "the stored key opens another volume key than the old one");
	return fault_point("adopt/proven", err);
}

/* Step 3: the header's copy into the vault; from now on the disk is ready. */
static cof_result store_copy(struct adopting *adopting, const struct slot_secret *key,
			     struct cof_error *err)
{
	_cleanup_(record_freep) struct record *copy = NULL;
	struct disk_adopt_job *job = adopting->job;
	struct vault_write writes[2] = { 0 };
	bool noted = json_get_bool(job->record->meta, "crypttab", false);
	size_t count = 0;
	bool same;

	TRY(disk_copy_record(adopting->vault, adopting->paths, job->disk.name, job->device->node,
			     key, &copy, &same, err));
	if (!same)
		writes[count++] = (struct vault_write){ .record = copy, .keep_history = true };
	if (!job->disk.ready || noted != job->disk.crypttab) {
		job->disk.ready = true;
		json_free(TAKE(job->record->meta));
		job->record->meta = disk_to_meta(&job->disk);
		writes[count++] = (struct vault_write){ .record = job->record };
	}
	if (count > 0)
		TRY(vault_commit(adopting->vault, writes, count, err));
	job->result.changed = job->result.changed || count > 0;
	return fault_point("adopt/header-copied", err);
}

/* crypttab_edit()'s change: the line of this disk. One that was the user's keeps its source. */
static cof_result set_line(struct crypttab *table, void *context, struct cof_error *err)
{
	const struct adopting *adopting = context;
	const struct disk_adopt_job *job = adopting->job;
	_cleanup_free_ char *options = NULL;
	struct crypttab_entry line = { .source = "", .options = "" };
	bool there = crypttab_find(table, job->disk.name, &line);

	if (there && disk_line_is_ours(adopting->paths, &job->disk, &line))
		return COF_OK;
	TRY(adopt_options(line.options, &options, err));
	return crypttab_set(table, job->disk.name,
			    there ? line.source : disk_crypttab_source(&job->disk, job->device),
			    disk_line_key(adopting->paths, &job->disk), options, err);
}

/* Step 4: crypttab. */
static cof_result write_crypttab(struct adopting *adopting, struct cof_error *err)
{
	if (adopting->job->disk.crypttab)
		TRY(crypttab_edit(adopting->paths->crypttab, set_line, adopting, err));
	return fault_point("adopt/crypttab", err);
}

/* Step 5, with --only: every keyslot goes but the one that the stored key is proven to open. */
static cof_result remove_others(struct adopting *adopting, const struct slot_secret *key,
				struct cof_error *err)
{
	struct disk_adopt_job *job = adopting->job;
	const char *node = job->device->node;
	_cleanup_(volume_key_freep) struct volume_key *before = NULL;
	_cleanup_(volume_key_freep) struct volume_key *after = NULL;
	struct luks_info info;
	int own;

	if (!adopting->spec->only)
		return COF_OK;
	TRY(luks_unlock(node, NULL, key, LUKS_ANY_SLOT, &before, &own, err));
	TRY(luks_read(node, NULL, &info, err));
	for (size_t i = 0; i < info.slot_count; i++) {
		if (info.slots[i].number == own)
			continue;
		TRY(luks_slot_remove(node, NULL, info.slots[i].number, err));
		job->result.changed = true;
		TRY(fault_point("adopt/slot-removed", err));
	}
	TRY(luks_unlock(node, NULL, key, own, &after, NULL, err));
	TRY(disk_refresh_copy(adopting->vault, adopting->paths, job->disk.name, node, key, err));
	return fault_point("adopt/copied-again", err);
}

/* Where the disk is now: adopting opens and closes nothing. */
static cof_result show_state(struct adopting *adopting, struct cof_error *err)
{
	struct disk_adopt_job *job = adopting->job;
	bool changed = job->result.changed;
	struct disk_open_state state;

	TRY(disk_state_on(adopting->paths, job->device, &state, err));
	job->result.state = "closed";
	if (!state.open)
		return COF_OK;
	disk_result_open(&job->result, &state);
	(void)snprintf(job->result.name, sizeof(job->result.name), "%s", job->disk.name);
	job->result.changed = changed;
	if (strcmp(state.name, job->disk.name) != 0 && !job->result.note[0])
		(void)snprintf(job->result.note, sizeof(job->result.note),
			       "open as %s until it is closed", state.name);
	return COF_OK;
}

/* Adopts one device. */
static cof_result adopt_one(struct adopting *adopting, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;
	struct disk_adopt_job *job = adopting->job;
	bool found;

	TRY(look_again(job, err));
	TRY(store_key(adopting, err));
	TRY(disk_key(adopting->vault, job->disk.name, &key, &found, err));
	ENSURE(found, err, COF_E_CONFLICT, job->disk.name, "its record is gone from the vault");
	TRY(add_slot(adopting, key, err));
	TRY(store_copy(adopting, key, err));
	TRY(write_crypttab(adopting, err));
	TRY(remove_others(adopting, key, err));
	disk_proof_renew(adopting->vault, adopting->paths, job->disk.name, job->device->node);
	return show_state(adopting, err);
}

cof_result disk_adopt_run(struct vault *vault, const struct paths *paths,
			  struct disk_adopt_plan *plan, const struct disk_adopt_spec *spec,
			  struct progress *progress, struct cof_error *err)
{
	struct adopting adopting = { .vault = vault, .paths = paths, .spec = spec };
	_cleanup_fd_ int lock = -1;
	struct cof_error no_lock = { 0 };
	bool locked = !cof_failed(disk_format_lock(paths, &lock, &no_lock));

	for (size_t i = 0; i < plan->count; i++) {
		struct disk_adopt_job *job = &plan->jobs[i];
		struct cof_error failure = no_lock;

		if (job->result.error.code != COF_E_NONE)
			continue;
		adopting.job = job;
		progress_step(progress, i, job->disk.name, "adopting");
		if (!locked || cof_failed(adopt_one(&adopting, &failure)))
			disk_result_fail(&job->result, &failure);
		disk_audit(vault, paths, AUDIT_DISK_ADOPT, &job->result, 1);
		progress_end(progress, i, job->disk.name, job->result.state);
	}
	for (size_t i = 0; i < plan->count; i++)
		TRY(disk_first_failure(&plan->jobs[i].result, 1, err));
	return COF_OK;
}
