/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include "disk_life.h"

/* That @before becomes @after. */
static void assert_becomes(const char *before, const char *after)
{
	_cleanup_free_ char *options = NULL;

	assert_ok(adopt_options(before, &options, NULL));
	assert_string_equal(options, after);
}

static void test_adopt_options_of_a_new_line_are_those_of_format(void **state)
{
	(void)state;
	assert_becomes("", "luks,nofail,headless=true");
}

static void test_adopt_options_keep_what_is_the_users(void **state)
{
	(void)state;
	assert_becomes("luks,discard,x-systemd.device-timeout=10s",
		       "luks,discard,x-systemd.device-timeout=10s,nofail,headless=true");
}

static void test_adopt_options_drop_where_the_old_key_was(void **state)
{
	(void)state;
	assert_becomes("keyfile-offset=512,luks,tpm2-device=auto,tries=3,key-slot=0,noauto",
		       "luks,noauto,nofail,headless=true");
}

static void test_adopt_options_know_an_option_by_its_whole_name(void **state)
{
	(void)state;
	assert_becomes("triesome,nofailure,headless=false",
		       "triesome,nofailure,headless=false,luks,nofail");
}

static void test_adopt_options_are_not_doubled(void **state)
{
	(void)state;
	assert_becomes("luks,nofail,headless=true", "luks,nofail,headless=true");
}

static void test_adopt_options_take_none_and_empty_fields_for_nothing(void **state)
{
	(void)state;
	assert_becomes("none", "luks,nofail,headless=true");
	assert_becomes("-", "luks,nofail,headless=true");
	assert_becomes(",,discard,", "discard,luks,nofail,headless=true");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_adopt_options_of_a_new_line_are_those_of_format),
		cmocka_unit_test(test_adopt_options_keep_what_is_the_users),
		cmocka_unit_test(test_adopt_options_drop_where_the_old_key_was),
		cmocka_unit_test(test_adopt_options_know_an_option_by_its_whole_name),
		cmocka_unit_test(test_adopt_options_are_not_doubled),
		cmocka_unit_test(test_adopt_options_take_none_and_empty_fields_for_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
