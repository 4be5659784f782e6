/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "status_line.h"

#include <stdarg.h>

#include "cleanup.h"
#include "screen.h"
#include "wrap.h"

#define LABEL_COLUMNS 9 /* "warning" and two blanks more */
#define TEXT_COLUMN   (LABEL_COLUMNS + 2)

void status_line(FILE *file, const char *label, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list arguments;
	int len;

	va_start(arguments, format);
	len = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (len < 0) {
		text = NULL;
		return;
	}
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	(void)fprintf(file, "%-*s  ", LABEL_COLUMNS, label);
	wrap_remedy(file, screen_columns(fileno(file), SCREEN_ANY_COLUMNS), TEXT_COLUMN,
		    TEXT_COLUMN, text);
}
