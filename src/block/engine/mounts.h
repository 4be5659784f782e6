/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_ENGINE_MOUNTS_H
#define COF_BLOCK_ENGINE_MOUNTS_H

/*
 * Lines of /proc/self/mountinfo (proc_pid_mountinfo(5)), pure.
 */

#include <limits.h>
#include <stdbool.h>

/** struct mount_line - one mount */
struct mount_line {
	unsigned int major, minor;
	char folder[PATH_MAX];
	char type[64];
	char source[PATH_MAX];
};

/** mount_line_parse() - one line; false for what is none, or has a field that is too long */
bool mount_line_parse(const char *line, struct mount_line *ret_mount);

#endif
