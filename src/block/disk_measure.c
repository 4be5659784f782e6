/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>

#include "clock.h"
#include "disk_advice.h"

#define READ_BYTES     ((size_t)1 << 20)
#define READ_MAX_BYTES (UINT64_C(256) << 20)
#define ALIGN_BYTES    4096 /* of memory for O_DIRECT, for any device */

cof_result disk_read_speed(const struct device *device, unsigned int duration_ms,
			   uint64_t *ret_bytes_per_s, struct cof_error *err)
{
	_cleanup_fd_ int fd = open(device->node, O_RDONLY | O_CLOEXEC | O_DIRECT);
	_cleanup_free_ void *room = aligned_alloc(ALIGN_BYTES, READ_BYTES);
	uint64_t start = clock_ms();
	uint64_t done = 0;
	uint64_t spent = 0;
	ssize_t got;

	ENSURE(room, err, COF_E_NOMEM, device->node, "no memory to read it");
	if (fd < 0)
		return cof_raise_errno(err, errno, device->node, "cannot be opened");
	do {
		got = pread(fd, room, READ_BYTES, (off_t)done);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return cof_raise_errno(err, errno, device->node,
					       "cannot be read at byte %llu",
					       (unsigned long long)done);
		done += (uint64_t)got;
		spent = clock_ms() - start;
	} while (got > 0 && spent < duration_ms && done < READ_MAX_BYTES);
	spent = clock_ms() - start;
	*ret_bytes_per_s = done * 1000 / (spent ? spent : 1);
	return COF_OK;
}
