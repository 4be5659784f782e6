/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON: what was read can be written and read again; a disk's facts survive the same. */

#include "disk.h"
#include "fuzz.h"
#include "json.h"

/* A record's meta, once it is a disk, stays that disk. */
static void try_as_disk(const struct json *meta)
{
	_cleanup_json_ struct json *written = NULL;
	struct disk disk = { 0 };
	struct disk again = { 0 };

	if (cof_failed(disk_from_meta(meta, &disk, NULL)))
		return;
	written = disk_to_meta(&disk);
	FUZZ_CHECK(!cof_failed(disk_from_meta(written, &again, NULL)));
	/* json-c takes some overlong UTF-8, which becomes '?' when it is written: no texts here. */
	FUZZ_CHECK(disk.size_bytes == again.size_bytes && disk.ready == again.ready);
}

void fuzz_one(struct span input)
{
	_cleanup_json_ struct json *json = NULL;
	_cleanup_json_ struct json *again = NULL;
	_cleanup_free_ char *text = NULL;

	if (cof_failed(json_parse(input, "fuzz", &json, NULL)))
		return;
	text = json_format(json);
	FUZZ_CHECK(!cof_failed(json_parse(span_of_text(text), "fuzz", &again, NULL)));
	try_as_disk(json);
}
