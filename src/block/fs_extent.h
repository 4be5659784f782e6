/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_FS_EXTENT_H
#define COF_BLOCK_FS_EXTENT_H

/*
 * How much of its device a file system uses, from its superblock, pure; private to this folder.
 */

#include "buffer.h"

/* What fs_extent_parse() must be given: btrfs's superblock is at 64 KiB and has 4 KiB. */
#define FS_EXTENT_HEAD_BYTES (128u << 10)

/** enum fs_kind - the file systems that it knows */
enum fs_kind { FS_NONE, FS_EXT, FS_BTRFS, FS_XFS };

/**
 * struct fs_extent - what a superblock says
 * @end_bytes:   from the beginning of the device; nothing behind it belongs to the file system
 * @block_bytes: what it reads and writes at least
 * @devices:     on which it is spread, 1 but for btrfs
 * @clean:       ext: it was unmounted, and had no error; true for the others
 */
struct fs_extent {
	enum fs_kind kind;
	uint64_t end_bytes;
	uint32_t block_bytes;
	uint64_t devices;
	bool clean;
};

/** fs_kind_word() - "ext4", "btrfs", "xfs", "" for none; static */
const char *fs_kind_word(enum fs_kind kind);

/**
 * fs_extent_parse() - read the superblock in the first FS_EXTENT_HEAD_BYTES of a device
 *
 * FS_NONE where there is none of these, more than one of them, or one with an impossible size.
 * Sources: the kernel's fs/ext4/ext4.h (struct ext4_super_block), include/uapi/linux/btrfs_tree.h
 * (struct btrfs_super_block), fs/xfs/libxfs/xfs_format.h (struct xfs_dsb).
 */
struct fs_extent fs_extent_parse(struct span head);

#endif
