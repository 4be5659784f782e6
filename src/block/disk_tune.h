/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_DISK_TUNE_H
#define COF_BLOCK_DISK_TUNE_H

/*
 * The flags with which dm-crypt serves a disk, kept in its header.
 */

#include "disk.h"

#define AUDIT_DISK_TUNE "disk.tune"

/** struct disk_tune_spec - which flags are to be; LUKS_FLAG_... of luks_flags.h */
struct disk_tune_spec {
	bool advised; /* first those that suit the device, instead of those that it has; a discard
		       * that it has stays */
	uint32_t set;
	uint32_t clear;
	bool dry_run;
};

/** struct disk_tuned - the flags of one disk, beside its result */
struct disk_tuned {
	uint32_t before;
	uint32_t after;
	uint32_t advised;
};

/**
 * disk_tune() - have the headers of disks keep flags
 * @names:   volumes or devices as typed; borrowed
 * @tuned:   @count of them, filled in
 * @results: the same
 *
 * Per disk: the stored key opens the header → flags → copy of the header in the vault → an open
 * mapping takes them over, where the kernel can; else the note says when they count. Nothing is
 * written where the flags are so already. Fault points "tune/...".
 * Fails: the first one's failure, after all were tried
 */
cof_result disk_tune(struct vault *vault, const struct paths *paths, const char *const names[],
		     size_t count, const struct disk_tune_spec *spec, struct disk_tuned tuned[],
		     struct disk_result results[], struct cof_error *err);

#endif
