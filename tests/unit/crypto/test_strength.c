/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rule for new passphrases, at its edges.
 */

#include "unit.h"

#include "strength.h"

static const char *weakness(const char *text)
{
	return passphrase_weakness(span_of_text(text));
}

static void test_passphrase_weakness_of_one_character_names_the_length(void **state)
{
	assert_string_equal(weakness("x"), "it has fewer than 12 characters");
}

static void test_passphrase_weakness_counts_up_to_twelve(void **state)
{
	assert_non_null(weakness("abcdefghijk"));
	assert_null(weakness("abcdefghijkl"));
}

static void test_passphrase_weakness_counts_characters_not_bytes(void **state)
{
	assert_non_null(weakness("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\xc3\xa9\xc3\xa8"));
	assert_null(weakness("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\xc3\xa9\xc3\xa8"
			     "abcdef"));
}

static void test_passphrase_weakness_of_few_different_characters_says_so(void **state)
{
	assert_string_equal(weakness("abcdabcdabcdabcd"),
			    "it has fewer than 5 different characters");
	assert_null(weakness("abcdeabcdeabcde"));
}

static void test_passphrase_weakness_of_nothing_is_the_length(void **state)
{
	assert_non_null(passphrase_weakness(SPAN(NULL, 0)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_passphrase_weakness_of_one_character_names_the_length),
		cmocka_unit_test(test_passphrase_weakness_counts_up_to_twelve),
		cmocka_unit_test(test_passphrase_weakness_counts_characters_not_bytes),
		cmocka_unit_test(test_passphrase_weakness_of_few_different_characters_says_so),
		cmocka_unit_test(test_passphrase_weakness_of_nothing_is_the_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
