/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The drill: the disks of a backup, one after the other, as their header copies are read from it.
 */

#include "drill.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "header_job.h"
#include "key_place.h"

/* One disk while it is tried: what is kept of its record. */
struct trial {
	struct disk disk;
	struct slot_secret *key;
	struct cof_error no_key; /* why there is none */
	bool tried;
	struct drill_disk found;
};

/* All of them. */
struct trials {
	struct trial *items;
	size_t count;
	size_t room;
	struct header_work work;
};

static void trials_done(struct trials *trials)
{
	for (size_t i = 0; i < trials->count; i++)
		slot_secret_free(trials->items[i].key);
	free(trials->items);
	header_work_done(&trials->work);
}

void drill_done(struct drill *drill)
{
	free(drill->disks);
	*drill = (struct drill){ 0 };
}

const char *drill_state_name(enum drill_state state)
{
	static const char *const names[] = {
		[DRILL_OPENS] = "opens",     [DRILL_FAILS] = "fails",
		[DRILL_ABSENT] = "absent",   [DRILL_UNFINISHED] = "unfinished",
		[DRILL_MISSING] = "missing",
	};

	return names[state];
}

/* Takes the facts and the key of a disk. */
static cof_result take_disk(const struct record *record, void *context, struct cof_error *err)
{
	struct trials *trials = context;
	struct trial *trial;

	if (trials->count == trials->room) {
		size_t room = trials->room ? 2 * trials->room : 16;
		struct trial *grown = reallocarray(trials->items, room, sizeof(*grown));

		ENSURE(grown, err, COF_E_NOMEM, record->name, "no memory for %zu disks", room);
		trials->items = grown;
		trials->room = room;
	}
	trial = &trials->items[trials->count];
	*trial = (struct trial){ 0 };
	TRY(disk_from_meta(record->meta, &trial->disk, err));
	/* Where neither the backup nor a key file has it, the trial says so. */
	cof_ignore(disk_record_key(record, &trial->key, &trial->no_key));
	(void)snprintf(trial->found.name, sizeof(trial->found.name), "%s", record->name);
	(void)snprintf(trial->found.uuid, sizeof(trial->found.uuid), "%s", trial->disk.uuid);
	trials->count++;
	return COF_OK;
}

/* Says what is wrong with a disk. */
static void __attribute__((format(printf, 3, 4)))
blame(struct drill_disk *found, enum cof_code code, const char *format, ...)
{
	va_list arguments;

	found->code = code;
	va_start(arguments, format);
	(void)vsnprintf(found->problem, sizeof(found->problem), format, arguments);
	va_end(arguments);
}

/* The same of a failure below. */
static void blame_error(struct drill_disk *found, const struct cof_error *error)
{
	found->state = DRILL_FAILS;
	blame(found, error->code, "%s%s%s", error->subject, error->subject[0] ? ": " : "",
	      error->text);
	(void)snprintf(found->remedy, sizeof(found->remedy), "%s", error->remedy);
}

/* Whether the key opens the copy of the header, which could be put back. */
static cof_result try_copy(const struct header_job *job, struct drill_disk *found,
			   struct cof_error *err)
{
	_cleanup_(luks_rehearsal_done) struct luks_rehearsal header = LUKS_REHEARSAL_NONE;

	found->has_copy = job->copy;
	if (!job->copy)
		return COF_OK;
	TRY(luks_rehearse_copy(buffer_span(&job->copy->blob), &header, err));
	return header_try_key(job, header.path, &found->copy_opens, NULL, err);
}

/* Looks at the header on the device. */
static cof_result try_device(const struct header_job *job, struct drill_disk *found,
			     struct cof_error *err)
{
	_cleanup_(header_report_done) struct header_report report = { 0 };

	(void)snprintf(found->source, sizeof(found->source), "%s", job->device->node);
	TRY(header_judge(job, &report, err));
	found->header = report.copy;
	found->state = report.key_opens ? DRILL_OPENS : DRILL_FAILS;
	if (job->other) {
		found->state = DRILL_FAILS;
		blame(found, COF_E_REFUSED, "is another device than its record says: %s",
		      job->why_not);
	} else if (report.key_tried && !report.key_opens && report.copy == HEADER_COPY_NEWER) {
		blame(found, COF_E_KEY,
		      "the key in the backup does not open it: it was changed after the backup "
		      "was made");
		(void)snprintf(found->remedy, sizeof(found->remedy),
			       "a newer backup: coffer backup create FILE");
	} else if (!report.good) {
		blame(found, COF_E_FORMAT, "%s", report.problem);
		(void)snprintf(found->remedy, sizeof(found->remedy), "%s", report.remedy);
	} else if (found->has_copy && !found->copy_opens) {
		blame(found, COF_E_KEY, "its key does not open the header's copy in the backup");
	}
	return COF_OK;
}

/* Tries one disk; what goes wrong with it keeps no other from being tried. */
static void try_disk(struct trials *trials, struct trial *trial, struct record *copy)
{
	struct header_job job = {
		.known = true, .disk = trial->disk, .key = trial->key, .copy = copy
	};
	_cleanup_(device_freep) struct device *device = NULL;
	struct drill_disk *found = &trial->found;
	struct cof_error error = { 0 };
	cof_result result;

	trial->tried = true;
	if (!trial->key) {
		blame_error(found, &trial->no_key);
		return;
	}
	result = try_copy(&job, found, &error);
	if (!cof_failed(result))
		result = header_find_device(&trials->work, &trial->disk, &device, &error);
	if (!cof_failed(result)) {
		job.device = device;
		job.other = !disk_is_device(&trial->disk, device, job.why_not, sizeof(job.why_not));
		result = try_device(&job, found, &error);
	} else if (result.code == COF_E_NOENT) {
		found->state = DRILL_ABSENT;
		if (found->has_copy && !found->copy_opens)
			blame(found, COF_E_KEY,
			      "its key does not open the header's copy in the backup");
		result = COF_OK;
	}
	if (cof_failed(result))
		blame_error(found, &error);
	if (trial->disk.ready || found->state == DRILL_OPENS)
		return;
	found->state = DRILL_UNFINISHED;
	found->code = COF_E_NONE;
	found->problem[0] = '\0';
}

/* Tries the disk whose header copy this is. */
static cof_result take_copy(const struct record *record, void *context, struct cof_error *err)
{
	struct trials *trials = context;
	struct record copy = *record; /* borrowed: nothing of it is freed here */

	for (size_t i = 0; i < trials->count; i++)
		if (!trials->items[i].tried &&
		    strcmp(trials->items[i].found.name, record->name) == 0)
			try_disk(trials, &trials->items[i], &copy);
	return COF_OK;
}

cof_result drill_run(struct backup *backup, const struct paths *paths, struct drill *ret_drill,
		     struct cof_error *err)
{
	_cleanup_(trials_done) struct trials trials = { .work = { .paths = paths } };
	struct drill drill = { 0 };

	TRY(backup_each(backup, DISK_KIND, take_disk, &trials, err));
	TRY(backup_each(backup, DISK_HEADER_KIND, take_copy, &trials, err));
	drill.disks = calloc(trials.count + 1, sizeof(*drill.disks));
	ENSURE(drill.disks, err, COF_E_NOMEM, NULL, "no memory for %zu disks", trials.count);
	for (size_t i = 0; i < trials.count; i++) {
		if (!trials.items[i].tried)
			try_disk(&trials, &trials.items[i], NULL);
		drill.disks[drill.count++] = trials.items[i].found;
	}

	*ret_drill = drill;
	return COF_OK;
}

cof_result drill_add_missing(struct drill *drill, char *const *names, struct cof_error *err)
{
	size_t known = drill->count;

	for (; *names; names++) {
		struct drill_disk *grown;
		size_t i = 0;

		while (i < known && strcmp(drill->disks[i].name, *names) != 0)
			i++;
		if (i < known)
			continue;
		grown = reallocarray(drill->disks, drill->count + 1, sizeof(*grown));
		ENSURE(grown, err, COF_E_NOMEM, *names, "no memory for one disk more");
		drill->disks = grown;
		grown = &grown[drill->count++];
		*grown = (struct drill_disk){ .state = DRILL_MISSING };
		(void)snprintf(grown->name, sizeof(grown->name), "%s", *names);
		blame(grown, COF_E_NOENT, "is in this machine's vault, and not in the backup");
		(void)snprintf(grown->remedy, sizeof(grown->remedy), "coffer backup create FILE");
	}
	return COF_OK;
}

size_t drill_count(const struct drill *drill, enum drill_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < drill->count; i++)
		count += drill->disks[i].state == state;
	return count;
}

cof_result drill_result(const struct drill *drill, struct cof_error *err)
{
	for (size_t i = 0; i < drill->count; i++) {
		const struct drill_disk *disk = &drill->disks[i];
		cof_result failure;

		if (disk->code == COF_E_NONE)
			continue;
		failure = cof_raise(err, disk->code, disk->name, "%s", disk->problem);
		if (disk->remedy[0])
			cof_error_try(err, "%s", disk->remedy);
		return failure;
	}
	if (drill->count > 0 && drill_count(drill, DRILL_ABSENT) == drill->count) {
		cof_result failure = cof_raise(err, COF_E_NOENT, NULL,
					       "none of the %zu disks is attached", drill->count);

		cof_error_try(err, "coffer drill FILE on the machine that has them");
		return failure;
	}
	return COF_OK;
}
