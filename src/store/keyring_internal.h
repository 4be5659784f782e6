/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STORE_KEYRING_INTERNAL_H
#define COF_STORE_KEYRING_INTERNAL_H

/*
 * What the files of the keyring share.
 */

#include "keyring.h"

/**
 * struct keyring
 * @contents: of the copies as they were found
 * @best:     the copy that counts
 * @file:     decoded; borrows from @contents
 * @master:   key of the body, once unlocked; NULL where the group is not encrypted
 */
struct keyring {
	struct backend *backend;
	char *state_folder;
	uint8_t group[STORE_UUID_BYTES];
	struct keyring_copy copies[KEYRING_COPIES];
	struct buffer contents[KEYRING_COPIES];
	size_t best;
	struct keystore_file file;
	struct wrap_key *master;
	struct keystore_body body;
	bool unlocked;
};

/** keyring_alloc() - a keyring that has read nothing yet. Fails: COF_E_NOMEM */
cof_result keyring_alloc(const struct keyring_place *place, struct keyring **ret_keyring,
			 struct cof_error *err);
/** keyring_read_copies() - read all copies afresh, and choose. Fails: as keyring_load() */
cof_result keyring_read_copies(struct keyring *keyring, struct cof_error *err);
/** keyring_pass_over() - the copy that counted is not what it seems: choose another one.
 * @ret_found is false where there is none */
void keyring_pass_over(struct keyring *keyring, bool *ret_found);
/** keyring_write_copies() - put @content into every place that has another one; the places are
 * then as keyring_read_copies() would find them. Fails: COF_E_IO, COF_E_NOSPC, COF_E_CONFLICT */
cof_result keyring_write_copies(struct keyring *keyring, struct span content,
				struct cof_error *err);

#endif
