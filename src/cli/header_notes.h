/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_HEADER_NOTES_H
#define COF_CLI_HEADER_NOTES_H

/*
 * What verbs that show disks say of their headers.
 */

#include "disk_headers.h"
#include "finding.h"

/**
 * header_notes_look() - look at the header of a disk of the vault, which is unlocked
 * @ret_word: "good", "damaged", "older", "other", "unknown" where it could not be checked; ""
 *            where the disk is not attached; static
 * Fails: COF_E_NOMEM; what else fails is a finding
 */
cof_result header_notes_look(struct header_work *work, const char *name,
			     struct finding_list *findings, const char **ret_word,
			     struct cof_error *err);

/** disk_note_work() - a disk that is not ready, and the command that finishes it (status_disks.c).
 * Fails: COF_E_NOMEM */
cof_result disk_note_work(const struct disk *disk, struct finding_list *list,
			  struct cof_error *err);

/** disk_note_key() - where the key of a disk is, if it is not in the vault alone, and what is wrong
 * with that (status_disks.c). Fails: COF_E_NOMEM */
cof_result disk_note_key(const struct disk *disk, struct finding_list *list, struct cof_error *err);

#endif
