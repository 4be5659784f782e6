/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Results and errors: filling in, completing and printing one failure.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "result.h"

/* What each code is called in JSON, and the exit status of a process that ends with it. */
static const struct {
	const char *name;
	int exit_status;
} codes[] = {
	[COF_E_NONE] = { "none", 0 },
	[COF_E_FAILED] = { "failed", 1 },
	[COF_E_IO] = { "io", 1 },
	[COF_E_NOSPC] = { "no-space", 1 },
	[COF_E_NOMEM] = { "no-memory", 1 },
	[COF_E_USAGE] = { "usage", 2 },
	[COF_E_REFUSED] = { "refused", 3 },
	[COF_E_KEY] = { "wrong-key", 4 },
	[COF_E_NOENT] = { "not-found", 5 },
	[COF_E_BUSY] = { "busy", 6 },
	[COF_E_CONFLICT] = { "conflict", 6 },
	[COF_E_LOCKED] = { "locked", 7 },
	[COF_E_FORMAT] = { "damaged", 8 },
	[COF_E_AUTH] = { "altered", 8 },
	[COF_E_UNSUPPORTED] = { "unsupported", 9 },
};

const char *cof_code_name(enum cof_code code)
{
	return codes[code].name;
}

int cof_code_exit_status(enum cof_code code)
{
	return codes[code].exit_status;
}

/* Fills in an error; the arguments and the subject may point into it. */
__attribute__((format(printf, 4, 0))) static void
error_fill(struct cof_error *err, enum cof_code code, const char *subject, const char *format,
	   va_list arguments)
{
	struct cof_error fresh = { .code = code };

	(void)vsnprintf(fresh.text, sizeof(fresh.text), format, arguments);
	(void)snprintf(fresh.subject, sizeof(fresh.subject), "%s", subject ? subject : "");
	*err = fresh;
}

cof_result cof_raise(struct cof_error *err, enum cof_code code, const char *subject,
		     const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (err)
		error_fill(err, code, subject, format, arguments);
	va_end(arguments);
	return (cof_result){ code };
}

/* The code that says most about an errno value. */
static enum cof_code code_of_errno(int errno_value)
{
	switch (errno_value) {
	case ENOSPC:
	case EDQUOT:
		return COF_E_NOSPC;
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return COF_E_NOENT;
	case EBUSY:
		return COF_E_BUSY;
	case ENOMEM:
		return COF_E_NOMEM;
	default:
		return COF_E_IO;
	}
}

/* Adds where room is to be made: in the folder of a file, which no device lies in. */
static void try_room(struct cof_error *err, const char *subject)
{
	const char *end = subject && subject[0] == '/' ? strrchr(subject, '/') : NULL;

	if (end && strncmp(subject, "/dev/", strlen("/dev/")) != 0)
		cof_error_try(err, "make room in %.*s, then the same command again",
			      end > subject ? (int)(end - subject) : 1, subject);
}

cof_result cof_raise_errno(struct cof_error *err, int errno_value, const char *subject,
			   const char *format, ...)
{
	enum cof_code code = code_of_errno(errno_value);
	va_list arguments;

	va_start(arguments, format);
	if (err)
		error_fill(err, code, subject, format, arguments);
	va_end(arguments);
	cof_error_cause(err, "%s", strerror(errno_value));
	if (code == COF_E_NOSPC)
		try_room(err, subject);
	return (cof_result){ code };
}

void cof_error_cause(struct cof_error *err, const char *format, ...)
{
	va_list arguments;

	if (!err)
		return;
	va_start(arguments, format);
	(void)vsnprintf(err->cause, sizeof(err->cause), format, arguments);
	va_end(arguments);
}

void cof_error_try(struct cof_error *err, const char *format, ...)
{
	va_list arguments;

	if (!err)
		return;
	va_start(arguments, format);
	(void)vsnprintf(err->remedy, sizeof(err->remedy), format, arguments);
	va_end(arguments);
}

cof_result cof_explain(cof_result result, struct cof_error *err, const char *remedy,
		       const char *format, ...)
{
	va_list arguments;

	if (!cof_failed(result) || !err)
		return result;
	va_start(arguments, format);
	(void)vsnprintf(err->headline, sizeof(err->headline), format, arguments);
	va_end(arguments);
	if (remedy && err->remedy[0] == '\0')
		(void)snprintf(err->remedy, sizeof(err->remedy), "%s", remedy);
	return result;
}

/* "subject: text", or whichever of the two there is. */
static void format_core(const struct cof_error *err, char *out, size_t out_size_bytes)
{
	bool both = err->subject[0] != '\0' && err->text[0] != '\0';

	(void)snprintf(out, out_size_bytes, "%s%s%s", err->subject, both ? ": " : "", err->text);
}

void cof_error_format(const struct cof_error *err, char *out, size_t out_size_bytes)
{
	char core[sizeof(err->subject) + sizeof(err->text) + 4];
	const char *first = err->headline[0] ? err->headline : core;
	int used;

	format_core(err, core, sizeof(core));
	used = snprintf(out, out_size_bytes, "coffer: %s", first);
	if (err->headline[0] && core[0] && (size_t)used < out_size_bytes)
		used += snprintf(out + used, out_size_bytes - (size_t)used, "\n  cause: %s%s%s",
				 core, err->cause[0] ? ": " : "", err->cause);
	else if (err->cause[0] && (size_t)used < out_size_bytes)
		used += snprintf(out + used, out_size_bytes - (size_t)used, "\n  cause: %s",
				 err->cause);
	if (err->remedy[0] && (size_t)used < out_size_bytes)
		(void)snprintf(out + used, out_size_bytes - (size_t)used, "\n  try:   %s",
			       err->remedy);
}
