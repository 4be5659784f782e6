/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CRYPTO_SECTOR_H
#define COF_CRYPTO_SECTOR_H

/*
 * Sector ciphers as dm-crypt defines them (kernel Documentation, dm-crypt): AES in XTS
 * (IEEE 1619) or CBC mode with the IV made from the sector's number.
 */

#include "secret.h"

/** struct sector_spec - what a cipher name such as "aes-xts-plain64" means */
struct sector_spec {
	enum sector_mode { SECTOR_XTS, SECTOR_CBC } mode;
	enum sector_iv {
		SECTOR_IV_PLAIN,	/* low 32 bits of the number, little-endian */
		SECTOR_IV_PLAIN64,	/* all 64 bits, little-endian */
		SECTOR_IV_ESSIV_SHA256, /* plain64, encrypted with AES under SHA-256 of the key */
		SECTOR_IV_BENBI,	/* number of the 16-byte block, from 1, big-endian */
	} iv;
	size_t key_bytes; /* 16, 24 or 32 for CBC; 32 or 64 for XTS */
};

/**
 * sector_spec_parse() - read cryptsetup's cipher and mode, pure
 * @cipher: "aes"
 * @mode:   "xts-plain64", "cbc-essiv:sha256", ...
 * @key_bytes: length of the volume key
 * Fails: COF_E_UNSUPPORTED, saying which part is not known here
 */
cof_result sector_spec_parse(const char *cipher, const char *mode, size_t key_bytes,
			     struct sector_spec *ret_spec, struct cof_error *err);

struct sector_cipher; /* key schedules for one thread */

/**
 * sector_cipher_new() - contexts for one thread
 * @key: spec->key_bytes; borrowed, need not outlive the call
 * Fails: COF_E_FAILED (the library), COF_E_NOMEM, COF_E_FORMAT (XTS halves equal, key length)
 */
cof_result sector_cipher_new(const struct sector_spec *spec, const struct volume_key *key,
			     struct sector_cipher **ret_cipher, struct cof_error *err);
/** sector_cipher_free() - wipes the key schedules */
void sector_cipher_free(struct sector_cipher *cipher);
DEFINE_FREEP(struct sector_cipher, sector_cipher_freep, sector_cipher_free)

/**
 * sector_cipher_encrypt(), sector_cipher_decrypt() - whole sectors, in place or from @in to @out
 * @first_iv:     number of the first sector, in units of 512 bytes even for larger sectors
 * @sector_bytes: 512, 1024, 2048 or 4096; the number grows by sector_bytes / 512 each
 * @len:          a multiple of @sector_bytes
 * Fails: COF_E_FAILED (the library)
 */
cof_result sector_cipher_encrypt(struct sector_cipher *cipher, uint64_t first_iv,
				 size_t sector_bytes, const uint8_t *in, uint8_t *out, size_t len,
				 struct cof_error *err);
cof_result sector_cipher_decrypt(struct sector_cipher *cipher, uint64_t first_iv,
				 size_t sector_bytes, const uint8_t *in, uint8_t *out, size_t len,
				 struct cof_error *err);

#endif
