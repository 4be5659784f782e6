/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CRYPTO_SECRET_H
#define COF_CRYPTO_SECRET_H

/*
 * Secrets: bytes in memory of their own that is locked, not dumped, not inherited by a child,
 * between two guard pages, and wiped when it is freed. One type per kind of key: mixing them up
 * does not compile.
 */

#include <stdint.h>

#include "buffer.h"
#include "cleanup.h"
#include "result.h"

/**
 * struct secret - one secret
 * @data: locked memory, @len bytes
 */
struct secret {
	uint8_t *data;
	size_t len;
};

/**
 * secret_harden() - make this process one that may hold secrets
 *
 * Not dumpable, no core file, all memory locked as it is touched (this covers what libraries
 * allocate). The first secret_new() calls it, and again the first one in a child: a child inherits
 * neither locks nor secrets, it finds NULL and 0 in a struct secret of its parent. What it executes
 * inherits the limit on core files. Safe to call again and from any thread.
 * Fails: COF_E_NOMEM (memory can't be locked: says which limit; core files can't be ruled out)
 */
cof_result secret_harden(struct cof_error *err);

/**
 * secret_new() - @len zero bytes of locked memory
 * @len: 1 to 64 MiB
 * Fails: COF_E_NOMEM (can't be had or can't be locked)
 */
cof_result secret_new(size_t len, struct secret **ret_secret, struct cof_error *err);
/** secret_free() - wipe and free; NULL does nothing. Aborts if memory beside it was overwritten */
void secret_free(struct secret *secret);
DEFINE_FREEP(struct secret, secret_freep, secret_free)
#define _cleanup_secret_ _cleanup_(secret_freep)

/** secret_random() - @len bytes from the system's generator. Fails: COF_E_NOMEM, COF_E_FAILED */
cof_result secret_random(size_t len, struct secret **ret_secret, struct cof_error *err);
/** secret_copy() - a copy of bytes, which the caller wipes if they were not in a secret */
cof_result secret_copy(struct span bytes, struct secret **ret_secret, struct cof_error *err);
/** secret_span() - the bytes, borrowed */
static inline struct span secret_span(const struct secret *secret)
{
	return SPAN(secret->data, secret->len);
}
/** secret_shrink() - forget and wipe all but the first @len bytes */
void secret_shrink(struct secret *secret, size_t len);

/** ct_equal() - whether two spans are the same, in a time that depends on their lengths alone */
bool ct_equal(struct span a, struct span b);
/** memory_wipe() - zeroes that the compiler may not leave out */
void memory_wipe(void *data, size_t len);

/*
 * DEFINE_SECRET_TYPE(root_key) makes `struct root_key`, root_key_new(), _random(), _copy(),
 * _span(), _free() and _freep(), which are secret_*() of that type and no other.
 */
#define DEFINE_SECRET_TYPE(type)                                                               \
	struct type {                                                                          \
		struct secret secret;                                                          \
	};                                                                                     \
	__attribute__((unused)) static inline cof_result type##_new(                           \
		size_t len, struct type **ret_key, struct cof_error *err)                      \
	{                                                                                      \
		return secret_new(len, (struct secret **)ret_key, err);                        \
	}                                                                                      \
	__attribute__((unused)) static inline cof_result type##_random(                        \
		size_t len, struct type **ret_key, struct cof_error *err)                      \
	{                                                                                      \
		return secret_random(len, (struct secret **)ret_key, err);                     \
	}                                                                                      \
	__attribute__((unused)) static inline cof_result type##_copy(                          \
		struct span bytes, struct type **ret_key, struct cof_error *err)               \
	{                                                                                      \
		return secret_copy(bytes, (struct secret **)ret_key, err);                     \
	}                                                                                      \
	__attribute__((unused)) static inline struct span type##_span(const struct type *key)  \
	{                                                                                      \
		return secret_span(&key->secret);                                              \
	}                                                                                      \
	__attribute__((unused)) static inline void type##_free(struct type *key)               \
	{                                                                                      \
		secret_free((struct secret *)key);                                             \
	}                                                                                      \
	__attribute__((unused)) static inline void type##_freep(struct type **key)             \
	{                                                                                      \
		type##_free(*key);                                                             \
		*key = NULL;                                                                   \
	}

/* The root key of a vault: the 64-byte volume key of its header. Used through HKDF alone. */
DEFINE_SECRET_TYPE(root_key)
/* A 32-byte key that seals one record, derived from the root key. */
DEFINE_SECRET_TYPE(wrap_key)
/* The key that encrypts the sectors of a LUKS device. */
DEFINE_SECRET_TYPE(volume_key)
/* The key of one content-key generation of a backup store: wraps the keys of packs. */
DEFINE_SECRET_TYPE(content_key)
/* The random key of one pack of a backup store: encrypts its records. */
DEFINE_SECRET_TYPE(data_key)
/* What opens a keyslot: a passphrase as typed, a recovery key's text, the content of a key file,
 * the random key of a disk. */
DEFINE_SECRET_TYPE(slot_secret)

#endif
