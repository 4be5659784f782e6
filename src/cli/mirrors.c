/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a person is told and asked about the vault's mirrors.
 */

#include <stdio.h>
#include <string.h>

#include "log.h"
#include "mirrors.h"
#include "status_view.h"

/* Lists records whose names come from a mirror, which others may have written. */
static void list_records(char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		(void)fputs("  ", stderr);
		for (const char *c = names[i]; *c; c++)
			(void)fputc((unsigned char)*c < ' ' || *c == 0x7f ? '?' : *c, stderr);
		(void)fputc('\n', stderr);
	}
}

/* Names what going on with an older keystore forgets of what one mirror has. */
static void list_forgotten(const struct vault_newer *newer)
{
	log_notice("the copy in the mirror %s is newer: epoch %u, revision %llu; it is kept under "
		   "a name that ends in newer-DATE",
		   newer->mirror, newer->epoch, (unsigned long long)newer->revision);
	if (!newer->readable)
		log_notice("which records that copy has cannot be read");
	else if (newer->record_count == 0)
		log_notice("that copy has no record which the vault has not");
	else
		log_notice("the vault forgets these records, or their newest generation:");
	list_records(newer->records, newer->record_count);
}

cof_result mirrors_ask_older(const struct vault_newer newer[], size_t count, void *context,
			     struct cof_error *err)
{
	const struct cli_call *call = context;
	bool yes = false;

	for (size_t i = 0; i < count; i++)
		list_forgotten(&newer[i]);
	if (count == 0 || !cli_on_terminal(call))
		return COF_OK;
	TRY(cli_ask_yes("Go on with the older vault? Type yes or no: ", &yes, err));
	ENSURE(yes, err, COF_E_REFUSED, call->paths->vault_dir,
	       "not confirmed, nothing was changed");
	return COF_OK;
}

/* One mirror that is not current. */
static void warn(const struct vault_mirror *mirror, enum mirrors_after after)
{
	bool old_opens = after == MIRRORS_AFTER_REVOKE && mirror->written;
	struct cof_error warning = { 0 };

	(void)snprintf(warning.headline, sizeof(warning.headline), "warning: the mirror %s %s %s%s",
		       mirror->folder, mirror->state == MIRROR_FAILED ? "has" : "is",
		       status_mirror_name(mirror),
		       after == MIRRORS_AFTER_UNLOCK ? "" : " and has not got this change");
	(void)snprintf(warning.text, sizeof(warning.text), "%s%s%s", mirror->reason,
		       mirror->reason[0] && old_opens ? "; " : "",
		       old_opens ? "its copy still has the old header, which an old secret opens"
				 : "");
	(void)snprintf(warning.remedy, sizeof(warning.remedy), "%s", mirror->remedy);
	cli_report(&warning);
}

void mirrors_warn(struct cli_call *call, enum mirrors_after after)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_free_ struct vault_mirror *mirrors = NULL;
	size_t count = 0;

	if (call->mirrors_told)
		return;
	call->mirrors_told = true;
	/* The work is done, and what else is wrong with the vault is for others to say. */
	if (cof_failed(vault_open(call->paths, &vault, NULL)) ||
	    cof_failed(vault_mirrors(vault, &mirrors, &count, NULL)))
		return;
	for (size_t i = 0; i < count; i++)
		if (mirrors[i].state != MIRROR_CURRENT)
			warn(&mirrors[i], after);
}
