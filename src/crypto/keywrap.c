/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <openssl/evp.h>

#include "keywrap.h"

#define SEMIBLOCK_BYTES 8		  /* RFC 3394, section 2: the unit of wrapping */
#define KEY_MAX_BYTES	((size_t)8 << 20) /* as long as a key file may be */

DEFINE_FREEP(EVP_CIPHER_CTX, cipher_ctx_freep, EVP_CIPHER_CTX_free)

/* The library's cipher for a standard and a KEK length; NULL for a length that AES has not. */
static const EVP_CIPHER *wrap_cipher(enum keywrap_kind kind, size_t kek_bytes)
{
	bool padded = kind == KEYWRAP_RFC5649;

	switch (kek_bytes) {
	case 16:
		return padded ? EVP_aes_128_wrap_pad() : EVP_aes_128_wrap();
	case 24:
		return padded ? EVP_aes_192_wrap_pad() : EVP_aes_192_wrap();
	case 32:
		return padded ? EVP_aes_256_wrap_pad() : EVP_aes_256_wrap();
	default:
		return NULL;
	}
}

/* Whether a standard can wrap a key of @len bytes. */
static bool key_length_fits(enum keywrap_kind kind, size_t len)
{
	if (len > KEY_MAX_BYTES)
		return false;
	if (kind == KEYWRAP_RFC5649)
		return len >= 1;
	return len >= 2 * SEMIBLOCK_BYTES && len % SEMIBLOCK_BYTES == 0;
}

/* Whether a standard can have made @len bytes: the key in whole units, and one more. */
static bool wrapped_length_fits(enum keywrap_kind kind, size_t len)
{
	size_t least = (kind == KEYWRAP_RFC5649 ? 2 : 3) * SEMIBLOCK_BYTES;

	return len >= least && len <= KEY_MAX_BYTES + SEMIBLOCK_BYTES && len % SEMIBLOCK_BYTES == 0;
}

cof_result keywrap_wrap(enum keywrap_kind kind, struct span kek, struct span key,
			struct buffer *wrapped, struct cof_error *err)
{
	_cleanup_(cipher_ctx_freep) EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	const EVP_CIPHER *cipher = wrap_cipher(kind, kek.len);
	int done = 0;

	ENSURE(cipher, err, COF_E_FORMAT, NULL,
	       "key encryption key is %zu bytes, must be 16, 24 or 32", kek.len);
	ENSURE(key_length_fits(kind, key.len), err, COF_E_FORMAT, NULL,
	       "a key of %zu bytes cannot be wrapped, must be %s and at most %zu", key.len,
	       kind == KEYWRAP_RFC5649 ? "1 or more" : "16 or more, a multiple of 8,",
	       KEY_MAX_BYTES);
	/* Padding fills up a unit, and the check value is one more. */
	TRY(buffer_reserve(wrapped, key.len + 2 * SEMIBLOCK_BYTES, err));
	ENSURE(context, err, COF_E_NOMEM, NULL, "no memory for a cipher");
	EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	ENSURE(EVP_EncryptInit_ex2(context, cipher, kek.data, NULL, NULL) == 1 &&
		       EVP_EncryptUpdate(context, wrapped->data + wrapped->len, &done, key.data,
					 (int)key.len) == 1 &&
		       done > 0,
	       err, COF_E_FAILED, NULL, "AES key wrap does not work in this OpenSSL");
	wrapped->len += (size_t)done;
	return COF_OK;
}

cof_result keywrap_unwrap(enum keywrap_kind kind, struct span kek, struct span wrapped,
			  struct secret **ret_key, struct cof_error *err)
{
	_cleanup_(cipher_ctx_freep) EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	_cleanup_secret_ struct secret *key = NULL;
	const EVP_CIPHER *cipher = wrap_cipher(kind, kek.len);
	int done = 0;

	ENSURE(cipher, err, COF_E_FORMAT, NULL,
	       "key encryption key is %zu bytes, must be 16, 24 or 32", kek.len);
	ENSURE(wrapped_length_fits(kind, wrapped.len), err, COF_E_FORMAT, NULL,
	       "wrapped key is %zu bytes, must be a multiple of 8 and at least %d", wrapped.len,
	       kind == KEYWRAP_RFC5649 ? 2 * SEMIBLOCK_BYTES : 3 * SEMIBLOCK_BYTES);
	/* Room for the check value too: the library may use it before it knows the key's length. */
	TRY(secret_new(wrapped.len, &key, err));
	ENSURE(context, err, COF_E_NOMEM, NULL, "no memory for a cipher");
	EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	ENSURE(EVP_DecryptInit_ex2(context, cipher, kek.data, NULL, NULL) == 1, err, COF_E_FAILED,
	       NULL, "AES key wrap does not work in this OpenSSL");
	ENSURE(EVP_DecryptUpdate(context, key->data, &done, wrapped.data, (int)wrapped.len) == 1 &&
		       done > 0,
	       err, COF_E_KEY, NULL,
	       "wrapped key does not open: another key encryption key, or it was altered");
	secret_shrink(key, (size_t)done);

	*ret_key = TAKE(key);
	return COF_OK;
}
