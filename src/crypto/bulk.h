/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CRYPTO_BULK_H
#define COF_CRYPTO_BULK_H

/*
 * The same key for many messages: AES-256-GCM and HMAC-SHA-256 whose key schedule is made once.
 * aead.h and kdf.h are for single messages. One of these is for one thread at a time.
 */

#include "aead.h"
#include "kdf.h"

struct gcm;

/**
 * gcm_new() - one direction of AES-256-GCM (NIST SP 800-38D) under one key
 * @key:     32 bytes; borrowed, need not outlive the call
 * @encrypt: gcm_seal() will be called, else gcm_open()
 * Fails: COF_E_FORMAT (the key's length), COF_E_NOMEM, COF_E_FAILED (the library)
 */
cof_result gcm_new(const struct data_key *key, bool encrypt, struct gcm **ret_gcm,
		   struct cof_error *err);
/** gcm_free() - wipes the key schedule; NULL is fine */
void gcm_free(struct gcm *gcm);
DEFINE_FREEP(struct gcm, gcm_freep, gcm_free)

/**
 * gcm_seal() - encrypt and authenticate
 * @nonce:   never used twice with one key
 * @context: authenticated, not stored
 * @plain:   1 to AEAD_MAX_BYTES
 * @out:     receives @plain.len + AEAD_TAG_BYTES bytes; may be @plain's own memory
 * Fails: COF_E_FORMAT (lengths), COF_E_FAILED (the library)
 */
cof_result gcm_seal(struct gcm *gcm, const uint8_t nonce[static AEAD_NONCE_BYTES],
		    struct span context, struct span plain, uint8_t *out, struct cof_error *err);

/**
 * gcm_open() - check and decrypt what gcm_seal() made
 * @sealed:  ciphertext and tag, more than AEAD_TAG_BYTES
 * @out:     receives @sealed.len - AEAD_TAG_BYTES bytes, which count only on success
 * @subject: what the error names
 * Fails: COF_E_AUTH (altered, or another key, nonce or context), COF_E_FORMAT, COF_E_FAILED
 */
cof_result gcm_open(struct gcm *gcm, const uint8_t nonce[static AEAD_NONCE_BYTES],
		    struct span context, struct span sealed, uint8_t *out, const char *subject,
		    struct cof_error *err);

struct mac;

/** mac_new() - HMAC-SHA-256 (RFC 2104) under one key, which is borrowed for the call.
 * Fails: COF_E_NOMEM, COF_E_FAILED */
cof_result mac_new(const struct wrap_key *key, struct mac **ret_mac, struct cof_error *err);
/** mac_free() - wipes the key's state; NULL is fine */
void mac_free(struct mac *mac);
DEFINE_FREEP(struct mac, mac_freep, mac_free)
/** mac_run() - the digest of one message. Fails: COF_E_FAILED (the library) */
cof_result mac_run(struct mac *mac, struct span data, uint8_t out[static SHA256_BYTES],
		   struct cof_error *err);

#endif
