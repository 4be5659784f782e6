/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * import quantastor, second half: into the vault.
 */

#include <stdio.h>
#include <string.h>

#include "disk_audit.h"
#include "disk_result.h"
#include "fault.h"
#include "quantastor.h"
#include "quantastor_record.h"
#include "tabfile.h"

/* What is to be known of one disk should its import be undone. */
static cof_result describe(const struct paths *paths, const struct quantastor_plan *plan,
			   const struct quantastor_job *job, struct json **ret_meta,
			   struct cof_error *err)
{
	const struct disk *disk = &job->adopt.jobs[0].disk;
	_cleanup_(crypttab_freep) struct crypttab *crypttab = NULL;
	struct quantastor_origin origin = { .folder = plan->folder,
					    .key_file = job->key_file,
					    .header_file = job->header.len ? job->header_file : "",
					    .uuid = disk->uuid };
	struct crypttab_entry line;

	TRY(crypttab_load(paths->crypttab, &crypttab, err));
	origin.has_line = crypttab_find(crypttab, disk->name, &line);
	if (origin.has_line) {
		origin.line_source = line.source;
		origin.line_key = line.key;
		origin.line_options = line.options;
	}
	*ret_meta = quantastor_origin_to_meta(&origin);
	return COF_OK;
}

/* Step 1: what undoing needs, durable before anything is changed. What a run before has noted
 * stays: crypttab may be changed since. */
static cof_result note_origin(struct vault *vault, const struct paths *paths,
			      const struct quantastor_plan *plan, struct quantastor_job *job,
			      struct cof_error *err)
{
	struct disk_adopt_job *adopted = &job->adopt.jobs[0];
	_cleanup_(record_freep) struct record *record = NULL;
	struct vault_write write = { 0 };
	struct json *meta = NULL;
	bool found;

	TRY(vault_get(vault, DISK_IMPORT_KIND, adopted->disk.name, &record, &found, err));
	if (found && quantastor_is_imported(record, adopted->disk.uuid))
		return COF_OK;
	if (adopted->action == ADOPT_FINISH && adopted->disk.ready) {
		(void)snprintf(adopted->result.note, sizeof(adopted->result.note),
			       "it came there otherwise, and its key file is left alone");
		return COF_OK;
	}
	if (!found)
		TRY(record_new(DISK_IMPORT_KIND, adopted->disk.name, &record, err));
	TRY(describe(paths, plan, job, &meta, err));
	json_free(TAKE(record->meta));
	record->meta = meta;
	buffer_done(&record->blob);
	record->blob = (struct buffer){ 0 };
	TRY(buffer_add(&record->blob, job->header.data, job->header.len, err));
	write.record = record;
	TRY(vault_commit(vault, &write, 1, err));
	return fault_point("import/noted", err);
}

/* Imports one disk. */
static cof_result import_one(struct vault *vault, const struct paths *paths,
			     const struct quantastor_plan *plan, struct quantastor_job *job,
			     struct cof_error *err)
{
	struct disk_adopt_spec spec = { .keep_key = true };

	TRY(note_origin(vault, paths, plan, job, err));
	TRY(disk_adopt_run(vault, paths, &job->adopt, &spec, NULL, err));
	job->result = job->adopt.jobs[0].result;
	return fault_point("import/done", err);
}

cof_result quantastor_run(struct vault *vault, const struct paths *paths,
			  struct quantastor_plan *plan, struct progress *progress,
			  struct cof_error *err)
{
	for (size_t i = 0; i < plan->count; i++) {
		struct quantastor_job *job = &plan->jobs[i];
		struct cof_error failure = { 0 };

		if (job->result.error.code != COF_E_NONE)
			continue;
		progress_step(progress, i, job->name, "importing");
		if (cof_failed(import_one(vault, paths, plan, job, &failure)))
			disk_result_fail(&job->result, &failure);
		disk_audit(vault, paths, AUDIT_IMPORT, &job->result, 1);
		progress_end(progress, i, job->name, job->result.state);
	}
	for (size_t i = 0; i < plan->count; i++)
		TRY(disk_first_failure(&plan->jobs[i].result, 1, err));
	return COF_OK;
}
