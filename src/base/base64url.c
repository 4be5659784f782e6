/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base64url.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

cof_result base64url_decode(const char *text, const char *subject, struct buffer *out,
			    struct cof_error *err)
{
	unsigned int bits = 0;
	uint32_t held = 0;

	for (const char *at = text; *at; at++) {
		const char *found = strchr(alphabet, *at);

		ENSURE(found, err, COF_E_FORMAT, subject, "is not base64url");
		held = held << 6 | (uint32_t)(found - alphabet);
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		TRY(buffer_add_u8(out, (uint8_t)(held >> bits), err));
	}
	ENSURE(bits < 6 && (held & ((1u << bits) - 1)) == 0, err, COF_E_FORMAT, subject,
	       "is base64url that was cut off");
	return COF_OK;
}

char *base64url_format(const uint8_t *data, size_t len, char *out)
{
	unsigned int bits = 0;
	uint32_t held = 0;
	char *to = out;

	for (size_t i = 0; i < len; i++) {
		held = held << 8 | data[i];
		for (bits += 8; bits >= 6; bits -= 6)
			*to++ = alphabet[held >> (bits - 6) & 63];
	}
	if (bits > 0)
		*to++ = alphabet[held << (6 - bits) & 63];
	*to = '\0';
	return out;
}
