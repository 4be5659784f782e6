/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TAPE_JOB_H
#define COF_TAPE_JOB_H

/*
 * Who works with a drive. A command that puts a key into a drive notes that before, and takes the
 * note away when the key is where it should be: what is left of a command that was killed is found
 * by the next one. The lock is inherited by what the command runs, so that a job that goes on alone
 * keeps its key.
 */

#include "drive.h"

/**
 * struct tape_job - a drive that this process has for itself; { .fd = -1 } is none
 * @note: the path of the note that a key may be in the drive
 */
struct tape_job {
	int fd;
	char *note;
};

void tape_job_done(struct tape_job *job);

/**
 * tape_job_begin() - have a drive for ourselves, and clear what a killed command has left in it
 * @folder: of the notes, made if missing: /run/coffer/tape
 * @ret_cleared: there was such a key
 * Fails: COF_E_BUSY (another command works with the drive), COF_E_IO, COF_E_NOSPC, COF_E_REFUSED
 * (others may write to the folder), as drive_clear_key()
 */
cof_result tape_job_begin(struct drive *drive, const char *folder, struct tape_job *ret_job,
			  bool *ret_cleared, struct cof_error *err);

/** tape_job_note() - before a key goes into the drive. Fails: COF_E_IO, COF_E_NOSPC */
cof_result tape_job_note(const struct tape_job *job, struct cof_error *err);
/** tape_job_settle() - the key has gone, or is to stay. Fails: COF_E_IO */
cof_result tape_job_settle(const struct tape_job *job, struct cof_error *err);

/** tape_job_hand_on() - let a command that is about to be run inherit the lock. Fails: COF_E_IO */
cof_result tape_job_hand_on(const struct tape_job *job, struct cof_error *err);

#endif
