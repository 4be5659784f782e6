/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The socket address of a client of the key server. */

#include "fuzz.h"
#include "keyname.h"

void fuzz_one(struct span input)
{
	char name[KEYNAME_MAX_BYTES + 1];

	if (cof_failed(keyname_parse(input, name, NULL)))
		return;
	FUZZ_CHECK(name[0] != '\0' && strlen(name) <= KEYNAME_MAX_BYTES);
	FUZZ_CHECK(!strchr(name, '/'));
}
