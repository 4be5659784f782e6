/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pbkdf.h"

#include <string.h>
#include <unistd.h>

#define RANDOM_KEY_ITERATIONS 1000 /* the fewest that libcryptsetup takes */
#define PEOPLE_TIME_MS	      2000
#define PEOPLE_MEMORY_KIB     (256u * 1024)
#define PEOPLE_THREADS_MAX    4 /* the most that libcryptsetup takes */

/* Threads of an Argon2 run: one per processor, up to the largest number. */
static uint32_t people_threads(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (processors < 1)
		return 1;
	return processors < PEOPLE_THREADS_MAX ? (uint32_t)processors : PEOPLE_THREADS_MAX;
}

cof_result pbkdf_set(struct luks_context *context, enum luks_cost cost, struct cof_error *err)
{
	const char *type = crypt_get_type(context->cd);
	struct crypt_pbkdf_type pbkdf = { .type = CRYPT_KDF_PBKDF2, .hash = "sha256" };
	int status;

	if (cost == LUKS_COST_RANDOM_KEY) {
		pbkdf.iterations = RANDOM_KEY_ITERATIONS;
		pbkdf.flags = CRYPT_PBKDF_NO_BENCHMARK;
	} else if (cost == LUKS_COST_PEOPLE && (!type || strcmp(type, CRYPT_LUKS2) == 0)) {
		pbkdf.type = CRYPT_KDF_ARGON2ID;
		pbkdf.time_ms = PEOPLE_TIME_MS;
		pbkdf.max_memory_kb = PEOPLE_MEMORY_KIB;
		pbkdf.parallel_threads = people_threads();
	} else {
		pbkdf.time_ms = PEOPLE_TIME_MS;
	}

	status = crypt_set_pbkdf_type(context->cd, &pbkdf);
	if (status < 0)
		return luks_raise(context, status, err, "does not take the key derivation %s",
				  pbkdf.type);
	return COF_OK;
}
