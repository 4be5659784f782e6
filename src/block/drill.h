/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_DRILL_H
#define COF_BLOCK_DRILL_H

/*
 * Whether a backup alone would open the disks of this machine. Nothing is written to a device, and
 * nothing to a vault.
 */

#include "backup.h"
#include "disk_headers.h"

/**
 * enum drill_state - what a backup can do for one disk
 * @DRILL_OPENS:      its key opens the header on the device
 * @DRILL_FAILS:      it does not, or `disk open` would refuse the device
 * @DRILL_ABSENT:     the disk is not attached
 * @DRILL_UNFINISHED: its making was cut off before the backup: there may be no header yet
 * @DRILL_MISSING:    the vault of this machine has the disk, the backup has it not
 */
enum drill_state {
	DRILL_OPENS,
	DRILL_FAILS,
	DRILL_ABSENT,
	DRILL_UNFINISHED,
	DRILL_MISSING,
};

/**
 * struct drill_disk - one disk of the backup
 * @source:  the device, "" where it is not attached
 * @header:  how the header on the device compares with the copy in the backup
 * @has_copy, @copy_opens: the backup has a copy of the header, which its key opens
 * @problem: what is wrong, "" for nothing; also of a disk that opens; @remedy: what to type
 * @code:    of the problem
 */
struct drill_disk {
	char name[128];
	char uuid[LUKS_UUID_CHARS + 1];
	char source[256];
	enum drill_state state;
	enum header_copy_state header;
	bool has_copy;
	bool copy_opens;
	char problem[512];
	char remedy[512];
	enum cof_code code;
};

/** struct drill - all disks, in the order of their names */
struct drill {
	struct drill_disk *disks;
	size_t count;
};
void drill_done(struct drill *drill);

/**
 * drill_run() - try every disk of a backup that was proven
 * Keeps one header copy in memory at a time. Fails: as backup_each(); what is wrong with a disk is
 * an answer
 */
cof_result drill_run(struct backup *backup, const struct paths *paths, struct drill *ret_drill,
		     struct cof_error *err);
/** drill_add_missing() - add those of @names, the disks of this machine's vault, that the backup
 * has not. Fails: COF_E_NOMEM */
cof_result drill_add_missing(struct drill *drill, char *const *names, struct cof_error *err);

/** drill_count() - how many disks are in that state */
size_t drill_count(const struct drill *drill, enum drill_state state);
/** drill_result() - the first problem as a failure; COF_E_NOENT where no disk of several is
 * attached, so that nothing was proven */
cof_result drill_result(const struct drill *drill, struct cof_error *err);
/** drill_state_name() - "opens", "fails", "absent", "unfinished", "missing"; static */
const char *drill_state_name(enum drill_state state);

#endif
