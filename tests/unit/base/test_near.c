/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a misspelt word was meant to be.
 */

#include "unit.h"

#include "near.h"

static void test_near_distance_of_equal_words_is_zero(void **state)
{
	assert_int_equal(near_distance("unlock", "unlock"), 0);
}

static void test_near_distance_counts_each_kind_of_mistake_once(void **state)
{
	assert_int_equal(near_distance("unlok", "unlock"), 1);
	assert_int_equal(near_distance("unlockk", "unlock"), 1);
	assert_int_equal(near_distance("unlack", "unlock"), 1);
	assert_int_equal(near_distance("nulock", "unlock"), 1);
	assert_int_equal(near_distance("", "abc"), 3);
	assert_int_equal(near_distance("kitten", "sitting"), 3);
}

static void test_near_distance_of_very_long_word_is_infinite(void **state)
{
	assert_true(near_distance("abcdefghijklmnopqrstuvwxyzabcdef", "a") == SIZE_MAX);
	assert_true(near_distance("a", "abcdefghijklmnopqrstuvwxyzabcdef") == SIZE_MAX);
}

static void test_near_takes_a_beginning(void **state)
{
	size_t best = SIZE_MAX;

	assert_true(near_is_nearer("pass", "passphrase-file", &best));
	assert_int_equal(best, 1);
}

static void test_near_refuses_what_is_not_nearer(void **state)
{
	size_t best = 1;

	assert_false(near_is_nearer("unlok", "unlock", &best));
	assert_int_equal(best, 1);
}

static void test_near_refuses_other_words(void **state)
{
	size_t best = SIZE_MAX;

	assert_false(near_is_nearer("ab", "xy", &best));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_near_distance_of_equal_words_is_zero),
		cmocka_unit_test(test_near_distance_counts_each_kind_of_mistake_once),
		cmocka_unit_test(test_near_distance_of_very_long_word_is_infinite),
		cmocka_unit_test(test_near_takes_a_beginning),
		cmocka_unit_test(test_near_refuses_what_is_not_nearer),
		cmocka_unit_test(test_near_refuses_other_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
