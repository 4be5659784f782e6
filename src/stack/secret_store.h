/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STACK_SECRET_STORE_H
#define COF_STACK_SECRET_STORE_H

/*
 * Secrets of services in the vault: an object NAMESPACE/sec/NAME has keys, each with a value.
 *
 * Records of the kind "secret-object" are the objects, "NAMESPACE:NAME"; of the kind "secret" their
 * keys, "NAMESPACE:NAME:KEY". What is removed stays in the history of its record: the newest
 * generation has no value then, and secret_restore() brings the last value back.
 */

#include "service_path.h"
#include "vault.h"

#define SECRET_KIND	       "secret"
#define SECRET_OBJECT_KIND     "secret-object"
#define SECRET_KEY_CHARS       96    /* with the NUL */
#define SECRET_VALUE_MAX_BYTES 65536 /* our own bound */

#define SECRET_MANAGED_CHARS 256 /* of a passphrase that coffer makes for a resource */

/** secret_create() - an object without keys. @ret_made: false: it was there.
 * Fails: as vault_commit(). Fault points "secret/..." as below */
cof_result secret_create(struct vault *vault, const struct service_path *path, bool *ret_made,
			 struct cof_error *err);

/** secret_exists() - whether there is such an object */
cof_result secret_exists(struct vault *vault, const struct service_path *path, bool *ret_exists,
			 struct cof_error *err);

/** enum secret_put - what a key must be before it gets a value */
enum secret_put {
	SECRET_ADD,    /* it must have none */
	SECRET_CHANGE, /* it must have one */
};

/**
 * secret_put() - give a key a value; the one before stays in the history
 * @value: borrowed
 * An object that is not there is made with its first key.
 * Fails: COF_E_REFUSED (SECRET_ADD, and it has one), COF_E_NOENT (SECRET_CHANGE, and it has none),
 * COF_E_USAGE (the key's name; too long a value), as vault_commit()
 */
cof_result secret_put(struct vault *vault, const struct service_path *path, const char *key,
		      enum secret_put how, const struct slot_secret *value, struct cof_error *err);

/** secret_check_put() - that secret_put() would be possible. Fails: as it, but for the value */
cof_result secret_check_put(struct vault *vault, const struct service_path *path, const char *key,
			    enum secret_put how, struct cof_error *err);

/** secret_get() - the value of a key; caller frees. @ret_found: false: it has none.
 * Fails: COF_E_USAGE (the key's name), as vault_get() */
cof_result secret_get(struct vault *vault, const struct service_path *path, const char *key,
		      struct slot_secret **ret_value, bool *ret_found, struct cof_error *err);

/** secret_keys() - names of the keys that have a value, sorted; caller frees, name_list_free() */
cof_result secret_keys(struct vault *vault, const struct service_path *path, char ***ret_keys,
		       struct cof_error *err);

/** secret_remove() - a key has no value any more; its history has it. Not there: COF_E_NOENT */
cof_result secret_remove(struct vault *vault, const struct service_path *path, const char *key,
			 struct cof_error *err);
/** secret_restore() - the last value of a key that was removed is its value again.
 * Fails: COF_E_NOENT (there never was one), COF_E_REFUSED (it has a value) */
cof_result secret_restore(struct vault *vault, const struct service_path *path, const char *key,
			  struct cof_error *err);
/** secret_destroy() - a key goes with all its history. Not there is success */
cof_result secret_destroy(struct vault *vault, const struct service_path *path, const char *key,
			  struct cof_error *err);

/**
 * secret_make_passphrase() - SECRET_MANAGED_CHARS characters, each with the same chance, from
 * letters, digits and ASCII punctuation but ' and \: 92 characters, 6.5 bits each
 */
cof_result secret_make_passphrase(struct slot_secret **ret_passphrase, struct cof_error *err);

/** secret_key_of_resource() - "disk_1_crypt_passphrase" for "disk#1"; returns @out */
char *secret_key_of_resource(const char *rid, char out[static SECRET_KEY_CHARS]);

#endif
