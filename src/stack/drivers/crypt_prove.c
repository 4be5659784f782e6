/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk.crypt: loss protection. What could not be opened again is not closed.
 */

#include <stdio.h>
#include <string.h>

#include "crypt.h"

/* The header on the open volume's device is its own, and opens with the stored key. */
static cof_result prove_open(struct service *service, const struct resource *resource,
			     const struct disk_open_state *open, const struct crypt_secret *secret,
			     struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *volume_key = NULL;
	struct luks_info info;
	bool found;

	TRY(crypt_key(service, resource, &key, &found, err));
	ENSURE(found, err, COF_E_REFUSED, secret->text, "has no %s key", secret->key);
	TRY(luks_read(open->source, NULL, &info, err));
	ENSURE(strcmp(info.uuid, open->uuid) == 0, err, COF_E_REFUSED, open->source,
	       "has the header of another volume: its UUID is %s, the open volume's is %s",
	       info.uuid, open->uuid);
	return luks_unlock(open->source, NULL, key, LUKS_ANY_SLOT, &volume_key, NULL, err);
}

cof_result crypt_prove(struct service *service, const struct resource *resource,
		       struct cof_error *err)
{
	char name[VOLUME_NAME_MAX_CHARS + 1];
	struct disk_open_state open;
	struct crypt_secret secret;
	cof_result proven;

	TRY(crypt_name(service, resource, name, err));
	TRY(disk_state_of(service->paths, name, &open, err));
	if (!open.open)
		return COF_OK;
	TRY(crypt_secret(service, resource, &secret, err));
	proven = prove_open(service, resource, &open, &secret, err);
	if (!cof_failed(proven) || proven.code == COF_E_LOCKED)
		return proven;
	cof_ignore(cof_explain(proven, err, NULL,
			       "%s was not stopped: %s could not be opened again", service->text,
			       resource->rid));
	if (proven.code == COF_E_REFUSED)
		cof_error_try(err,
			      "coffer secret restore %s --key %s; or copy the data elsewhere "
			      "while it is reachable; --force stops all the same",
			      secret.text, secret.key);
	else
		cof_error_try(err, "copy the data elsewhere while it is reachable; --force stops "
				   "all the same");
	if (err)
		err->code = COF_E_REFUSED;
	return (cof_result){ COF_E_REFUSED };
}
