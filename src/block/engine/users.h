/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_ENGINE_USERS_H
#define COF_BLOCK_ENGINE_USERS_H

/*
 * Who uses a block device that cannot be closed, in words.
 */

/** struct user - the first use found; @remedy may be empty */
struct user {
	char text[384];
	char remedy[384];
};

/** users_find() - a mount, swap, a device on top, or a process that has @device open */
void users_find(const char *device, struct user *ret_user);

#endif
