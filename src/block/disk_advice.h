/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_DISK_ADVICE_H
#define COF_BLOCK_DISK_ADVICE_H

/*
 * What suits a device: the size of encryption sectors and dm-crypt's flags.
 */

#include "device.h"

/**
 * struct disk_advice
 * @kind:	  "rotating", "flash", "nvme", "file" (a loop device); static
 * @sector_bytes: of the encryption, 512 or 4096
 * @flags:	  LUKS_FLAG_..., never LUKS_FLAG_DISCARD, which is for the user to weigh
 * @why_sector, @why_flags: one sentence each, no full stop; static
 */
struct disk_advice {
	const char *kind;
	uint32_t sector_bytes;
	uint32_t flags;
	const char *why_sector;
	const char *why_flags;
};

/**
 * disk_advise() - pure
 * @aes: the processor does AES itself; without that, encrypting at once would hold up whoever asks
 */
void disk_advise(const struct device *device, bool aes, struct disk_advice *ret_advice);

/**
 * disk_read_speed() - how fast a device reads from its start, without the page cache
 * @duration_ms: at most; and at most 256 MiB
 * @ret_bytes_per_s: 0 where nothing could be read
 * Never writes. Fails: COF_E_IO, COF_E_NOENT, COF_E_NOMEM
 */
cof_result disk_read_speed(const struct device *device, unsigned int duration_ms,
			   uint64_t *ret_bytes_per_s, struct cof_error *err);

#endif
