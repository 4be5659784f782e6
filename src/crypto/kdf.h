/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CRYPTO_KDF_H
#define COF_CRYPTO_KDF_H

/*
 * Hashes and key derivation: SHA-256 (FIPS 180-4), HMAC (RFC 2104), HKDF (RFC 5869).
 */

#include "secret.h"

#define SHA256_BYTES 32

/** sha256() - digest of @data. Fails: COF_E_FAILED (the library) */
cof_result sha256(struct span data, uint8_t out[static SHA256_BYTES], struct cof_error *err);

/** hmac_sha256() - keyed digest. Fails: COF_E_FAILED (the library) */
cof_result hmac_sha256(const struct wrap_key *key, struct span data,
		       uint8_t out[static SHA256_BYTES], struct cof_error *err);

/**
 * hkdf_sha256() - fill @out with a key derived from @input
 * @input: the input keying material, 1 byte or more; borrowed
 * @salt:  may be empty
 * @info:  what the key is for; at most 1024 bytes
 * @out:   1 to 255 * 32 bytes, already allocated
 *
 * RFC 5869, extract and expand. Fails: COF_E_FORMAT (lengths), COF_E_FAILED (the library)
 */
cof_result hkdf_sha256(struct span input, struct span salt, struct span info, struct secret *out,
		       struct cof_error *err);

/** random_bytes() - for nonces and ids, not for keys (secret_random()). Fails: COF_E_FAILED */
cof_result random_bytes(void *out, size_t len, struct cof_error *err);

#endif
