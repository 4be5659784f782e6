/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_AUDIT_SHOW_H
#define COF_CLI_AUDIT_SHOW_H

/*
 * Which lines of the audit log are shown, and how.
 */

#include "audit.h"

/**
 * struct audit_filter - which lines; { 0 }: all but seals
 * @since:   seconds since 1970
 * @event:   NULL: any; "disk" means all that begin with "disk."
 * @limit:   the last ones; 0: no limit
 */
struct audit_filter {
	int64_t since;
	const char *event;
	const char *subject;
	uint64_t limit;
};

/** audit_gather() - the lines that pass, in order, as an array of objects; caller owns.
 * Lines that cannot be read are left out */
cof_result audit_gather(const struct vault *vault, const struct audit_filter *filter,
			struct json **ret_lines, struct cof_error *err);
/** audit_table() - a table of such lines on @file */
cof_result audit_table(const struct json *lines, FILE *file, struct cof_error *err);
/** audit_judge() - a verdict as success or failure. @folder: of the vault.
 * Fails: COF_E_AUTH, with the first bad line as its subject */
cof_result audit_judge(const char *folder, const struct audit_verdict *verdict,
		       struct cof_error *err);
/** audit_verdict_json() - a verdict as an object; caller owns */
struct json *audit_verdict_json(const struct audit_verdict *verdict);
/**
 * audit_find_certificate() - the last disk.destroy of @name that was done, with the lines up to the
 * seal that covers it, as they are in the log
 * @ret_certificate: an object; caller owns. Fails: COF_E_NOENT
 */
cof_result audit_find_certificate(const struct vault *vault, const char *name,
				  struct json **ret_certificate, struct cof_error *err);

#endif
