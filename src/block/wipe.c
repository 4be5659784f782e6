/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include <blkid.h>

#include "device.h"

static void probe_freep(blkid_probe *probe)
{
	if (*probe)
		blkid_free_probe(*probe);
}

cof_result device_wipe_signatures(const struct device *device, int fd, struct cof_error *err)
{
	_cleanup_(probe_freep) blkid_probe probe = blkid_new_probe();

	ENSURE(probe && blkid_probe_set_device(probe, fd, 0, 0) == 0, err, COF_E_IO, device->node,
	       "cannot be searched for signatures");
	(void)blkid_probe_enable_superblocks(probe, 1);
	(void)blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_MAGIC | BLKID_SUBLKS_BADCSUM);
	(void)blkid_probe_enable_partitions(probe, 1);
	(void)blkid_probe_set_partitions_flags(probe, BLKID_PARTS_MAGIC | BLKID_PARTS_FORCE_GPT);
	while (blkid_do_probe(probe) == 0) {
		if (blkid_do_wipe(probe, 0) < 0)
			return cof_raise_errno(err, errno, device->node,
					       "an old signature cannot be removed");
	}
	if (fsync(fd) < 0)
		return cof_raise_errno(err, errno, device->node, "cannot be made durable");
	return COF_OK;
}
