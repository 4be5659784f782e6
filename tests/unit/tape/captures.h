/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TESTS_TAPE_CAPTURES_H
#define COF_TESTS_TAPE_CAPTURES_H

/*
 * Bytes that other programs and drives have sent: tests/data/tape/captures.txt; and bytes as hex.
 */

#include "unit.h"

#include <ctype.h>
#include <stdlib.h>

#include "buffer.h"
#include "file.h"
#include "number.h"

/* The bytes of hex text with or without blanks, to the end of its line. */
static inline struct span bytes_of(const char *hex, uint8_t room[static 512])
{
	size_t len = 0;

	while (*hex && *hex != '\n') {
		char digits[3] = { hex[0], hex[1], '\0' };

		if (*hex == ' ') {
			hex++;
			continue;
		}
		assert_true(len < 512);
		assert_ok(hex_parse(digits, &room[len++], 1, NULL));
		hex += 2;
	}
	return SPAN(room, len);
}

/* The bytes of the line of the captures that begins with a text. */
static inline struct span captured(const char *beginning, uint8_t room[static 512])
{
	struct buffer content = { 0 };
	struct span bytes;
	const char *line;

	assert_ok(file_read(TEST_DATA "/tape/captures.txt", 65536, &content, NULL));
	line = strstr((const char *)content.data, beginning);
	assert_non_null(line);
	bytes = bytes_of(line + strlen(beginning), room);
	buffer_done(&content);
	return bytes;
}

#endif
