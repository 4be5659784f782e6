/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include "buffer.h"

static void test_buffer_grows_and_keeps_its_content(void **state)
{
	_cleanup_buffer_ struct buffer buffer = { 0 };

	(void)state;
	for (unsigned int i = 0; i < 5000; i++)
		assert_ok(buffer_add_u8(&buffer, (uint8_t)i, NULL));
	assert_int_equal(buffer.len, 5000);
	for (unsigned int i = 0; i < 5000; i++)
		assert_int_equal(buffer.data[i], (uint8_t)i);
}

static void test_buffer_reserve_past_memory_fails(void **state)
{
	_cleanup_buffer_ struct buffer buffer = { 0 };

	(void)state;
	assert_fails(buffer_reserve(&buffer, SIZE_MAX, NULL), COF_E_NOMEM);
	assert_ok(buffer_add_u8(&buffer, 1, NULL));
	assert_fails(buffer_reserve(&buffer, SIZE_MAX, NULL), COF_E_NOMEM);
}

static void test_numbers_are_big_endian_both_ways(void **state)
{
	static const uint8_t expected[] = { 0x12, 0x34, 0x12, 0x34, 0x56, 0x78, 0x12,
					    0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0 };
	_cleanup_buffer_ struct buffer buffer = { 0 };
	struct reader reader;
	uint16_t number16;
	uint32_t number32;
	uint64_t number64;

	(void)state;
	assert_ok(buffer_add_be16(&buffer, 0x1234, NULL));
	assert_ok(buffer_add_be32(&buffer, 0x12345678, NULL));
	assert_ok(buffer_add_be64(&buffer, 0x123456789abcdef0ULL, NULL));
	assert_int_equal(buffer.len, sizeof(expected));
	assert_memory_equal(buffer.data, expected, sizeof(expected));

	reader = reader_of(buffer_span(&buffer), "numbers");
	assert_ok(reader_be16(&reader, &number16, NULL));
	assert_ok(reader_be32(&reader, &number32, NULL));
	assert_ok(reader_be64(&reader, &number64, NULL));
	assert_int_equal(number16, 0x1234);
	assert_int_equal(number32, 0x12345678);
	assert_int_equal(number64, 0x123456789abcdef0ULL);
	assert_int_equal(reader.rest.len, 0);
}

static void test_reader_past_the_end_fails_and_takes_nothing(void **state)
{
	struct reader reader = reader_of(SPAN("abc", 3), "three bytes");
	struct cof_error err = { 0 };
	uint32_t number;
	struct span bytes;

	(void)state;
	assert_fails(reader_be32(&reader, &number, &err), COF_E_FORMAT);
	assert_string_equal(err.subject, "three bytes");
	assert_int_equal(reader.rest.len, 3);
	assert_ok(reader_take(&reader, 3, &bytes, NULL));
	assert_memory_equal(bytes.data, "abc", 3);
	assert_fails(reader_take(&reader, 1, &bytes, NULL), COF_E_FORMAT);
}

static void test_buffer_text_is_formatted_and_appended(void **state)
{
	_cleanup_buffer_ struct buffer buffer = { 0 };

	(void)state;
	assert_ok(buffer_add_text(&buffer, NULL, "a%d", 1));
	assert_ok(buffer_add_text(&buffer, NULL, "%s", "b"));
	assert_int_equal(buffer.len, 3);
	assert_memory_equal(buffer.data, "a1b", 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buffer_grows_and_keeps_its_content),
		cmocka_unit_test(test_buffer_reserve_past_memory_fails),
		cmocka_unit_test(test_numbers_are_big_endian_both_ways),
		cmocka_unit_test(test_reader_past_the_end_fails_and_takes_nothing),
		cmocka_unit_test(test_buffer_text_is_formatted_and_appended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
