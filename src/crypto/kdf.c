/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "kdf.h"

#define HKDF_INFO_MAX_BYTES 1024		 /* the library's own limit */
#define HKDF_OUT_MAX_BYTES  (255 * SHA256_BYTES) /* RFC 5869, section 2.3 */

DEFINE_FREEP(EVP_KDF, kdf_freep, EVP_KDF_free)
DEFINE_FREEP(EVP_KDF_CTX, kdf_ctx_freep, EVP_KDF_CTX_free)
DEFINE_FREEP(EVP_MD_CTX, digest_freep, EVP_MD_CTX_free)

/* The library's own context is all there is to it. */
struct sha256_run {
	EVP_MD_CTX *context;
};

cof_result sha256(struct span data, uint8_t out[static SHA256_BYTES], struct cof_error *err)
{
	ENSURE(EVP_Digest(data.data, data.len, out, NULL, EVP_sha256(), NULL) == 1, err,
	       COF_E_FAILED, NULL, "SHA-256 does not work in this OpenSSL");
	return COF_OK;
}

cof_result sha256_append(struct buffer *out, struct cof_error *err)
{
	uint8_t digest[SHA256_BYTES];

	TRY(sha256(buffer_span(out), digest, err));
	return buffer_add(out, digest, sizeof(digest), err);
}

void sha256_run_free(struct sha256_run *run)
{
	if (!run)
		return;
	EVP_MD_CTX_free(run->context);
	free(run);
}

cof_result sha256_start(struct sha256_run **ret_run, struct cof_error *err)
{
	_cleanup_(sha256_run_freep) struct sha256_run *run = calloc(1, sizeof(*run));

	ENSURE(run, err, COF_E_NOMEM, NULL, "no memory for a digest");
	run->context = EVP_MD_CTX_new();
	ENSURE(run->context && EVP_DigestInit_ex(run->context, EVP_sha256(), NULL) == 1, err,
	       COF_E_FAILED, NULL, "SHA-256 does not work in this OpenSSL");
	*ret_run = TAKE(run);
	return COF_OK;
}

cof_result sha256_add(struct sha256_run *run, struct span data, struct cof_error *err)
{
	ENSURE(EVP_DigestUpdate(run->context, data.data, data.len) == 1, err, COF_E_FAILED, NULL,
	       "SHA-256 does not work in this OpenSSL");
	return COF_OK;
}

cof_result sha256_now(const struct sha256_run *run, uint8_t out[static SHA256_BYTES],
		      struct cof_error *err)
{
	_cleanup_(digest_freep) EVP_MD_CTX *copy = EVP_MD_CTX_new();

	ENSURE(copy && EVP_MD_CTX_copy_ex(copy, run->context) == 1 &&
		       EVP_DigestFinal_ex(copy, out, NULL) == 1,
	       err, COF_E_FAILED, NULL, "SHA-256 does not work in this OpenSSL");
	return COF_OK;
}

cof_result hmac_sha256(const struct wrap_key *key, struct span data,
		       uint8_t out[static SHA256_BYTES], struct cof_error *err)
{
	/* A secret is at most 64 MiB, so its length is an int. */
	ENSURE(HMAC(EVP_sha256(), key->secret.data, (int)key->secret.len, data.data, data.len, out,
		    NULL),
	       err, COF_E_FAILED, NULL, "HMAC-SHA-256 does not work in this OpenSSL");
	return COF_OK;
}

/* A parameter of raw bytes; the library only reads them, though its type cannot say so. */
static OSSL_PARAM bytes_param(const char *name, struct span bytes)
{
	return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)bytes.data, bytes.len);
}

cof_result hkdf_sha256(struct span input, struct span salt, struct span info, struct secret *out,
		       struct cof_error *err)
{
	_cleanup_(kdf_freep) EVP_KDF *kdf = NULL;
	_cleanup_(kdf_ctx_freep) EVP_KDF_CTX *context = NULL;
	char digest[] = "SHA256";
	OSSL_PARAM params[5];
	OSSL_PARAM *next = params;

	ENSURE(input.len >= 1, err, COF_E_FORMAT, NULL, "nothing to derive a key from");
	ENSURE(info.len <= HKDF_INFO_MAX_BYTES, err, COF_E_FORMAT, NULL,
	       "purpose of a key is %zu bytes, must be at most %d", info.len, HKDF_INFO_MAX_BYTES);
	ENSURE(out->len >= 1 && out->len <= HKDF_OUT_MAX_BYTES, err, COF_E_FORMAT, NULL,
	       "derived key is %zu bytes, must be 1 to %d", out->len, HKDF_OUT_MAX_BYTES);
	*next++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
	*next++ = bytes_param(OSSL_KDF_PARAM_KEY, input);
	/* Left out when empty: the library refuses a parameter that points nowhere. */
	if (salt.len)
		*next++ = bytes_param(OSSL_KDF_PARAM_SALT, salt);
	if (info.len)
		*next++ = bytes_param(OSSL_KDF_PARAM_INFO, info);
	*next = OSSL_PARAM_construct_end();
	kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL);
	context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	ENSURE(context && EVP_KDF_derive(context, out->data, out->len, params) == 1, err,
	       COF_E_FAILED, NULL, "HKDF-SHA-256 does not work in this OpenSSL");
	return COF_OK;
}

cof_result random_bytes(void *out, size_t len, struct cof_error *err)
{
	uint8_t *at = out;

	while (len > 0) {
		ssize_t got = getrandom(at, len, 0);

		if (got < 0 && errno == EINTR)
			continue;
		ENSURE(got > 0, err, COF_E_FAILED, NULL, "the kernel gives no random bytes: %s",
		       strerror(errno));
		at += got;
		len -= (size_t)got;
	}
	return COF_OK;
}
