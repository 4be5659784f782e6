/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From what was typed to the disk of the vault that it means, and what is on top of a device.
 */

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "disk_result.h"
#include "name_list.h"
#include "sysblock.h"

#define DEPTH_MAX 32 /* devices on devices; the kernel's own limit is lower */

cof_result disk_lookup(const struct disk_set *set, const char *typed, const struct disk **ret_disk,
		       dev_t *ret_number, struct cof_error *err)
{
	_cleanup_(device_freep) struct device *device = NULL;
	const struct disk *disk = disk_set_find(set, typed, NULL);
	struct luks_info info;

	*ret_number = 0;
	if (disk) {
		*ret_disk = disk;
		return COF_OK;
	}
	TRY(disk_device_find(typed, &device, err));
	*ret_number = device->number;
	if (!cof_failed(luks_read(device->node, NULL, &info, NULL)))
		disk = disk_set_find(set, NULL, info.uuid);
	for (size_t i = 0; i < set->count && !disk; i++) {
		if (disk_has_stable_name(&set->items[i], device))
			disk = &set->items[i];
	}
	ENSURE(disk, err, COF_E_NOENT, device->node, "is no disk of the vault");
	*ret_disk = disk;
	return COF_OK;
}

/* Whether @kname is the device, or lies on it. */
static cof_result lies_on(const char *kname, const struct device *device, int depth, bool *ret_lies,
			  struct cof_error *err)
{
	_cleanup_(name_list_freep) char **below = NULL;
	char parent[KNAME_ROOM];

	ENSURE(depth < DEPTH_MAX, err, COF_E_FAILED, kname, "lies on devices without an end");
	*ret_lies = strcmp(kname, device->kname) == 0;
	if (*ret_lies)
		return COF_OK;
	if (sysblock_parent(&block_roots_system, kname, parent))
		TRY(lies_on(parent, device, depth + 1, ret_lies, err));
	TRY(attribute_folder(&block_roots_system, kname, "slaves", &below, err));
	for (char **slave = below; *slave && !*ret_lies; slave++)
		TRY(lies_on(*slave, device, depth + 1, ret_lies, err));
	return COF_OK;
}

cof_result disk_carries(const struct device *device, const char *folder, bool *ret_carries,
			struct cof_error *err)
{
	char kname[KNAME_ROOM];
	struct stat status;

	*ret_carries = false;
	if (stat(folder, &status) != 0 ||
	    !sysblock_by_number(&block_roots_system, status.st_dev, kname))
		return COF_OK;
	return lies_on(kname, device, 0, ret_carries, err);
}

cof_result disk_backs_root(const struct device *device, bool *ret_backs, struct cof_error *err)
{
	static const char *const folders[] = { "/", "/usr" };

	*ret_backs = false;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]) && !*ret_backs; i++)
		TRY(disk_carries(device, folders[i], ret_backs, err));
	return COF_OK;
}
