/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which disk a header verb means, also where nothing of the header is left to tell.
 */

#include <stdio.h>
#include <string.h>

#include "disk_result.h"
#include "header_job.h"

void header_work_done(struct header_work *work)
{
	disk_set_done(&work->set);
	device_list_done(&work->devices);
	*work = (struct header_work){ 0 };
}

cof_result header_work_init(struct vault *vault, const struct paths *paths,
			    struct header_work *ret_work, struct cof_error *err)
{
	_cleanup_(header_work_done) struct header_work work = { .vault = vault, .paths = paths };

	work.unlocked = vault && vault_is_unlocked(vault);
	if (work.unlocked)
		TRY(disk_set_load(vault, &work.set, err));

	*ret_work = work;
	work = (struct header_work){ 0 };
	return COF_OK;
}

void header_job_done(struct header_job *job)
{
	device_free(job->device);
	slot_secret_free(job->key);
	record_free(job->copy);
	*job = (struct header_job){ 0 };
}

/* The UUID of what is left of a device's header, "" where nothing is. */
static void read_uuid(const char *node, char out[static LUKS_UUID_CHARS + 1])
{
	struct luks_header_state state;

	out[0] = '\0';
	if (!cof_failed(luks_header_examine(node, &state, NULL)) && state.mendable)
		(void)snprintf(out, LUKS_UUID_CHARS + 1, "%.*s", LUKS_UUID_CHARS, state.uuid);
}

/* Whether a device is one that goes by the name of a record, or has its header. */
static bool fits(const struct disk *disk, const struct device *device)
{
	char uuid[LUKS_UUID_CHARS + 1];

	if (disk_has_stable_name(disk, device))
		return true;
	read_uuid(device->node, uuid);
	return strcmp(uuid, disk->uuid) == 0;
}

cof_result header_find_device(struct header_work *work, const struct disk *disk,
			      struct device **ret_device, struct cof_error *err)
{
	const struct device *found = NULL;
	size_t count = 0;

	if (!work->scanned)
		TRY(device_scan(&work->devices, err));
	work->scanned = true;
	for (size_t i = 0; i < work->devices.count; i++) {
		const struct device *device = work->devices.items[i];

		if (device->multipath_map[0] || !fits(disk, device))
			continue;
		/* The name decides where a copy of the disk is attached as well. */
		if (disk_has_stable_name(disk, device)) {
			found = device;
			count = 1;
			break;
		}
		found = device;
		count++;
	}
	ENSURE(count > 0, err, COF_E_NOENT, disk->name,
	       "no device has its name or its LUKS header (%s)", disk->uuid);
	ENSURE(count == 1, err, COF_E_REFUSED, disk->name,
	       "%zu devices have its LUKS header (%s), and none its stable name", count,
	       disk->uuid);
	return device_by_number(found->number, ret_device, err);
}

/* The record of a device: by the volume open on it, by what is left of its header, by its name. */
static const struct disk *find_record(const struct header_work *work, const struct header_job *job)
{
	char uuid[LUKS_UUID_CHARS + 1];
	const struct disk *disk = NULL;

	if (job->open.open)
		disk = disk_set_find(&work->set, NULL, job->open.uuid);
	if (!disk) {
		read_uuid(job->device->node, uuid);
		disk = disk_set_find(&work->set, NULL, uuid);
	}
	for (size_t i = 0; i < work->set.count && !disk; i++)
		if (disk_has_stable_name(&work->set.items[i], job->device))
			disk = &work->set.items[i];
	return disk;
}

/* Takes what the vault has of a known disk. */
static cof_result take_record(struct header_work *work, const struct disk *disk,
			      struct header_job *job, struct cof_error *err)
{
	cof_result keyed;
	bool found;

	job->known = true;
	job->disk = *disk;
	job->other = !disk_is_device(disk, job->device, job->why_not, sizeof(job->why_not));
	keyed = disk_key(work->vault, disk->name, &job->key, &found, err);
	/* A key file that is away does not say that the device is. */
	if (keyed.code == COF_E_NOENT) {
		keyed.code = COF_E_KEY;
		if (err)
			err->code = COF_E_KEY;
	}
	TRY(keyed);
	ENSURE(found, err, COF_E_NOENT, disk->name, "its record is gone from the vault");
	return vault_get(work->vault, DISK_HEADER_KIND, disk->name, &job->copy, &found, err);
}

cof_result header_job_find(struct header_work *work, const char *typed, struct header_job *ret_job,
			   struct cof_error *err)
{
	_cleanup_(header_job_done) struct header_job job = { 0 };
	const struct disk *disk = disk_set_find(&work->set, typed, NULL);
	struct disk_open_state state = { .backend = "" };

	TRY(disk_state_of(work->paths, typed, &state, err));
	if (state.open)
		TRY(device_find(state.source, &job.device, err));
	else if (disk)
		TRY(header_find_device(work, disk, &job.device, err));
	else
		TRY(disk_device_find(typed, &job.device, err));
	TRY(disk_state_on(work->paths, job.device, &job.open, err));
	if (!disk)
		disk = find_record(work, &job);
	if (disk)
		TRY(take_record(work, disk, &job, err));

	*ret_job = job;
	job = (struct header_job){ 0 };
	return COF_OK;
}

cof_result header_load(struct vault *vault, const char *name, uint64_t generation,
		       struct buffer *ret_copy, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	bool found;

	if (generation)
		TRY(vault_get_generation(vault, DISK_HEADER_KIND, name, generation, &record, &found,
					 err));
	else
		TRY(vault_get(vault, DISK_HEADER_KIND, name, &record, &found, err));
	if (!found) {
		cof_ignore(cof_raise(err, COF_E_NOENT, name,
				     generation ? "the vault has no copy of its header of "
						  "generation %llu"
						: "the vault has no copy of its header",
				     (unsigned long long)generation));
		cof_error_try(err, "coffer key history disk-header/%s", name);
		return (cof_result){ COF_E_NOENT };
	}
	*ret_copy = record->blob;
	record->blob = (struct buffer){ 0 };
	return COF_OK;
}
