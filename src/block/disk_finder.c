/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a record to the device that carries its header, safe against renamed and swapped disks.
 */

#include <stdio.h>
#include <string.h>

#include "disk_result.h"
#include "parallel.h"

void disk_finder_done(struct disk_finder *finder)
{
	free(finder->uuids);
	device_list_done(&finder->devices);
	*finder = (struct disk_finder){ 0 };
}

/* parallel_each()'s work: the LUKS UUID on one device. Legs of a multipath map cannot be used. */
static void read_uuid(size_t index, void *context)
{
	struct disk_finder *finder = context;
	const struct device *device = finder->devices.items[index];
	struct luks_info info;

	finder->uuids[index][0] = '\0';
	if (!device->multipath_map[0] && !cof_failed(luks_read(device->node, NULL, &info, NULL)))
		(void)snprintf(finder->uuids[index], sizeof(finder->uuids[index]), "%s", info.uuid);
}

cof_result disk_finder_init(struct disk_finder *ret_finder, struct cof_error *err)
{
	_cleanup_(disk_finder_done) struct disk_finder finder = { 0 };

	TRY(device_scan(&finder.devices, err));
	finder.uuids = calloc(finder.devices.count + 1, sizeof(*finder.uuids));
	ENSURE(finder.uuids, err, COF_E_NOMEM, NULL, "no memory for %zu devices",
	       finder.devices.count);
	parallel_each(finder.devices.count, read_uuid, &finder);
	*ret_finder = finder;
	finder = (struct disk_finder){ 0 };
	return COF_OK;
}

bool disk_has_stable_name(const struct disk *disk, const struct device *device)
{
	for (char **link = device->links; link && *link; link++) {
		if (disk->stable[0] && strcmp(*link, disk->stable) == 0)
			return true;
	}
	return disk->backing_file[0] && strcmp(device->backing_file, disk->backing_file) == 0;
}

/* The device with the record's name does not have its header: what a swapped disk looks like. */
static cof_result refuse_other_header(const struct disk *disk, const struct device *device,
				      const char *uuid, struct cof_error *err)
{
	if (uuid[0]) {
		cof_ignore(cof_raise(err, COF_E_REFUSED, disk->name,
				     "%s holds another LUKS header: its UUID is %s, the record "
				     "says %s",
				     device->node, uuid, disk->uuid));
		cof_error_try(err, "coffer disk list, to see which disk is where");
		return (cof_result){ COF_E_REFUSED };
	}
	cof_ignore(cof_raise(err, COF_E_FORMAT, disk->name, "%s has no valid LUKS header",
			     device->node));
	cof_error_try(err, "coffer disk header repair %s", disk->name);
	return (cof_result){ COF_E_FORMAT };
}

cof_result disk_finder_find(const struct disk_finder *finder, const struct disk *disk,
			    const struct device **ret_device, struct cof_error *err)
{
	const struct device *by_uuid = NULL;
	size_t clones = 0;
	size_t named = SIZE_MAX;

	for (size_t i = 0; i < finder->devices.count; i++) {
		const struct device *device = finder->devices.items[i];
		bool same = strcmp(finder->uuids[i], disk->uuid) == 0;

		if (same && disk_has_stable_name(disk, device)) {
			*ret_device = device;
			return COF_OK;
		}
		if (same) {
			by_uuid = device;
			clones++;
		} else if (disk_has_stable_name(disk, device)) {
			named = i;
		}
	}
	if (named != SIZE_MAX && clones == 0)
		return refuse_other_header(disk, finder->devices.items[named], finder->uuids[named],
					   err);
	ENSURE(clones > 0, err, COF_E_NOENT, disk->name, "no device has its LUKS header (%s)",
	       disk->uuid);
	ENSURE(clones == 1, err, COF_E_REFUSED, disk->name,
	       "%zu devices have its LUKS header (%s), and none its stable name", clones,
	       disk->uuid);
	*ret_device = by_uuid;
	return COF_OK;
}
