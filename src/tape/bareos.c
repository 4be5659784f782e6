/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "bareos.h"
#include "base64.h"
#include "keywrap.h"

/* The characters that Bareos takes, in its order. */
static const char alphabet[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			       "!@#$%^&*()-_=+|[]{};:,.<>?/~";

#define ALPHABET_CHARS (sizeof(alphabet) - 1)
#define BYTES_TO_TRY   256 /* of which two thirds can be used */

cof_result bareos_generate(struct bareos_passphrase **ret_passphrase, struct cof_error *err)
{
	_cleanup_(bareos_passphrase_freep) struct bareos_passphrase *passphrase = NULL;
	/* The largest multiple: a byte beyond it would favour the first characters. */
	const uint8_t limit = (uint8_t)(256 / ALPHABET_CHARS * ALPHABET_CHARS);
	size_t count = 0;

	TRY(bareos_passphrase_new(BAREOS_PASSPHRASE_CHARS, &passphrase, err));
	while (count < BAREOS_PASSPHRASE_CHARS) {
		_cleanup_secret_ struct secret *random = NULL;

		TRY(secret_random(BYTES_TO_TRY, &random, err));
		for (size_t i = 0; i < random->len && count < BAREOS_PASSPHRASE_CHARS; i++)
			if (random->data[i] < limit)
				passphrase->secret.data[count++] =
					(uint8_t)alphabet[random->data[i] % ALPHABET_CHARS];
	}

	*ret_passphrase = TAKE(passphrase);
	return COF_OK;
}

/* What Bareos uses of a KEK. */
static cof_result shorten_kek(struct span *kek, struct cof_error *err)
{
	ENSURE(kek->len >= BAREOS_KEK_BYTES, err, COF_E_USAGE, "key encryption key",
	       "has %zu characters, Bareos uses the first %d", kek->len, BAREOS_KEK_BYTES);
	kek->len = BAREOS_KEK_BYTES;
	return COF_OK;
}

cof_result bareos_wrap(struct span kek, const struct bareos_passphrase *passphrase,
		       struct secret **ret_text, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer wrapped = { 0 };
	struct span clear = bareos_passphrase_span(passphrase);

	TRY(shorten_kek(&kek, err));
	ENSURE(clear.len == BAREOS_PASSPHRASE_CHARS, err, COF_E_USAGE, "passphrase",
	       "has %zu characters, Bareos has %d", clear.len, BAREOS_PASSPHRASE_CHARS);
	TRY(keywrap_wrap(KEYWRAP_RFC3394, kek, clear, &wrapped, err));
	return base64_encode(buffer_span(&wrapped), ret_text, err);
}

cof_result bareos_unwrap(struct span kek, struct span text,
			 struct bareos_passphrase **ret_passphrase, struct cof_error *err)
{
	_cleanup_secret_ struct secret *bytes = NULL;
	_cleanup_secret_ struct secret *clear = NULL;

	if (kek.len)
		TRY(shorten_kek(&kek, err));
	TRY(base64_decode(text, &bytes, err));
	/* Padding that was put behind decodes to bytes that mean nothing. */
	if (bytes->len >= BAREOS_WRAPPED_BYTES && kek.len) {
		TRY(keywrap_unwrap(KEYWRAP_RFC3394, kek, SPAN(bytes->data, BAREOS_WRAPPED_BYTES),
				   &clear, err));
		return bareos_passphrase_copy(secret_span(clear), ret_passphrase, err);
	}
	ENSURE(bytes->len == BAREOS_PASSPHRASE_CHARS || bytes->len == BAREOS_WRAPPED_BYTES, err,
	       COF_E_FORMAT, "key", "has %zu bytes; a wrapped one has %d, a clear one %d",
	       bytes->len, BAREOS_WRAPPED_BYTES, BAREOS_PASSPHRASE_CHARS);
	ENSURE(bytes->len == BAREOS_PASSPHRASE_CHARS, err, COF_E_USAGE, "key",
	       "is wrapped, and no key encryption key is given");
	ENSURE(!kek.len, err, COF_E_USAGE, "key", "is not wrapped: no key encryption key opens it");
	return bareos_passphrase_copy(secret_span(bytes), ret_passphrase, err);
}

cof_result bareos_drive_key(const struct bareos_passphrase *passphrase, struct tape_key **ret_key,
			    struct cof_error *err)
{
	struct span clear = bareos_passphrase_span(passphrase);

	ENSURE(clear.len == BAREOS_PASSPHRASE_CHARS, err, COF_E_FORMAT, "passphrase",
	       "has %zu characters, Bareos has %d", clear.len, BAREOS_PASSPHRASE_CHARS);
	TRY(tape_key_copy(clear, ret_key, err));
	/* Bareos copies the passphrase as a text into 32 bytes, so that its end takes the last. */
	(*ret_key)->secret.data[TAPE_KEY_BYTES - 1] = 0;
	return COF_OK;
}
