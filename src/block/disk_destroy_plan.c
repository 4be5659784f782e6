/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk destroy, first half: what would be destroyed, and what must not be touched.
 */

#include <stdio.h>
#include <string.h>

#include "audit_line.h"
#include "disk_destroy.h"
#include "disk_life.h"
#include "disk_result.h"
#include "key_place.h"
#include "note.h"
#include "number.h"
#include "tabfile.h"

/* What planning one disk may look at. */
struct planning {
	struct vault *vault;
	const struct paths *paths;
	const struct disk_set *set;
	const struct disk_set *destroyed; /* whose certificate is not written */
	const struct disk_finder *finder;
	const struct crypttab *crypttab;
	bool missing;
};

void disk_destroy_plan_done(struct disk_destroy_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		device_free(plan->jobs[i].device);
	free(plan->jobs);
	*plan = (struct disk_destroy_plan){ 0 };
}

/* Nothing is destroyed below an open volume. */
static cof_result refuse_open(const struct planning *planning, const struct disk_destroy_job *job,
			      struct cof_error *err)
{
	struct disk_open_state state;

	TRY(disk_state_of(planning->paths, job->disk.name, &state, err));
	if (!state.open && !state.dead && job->device)
		TRY(disk_state_on(planning->paths, job->device, &state, err));
	if (!state.open && !state.dead)
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_BUSY, job->disk.name, "is open and was not touched"));
	cof_error_try(err, "coffer disk close %s", state.name);
	return (cof_result){ COF_E_BUSY };
}

/* Refuses a device that is used, or cannot be written to. */
static cof_result refuse_used(const struct disk_destroy_job *job, struct cof_error *err)
{
	struct verdict verdict;

	TRY(device_verdict(job->device, &verdict, err));
	if (verdict.state == VERDICT_IN_USE || verdict.state == VERDICT_UNFIT) {
		cof_ignore(cof_raise(err, COF_E_REFUSED, job->device->node, "%s",
				     verdict.state == VERDICT_IN_USE
					     ? "is in use and was not touched"
					     : "cannot be overwritten"));
		cof_error_cause(err, "%s", verdict.reason);
		cof_error_try(err, "%s", verdict.remedy);
		return (cof_result){ COF_E_REFUSED };
	}
	if (job->has_header || !verdict.signature[0])
		return COF_OK;
	/* A run before has removed the header, and somebody has used the device since. */
	cof_ignore(cof_raise(err, COF_E_REFUSED, job->device->node, "holds something else now: %s",
			     verdict.reason));
	cof_error_try(err, "coffer disk destroy %s --missing, which leaves the device alone",
		      job->disk.name);
	return (cof_result){ COF_E_REFUSED };
}

/* The device that has the disk's header; NULL for none. */
static const struct device *with_header(const struct planning *planning, const struct disk *disk)
{
	for (size_t i = 0; i < planning->finder->devices.count; i++)
		if (strcmp(planning->finder->uuids[i], disk->uuid) == 0)
			return planning->finder->devices.items[i];
	return NULL;
}

/* --missing: then no device may have the header. */
static cof_result decide_missing(const struct planning *planning, struct disk_destroy_job *job,
				 struct cof_error *err)
{
	const struct device *device = with_header(planning, &job->disk);

	job->action = DESTROY_VAULT;
	if (!device)
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_REFUSED, job->disk.name,
			     "is not missing: %s has its header", device->node));
	cof_error_try(err, "coffer disk destroy %s", job->disk.name);
	return (cof_result){ COF_E_REFUSED };
}

/* The device whose header an interrupted run has removed already; NULL for none. */
static const struct device *half_destroyed(const struct planning *planning, const struct disk *disk)
{
	if (disk->ready || disk->work != DISK_WORK_DESTROY || with_header(planning, disk))
		return NULL;
	for (size_t i = 0; i < planning->finder->devices.count; i++)
		if (disk_has_stable_name(disk, planning->finder->devices.items[i]))
			return planning->finder->devices.items[i];
	return NULL;
}

/* How much is to be overwritten: what the header says, or what it said before it was removed. */
static cof_result measure(const struct planning *planning, struct disk_destroy_job *job,
			  struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	struct luks_info info;
	bool found;

	if (job->has_header) {
		TRY(luks_read(job->device->node, NULL, &info, err));
		job->wipe_bytes = info.header_bytes;
		job->slot_count = info.slot_count;
	} else {
		TRY(vault_get(planning->vault, DISK_KIND, job->disk.name, &record, &found, err));
		job->wipe_bytes = found ? json_get_uint(record->meta, "wipe", 0) : 0;
	}
	ENSURE(job->wipe_bytes > 0 && job->wipe_bytes <= job->device->size_bytes, err, COF_E_FORMAT,
	       job->disk.name, "its header has %llu bytes, its device %llu",
	       (unsigned long long)job->wipe_bytes, (unsigned long long)job->device->size_bytes);
	return COF_OK;
}

/* A disk whose device must be there. */
static cof_result decide_device(const struct planning *planning, dev_t number,
				struct disk_destroy_job *job, struct cof_error *err)
{
	const struct device *device = half_destroyed(planning, &job->disk);
	char why_not[384];

	/* Destroying a header destroys no data that are not behind it yet. */
	TRY(disk_refuse_changing(&job->disk, err));
	job->action = DESTROY_ALL;
	job->has_header = !device;
	if (job->has_header) {
		struct cof_error failure = { 0 };
		cof_result found =
			disk_finder_find(planning->finder, &job->disk, &device, &failure);

		if (cof_failed(found) && !with_header(planning, &job->disk))
			cof_error_try(&failure,
				      "attach it; or coffer disk destroy %s --missing, if it is "
				      "gone for good",
				      job->disk.name);
		if (cof_failed(found) && err)
			*err = failure;
		TRY(found);
	}
	ENSURE(!number || device->number == number, err, COF_E_REFUSED, job->disk.name,
	       "is not on the device that was named, but on %s", device->node);
	ENSURE(disk_is_device(&job->disk, device, why_not, sizeof(why_not)), err, COF_E_REFUSED,
	       job->disk.name, "%s is another device: %s", device->node, why_not);
	TRY(device_by_number(device->number, &job->device, err));
	(void)snprintf(job->result.source, sizeof(job->result.source), "%s", device->node);
	TRY(refuse_open(planning, job, err));
	TRY(refuse_used(job, err));
	return measure(planning, job, err);
}

/* vault_each_generation()'s visitor. */
static cof_result count_generation(const struct record *record, void *context,
				   struct cof_error *err)
{
	(void)record;
	(void)err;
	(*(size_t *)context)++;
	return COF_OK;
}

/* vault_each_generation()'s visitor: the oldest of all, since it comes last. */
static cof_result keep_oldest(const struct record *record, void *context, struct cof_error *err)
{
	struct record *oldest = context;

	(void)err;
	oldest->generation = record->generation;
	oldest->created = record->created;
	return COF_OK;
}

/* What the last backup that is known has of the disk. A note proves nothing, and older copies of
 * the header may have gone: only a first one that is newer than the backup is not in it. */
static cof_result look_at_backup(const struct planning *planning, struct disk_destroy_job *job,
				 struct cof_error *err)
{
	_cleanup_json_ struct json *note = NULL;
	struct record oldest = { 0 };
	int64_t when = 0;
	const char *text;

	if (cof_failed(note_get(planning->vault, NOTE_BACKUP, &note, NULL)) || !note)
		return COF_OK;
	text = json_get_text(note, "time");
	if (!text || cof_failed(audit_time_parse(text, &when, NULL)))
		return COF_OK;
	(void)time_format(when, job->steps.last_backup);
	TRY(vault_each_generation(planning->vault, DISK_HEADER_KIND, job->disk.name, keep_oldest,
				  &oldest, err));
	job->steps.backup_holds = oldest.generation != 1 || oldest.created <= when;
	return COF_OK;
}

/* What the vault and crypttab have of the disk. */
static cof_result count(const struct planning *planning, struct disk_destroy_job *job,
			struct cof_error *err)
{
	struct crypttab_entry line;
	size_t rotations = 0;

	TRY(vault_each_generation(planning->vault, DISK_KIND, job->disk.name, count_generation,
				  &job->key_count, err));
	TRY(vault_each_generation(planning->vault, DISK_ROTATION_KIND, job->disk.name,
				  count_generation, &rotations, err));
	job->key_count += rotations;
	TRY(vault_each_generation(planning->vault, DISK_HEADER_KIND, job->disk.name,
				  count_generation, &job->copy_count, err));
	TRY(look_at_backup(planning, job, err));
	job->has_line = crypttab_find(planning->crypttab, job->disk.name, &line) &&
			disk_line_is_ours(planning->paths, &job->disk, &line);
	return COF_OK;
}

/* Everything about one disk. */
static cof_result plan_one(const struct planning *planning, const char *typed,
			   struct disk_destroy_job *job, struct cof_error *err)
{
	const struct disk *disk;
	dev_t number;
	bool certify = false;
	cof_result found = disk_lookup(planning->set, typed, &disk, &number, err);

	if (found.code == COF_E_NOENT)
		certify =
			!cof_failed(disk_lookup(planning->destroyed, typed, &disk, &number, NULL));
	if (!certify)
		TRY(found);
	job->disk = *disk;
	job->result.state = "planned";
	(void)snprintf(job->result.name, sizeof(job->result.name), "%s", disk->name);
	(void)snprintf(job->result.uuid, sizeof(job->result.uuid), "%s", disk->uuid);
	if (certify) {
		job->action = DESTROY_CERTIFY;
		return COF_OK;
	}
	TRY(refuse_open(planning, job, err));
	if (planning->missing)
		TRY(decide_missing(planning, job, err));
	else
		TRY(decide_device(planning, number, job, err));
	return count(planning, job, err);
}

/* A disk that stands twice on the command line. */
static cof_result refuse_twice(const struct disk_destroy_plan *plan, size_t index,
			       struct cof_error *err)
{
	for (size_t i = 0; i < index; i++)
		ENSURE(plan->jobs[i].result.error.code != COF_E_NONE ||
			       strcmp(plan->jobs[i].disk.name, plan->jobs[index].disk.name) != 0,
		       err, COF_E_USAGE, plan->jobs[index].disk.name, "is named twice");
	return COF_OK;
}

/* vault_each()'s visitor: the facts of a destroyed disk. */
static cof_result collect(const struct record *record, void *context, struct cof_error *err)
{
	struct disk_set *set = context;
	struct disk *grown = realloc(set->items, (set->count + 1) * sizeof(*grown));

	ENSURE(grown, err, COF_E_NOMEM, NULL, "no memory for %zu disks", set->count + 1);
	set->items = grown;
	TRY(disk_from_meta(record->meta, &grown[set->count], err));
	set->count++;
	return COF_OK;
}

cof_result disk_destroy_plan(struct vault *vault, const struct paths *paths,
			     const char *const names[], size_t count, bool missing,
			     struct disk_destroy_plan *ret_plan, struct cof_error *err)
{
	_cleanup_(disk_destroy_plan_done) struct disk_destroy_plan plan = { 0 };
	_cleanup_(disk_set_done) struct disk_set set = { 0 };
	_cleanup_(disk_set_done) struct disk_set destroyed = { 0 };
	_cleanup_(disk_finder_done) struct disk_finder finder = { 0 };
	_cleanup_(crypttab_freep) struct crypttab *crypttab = NULL;
	struct planning planning = { .vault = vault,
				     .paths = paths,
				     .set = &set,
				     .destroyed = &destroyed,
				     .finder = &finder,
				     .missing = missing };

	TRY(disk_set_load(vault, &set, err));
	TRY(vault_each(vault, DISK_DESTROYED_KIND, collect, &destroyed, err));
	TRY(disk_finder_init(&finder, err));
	TRY(crypttab_load(paths->crypttab, &crypttab, err));
	planning.crypttab = crypttab;
	plan.jobs = calloc(count + 1, sizeof(*plan.jobs));
	ENSURE(plan.jobs, err, COF_E_NOMEM, NULL, "no memory for %zu disks", count);
	plan.count = count;
	for (size_t i = 0; i < count; i++) {
		struct disk_destroy_job *job = &plan.jobs[i];
		struct cof_error refusal = { 0 };

		disk_result_start(&job->result, names[i]);
		if (cof_failed(plan_one(&planning, names[i], job, &refusal)) ||
		    cof_failed(refuse_twice(&plan, i, &refusal)))
			disk_result_fail(&job->result, &refusal);
	}

	*ret_plan = plan;
	plan = (struct disk_destroy_plan){ 0 };
	return COF_OK;
}
