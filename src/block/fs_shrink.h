/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_FS_SHRINK_H
#define COF_BLOCK_FS_SHRINK_H

/*
 * File systems made smaller by their own tools; private to this folder.
 */

#include "device.h"
#include "fs_extent.h"
#include "paths.h"

/** fs_extent_read() - what the superblock on @node says. Fails: COF_E_IO, COF_E_NOENT,
 * COF_E_NOMEM */
cof_result fs_extent_read(const char *node, struct fs_extent *ret_extent, struct cof_error *err);

/** fs_can_shrink() - whether fs_shrink() knows how: ext, and btrfs on one device; pure */
bool fs_can_shrink(const struct fs_extent *extent);

/**
 * fs_shrink() - make the file system on an unmounted device end before @end_bytes
 * @end_bytes: a multiple of 1 MiB
 *
 * ext is checked and made smaller by e2fsck and resize2fs, which move what lies behind the end:
 * power lost meanwhile can damage it. btrfs is mounted for it below ROOT/run/coffer, and is safe.
 * Fails: COF_E_FAILED (too full, or damaged; the tool's last line is the cause), COF_E_NOENT (no
 * such tool), COF_E_IO
 */
cof_result fs_shrink(const struct paths *paths, const char *node, const struct fs_extent *extent,
		     uint64_t end_bytes, struct cof_error *err);

#endif
