/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Crypto caches of Bareos, the lines that populate them, and keys in base64. */

#include "base64.h"
#include "cryptoc.h"
#include "fuzz.h"

/* Entries of a cache are what can be written again. */
static void check_entry(struct cryptoc_entry entry)
{
	FUZZ_CHECK(!cof_failed(cryptoc_check(&entry, "entry", NULL)));
}

void fuzz_one(struct span input)
{
	_cleanup_secret_ struct secret *bytes = NULL;
	struct cryptoc_entry entry;
	struct span text = input;
	struct cryptoc cache;
	size_t number = 0;
	bool found = true;

	if (!cof_failed(cryptoc_open(input, "cache", &cache, NULL)))
		for (size_t i = 0; i < cache.count; i++)
			check_entry(cryptoc_at(&cache, i));
	while (found && !cof_failed(cryptoc_line(&text, &number, &entry, &found, NULL)))
		if (found)
			check_entry(entry);
	if (input.len < 4096 && !cof_failed(base64_decode(input, &bytes, NULL)))
		FUZZ_CHECK(bytes->len * 4 / 3 <= input.len);
}
