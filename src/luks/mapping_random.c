/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mappings without a header, with a key that exists in the kernel alone: for swap.
 */

#include "context.h"
#include "mapping.h"

#define VOLUME_KEY_BYTES 64 /* aes-xts with two keys of 256 bits */

cof_result luks_activate_random(const char *device, const char *name, uint32_t sector_bytes,
				struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	struct crypt_params_plain params = { .sector_size = sector_bytes };
	char why_not[160];
	int status;

	ENSURE(luks_kernel_can(why_not, sizeof(why_not)), err, COF_E_UNSUPPORTED, device,
	       "cannot be mapped: %s", why_not);
	TRY(volume_key_random(VOLUME_KEY_BYTES, &key, err));
	TRY(luks_context_new(device, NULL, &context, err));
	status = crypt_format(context->cd, CRYPT_PLAIN, "aes", "xts-plain64", NULL, NULL,
			      VOLUME_KEY_BYTES, &params);
	if (status < 0)
		return luks_raise(context, status, err, "cannot be mapped as %s", name);
	luks_mapper_begin();
	status = crypt_activate_by_volume_key(context->cd, name, (const char *)key->secret.data,
					      key->secret.len, 0);
	luks_mapper_end();
	if (status < 0)
		return luks_raise(context, status, err, "cannot be mapped as %s", name);
	return COF_OK;
}
