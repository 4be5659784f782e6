/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk_header.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "fresh.h"

cof_result device_bytes(const char *path, uint64_t *ret_bytes, struct cof_error *err)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	off_t end;

	if (fd < 0 || fstat(fd, &status) < 0)
		return cof_raise_errno(err, errno, path, "cannot be opened");
	/* Each file system has another answer to where a folder ends. */
	ENSURE(!S_ISDIR(status.st_mode), err, COF_E_FAILED, path, "is a folder");
	end = lseek(fd, 0, SEEK_END);
	if (end < 0)
		return cof_raise_errno(err, errno, path, "has no size");

	*ret_bytes = (uint64_t)end;
	return COF_OK;
}

cof_result device_sector_bytes(const char *path, uint32_t *ret_bytes, struct cof_error *err)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int bytes = 512;
	struct stat status;

	if (fd < 0)
		return cof_raise_errno(err, errno, path, "cannot be opened");
	if (fstat(fd, &status) < 0 || (S_ISBLK(status.st_mode) && ioctl(fd, BLKSSZGET, &bytes) < 0))
		return cof_raise_errno(err, errno, path, "does not say its sector size");

	*ret_bytes = (uint32_t)bytes;
	return COF_OK;
}

/* Reads one binary header and checks it; where the device is too short for it, none is seen. */
static cof_result read_one(const struct fresh *fresh, const char *path,
			   enum disk_header_place place, uint64_t offset_bytes, uint64_t device_end,
			   struct disk_header_copy *ret_copy, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer area = { 0 };
	struct disk_header_copy copy = { 0 };
	uint8_t block[DISK_HEADER_BLOCK_BYTES];

	*ret_copy = copy;
	if (device_end < offset_bytes || device_end - offset_bytes < sizeof(block))
		return COF_OK;
	TRY(fresh_read(fresh, block, sizeof(block), offset_bytes, path, err));
	disk_header_peek(SPAN(block, sizeof(block)), place, offset_bytes, &copy.header, &copy.seen);
	if (copy.seen && device_end - offset_bytes >= copy.header.area_bytes) {
		TRY(buffer_reserve(&area, (size_t)copy.header.area_bytes, err));
		area.len = (size_t)copy.header.area_bytes;
		TRY(fresh_read(fresh, area.data, area.len, offset_bytes, path, err));
		TRY(disk_header_intact(&copy.header, buffer_span(&area), &copy.intact, err));
	}

	*ret_copy = copy;
	return COF_OK;
}

/*
 * Looks for a LUKS2 header's second copy: where the first one says, or at each place where it may
 * be. Not elsewhere while the first is good: an older header may have left one of its own there.
 */
static cof_result read_second(const struct fresh *fresh, const char *path, uint64_t device_end,
			      uint64_t place_bytes, struct disk_header_copy *ret_copy,
			      struct cof_error *err)
{
	uint64_t at = place_bytes ? place_bytes : DISK_HEADER_AREA_MIN;
	uint64_t last = place_bytes ? place_bytes : DISK_HEADER_AREA_MAX;
	struct disk_header_copy copy = { 0 };
	bool any_seen = false;

	for (; at <= last && !copy.intact; at *= 2) {
		TRY(read_one(fresh, path, DISK_HEADER_SECOND, at, device_end, &copy, err));
		any_seen = any_seen || copy.seen;
	}

	copy.seen = any_seen;
	*ret_copy = copy;
	return COF_OK;
}

cof_result disk_header_read(const char *path, struct disk_headers *ret_headers,
			    struct cof_error *err)
{
	_cleanup_fresh_ struct fresh fresh = FRESH_NONE;
	struct disk_header_copy second = { 0 };
	struct disk_header_copy first;
	off_t end;

	TRY(fresh_open(path, &fresh, err));
	end = lseek(fresh.fd, 0, SEEK_END);
	if (end < 0)
		return cof_raise_errno(err, errno, path, "has no size");
	TRY(read_one(&fresh, path, DISK_HEADER_FIRST, 0, (uint64_t)end, &first, err));
	if (!first.intact || first.header.version == 2)
		TRY(read_second(&fresh, path, (uint64_t)end,
				first.intact ? first.header.area_bytes : 0, &second, err));

	*ret_headers = disk_headers_judge(&first, &second);
	return COF_OK;
}
