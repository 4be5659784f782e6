/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CRYPTO_AEAD_H
#define COF_CRYPTO_AEAD_H

/*
 * Sealing: AES-256-GCM, NIST SP 800-38D, with a 96-bit nonce and a 128-bit tag.
 */

#include "secret.h"

#define AEAD_KEY_BYTES 32
#define AEAD_NONCE_BYTES 12 /* SP 800-38D, 8.2.2: random nonces */
#define AEAD_TAG_BYTES 16
#define AEAD_MAX_BYTES (1u << 30) /* text or context; below the library's limit of an int */

/**
 * aead_seal() - encrypt and authenticate
 * @key:    32 bytes; borrowed
 * @nonce:  AEAD_NONCE_BYTES; never used twice with one key
 * @context: authenticated, not stored; borrowed
 * @plain:  at most AEAD_MAX_BYTES; borrowed
 * @sealed: ciphertext and tag are appended
 *
 * Fails: COF_E_FORMAT (key or data of a wrong length), COF_E_NOMEM, COF_E_FAILED (the library)
 */
cof_result aead_seal(const struct wrap_key *key, const uint8_t nonce[static AEAD_NONCE_BYTES],
		     struct span context, struct span plain, struct buffer *sealed,
		     struct cof_error *err);

/**
 * aead_open() - check and decrypt what aead_seal() made
 * @sealed:    ciphertext and tag
 * @subject:   what the error names
 * @ret_plain: caller owns; a secret has at least one byte, so an empty plaintext is COF_E_FORMAT
 *
 * Fails: COF_E_AUTH (altered, or another key, nonce or context), COF_E_FORMAT (key or data of a
 * wrong length), COF_E_NOMEM, COF_E_FAILED (the library)
 */
cof_result aead_open(const struct wrap_key *key, const uint8_t nonce[static AEAD_NONCE_BYTES],
		     struct span context, struct span sealed, const char *subject,
		     struct secret **ret_plain, struct cof_error *err);

#endif
