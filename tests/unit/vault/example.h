/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TESTS_VAULT_EXAMPLE_H
#define COF_TESTS_VAULT_EXAMPLE_H

/*
 * The worked examples of doc/format-*.md.
 */

#include "fixture.h"

/* The bytes of one example in a document: the lines between ```NAME and ```. */
static inline void read_example(const char *document, const char *name, struct buffer *bytes)
{
	_cleanup_buffer_ struct buffer text = { 0 };
	_cleanup_free_ char *path = NULL;
	char start[64];
	char *end;
	char *at;

	assert_ok(path_format(&path, NULL, COF_DOC_FOLDER "/%s", document));
	assert_ok(file_read(path, 1 << 20, &text, NULL));
	(void)snprintf(start, sizeof(start), "```%s\n", name);
	at = strstr((char *)text.data, start);
	assert_non_null(at);
	at += strlen(start);
	end = strstr(at, "```");
	assert_non_null(end);
	*end = '\0';
	for (char *word = strtok(at, " \n"); word; word = strtok(NULL, " \n"))
		assert_ok(buffer_add_u8(bytes, (uint8_t)strtoul(word, NULL, 16), NULL));
}

#endif
