/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines of mountinfo. */

#include "fuzz.h"
#include "mounts.h"

void fuzz_one(struct span input)
{
	_cleanup_free_ char *text = fuzz_text(input);
	struct mount_line line;

	if (mount_line_parse(text, &line))
		FUZZ_CHECK(memchr(line.folder, '\0', sizeof(line.folder)));
}
