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

/* Adds the argument as one word. */
static bool add_word(char *line, size_t size_bytes, size_t *at, const char *text)
{
	bool plain = text[0] && text[strspn(text, PLAIN)] == '\0';

	return plain ? add(line, size_bytes, at, text, strlen(text))
		     : add_quoted(line, size_bytes, at, text);
}

char *shell_word(const char *text, char ret_word[static SHELL_WORD_CHARS])
{
	size_t at = 0;

	if (!add_word(ret_word, SHELL_WORD_CHARS, &at, text))
		ret_word[0] = '\0';
	return ret_word;
}

bool shell_command(const char *command, const char *argument, char *ret_line, size_t size_bytes)
{
	size_t at = 0;
	bool fits = add(ret_line, size_bytes, &at, command, strlen(command)) &&
		    add(ret_line, size_bytes, &at, " ", 1) &&
		    add_word(ret_line, size_bytes, &at, argument);

	if (!fits)
		ret_line[0] = '\0';
	return fits;
}
