/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "fault.h"
#include "file.h"
#include "job.h"

#define NOTE_MODE 0600

void tape_job_done(struct tape_job *job)
{
	fd_closep(&job->fd);
	job->fd = -1;
	free(TAKE(job->note));
}

cof_result tape_job_begin(struct drive *drive, const char *folder, struct tape_job *ret_job,
			  bool *ret_cleared, struct cof_error *err)
{
	_cleanup_(tape_job_done) struct tape_job job = { .fd = -1 };
	_cleanup_free_ char *lock = NULL;
	const char *name = path_base(drive->node);

	*ret_cleared = false;
	TRY(folder_make_private(folder, err));
	TRY(path_format(&lock, err, "%s/%s.lock", folder, name));
	TRY(path_format(&job.note, err, "%s/%s.key", folder, name));
	TRY(cof_explain(file_lock(lock, 0, &job.fd, err), err,
			"when that has ended; `coffer tape status` shows the drive meanwhile",
			"%s is in use by another command", drive->name));
	if (path_exists(job.note)) {
		TRY(drive_clear_key(drive, ret_cleared, err));
		TRY(file_remove(job.note, err));
	}
	*ret_job = job;
	job = (struct tape_job){ .fd = -1 };
	return COF_OK;
}

cof_result tape_job_note(const struct tape_job *job, struct cof_error *err)
{
	TRY(file_replace(job->note, span_of_text("a key may be in this drive\n"), NOTE_MODE, err));
	return fault_point("tape/noted", err);
}

cof_result tape_job_settle(const struct tape_job *job, struct cof_error *err)
{
	TRY(fault_point("tape/settling", err));
	return file_remove(job->note, err);
}

cof_result tape_job_hand_on(const struct tape_job *job, struct cof_error *err)
{
	if (fcntl(job->fd, F_SETFD, 0) < 0)
		return cof_raise_errno(err, errno, job->note, "cannot be handed on");
	return COF_OK;
}
