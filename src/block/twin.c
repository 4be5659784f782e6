/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "twin.h"
#include "usage.h"

/* Whether @other is a second path to, or a clone of, the whole disk @disk. */
static bool is_twin(const struct device *disk, const struct device *other)
{
	bool same_map = disk->multipath_map[0] != '\0' &&
			strcmp(other->multipath_map, disk->multipath_map) == 0;

	return strcmp(other->kname, disk->kname) != 0 && other->parent[0] == '\0' &&
	       strcmp(other->wwn, disk->wwn) == 0 && other->size_bytes == disk->size_bytes &&
	       strcmp(other->multipath_map, disk->kname) != 0 &&
	       strcmp(disk->multipath_map, other->kname) != 0 && !same_map;
}

cof_result twin_find(const struct block_roots *roots, const struct device *device,
		     struct twin *ret_twin, bool *ret_found, struct cof_error *err)
{
	_cleanup_(device_list_done) struct device_list list = { 0 };
	const struct device *disk = device;
	struct twin twin = { 0 };
	bool found = false;

	/* A WWN is worldwide; serial numbers are not, and most have neither. */
	if (device->wwn[0] != '\0')
		TRY(device_scan_in(roots, &list, err));
	for (size_t i = 0; i < list.count; i++)
		if (strcmp(list.items[i]->kname, device->parent) == 0)
			disk = list.items[i];
	for (size_t i = 0; i < list.count && twin.use[0] == '\0'; i++) {
		struct usage usage;

		if (!is_twin(disk, list.items[i]))
			continue;
		TRY(usage_find(roots, list.items[i], &usage, err));
		(void)snprintf(twin.node, sizeof(twin.node), "%s", list.items[i]->node);
		(void)snprintf(twin.use, sizeof(twin.use), "%s", usage.text);
		found = true;
	}
	*ret_twin = twin;
	*ret_found = found;
	return COF_OK;
}
