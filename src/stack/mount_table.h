/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STACK_MOUNT_TABLE_H
#define COF_STACK_MOUNT_TABLE_H

/*
 * What is mounted, as the kernel says, and who keeps it busy.
 */

#include <limits.h>

#include "result.h"

/** struct mounted - what a folder shows */
struct mounted {
	bool found;
	dev_t number;
	char type[64];
	char source[PATH_MAX];
};

/** mounted_at() - the file system that is mounted on top at @folder, if one is
 * Fails: COF_E_IO (the mount table cannot be read) */
cof_result mounted_at(const char *folder, struct mounted *ret_mounted, struct cof_error *err);

/** mounted_is() - whether it is @device, a block device's path */
bool mounted_is(const struct mounted *mounted, const char *device);

/** mount_users() - "process 17 (bash), process 21 (vim)": the first that have a file or their
 * folder in the file system mounted at @folder; "" for none; and what is mounted below it */
void mount_users(const char *folder, char *out, size_t out_size_bytes);

#endif
