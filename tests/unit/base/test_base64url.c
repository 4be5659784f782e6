/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include "base64url.h"

/* RFC 4648, section 10, without padding. */
static const char *const vectors[][2] = {
	{ "", "" }, { "f", "Zg" }, { "fo", "Zm8" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg" }
};

static void test_format_gives_the_vectors_of_the_rfc(void **state)
{
	char out[16];

	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		assert_string_equal(base64url_format((const uint8_t *)vectors[i][0],
						     strlen(vectors[i][0]), out),
				    vectors[i][1]);
}

static void test_decode_reads_the_vectors_of_the_rfc(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		_cleanup_buffer_ struct buffer out = { 0 };

		assert_ok(base64url_decode(vectors[i][1], "test", &out, NULL));
		assert_int_equal(out.len, strlen(vectors[i][0]));
		assert_true(out.len == 0 || memcmp(out.data, vectors[i][0], out.len) == 0);
	}
}

static void test_letters_of_the_url_alphabet_are_minus_and_underscore(void **state)
{
	static const uint8_t bytes[] = { 0xfb, 0xff };
	_cleanup_buffer_ struct buffer out = { 0 };
	char text[8];

	(void)state;
	assert_string_equal(base64url_format(bytes, sizeof(bytes), text), "-_8");
	assert_ok(base64url_decode("-_8", "test", &out, NULL));
	assert_memory_equal(out.data, bytes, sizeof(bytes));
}

static void test_decode_refuses_what_is_no_base64url(void **state)
{
	static const char *const wrong[] = { "Zg==", "+/8", "Zm 9", "Z", "Zh", "Zm9" };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		_cleanup_buffer_ struct buffer out = { 0 };

		assert_fails(base64url_decode(wrong[i], "test", &out, NULL), COF_E_FORMAT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format_gives_the_vectors_of_the_rfc),
		cmocka_unit_test(test_decode_reads_the_vectors_of_the_rfc),
		cmocka_unit_test(test_letters_of_the_url_alphabet_are_minus_and_underscore),
		cmocka_unit_test(test_decode_refuses_what_is_no_base64url),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
