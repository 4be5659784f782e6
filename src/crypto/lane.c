/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One direction of a mode, through OpenSSL or libgcrypt: see lane.h.
 *
 * OpenSSL: even a reset of the IV alone through EVP_CipherInit_ex2() takes an eighth of the time
 * of a sector of 4096 bytes. Where the library shows its working IV, the IV is therefore put
 * there: see iv_find(), which proves before that this does the same.
 *
 * libgcrypt: its XTS works on two blocks with one instruction (VAES) where the processor can,
 * which OpenSSL 3.0 does not. It is taken then, once it has given the same bytes as OpenSSL.
 */

#include "lane.h"

#include <pthread.h>
#include <string.h>

#include <gcrypt.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#define PROBE_BYTES (64 * LANE_IV_BYTES) /* more than any implementation takes at once */

struct lane {
	EVP_CIPHER_CTX *context;
	uint8_t *iv; /* the context's working IV, in its own memory; NULL: not to be had */
	gcry_cipher_hd_t gcrypt; /* NULL: OpenSSL computes */
	bool encrypt;
	bool has_iv; /* ECB has none */
};

static void cipher_freep(EVP_CIPHER **cipher)
{
	EVP_CIPHER_free(*cipher);
}

/* A context with its key schedule made. */
static cof_result openssl_new(const struct lane_spec *spec, struct span key, struct lane *lane,
			      struct cof_error *err)
{
	_cleanup_(cipher_freep) EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, spec->cipher, NULL);

	lane->context = EVP_CIPHER_CTX_new();
	ENSURE(lane->context, err, COF_E_NOMEM, spec->cipher, "no memory for a cipher");
	ENSURE(cipher && (size_t)EVP_CIPHER_get_key_length(cipher) == key.len, err, COF_E_FAILED,
	       spec->cipher, "not offered by the crypto library for a key of %zu bytes", key.len);
	ENSURE(EVP_CipherInit_ex2(lane->context, cipher, key.data, NULL, spec->encrypt, NULL) == 1,
	       err, COF_E_FAILED, spec->cipher, "the crypto library refused the key");
	/* Whole blocks go in and come out; with padding the last one would be held back. */
	ENSURE(EVP_CIPHER_CTX_set_padding(lane->context, 0) == 1, err, COF_E_FAILED, spec->cipher,
	       "padding cannot be switched off");
	return COF_OK;
}

static cof_result openssl_run(const struct lane *lane, const uint8_t iv[static LANE_IV_BYTES],
			      const uint8_t *in, uint8_t *out, size_t len, struct cof_error *err)
{
	int written = 0;

	if (lane->iv)
		memcpy(lane->iv, iv, LANE_IV_BYTES);
	else if (lane->has_iv)
		ENSURE(EVP_CipherInit_ex2(lane->context, NULL, NULL, iv, -1, NULL) == 1, err,
		       COF_E_FAILED, "", "the crypto library refused an IV");
	ENSURE(EVP_CipherUpdate(lane->context, out, &written, in, (int)len) == 1 &&
		       (size_t)written == len,
	       err, COF_E_FAILED, "", "the crypto library failed at a sector");

	return COF_OK;
}

/*
 * Where the context keeps its IV, as the parameter "updated-iv" tells (EVP_EncryptInit(3)). That a
 * value written there is the one used is not promised: it is tried, with several IVs and more than
 * one block, and the address is only used if it gives what a reset of the IV gives.
 */
static cof_result iv_find(struct lane *lane, struct cof_error *err)
{
	uint8_t in[4 * LANE_IV_BYTES] = { 1, 2, 3 };
	uint8_t slow[sizeof(in)];
	uint8_t fast[sizeof(in)];
	uint8_t iv[LANE_IV_BYTES] = { 0 };
	void *place = NULL;
	OSSL_PARAM params[] = { OSSL_PARAM_construct_octet_ptr(OSSL_CIPHER_PARAM_UPDATED_IV, &place,
							       LANE_IV_BYTES),
				OSSL_PARAM_construct_end() };
	struct lane quick = { .context = lane->context, .has_iv = true };

	TRY(openssl_run(lane, iv, in, slow, sizeof(in), err));
	if (EVP_CIPHER_CTX_get_params(lane->context, params) == 1 &&
	    params[0].return_size == LANE_IV_BYTES)
		quick.iv = place;
	for (uint8_t i = 1; quick.iv && i <= 4; i++) {
		memset(iv, i * 0x35, sizeof(iv));
		TRY(openssl_run(lane, iv, in, slow, sizeof(in), err));
		/* Something else in between, so that the IV of the reset is not still there. */
		iv[0] ^= 0xff;
		TRY(openssl_run(lane, iv, in, fast, sizeof(in), err));
		iv[0] ^= 0xff;
		TRY(openssl_run(&quick, iv, in, fast, sizeof(in), err));
		if (memcmp(slow, fast, sizeof(in)) != 0)
			quick.iv = NULL;
	}

	lane->iv = quick.iv;
	return COF_OK;
}

static bool gcrypt_has_vaes;

/* Its own locked pool is not wanted: secret_harden() locks all of the process. */
static void gcrypt_start(void)
{
	char *features = NULL;

	if (!gcry_check_version(GCRYPT_VERSION))
		return;
	if (!gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P)) {
		(void)gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
		(void)gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
	}
	features = gcry_get_config(0, "hwflist");
	gcrypt_has_vaes = features && strstr(features, ":intel-vaes-vpclmul:");
	gcry_free(features);
}

void lane_start_gcrypt(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, gcrypt_start);
}

/* Whether @spec shall be given to libgcrypt. */
static bool gcrypt_is_wanted(const struct lane_spec *spec)
{
	if (spec->library == LANE_OPENSSL || !strstr(spec->cipher, "-XTS"))
		return false;
	lane_start_gcrypt();
	return spec->library == LANE_GCRYPT || gcrypt_has_vaes;
}

static bool gcrypt_run(const struct lane *lane, const uint8_t iv[static LANE_IV_BYTES],
		       const uint8_t *in, uint8_t *out, size_t len)
{
	const void *from = in == out ? NULL : in;

	if (gcry_cipher_setiv(lane->gcrypt, iv, LANE_IV_BYTES) != 0)
		return false;
	return (lane->encrypt ? gcry_cipher_encrypt : gcry_cipher_decrypt)(
		       lane->gcrypt, out, len, from, from ? len : 0) == 0;
}

/* Whether it gives, with several IVs, what OpenSSL gives. */
static cof_result gcrypt_prove(struct lane *lane, bool *ret_same, struct cof_error *err)
{
	uint8_t in[PROBE_BYTES];
	uint8_t ours[PROBE_BYTES];
	uint8_t theirs[PROBE_BYTES];
	uint8_t iv[LANE_IV_BYTES];
	bool same = true;

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 7);
	for (uint8_t i = 0; same && i < 4; i++) {
		memset(iv, i * 0x35, sizeof(iv));
		TRY(openssl_run(lane, iv, in, ours, sizeof(in), err));
		same = gcrypt_run(lane, iv, in, theirs, sizeof(in)) &&
		       memcmp(ours, theirs, sizeof(in)) == 0;
	}

	*ret_same = same;
	return COF_OK;
}

/* Leaves lane->gcrypt NULL where the library cannot do it. */
static cof_result gcrypt_new(struct span key, struct lane *lane, struct cof_error *err)
{
	int algorithm = key.len == 64 ? GCRY_CIPHER_AES256 : GCRY_CIPHER_AES128;
	bool same = false;

	if (gcry_cipher_open(&lane->gcrypt, algorithm, GCRY_CIPHER_MODE_XTS, 0) != 0) {
		lane->gcrypt = NULL;
		return COF_OK;
	}
	if (gcry_cipher_setkey(lane->gcrypt, key.data, key.len) == 0)
		TRY(gcrypt_prove(lane, &same, err));
	if (!same) {
		gcry_cipher_close(lane->gcrypt);
		lane->gcrypt = NULL;
	}
	return COF_OK;
}

cof_result lane_new(const struct lane_spec *spec, struct span key, struct lane **ret_lane,
		    struct cof_error *err)
{
	_cleanup_(lane_freep) struct lane *lane = calloc(1, sizeof(*lane));

	ENSURE(lane, err, COF_E_NOMEM, spec->cipher, "no memory for a cipher");
	lane->encrypt = spec->encrypt;
	TRY(openssl_new(spec, key, lane, err));
	lane->has_iv = EVP_CIPHER_CTX_get_iv_length(lane->context) == LANE_IV_BYTES;
	if (lane->has_iv)
		TRY(iv_find(lane, err));
	if (gcrypt_is_wanted(spec))
		TRY(gcrypt_new(key, lane, err));
	ENSURE(spec->library != LANE_GCRYPT || lane->gcrypt, err, COF_E_FAILED, spec->cipher,
	       "not offered by libgcrypt");

	*ret_lane = TAKE(lane);
	return COF_OK;
}

void lane_free(struct lane *lane)
{
	if (!lane)
		return;
	gcry_cipher_close(lane->gcrypt);
	EVP_CIPHER_CTX_free(lane->context);
	free(lane);
}

enum lane_library lane_library(const struct lane *lane)
{
	return lane->gcrypt ? LANE_GCRYPT : LANE_OPENSSL;
}

cof_result lane_run(struct lane *lane, const uint8_t iv[static LANE_IV_BYTES], const uint8_t *in,
		    uint8_t *out, size_t len, struct cof_error *err)
{
	if (!lane->gcrypt)
		return openssl_run(lane, iv, in, out, len, err);
	ENSURE(gcrypt_run(lane, iv, in, out, len), err, COF_E_FAILED, "",
	       "the crypto library failed at a sector");
	return COF_OK;
}
