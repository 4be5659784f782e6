/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The record of a job, and its long step.
 */

#include <stdio.h>
#include <string.h>

#include "disk_job.h"
#include "disk_result.h"
#include "fault.h"
#include "interrupt.h"
#include "log.h"

#define TENTHS 10

static const char *const stage_words[] = {
	[JOB_NOTED] = "noted",
	[JOB_DRAFTED] = "drafted",
	[JOB_RUNNING] = "running",
};

cof_result disk_job_from_meta(const struct json *meta, struct disk_job *ret_job,
			      struct cof_error *err)
{
	const char *stage = json_get_text(meta, "stage");
	const char *proof = json_get_text(meta, "proof");
	struct disk_job job = {
		.size_bytes = json_get_uint(meta, "size", 0),
		.data_bytes = json_get_uint(meta, "data", 0),
		.sector_bytes = (uint32_t)json_get_uint(meta, "sector", 0),
		.shrink = json_get_bool(meta, "shrink", false),
	};
	size_t known = sizeof(stage_words) / sizeof(stage_words[0]);
	size_t index = 0;

	while (index < known && (!stage || strcmp(stage, stage_words[index]) != 0))
		index++;
	ENSURE(index < known, err, COF_E_FORMAT, NULL, "a disk's job is at an unknown stage, %.40s",
	       stage ? stage : "none");
	ENSURE(!proof || strlen(proof) <= JOB_PROOF_CHARS, err, COF_E_FORMAT, NULL,
	       "a disk's job has a proof of %zu characters", strlen(proof));
	job.stage = (enum job_stage)index;
	(void)snprintf(job.proof, sizeof(job.proof), "%s", proof ? proof : "");

	*ret_job = job;
	return COF_OK;
}

struct json *disk_job_to_meta(const struct disk_job *job)
{
	struct json *meta = json_new_object();

	json_set_text(meta, "stage", stage_words[job->stage]);
	json_set_uint(meta, "size", job->size_bytes);
	json_set_uint(meta, "data", job->data_bytes);
	json_set_uint(meta, "sector", job->sector_bytes);
	json_set_bool(meta, "shrink", job->shrink);
	json_set_text(meta, "proof", job->proof);
	return meta;
}

void changing_done(struct changing *changing)
{
	record_free(changing->record);
	record_free(changing->journal);
	slot_secret_free(changing->key);
}

cof_result changing_point(const struct changing *changing, const char *name, struct cof_error *err)
{
	char point[64];

	(void)snprintf(point, sizeof(point), "%s/%s", disk_work_verb(changing->disk), name);
	return fault_point(point, err);
}

/* The key as the vault has it now, not as it is in our memory. */
static cof_result read_key(struct changing *changing, struct cof_error *err)
{
	bool found;

	slot_secret_free(TAKE(changing->key));
	TRY(disk_key(changing->vault, changing->disk->name, &changing->key, &found, err));
	ENSURE(found, err, COF_E_CONFLICT, changing->disk->name,
	       "its record is gone from the vault");
	return COF_OK;
}

cof_result changing_load(struct changing *changing, struct cof_error *err)
{
	const char *name = changing->disk->name;
	bool found;

	TRY(vault_get(changing->vault, DISK_KIND, name, &changing->record, &found, err));
	ENSURE(found, err, COF_E_CONFLICT, name, "its record is gone from the vault");
	TRY(vault_get(changing->vault, DISK_JOB_KIND, name, &changing->journal, &found, err));
	ENSURE(found, err, COF_E_CONFLICT, name,
	       "the vault has no record of what was done to its data");
	TRY(disk_job_from_meta(changing->journal->meta, &changing->job, err));
	return read_key(changing, err);
}

/* Puts the facts of the disk into its record. */
static void set_meta(struct changing *changing, bool ready)
{
	changing->disk->ready = ready;
	changing->disk->work = changing->work;
	json_free(TAKE(changing->record->meta));
	changing->record->meta = disk_to_meta(changing->disk);
}

cof_result changing_begin(struct changing *changing, bool fresh_key, struct cof_error *err)
{
	const char *name = changing->disk->name;
	struct vault_write writes[2] = { 0 };
	bool found;

	TRY(vault_get(changing->vault, DISK_KIND, name, &changing->record, &found, err));
	ENSURE(found != fresh_key, err, COF_E_CONFLICT, name,
	       found ? "has a record in the vault since a moment ago"
		     : "its record is gone from the vault");
	if (fresh_key) {
		TRY(record_new(DISK_KIND, name, &changing->record, err));
		TRY(secret_random(DISK_KEY_BYTES_DEFAULT, &changing->record->secret, err));
	}
	set_meta(changing, false);
	/* One that is there was left behind by another disk of this name. */
	TRY(vault_get(changing->vault, DISK_JOB_KIND, name, &changing->journal, &found, err));
	if (!found)
		TRY(record_new(DISK_JOB_KIND, name, &changing->journal, err));
	json_free(TAKE(changing->journal->meta));
	changing->journal->meta = disk_job_to_meta(&changing->job);
	writes[0] = (struct vault_write){ .record = changing->record, .keep_history = true };
	writes[1] = (struct vault_write){ .record = changing->journal };
	TRY(vault_commit(changing->vault, writes, 2, err));
	return read_key(changing, err);
}

/* The record of the header's copy with other bytes. */
static cof_result copy_record(struct changing *changing, struct span copy,
			      struct record **ret_record, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	const char *name = changing->disk->name;
	bool found;

	TRY(vault_get(changing->vault, DISK_HEADER_KIND, name, &record, &found, err));
	if (!found)
		TRY(record_new(DISK_HEADER_KIND, name, &record, err));
	buffer_done(&record->blob);
	TRY(buffer_add(&record->blob, copy.data, copy.len, err));

	*ret_record = TAKE(record);
	return COF_OK;
}

cof_result changing_store(struct changing *changing, struct span copy, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	struct vault_write writes[2] = { { .record = changing->journal } };
	size_t count = 1;

	json_free(TAKE(changing->journal->meta));
	changing->journal->meta = disk_job_to_meta(&changing->job);
	if (copy.len) {
		TRY(copy_record(changing, copy, &record, err));
		writes[count++] = (struct vault_write){ .record = record, .keep_history = true };
	}
	return vault_commit(changing->vault, writes, count, err);
}

cof_result changing_end(struct changing *changing, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	_cleanup_buffer_ struct buffer copy = { 0 };
	struct vault_write writes[3] = { 0 };

	TRY(luks_copy_header(changing->node, &copy, err));
	TRY(copy_record(changing, buffer_span(&copy), &record, err));
	set_meta(changing, true);
	writes[0] = (struct vault_write){ .record = changing->record };
	/* The copy before is of the middle of the work: nobody will want it back. */
	writes[1] = (struct vault_write){ .record = record };
	writes[2] = (struct vault_write){ .record = changing->journal, .remove = true };
	return vault_commit(changing->vault, writes, 3, err);
}

cof_result changing_find_device(const struct disk *disk, struct device **ret_device,
				struct cof_error *err)
{
	_cleanup_(disk_finder_done) struct disk_finder finder = { 0 };
	const struct device *found = NULL;
	struct cof_error failure = { 0 };
	cof_result looked;

	TRY(disk_finder_init(&finder, err));
	looked = disk_finder_find(&finder, disk, &found, &failure);
	/* In the middle of the work there may be no header yet. */
	for (size_t i = 0; i < finder.devices.count && looked.code == COF_E_FORMAT; i++)
		if (disk_has_stable_name(disk, finder.devices.items[i]))
			found = finder.devices.items[i];
	if (found)
		return device_by_number(found->number, ret_device, err);
	cof_ignore(cof_raise(err, failure.code, disk->name, "%s", failure.text));
	cof_error_try(err, "coffer disk %s DEV, with the device it was begun on",
		      disk_work_verb(disk));
	return looked;
}

cof_result changing_prove_key(struct vault *vault, const char *name, const char *node,
			      struct cof_error *err)
{
	_cleanup_(volume_key_freep) struct volume_key *volume_key = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;
	bool found;

	TRY(disk_key(vault, name, &key, &found, err));
	ENSURE(found, err, COF_E_CONFLICT, name, "its record is gone from the vault");
	return cof_explain(luks_unlock(node, NULL, key, LUKS_ANY_SLOT, &volume_key, NULL, err), err,
			   "coffer key history, for older keys of this disk",
			   "the key in the vault does not open %s (%s)", name, node);
}

cof_result changing_forget(struct changing *changing, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *copy = NULL;
	struct vault_write writes[3] = { { .record = changing->record, .remove = true },
					 { .record = changing->journal, .remove = true } };
	size_t count = 2;
	bool found;

	TRY(vault_get(changing->vault, DISK_HEADER_KIND, changing->disk->name, &copy, &found, err));
	if (found)
		writes[count++] = (struct vault_write){ .record = copy, .remove = true };
	return vault_commit(changing->vault, writes, count, err);
}

/* Makes the header as it is at this moment the newest copy. */
static cof_result copy_header(struct changing *changing, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	_cleanup_buffer_ struct buffer copy = { 0 };
	struct vault_write write = { 0 };

	TRY(luks_copy_header(changing->header ? changing->header : changing->node, &copy, err));
	TRY(copy_record(changing, buffer_span(&copy), &record, err));
	write.record = record;
	return vault_commit(changing->vault, &write, 1, err);
}

/* After each tenth of the data the vault gets the header. Where it cannot, as it was locked
 * meanwhile, the work goes on all the same: the device has the header. */
static cof_result copy_at_tenth(struct changing *changing, uint64_t done_bytes,
				uint64_t total_bytes, struct cof_error *err)
{
	unsigned int tenths = (unsigned int)(done_bytes / (total_bytes / TENTHS + 1));

	if (tenths <= changing->copied_tenths)
		return COF_OK;
	changing->copied_tenths = tenths;
	if (cof_failed(copy_header(changing, NULL)))
		log_debug("disk", "%s: its header was not copied", changing->disk->name);
	return changing_point(changing, "copied", err);
}

/* luks_reencrypt_run()'s visit: the data and the header are durable as far as this. */
static cof_result on_step(uint64_t done_bytes, uint64_t total_bytes, void *context,
			  struct cof_error *err)
{
	struct changing *changing = context;
	const char *verb = disk_work_verb(changing->disk);
	const char *name = changing->disk->name;

	progress_amount(changing->progress, 0, done_bytes, total_bytes);
	TRY(changing_point(changing, "step", err));
	TRY(copy_at_tenth(changing, done_bytes, total_bytes, err));
	if (!interrupt_seen() || done_bytes == total_bytes)
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_FAILED, name, "was stopped by a signal, with %u %% done",
			     (unsigned int)(done_bytes / (total_bytes / 100 + 1))));
	cof_error_try(err, "coffer disk %s %s, which goes on", verb, name);
	return (cof_result){ COF_E_FAILED };
}

cof_result changing_run(struct changing *changing, const char *mapping, const char *step,
			struct cof_error *err)
{
	_cleanup_interrupt_ struct interrupt interrupt = { 0 };

	progress_step(changing->progress, 0, changing->disk->name, step);
	interrupt_begin(&interrupt);
	TRY(luks_reencrypt_run(changing->node, changing->header, mapping, changing->key, on_step,
			       changing, err));
	return changing_point(changing, "run", err);
}
