/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stretch.h"

#include <gcrypt.h>
#include <openssl/evp.h>

#include "lane.h"

cof_result stretch_cost_check(const struct stretch_cost *cost, const char *subject,
			      struct cof_error *err)
{
	bool argon2 = cost->kind == STRETCH_ARGON2ID;

	ENSURE(argon2 || cost->kind == STRETCH_PBKDF2, err, COF_E_FORMAT, subject,
	       "unknown key derivation %d", (int)cost->kind);
	ENSURE(cost->passes >= 1 &&
		       cost->passes <= (argon2 ? STRETCH_PASSES_MAX : STRETCH_ITERATIONS_MAX),
	       err, COF_E_FORMAT, subject, "key derivation of %u rounds", cost->passes);
	ENSURE(argon2 ? cost->memory_kib >= 8 && cost->memory_kib <= STRETCH_MEMORY_MAX_KIB
		      : cost->memory_kib == 0,
	       err, COF_E_FORMAT, subject, "key derivation with %u KiB of memory",
	       cost->memory_kib);
	return COF_OK;
}

static void kdf_closep(gcry_kdf_hd_t *kdf)
{
	if (*kdf)
		gcry_kdf_close(*kdf);
}

/* Argon2id, RFC 9106, with one lane. */
static cof_result run_argon2(const struct stretch_cost *cost, struct span passphrase,
			     const uint8_t *salt, struct wrap_key *key, struct cof_error *err)
{
	_cleanup_(kdf_closep) gcry_kdf_hd_t kdf = NULL;
	const unsigned long params[] = { STRETCH_KEY_BYTES, cost->passes, cost->memory_kib, 1 };
	gcry_error_t status;

	lane_start_gcrypt();
	status = gcry_kdf_open(&kdf, GCRY_KDF_ARGON2, GCRY_KDF_ARGON2ID, params, 4, passphrase.data,
			       passphrase.len, salt, STRETCH_SALT_BYTES, NULL, 0, NULL, 0);
	ENSURE(gcry_err_code(status) != GPG_ERR_ENOMEM, err, COF_E_NOMEM, NULL,
	       "no memory for Argon2: it needs %u KiB", cost->memory_kib);
	ENSURE(!status && !gcry_kdf_compute(kdf, NULL) &&
		       !gcry_kdf_final(kdf, STRETCH_KEY_BYTES, key->secret.data),
	       err, COF_E_FAILED, NULL, "Argon2 does not work in this libgcrypt");
	return COF_OK;
}

cof_result stretch(const struct stretch_cost *cost, struct span passphrase,
		   const uint8_t salt[static STRETCH_SALT_BYTES], struct wrap_key **ret_key,
		   struct cof_error *err)
{
	_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;

	ENSURE(passphrase.len >= 1, err, COF_E_FORMAT, NULL, "nothing to derive a key from");
	TRY(stretch_cost_check(cost, NULL, err));
	TRY(wrap_key_new(STRETCH_KEY_BYTES, &key, err));
	if (cost->kind == STRETCH_ARGON2ID)
		TRY(run_argon2(cost, passphrase, salt, key, err));
	else
		ENSURE(PKCS5_PBKDF2_HMAC((const char *)passphrase.data, (int)passphrase.len, salt,
					 STRETCH_SALT_BYTES, (int)cost->passes, EVP_sha256(),
					 STRETCH_KEY_BYTES, key->secret.data) == 1,
		       err, COF_E_FAILED, NULL, "PBKDF2 does not work in this OpenSSL");

	*ret_key = TAKE(key);
	return COF_OK;
}
