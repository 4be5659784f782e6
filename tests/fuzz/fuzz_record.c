/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stored values of the vault before and after they were opened. */

#include "fuzz.h"
#include "index.h"
#include "record.h"
#include "sealed.h"

/* A record's body that can be read is written back as it was. */
static void try_record(struct span input)
{
	_cleanup_(record_freep) struct record *record = NULL;
	_cleanup_secret_ struct secret *body = NULL;

	FUZZ_CHECK(!cof_failed(record_new("disk", "fuzz", &record, NULL)));
	if (cof_failed(record_decode(input, "fuzz", record, NULL)))
		return;
	FUZZ_CHECK(!cof_failed(record_encode(record, &body, NULL)));
}

/* The same for pages of the index. */
static void try_page(struct span input)
{
	_cleanup_(index_page_done) struct index_page page = { 0 };
	_cleanup_buffer_ struct buffer out = { 0 };

	if (cof_failed(index_page_decode(input, "fuzz", &page, NULL)))
		return;
	FUZZ_CHECK(!cof_failed(index_page_encode(&page, &out, NULL)));
	FUZZ_CHECK(out.len == input.len && memcmp(out.data, input.data, out.len) == 0);
}

void fuzz_one(struct span input)
{
	static struct manifest manifest;
	struct sealed_header header;
	struct span body;

	if (!cof_failed(sealed_parse(input, "fuzz", &header, &body, NULL)))
		FUZZ_CHECK(body.len <= input.len);
	cof_ignore(manifest_decode(input, "fuzz", &manifest, NULL)); /* any answer is fine */
	try_record(input);
	try_page(input);
}
