/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_VAULT_KEYSTORE_H
#define COF_VAULT_KEYSTORE_H

/*
 * Keystore: where sealed values are kept. An engine is one file and one const table; the code
 * above cannot tell which it is on. Made so that a distributed engine (etcd) fits as well as the
 * embedded one (SQLite): flat keys, revisions, compare-and-swap, transactions, watching.
 *
 * An engine sees sealed values only, and never a secret.
 *
 * Keys are printable UTF-8 of 1 to 512 bytes, by convention kind/name. Values are 1 byte to
 * 64 MiB. The store has one revision, which grows by at least one with each commit; a record's
 * revision is that of the commit that wrote it.
 */

#include <stdint.h>

#include "buffer.h"
#include "cleanup.h"
#include "result.h"

#define KEYSTORE_KEY_MAX_BYTES	 512
#define KEYSTORE_VALUE_MAX_BYTES (64u << 20)

struct keystore;

/** struct keystore_change - one write of a transaction */
struct keystore_change {
	const char *key;
	struct span value;	    /* { NULL, 0 } deletes */
	uint64_t expected_revision; /* what the record must have now; 0: it must not exist;
				       KEYSTORE_ANY: whatever it is */
};

#define KEYSTORE_ANY UINT64_MAX

/** keystore_visit - called for one record; borrowed; a failure ends the walk and is passed up */
typedef cof_result (*keystore_visit)(const char *key, struct span value, uint64_t revision,
				     void *context, struct cof_error *err);

/**
 * struct keystore_engine - one kind of keystore
 * @name:     as in `keystore = NAME`
 * @open:     open what is at @location, made if @create and missing.
 *            Fails: COF_E_NOENT, COF_E_FORMAT (not one of ours, damaged, newer schema), COF_E_IO
 * @close:    never fails; NULL does nothing
 * @get:      @ret_value appended to. Fails: COF_E_IO, COF_E_FORMAT
 * @walk:     all records whose key starts with @prefix, in byte order, from one snapshot
 * @commit:   all changes or none, durable when it returns, each checked against its expected
 *            revision. Fails: COF_E_CONFLICT (names the key), COF_E_NOSPC, COF_E_IO, COF_E_BUSY
 * @revision: of the store as it is now
 * @watch:    wait until the store's revision is above @since or @timeout_ms is over
 * @snapshot: a whole copy of one moment in a new file at @path, durable. Fails: COF_E_REFUSED
 *            (exists), COF_E_NOSPC, COF_E_IO
 * @check:    the engine's own integrity check. Fails: COF_E_FORMAT, with what it found
 */
struct keystore_engine {
	const char *name;
	cof_result (*open)(const char *location, bool create, struct keystore **ret_keystore,
			   struct cof_error *err);
	void (*close)(struct keystore *keystore);
	cof_result (*get)(struct keystore *keystore, const char *key, struct buffer *ret_value,
			  uint64_t *ret_revision, bool *ret_found, struct cof_error *err);
	cof_result (*walk)(struct keystore *keystore, const char *prefix, keystore_visit visit,
			   void *context, struct cof_error *err);
	cof_result (*commit)(struct keystore *keystore, const struct keystore_change changes[],
			     size_t count, uint64_t *ret_revision, struct cof_error *err);
	cof_result (*revision)(struct keystore *keystore, uint64_t *ret_revision,
			       struct cof_error *err);
	cof_result (*watch)(struct keystore *keystore, uint64_t since, unsigned int timeout_ms,
			    uint64_t *ret_revision, struct cof_error *err);
	cof_result (*snapshot)(struct keystore *keystore, const char *path, struct cof_error *err);
	cof_result (*check)(struct keystore *keystore, struct cof_error *err);
};

/** keystore_sqlite - one SQLite file; see src/vault/sqlite.c */
extern const struct keystore_engine keystore_sqlite;

#endif
