/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STORE_STORE_INTERNAL_H
#define COF_STORE_STORE_INTERNAL_H

/*
 * What the files of the store share.
 */

#include "chunker.h"
#include "index.h"
#include "store.h"

#define STORE_NAME_CHARS 80 /* "versions/" and 64 digits */

/** struct store
 * @source:  for the index and whoever reads packs
 * @chunker: once unlocked
 * @names:   digests of versions' names, once unlocked
 * @index:   once somebody wants it: store_need_index() */
struct store {
	struct backend *backend;
	char *state_folder;
	uint8_t uuid[STORE_UUID_BYTES];
	uint32_t min_bytes;
	uint32_t avg_bytes;
	uint32_t max_bytes;
	struct keyring *keyring;
	struct pack_source source;
	struct chunker chunker;
	struct mac *names;
	struct index *index;
};

/** store_need_index() - open the index unless it is open. Fails: as index_open() */
cof_result store_need_index(struct store *store, struct cof_error *err);
/** store_now() - seconds since 1970 */
uint64_t store_now(void);
/** store_raise_no_version() - always COF_E_NOENT */
cof_result store_raise_no_version(const struct store *store, const char *name,
				  struct cof_error *err);

/** store_begin_put() - before anything is written: the name is free, the keys are settled.
 * @version: gets name and time. Fails: COF_E_REFUSED (the name is taken), as keyring_settle() */
cof_result store_begin_put(struct store *store, const char *name, struct version *version,
			   bool *ret_rotated, struct cof_error *err);

/** catalogue_commit() - make a version visible. Fails: COF_E_REFUSED (the name is taken), ... */
cof_result catalogue_commit(struct store *store, const struct version *version,
			    struct cof_error *err);
/** catalogue_damage - a record that is not as it should be */
typedef cof_result (*catalogue_damage)(const char *object, const struct cof_error *why,
				       void *context, struct cof_error *err);
/** catalogue_check() - all records: their checksums, and with @keys that they open.
 * @ret_count: how many there are */
cof_result catalogue_check(struct store *store, bool keys, catalogue_damage damage, void *context,
			   uint64_t *ret_count, struct cof_error *err);
/** catalogue_newest_keystore() - the highest sequence of a keystore that a record names; damaged
 * records are passed over */
cof_result catalogue_newest_keystore(struct store *store, uint64_t *ret_sequence,
				     struct cof_error *err);

#endif
