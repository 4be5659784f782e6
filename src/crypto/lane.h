/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CRYPTO_LANE_H
#define COF_CRYPTO_LANE_H

/*
 * One direction of a block cipher mode under one key: the schedule is made once, a unit of data
 * costs one new IV. Two libraries can do it; they give the same bytes.
 */

#include "secret.h"

#define LANE_IV_BYTES 16 /* a block of AES: FIPS 197 */

struct lane;

/** enum lane_library - who computes; LANE_FASTEST asks the processor */
enum lane_library { LANE_FASTEST, LANE_OPENSSL, LANE_GCRYPT };

/** struct lane_spec - what a lane computes */
struct lane_spec {
	const char *cipher; /* OpenSSL's name: "AES-256-XTS", "AES-128-CBC", "AES-256-ECB" */
	bool encrypt;
	enum lane_library library; /* LANE_GCRYPT: XTS only */
};

/**
 * lane_new() - make the key schedule
 * @key: as long as the cipher wants it; borrowed, need not outlive the call
 * Fails: COF_E_FAILED (the library does not offer the cipher), COF_E_NOMEM
 */
cof_result lane_new(const struct lane_spec *spec, struct span key, struct lane **ret_lane,
		    struct cof_error *err);
/** lane_free() - wipes the key schedule; NULL is fine */
void lane_free(struct lane *lane);
DEFINE_FREEP(struct lane, lane_freep, lane_free)

/** lane_start_gcrypt() - set up libgcrypt, once in a process, before anything else of it */
void lane_start_gcrypt(void);

/** lane_library() - who computes: LANE_OPENSSL or LANE_GCRYPT */
enum lane_library lane_library(const struct lane *lane);

/**
 * lane_run() - one unit of data, in place or from @in to @out
 * @iv:  ignored by ECB
 * @len: whole blocks of 16 bytes; for XTS one data unit
 * Fails: COF_E_FAILED (the library)
 */
cof_result lane_run(struct lane *lane, const uint8_t iv[static LANE_IV_BYTES], const uint8_t *in,
		    uint8_t *out, size_t len, struct cof_error *err);

#endif
