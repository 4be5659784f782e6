/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk tune: how dm-crypt serves a disk.
 */

#include <stdio.h>
#include <string.h>

#include "aes_support.h"
#include "disk_advice.h"
#include "disk_audit.h"
#include "disk_format_job.h"
#include "disk_result.h"
#include "disk_tune.h"
#include "fault.h"
#include "luks_flags.h"

/* What tuning one disk knows. */
struct tuning {
	struct vault *vault;
	const struct paths *paths;
	const struct disk_tune_spec *spec;
	bool aes;
	const struct disk *disk;
	const struct device *device;
	struct slot_secret *key;
	struct volume_key *volume_key;
	struct disk_open_state state;
	struct disk_tuned *tuned;
	struct disk_result *result;
};

static void tuning_done(struct tuning *tuning)
{
	slot_secret_free(tuning->key);
	volume_key_free(tuning->volume_key);
}

/* Finds the disk and its device. */
static cof_result find(struct tuning *tuning, const struct disk_set *set,
		       const struct disk_finder *finder, const char *typed, struct cof_error *err)
{
	struct disk_result *result = tuning->result;
	char why_not[384];
	dev_t number;

	TRY(disk_lookup(set, typed, &tuning->disk, &number, err));
	(void)snprintf(result->name, sizeof(result->name), "%s", tuning->disk->name);
	(void)snprintf(result->uuid, sizeof(result->uuid), "%s", tuning->disk->uuid);
	ENSURE(tuning->disk->ready, err, COF_E_REFUSED, tuning->disk->name,
	       "is %s: coffer disk %s finishes that", disk_work_word(tuning->disk),
	       disk_work_verb(tuning->disk));
	TRY(disk_finder_find(finder, tuning->disk, &tuning->device, err));
	ENSURE(!number || tuning->device->number == number, err, COF_E_REFUSED, tuning->disk->name,
	       "both %s and %s have its header", typed, tuning->device->node);
	ENSURE(disk_is_device(tuning->disk, tuning->device, why_not, sizeof(why_not)), err,
	       COF_E_REFUSED, tuning->disk->name, "%s is another device: %s", tuning->device->node,
	       why_not);
	(void)snprintf(result->source, sizeof(result->source), "%s", tuning->device->node);
	return COF_OK;
}

/* The flags that the disk is to have. */
static void decide(struct tuning *tuning)
{
	const struct disk_tune_spec *spec = tuning->spec;
	struct disk_tuned *tuned = tuning->tuned;
	struct disk_advice advice;

	disk_advise(tuning->device, tuning->aes, &advice);
	tuned->advised = advice.flags;
	tuned->after = tuned->before;
	if (spec->advised)
		tuned->after = advice.flags | (tuned->before & LUKS_FLAG_DISCARD);
	tuned->after = (tuned->after | spec->set) & ~spec->clear;
}

/* What must be right before a header is written. */
static cof_result check(struct tuning *tuning, struct cof_error *err)
{
	const char *node = tuning->device->node;
	struct luks_info info;
	bool found;

	TRY(luks_read(node, NULL, &info, err));
	TRY(disk_check_header(node, &info, err));
	if (info.version == 1) {
		cof_ignore(cof_raise(err, COF_E_UNSUPPORTED, node,
				     "has a LUKS1 header, which keeps no flags"));
		cof_error_try(
			err, "as options of its line in crypttab: no-read-workqueue, "
			     "no-write-workqueue, same-cpu-crypt, submit-from-crypt-cpus, discard");
		return (cof_result){ COF_E_UNSUPPORTED };
	}
	TRY(luks_flags_get(node, &tuning->tuned->before, err));
	decide(tuning);
	ENSURE(!(tuning->tuned->after & LUKS_FLAG_DISCARD) || tuning->device->discards ||
		       (tuning->tuned->before & LUKS_FLAG_DISCARD),
	       err, COF_E_UNSUPPORTED, node, "discards nothing, so there is nothing to pass on");
	ENSURE(!tuning->device->read_only || tuning->tuned->before == tuning->tuned->after, err,
	       COF_E_REFUSED, node, "is read-only: its header cannot be written");
	TRY(disk_key(tuning->vault, tuning->disk->name, &tuning->key, &found, err));
	ENSURE(found, err, COF_E_CONFLICT, tuning->disk->name, "its record is gone");
	return luks_unlock(node, NULL, tuning->key, LUKS_ANY_SLOT, &tuning->volume_key, NULL, err);
}

/* An open mapping takes the flags over. */
static void refresh(struct tuning *tuning)
{
	struct disk_result *result = tuning->result;
	struct cof_error failure = { 0 };

	if (!tuning->state.open)
		return;
	if (strcmp(tuning->state.backend, "dm-crypt") != 0)
		(void)snprintf(result->note, sizeof(result->note),
			       "they are for dm-crypt: the user-space engine has none of these "
			       "queues, and passes no discard on");
	else if (cof_failed(luks_refresh(tuning->device->node, tuning->state.name,
					 tuning->volume_key, &failure)))
		(void)snprintf(result->note, sizeof(result->note),
			       "they count when it is opened next: %.128s %.80s", failure.text,
			       failure.cause);
}

/* Tunes one disk. */
static cof_result tune_one(struct tuning *tuning, struct cof_error *err)
{
	struct disk_result *result = tuning->result;
	const char *node = tuning->device->node;
	struct disk_tuned *tuned = tuning->tuned;

	TRY(check(tuning, err));
	TRY(disk_state_of(tuning->paths, tuning->disk->name, &tuning->state, err));
	if (tuning->state.open)
		result->state = "open";
	if (tuning->spec->dry_run) {
		result->state = "planned";
		return COF_OK;
	}
	if (tuned->before != tuned->after) {
		/* What differs from its copy is put right before it becomes the copy. */
		TRY(disk_refresh_copy(tuning->vault, tuning->paths, tuning->disk->name, node,
				      tuning->key, err));
		TRY(fault_point("tune/ready", err));
		TRY(luks_flags_set(node, tuned->after, err));
		result->changed = true;
		TRY(fault_point("tune/written", err));
	}
	TRY(disk_refresh_copy(tuning->vault, tuning->paths, tuning->disk->name, node, tuning->key,
			      err));
	disk_proof_renew(tuning->vault, tuning->paths, tuning->disk->name, node);
	TRY(fault_point("tune/copied", err));
	refresh(tuning);
	return COF_OK;
}

cof_result disk_tune(struct vault *vault, const struct paths *paths, const char *const names[],
		     size_t count, const struct disk_tune_spec *spec, struct disk_tuned tuned[],
		     struct disk_result results[], struct cof_error *err)
{
	_cleanup_(disk_set_done) struct disk_set set = { 0 };
	_cleanup_(disk_finder_done) struct disk_finder finder = { 0 };
	_cleanup_fd_ int lock = -1;
	struct aes_support aes;

	for (size_t i = 0; i < count; i++)
		disk_result_start(&results[i], names[i]);
	aes_support_read(&aes);
	TRY(disk_fail_all(disk_format_lock(paths, &lock, err), results, count, err));
	TRY(disk_fail_all(disk_set_load(vault, &set, err), results, count, err));
	TRY(disk_fail_all(disk_finder_init(&finder, err), results, count, err));
	for (size_t i = 0; i < count; i++) {
		_cleanup_(tuning_done) struct tuning tuning = { .vault = vault,
								.paths = paths,
								.spec = spec,
								.aes = aes.processor,
								.tuned = &tuned[i],
								.result = &results[i] };
		struct cof_error failure = { 0 };
		cof_result done = find(&tuning, &set, &finder, names[i], &failure);

		if (!cof_failed(done))
			done = tune_one(&tuning, &failure);
		if (cof_failed(done))
			disk_result_fail(&results[i], &failure);
		if (!spec->dry_run)
			disk_audit(vault, paths, AUDIT_DISK_TUNE, &results[i], 1);
	}
	return disk_first_failure(results, count, err);
}
