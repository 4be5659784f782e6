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

/** sha256_append() - adds the digest of all that is in @out to it.
 * Fails: COF_E_NOMEM, COF_E_FAILED */
cof_result sha256_append(struct buffer *out, struct cof_error *err);

struct sha256_run;

/**
 * sha256_start() - a digest of what comes piece by piece; sha256_run_free()
 * sha256_add() appends a piece; sha256_now() gives the digest of all that came, and more may come.
 * Fail: COF_E_NOMEM, COF_E_FAILED (the library)
 */
cof_result sha256_start(struct sha256_run **ret_run, struct cof_error *err);
cof_result sha256_add(struct sha256_run *run, struct span data, struct cof_error *err);
cof_result sha256_now(const struct sha256_run *run, uint8_t out[static SHA256_BYTES],
		      struct cof_error *err);
void sha256_run_free(struct sha256_run *run);
DEFINE_FREEP(struct sha256_run, sha256_run_freep, sha256_run_free)

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
