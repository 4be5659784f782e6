/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bulk.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

struct gcm {
	EVP_CIPHER_CTX *context;
};

struct mac {
	EVP_MAC_CTX *context;
};

void gcm_free(struct gcm *gcm)
{
	if (!gcm)
		return;
	EVP_CIPHER_CTX_free(gcm->context);
	free(gcm);
}

cof_result gcm_new(const struct data_key *key, bool encrypt, struct gcm **ret_gcm,
		   struct cof_error *err)
{
	_cleanup_(gcm_freep) struct gcm *gcm = calloc(1, sizeof(*gcm));

	ENSURE(gcm, err, COF_E_NOMEM, NULL, "no memory for a cipher");
	ENSURE(key->secret.len == AEAD_KEY_BYTES, err, COF_E_FORMAT, NULL,
	       "data key is %zu bytes, must be %d", key->secret.len, AEAD_KEY_BYTES);
	gcm->context = EVP_CIPHER_CTX_new();
	ENSURE(gcm->context && EVP_CipherInit_ex2(gcm->context, EVP_aes_256_gcm(), key->secret.data,
						  NULL, encrypt, NULL) == 1,
	       err, COF_E_FAILED, NULL, "AES-256-GCM does not work in this OpenSSL");
	*ret_gcm = TAKE(gcm);
	return COF_OK;
}

/* Everything of one message but its tag. */
static bool run_message(EVP_CIPHER_CTX *cipher, const uint8_t *nonce, struct span context,
			struct span in, uint8_t *out)
{
	int done;

	return EVP_CipherInit_ex2(cipher, NULL, NULL, nonce, -1, NULL) == 1 &&
	       EVP_CipherUpdate(cipher, NULL, &done, context.data, (int)context.len) == 1 &&
	       EVP_CipherUpdate(cipher, out, &done, in.data, (int)in.len) == 1;
}

cof_result gcm_seal(struct gcm *gcm, const uint8_t nonce[static AEAD_NONCE_BYTES],
		    struct span context, struct span plain, uint8_t *out, struct cof_error *err)
{
	int done;

	ENSURE(plain.len >= 1 && plain.len <= AEAD_MAX_BYTES && context.len <= AEAD_MAX_BYTES, err,
	       COF_E_FORMAT, NULL, "%zu bytes to seal, must be 1 to %u", plain.len, AEAD_MAX_BYTES);
	ENSURE(run_message(gcm->context, nonce, context, plain, out) &&
		       EVP_CipherFinal_ex(gcm->context, out + plain.len, &done) == 1 &&
		       EVP_CIPHER_CTX_ctrl(gcm->context, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_BYTES,
					   out + plain.len) == 1,
	       err, COF_E_FAILED, NULL, "AES-256-GCM does not work in this OpenSSL");
	return COF_OK;
}

cof_result gcm_open(struct gcm *gcm, const uint8_t nonce[static AEAD_NONCE_BYTES],
		    struct span context, struct span sealed, uint8_t *out, const char *subject,
		    struct cof_error *err)
{
	uint8_t tag[AEAD_TAG_BYTES];
	struct span text;
	int done;

	ENSURE(sealed.len > AEAD_TAG_BYTES && sealed.len - AEAD_TAG_BYTES <= AEAD_MAX_BYTES &&
		       context.len <= AEAD_MAX_BYTES,
	       err, COF_E_FORMAT, subject, "%zu sealed bytes, must be %d to %u", sealed.len,
	       AEAD_TAG_BYTES + 1, AEAD_MAX_BYTES);
	text = SPAN(sealed.data, sealed.len - AEAD_TAG_BYTES);
	memcpy(tag, sealed.data + text.len, AEAD_TAG_BYTES);
	ENSURE(run_message(gcm->context, nonce, context, text, out) &&
		       EVP_CIPHER_CTX_ctrl(gcm->context, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_BYTES,
					   tag) == 1,
	       err, COF_E_FAILED, subject, "AES-256-GCM does not work in this OpenSSL");
	ENSURE(EVP_CipherFinal_ex(gcm->context, tag, &done) == 1, err, COF_E_AUTH, subject,
	       "does not open: it was altered, or sealed with another key or for another place");
	return COF_OK;
}

void mac_free(struct mac *mac)
{
	if (!mac)
		return;
	EVP_MAC_CTX_free(mac->context);
	free(mac);
}

cof_result mac_new(const struct wrap_key *key, struct mac **ret_mac, struct cof_error *err)
{
	_cleanup_(mac_freep) struct mac *mac = calloc(1, sizeof(*mac));
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *hmac;

	ENSURE(mac, err, COF_E_NOMEM, NULL, "no memory for a digest");
	hmac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
	mac->context = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
	EVP_MAC_free(hmac);
	ENSURE(mac->context &&
		       EVP_MAC_init(mac->context, key->secret.data, key->secret.len, params) == 1,
	       err, COF_E_FAILED, NULL, "HMAC-SHA-256 does not work in this OpenSSL");
	*ret_mac = TAKE(mac);
	return COF_OK;
}

cof_result mac_run(struct mac *mac, struct span data, uint8_t out[static SHA256_BYTES],
		   struct cof_error *err)
{
	size_t done;

	/* Without a key it starts over with the one that it has. */
	ENSURE(EVP_MAC_init(mac->context, NULL, 0, NULL) == 1 &&
		       EVP_MAC_update(mac->context, data.data, data.len) == 1 &&
		       EVP_MAC_final(mac->context, out, &done, SHA256_BYTES) == 1,
	       err, COF_E_FAILED, NULL, "HMAC-SHA-256 does not work in this OpenSSL");
	return COF_OK;
}
