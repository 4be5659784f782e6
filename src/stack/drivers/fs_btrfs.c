/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fs.btrfs.
 */

#include "fs.h"

static const struct fs_kind btrfs = {
	.type = "btrfs",
	.mkfs = (const char *const[]){ "mkfs.btrfs", "-q", "-f", "-K", "-U", NULL },
};

static bool btrfs_probe(char *why_not, size_t why_not_size_bytes)
{
	return fs_can("mkfs.btrfs", why_not, why_not_size_bytes);
}

static cof_result btrfs_plan(struct service *service, const struct resource *resource,
			     struct provision_plan *ret_plan, struct cof_error *err)
{
	return fs_plan(&btrfs, service, resource, ret_plan, err);
}

static cof_result btrfs_provision(struct service *service, const struct resource *resource,
				  struct cof_error *err)
{
	return fs_provision(&btrfs, service, resource, err);
}

static cof_result btrfs_start(struct service *service, const struct resource *resource,
			      struct cof_error *err)
{
	return fs_start(&btrfs, service, resource, err);
}

const struct driver driver_fs_btrfs = {
	.group = "fs",
	.type = "btrfs",
	.keywords = fs_keywords,
	.no_devices = true,
	.probe = btrfs_probe,
	.label = fs_label,
	.status = fs_status,
	.devices = fs_devices,
	.plan = btrfs_plan,
	.provision = btrfs_provision,
	.start = btrfs_start,
	.stop = fs_stop,
	.unprovision = fs_unprovision,
};
