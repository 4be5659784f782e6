/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_BACKUP_SHOW_H
#define COF_CLI_BACKUP_SHOW_H

/*
 * What the verbs on backups share: how a backup is shown, and how it is opened.
 */

#include "backup.h"
#include "cli.h"

/** backup_json() - {"file","id","vault","epoch","revision","created","size"}; with @content, of a
 * backup that was proven, also "records", "older", "audit_files", "config"; caller owns */
struct json *backup_json(const char *file, const struct backup_facts *facts,
			 const struct backup_content *content);

/** backup_line() - "vault UUID, revision 12, of 2026-11-20T17:00:00Z, 1.2M"; returns @out */
#define BACKUP_LINE_CHARS 128
char *backup_line(const struct backup_facts *facts, char out[static BACKUP_LINE_CHARS]);

/** backup_tell_older() - after a change of keys: a notice that the last backup, where there was
 * one, is from before */
void backup_tell_older(struct vault *vault);

/** backup_open_with() - unlock a backup with a secret, given or asked for, and prove all of it.
 * @ret_secret: may be NULL. Fails: as backup_unlock() and backup_prove(); COF_E_LOCKED */
cof_result backup_open_with(const struct cli_call *call, const char *file, struct backup *backup,
			    struct backup_content *ret_content, struct slot_secret **ret_secret,
			    struct cof_error *err);

#endif
