/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sector ciphers: see sector.h. One lane per direction keeps the key schedule; a sector costs one
 * new IV and one call. Making the schedule anew for each sector is what makes naive code several
 * times slower.
 */

#include "sector.h"

#include <endian.h>
#include <string.h>

#include <openssl/evp.h>

#include "lane.h"

#define ESSIV_KEY_BYTES	 32   /* SHA-256: FIPS 180-4 */
#define IV_UNIT_BYTES	 512  /* the unit in which dm-crypt counts sectors */
#define SECTOR_BYTES_MAX 4096 /* LUKS2 on-disk format 1.1.0, 3.3: sector_size */
#define BENBI_SHIFT	 5    /* 512-byte units to 16-byte blocks: log2(512 / 16) */

struct sector_cipher {
	struct sector_spec spec;
	struct lane *encrypt;
	struct lane *decrypt;
	struct lane *essiv; /* NULL for other kinds of IV */
};

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

/* ESSIV's own cipher: AES-256 under SHA-256 of the volume key. */
static cof_result essiv_new(const struct volume_key *key, struct lane **ret_lane,
			    struct cof_error *err)
{
	_cleanup_secret_ struct secret *salt = NULL;
	struct span bytes = volume_key_span(key);
	unsigned int len = 0;

	TRY(secret_new(ESSIV_KEY_BYTES, &salt, err));
	ENSURE(EVP_Digest(bytes.data, bytes.len, salt->data, &len, EVP_sha256(), NULL) == 1 &&
		       len == ESSIV_KEY_BYTES,
	       err, COF_E_FAILED, "SHA-256", "the crypto library could not compute it");
	TRY(lane_new(&(struct lane_spec){ .cipher = "AES-256-ECB", .encrypt = true },
		     SPAN(salt->data, salt->len), ret_lane, err));

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
	TRY(lane_new(&(struct lane_spec){ .cipher = name, .encrypt = true }, bytes,
		     &cipher->encrypt, err));
	TRY(lane_new(&(struct lane_spec){ .cipher = name }, bytes, &cipher->decrypt, err));
	if (spec->iv == SECTOR_IV_ESSIV_SHA256)
		TRY(essiv_new(key, &cipher->essiv, err));

	*ret_cipher = TAKE(cipher);
	return COF_OK;
}

void sector_cipher_free(struct sector_cipher *cipher)
{
	if (!cipher)
		return;
	lane_free(cipher->encrypt);
	lane_free(cipher->decrypt);
	lane_free(cipher->essiv);
	free(cipher);
}

/* The IV of the sector with this number, as dm-crypt makes it. */
static cof_result iv_make(const struct sector_cipher *cipher, uint64_t number,
			  uint8_t iv[static LANE_IV_BYTES], struct cof_error *err)
{
	uint64_t word = htole64(number);

	memset(iv, 0, LANE_IV_BYTES);
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
		TRY(lane_run(cipher->essiv, iv, iv, iv, LANE_IV_BYTES, err));
		break;
	case SECTOR_IV_BENBI:
		word = htobe64((number << BENBI_SHIFT) + 1);
		memcpy(iv + LANE_IV_BYTES - sizeof(word), &word, sizeof(word));
		break;
	}
	return COF_OK;
}

/* Whole sectors in the direction of @lane. */
static cof_result run(const struct sector_cipher *cipher, struct lane *lane, uint64_t first_iv,
		      size_t sector_bytes, const uint8_t *in, uint8_t *out, size_t len,
		      struct cof_error *err)
{
	uint8_t iv[LANE_IV_BYTES];
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
	return run(cipher, cipher->encrypt, first_iv, sector_bytes, in, out, len, err);
}

cof_result sector_cipher_decrypt(struct sector_cipher *cipher, uint64_t first_iv,
				 size_t sector_bytes, const uint8_t *in, uint8_t *out, size_t len,
				 struct cof_error *err)
{
	return run(cipher, cipher->decrypt, first_iv, sector_bytes, in, out, len, err);
}
