/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "device.h"
#include "name_list.h"

void device_free(struct device *device)
{
	if (!device)
		return;
	free(device->node);
	free(device->kname);
	free(device->stable);
	free(device->vendor);
	free(device->model);
	free(device->serial);
	free(device->wwn);
	free(device->transport);
	free(device->backing_file);
	free(device->multipath_map);
	free(device->parent);
	name_list_free(device->links);
	name_list_free(device->legs);
	name_list_free(device->holders);
	free(device);
}

void device_list_done(struct device_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		device_free(list->items[i]);
	free(list->items);
	*list = (struct device_list){ 0 };
}

cof_result device_claim(const struct device *device, bool read_only, int *ret_fd,
			struct cof_error *err)
{
	int flags = (read_only ? O_RDONLY : O_RDWR) | O_EXCL | O_CLOEXEC | O_NOCTTY;
	int fd = open(device->node, flags);

	if (fd < 0 && errno == EBUSY)
		FAIL(err, COF_E_BUSY, device->node, "is held by another program or by the kernel");
	if (fd < 0)
		return cof_raise_errno(err, errno, device->node, "cannot be opened exclusively");
	*ret_fd = fd;
	return COF_OK;
}
