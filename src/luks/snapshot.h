/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_LUKS_SNAPSHOT_H
#define COF_LUKS_SNAPSHOT_H

/*
 * A copy of a header in memory. libcryptsetup mends a damaged copy of a LUKS2 header from the
 * other one whenever it loads it, so what only reads must not give it the device. Private to
 * src/luks.
 */

#include "disk_header.h"
#include "fresh.h"

/**
 * struct snapshot - an anonymous file as large as the device, holes wherever nothing was copied
 * @device:    the device, opened read-only
 * @memory_fd: the file
 * @path:      by which this process can open the file again; "" where there is none
 */
struct snapshot {
	struct fresh device;
	int memory_fd;
	char path[32];
};

/* What snapshot_done() accepts before snapshot_take(). */
#define SNAPSHOT_NONE ((struct snapshot){ .device = FRESH_NONE, .memory_fd = -1 })

/**
 * snapshot_take() - copy the metadata of a header
 * @device:  or the detached header
 * @headers: what disk_header_read() found there; where a copy is damaged, the start and the end
 *           of the device are copied as well, so that libcryptsetup sees what else lives there
 *           and refuses as it would on the device
 *
 * Fails: COF_E_NOENT, COF_E_IO, COF_E_FORMAT (cut off), COF_E_NOMEM
 */
cof_result snapshot_take(const char *device, const struct disk_headers *headers,
			 struct snapshot *ret_snapshot, struct cof_error *err);

/**
 * snapshot_add() - copy a part more
 * @device: what errors name
 * Fails: COF_E_IO, COF_E_FORMAT (cut off), COF_E_NOMEM
 */
cof_result snapshot_add(const struct snapshot *snapshot, const char *device, uint64_t offset_bytes,
			uint64_t part_bytes, struct cof_error *err);

void snapshot_done(struct snapshot *snapshot);
#define _cleanup_snapshot_ _cleanup_(snapshot_done)

#endif
