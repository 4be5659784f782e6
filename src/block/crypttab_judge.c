/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "crypttab_judge.h"

#include <string.h>

#include "file.h"
#include "key_place.h"
#include "mountpoint.h"

/* Whether the key of a line is a file of somebody else's that is not there. "FILE:DEVICE" is one on
 * a device that systemd mounts for it. */
static bool lacks_key(const struct paths *paths, const struct disk *disk,
		      const struct crypttab_entry *line)
{
	char mount[512];

	return line->key[0] == '/' && !strchr(line->key, ':') &&
	       !disk_line_is_ours(paths, disk, line) && !path_exists(line->key) &&
	       !mount_find_missing(paths->fstab, line->key, mount, sizeof(mount));
}

unsigned int crypttab_judge(const struct paths *paths, const struct disk *disk, bool attached,
			    const struct crypttab_entry *line)
{
	_cleanup_(device_freep) struct device *device = NULL;
	unsigned int faults = lacks_key(paths, disk, line) ? LINE_NO_KEY : 0;
	const char *path = line->source;
	struct luks_info info;

	/* A file is a source as well: systemd makes a loop device of it. */
	if (!cof_failed(device_find(line->source, &device, NULL)))
		path = device->node;
	else if (path[0] != '/' || !path_exists(path))
		return attached ? faults | LINE_NO_DEVICE : faults;
	if (!cof_failed(luks_read(path, NULL, &info, NULL)) &&
	    strcmp(info.uuid, disk->uuid) != 0)
		faults |= LINE_OTHER_DISK;
	return faults;
}

const char *crypttab_fault_text(unsigned int faults)
{
	if (faults & LINE_OTHER_DISK)
		return "names another disk";
	if (faults & LINE_NO_DEVICE)
		return "names a device that is not there";
	return faults & LINE_NO_KEY ? "names a key file that is not there" : "";
}
