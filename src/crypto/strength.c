/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "strength.h"

#define TEXT_(number) #number
#define TEXT(number)  TEXT_(number)

/* How many characters there are: bytes that do not continue one (RFC 3629, section 3). */
static size_t count_chars(struct span text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += (text.data[i] & 0xc0) != 0x80;
	return count;
}

/* How many different bytes there are, without a table of them, which would tell of the secret. */
static size_t count_kinds(struct span text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += i == 0 || !memchr(text.data, text.data[i], i);
	return count;
}

const char *passphrase_weakness(struct span passphrase)
{
	if (count_chars(passphrase) < PASSPHRASE_GOOD_CHARS)
		return "it has fewer than " TEXT(PASSPHRASE_GOOD_CHARS) " characters";
	if (count_kinds(passphrase) < PASSPHRASE_GOOD_KINDS)
		return "it has fewer than " TEXT(PASSPHRASE_GOOD_KINDS) " different characters";
	return NULL;
}
