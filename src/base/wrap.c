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

/* Whether one of the programs that remedies name begins here. */
static bool begins_command(const char *text)
{
	static const char *const programs[] = {
		"apt",	"btrfs",   "chmod",	"chown",  "coffer",   "cp", "cryptsetup",
		"curl", "dmsetup", "losetup",	"mdadm",  "mkswap",   "mv", "rm",
		"sudo", "swapoff", "systemctl", "umount", "vgchange",
	};
	size_t len = strcspn(text, " \n");

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		if (strlen(programs[i]) == len && memcmp(programs[i], text, len) == 0)
			return true;
	return false;
}

size_t wrap_command_len(const char *text)
{
	bool quoted = false;
	size_t len = 0;

	if (!begins_command(text))
		return 0;
	for (; text[len] && text[len] != '\n'; len++) {
		bool ends = strchr(",;", text[len]) ? text[len + 1] == ' '
						    : strncmp(text + len, "  ", 2) == 0;

		if (ends && !quoted)
			return len + (text[len] != ' ');
		quoted ^= text[len] == '\'';
	}
	return len;
}

/* The bytes up to the next blank that does not stand between backquotes. */
static size_t unit_len(const char *text, bool commands)
{
	size_t word = strcspn(text, " \n");
	size_t len = commands ? wrap_command_len(text) : 0;
	bool quoted = false;

	if (len)
		return len;
	for (; text[len] && text[len] != '\n' && (quoted || text[len] != ' '); len++)
		quoted ^= text[len] == '`';
	return quoted ? word : len;
}

/* Prints one line of a paragraph's words; returns where the next line starts. */
static const char *print_line(FILE *file, size_t columns, size_t indent, size_t there,
			      bool commands, const char *text)
{
	size_t room = columns > indent ? columns - indent : 1;
	size_t len = 0;

	text += strspn(text, " ");
	for (;;) {
		size_t blanks = strspn(text + len, " ");
		size_t unit = unit_len(text + len + blanks, commands);

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

/* Prints lines and paragraphs. */
static void print_lines(FILE *file, size_t columns, size_t indent, size_t there, bool commands,
			const char *text)
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
			text = print_line(file, columns, indent, there, commands, text);
		}
		there = 0;
	}
}

void wrap_print(FILE *file, size_t columns, size_t indent, size_t there, const char *text)
{
	print_lines(file, columns, indent, there, false, text);
}

void wrap_line(FILE *file, size_t columns, size_t there, size_t indent, const char *text)
{
	wrap_print(file, columns, indent, 0, print_line(file, columns, there, there, false, text));
}

void wrap_remedy(FILE *file, size_t columns, size_t there, size_t indent, const char *text)
{
	print_lines(file, columns, indent, 0, true,
		    print_line(file, columns, there, there, true, text));
}
