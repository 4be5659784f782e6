/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fresh.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"

/* No device that can carry LUKS has larger sectors, and memory of this alignment suits all. */
#define ALIGN_BYTES ((size_t)4096)
#define STEP_BYTES  ((size_t)256 * 1024)

cof_result fresh_open(const char *path, struct fresh *ret_fresh, struct cof_error *err)
{
	_cleanup_fresh_ struct fresh fresh = FRESH_NONE;
	struct stat status;

	fresh.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fresh.fd < 0 || fstat(fresh.fd, &status) < 0)
		return cof_raise_errno(err, errno, path, "cannot be opened");
	/* A file has one cache for all who read it. */
	if (S_ISBLK(status.st_mode))
		fresh.direct = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_DIRECT);

	*ret_fresh = fresh;
	fresh = FRESH_NONE;
	return COF_OK;
}

void fresh_close(struct fresh *fresh)
{
	fd_closep(&fresh->fd);
	fd_closep(&fresh->direct);
	*fresh = FRESH_NONE;
}

/* Fills @room, which is aligned, from an aligned offset; less than it holds only at the end. */
static bool read_step(int fd, uint8_t *room, size_t len, uint64_t offset_bytes, size_t *ret_got)
{
	size_t got = 0;

	while (got < len) {
		ssize_t count = pread(fd, room + got, len - got, (off_t)(offset_bytes + got));

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return false;
		got += (size_t)count;
		/* A part of a sector can only be the end, and is no place to go on from. */
		if (count == 0 || (size_t)count % 512 != 0)
			break;
	}
	*ret_got = got;
	return true;
}

/* Reads past the cache; false where that does not work, and the other way is to be tried. */
static bool read_direct(int fd, uint8_t *out, size_t len, uint64_t offset_bytes)
{
	_cleanup_free_ uint8_t *room = NULL;
	size_t done = 0;

	if (posix_memalign((void **)&room, ALIGN_BYTES, STEP_BYTES) != 0)
		return false;
	while (done < len) {
		uint64_t at = offset_bytes + done;
		size_t skip = (size_t)(at % ALIGN_BYTES);
		size_t wanted = skip + (len - done);
		size_t got;
		size_t part;

		wanted = (wanted + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;
		wanted = wanted < STEP_BYTES ? wanted : STEP_BYTES;
		if (!read_step(fd, room, wanted, at - skip, &got) || got <= skip)
			return false;
		part = got - skip < len - done ? got - skip : len - done;
		memcpy(out + done, room + skip, part);
		done += part;
	}
	return true;
}

cof_result fresh_read(const struct fresh *fresh, void *out, size_t len, uint64_t offset_bytes,
		      const char *subject, struct cof_error *err)
{
	if (fresh->direct >= 0 && read_direct(fresh->direct, out, len, offset_bytes))
		return COF_OK;
	return fd_pread_all(fresh->fd, out, len, offset_bytes, subject, err);
}
