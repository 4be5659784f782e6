/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_DISK_AUDIT_H
#define COF_BLOCK_DISK_AUDIT_H

/*
 * What the disk verbs write into the audit log.
 */

#include "audit.h"
#include "disk.h"
#include "disk_change.h"

/** disk_audit() - one line for each result that changed something or failed.
 * @vault: may be NULL or locked */
void disk_audit(struct vault *vault, const struct paths *paths, const char *event,
		const struct disk_result results[], size_t count);
/** disk_audit_format_start() - what is about to be overwritten, durable when this returns.
 * Fails: as audit_write(): then nothing may be overwritten */
cof_result disk_audit_format_start(struct vault *vault, const struct disk_format_plan *plan,
				   struct cof_error *err);
/** disk_audit_format_end() - what became of it */
void disk_audit_format_end(struct vault *vault, const struct paths *paths,
			   const struct disk_format_plan *plan);
/** disk_audit_change_start() - that the data of a disk are about to change where they are, durable
 * when this returns. Fails: as audit_write(): then nothing may be changed */
cof_result disk_audit_change_start(struct vault *vault, const char *event,
				   const struct disk_change_plan *plan, struct cof_error *err);

#endif
