/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_CRYPTTAB_JUDGE_H
#define COF_BLOCK_CRYPTTAB_JUDGE_H

/*
 * Whether a line of crypttab with the name of a disk would open that disk.
 */

#include "disk.h"
#include "tabfile.h"

/** What may be wrong with a line; bits. */
#define LINE_OTHER_DISK 1u /* its source has the LUKS header of another disk */
#define LINE_NO_DEVICE	2u /* its source is not there, although the disk is */
#define LINE_NO_KEY	4u /* its key file is not there, and is none of coffer's */

/**
 * crypttab_judge() - what is wrong with the line of a disk, as bits; 0 for nothing
 * @attached: the device of the disk is there
 *
 * A key file on a medium that is away, by fstab or by the disk's record, is none that is missing.
 */
unsigned int crypttab_judge(const struct paths *paths, const struct disk *disk, bool attached,
			    const struct crypttab_entry *line);

/** crypttab_fault_text() - the worst of these bits as a sentence's end, "its line in crypttab ...";
 * static */
const char *crypttab_fault_text(unsigned int faults);

#endif
