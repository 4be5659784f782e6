/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include <openssl/evp.h>

#include "aead.h"

DEFINE_FREEP(EVP_CIPHER_CTX, cipher_ctx_freep, EVP_CIPHER_CTX_free)

/* Checks what both directions need: the key's length, and lengths that the library's int holds. */
static cof_result check_lengths(const struct wrap_key *key, struct span context, struct span text,
				const char *subject, struct cof_error *err)
{
	ENSURE(key->secret.len == AEAD_KEY_BYTES, err, COF_E_FORMAT, subject,
	       "sealing key is %zu bytes, must be %d", key->secret.len, AEAD_KEY_BYTES);
	ENSURE(context.len <= AEAD_MAX_BYTES && text.len <= AEAD_MAX_BYTES, err, COF_E_FORMAT,
	       subject, "%zu bytes with a context of %zu to seal or open, each must be at most %u",
	       text.len, context.len, AEAD_MAX_BYTES);
	return COF_OK;
}

cof_result aead_seal(const struct wrap_key *key, const uint8_t nonce[static AEAD_NONCE_BYTES],
		     struct span context, struct span plain, struct buffer *sealed,
		     struct cof_error *err)
{
	_cleanup_(cipher_ctx_freep) EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	uint8_t *out;
	int done;

	TRY(check_lengths(key, context, plain, NULL, err));
	TRY(buffer_reserve(sealed, plain.len + AEAD_TAG_BYTES, err));
	out = sealed->data + sealed->len;
	ENSURE(cipher &&
		       EVP_EncryptInit_ex2(cipher, EVP_aes_256_gcm(), key->secret.data, nonce,
					   NULL) == 1 &&
		       EVP_EncryptUpdate(cipher, NULL, &done, context.data, (int)context.len) ==
			       1 &&
		       EVP_EncryptUpdate(cipher, out, &done, plain.data, (int)plain.len) == 1 &&
		       EVP_EncryptFinal_ex(cipher, out + plain.len, &done) == 1 &&
		       EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_BYTES,
					   out + plain.len) == 1,
	       err, COF_E_FAILED, NULL, "AES-256-GCM does not work in this OpenSSL");
	sealed->len += plain.len + AEAD_TAG_BYTES;
	return COF_OK;
}

cof_result aead_open(const struct wrap_key *key, const uint8_t nonce[static AEAD_NONCE_BYTES],
		     struct span context, struct span sealed, const char *subject,
		     struct secret **ret_plain, struct cof_error *err)
{
	_cleanup_(cipher_ctx_freep) EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	_cleanup_secret_ struct secret *plain = NULL;
	uint8_t tag[AEAD_TAG_BYTES];
	int done;

	TRY(check_lengths(key, context, sealed, subject, err));
	ENSURE(sealed.len > AEAD_TAG_BYTES, err, COF_E_FORMAT, subject,
	       "sealed data is %zu bytes, must be more than %d", sealed.len, AEAD_TAG_BYTES);
	TRY(secret_new(sealed.len - AEAD_TAG_BYTES, &plain, err));
	memcpy(tag, sealed.data + plain->len, AEAD_TAG_BYTES);
	ENSURE(cipher &&
		       EVP_DecryptInit_ex2(cipher, EVP_aes_256_gcm(), key->secret.data, nonce,
					   NULL) == 1 &&
		       EVP_DecryptUpdate(cipher, NULL, &done, context.data, (int)context.len) ==
			       1 &&
		       EVP_DecryptUpdate(cipher, plain->data, &done, sealed.data,
					 (int)plain->len) == 1 &&
		       EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_BYTES, tag) == 1,
	       err, COF_E_FAILED, subject, "AES-256-GCM does not work in this OpenSSL");
	ENSURE(EVP_DecryptFinal_ex(cipher, tag, &done) == 1, err, COF_E_AUTH, subject,
	       "does not open: it was altered, or sealed with another key or for another place");

	*ret_plain = TAKE(plain);
	return COF_OK;
}
