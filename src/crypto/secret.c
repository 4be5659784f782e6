/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "kdf.h"
#include "secret.h"

#define SECRET_MAX_BYTES   ((size_t)64 << 20)
#define SECRET_ALIGN_BYTES ((size_t)16)
#define CANARY_BYTE	   0xdb

/*
 * One secret in memory of its own:
 *
 *     guard page | struct region, canary ... | data | canary up to 15 bytes | guard page
 *
 * The data ends at the second guard, so that a read or write past it stops at once. The header is
 * inside what the kernel empties in a child, so a child finds no pointer rather than zeros that
 * look like a key.
 */
struct region {
	struct secret secret;
	size_t inner_bytes; /* between the guards */
};

static pthread_mutex_t harden_mutex = PTHREAD_MUTEX_INITIALIZER;
static pid_t hardened_pid; /* locks on memory do not pass to a child: it has to ask again */

/* Locks a mutex and hands it back to be owned. */
static pthread_mutex_t *mutex_lock(pthread_mutex_t *mutex)
{
	(void)pthread_mutex_lock(mutex);
	return mutex;
}

/* Unlocks an owned mutex. */
static void mutex_unlockp(pthread_mutex_t **mutex)
{
	(void)pthread_mutex_unlock(*mutex);
}

/* Raises a refused memory lock, with the limit that is in the way. */
static cof_result raise_not_locked(int errno_value, const char *what, struct cof_error *err)
{
	struct rlimit limit = { 0 };
	cof_result failure =
		cof_raise(err, COF_E_NOMEM, NULL, "%s cannot be locked in memory", what);

	(void)getrlimit(RLIMIT_MEMLOCK, &limit);
	if (limit.rlim_cur == RLIM_INFINITY)
		cof_error_cause(err, "%s", strerror(errno_value));
	else
		cof_error_cause(err,
				"%s; this process may lock %llu bytes, and secrets must not "
				"reach swap space",
				strerror(errno_value), (unsigned long long)limit.rlim_cur);
	cof_error_try(err, "ulimit -l unlimited   (in a systemd unit: LimitMEMLOCK=infinity)");
	return failure;
}

/* Takes as much of the limit on locked memory as this process may without privilege. */
static void raise_lock_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_MEMLOCK, &limit);
	}
}

/* Does once per process what secret_harden() promises. */
static cof_result harden_process(struct cof_error *err)
{
	const struct rlimit no_core = { 0 };

	ENSURE(prctl(PR_SET_DUMPABLE, 0) == 0 && setrlimit(RLIMIT_CORE, &no_core) == 0, err,
	       COF_E_NOMEM, NULL, "core files that hold secrets cannot be ruled out: %s",
	       strerror(errno));
	raise_lock_limit();
	/* On fault: Argon2 and the sanitizers map far more than they ever touch. */
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0)
		return raise_not_locked(errno, "this process", err);
	return COF_OK;
}

cof_result secret_harden(struct cof_error *err)
{
	_cleanup_(mutex_unlockp) pthread_mutex_t *held = mutex_lock(&harden_mutex);

	(void)held;
	if (hardened_pid != getpid())
		TRY(harden_process(err));
	hardened_pid = getpid();
	return COF_OK;
}

/* The smallest multiple of @unit that is not below @bytes. */
static size_t round_up(size_t bytes, size_t unit)
{
	return (bytes + unit - 1) / unit * unit;
}

/* The first byte past what lies between the guards. */
static uint8_t *region_end(struct region *region)
{
	return (uint8_t *)region + region->inner_bytes;
}

/* Whether nobody wrote just before or after the data. */
static bool canary_is_whole(struct region *region)
{
	const uint8_t *data = region->secret.data;

	for (const uint8_t *at = (const uint8_t *)(region + 1); at < data; at++) {
		if (*at != CANARY_BYTE)
			return false;
	}
	for (const uint8_t *at = data + region->secret.len; at < region_end(region); at++) {
		if (*at != CANARY_BYTE)
			return false;
	}
	return true;
}

/* Gives back a mapping with its two guards. */
static void region_unmap(struct region *region, size_t inner_bytes)
{
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);

	(void)munmap((uint8_t *)region - page_bytes, inner_bytes + 2 * page_bytes);
}

/* Maps @inner_bytes between two guards that no access survives. */
static cof_result region_map(size_t inner_bytes, struct region **ret_region, struct cof_error *err)
{
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *mapped = mmap(NULL, inner_bytes + 2 * page_bytes, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ENSURE(mapped != MAP_FAILED, err, COF_E_NOMEM, NULL,
	       "no memory for a secret of up to %zu bytes: %s", inner_bytes, strerror(errno));
	*ret_region = (struct region *)(void *)(mapped + page_bytes);
	return COF_OK;
}

/* Makes the part between the guards usable, and keeps it out of swap, core files and children. */
static cof_result region_protect(struct region *region, size_t inner_bytes, struct cof_error *err)
{
	ENSURE(mprotect(region, inner_bytes, PROT_READ | PROT_WRITE) == 0 &&
		       madvise(region, inner_bytes, MADV_DONTDUMP) == 0 &&
		       madvise(region, inner_bytes, MADV_WIPEONFORK) == 0,
	       err, COF_E_NOMEM, NULL, "memory for a secret cannot be protected: %s",
	       strerror(errno));
	if (mlock(region, inner_bytes) != 0)
		return raise_not_locked(errno, "a secret", err);
	return COF_OK;
}

cof_result secret_new(size_t len, struct secret **ret_secret, struct cof_error *err)
{
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	size_t inner_bytes;
	struct region *region;
	cof_result protection;

	ENSURE(len >= 1 && len <= SECRET_MAX_BYTES, err, COF_E_NOMEM, NULL,
	       "a secret of %zu bytes, must be 1 to %zu", len, SECRET_MAX_BYTES);
	TRY(secret_harden(err));
	inner_bytes =
		round_up(sizeof(*region) + SECRET_ALIGN_BYTES + round_up(len, SECRET_ALIGN_BYTES),
			 page_bytes);
	TRY(region_map(inner_bytes, &region, err));
	protection = region_protect(region, inner_bytes, err);
	if (cof_failed(protection)) {
		region_unmap(region, inner_bytes);
		return protection;
	}
	memset(region + 1, CANARY_BYTE, inner_bytes - sizeof(*region));
	region->inner_bytes = inner_bytes;
	region->secret.data = region_end(region) - round_up(len, SECRET_ALIGN_BYTES);
	region->secret.len = len;
	memset(region->secret.data, 0, len);

	*ret_secret = &region->secret;
	return COF_OK;
}

/* Ends the process: memory next to a key was written, so no key in it can be trusted. */
__attribute__((noreturn)) static void die_of_overrun(void)
{
	static const char text[] = "coffer: memory around a secret was overwritten; stopping\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		abort();
	abort();
}

void secret_free(struct secret *secret)
{
	struct region *region = (struct region *)(void *)secret;
	size_t inner_bytes;

	/* Emptied by the kernel in a child: the parent's copy is whole and nothing is left here. */
	if (!secret || !secret->data)
		return;
	if (!canary_is_whole(region))
		die_of_overrun();
	inner_bytes = region->inner_bytes;
	memory_wipe(region, inner_bytes);
	region_unmap(region, inner_bytes);
}

cof_result secret_random(size_t len, struct secret **ret_secret, struct cof_error *err)
{
	_cleanup_secret_ struct secret *secret = NULL;

	TRY(secret_new(len, &secret, err));
	TRY(random_bytes(secret->data, len, err));

	*ret_secret = TAKE(secret);
	return COF_OK;
}

cof_result secret_copy(struct span bytes, struct secret **ret_secret, struct cof_error *err)
{
	_cleanup_secret_ struct secret *secret = NULL;

	TRY(secret_new(bytes.len, &secret, err));
	memcpy(secret->data, bytes.data, bytes.len);

	*ret_secret = TAKE(secret);
	return COF_OK;
}

void secret_shrink(struct secret *secret, size_t len)
{
	if (len >= secret->len)
		return;
	memory_wipe(secret->data + len, secret->len - len);
	memset(secret->data + len, CANARY_BYTE, secret->len - len);
	secret->len = len;
}

bool ct_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.data, b.data, a.len) == 0);
}

void memory_wipe(void *data, size_t len)
{
	explicit_bzero(data, len);
}
