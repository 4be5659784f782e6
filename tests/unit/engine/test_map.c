/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a volume's sectors lie on its source.
 */

#include "unit.h"

#include "map.h"

#define MIB (UINT64_C(1024) * 1024)

/* A header as luksFormat makes them. */
static struct luks_info usual(void)
{
	return (struct luks_info){ .sector_bytes = 4096, .data_offset_bytes = 16 * MIB };
}

static void test_map_without_length_goes_to_the_last_whole_sector(void **state)
{
	struct luks_info info = usual();
	struct map map;

	(void)state;
	assert_ok(map_make(&info, 20 * MIB + 4095, "/dev/x", &map, NULL));
	assert_int_equal(map.size_bytes, 4 * MIB);
	assert_int_equal(map.data_offset_bytes, 16 * MIB);
}

static void test_map_with_length_ends_there(void **state)
{
	struct luks_info info = usual();
	struct map map;

	(void)state;
	info.data_length_bytes = 2 * MIB;
	assert_ok(map_make(&info, 20 * MIB, "/dev/x", &map, NULL));
	assert_int_equal(map.size_bytes, 2 * MIB);
}

static void test_map_refuses_data_that_begins_behind_the_end(void **state)
{
	struct luks_info info = usual();
	struct map map;

	(void)state;
	assert_fails(map_make(&info, 16 * MIB, "/dev/x", &map, NULL), COF_E_FORMAT);
}

static void test_map_refuses_data_off_the_512_byte_grid(void **state)
{
	struct luks_info info = usual();
	struct map map;

	(void)state;
	info.data_offset_bytes += 100;
	assert_fails(map_make(&info, 20 * MIB, "/dev/x", &map, NULL), COF_E_FORMAT);
}

static void test_map_refuses_length_beyond_the_end(void **state)
{
	struct luks_info info = usual();
	struct map map;

	(void)state;
	info.data_length_bytes = 4 * MIB + 4096;
	assert_fails(map_make(&info, 20 * MIB, "/dev/x", &map, NULL), COF_E_FORMAT);
}

static void test_map_refuses_length_that_wraps(void **state)
{
	struct luks_info info = usual();
	struct map map;

	(void)state;
	info.data_length_bytes = UINT64_MAX - 4095;
	assert_fails(map_make(&info, 20 * MIB, "/dev/x", &map, NULL), COF_E_FORMAT);
}

static void test_map_refuses_length_of_part_of_a_sector(void **state)
{
	struct luks_info info = usual();
	struct map map;

	(void)state;
	info.data_length_bytes = 4096 + 512;
	assert_fails(map_make(&info, 20 * MIB, "/dev/x", &map, NULL), COF_E_FORMAT);
}

static void test_map_refuses_source_without_room_for_a_sector(void **state)
{
	struct luks_info info = usual();
	struct map map;

	(void)state;
	assert_fails(map_make(&info, 16 * MIB + 512, "/dev/x", &map, NULL), COF_E_FORMAT);
}

static void test_map_extent_of_whole_sectors_is_the_request(void **state)
{
	struct map map = { .size_bytes = MIB, .sector_bytes = 4096 };
	struct extent extent = map_extent(&map, 8192, 4096);

	(void)state;
	assert_int_equal(extent.start_bytes, 8192);
	assert_int_equal(extent.end_bytes, 12288);
	assert_false(extent.head_cut);
	assert_false(extent.tail_cut);
}

static void test_map_extent_of_cut_request_is_rounded_outwards(void **state)
{
	struct map map = { .size_bytes = MIB, .sector_bytes = 4096 };
	struct extent extent = map_extent(&map, 8191, 4098);

	(void)state;
	assert_int_equal(extent.start_bytes, 4096);
	assert_int_equal(extent.end_bytes, 16384);
	assert_true(extent.head_cut);
	assert_true(extent.tail_cut);
}

static void test_map_within_refuses_what_would_wrap(void **state)
{
	struct map map = { .size_bytes = MIB, .sector_bytes = 4096 };

	(void)state;
	assert_true(map_within(&map, MIB - 1, 1));
	assert_true(map_within(&map, MIB, 0));
	assert_false(map_within(&map, MIB - 1, 2));
	assert_false(map_within(&map, UINT64_MAX, 2));
}

static void test_map_iv_counts_512_bytes_and_adds_the_offset(void **state)
{
	struct map map = { .size_bytes = MIB, .sector_bytes = 4096, .iv_offset = 1000 };

	(void)state;
	assert_int_equal(map_iv(&map, 8192), 1016);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map_without_length_goes_to_the_last_whole_sector),
		cmocka_unit_test(test_map_with_length_ends_there),
		cmocka_unit_test(test_map_refuses_data_that_begins_behind_the_end),
		cmocka_unit_test(test_map_refuses_data_off_the_512_byte_grid),
		cmocka_unit_test(test_map_refuses_length_beyond_the_end),
		cmocka_unit_test(test_map_refuses_length_that_wraps),
		cmocka_unit_test(test_map_refuses_length_of_part_of_a_sector),
		cmocka_unit_test(test_map_refuses_source_without_room_for_a_sector),
		cmocka_unit_test(test_map_extent_of_whole_sectors_is_the_request),
		cmocka_unit_test(test_map_extent_of_cut_request_is_rounded_outwards),
		cmocka_unit_test(test_map_within_refuses_what_would_wrap),
		cmocka_unit_test(test_map_iv_counts_512_bytes_and_adds_the_offset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
