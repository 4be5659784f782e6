/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fs.xfs.
 */

#include "fs.h"

static const struct fs_kind xfs = {
	.type = "xfs",
	.mkfs = (const char *const[]){ "mkfs.xfs", "-q", "-f", "-K", "-m", NULL },
};

static bool xfs_probe(char *why_not, size_t why_not_size_bytes)
{
	return fs_can("mkfs.xfs", why_not, why_not_size_bytes);
}

static cof_result xfs_plan(struct service *service, const struct resource *resource,
			   struct provision_plan *ret_plan, struct cof_error *err)
{
	return fs_plan(&xfs, service, resource, ret_plan, err);
}

static cof_result xfs_provision(struct service *service, const struct resource *resource,
				struct cof_error *err)
{
	return fs_provision(&xfs, service, resource, err);
}

static cof_result xfs_start(struct service *service, const struct resource *resource,
			    struct cof_error *err)
{
	return fs_start(&xfs, service, resource, err);
}

const struct driver driver_fs_xfs = {
	.group = "fs",
	.type = "xfs",
	.keywords = fs_keywords,
	.no_devices = true,
	.probe = xfs_probe,
	.label = fs_label,
	.status = fs_status,
	.devices = fs_devices,
	.plan = xfs_plan,
	.provision = xfs_provision,
	.start = xfs_start,
	.stop = fs_stop,
	.unprovision = fs_unprovision,
};
