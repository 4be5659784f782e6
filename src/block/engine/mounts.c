/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lines of mountinfo, pure: see mounts.h.
 */

#include "mounts.h"

#include <stdio.h>
#include <string.h>

static bool octal(char digit)
{
	return digit >= '0' && digit <= '7';
}

/* Copies one field up to a blank; the kernel writes odd characters as a backslash and octal. */
static bool field_copy(const char **cursor, char *out, size_t out_size_bytes)
{
	const char *from = *cursor;
	size_t used = 0;

	while (*from && *from != ' ' && *from != '\n') {
		char letter = *from++;

		if (letter == '\\' && octal(from[0]) && octal(from[1]) && octal(from[2])) {
			letter = (char)((from[0] - '0') << 6 | (from[1] - '0') << 3 |
					(from[2] - '0'));
			from += 3;
		}
		if (used + 1 >= out_size_bytes)
			return false;
		out[used++] = letter;
	}
	out[used] = '\0';
	*cursor = *from == ' ' ? from + 1 : from;
	return used > 0;
}

bool mount_line_parse(const char *line, struct mount_line *ret_mount)
{
	struct mount_line mount = { 0 };
	char skipped[PATH_MAX];
	const char *cursor = line;
	int used = 0;

	/* 36 35 98:0 /root /folder options [optional...] - type source super-options */
	if (sscanf(line, "%*u %*u %u:%u %n", &mount.major, &mount.minor, &used) != 2 || used == 0)
		return false;
	cursor += used;
	if (!field_copy(&cursor, skipped, sizeof(skipped)) ||
	    !field_copy(&cursor, mount.folder, sizeof(mount.folder)))
		return false;
	cursor = strstr(cursor, " - ");
	if (!cursor)
		return false;
	cursor += strlen(" - ");
	if (!field_copy(&cursor, mount.type, sizeof(mount.type)) ||
	    !field_copy(&cursor, mount.source, sizeof(mount.source)))
		return false;

	*ret_mount = mount;
	return true;
}
