/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TESTS_CRYPTO_VECTORS_H
#define COF_TESTS_CRYPTO_VECTORS_H

/*
 * Known answers, written as hex as the standards print them.
 */

#include "unit.h"

#include "buffer.h"
#include "number.h"

/* The bytes of @hex in @room, which is large enough. */
static inline struct span from_hex(const char *hex, uint8_t *room)
{
	size_t len = strlen(hex) / 2;

	assert_ok(hex_parse(hex, room, len, NULL));
	return SPAN(room, len);
}

/* @actual is just what @hex says. */
static inline void assert_hex(struct span actual, const char *hex)
{
	uint8_t room[1024];
	struct span expected = from_hex(hex, room);

	assert_int_equal(actual.len, expected.len);
	if (actual.len)
		assert_memory_equal(actual.data, expected.data, expected.len);
}

#endif
