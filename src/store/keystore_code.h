/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STORE_KEYSTORE_CODE_H
#define COF_STORE_KEYSTORE_CODE_H

/*
 * The bytes of a group's keystore, pure: doc/format-store.md, section 3.
 */

#include "kdf.h"
#include "pack_code.h"
#include "stretch.h"

#define KEYSTORE_MAX_BYTES	 (256u << 10) /* 1023 content keys take about 64 KiB */
#define KEYSTORE_SLOTS_MAX	 8
#define KEYSTORE_KEYS_MAX	 1023
#define KEYSTORE_ROTATE_MIN_DAYS 7
#define KEYSTORE_ROTATE_MAX_DAYS 25568 /* 70 years, with 18 leap days */

/** enum keystore_method - what opens a slot; the values are those of the format */
enum keystore_method { KEYSTORE_PASSPHRASE = 1, KEYSTORE_VAULT = 2 };
/** enum keystore_mode - how content keys come about; the values are those of the format */
enum keystore_mode { KEYSTORE_PLAIN = 0, KEYSTORE_INTERNAL = 1, KEYSTORE_STATIC = 2 };
/** enum keystore_state - of a content key; the values are those of the format */
enum keystore_state { KEYSTORE_ACTIVE = 1, KEYSTORE_RETIRED = 2, KEYSTORE_COMPROMISED = 3 };

/**
 * struct keystore_slot - one way to open a keystore
 * @cost:    of a passphrase; all zeros for the vault's key, which is random
 * @wrapped: the keystore's key
 */
struct keystore_slot {
	enum keystore_method method;
	struct stretch_cost cost;
	uint8_t salt[STRETCH_SALT_BYTES];
	uint8_t nonce[AEAD_NONCE_BYTES];
	uint8_t wrapped[PACK_WRAPPED_BYTES];
};

/**
 * struct keystore_file - a keystore as it lies on a disk
 * @sequence: 1, 2, ...: the highest counts
 * @head:     bytes before the body: authenticated with it; borrowed from what was decoded
 * @body:     sealed, or in the clear where the group is not encrypted; borrowed
 */
struct keystore_file {
	bool encrypted;
	uint8_t group[STORE_UUID_BYTES];
	uint64_t sequence;
	uint64_t saved;
	struct keystore_slot slots[KEYSTORE_SLOTS_MAX];
	size_t slot_count;
	uint8_t nonce[AEAD_NONCE_BYTES];
	struct span head;
	struct span body;
};

/** struct keystore_key - one content key; its bytes are in struct keystore_body */
struct keystore_key {
	uint16_t id; /* 1 to KEYSTORE_KEYS_MAX */
	uint32_t generation;
	enum keystore_state state;
	uint64_t created;
	uint64_t retired; /* 0: not yet */
};

/**
 * struct keystore_body - what a keystore keeps secret
 * @id_key:      of chunks' ids, and of the names of versions
 * @chunker_key: of the chunker
 * @keys:        in the order of their making; the last one that is active is used
 * @secrets:     the bytes of @keys, 32 each, in the same order; NULL where there are none
 */
struct keystore_body {
	struct wrap_key *id_key;
	struct wrap_key *chunker_key;
	enum keystore_mode mode;
	uint32_t rotate_days;
	struct keystore_key keys[KEYSTORE_KEYS_MAX];
	size_t key_count;
	struct secret *secrets;
};

void keystore_body_done(struct keystore_body *body);

/**
 * keystore_encode_head() - everything before the body, appended to @out
 * @file: all but @head and @body
 * @body_bytes: length of the body as stored
 * Fails: COF_E_NOMEM
 */
cof_result keystore_encode_head(const struct keystore_file *file, uint32_t body_bytes,
				struct buffer *out, struct cof_error *err);
/** keystore_decode() - @ret_file borrows from @bytes. Fails: COF_E_FORMAT */
cof_result keystore_decode(struct span bytes, const char *subject, struct keystore_file *ret_file,
			   struct cof_error *err);
/** keystore_slot_context() - what is authenticated with a slot's key */
#define KEYSTORE_SLOT_CONTEXT_BYTES (STORE_UUID_BYTES + 1 + 1 + 4 + 4 + STRETCH_SALT_BYTES)
void keystore_slot_context(const uint8_t group[static STORE_UUID_BYTES],
			   const struct keystore_slot *slot,
			   uint8_t out[static KEYSTORE_SLOT_CONTEXT_BYTES]);

/** keystore_body_bytes() - length of a body's plaintext */
size_t keystore_body_bytes(const struct keystore_body *body);
/** keystore_body_encode() - the plaintext, in locked memory. Fails: COF_E_NOMEM */
cof_result keystore_body_encode(const struct keystore_body *body, struct secret **ret_plain,
				struct cof_error *err);
/** keystore_body_decode() - @ret_body: the caller runs keystore_body_done(), also on failure.
 * Fails: COF_E_FORMAT, COF_E_NOMEM */
cof_result keystore_body_decode(struct span plain, const char *subject,
				struct keystore_body *ret_body, struct cof_error *err);

#endif
