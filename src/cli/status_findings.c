/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is wrong with the vault, or due, by what `coffer status` knows of it, pure.
 */

#include <stdio.h>
#include <string.h>

#include "status_view.h"

#define ADD_MIRROR "a line \"mirror = DIR\" in coffer.conf, which keeps a copy elsewhere"

void status_header_error(enum vault_header header, struct cof_error *ret_error)
{
	static const struct {
		enum cof_code code;
		const char *text;
		const char *cause;
		const char *remedy;
	} errors[] = {
		[VAULT_HEADER_KEPT] = { COF_E_NONE, "", "", "" },
		[VAULT_HEADER_CHANGED] = { COF_E_FAILED, "the header was changed by another tool",
					   "no copy of what it is now is kept yet",
					   "coffer unlock --passphrase-file FILE, which copies it "
					   "into the keystore and to the mirrors" },
		[VAULT_HEADER_OLDER] = { COF_E_FORMAT, "the header is older than its copy",
					 "unlock methods that were added or removed since are not "
					 "as they were",
					 "coffer backup restore --header-only, which puts the "
					 "newer one back" },
		[VAULT_HEADER_DAMAGED] = { COF_E_FORMAT, "the header is damaged",
					   "it differs from its copy",
					   "coffer backup restore --header-only, which puts the "
					   "copy back" },
		[VAULT_HEADER_FORGED] = { COF_E_AUTH,
					  "the header's copy in the keystore was altered",
					  "that was not coffer: find out who did it",
					  "coffer unlock --passphrase-file FILE, which writes it "
					  "again" },
	};

	*ret_error = (struct cof_error){ .code = errors[header].code };
	(void)snprintf(ret_error->text, sizeof(ret_error->text), "%s", errors[header].text);
	(void)snprintf(ret_error->cause, sizeof(ret_error->cause), "%s", errors[header].cause);
	(void)snprintf(ret_error->remedy, sizeof(ret_error->remedy), "%s", errors[header].remedy);
}

char *status_header_warning(enum vault_header header, char out[static FINDING_TEXT_CHARS])
{
	struct finding finding = { .area = AREA_VAULT };

	status_header_error(header, &finding.error);
	return finding_text(&finding, out);
}

bool status_has_recovery(const struct status_facts *facts)
{
	for (size_t i = 0; i < facts->slot_count; i++)
		if (strcmp(facts->slots[i].method, "recovery") == 0)
			return true;
	return false;
}

/* How many slots there are of those that open without a person. */
static size_t count_unattended(const struct status_facts *facts)
{
	size_t count = 0;

	for (size_t i = 0; i < facts->slot_count; i++)
		count += facts->slots[i].unattended;
	return count;
}

/* What is wrong with the unlock methods. */
static cof_result judge_methods(const struct status_facts *facts, struct finding_list *list,
				struct cof_error *err)
{
	struct cof_error alone = { .code = COF_E_FAILED,
				   .text = "every unlock method works without a person",
				   .cause = "whoever takes the machine has the data",
				   .remedy = "coffer enroll passphrase" };

	if (!status_has_recovery(facts) && !facts->header_missing)
		TRY(finding_note(list, AREA_VAULT, COF_E_FAILED, "", "coffer enroll recovery", err,
				 "the vault has no recovery key"));
	if (facts->slot_count > 0 && count_unattended(facts) == facts->slot_count)
		TRY(finding_add(list, AREA_VAULT, &alone, err));
	return COF_OK;
}

/* The code of a mirror's state: damage is what no later change mends by itself. */
static enum cof_code code_of(const struct vault_mirror *mirror)
{
	if (mirror->state == MIRROR_NEWER)
		return COF_E_AUTH;
	return mirror->state == MIRROR_DAMAGED ? COF_E_FORMAT : COF_E_FAILED;
}

/* What is wrong with one mirror. */
static cof_result judge_mirror(const struct vault_mirror *mirror, struct finding_list *list,
			       struct cof_error *err)
{
	struct cof_error error = { .code = code_of(mirror) };

	if (mirror->with_vault)
		TRY(finding_note(list, AREA_MIRRORS, COF_E_FAILED, "",
				 "mount what belongs there, or name another folder in coffer.conf",
				 err,
				 "the mirror %.300s is on the same file system as the vault, and "
				 "is lost with it",
				 mirror->folder));
	if (mirror->state == MIRROR_CURRENT)
		return COF_OK;
	(void)snprintf(error.text, sizeof(error.text), "the mirror %.400s %s %s", mirror->folder,
		       mirror->state == MIRROR_FAILED ? "has" : "is", status_mirror_name(mirror));
	(void)snprintf(error.cause, sizeof(error.cause), "%s", mirror->reason);
	(void)snprintf(error.remedy, sizeof(error.remedy), "%s", mirror->remedy);
	return finding_add(list, AREA_MIRRORS, &error, err);
}

cof_result status_findings(const struct status_facts *facts, struct finding_list *list,
			   struct cof_error *err)
{
	struct cof_error header;

	if (facts->state == STATUS_ABSENT)
		return COF_OK;
	status_header_error(facts->header, &header);
	if (!facts->header_unknown && facts->header != VAULT_HEADER_KEPT)
		TRY(finding_add(list, AREA_VAULT, &header, err));
	TRY(judge_methods(facts, list, err));
	if (facts->mirror_count == 0 && !facts->mirrors_unknown)
		TRY(finding_note(list, AREA_MIRRORS, COF_E_FAILED, "", ADD_MIRROR, err,
				 "the vault is in this folder alone"));
	for (size_t i = 0; i < facts->mirror_count; i++)
		TRY(judge_mirror(&facts->mirrors[i], list, err));
	return COF_OK;
}
