/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk header check and backup: what a disk's header is like, and the copy that the vault keeps.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "disk_result.h"
#include "header_job.h"

void header_report_done(struct header_report *report)
{
	luks_diff_done(&report->diff);
	*report = (struct header_report){ 0 };
}

const char *header_copy_word(enum header_copy_state state)
{
	static const char *const words[] = {
		[HEADER_COPY_UNKNOWN] = "unknown", [HEADER_COPY_NONE] = "none",
		[HEADER_COPY_SAME] = "same",	   [HEADER_COPY_NEWER] = "newer",
		[HEADER_COPY_OLDER] = "older",	   [HEADER_COPY_DAMAGED] = "damaged",
		[HEADER_COPY_OTHER] = "other",
	};

	return words[state];
}

/* Says what is wrong, once; what comes first weighs most. */
static void __attribute__((format(printf, 2, 3)))
blame(struct header_report *report, const char *format, ...)
{
	va_list arguments;

	if (report->problem[0])
		return;
	va_start(arguments, format);
	(void)vsnprintf(report->problem, sizeof(report->problem), format, arguments);
	va_end(arguments);
}

/* What is wrong with the metadata by themselves. */
static void judge_state(const struct header_job *job, struct header_report *report)
{
	const struct luks_header_state *state = &report->state;

	if (state->version == 0)
		blame(report, "it has no LUKS header");
	else if (state->disagree)
		blame(report, "its two headers are of different disks");
	else if (state->first != LUKS_AREA_GOOD)
		blame(report, "its %sheader is %s%s%s",
		      state->second == LUKS_AREA_NONE ? "" : "first ",
		      luks_area_words(state->first),
		      state->second > LUKS_AREA_GOOD ? ", the second " : "",
		      state->second > LUKS_AREA_GOOD ? luks_area_words(state->second) : "");
	else if (state->second > LUKS_AREA_GOOD)
		blame(report, "its second header is %s", luks_area_words(state->second));
	if (!report->problem[0])
		return;
	if (job->known || state->mendable)
		(void)snprintf(report->remedy, sizeof(report->remedy),
			       "coffer disk header repair %s",
			       job->known ? job->disk.name : job->device->node);
}

/* Whether the header on the device and its newest copy hold one volume key; when the key of the
 * vault opens both. */
static cof_result same_volume_key(const struct header_job *job, bool *ret_same,
				  struct cof_error *err)
{
	_cleanup_(luks_rehearsal_done) struct luks_rehearsal rehearsal = LUKS_REHEARSAL_NONE;
	_cleanup_luks_writes_ struct luks_writes writes = { 0 };
	_cleanup_(volume_key_freep) struct volume_key *of_device = NULL;
	_cleanup_(volume_key_freep) struct volume_key *of_copy = NULL;
	bool opens;

	TRY(luks_plan_restore(job->device->node, buffer_span(&job->copy->blob), &writes, err));
	TRY(luks_rehearse(job->device->node, &writes, &rehearsal, err));
	TRY(header_try_key(job, job->device->node, &opens, &of_device, err));
	TRY(header_try_key(job, rehearsal.path, &opens, &of_copy, err));
	*ret_same = !of_copy || !of_device ||
		    ct_equal(volume_key_span(of_device), volume_key_span(of_copy));
	return COF_OK;
}

/* Compares a header that can be read with its newest copy. */
static cof_result compare(const struct header_job *job, struct header_report *report,
			  struct cof_error *err)
{
	_cleanup_buffer_ struct buffer present = { 0 };
	bool same_key = true;

	report->copy = HEADER_COPY_NONE;
	if (!job->copy)
		return COF_OK;
	TRY(luks_copy_header(job->device->node, &present, err));
	TRY(luks_copies_diff(buffer_span(&job->copy->blob), buffer_span(&present), &report->diff,
			     err));
	if (!report->diff.same && report->key_opens && !report->diff.other_header)
		TRY(same_volume_key(job, &same_key, err));
	if (report->diff.same)
		report->copy = HEADER_COPY_SAME;
	else if (report->diff.other_header || !same_key)
		report->copy = HEADER_COPY_OTHER;
	else if (report->diff.damaged_slots || !report->state.whole)
		report->copy = HEADER_COPY_DAMAGED;
	else
		report->copy = report->diff.went_back ? HEADER_COPY_OLDER : HEADER_COPY_NEWER;
	return COF_OK;
}

/* What is wrong with a header that can be read, as the vault sees it. */
static void judge_copy(const struct header_job *job, struct header_report *report)
{
	const char *verb = "restore";

	if (strcmp(report->state.uuid, job->disk.uuid) != 0) {
		blame(report,
		      "it is the header of another disk: its UUID is %s, the record says %s",
		      report->state.uuid, job->disk.uuid);
	} else if (report->copy == HEADER_COPY_DAMAGED) {
		blame(report, "keyslots hold other bytes than their copy in the vault");
		verb = "repair";
	} else if (!report->key_opens) {
		blame(report, "the vault's key does not open it");
	} else if (report->copy == HEADER_COPY_OLDER) {
		blame(report, "it is older than its copy in the vault");
	} else if (report->copy == HEADER_COPY_OTHER) {
		blame(report, "it has another volume key than its copy in the vault");
	}
	if (report->problem[0] && !report->remedy[0])
		/* A whole header is replaced only with --force. */
		(void)snprintf(report->remedy, sizeof(report->remedy), "coffer disk header %s %s%s",
			       verb, job->disk.name,
			       strcmp(verb, "restore") == 0 && report->state.whole ? " --force"
										   : "");
}

/* A header that was changed by whatever tool, and that the vault's key opens, is copied. */
static cof_result keep_newer(struct header_work *work, const struct header_job *job,
			     struct header_report *report, struct cof_error *err)
{
	if (report->problem[0] || !report->key_opens ||
	    (report->copy != HEADER_COPY_NEWER && report->copy != HEADER_COPY_NONE))
		return COF_OK;
	return header_backup(work, job, &report->kept, &report->generation, err);
}

cof_result header_judge(const struct header_job *job, struct header_report *report,
			struct cof_error *err)
{
	const char *node = job->device->node;

	TRY(luks_header_examine(node, &report->state, err));
	(void)snprintf(report->uuid, sizeof(report->uuid), "%s", report->state.uuid);
	report->known = job->known;
	if (job->copy) {
		report->generation = job->copy->generation;
		report->taken = job->copy->created;
	}
	judge_state(job, report);
	if (job->known && report->state.mendable &&
	    !cof_failed(luks_read(node, NULL, &(struct luks_info){ 0 }, NULL))) {
		report->key_tried = true;
		TRY(header_try_key(job, node, &report->key_opens, NULL, err));
		TRY(compare(job, report, err));
		judge_copy(job, report);
	} else if (job->known) {
		report->copy = job->copy ? HEADER_COPY_DAMAGED : HEADER_COPY_NONE;
	}
	report->good = !report->problem[0];
	return COF_OK;
}

cof_result header_check(struct header_work *work, const char *typed,
			struct header_report *ret_report, struct cof_error *err)
{
	_cleanup_(header_job_done) struct header_job job = { 0 };
	_cleanup_(header_report_done) struct header_report report = { 0 };

	TRY(header_job_find(work, typed, &job, err));
	(void)snprintf(report.name, sizeof(report.name), "%s",
		       job.known       ? job.disk.name
		       : job.open.open ? job.open.name
				       : "");
	(void)snprintf(report.source, sizeof(report.source), "%s", job.device->node);
	TRY(header_judge(&job, &report, err));
	if (report.key_tried)
		TRY(keep_newer(work, &job, &report, err));

	*ret_report = report;
	report = (struct header_report){ 0 };
	return COF_OK;
}

cof_result header_backup(struct header_work *work, const struct header_job *job, bool *ret_kept,
			 uint64_t *ret_generation, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *newest = NULL;
	bool found;

	TRY(cof_explain(disk_refresh_copy(work->vault, work->paths, job->disk.name,
					  job->device->node, job->key, err),
			err, NULL, "no copy of the header of %s was taken", job->disk.name));
	TRY(vault_get(work->vault, DISK_HEADER_KIND, job->disk.name, &newest, &found, err));
	ENSURE(found, err, COF_E_NOENT, job->disk.name, "the copy is gone from the vault");
	*ret_generation = newest->generation;
	*ret_kept = !job->copy || job->copy->generation != newest->generation;
	return COF_OK;
}
