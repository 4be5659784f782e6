/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which headers the engine can serve, pure: see engine.h.
 */

#include "engine.h"

#include "sector.h"

cof_result engine_check(const struct luks_info *info, const char *device, struct cof_error *err)
{
	struct sector_spec spec;
	struct cof_error reason = { 0 };

	/* With integrity the data lies between tags, which only dm-integrity knows how to find. */
	ENSURE(info->integrity[0] == '\0', err, COF_E_UNSUPPORTED, device,
	       "its sectors carry integrity tags (%s), which need the kernel's dm-integrity",
	       info->integrity);
	ENSURE(!info->hw_opal, err, COF_E_UNSUPPORTED, device,
	       "the drive itself encrypts it (OPAL), which needs the kernel to unlock the drive");
	/* Half of the sectors are under another key or not encrypted at all. */
	ENSURE(!info->reencrypting, err, COF_E_UNSUPPORTED, device,
	       "a re-encryption of it is not finished");
	ENSURE(info->sector_bytes >= 512 && info->sector_bytes <= 4096 &&
		       (info->sector_bytes & (info->sector_bytes - 1)) == 0,
	       err, COF_E_UNSUPPORTED, device, "its sectors are %u bytes", info->sector_bytes);
	ENSURE(!cof_failed(sector_spec_parse(info->cipher, info->cipher_mode, info->key_bytes,
					     &spec, &reason)),
	       err, COF_E_UNSUPPORTED, device, "it is encrypted with %s-%s: %s", info->cipher,
	       info->cipher_mode, reason.text);

	return COF_OK;
}
