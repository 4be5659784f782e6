/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What coffer makes and names by itself among the secrets of services.
 */

#include <stdio.h>
#include <string.h>

#include "secret_store.h"

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			       "!\"#$%&()*+,-./:;<=>?@[]^_`{|}~";

#define ALPHABET_CHARS (sizeof(alphabet) - 1)
/* Bytes from here on would make some characters likelier than others. */
#define FAIR_BELOW (256 - 256 % ALPHABET_CHARS)

_Static_assert(ALPHABET_CHARS == 92, "letters, digits, and punctuation but two");

cof_result secret_make_passphrase(struct slot_secret **ret_passphrase, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *made = NULL;
	size_t len = 0;

	TRY(slot_secret_new(SECRET_MANAGED_CHARS, &made, err));
	while (len < SECRET_MANAGED_CHARS) {
		_cleanup_secret_ struct secret *random = NULL;

		TRY(secret_random(2 * SECRET_MANAGED_CHARS, &random, err));
		for (size_t i = 0; i < random->len && len < SECRET_MANAGED_CHARS; i++)
			if (random->data[i] < FAIR_BELOW)
				made->secret.data[len++] =
					(uint8_t)alphabet[random->data[i] % ALPHABET_CHARS];
	}
	*ret_passphrase = TAKE(made);
	return COF_OK;
}

char *secret_key_of_resource(const char *rid, char out[static SECRET_KEY_CHARS])
{
	(void)snprintf(out, SECRET_KEY_CHARS, "%.63s_crypt_passphrase", rid);
	for (char *c = out; *c; c++)
		if (*c == '#')
			*c = '_';
	return out;
}
