/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include "aes_support.h"

static struct aes_support of_cpuinfo(const char *text)
{
	struct aes_support support = { 0 };

	aes_support_of_cpuinfo(SPAN(text, strlen(text)), &support);
	return support;
}

static struct aes_support of_crypto(const char *text)
{
	struct aes_support support = { 0 };

	aes_support_of_crypto(SPAN(text, strlen(text)), &support);
	return support;
}

static void test_cpuinfo_with_aes_is_accelerated(void **state)
{
	struct aes_support support = of_cpuinfo("processor\t: 0\nflags\t\t: fpu aes avx\n");

	(void)state;
	assert_true(support.processor);
	assert_false(support.wide);
	assert_string_equal(support.instructions, "aes");
}

static void test_cpuinfo_with_vaes_is_wide(void **state)
{
	(void)state;
	assert_true(of_cpuinfo("flags : aes vaes").wide);
	assert_string_equal(of_cpuinfo("flags : vaes aes\n").instructions, "aes, vaes");
}

static void test_cpuinfo_of_arm_has_features(void **state)
{
	(void)state;
	assert_true(of_cpuinfo("Features\t: fp asimd aes pmull\n").processor);
}

static void test_cpuinfo_takes_whole_words(void **state)
{
	(void)state;
	assert_false(of_cpuinfo("flags\t: fpu aesx xaes\nbugs : aes\n").processor);
	assert_false(of_cpuinfo("").processor);
	assert_false(of_cpuinfo("flags").processor);
}

static void test_crypto_has_the_driver_of_the_highest_priority(void **state)
{
	struct aes_support support = of_crypto("name         : xts(aes)\n"
					       "driver       : xts(ecb(aes-generic))\n"
					       "priority     : 100\n\n"
					       "name         : xts(aes)\n"
					       "driver       : xts-aes-aesni\n"
					       "priority     : 401\n\n"
					       "name         : cbc(aes)\n"
					       "driver       : cbc-aes-aesni\n"
					       "priority     : 900\n");

	(void)state;
	assert_string_equal(support.driver, "xts-aes-aesni");
	assert_false(support.generic);
}

static void test_crypto_names_a_generic_driver(void **state)
{
	struct aes_support support = of_crypto("name : xts(aes)\ndriver : xts(ecb(aes-generic))\n"
					       "priority : 100");

	(void)state;
	assert_true(support.generic);
}

static void test_crypto_without_xts_has_no_driver(void **state)
{
	(void)state;
	assert_string_equal(of_crypto("name : sha256\ndriver : x\npriority : 1\n").driver, "");
	assert_string_equal(of_crypto("name : xts(aes)\npriority : 1\n").driver, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpuinfo_with_aes_is_accelerated),
		cmocka_unit_test(test_cpuinfo_with_vaes_is_wide),
		cmocka_unit_test(test_cpuinfo_of_arm_has_features),
		cmocka_unit_test(test_cpuinfo_takes_whole_words),
		cmocka_unit_test(test_crypto_has_the_driver_of_the_highest_priority),
		cmocka_unit_test(test_crypto_names_a_generic_driver),
		cmocka_unit_test(test_crypto_without_xts_has_no_driver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
