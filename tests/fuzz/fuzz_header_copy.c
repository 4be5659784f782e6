/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Header copies: as they come, and with their checksum made right so that the fields are read. */

#include "fuzz.h"
#include "header_copy.h"
#include "kdf.h"
#include "luks.h"

/* A copy that can be read is the only encoding of what it holds. */
static void try_copy(struct span input)
{
	_cleanup_buffer_ struct buffer image = { 0 };
	_cleanup_buffer_ struct buffer again = { 0 };
	struct header_copy about;

	if (cof_failed(header_copy_decode(input, "fuzz", &about, &image, NULL)))
		return;
	FUZZ_CHECK(!cof_failed(header_copy_encode(&about, buffer_span(&image), &again, NULL)));
	FUZZ_CHECK(again.len == input.len && memcmp(again.data, input.data, again.len) == 0);
	FUZZ_CHECK(luks_copies_equal(input, buffer_span(&again)));
}

void fuzz_one(struct span input)
{
	_cleanup_buffer_ struct buffer copy = { 0 };
	uint8_t digest[SHA256_BYTES];

	try_copy(input);
	FUZZ_CHECK(!cof_failed(buffer_add(&copy, input.data, input.len, NULL)));
	FUZZ_CHECK(!cof_failed(sha256(input, digest, NULL)));
	FUZZ_CHECK(!cof_failed(buffer_add(&copy, digest, sizeof(digest), NULL)));
	try_copy(buffer_span(&copy));
}
