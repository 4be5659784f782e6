/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "number.h"
#include "screen.h"

#define COLUMNS_MIN 20 /* less than that is no screen that anybody reads from */

/* The size of the terminal behind a descriptor; zeros where there is none. */
static struct winsize terminal_size(int fd)
{
	struct winsize size = { 0 };
	int errno_before = errno;

	if (ioctl(fd, TIOCGWINSZ, &size) < 0)
		size = (struct winsize){ 0 };
	errno = errno_before;
	return size;
}

size_t screen_columns(int fd, size_t otherwise)
{
	const char *wanted = getenv("COLUMNS");
	uint64_t columns = 0;

	if (!wanted || cof_failed(uint_parse(wanted, UINT16_MAX, &columns, NULL)) || columns == 0)
		columns = terminal_size(fd).ws_col;
	if (columns == 0)
		return otherwise;
	return columns < COLUMNS_MIN ? COLUMNS_MIN : (size_t)columns;
}

size_t screen_rows(int fd, size_t otherwise)
{
	unsigned short rows = terminal_size(fd).ws_row;

	return rows ? rows : otherwise;
}

/* Whether this byte goes on with a character that began before it (RFC 3629, section 3). */
static int continues(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

size_t screen_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += !continues(*text);
	return width;
}

size_t screen_fit(const char *text, size_t columns)
{
	size_t width = 0;
	size_t len = 0;

	for (; text[len]; len++) {
		width += !continues(text[len]);
		if (width > columns)
			break;
	}
	return len;
}
