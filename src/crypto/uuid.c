/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "kdf.h"
#include "number.h"
#include "uuid.h"

cof_result uuid_random(char out[static UUID_CHARS + 1], struct cof_error *err)
{
	uint8_t bytes[16];
	char hex[2 * sizeof(bytes) + 1];

	TRY(random_bytes(bytes, sizeof(bytes), err));
	bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
	(void)hex_format(bytes, sizeof(bytes), hex);
	(void)snprintf(out, UUID_CHARS + 1, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
		       hex + 16, hex + 20);
	return COF_OK;
}
