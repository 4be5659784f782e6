/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Superblocks: the input stands at each of the places where one may be, told by its first byte.
 */

#include "fs_extent.h"
#include "fuzz.h"

void fuzz_one(struct span input)
{
	static uint8_t head[FS_EXTENT_HEAD_BYTES];
	static const size_t places[] = { 0, 1024, 64u << 10 };
	struct fs_extent extent;
	size_t at;
	size_t len;

	if (input.len == 0)
		return;
	at = places[input.data[0] % 3];
	len = input.len - 1 < sizeof(head) - at ? input.len - 1 : sizeof(head) - at;
	memset(head, 0, sizeof(head));
	memcpy(head + at, input.data + 1, len);
	extent = fs_extent_parse(SPAN(head, sizeof(head)));
	if (extent.kind == FS_NONE)
		return;
	FUZZ_CHECK(extent.end_bytes > 0 && extent.block_bytes >= 512);
	FUZZ_CHECK(extent.block_bytes <= 65536 && fs_kind_word(extent.kind)[0]);
}
