/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STACK_FS_H
#define COF_STACK_FS_H

/*
 * What the drivers of file systems share; private to them.
 */

#include "driver_help.h"

/** fs_keywords - dev, mnt, mnt_opt, mkfs_opt */
extern const struct keyword fs_keywords[];

/**
 * struct fs_kind - one kind of file system
 * @type:     as mount(8) and libblkid have it
 * @mkfs:     the words that make one, up to the UUID's; NULL-terminated
 * @check:    the words that check one before it is mounted; NULL: it needs none
 * @is_clean: whether an exit status of @check means that it may be mounted
 */
struct fs_kind {
	const char *type;
	const char *const *mkfs;
	const char *const *check;
	bool (*is_clean)(int status);
};

cof_result fs_label(struct service *service, const struct resource *resource, char *out,
		    size_t out_size_bytes, struct cof_error *err);
cof_result fs_status(struct service *service, const struct resource *resource,
		     struct status *ret_status, struct cof_error *err);
cof_result fs_devices(struct service *service, const struct resource *resource,
		      enum device_role role, char ***ret_names, struct cof_error *err);
cof_result fs_stop(struct service *service, const struct resource *resource, struct cof_error *err);
cof_result fs_unprovision(struct service *service, const struct resource *resource,
			  struct cof_error *err);
cof_result fs_plan(const struct fs_kind *kind, struct service *service,
		   const struct resource *resource, struct provision_plan *ret_plan,
		   struct cof_error *err);
cof_result fs_provision(const struct fs_kind *kind, struct service *service,
			const struct resource *resource, struct cof_error *err);
cof_result fs_start(const struct fs_kind *kind, struct service *service,
		    const struct resource *resource, struct cof_error *err);
/** fs_can() - whether the program @mkfs is installed */
bool fs_can(const char *mkfs, char *why_not, size_t why_not_size_bytes);

#endif
