/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include "crc32c.h"

/* RFC 3720, appendix B.4, and the check value of the catalogue of parametrised CRC algorithms. */
static void test_crc32c_gives_known_answers(void **state)
{
	uint8_t bytes[32] = { 0 };

	assert_int_equal(crc32c(0, span_of_text("123456789")), 0xe3069283);
	assert_int_equal(crc32c(0, SPAN(bytes, 32)), 0x8a9136aa);
	memset(bytes, 0xff, 32);
	assert_int_equal(crc32c(0, SPAN(bytes, 32)), 0x62a8ab43);
	for (uint8_t i = 0; i < 32; i++)
		bytes[i] = i;
	assert_int_equal(crc32c(0, SPAN(bytes, 32)), 0x46dd794e);
}

static void test_crc32c_in_pieces_and_without_the_instruction_is_the_same(void **state)
{
	uint8_t bytes[200];
	uint32_t whole;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 37);
	whole = crc32c(0, SPAN(bytes, sizeof(bytes)));
	assert_int_equal(crc32c_plainly(0, SPAN(bytes, sizeof(bytes))), whole);
	for (size_t i = 0; i <= sizeof(bytes); i++)
		assert_int_equal(
			crc32c(crc32c(0, SPAN(bytes, i)), SPAN(bytes + i, sizeof(bytes) - i)),
			whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crc32c_gives_known_answers),
		cmocka_unit_test(test_crc32c_in_pieces_and_without_the_instruction_is_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
