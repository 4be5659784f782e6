/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CRYPTO_STRETCH_H
#define COF_CRYPTO_STRETCH_H

/*
 * From a passphrase to a key, at a cost: Argon2id (RFC 9106, through libgcrypt) or PBKDF2 with
 * HMAC-SHA-256 (RFC 8018, through OpenSSL). For what has no LUKS header to do it.
 */

#include "secret.h"

#define STRETCH_SALT_BYTES     16	  /* RFC 9106, section 3.1, recommends 16 */
#define STRETCH_MEMORY_MAX_KIB (1u << 20) /* our own bound on what a file may ask for */
#define STRETCH_PASSES_MAX     64	  /* the same, of Argon2id */
#define STRETCH_ITERATIONS_MAX (1u << 26) /* the same, of PBKDF2 */
#define STRETCH_KEY_BYTES      32

/** enum stretch_kind - which function; the values are those of doc/format-store.md */
enum stretch_kind { STRETCH_ARGON2ID = 1, STRETCH_PBKDF2 = 2 };

/**
 * struct stretch_cost - how dear a guess is
 * @passes:     of Argon2id, 1 or more; iterations of PBKDF2
 * @memory_kib: of Argon2id, 8 or more; 0 for PBKDF2
 */
struct stretch_cost {
	enum stretch_kind kind;
	uint32_t passes;
	uint32_t memory_kib;
};

/** stretch_cost_check() - whether a cost from a file is within the bounds.
 * Fails: COF_E_FORMAT */
cof_result stretch_cost_check(const struct stretch_cost *cost, const char *subject,
			      struct cof_error *err);

/**
 * stretch() - the key of a passphrase
 * @passphrase: 1 byte or more, any bytes
 * Takes as long and as much memory as @cost says, in one lane. Fails: COF_E_FORMAT (the cost),
 * COF_E_NOMEM, COF_E_FAILED (the library)
 */
cof_result stretch(const struct stretch_cost *cost, struct span passphrase,
		   const uint8_t salt[static STRETCH_SALT_BYTES], struct wrap_key **ret_key,
		   struct cof_error *err);

#endif
