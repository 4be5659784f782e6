/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Metadata of a re-encryption: what is taken for one that has done all data has metadata afterwards
 * that can be read, and are not taken for one again.
 */

#include "fuzz.h"
#include "metadata.h"
#include "reencrypt_end.h"

void fuzz_one(struct span input)
{
	_cleanup_(reencrypt_end_done) struct reencrypt_end end = { 0 };
	_cleanup_(reencrypt_end_done) struct reencrypt_end again = { 0 };

	if (cof_failed(reencrypt_end_parse(input, "header", &end, NULL)))
		return;
	FUZZ_CHECK(end.done == (end.json != NULL));
	if (!end.done)
		return;
	FUZZ_CHECK(!cof_failed(reencrypt_end_parse(span_of_text(end.json), "end", &again, NULL)));
	FUZZ_CHECK(!again.done);
}
