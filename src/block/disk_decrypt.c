/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk decrypt: a disk becomes a plain device with the same data. They move to the beginning of the
 * device, over the header, so that a file beside the vault becomes the header until they are done:
 *   noted    nothing was written yet
 *   drafted  the header is in the vault; the file is made from that, and the device's beginning
 * from the data behind the header, which are untouched: both as often as needed running  the file
 * says where the data are
 */

#include <stdio.h>
#include <string.h>

#include "disk_audit.h"
#include "disk_format_job.h"
#include "disk_job.h"
#include "disk_result.h"
#include "file.h"
#include "key_place.h"

/* One run. */
struct decrypting {
	struct changing changing;
	struct disk_change_plan *plan;
	char *header;
};

static void decrypting_done(struct decrypting *decrypting)
{
	changing_done(&decrypting->changing);
	free(decrypting->header);
}

/* Refuses a device that somebody uses. */
static cof_result check_use(struct disk_change_plan *plan, struct cof_error *err)
{
	struct verdict verdict;

	TRY(device_verdict(plan->device, &verdict, err));
	if (verdict.state != VERDICT_IN_USE && verdict.state != VERDICT_UNFIT)
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_REFUSED, plan->disk.name,
			     "is in use, and can only be decrypted while it is closed"));
	cof_error_cause(err, "%s is %s", plan->device->node, verdict.reason);
	cof_error_try(err, "%s", verdict.remedy);
	return (cof_result){ COF_E_REFUSED };
}

/* What must be right before the data are moved over the header. */
static cof_result check_header(struct vault *vault, struct disk_change_plan *plan,
			       struct cof_error *err)
{
	const char *node = plan->device->node;
	struct luks_info info;

	TRY(luks_read(node, NULL, &info, err));
	TRY(disk_check_header(node, &info, err));
	ENSURE(info.version == 2, err, COF_E_UNSUPPORTED, node,
	       "has a LUKS1 header: only LUKS2 can be decrypted where it is");
	ENSURE(!info.integrity[0] && !info.hw_opal && !info.data_length_bytes, err,
	       COF_E_UNSUPPORTED, node, "is encrypted in a way that cannot be changed where it is");
	ENSURE(plan->device->size_bytes > 2 * info.data_offset_bytes, err, COF_E_UNSUPPORTED, node,
	       "is too small to be decrypted where it is");
	TRY(changing_prove_key(vault, plan->disk.name, node, err));
	plan->data_bytes = plan->device->size_bytes - info.data_offset_bytes;
	plan->sector_bytes = info.sector_bytes;
	return COF_OK;
}

/* Everything about the disk. */
static cof_result plan_disk(struct vault *vault, const struct disk_set *set, const char *typed,
			    struct disk_change_plan *plan, struct cof_error *err)
{
	const struct disk *disk;
	char why_not[384];
	dev_t number;

	TRY(disk_lookup(set, typed, &disk, &number, err));
	plan->disk = *disk;
	(void)snprintf(plan->result.name, sizeof(plan->result.name), "%s", disk->name);
	TRY(disk_check_work(disk, DISK_WORK_DECRYPT, err));
	if (number)
		TRY(device_by_number(number, &plan->device, err));
	else
		TRY(changing_find_device(disk, &plan->device, err));
	(void)snprintf(plan->result.source, sizeof(plan->result.source), "%s", plan->device->node);
	ENSURE(disk_is_device(disk, plan->device, why_not, sizeof(why_not)), err, COF_E_REFUSED,
	       disk->name, "%s is another device: %s", plan->device->node, why_not);
	TRY(check_use(plan, err));
	plan->action = disk->ready ? CHANGE_NEW : CHANGE_RESUME;
	return disk->ready ? check_header(vault, plan, err) : COF_OK;
}

cof_result disk_decrypt_plan(struct vault *vault, const char *typed,
			     struct disk_change_plan *ret_plan, struct cof_error *err)
{
	_cleanup_(disk_set_done) struct disk_set set = { 0 };
	struct disk_change_plan plan = { 0 };

	TRY(disk_set_load(vault, &set, err));
	disk_result_start(&plan.result, typed);
	plan.result.state = "planned";
	if (cof_failed(plan_disk(vault, &set, typed, &plan, &plan.result.error)))
		plan.result.state = "failed";

	*ret_plan = plan;
	return COF_OK;
}

/* Step 1: noted. */
static cof_result note(struct decrypting *decrypting, struct cof_error *err)
{
	struct changing *changing = &decrypting->changing;
	const struct disk_change_plan *plan = decrypting->plan;

	if (plan->action == CHANGE_RESUME) {
		TRY(changing_load(changing, err));
		ENSURE(changing->job.size_bytes == plan->device->size_bytes, err, COF_E_REFUSED,
		       changing->node, "has %llu bytes, and had %llu when it began",
		       (unsigned long long)plan->device->size_bytes,
		       (unsigned long long)changing->job.size_bytes);
		return COF_OK;
	}
	changing->job = (struct disk_job){ .stage = JOB_NOTED,
					   .size_bytes = plan->device->size_bytes,
					   .data_bytes = plan->data_bytes,
					   .sector_bytes = plan->sector_bytes };
	TRY(changing_begin(changing, false, err));
	return changing_point(changing, "noted", err);
}

/* Step 2: the header as it is now in the vault, with a digest of the data. */
static cof_result draft(struct changing *changing, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer copy = { 0 };

	if (changing->job.stage != JOB_NOTED)
		return COF_OK;
	TRY(disk_samples(changing->node, changing->key, changing->job.data_bytes,
			 changing->job.proof, err));
	TRY(luks_copy_header(changing->node, &copy, err));
	changing->job.stage = JOB_DRAFTED;
	TRY(changing_store(changing, buffer_span(&copy), err));
	return changing_point(changing, "drafted", err);
}

/* Step 3: the file that is the header from now on, and the beginning of the data over the old one.
 */
static cof_result begin(struct changing *changing, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *copy = NULL;
	bool found;

	if (changing->job.stage != JOB_DRAFTED)
		return COF_OK;
	TRY(vault_get(changing->vault, DISK_HEADER_KIND, changing->disk->name, &copy, &found, err));
	ENSURE(found, err, COF_E_CONFLICT, changing->disk->name,
	       "the copy of its header is gone from the vault");
	TRY(file_remove(changing->header, err));
	TRY(luks_write_header_copy(buffer_span(&copy->blob), changing->header, err));
	TRY(changing_point(changing, "header-in-file", err));
	TRY(luks_decrypt_begin(changing->node, changing->header, changing->key, err));
	TRY(changing_point(changing, "begun", err));
	changing->job.stage = JOB_RUNNING;
	TRY(changing_store(changing, SPAN(NULL, 0), err));
	return changing_point(changing, "running", err);
}

/* crypttab_edit()'s change: the line of this disk goes, if it is ours. */
static cof_result remove_line(struct crypttab *table, void *context, struct cof_error *err)
{
	const struct changing *changing = context;
	struct crypttab_entry line;

	(void)err;
	if (crypttab_find(table, changing->disk->name, &line) &&
	    disk_line_is_ours(changing->paths, changing->disk, &line))
		crypttab_remove(table, changing->disk->name);
	return COF_OK;
}

/* The last steps: only once the data are proven plain does the vault let go of the key. */
static cof_result finish(struct changing *changing, struct cof_error *err)
{
	progress_step(changing->progress, 0, changing->disk->name,
		      "comparing the data with what they were");
	TRY(disk_compare_samples(changing, NULL, err));
	TRY(changing_point(changing, "compared", err));
	TRY(crypttab_edit(changing->paths->crypttab, remove_line, changing, err));
	TRY(changing_point(changing, "crypttab", err));
	TRY(file_remove(changing->header, err));
	TRY(changing_point(changing, "file-removed", err));
	TRY(changing_forget(changing, err));
	return changing_point(changing, "forgotten", err);
}

/* Everything before the long step. */
static cof_result prepare(struct decrypting *decrypting, struct cof_error *err)
{
	struct disk_change_plan *plan = decrypting->plan;
	struct changing *changing = &decrypting->changing;
	_cleanup_fd_ int lock = -1;

	TRY(path_format(&decrypting->header, err, "%s/%s.decrypting", changing->paths->vault_dir,
			plan->disk.name));
	changing->header = decrypting->header;
	TRY(disk_format_lock(changing->paths, &lock, err));
	TRY(disk_audit_change_start(changing->vault, AUDIT_DISK_DECRYPT, plan, err));
	plan->disk.work = DISK_WORK_DECRYPT;
	plan->result.changed = true;
	TRY(note(decrypting, err));
	TRY(draft(changing, err));
	return begin(changing, err);
}

/* Decrypts the disk, from where it is. */
static cof_result decrypt(struct decrypting *decrypting, struct cof_error *err)
{
	struct changing *changing = &decrypting->changing;

	TRY(prepare(decrypting, err));
	/* It goes as the last step but one; else what is missing makes the comparison fail. */
	if (path_exists(changing->header))
		TRY(changing_run(changing, NULL, "decrypting", err));
	else
		TRY(cof_explain(disk_compare_samples(changing, NULL, err), err, NULL,
				"%s is gone, which says where the data of %s are", changing->header,
				changing->disk->name));
	return finish(changing, err);
}

cof_result disk_decrypt_run(struct vault *vault, const struct paths *paths,
			    struct disk_change_plan *plan, struct progress *progress,
			    struct cof_error *err)
{
	_cleanup_(decrypting_done) struct decrypting decrypting = {
		.plan = plan,
		.changing = { .vault = vault,
			      .paths = paths,
			      .progress = progress,
			      .work = DISK_WORK_DECRYPT,
			      .disk = &plan->disk,
			      .node = plan->device->node },
	};
	struct cof_error failure = { 0 };

	if (cof_failed(decrypt(&decrypting, &failure)))
		disk_result_fail(&plan->result, &failure);
	else
		plan->result.state = "plain";
	disk_audit(vault, paths, AUDIT_DISK_DECRYPT, &plan->result, 1);
	progress_end(progress, 0, plan->result.name, plan->result.state);
	return disk_first_failure(&plan->result, 1, err);
}
