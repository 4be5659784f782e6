/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "changer.h"
#include "mam.h"

/* The number before a colon at the beginning of a line; false where there is none. */
static bool take_slot(struct span *line, unsigned int *ret_slot)
{
	unsigned int slot = 0;
	size_t at = 0;

	for (; at < line->len && line->data[at] >= '0' && line->data[at] <= '9' && slot < 1u << 24;
	     at++)
		slot = slot * 10 + (line->data[at] - '0');
	if (at == 0 || at >= line->len || line->data[at] != ':')
		return false;
	*line = SPAN(line->data + at + 1, line->len - at - 1);
	*ret_slot = slot;
	return true;
}

bool changer_barcode(struct span list, unsigned int slot, char *out, size_t out_size_bytes)
{
	while (list.len > 0) {
		const uint8_t *end = memchr(list.data, '\n', list.len);
		size_t len = end ? (size_t)(end - list.data) : list.len;
		struct span line = SPAN(list.data, len);
		unsigned int here;

		list = SPAN(list.data + len + (end != NULL), list.len - len - (end != NULL));
		if (!take_slot(&line, &here) || here != slot || line.len == 0)
			continue;
		mam_text(line, out, out_size_bytes);
		if (out[0])
			return true;
	}
	return false;
}
