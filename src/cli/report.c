/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Errors and results on the way out: text for people on stderr, one JSON document on stdout.
 */

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "cli.h"
#include "screen.h"
#include "wrap.h"

#define SAY_INDENT 2 /* of what goes on below, against the line's beginning */

/* Makes control characters harmless: names of devices and files come from anywhere, and must not
 * move the cursor or look like lines of ours. */
static void make_harmless(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c; c++)
		if (*c < ' ' || *c == 0x7f)
			*c = '?';
}

/* Prints the lines of an error; what goes on below stands behind the word that begins a line. */
static void print_error(char *lines)
{
	size_t columns = screen_columns(STDERR_FILENO, SCREEN_ANY_COLUMNS);
	size_t indent = strlen("coffer: ");
	char *next;

	for (char *line = lines; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		(void)fprintf(stderr, "%.*s", (int)indent, line);
		if (strncmp(line, "  try:", strlen("  try:")) == 0)
			wrap_remedy(stderr, columns, indent, indent, line + indent);
		else
			wrap_line(stderr, columns, indent, indent, line + indent);
		indent = strlen("  cause: ");
	}
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
	print_error(lines);
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

/* Prints a line so that what goes on below stands a little farther right than its beginning. */
static void say_wrapped(const char *text)
{
	size_t blanks = strspn(text, " ");

	(void)printf("%*s", (int)blanks, "");
	wrap_line(stdout, screen_columns(STDOUT_FILENO, SCREEN_ANY_COLUMNS), blanks,
		  blanks + SAY_INDENT, text + blanks);
}

void cli_say(const struct cli_call *call, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list arguments;
	int len;

	if (call->json || call->quiet)
		return;
	va_start(arguments, format);
	len = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (len < 0)
		text = NULL;
	else
		say_wrapped(text);
}
