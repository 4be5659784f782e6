/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BASE_MOUNTPOINT_H
#define COF_BASE_MOUNTPOINT_H

/*
 * Mount points: what a path lies on, and whether something that should be mounted is not.
 */

#include <stdbool.h>
#include <stddef.h>

#include "result.h"

/** mount_is_root() - whether something is mounted at just this folder */
bool mount_is_root(const char *path);

/** mount_is_away() - whether nothing is mounted at @mount, which was a mount point; the root is
 * never away, nor is "", for none */
bool mount_is_away(const char *mount);

/** mount_is_within() - whether @folder is @above or lies below it, by their names; pure */
bool mount_is_within(const char *folder, const char *above);

/** mount_of() - the mount point that an existing @path is on; caller frees.
 * Fails: COF_E_IO, COF_E_NOENT */
cof_result mount_of(const char *path, char **ret_mount, struct cof_error *err);

/**
 * mount_find_missing() - the mount point of a line in fstab on which a folder is to lie and where
 * nothing is mounted
 * @fstab:  path of the file; NULL, or not there: it has no lines
 * @folder: absolute; need not be there
 * @out:    the mount point, cut to @out_size_bytes
 *
 * Returns whether there is one.
 */
bool mount_find_missing(const char *fstab, const char *folder, char *out, size_t out_size_bytes);

#endif
