/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "screen.h"
#include "wrap.h"

#define NOTICE "coffer: "

/* Whether COFFER_DEBUG names @area or "all". */
static bool area_is_on(const char *area)
{
	const char *list = getenv("COFFER_DEBUG");
	size_t area_len = strlen(area);

	while (list && *list != '\0') {
		size_t len = strcspn(list, ",");

		if ((len == 3 && strncmp(list, "all", 3) == 0) ||
		    (len == area_len && strncmp(list, area, len) == 0))
			return true;
		list += len;
		list += *list == ',';
	}
	return false;
}

void log_debug(const char *area, const char *format, ...)
{
	char line[1024];
	va_list arguments;

	if (!area_is_on(area))
		return;
	va_start(arguments, format);
	(void)vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	(void)fprintf(stderr, "coffer[%s]: %s\n", area, line);
}

void log_notice(const char *format, ...)
{
	char line[1024];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	(void)fputs(NOTICE, stderr);
	wrap_line(stderr, screen_columns(STDERR_FILENO, SCREEN_ANY_COLUMNS), strlen(NOTICE),
		  strlen(NOTICE), line);
}
