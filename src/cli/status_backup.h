/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_STATUS_BACKUP_H
#define COF_CLI_STATUS_BACKUP_H

/*
 * What `coffer status` says of the last backup and the last drill. Pure; the notes are those of
 * note.h, which anybody who can write the vault may have put there.
 */

#include <stdio.h>

#include "finding.h"
#include "note.h"

/**
 * struct status_backup - owned notes, each NULL where there is none
 * @now:   seconds since 1970
 * @since: what was changed since the backup
 * @epoch: of the vault; that of a backup is older where the vault was revoked since
 */
struct status_backup {
	struct json *backup;
	struct json *drill;
	time_t now;
	struct note_changes since;
	uint32_t epoch;
};
void status_backup_done(struct status_backup *notes);

/**
 * status_backup_findings() - add what is due: a backup that lacks what was changed since, one or a
 * drill of long ago, a drill that failed, and what was made in the future
 * @never: also that there was none, and as advice that a drill was not with the newest one
 * Fails: COF_E_NOMEM
 */
cof_result status_backup_findings(const struct status_backup *notes, bool never,
				  struct finding_list *list, struct cof_error *err);
/** status_backup_print() - a line on each */
void status_backup_print(const struct status_backup *notes, FILE *file);
/** status_backup_json() - add "backup" and "drill" to the document, null where there was none */
void status_backup_json(const struct status_backup *notes, struct json *document);

#endif
