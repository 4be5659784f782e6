/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base64.h"

/* What range a number is in is asked with masks, for a table or a branch would tell it by its time:
 * ((limit - number) >> 8) is all ones for a number beyond the limit, else 0. */
static uint8_t symbol_of(int value)
{
	int offset = 'A';

	offset += ((25 - value) >> 8) & ('a' - 26 - 'A');
	offset += ((51 - value) >> 8) & ('0' - 52 - ('a' - 26));
	offset += ((61 - value) >> 8) & ('+' - 62 - ('0' - 52));
	offset += ((62 - value) >> 8) & ('/' - 63 - ('+' - 62));
	return (uint8_t)(value + offset);
}

/* All ones where @from <= @c <= @to, else 0. */
static int between(int c, int from, int to)
{
	return (from - 1 - c) >> 8 & (c - to - 1) >> 8;
}

/* The number that a character stands for, -1 for none. */
static int value_of(int c)
{
	int value = -1;

	value += between(c, 'A', 'Z') & (c - 'A' + 1);
	value += between(c, 'a', 'z') & (c - 'a' + 26 + 1);
	value += between(c, '0', '9') & (c - '0' + 52 + 1);
	value += between(c, '+', '+') & (62 + 1);
	value += between(c, '/', '/') & (63 + 1);
	return value;
}

cof_result base64_encode(struct span bytes, struct secret **ret_text, struct cof_error *err)
{
	_cleanup_secret_ struct secret *text = NULL;
	unsigned int bits = 0;
	uint32_t held = 0;
	size_t at = 0;

	ENSURE(bytes.len > 0, err, COF_E_FORMAT, NULL, "nothing to encode");
	TRY(secret_new((bytes.len * 4 + 2) / 3, &text, err));
	for (size_t i = 0; i < bytes.len; i++) {
		held = held << 8 | bytes.data[i];
		for (bits += 8; bits >= 6; bits -= 6)
			text->data[at++] = symbol_of((int)(held >> (bits - 6) & 63));
	}
	if (bits > 0)
		text->data[at++] = symbol_of((int)(held << (6 - bits) & 63));

	*ret_text = TAKE(text);
	return COF_OK;
}

/* How many characters there are before the padding, a blank or the end. */
static size_t text_length(struct span text)
{
	size_t len = 0;

	while (len < text.len && text.data[len] > ' ' && text.data[len] != '=')
		len++;
	return len;
}

cof_result base64_decode(struct span text, struct secret **ret_bytes, struct cof_error *err)
{
	_cleanup_secret_ struct secret *bytes = NULL;
	size_t len = text_length(text);
	unsigned int bits = 0;
	uint32_t held = 0;
	size_t at = 0;
	int wrong = 0;

	ENSURE(len > 1 && len % 4 != 1, err, COF_E_FORMAT, NULL,
	       "base64 of %zu characters, which is no whole number of bytes", len);
	TRY(secret_new(len * 3 / 4, &bytes, err));
	for (size_t i = 0; i < len; i++) {
		int value = value_of(text.data[i]);

		wrong |= value;
		held = held << 6 | (uint32_t)(value & 63);
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		bytes->data[at++] = (uint8_t)(held >> bits);
	}
	ENSURE(wrong >= 0, err, COF_E_FORMAT, NULL, "has characters that are not base64");
	ENSURE((held & ((1u << bits) - 1)) == 0, err, COF_E_FORMAT, NULL,
	       "base64 that was cut off or altered at its end");

	*ret_bytes = TAKE(bytes);
	return COF_OK;
}
