/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sector ciphers, through OpenSSL: see sector.h.
 *
 * One context per direction keeps the key schedule; a sector costs one new IV and one update.
 * Making the schedule anew for each sector is what makes naive code several times slower, and even
 * a reset of the IV alone through EVP_CipherInit_ex2() takes an eighth of the time of a sector of
 * 4096 bytes. Where the library shows its working IV, the IV is therefore put there: see
 * lane_iv_find(), which proves before that this does the same.
 */

#include "sector.h"

#include <endian.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#define AES_BLOCK_BYTES 16	/* FIPS 197 */
#define ESSIV_KEY_BYTES 32	/* SHA-256: FIPS 180-4 */
#define IV_UNIT_BYTES 512	/* the unit in which dm-crypt counts sectors */
#define SECTOR_BYTES_MAX 4096	/* LUKS2 on-disk format 1.1.0, 3.3: sector_size */
#define BENBI_SHIFT 5		/* 512-byte units to 16-byte blocks: log2(512 / 16) */

/** struct lane - one direction */
struct lane {
	EVP_CIPHER_CTX *context;
	uint8_t *iv; /* the context's working IV, in its own memory; NULL: not to be had */
};

struct sector_cipher {
	struct sector_spec spec;
	struct lane encrypt;
	struct lane decrypt;
	EVP_CIPHER_CTX *essiv; /* NULL for other kinds of IV */
};

static void context_freep(EVP_CIPHER_CTX **context)
{
	EVP_CIPHER_CTX_free(*context);
}

static void cipher_freep(EVP_CIPHER **cipher)
{
	EVP_CIPHER_free(*cipher);
}

/* Reads the part of the mode after the dash. */
static cof_result iv_parse(const char *text, enum sector_iv *ret_iv, struct cof_error *err)
{
	static const struct {
		const char *text;
		enum sector_iv iv;
	} known[] = {
		{ "plain", SECTOR_IV_PLAIN },
		{ "plain64", SECTOR_IV_PLAIN64 },
		{ "essiv:sha256", SECTOR_IV_ESSIV_SHA256 },
		{ "benbi", SECTOR_IV_BENBI },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(text, known[i].text) == 0) {
			*ret_iv = known[i].iv;
			return COF_OK;
		}
	}
	FAIL(err, COF_E_UNSUPPORTED, "", "IV generator %s is not known here", text);
}

cof_result sector_spec_parse(const char *cipher, const char *mode, size_t key_bytes,
			     struct sector_spec *ret_spec, struct cof_error *err)
{
	struct sector_spec spec = { .key_bytes = key_bytes };
	bool xts = strncmp(mode, "xts-", 4) == 0;

	ENSURE(strcmp(cipher, "aes") == 0, err, COF_E_UNSUPPORTED, "",
	       "cipher %s is not known here", cipher);
	ENSURE(xts || strncmp(mode, "cbc-", 4) == 0, err, COF_E_UNSUPPORTED, "",
	       "mode %s is not known here", mode);
	spec.mode = xts ? SECTOR_XTS : SECTOR_CBC;
	TRY(iv_parse(mode + 4, &spec.iv, err));

	if (xts)
		ENSURE(key_bytes == 32 || key_bytes == 64, err, COF_E_UNSUPPORTED, "",
		       "an XTS key of %zu bytes is not known here", key_bytes);
	else
		ENSURE(key_bytes == 16 || key_bytes == 24 || key_bytes == 32, err,
		       COF_E_UNSUPPORTED, "", "a CBC key of %zu bytes is not known here",
		       key_bytes);

	*ret_spec = spec;
	return COF_OK;
}

/* OpenSSL's name of the cipher. */
static const char *cipher_name(const struct sector_spec *spec)
{
	if (spec->mode == SECTOR_XTS)
		return spec->key_bytes == 64 ? "AES-256-XTS" : "AES-128-XTS";
	if (spec->key_bytes == 32)
		return "AES-256-CBC";
	return spec->key_bytes == 24 ? "AES-192-CBC" : "AES-128-CBC";
}

/* A context with its key schedule made; @encrypt is 1 or 0. */
static cof_result context_new(const char *name, const uint8_t *key, int encrypt,
			      EVP_CIPHER_CTX **ret_context, struct cof_error *err)
{
	_cleanup_(context_freep) EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	_cleanup_(cipher_freep) EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);

	ENSURE(context, err, COF_E_NOMEM, name, "no memory for a cipher");
	ENSURE(cipher, err, COF_E_FAILED, name, "not offered by the crypto library");
	ENSURE(EVP_CipherInit_ex2(context, cipher, key, NULL, encrypt, NULL) == 1, err,
	       COF_E_FAILED, name, "the crypto library refused the key");
	/* Whole blocks go in and come out; with padding the last one would be held back. */
	ENSURE(EVP_CIPHER_CTX_set_padding(context, 0) == 1, err, COF_E_FAILED, name,
	       "padding cannot be switched off");

	*ret_context = TAKE(context);
	return COF_OK;
}

/* One sector, or what stands for one, with this IV. */
static cof_result lane_run(const struct lane *lane, const uint8_t iv[static AES_BLOCK_BYTES],
			   const uint8_t *in, uint8_t *out, size_t len, struct cof_error *err)
{
	int written = 0;

	if (lane->iv)
		memcpy(lane->iv, iv, AES_BLOCK_BYTES);
	else
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
static cof_result lane_iv_find(struct lane *lane, struct cof_error *err)
{
	uint8_t in[4 * AES_BLOCK_BYTES] = { 1, 2, 3 };
	uint8_t slow[sizeof(in)];
	uint8_t fast[sizeof(in)];
	uint8_t iv[AES_BLOCK_BYTES] = { 0 };
	void *place = NULL;
	OSSL_PARAM params[] = { OSSL_PARAM_construct_octet_ptr(OSSL_CIPHER_PARAM_UPDATED_IV,
							       &place, AES_BLOCK_BYTES),
				OSSL_PARAM_construct_end() };
	struct lane quick = { .context = lane->context };

	TRY(lane_run(lane, iv, in, slow, sizeof(in), err));
	if (EVP_CIPHER_CTX_get_params(lane->context, params) == 1 &&
	    params[0].return_size == AES_BLOCK_BYTES)
		quick.iv = place;
	for (uint8_t i = 1; quick.iv && i <= 4; i++) {
		memset(iv, i * 0x35, sizeof(iv));
		TRY(lane_run(lane, iv, in, slow, sizeof(in), err));
		/* Something else in between, so that the IV of the reset is not still there. */
		iv[0] ^= 0xff;
		TRY(lane_run(lane, iv, in, fast, sizeof(in), err));
		iv[0] ^= 0xff;
		TRY(lane_run(&quick, iv, in, fast, sizeof(in), err));
		if (memcmp(slow, fast, sizeof(in)) != 0)
			quick.iv = NULL;
	}

	lane->iv = quick.iv;
	return COF_OK;
}

/* ESSIV's own cipher: AES-256 under SHA-256 of the volume key. */
static cof_result essiv_new(const struct volume_key *key, EVP_CIPHER_CTX **ret_context,
			    struct cof_error *err)
{
	_cleanup_secret_ struct secret *salt = NULL;
	struct span bytes = volume_key_span(key);
	unsigned int len = 0;

	TRY(secret_new(ESSIV_KEY_BYTES, &salt, err));
	ENSURE(EVP_Digest(bytes.data, bytes.len, salt->data, &len, EVP_sha256(), NULL) == 1 &&
		       len == ESSIV_KEY_BYTES,
	       err, COF_E_FAILED, "SHA-256", "the crypto library could not compute it");
	TRY(context_new("AES-256-ECB", salt->data, 1, ret_context, err));

	return COF_OK;
}

cof_result sector_cipher_new(const struct sector_spec *spec, const struct volume_key *key,
			     struct sector_cipher **ret_cipher, struct cof_error *err)
{
	_cleanup_(sector_cipher_freep) struct sector_cipher *cipher = NULL;
	struct span bytes = volume_key_span(key);
	const char *name = cipher_name(spec);

	ENSURE(bytes.len == spec->key_bytes, err, COF_E_FORMAT, name,
	       "the key is %zu bytes, must be %zu", bytes.len, spec->key_bytes);
	if (spec->mode == SECTOR_XTS)
		/* FIPS 140 implementation guidance A.9: equal halves void XTS's proof. */
		ENSURE(!ct_equal(SPAN(bytes.data, bytes.len / 2),
				 SPAN(bytes.data + bytes.len / 2, bytes.len / 2)),
		       err, COF_E_FORMAT, name, "both halves of the key are the same");

	cipher = calloc(1, sizeof(*cipher));
	ENSURE(cipher, err, COF_E_NOMEM, name, "no memory for a cipher");
	cipher->spec = *spec;
	TRY(context_new(name, bytes.data, 1, &cipher->encrypt.context, err));
	TRY(lane_iv_find(&cipher->encrypt, err));
	TRY(context_new(name, bytes.data, 0, &cipher->decrypt.context, err));
	TRY(lane_iv_find(&cipher->decrypt, err));
	if (spec->iv == SECTOR_IV_ESSIV_SHA256)
		TRY(essiv_new(key, &cipher->essiv, err));

	*ret_cipher = TAKE(cipher);
	return COF_OK;
}

void sector_cipher_free(struct sector_cipher *cipher)
{
	if (!cipher)
		return;
	EVP_CIPHER_CTX_free(cipher->encrypt.context);
	EVP_CIPHER_CTX_free(cipher->decrypt.context);
	EVP_CIPHER_CTX_free(cipher->essiv);
	free(cipher);
}

/* The IV of the sector with this number, as dm-crypt makes it. */
static cof_result iv_make(const struct sector_cipher *cipher, uint64_t number,
			  uint8_t iv[static AES_BLOCK_BYTES], struct cof_error *err)
{
	uint64_t word = htole64(number);
	int written = 0;

	memset(iv, 0, AES_BLOCK_BYTES);
	switch (cipher->spec.iv) {
	case SECTOR_IV_PLAIN:
		word = htole64(number & UINT32_MAX);
		memcpy(iv, &word, sizeof(word));
		break;
	case SECTOR_IV_PLAIN64:
		memcpy(iv, &word, sizeof(word));
		break;
	case SECTOR_IV_ESSIV_SHA256:
		memcpy(iv, &word, sizeof(word));
		ENSURE(EVP_CipherUpdate(cipher->essiv, iv, &written, iv, AES_BLOCK_BYTES) == 1 &&
			       written == AES_BLOCK_BYTES,
		       err, COF_E_FAILED, "ESSIV", "the crypto library could not make an IV");
		break;
	case SECTOR_IV_BENBI:
		word = htobe64((number << BENBI_SHIFT) + 1);
		memcpy(iv + AES_BLOCK_BYTES - sizeof(word), &word, sizeof(word));
		break;
	}
	return COF_OK;
}

/* Whole sectors in the direction of @lane. */
static cof_result run(const struct sector_cipher *cipher, const struct lane *lane,
		      uint64_t first_iv, size_t sector_bytes, const uint8_t *in, uint8_t *out,
		      size_t len, struct cof_error *err)
{
	uint8_t iv[AES_BLOCK_BYTES];
	uint64_t number = first_iv;

	ENSURE(sector_bytes >= IV_UNIT_BYTES && sector_bytes <= SECTOR_BYTES_MAX &&
		       (sector_bytes & (sector_bytes - 1)) == 0,
	       err, COF_E_FAILED, "", "sectors of %zu bytes are not possible", sector_bytes);
	ENSURE(len % sector_bytes == 0, err, COF_E_FAILED, "",
	       "%zu bytes are not whole sectors of %zu", len, sector_bytes);

	for (size_t done = 0; done < len; done += sector_bytes) {
		TRY(iv_make(cipher, number, iv, err));
		TRY(lane_run(lane, iv, in + done, out + done, sector_bytes, err));
		number += sector_bytes / IV_UNIT_BYTES;
	}
	return COF_OK;
}

cof_result sector_cipher_encrypt(struct sector_cipher *cipher, uint64_t first_iv,
				 size_t sector_bytes, const uint8_t *in, uint8_t *out, size_t len,
				 struct cof_error *err)
{
	return run(cipher, &cipher->encrypt, first_iv, sector_bytes, in, out, len, err);
}

cof_result sector_cipher_decrypt(struct sector_cipher *cipher, uint64_t first_iv,
				 size_t sector_bytes, const uint8_t *in, uint8_t *out, size_t len,
				 struct cof_error *err)
{
	return run(cipher, &cipher->decrypt, first_iv, sector_bytes, in, out, len, err);
}
