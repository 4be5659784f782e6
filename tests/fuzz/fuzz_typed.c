/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What people type: sizes, durations, names of volumes. */

#include "device.h"
#include "fuzz.h"
#include "number.h"

void fuzz_one(struct span input)
{
	_cleanup_free_ char *text = fuzz_text(input);
	_cleanup_free_ char *name = NULL;
	uint64_t number;

	cof_ignore(size_parse(text, &number, NULL)); /* any answer is fine */
	cof_ignore(duration_parse(text, &number, NULL));
	if (!cof_failed(volume_name_make(text, "0123abcd", &name, NULL)))
		FUZZ_CHECK(!cof_failed(volume_name_check(name, NULL)));
}
