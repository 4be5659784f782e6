/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STORE_STORE_H
#define COF_STORE_STORE_H

/*
 * A storage group: named versions of streams and trees, cut into chunks that are kept once,
 * compressed and encrypted. doc/format-store.md has the bytes, doc/decisions/store.md the reasons.
 *
 * Several processes may use a group at once. One `struct store` is for one thread at a time.
 */

#include "keyring.h"
#include "progress.h"
#include "version_code.h"

#define STORE_MIN_BYTES (16u << 10) /* of a chunk: doc/decisions/store.md */
#define STORE_AVG_BYTES (64u << 10)
#define STORE_MAX_BYTES (256u << 10)

struct store;

/** struct store_place - where a group is; borrowed
 * @folder:       of the group
 * @state_folder: of the system, for the third copy of the keystore */
struct store_place {
	const char *folder;
	const char *state_folder;
};

/** store_exists() - whether a folder has a group, whole or not */
bool store_exists(const char *folder);

/** store_unfinished() - the UUID that a run of store_create() which was cut off has given a group,
 * so that the next one goes on with it; false: there is none, and @uuid stays */
bool store_unfinished(const char *folder, uint8_t uuid[static STORE_UUID_BYTES]);

/**
 * store_create() - make a group in a new or an empty folder
 * @uuid: of the new group
 * The group's own file comes last, so that a run after a crash starts over. Fault points
 * "store/...". Fails: COF_E_REFUSED (there is a group, or something else), COF_E_USAGE,
 * COF_E_NOSPC, COF_E_IO
 */
cof_result store_create(const struct store_place *place,
			const uint8_t uuid[static STORE_UUID_BYTES],
			const struct keyring_spec *spec, struct cof_error *err);

/** store_open() - open a group, still locked. Fails: COF_E_NOENT (there is none), COF_E_FORMAT,
 * COF_E_IO; as keyring_load() */
cof_result store_open(const struct store_place *place, struct store **ret_store,
		      struct cof_error *err);
void store_close(struct store *store);
DEFINE_FREEP(struct store, store_closep, store_close)

/** store_uuid() - STORE_UUID_BYTES; borrowed */
const uint8_t *store_uuid(const struct store *store);
/** store_folder() - borrowed */
const char *store_folder(const struct store *store);
/** store_keyring() - borrowed */
struct keyring *store_keyring(struct store *store);

/** store_unlock() - Fails: as keyring_unlock(); COF_E_AUTH (the keystore is older than a version
 * that was written) */
cof_result store_unlock(struct store *store, struct keyring_secret secret, struct cof_error *err);

/* ---- putting and getting ---- */

/** struct store_result - what a put or get has done */
struct store_result {
	struct version version;
	bool rotated; /* a new content key was made */
};

/**
 * store_put_stream() - a new version from a file descriptor, to its end
 * @total_bytes: how much will come, for progress; 0: not known
 * Visible, whole, only after its commit record is durable. Fails: COF_E_REFUSED (the name is
 * taken), COF_E_USAGE (the name), COF_E_NOSPC, COF_E_IO, COF_E_NOMEM
 */
cof_result store_put_stream(struct store *store, const char *name, int fd, uint64_t total_bytes,
			    struct progress *progress, struct store_result *ret_result,
			    struct cof_error *err);
/** store_get_stream() - a version's content. Fails: COF_E_NOENT (no such version), COF_E_USAGE (it
 * is a tree), COF_E_FORMAT, COF_E_AUTH (damaged or altered), COF_E_IO */
cof_result store_get_stream(struct store *store, const char *name, int fd,
			    struct progress *progress, struct store_result *ret_result,
			    struct cof_error *err);

/**
 * store_put_tree() - a new version from a folder and everything below it: content, owner, mode,
 * time, attributes (access control lists are some), hard links, holes, links, devices, sockets
 * Fails: as store_put_stream()
 */
cof_result store_put_tree(struct store *store, const char *name, const char *path,
			  struct progress *progress, struct store_result *ret_result,
			  struct cof_error *err);
/** store_get_tree() - a tree as the new folder @path, which must not be there. What was begun stays
 * when it fails. Fails: as store_get_stream() */
cof_result store_get_tree(struct store *store, const char *name, const char *path,
			  struct progress *progress, struct store_result *ret_result,
			  struct cof_error *err);

/* ---- the catalogue ---- */

/** store_find() - one version. Fails: COF_E_FORMAT, COF_E_AUTH, COF_E_USAGE (the name) */
cof_result store_find(struct store *store, const char *name, struct version *ret_version,
		      bool *ret_found, struct cof_error *err);

typedef cof_result (*store_visit)(const struct version *version, void *context,
				  struct cof_error *err);
/** store_each() - all versions by name. @ret_damaged: records that could not be read, which
 * are passed over; may be NULL: then the first one is the failure */
cof_result store_each(struct store *store, store_visit visit, void *context, size_t *ret_damaged,
		      struct cof_error *err);

/* ---- looking closer ---- */

/**
 * struct store_pack - one pack
 * @id:       in hexadecimal digits
 * @bytes:    of the whole file
 * @key_id, @key_generation: of the content key that wraps its key; 0: it is not encrypted
 * @chunks, @plain_bytes, @stored_bytes: of its records without padding
 */
struct store_pack {
	char id[2 * STORE_UUID_BYTES + 1];
	uint64_t bytes;
	uint16_t key_id;
	uint32_t key_generation;
	uint64_t created;
	uint64_t chunks;
	uint64_t plain_bytes;
	uint64_t stored_bytes;
};

typedef cof_result (*store_pack_visit)(const struct store_pack *pack, void *context,
				       struct cof_error *err);
/** store_each_pack() - all packs, each opened with the key that its head names, which proves that
 * this key it is. @ret_damaged: those that do not open, which are passed over.
 * Fails: COF_E_IO, as @visit */
cof_result store_each_pack(struct store *store, store_pack_visit visit, void *context,
			   size_t *ret_damaged, struct cof_error *err);

/** store_damage - one thing that is not as it should be: @object is a file's name; @version is a
 * version that it affects, or NULL; @mended: it was made good again */
typedef cof_result (*store_damage)(const char *object, const char *version,
				   const struct cof_error *why, bool mended, void *context,
				   struct cof_error *err);

/** struct store_verified - how much was looked at */
struct store_verified {
	uint64_t packs;
	uint64_t pack_bytes;
	uint64_t versions;
	uint64_t damages;
};

/**
 * store_verify() - the copies of the keystore, the index, every pack, every version
 * @keys: with the keys: that each record opens and is the chunk that its id says, and that each
 *        version has all its chunks; else the checksums alone, which need no key
 * Copies of the keystore, and with @keys the index, are mended. Fails: COF_E_IO, as @damage
 */
cof_result store_verify(struct store *store, bool keys, struct progress *progress,
			store_damage damage, void *context, struct store_verified *ret_verified,
			struct cof_error *err);

/** store_remove() - forget a version, durably; not there is COF_E_NOENT */
cof_result store_remove(struct store *store, const char *name, struct cof_error *err);

#endif
