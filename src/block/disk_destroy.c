/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk destroy, second half: noted → overwritten → crypttab → out of the vault → certified.
 *
 * The vault lets go of the key only when nothing is left on the device that it opens. Whoever is
 * interrupted before that goes on with the same command.
 */

#include <errno.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "disk_audit.h"
#include "disk_change.h"
#include "disk_destroy.h"
#include "disk_format_job.h"
#include "disk_life.h"
#include "disk_result.h"
#include "fault.h"
#include "kdf.h"
#include "key_place.h"
#include "luks_header.h"
#include "mountpoint.h"
#include "name_list.h"
#include "quantastor.h"

#define STEP_BYTES ((size_t)4 << 20) /* of what is overwritten at a time */

/* What the steps of one disk share. */
struct destroying {
	struct vault *vault;
	const struct paths *paths;
	struct disk_destroy_job *job;
};

/* Step 0: what is about to happen is in the audit log, or nothing happens. */
static cof_result announce(const struct destroying *destroying, struct cof_error *err)
{
	const struct disk_destroy_job *job = destroying->job;
	struct audit_entry entry = { .event = AUDIT_DISK_DESTROY,
				     .subject = job->disk.name,
				     .started = true,
				     .detail = json_new_object() };

	json_set_known(entry.detail, "source", job->device ? job->device->node : "");
	json_set_known(entry.detail, "by_id", job->disk.stable);
	json_set_known(entry.detail, "serial", job->disk.serial);
	json_set_known(entry.detail, "uuid", job->disk.uuid);
	json_set_bool(entry.detail, "missing", !job->device);
	TRY(audit_write(destroying->vault, &entry, err));
	TRY(audit_flush(destroying->vault, err));
	return fault_point("destroy/announced", err);
}

/* The device is the one that was planned for, held so that nobody can begin to use it. */
static cof_result claim(const struct disk_destroy_job *job, int *ret_claim, struct cof_error *err)
{
	_cleanup_(device_freep) struct device *now = NULL;
	struct disk planned;
	struct luks_info info = { 0 };
	struct verdict verdict;
	char why_not[384];
	bool has_header;

	TRY(device_by_number(job->device->number, &now, err));
	disk_of_device(job->device, &planned);
	ENSURE(disk_is_device(&planned, now, why_not, sizeof(why_not)) &&
		       strcmp(now->node, job->device->node) == 0,
	       err, COF_E_REFUSED, job->device->node,
	       "is another device than a moment ago and was not touched");
	has_header = !cof_failed(luks_read(now->node, NULL, &info, NULL)) &&
		     strcmp(info.uuid, job->disk.uuid) == 0;
	TRY(device_verdict(now, &verdict, err));
	ENSURE(has_header == job->has_header && (has_header || !verdict.signature[0]), err,
	       COF_E_REFUSED, job->device->node,
	       "has another content than a moment ago and was not touched");
	return device_claim(job->device, false, ret_claim, err);
}

/* Step 1: the record says what is under way, and how much a run after this one overwrites. */
static cof_result note(const struct destroying *destroying, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	struct disk_destroy_job *job = destroying->job;
	struct vault_write write = { 0 };
	bool found;

	TRY(vault_get(destroying->vault, DISK_KIND, job->disk.name, &record, &found, err));
	ENSURE(found, err, COF_E_CONFLICT, job->disk.name, "its record is gone from the vault");
	if (job->disk.ready || job->disk.work != DISK_WORK_DESTROY) {
		job->disk.ready = false;
		job->disk.work = DISK_WORK_DESTROY;
		json_free(TAKE(record->meta));
		record->meta = disk_to_meta(&job->disk);
		json_set_uint(record->meta, "wipe", job->wipe_bytes);
		write.record = record;
		TRY(vault_commit(destroying->vault, &write, 1, err));
	}
	return fault_point("destroy/noted", err);
}

/* Writes one step of @bytes at an offset, durable and read back. */
static cof_result write_step(const char *node, uint64_t offset_bytes, struct buffer *bytes,
			     struct cof_error *err)
{
	struct luks_write write = { .offset_bytes = offset_bytes, .bytes = *bytes };
	struct luks_writes writes = { .items = &write, .count = 1 };

	(void)snprintf(write.what, sizeof(write.what), "what is to overwrite its header");
	return luks_writes_run(node, &writes, "destroy", err);
}

/* Overwrites the header's area once, with random bytes or zeroes. */
static cof_result overwrite(const struct destroying *destroying, bool random, struct cof_error *err)
{
	const struct disk_destroy_job *job = destroying->job;
	_cleanup_buffer_ struct buffer bytes = { 0 };
	uint64_t done = 0;

	TRY(buffer_reserve(&bytes, STEP_BYTES, err));
	memset(bytes.data, 0, STEP_BYTES);
	while (done < job->wipe_bytes) {
		uint64_t left = job->wipe_bytes - done;

		bytes.len = left < STEP_BYTES ? (size_t)left : STEP_BYTES;
		if (random)
			TRY(random_bytes(bytes.data, bytes.len, err));
		TRY(write_step(job->device->node, done, &bytes, err));
		done += bytes.len;
	}
	return COF_OK;
}

/* Step 2: keyslots and both headers overwritten, then everything discarded. */
static cof_result wipe(struct destroying *destroying, struct cof_error *err)
{
	struct disk_destroy_job *job = destroying->job;
	uint64_t range[2] = { 0, job->device->size_bytes };
	_cleanup_fd_ int fd = -1;
	bool is_luks = false;

	TRY(claim(job, &fd, err));
	TRY(note(destroying, err));
	TRY(overwrite(destroying, true, err));
	TRY(overwrite(destroying, false, err));
	TRY(luks_probe(job->device->node, &is_luks, err));
	ENSURE(!is_luks, err, COF_E_IO, job->device->node,
	       "has a LUKS header although it was overwritten");
	job->steps.overwritten = true;
	job->steps.overwritten_bytes = job->wipe_bytes;
	job->steps.flash = !job->device->rotational;
	/* A device that cannot is none the worse for it: the certificate says so. */
	job->steps.discarded = job->device->discards && ioctl(fd, BLKDISCARD, range) == 0;
	return fault_point("destroy/wiped", err);
}

/* crypttab_edit()'s change: the line of this disk goes, if it is ours. */
static cof_result remove_line(struct crypttab *table, void *context, struct cof_error *err)
{
	const struct destroying *destroying = context;
	const struct disk *disk = &destroying->job->disk;
	struct crypttab_entry line;

	(void)err;
	if (crypttab_find(table, disk->name, &line) &&
	    disk_line_is_ours(destroying->paths, disk, &line))
		crypttab_remove(table, disk->name);
	return COF_OK;
}

/* The key files go, which open nothing any more. One that is not to be had is told. */
static void remove_key_files(const struct destroying *destroying)
{
	const struct disk *disk = &destroying->job->disk;
	struct disk_result *result = &destroying->job->result;
	const char *const files[] = { disk->key_file, disk->key_left };
	const char *const mounts[] = { disk->key_mount, disk->left_mount };
	char limits[KEY_PLACE_LIMITS_CHARS];

	for (size_t i = 0; i < 2; i++)
		if (files[i][0] && (cof_failed(key_place_shred(files[i], limits, NULL)) ||
				    mount_is_away(mounts[i])))
			(void)snprintf(result->note, sizeof(result->note),
				       "its key file %.180s could not be removed", files[i]);
}

/* Step 3: crypttab. */
static cof_result edit_crypttab(struct destroying *destroying, struct cof_error *err)
{
	remove_key_files(destroying);
	if (destroying->job->has_line)
		TRY(crypttab_edit(destroying->paths->crypttab, remove_line, destroying, err));
	return fault_point("destroy/crypttab", err);
}

/* A record that is to be removed with all its generations, whether it is there or not. */
static cof_result get_or_new(struct vault *vault, const char *kind, const char *name,
			     struct record **ret_record, struct cof_error *err)
{
	bool found;

	TRY(vault_get(vault, kind, name, ret_record, &found, err));
	return found ? COF_OK : record_new(kind, name, ret_record, err);
}

/* Step 4: every key, every header copy and the record, in one transaction, which leaves behind
 * what the certificate is to say. */
static cof_result forget(const struct destroying *destroying, struct cof_error *err)
{
	static const char *const kinds[] = { DISK_KIND, DISK_HEADER_KIND, DISK_ROTATION_KIND,
					     DISK_IMPORT_KIND, DISK_JOB_KIND };
	struct disk_destroy_job *job = destroying->job;
	struct vault *vault = destroying->vault;
	_cleanup_(record_freep) struct record *destroyed = NULL;
	_cleanup_(record_freep) struct record *disk = NULL;
	_cleanup_(record_freep) struct record *copy = NULL;
	_cleanup_(record_freep) struct record *rotation = NULL;
	_cleanup_(record_freep) struct record *import = NULL;
	struct record **records[] = { &disk, &copy, &rotation, &import };
	struct vault_write writes[5] = { 0 };

	for (size_t i = 0; i < 4; i++) {
		TRY(get_or_new(vault, kinds[i], job->disk.name, records[i], err));
		writes[i] = (struct vault_write){ .record = *records[i], .remove = true };
	}
	TRY(get_or_new(vault, DISK_DESTROYED_KIND, job->disk.name, &destroyed, err));
	json_free(TAKE(destroyed->meta));
	destroyed->meta = disk_to_meta(&job->disk);
	destroy_steps_to_meta(&job->steps, destroyed->meta);
	writes[4] = (struct vault_write){ .record = destroyed };
	TRY(vault_commit(vault, writes, 5, err));
	disk_proof_remove(destroying->paths, job->disk.name);
	return fault_point("destroy/forgotten", err);
}

/* The mirrors that did not get the removal, and hold the wrapped keys therefore. */
static cof_result list_mirrors(struct vault *vault, char ***ret_names, struct cof_error *err)
{
	_cleanup_(name_list_freep) char **names = NULL;
	_cleanup_free_ struct vault_mirror *mirrors = NULL;
	size_t count;

	TRY(name_list_new(&names, err));
	TRY(vault_mirrors(vault, &mirrors, &count, err));
	for (size_t i = 0; i < count; i++)
		if (mirrors[i].state != MIRROR_CURRENT && mirrors[i].written)
			TRY(name_list_add(&names, mirrors[i].folder, err));
	*ret_names = TAKE(names);
	return COF_OK;
}

/* A vault_visit_aside: adds a copy to the list. */
static cof_result add_copy(const char *path, const char *remedy, void *context,
			   struct cof_error *err)
{
	(void)remedy;
	return name_list_add(context, path, err);
}

/* Says in the result which mirrors still hold the keys, and that copies set aside may. */
static void warn_of_copies(char *const mirrors[], char *const copies[], struct disk_result *result)
{
	size_t len = strlen(result->note);

	for (size_t i = 0; mirrors[i] && len < sizeof(result->note); i++)
		len += (size_t)snprintf(result->note + len, sizeof(result->note) - len, "%s%s%s",
					i == 0 && len ? "; " : "",
					i == 0 ? "its keys are still in the mirror " : ", ",
					mirrors[i]);
	if (copies[0] && len < sizeof(result->note))
		(void)snprintf(result->note + len, sizeof(result->note) - len,
			       "%sits keys may be in copies of the vault that were set aside",
			       len ? "; " : "");
}

/* Step 5: the certificate, durable, and only then nothing is left in the vault. */
static cof_result certify(struct vault *vault, struct record *destroyed, struct disk_result *result,
			  struct cof_error *err)
{
	_cleanup_(name_list_freep) char **mirrors = NULL;
	_cleanup_(name_list_freep) char **copies = NULL;
	struct destroy_steps steps = destroy_steps_of(destroyed->meta);
	struct audit_entry entry = { .event = AUDIT_DISK_DESTROY, .subject = destroyed->name };
	struct vault_write write = { .record = destroyed, .remove = true };
	struct disk disk;

	TRY(disk_from_meta(destroyed->meta, &disk, err));
	TRY(list_mirrors(vault, &mirrors, err));
	TRY(name_list_new(&copies, err));
	TRY(vault_copies_aside(vault, add_copy, &copies, err));
	entry.detail = destroy_certificate(&disk, &steps, (const char *const *)(uintptr_t)mirrors,
					   (const char *const *)(uintptr_t)copies);
	TRY(audit_write(vault, &entry, err));
	TRY(audit_flush(vault, err));
	TRY(fault_point("destroy/certified", err));
	TRY(vault_commit(vault, &write, 1, err));
	warn_of_copies(mirrors, copies, result);
	return fault_point("destroy/done", err);
}

/* Destroys one disk. */
static cof_result destroy_one(struct destroying *destroying, struct cof_error *err)
{
	struct disk_destroy_job *job = destroying->job;
	_cleanup_(record_freep) struct record *destroyed = NULL;
	bool found;

	if (job->action != DESTROY_CERTIFY) {
		TRY(announce(destroying, err));
		job->result.changed = true;
		job->steps.missing = job->action == DESTROY_VAULT;
		if (job->action == DESTROY_ALL)
			TRY(wipe(destroying, err));
		TRY(edit_crypttab(destroying, err));
		TRY(forget(destroying, err));
	}
	TRY(vault_get(destroying->vault, DISK_DESTROYED_KIND, job->disk.name, &destroyed, &found,
		      err));
	if (found)
		TRY(certify(destroying->vault, destroyed, &job->result, err));
	job->result.changed = true;
	job->result.state = "destroyed";
	return COF_OK;
}

cof_result disk_destroy_run(struct vault *vault, const struct paths *paths,
			    struct disk_destroy_plan *plan, struct progress *progress,
			    struct cof_error *err)
{
	struct cof_error no_lock = { 0 };
	_cleanup_fd_ int lock = -1;
	bool locked = !cof_failed(disk_format_lock(paths, &lock, &no_lock));

	for (size_t i = 0; i < plan->count; i++) {
		struct disk_destroy_job *job = &plan->jobs[i];
		struct destroying destroying = { .vault = vault, .paths = paths, .job = job };
		struct cof_error failure = no_lock;

		if (job->result.error.code != COF_E_NONE)
			continue;
		progress_step(progress, i, job->disk.name, "destroying");
		if (!locked || cof_failed(destroy_one(&destroying, &failure))) {
			disk_result_fail(&job->result, &failure);
			disk_audit(vault, paths, AUDIT_DISK_DESTROY, &job->result, 1);
		}
		progress_end(progress, i, job->disk.name, job->result.state);
	}
	for (size_t i = 0; i < plan->count; i++)
		TRY(disk_first_failure(&plan->jobs[i].result, 1, err));
	return COF_OK;
}
