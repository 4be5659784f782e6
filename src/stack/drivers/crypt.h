/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STACK_CRYPT_H
#define COF_STACK_CRYPT_H

/*
 * What the files of disk.crypt share; private to them.
 */

#include "disk.h"
#include "secret_store.h"
#include "service.h"

/** struct crypt_secret - where the passphrase of a resource is */
struct crypt_secret {
	struct service_path path;
	char text[SERVICE_PATH_CHARS];
	char key[SECRET_KEY_CHARS];
};

/** crypt_name() - the volume's. Fails: COF_E_NOENT (it hangs on a device that is not there),
 * COF_E_USAGE */
cof_result crypt_name(struct service *service, const struct resource *resource,
		      char ret_name[static VOLUME_NAME_MAX_CHARS + 1], struct cof_error *err);
cof_result crypt_secret(struct service *service, const struct resource *resource,
			struct crypt_secret *ret_secret, struct cof_error *err);
/** crypt_key() - the passphrase from the vault; caller frees. Fails: COF_E_LOCKED, as vault_get()
 */
cof_result crypt_key(struct service *service, const struct resource *resource,
		     struct slot_secret **ret_key, bool *ret_found, struct cof_error *err);

/* The driver's part in crypt_make.c, and in crypt_prove.c. */
cof_result crypt_plan(struct service *service, const struct resource *resource,
		      struct provision_plan *ret_plan, struct cof_error *err);
cof_result crypt_provision(struct service *service, const struct resource *resource,
			   struct cof_error *err);
cof_result crypt_unprovision(struct service *service, const struct resource *resource,
			     struct cof_error *err);
cof_result crypt_prove(struct service *service, const struct resource *resource,
		       struct cof_error *err);

#endif
