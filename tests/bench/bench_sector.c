/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sector cipher beside OpenSSL's own aes-256-xts, which never changes its IV: the two take
 * turns in one process, so that both see the same machine. Prints one JSON document.
 *
 *   bench_sector [SECTOR_BYTES]
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>

#include "sector.h"

#define ROUNDS 101
#define BLOCK_BYTES (256 * 1024) /* stays in the second-level cache: the cipher is measured */
#define ROUND_BYTES (UINT64_C(16) * 1024 * 1024) /* less than a time slice */

static uint8_t *block;

static double now_seconds(void)
{
	struct timespec now;

	/* Of this thread alone: other programs must not count. */
	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a;
	double right = *(const double *)b;

	return left < right ? -1 : left > right;
}

/* MB/s of one round of updates of one sector each, as `openssl speed` does it. */
static double round_plain(EVP_CIPHER_CTX *context, size_t sector_bytes)
{
	double start = now_seconds();
	int written = 0;

	for (uint64_t done = 0; done < ROUND_BYTES; done += sector_bytes)
		if (EVP_CipherUpdate(context, block + done % BLOCK_BYTES, &written,
				     block + done % BLOCK_BYTES, (int)sector_bytes) != 1)
			exit(1);
	return (double)ROUND_BYTES / 1e6 / (now_seconds() - start);
}

/* MB/s of one round of the sector cipher. */
static double round_sectors(struct sector_cipher *cipher, size_t sector_bytes, bool encrypt)
{
	double start = now_seconds();

	for (uint64_t done = 0; done < ROUND_BYTES; done += BLOCK_BYTES)
		if (cof_failed((encrypt ? sector_cipher_encrypt : sector_cipher_decrypt)(
			    cipher, done / 512, sector_bytes, block, block, BLOCK_BYTES, NULL)))
			exit(1);
	return (double)ROUND_BYTES / 1e6 / (now_seconds() - start);
}

int main(int argc, char *argv[])
{
	size_t sector_bytes = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 4096;
	struct sector_spec spec;
	struct sector_cipher *cipher = NULL;
	struct volume_key *key = NULL;
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	const uint8_t iv[16] = { 0 };
	double plain[ROUNDS];
	double encrypt[ROUNDS];
	double decrypt[ROUNDS];

	block = aligned_alloc(4096, BLOCK_BYTES);
	if (!context || !block || cof_failed(volume_key_random(64, &key, NULL)) ||
	    cof_failed(sector_spec_parse("aes", "xts-plain64", 64, &spec, NULL)) ||
	    cof_failed(sector_cipher_new(&spec, key, &cipher, NULL)) ||
	    EVP_CipherInit_ex2(context, EVP_aes_256_xts(), volume_key_span(key).data, iv, 1,
			       NULL) != 1)
		return 1;
	memset(block, 0, BLOCK_BYTES);
	for (int i = 0; i < ROUNDS; i++) {
		plain[i] = round_plain(context, sector_bytes);
		encrypt[i] = round_sectors(cipher, sector_bytes, true);
		decrypt[i] = round_sectors(cipher, sector_bytes, false);
	}
	qsort(plain, ROUNDS, sizeof(double), compare);
	qsort(encrypt, ROUNDS, sizeof(double), compare);
	qsort(decrypt, ROUNDS, sizeof(double), compare);
	(void)printf("{\"bench\":\"sector\",\"sector_bytes\":%zu,\"rounds\":%d,"
		     "\"openssl_mb_s\":%.0f,\"encrypt_mb_s\":%.0f,\"decrypt_mb_s\":%.0f,"
		     "\"encrypt_ratio\":%.3f,\"decrypt_ratio\":%.3f}\n",
		     sector_bytes, ROUNDS, plain[ROUNDS / 2], encrypt[ROUNDS / 2],
		     decrypt[ROUNDS / 2], encrypt[ROUNDS / 2] / plain[ROUNDS / 2],
		     decrypt[ROUNDS / 2] / plain[ROUNDS / 2]);
	sector_cipher_free(cipher);
	volume_key_free(key);
	EVP_CIPHER_CTX_free(context);
	free(block);
	return 0;
}
