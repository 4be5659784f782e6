/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mapping.h"

#include <linux/dm-ioctl.h>
#include <string.h>

#define UUID_DIGITS 32

void mapping_uuid_parse(const char *mapping_uuid, char out[static LUKS_UUID_CHARS + 1])
{
	static const char hex_digits[] = "0123456789abcdef";
	const char *digits;
	char *at = out;

	out[0] = '\0';
	if (strncmp(mapping_uuid, "CRYPT-LUKS1-", 12) != 0 &&
	    strncmp(mapping_uuid, "CRYPT-LUKS2-", 12) != 0)
		return;
	digits = mapping_uuid + 12;
	if (strspn(digits, hex_digits) != UUID_DIGITS || digits[UUID_DIGITS] != '-')
		return;
	for (int i = 0; i < UUID_DIGITS; i++) {
		if (i == 8 || i == 12 || i == 16 || i == 20)
			*at++ = '-';
		*at++ = digits[i];
	}
	*at = '\0';
}

bool mapping_target_listed(struct span list, const char *target)
{
	struct dm_target_versions head;
	size_t at = 0;

	while (list.len - at >= sizeof(head)) {
		const char *name = (const char *)list.data + at + sizeof(head);
		size_t room = list.len - at - sizeof(head);

		memcpy(&head, list.data + at, sizeof(head));
		if (strnlen(name, room) < room && strcmp(name, target) == 0)
			return true;
		if (head.next < sizeof(head) || head.next > list.len - at)
			return false;
		at += head.next;
	}
	return false;
}
