/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "header_notes.h"

#include <stdio.h>
#include <string.h>

/* One word for a header. */
static const char *word_of(const struct header_report *report)
{
	if (report->good)
		return "good";
	if (report->copy == HEADER_COPY_OLDER || report->copy == HEADER_COPY_OTHER)
		return header_copy_word(report->copy);
	return "damaged";
}

cof_result header_notes_look(struct header_work *work, const char *name,
			     struct finding_list *findings, const char **ret_word,
			     struct cof_error *err)
{
	_cleanup_(header_report_done) struct header_report report = { 0 };
	struct cof_error error = { 0 };
	cof_result looked = header_check(work, name, &report, &error);

	*ret_word = "";
	if (looked.code == COF_E_NOENT)
		return COF_OK;
	*ret_word = "unknown";
	if (cof_failed(looked))
		return finding_note(findings, AREA_DISKS, looked.code, name, error.remedy, err,
				    "its header cannot be checked: %s%s%s", error.subject,
				    error.subject[0] ? ": " : "", error.text);
	*ret_word = word_of(&report);
	if (report.good)
		return COF_OK;
	return finding_note(findings, AREA_DISKS, COF_E_FORMAT, name, report.remedy, err,
			    "the header on %s is not as it should be: %s", report.source,
			    report.problem);
}
