/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STORE_KEYRING_H
#define COF_STORE_KEYRING_H

/*
 * The keys of a storage group: three copies of its keystore (two beside the data, one in the
 * system's state folder), opened with a passphrase or with the key that the vault keeps.
 *
 * The newest copy that is whole counts; the others are written again from it. A content key is
 * durable in all three before it is used.
 */

#include "backend.h"
#include "keystore_code.h"

#define KEYRING_COPIES		 3
#define KEYRING_PASSPHRASE_BYTES 255 /* the most that a passphrase may have */

/** enum keyring_copy_state - how a copy compares with the one that counts */
enum keyring_copy_state { COPY_GOOD, COPY_MISSING, COPY_DAMAGED, COPY_OLDER, COPY_DIFFERS };

/** struct keyring_copy - one copy as it was found
 * @path:     what people call it
 * @repaired: it was written again from the one that counts */
struct keyring_copy {
	char *path;
	enum keyring_copy_state state;
	uint64_t sequence;
	bool repaired;
};

/** struct keyring_place - where the copies are; borrowed
 * @state_folder: the system's; it is made when the copy is written */
struct keyring_place {
	struct backend *backend;
	const char *state_folder;
	uint8_t group[STORE_UUID_BYTES];
};

/** struct keyring_secret - what opens a keyring; one of the two, or neither where the group is not
 * encrypted; borrowed */
struct keyring_secret {
	const struct slot_secret *passphrase;
	const struct slot_secret *vault_key;
};

/** struct keyring_spec - a new keyring */
struct keyring_spec {
	enum keystore_mode mode;
	uint32_t rotate_days;
	struct keyring_secret secret;
};

struct keyring;

/**
 * keyring_create() - make the keys of a new group, in all three places
 * Fault points "store/keys-...". Fails: COF_E_USAGE (the passphrase is too long), COF_E_NOSPC,
 * COF_E_IO, COF_E_NOMEM
 */
cof_result keyring_create(const struct keyring_place *place, const struct keyring_spec *spec,
			  uint64_t now, struct cof_error *err);

/**
 * keyring_load() - find the copy that counts, still locked
 * Fails: COF_E_NOENT (there is none), COF_E_FORMAT (none is whole, or they are of another group)
 */
cof_result keyring_load(const struct keyring_place *place, struct keyring **ret_keyring,
			struct cof_error *err);
void keyring_free(struct keyring *keyring);
DEFINE_FREEP(struct keyring, keyring_freep, keyring_free)

bool keyring_is_encrypted(const struct keyring *keyring);
/** keyring_has_method() - whether a slot opens that way */
bool keyring_has_method(const struct keyring *keyring, enum keystore_method method);
/** keyring_copies() - KEYRING_COPIES of them; borrowed */
const struct keyring_copy *keyring_copies(const struct keyring *keyring);
uint64_t keyring_sequence(const struct keyring *keyring);
/** keyring_slots() - the slots of the copy that counts; borrowed */
const struct keystore_slot *keyring_slots(const struct keyring *keyring, size_t *ret_count);

/** keyring_unlock() - open it. Fails: COF_E_KEY (wrong passphrase), COF_E_AUTH (altered),
 * COF_E_USAGE (a passphrase for a group that is not encrypted, or too long) */
cof_result keyring_unlock(struct keyring *keyring, struct keyring_secret secret,
			  struct cof_error *err);
/** keyring_repair() - write the copies again that are not like the one that counts; that one must
 * have been unlocked. Fails: COF_E_IO, COF_E_NOSPC */
cof_result keyring_repair(struct keyring *keyring, struct cof_error *err);

/** keyring_body() - after keyring_unlock(); borrowed */
const struct keystore_body *keyring_body(const struct keyring *keyring);

/**
 * keyring_settle() - before something is written: all copies are alike, and the content key is not
 * older than the rotation allows; else a new one is made, durable everywhere when this returns
 * @ret_rotated: may be NULL
 * Fails: COF_E_NOSPC (there are 1023 content keys), COF_E_IO, COF_E_CONFLICT
 */
cof_result keyring_settle(struct keyring *keyring, uint64_t now, bool *ret_rotated,
			  struct cof_error *err);

/** keyring_active_key() - the content key for what is written now; NULL where the group is not
 * encrypted. @ret_key: caller owns; @ret_facts: borrowed */
cof_result keyring_active_key(const struct keyring *keyring, struct content_key **ret_key,
			      const struct keystore_key **ret_facts, struct cof_error *err);
/** keyring_find_key() - a content key by what a head names. Fails: COF_E_AUTH (there is none) */
cof_result keyring_find_key(const struct keyring *keyring, uint16_t id, uint32_t generation,
			    const char *subject, struct content_key **ret_key,
			    struct cof_error *err);

#endif
