/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "header_notes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void header_notes_done(struct header_notes *notes)
{
	for (size_t i = 0; i < notes->count; i++)
		free(notes->texts[i]);
	free(notes->texts);
	*notes = (struct header_notes){ 0 };
}

cof_result header_notes_add(struct header_notes *notes, struct cof_error *err, const char *format,
			    ...)
{
	char **grown = realloc(notes->texts, (notes->count + 2) * sizeof(*grown));
	va_list arguments;
	int len;

	ENSURE(grown, err, COF_E_NOMEM, NULL, "no memory for a note");
	notes->texts = grown;
	va_start(arguments, format);
	len = vasprintf(&grown[notes->count], format, arguments);
	va_end(arguments);
	ENSURE(len >= 0, err, COF_E_NOMEM, NULL, "no memory for a note");
	grown[++notes->count] = NULL;
	return COF_OK;
}

/* One word for a header. */
static const char *word_of(const struct header_report *report)
{
	if (report->good)
		return "good";
	if (report->copy == HEADER_COPY_OLDER || report->copy == HEADER_COPY_OTHER)
		return header_copy_word(report->copy);
	return "damaged";
}

cof_result header_notes_look(struct header_work *work, const char *name, struct header_notes *notes,
			     const char **ret_word, struct cof_error *err)
{
	_cleanup_(header_report_done) struct header_report report = { 0 };
	struct cof_error error = { 0 };
	cof_result looked = header_check(work, name, &report, &error);

	*ret_word = "";
	if (looked.code == COF_E_NOENT)
		return COF_OK;
	if (cof_failed(looked))
		return header_notes_add(notes, err, "the header of %s cannot be checked: %s%s%s",
					name, error.subject, error.subject[0] ? ": " : "",
					error.text);
	*ret_word = word_of(&report);
	if (report.good)
		return COF_OK;
	return header_notes_add(notes, err,
				"the header of %s (%s) is not as it should be: %s: `%s`", name,
				report.source, report.problem, report.remedy);
}

void header_notes_say(const struct cli_call *call, const struct header_notes *notes)
{
	for (size_t i = 0; i < notes->count; i++)
		cli_say(call, "warning: %s", notes->texts[i]);
}
