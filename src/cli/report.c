/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Errors and results on the way out: text for people on stderr, one JSON document on stdout.
 */

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "cli.h"

/* Makes control characters harmless: names of devices and files come from anywhere, and must not
 * move the cursor or look like lines of ours. */
static void make_harmless(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c; c++)
		if (*c < ' ' || *c == 0x7f)
			*c = '?';
}

void cli_report(const struct cof_error *err)
{
	struct cof_error safe = *err;
	char lines[4096];

	make_harmless(safe.subject);
	make_harmless(safe.text);
	make_harmless(safe.headline);
	make_harmless(safe.cause);
	make_harmless(safe.remedy);
	cof_error_format(&safe, lines, sizeof(lines));
	(void)fflush(stdout);
	(void)fprintf(stderr, "%s\n", lines);
}

struct json *cli_error_json(const struct cof_error *err)
{
	struct json *error = json_new_object();

	json_set_text(error, "code", cof_code_name(err->code));
	json_set_known(error, "subject", err->subject);
	json_set_text(error, "text", err->text);
	json_set_known(error, "headline", err->headline);
	json_set_known(error, "cause", err->cause);
	json_set_known(error, "remedy", err->remedy);
	return error;
}

void cli_show(struct cli_call *call, struct json *document)
{
	assert(!call->document);
	call->document = document;
}

void cli_say(const struct cli_call *call, const char *format, ...)
{
	va_list arguments;

	if (call->json || call->quiet)
		return;
	va_start(arguments, format);
	(void)vprintf(format, arguments);
	va_end(arguments);
	(void)putchar('\n');
}
