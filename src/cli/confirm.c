/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Questions to a person, which only a terminal answers.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cleanup.h"
#include "cli.h"
#include "screen.h"
#include "wrap.h"

bool cli_on_terminal(const struct cli_call *call)
{
	return !call->json && isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

void cli_say_slow(const struct cli_call *call)
{
	if (cli_on_terminal(call) && !call->quiet)
		(void)fprintf(stderr, "Hardening the passphrase against guessing: some seconds.\n");
}

/*
 * One line from stdin without its newline; false at its end. What was typed before the question was
 * shown answered something else, or nothing. A line too long for @out is cut off, and no part of it
 * is left for the next question.
 */
static bool ask_line(char *out, size_t out_size_bytes, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static bool ask_line(char *out, size_t out_size_bytes, const char *format, ...)
{
	va_list arguments;
	size_t len = 0;
	int typed;

	(void)tcflush(STDIN_FILENO, TCIFLUSH);
	va_start(arguments, format);
	(void)vfprintf(stderr, format, arguments);
	va_end(arguments);
	(void)fflush(stderr);
	while ((typed = getchar()) != EOF && typed != '\n')
		if (len < out_size_bytes - 1)
			out[len++] = (char)typed;
	out[len] = '\0';
	return typed != EOF;
}

/* Whether --yes-destroy was given for this name, or at all. */
static bool agreed(const struct cli_call *call, const char *name, const char *proof, bool *ret_any)
{
	const char *const *names = cli_value_list(call, "yes-destroy");

	*ret_any = names[0] != NULL;
	for (size_t i = 0; names[i]; i++)
		if (strcmp(names[i], name) == 0 || strcmp(names[i], proof) == 0)
			return true;
	return false;
}

bool cli_agreed_destroy(const struct cli_call *call, const char *name, const char *proof)
{
	bool any;

	return agreed(call, name, proof && proof[0] ? proof : name, &any);
}

/* What will be lost, in lines that fit the screen. */
static void say_loss(const char *name, const char *text)
{
	_cleanup_free_ char *line = NULL;

	if (asprintf(&line, "%s: %s.", name, text) < 0)
		line = NULL;
	else
		wrap_line(stderr, screen_columns(STDERR_FILENO, SCREEN_ANY_COLUMNS), 0, 0, line);
}

cof_result cli_confirm_destroy(const struct cli_call *call, const char *name, const char *proof,
			       const char *text, struct cof_error *err)
{
	const char *wanted = proof && proof[0] ? proof : name;
	char answer[512];
	bool any;
	cof_result failure;

	if (agreed(call, name, wanted, &any))
		return COF_OK;
	if (any || !cli_on_terminal(call)) {
		failure = cof_raise(err, COF_E_REFUSED, name, "%s", text);
		cof_error_cause(err, any ? "--yes-destroy was given, but for another name"
					 : "nobody is there to be asked");
		cof_error_try(err, "--yes-destroy %s", name);
		return failure;
	}
	say_loss(name, text);
	ENSURE(ask_line(answer, sizeof(answer), "Type %s to go on: ", wanted) &&
		       strcmp(answer, wanted) == 0,
	       err, COF_E_REFUSED, name, "not confirmed, nothing was changed");
	return COF_OK;
}

cof_result cli_wait_enter(const char *text, struct cof_error *err)
{
	char answer[8];

	ENSURE(ask_line(answer, sizeof(answer), "%s", text), err, COF_E_REFUSED, NULL,
	       "not confirmed, nothing was changed");
	return COF_OK;
}

cof_result cli_ask_yes(const char *text, bool *ret_yes, struct cof_error *err)
{
	char answer[8];

	ENSURE(ask_line(answer, sizeof(answer), "%s", text), err, COF_E_REFUSED, NULL,
	       "not answered, nothing was changed");

	*ret_yes = strcmp(answer, "yes") == 0;
	return COF_OK;
}
