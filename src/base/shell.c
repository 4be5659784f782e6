/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shell.h"

#include <stdio.h>
#include <string.h>

/* What no shell takes for anything but itself. */
#define PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+,-"

/* Adds the bytes, if they and the end fit. */
static bool add(char *line, size_t size_bytes, size_t *at, const char *text, size_t len)
{
	if (len >= size_bytes - *at)
		return false;
	memcpy(line + *at, text, len);
	*at += len;
	line[*at] = '\0';
	return true;
}

/* Adds the argument between single quotes, which hold everything but a single quote. */
static bool add_quoted(char *line, size_t size_bytes, size_t *at, const char *text)
{
	bool fits = add(line, size_bytes, at, "'", 1);

	for (; fits && *text; text++)
		fits = *text == '\'' ? add(line, size_bytes, at, "'\\''", 4)
				     : add(line, size_bytes, at, text, 1);
	return fits && add(line, size_bytes, at, "'", 1);
}

bool shell_command(const char *command, const char *argument, char *ret_line, size_t size_bytes)
{
	bool plain = argument[0] && argument[strspn(argument, PLAIN)] == '\0';
	size_t at = 0;
	bool fits;

	fits = add(ret_line, size_bytes, &at, command, strlen(command)) &&
	       add(ret_line, size_bytes, &at, " ", 1) &&
	       (plain ? add(ret_line, size_bytes, &at, argument, strlen(argument))
		      : add_quoted(ret_line, size_bytes, &at, argument));
	if (!fits)
		ret_line[0] = '\0';
	return fits;
}
