/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdbool.h>
#include <string.h>

#include "screen.h"
#include "wrap.h"

#define TAB_COLUMNS 4 /* how much farther right a line stands that stays as it is */

/* How many columns the first @len bytes of a text take. */
static size_t width_of(const char *text, size_t len)
{
	size_t width = 0;

	for (size_t i = 0; i < len; i++)
		width += ((unsigned char)text[i] & 0xc0) != 0x80;
	return width;
}

/* The bytes up to the next blank that does not stand between backquotes; with @room for less than
 * that, up to the next blank of any kind. */
static size_t unit_len(const char *text, size_t room)
{
	size_t word = strcspn(text, " \n");
	size_t len;
	bool quoted = false;

	for (len = 0; text[len] && text[len] != '\n' && (quoted || text[len] != ' '); len++)
		quoted ^= text[len] == '`';
	return !quoted && width_of(text, len) <= room ? len : word;
}

/* Prints one line of a paragraph's words; returns where the next line starts. */
static const char *print_line(FILE *file, size_t columns, size_t indent, size_t there,
			      const char *text)
{
	size_t room = columns > indent ? columns - indent : 1;
	size_t len = 0;

	text += strspn(text, " ");
	for (;;) {
		size_t blanks = strspn(text + len, " ");
		size_t unit = unit_len(text + len + blanks, room);

		if (unit == 0 || (len > 0 && width_of(text, len + blanks + unit) > room))
			break;
		len += blanks + unit;
		if (text[len] == '\n')
			break;
	}
	(void)fprintf(file, "%*s%.*s\n", (int)(indent - there), "", (int)len, text);
	text += len;
	text += strspn(text, " ");
	return text + (*text == '\n');
}

void wrap_print(FILE *file, size_t columns, size_t indent, size_t there, const char *text)
{
	while (*text) {
		if (*text == '\n') {
			(void)fputc('\n', file);
			text++;
		} else if (*text == '\t') {
			size_t len = strcspn(text + 1, "\n");

			(void)fprintf(file, "%*s%.*s\n", (int)(indent - there + TAB_COLUMNS), "",
				      (int)len, text + 1);
			text += 1 + len;
			text += *text == '\n';
		} else {
			text = print_line(file, columns, indent, there, text);
		}
		there = 0;
	}
}

void wrap_line(FILE *file, size_t columns, size_t there, size_t indent, const char *text)
{
	wrap_print(file, columns, indent, 0, print_line(file, columns, there, there, text));
}
