/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <time.h>

#include "sector_speed.h"

#define BLOCK_BYTES 262144 /* in the second-level cache of any processor of these years */
#define NS_PER_S    UINT64_C(1000000000)
#define NS_PER_MS   UINT64_C(1000000)

typedef cof_result (*sector_work)(struct sector_cipher *cipher, uint64_t first_iv,
				  size_t sector_bytes, const uint8_t *in, uint8_t *out, size_t len,
				  struct cof_error *err);

/* Processor time of this thread. */
static uint64_t thread_ns(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* One direction. */
static cof_result measure(struct sector_cipher *cipher, sector_work work, size_t sector_bytes,
			  uint64_t duration_ns, uint8_t *block, uint64_t *ret_bytes_per_s,
			  struct cof_error *err)
{
	uint64_t start;
	uint64_t spent;
	uint64_t done = 0;

	/* The first pass touches memory and tables for the first time. */
	TRY(work(cipher, 0, sector_bytes, block, block, BLOCK_BYTES, err));
	start = thread_ns();
	do {
		TRY(work(cipher, done / 512, sector_bytes, block, block, BLOCK_BYTES, err));
		done += BLOCK_BYTES;
		spent = thread_ns() - start;
	} while (spent < duration_ns);
	*ret_bytes_per_s = (uint64_t)((double)done * (double)NS_PER_S / (double)spent);
	return COF_OK;
}

cof_result sector_speed_measure(const struct sector_spec *spec, size_t sector_bytes,
				unsigned int duration_ms, struct sector_speed *ret_speed,
				struct cof_error *err)
{
	_cleanup_(sector_cipher_freep) struct sector_cipher *cipher = NULL;
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_free_ uint8_t *block = calloc(1, BLOCK_BYTES);
	uint64_t duration_ns = (duration_ms ? duration_ms : 1) * NS_PER_MS;
	struct sector_speed speed;

	ENSURE(block, err, COF_E_NOMEM, NULL, "no memory for a block of %d bytes", BLOCK_BYTES);
	TRY(volume_key_random(spec->key_bytes, &key, err));
	TRY(sector_cipher_new(spec, key, &cipher, err));
	TRY(measure(cipher, sector_cipher_encrypt, sector_bytes, duration_ns, block, &speed.encrypt,
		    err));
	TRY(measure(cipher, sector_cipher_decrypt, sector_bytes, duration_ns, block, &speed.decrypt,
		    err));

	*ret_speed = speed;
	return COF_OK;
}
