/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel says of processors and ciphers. */

#include "aes_support.h"
#include "fuzz.h"

void fuzz_one(struct span input)
{
	struct aes_support support = { 0 };

	aes_support_of_cpuinfo(input, &support);
	aes_support_of_crypto(input, &support);
	FUZZ_CHECK(memchr(support.driver, '\0', sizeof(support.driver)));
	FUZZ_CHECK(support.processor || !support.wide);
}
