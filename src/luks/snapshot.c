/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "snapshot.h"

#include <errno.h>
#include <sys/mman.h>

#include "file.h"

#define STEP_BYTES (64u * 1024)
/* At the start and the end of a device: there lie the signatures that libblkid knows. */
#define SIGNATURES_BYTES (1024u * 1024)

cof_result snapshot_add(const struct snapshot *snapshot, const char *device, uint64_t offset_bytes,
			uint64_t part_bytes, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer step = { 0 };
	uint64_t done = 0;

	TRY(buffer_reserve(&step, STEP_BYTES, err));
	while (done < part_bytes) {
		step.len =
			part_bytes - done < STEP_BYTES ? (size_t)(part_bytes - done) : STEP_BYTES;
		TRY(fresh_read(&snapshot->device, step.data, step.len, offset_bytes + done, device,
			       err));
		TRY(cof_explain(fd_pwrite_all(snapshot->memory_fd, buffer_span(&step),
					      offset_bytes + done, "memory", err),
				err, NULL, "no memory for a copy of the header of %s", device));
		done += step.len;
	}
	return COF_OK;
}

/* Copies the metadata, and where a copy of it is damaged, where else libblkid looks. */
static cof_result add_metadata(const struct snapshot *snapshot, const char *device, uint64_t end,
			       const struct disk_headers *headers, struct cof_error *err)
{
	uint64_t metadata = headers->newest.area_bytes * (headers->newest.version == 2 ? 2 : 1);
	uint64_t signatures = end < SIGNATURES_BYTES ? end : SIGNATURES_BYTES;

	/* What was cut off is missing here as well: the file ends where the device does. */
	TRY(snapshot_add(snapshot, device, 0, end < metadata ? end : metadata, err));
	if (headers->first_damaged || headers->second_damaged) {
		TRY(snapshot_add(snapshot, device, 0, signatures, err));
		TRY(snapshot_add(snapshot, device, end - signatures, signatures, err));
	}
	return COF_OK;
}

cof_result snapshot_take(const char *device, const struct disk_headers *headers,
			 struct snapshot *ret_snapshot, struct cof_error *err)
{
	_cleanup_snapshot_ struct snapshot snapshot = SNAPSHOT_NONE;
	off_t end;

	TRY(fresh_open(device, &snapshot.device, err));
	end = lseek(snapshot.device.fd, 0, SEEK_END);
	if (end < 0)
		return cof_raise_errno(err, errno, device, "has no size");
	snapshot.memory_fd = memfd_create("coffer-header", MFD_CLOEXEC);
	if (snapshot.memory_fd < 0 || ftruncate(snapshot.memory_fd, end) < 0)
		return cof_raise_errno(err, errno, device, "no memory for a copy of its header");
	(void)snprintf(snapshot.path, sizeof(snapshot.path), "/proc/self/fd/%d",
		       snapshot.memory_fd);

	TRY(add_metadata(&snapshot, device, (uint64_t)end, headers, err));

	*ret_snapshot = snapshot;
	snapshot = SNAPSHOT_NONE;
	return COF_OK;
}

void snapshot_done(struct snapshot *snapshot)
{
	fresh_close(&snapshot->device);
	fd_closep(&snapshot->memory_fd);
	*snapshot = SNAPSHOT_NONE;
}
