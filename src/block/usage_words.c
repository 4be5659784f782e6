/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "identity.h"
#include "usage_words.h"

/* Fills in both texts for a device-mapper device. */
static void words_of_map(const char *name, const char *uuid, struct usage *usage)
{
	char group[128];

	switch (map_kind_of(uuid)) {
	case MAP_LVM:
		lvm_group_of(name, group, sizeof(group));
		(void)snprintf(usage->text, sizeof(usage->text), "LVM (%s)", group);
		(void)snprintf(usage->remedy, sizeof(usage->remedy), "vgchange --activate n %s",
			       group);
		break;
	case MAP_CRYPT:
		(void)snprintf(usage->text, sizeof(usage->text), "open as %s", name);
		(void)snprintf(usage->remedy, sizeof(usage->remedy), "coffer disk close %s", name);
		break;
	case MAP_MULTIPATH:
		(void)snprintf(usage->text, sizeof(usage->text), "multipath leg of %s", name);
		(void)snprintf(usage->remedy, sizeof(usage->remedy),
			       "name the map instead: /dev/mapper/%s", name);
		break;
	case MAP_PARTITION:
		(void)snprintf(usage->text, sizeof(usage->text), "partition mapping %s", name);
		(void)snprintf(usage->remedy, sizeof(usage->remedy), "dmsetup remove %s", name);
		break;
	case MAP_OTHER:
		(void)snprintf(usage->text, sizeof(usage->text), "device-mapper (%s)", name);
		(void)snprintf(usage->remedy, sizeof(usage->remedy),
			       "dmsetup table %s, to see what it is", name);
		break;
	}
}

void usage_of_holder(const char *kname, const char *map_name, const char *map_uuid,
		     struct usage *ret_usage)
{
	struct usage usage = { 0 };

	if (map_name[0] != '\0') {
		words_of_map(map_name, map_uuid, &usage);
	} else if (strncmp(kname, "loop", 4) == 0) {
		(void)snprintf(usage.text, sizeof(usage.text), "behind %s", kname);
		(void)snprintf(usage.remedy, sizeof(usage.remedy), "losetup --detach /dev/%s",
			       kname);
	} else {
		(void)snprintf(usage.text, sizeof(usage.text), "%s", kname);
		if (strncmp(kname, "md", 2) == 0)
			(void)snprintf(usage.remedy, sizeof(usage.remedy), "mdadm --stop /dev/%s",
				       kname);
	}
	*ret_usage = usage;
}
