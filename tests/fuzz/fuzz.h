/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TESTS_FUZZ_H
#define COF_TESTS_FUZZ_H

/*
 * What every fuzz target includes. A target states what must hold with FUZZ_CHECK(), beyond what
 * the sanitizers see.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "result.h"

#define FUZZ_CHECK(condition)    \
	do {                     \
		if (!(condition)) \
			abort(); \
	} while (0)

/* fuzz_one() - try one input; defined by each target */
void fuzz_one(struct span input);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_one(SPAN(data, size));
	return 0;
}

/* A NUL-terminated copy of the input, for parsers of text; the caller frees. */
static inline char *fuzz_text(struct span input)
{
	char *text = malloc(input.len + 1);

	FUZZ_CHECK(text);
	if (input.len)
		memcpy(text, input.data, input.len);
	text[input.len] = '\0';
	return text;
}

#endif
