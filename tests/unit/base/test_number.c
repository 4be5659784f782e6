/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include "number.h"

static void test_size_add_that_wraps_fails(void **state)
{
	uint64_t sum;

	(void)state;
	assert_ok(size_add(1, 2, &sum, NULL));
	assert_int_equal(sum, 3);
	assert_fails(size_add(UINT64_MAX, 1, &sum, NULL), COF_E_FORMAT);
}

static void test_size_mul_that_wraps_fails(void **state)
{
	uint64_t product;

	(void)state;
	assert_ok(size_mul(512, 3, &product, NULL));
	assert_int_equal(product, 1536);
	assert_fails(size_mul(UINT64_MAX / 2, 3, &product, NULL), COF_E_FORMAT);
}

static void test_size_parse_reads_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = { { "0", 0 },
		      { "4096", 4096 },
		      { "512K", 512 << 10 },
		      { "1M", 1 << 20 },
		      { "2GiB", 2ULL << 30 },
		      { "1.5k", 1536 },
		      { "1.25T", 5ULL << 38 },
		      { "7B", 7 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t bytes;

		assert_ok(size_parse(cases[i].text, &bytes, NULL));
		assert_int_equal(bytes, cases[i].bytes);
	}
}

static void test_size_parse_refuses_what_is_no_size(void **state)
{
	static const char *const texts[] = {
		"", "x", "-1", "1X", "1 M", "1MB", "1Mi", "1..", "99999P", "99999999999999999999"
	};
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_fails(size_parse(texts[i], &bytes, NULL), COF_E_USAGE);
}

static void test_size_format_is_short(void **state)
{
	char text[16];

	(void)state;
	assert_string_equal(size_format(0, text), "0B");
	assert_string_equal(size_format(1023, text), "1023B");
	assert_string_equal(size_format(16 << 20, text), "16.0M");
	assert_string_equal(size_format(UINT64_MAX, text), "16.0E");
}

static void test_duration_parse_reads_units_and_forever(void **state)
{
	uint64_t seconds;

	(void)state;
	assert_ok(duration_parse("90", &seconds, NULL));
	assert_int_equal(seconds, 90);
	assert_ok(duration_parse("15m", &seconds, NULL));
	assert_int_equal(seconds, 900);
	assert_ok(duration_parse("30d", &seconds, NULL));
	assert_int_equal(seconds, 30 * 86400);
	assert_ok(duration_parse("forever", &seconds, NULL));
	assert_true(seconds == UINT64_MAX);
}

static void test_duration_parse_refuses_what_is_no_duration(void **state)
{
	uint64_t seconds;

	(void)state;
	assert_fails(duration_parse("", &seconds, NULL), COF_E_USAGE);
	assert_fails(duration_parse("soon", &seconds, NULL), COF_E_USAGE);
	assert_fails(duration_parse("5w", &seconds, NULL), COF_E_USAGE);
	assert_fails(duration_parse("99999999999999999999s", &seconds, NULL), COF_E_USAGE);
}

static void test_uint_parse_keeps_to_its_maximum(void **state)
{
	uint64_t value;

	(void)state;
	assert_ok(uint_parse("31", 31, &value, NULL));
	assert_int_equal(value, 31);
	assert_fails(uint_parse("32", 31, &value, NULL), COF_E_USAGE);
	assert_fails(uint_parse("3x", 31, &value, NULL), COF_E_USAGE);
	assert_fails(uint_parse(" 3", 31, &value, NULL), COF_E_USAGE);
}

static void test_time_format_is_rfc3339(void **state)
{
	char text[32];

	(void)state;
	assert_string_equal(time_format(0, text), "1970-01-01T00:00:00Z");
	assert_string_equal(time_format(951782400, text), "2000-02-29T00:00:00Z");
}

static void test_natural_compare_orders_numbers_by_value(void **state)
{
	(void)state;
	assert_true(natural_compare("sdb2", "sdb10") < 0);
	assert_true(natural_compare("sdb10", "sdb2") > 0);
	assert_true(natural_compare("sda", "sdaa") < 0);
	assert_true(natural_compare("nvme0n1p2", "nvme0n1p10") < 0);
	assert_int_equal(natural_compare("loop7", "loop7"), 0);
	assert_true(natural_compare("a", "b") < 0);
}

static void test_hex_goes_both_ways(void **state)
{
	static const uint8_t bytes[] = { 0x00, 0x9f, 0xff };
	uint8_t back[3];
	char text[7];

	(void)state;
	assert_string_equal(hex_format(bytes, 3, text), "009fff");
	assert_ok(hex_parse("009FfF", back, 3, NULL));
	assert_memory_equal(back, bytes, 3);
}

static void test_hex_parse_refuses_length_and_letters(void **state)
{
	uint8_t back[3];

	(void)state;
	assert_fails(hex_parse("009ff", back, 3, NULL), COF_E_FORMAT);
	assert_fails(hex_parse("009ffg", back, 3, NULL), COF_E_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size_add_that_wraps_fails),
		cmocka_unit_test(test_size_mul_that_wraps_fails),
		cmocka_unit_test(test_size_parse_reads_units),
		cmocka_unit_test(test_size_parse_refuses_what_is_no_size),
		cmocka_unit_test(test_size_format_is_short),
		cmocka_unit_test(test_duration_parse_reads_units_and_forever),
		cmocka_unit_test(test_duration_parse_refuses_what_is_no_duration),
		cmocka_unit_test(test_uint_parse_keeps_to_its_maximum),
		cmocka_unit_test(test_time_format_is_rfc3339),
		cmocka_unit_test(test_natural_compare_orders_numbers_by_value),
		cmocka_unit_test(test_hex_goes_both_ways),
		cmocka_unit_test(test_hex_parse_refuses_length_and_letters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
