/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_LUKS_FRESH_H
#define COF_LUKS_FRESH_H

/*
 * Reads of what is on a device now. The kernel keeps what it once read of a block device, and does
 * not learn of what was changed below it: the file of a loop device, a disk that two machines
 * share. Reads past that cache see it. Private to src/luks.
 */

#include "buffer.h"

/**
 * struct fresh - a device or file opened read-only
 * @fd:     through the kernel's cache, for what cannot be read otherwise
 * @direct: past it, or -1: a regular file, or a device that refuses such reads
 */
struct fresh {
	int fd;
	int direct;
};

/* What fresh_close() accepts before fresh_open(). */
#define FRESH_NONE ((struct fresh){ .fd = -1, .direct = -1 })

/** fresh_open() - Fails: COF_E_NOENT, COF_E_IO */
cof_result fresh_open(const char *path, struct fresh *ret_fresh, struct cof_error *err);

/**
 * fresh_read() - exactly @len bytes at an offset
 * @subject: what errors name
 * Fails: COF_E_IO, COF_E_FORMAT (end comes earlier), COF_E_NOMEM
 */
cof_result fresh_read(const struct fresh *fresh, void *out, size_t len, uint64_t offset_bytes,
		      const char *subject, struct cof_error *err);

void fresh_close(struct fresh *fresh);
#define _cleanup_fresh_ _cleanup_(fresh_close)

#endif
