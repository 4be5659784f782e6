/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CRYPTO_SECTOR_SPEED_H
#define COF_CRYPTO_SECTOR_SPEED_H

/*
 * How fast this processor does a sector cipher, in this process, on one core.
 */

#include "sector.h"

/** struct sector_speed - bytes per second of processor time */
struct sector_speed {
	uint64_t encrypt;
	uint64_t decrypt;
};

/**
 * sector_speed_measure() - with a random key, on memory that stays in the cache
 * @sector_bytes: 512, 1024, 2048 or 4096
 * @duration_ms:  of each direction, at least 1; of this thread's processor time, so that other
 *                programs do not count
 * Fails: COF_E_FAILED (the library), COF_E_NOMEM
 */
cof_result sector_speed_measure(const struct sector_spec *spec, size_t sector_bytes,
				unsigned int duration_ms, struct sector_speed *ret_speed,
				struct cof_error *err);

#endif
