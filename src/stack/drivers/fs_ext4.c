/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fs.ext4.
 */

#include "fs.h"

/* e2fsck(8): 1: errors corrected; 2: and a reboot is due where it is the root file system. */
static bool is_clean(int status)
{
	return status == 0 || status == 1 || status == 2 || status == 3;
}

static const struct fs_kind ext4 = {
	.type = "ext4",
	.mkfs = (const char *const[]){ "mkfs.ext4", "-q", "-F", "-E", "nodiscard", "-U", NULL },
	.check = (const char *const[]){ "e2fsck", "-p", NULL },
	.is_clean = is_clean,
};

static bool ext4_probe(char *why_not, size_t why_not_size_bytes)
{
	return fs_can("mkfs.ext4", why_not, why_not_size_bytes);
}

static cof_result ext4_plan(struct service *service, const struct resource *resource,
			    struct provision_plan *ret_plan, struct cof_error *err)
{
	return fs_plan(&ext4, service, resource, ret_plan, err);
}

static cof_result ext4_provision(struct service *service, const struct resource *resource,
				 struct cof_error *err)
{
	return fs_provision(&ext4, service, resource, err);
}

static cof_result ext4_start(struct service *service, const struct resource *resource,
			     struct cof_error *err)
{
	return fs_start(&ext4, service, resource, err);
}

const struct driver driver_fs_ext4 = {
	.group = "fs",
	.type = "ext4",
	.keywords = fs_keywords,
	.no_devices = true,
	.probe = ext4_probe,
	.label = fs_label,
	.status = fs_status,
	.devices = fs_devices,
	.plan = ext4_plan,
	.provision = ext4_provision,
	.start = ext4_start,
	.stop = fs_stop,
	.unprovision = fs_unprovision,
};
