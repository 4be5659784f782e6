/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include "fs_extent.h"

#define BTRFS_AT (64u << 10)

/* The first bytes of a device. */
static uint8_t head[FS_EXTENT_HEAD_BYTES];

/* Forgets what was there. */
static int blank(void **state)
{
	(void)state;
	memset(head, 0, sizeof(head));
	return 0;
}

/* A clean ext4 of 256 blocks of 4 KiB. */
static void put_ext(void)
{
	head[1024 + 0x05] = 1;
	head[1024 + 0x18] = 2;
	head[1024 + 0x38] = 0x53;
	head[1024 + 0x39] = 0xef;
	head[1024 + 0x3a] = 1;
}

static struct fs_extent parse(void)
{
	return fs_extent_parse(SPAN(head, sizeof(head)));
}

static void test_extent_reads_ext(void **state)
{
	struct fs_extent extent;

	(void)state;
	put_ext();
	extent = parse();
	assert_int_equal(extent.kind, FS_EXT);
	assert_int_equal(extent.end_bytes, 256 * 4096);
	assert_int_equal(extent.block_bytes, 4096);
	assert_true(extent.clean);
}

static void test_extent_heeds_the_high_half_of_a_64_bit_ext(void **state)
{
	(void)state;
	put_ext();
	head[1024 + 0x150] = 1;
	assert_int_equal(parse().end_bytes, 256 * 4096);
	head[1024 + 0x60] = 0x80;
	assert_int_equal(parse().end_bytes, (256 + (1ull << 32)) * 4096);
}

static void test_extent_sees_a_dirty_ext(void **state)
{
	(void)state;
	put_ext();
	head[1024 + 0x60] = 4;
	assert_false(parse().clean);
}

static void test_extent_refuses_an_ext_of_impossible_size(void **state)
{
	(void)state;
	put_ext();
	head[1024 + 0x18] = 7;
	assert_int_equal(parse().kind, FS_NONE);
	head[1024 + 0x18] = 6;
	head[1024 + 0x60] = 0x80;
	memset(head + 1024 + 0x150, 0xff, 4);
	assert_int_equal(parse().kind, FS_NONE);
}

static void test_extent_reads_btrfs(void **state)
{
	struct fs_extent extent;

	(void)state;
	memcpy(head + BTRFS_AT + 0x40, "_BHRfS_M", 8);
	head[BTRFS_AT + 0x88] = 2;
	head[BTRFS_AT + 0x91] = 0x10;
	head[BTRFS_AT + 0xd1 + 3] = 1;
	extent = parse();
	assert_int_equal(extent.kind, FS_BTRFS);
	assert_int_equal(extent.end_bytes, 1u << 24);
	assert_int_equal(extent.block_bytes, 4096);
	assert_int_equal(extent.devices, 2);
}

static void test_extent_reads_xfs_with_its_sectors(void **state)
{
	struct fs_extent extent;

	(void)state;
	memcpy(head, "XFSB", 4);
	head[6] = 0x10;
	head[14] = 1;
	head[102] = 2;
	extent = parse();
	assert_int_equal(extent.kind, FS_XFS);
	assert_int_equal(extent.end_bytes, 256 * 4096);
	assert_int_equal(extent.block_bytes, 512);
}

static void test_extent_trusts_no_head_with_two_file_systems(void **state)
{
	(void)state;
	put_ext();
	memcpy(head, "XFSB", 4);
	head[6] = 0x10;
	head[14] = 1;
	head[102] = 2;
	assert_int_equal(parse().kind, FS_NONE);
}

static void test_extent_reads_nothing_from_a_short_head(void **state)
{
	(void)state;
	put_ext();
	assert_int_equal(fs_extent_parse(SPAN(head, sizeof(head) - 1)).kind, FS_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_extent_reads_ext, blank),
		cmocka_unit_test_setup(test_extent_heeds_the_high_half_of_a_64_bit_ext, blank),
		cmocka_unit_test_setup(test_extent_sees_a_dirty_ext, blank),
		cmocka_unit_test_setup(test_extent_refuses_an_ext_of_impossible_size, blank),
		cmocka_unit_test_setup(test_extent_reads_btrfs, blank),
		cmocka_unit_test_setup(test_extent_reads_xfs_with_its_sectors, blank),
		cmocka_unit_test_setup(test_extent_trusts_no_head_with_two_file_systems, blank),
		cmocka_unit_test_setup(test_extent_reads_nothing_from_a_short_head, blank),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
