/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs_extent.h"

#include <endian.h>
#include <string.h>

/* struct ext4_super_block */
#define EXT_AT		  1024
#define EXT_BLOCKS_LOW	  0x04
#define EXT_LOG_BLOCK	  0x18 /* block size is 1024 << this */
#define EXT_MAGIC	  0x38
#define EXT_STATE	  0x3a
#define EXT_INCOMPAT	  0x60
#define EXT_BLOCKS_HIGH	  0x150
#define EXT_MAGIC_VALUE	  0xef53
#define EXT_LOG_BLOCK_MAX 6
#define EXT_STATE_CLEAN	  1 /* and no other bit: 2 is an error, 4 orphans */
#define EXT_JOURNAL_DIRTY 0x0004
#define EXT_64BIT	  0x0080

/* struct btrfs_super_block; device_size is total_bytes of its dev_item */
#define BTRFS_AT	 (64u << 10)
#define BTRFS_MAGIC	 0x40
#define BTRFS_DEVICES	 0x88
#define BTRFS_SECTOR	 0x90
#define BTRFS_DEVICE_END 0xd1

/* struct xfs_dsb, big-endian */
#define XFS_BLOCK  4
#define XFS_BLOCKS 8
#define XFS_SECTOR 102

/* Numbers as they lie in the span; the caller has checked its length. */
static uint64_t le_at(struct span head, size_t at, size_t len)
{
	uint64_t value = 0;

	memcpy(&value, head.data + at, len);
	return le64toh(value);
}

static uint64_t be_at(struct span head, size_t at, size_t len)
{
	uint64_t value = 0;

	memcpy((uint8_t *)&value + sizeof(value) - len, head.data + at, len);
	return be64toh(value);
}

const char *fs_kind_word(enum fs_kind kind)
{
	switch (kind) {
	case FS_EXT:
		return "ext4";
	case FS_BTRFS:
		return "btrfs";
	case FS_XFS:
		return "xfs";
	case FS_NONE:
		break;
	}
	return "";
}

/* Whether a size is a power of two from 512 bytes to 64 KiB. */
static bool is_block(uint64_t bytes)
{
	return bytes >= 512 && bytes <= (64u << 10) && (bytes & (bytes - 1)) == 0;
}

/* An extent of so many blocks; FS_NONE where they make no size. */
static struct fs_extent of_blocks(enum fs_kind kind, uint64_t blocks, uint64_t block_bytes)
{
	struct fs_extent extent = { .kind = kind, .devices = 1, .clean = true };

	if (!is_block(block_bytes) || blocks == 0 || blocks > UINT64_MAX / block_bytes)
		return (struct fs_extent){ 0 };
	extent.block_bytes = (uint32_t)block_bytes;
	extent.end_bytes = blocks * block_bytes;
	return extent;
}

static struct fs_extent parse_ext(struct span head)
{
	uint64_t incompat = le_at(head, EXT_AT + EXT_INCOMPAT, 4);
	uint64_t log_block = le_at(head, EXT_AT + EXT_LOG_BLOCK, 4);
	uint64_t blocks = le_at(head, EXT_AT + EXT_BLOCKS_LOW, 4);
	struct fs_extent extent;

	if (le_at(head, EXT_AT + EXT_MAGIC, 2) != EXT_MAGIC_VALUE || log_block > EXT_LOG_BLOCK_MAX)
		return (struct fs_extent){ 0 };
	if (incompat & EXT_64BIT)
		blocks |= le_at(head, EXT_AT + EXT_BLOCKS_HIGH, 4) << 32;
	extent = of_blocks(FS_EXT, blocks, 1024ull << log_block);
	extent.clean = le_at(head, EXT_AT + EXT_STATE, 2) == EXT_STATE_CLEAN &&
		       !(incompat & EXT_JOURNAL_DIRTY);
	return extent;
}

static struct fs_extent parse_btrfs(struct span head)
{
	uint64_t sector = le_at(head, BTRFS_AT + BTRFS_SECTOR, 4);
	uint64_t end = le_at(head, BTRFS_AT + BTRFS_DEVICE_END, 8);
	struct fs_extent extent;

	if (memcmp(head.data + BTRFS_AT + BTRFS_MAGIC, "_BHRfS_M", 8) != 0 || !is_block(sector))
		return (struct fs_extent){ 0 };
	extent = of_blocks(FS_BTRFS, end / sector, sector);
	extent.devices = le_at(head, BTRFS_AT + BTRFS_DEVICES, 8);
	return extent;
}

/* XFS writes its own headers in sectors, which may be smaller than its blocks; it does not mount
 * where the device's are larger. */
static struct fs_extent parse_xfs(struct span head)
{
	uint64_t sector = be_at(head, XFS_SECTOR, 2);
	struct fs_extent extent;

	if (memcmp(head.data, "XFSB", 4) != 0 || !is_block(sector))
		return (struct fs_extent){ 0 };
	extent = of_blocks(FS_XFS, be_at(head, XFS_BLOCKS, 8), be_at(head, XFS_BLOCK, 4));
	if (extent.kind)
		extent.block_bytes = (uint32_t)sector;
	return extent;
}

struct fs_extent fs_extent_parse(struct span head)
{
	static struct fs_extent (*const parsers[])(struct span head) = { parse_ext, parse_btrfs,
									 parse_xfs };
	struct fs_extent found = { 0 };

	if (head.len < FS_EXTENT_HEAD_BYTES)
		return found;
	for (size_t i = 0; i < sizeof(parsers) / sizeof(parsers[0]); i++) {
		struct fs_extent extent = parsers[i](head);

		if (extent.kind != FS_NONE && found.kind != FS_NONE)
			return (struct fs_extent){ 0 };
		if (extent.kind != FS_NONE)
			found = extent;
	}
	return found;
}
