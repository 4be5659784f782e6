/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How people name a record.
 */

#include "unit.h"

#include "key_name.h"

static void test_key_name_without_slash_is_a_disk(void **state)
{
	struct key_name name;

	assert_ok(key_name_parse("enc-sdb", &name, NULL));
	assert_string_equal(name.kind, "disk");
	assert_string_equal(name.name, "enc-sdb");
}

static void test_key_name_with_slash_has_a_kind(void **state)
{
	struct key_name name;

	assert_ok(key_name_parse("disk-header/enc-sdb", &name, NULL));
	assert_string_equal(name.kind, "disk-header");
	assert_string_equal(name.name, "enc-sdb");
}

static void test_key_name_empty_kind_refused(void **state)
{
	struct key_name name;

	assert_fails(key_name_parse("/enc-sdb", &name, NULL), COF_E_USAGE);
}

static void test_key_name_long_kind_refused(void **state)
{
	struct key_name name;

	assert_ok(key_name_parse("abcdefghijklmnopqrstuvwxyzabcde/x", &name, NULL));
	assert_fails(key_name_parse("abcdefghijklmnopqrstuvwxyzabcdef/x", &name, NULL),
		     COF_E_USAGE);
}

static void test_key_name_empty_name_refused(void **state)
{
	struct key_name name;

	assert_fails(key_name_parse("", &name, NULL), COF_E_USAGE);
	assert_fails(key_name_parse("disk/", &name, NULL), COF_E_USAGE);
}

static void test_key_name_long_name_refused(void **state)
{
	struct key_name name;
	char text[VAULT_NAME_MAX_BYTES + 2];

	memset(text, 'a', sizeof(text));
	text[VAULT_NAME_MAX_BYTES + 1] = '\0';
	assert_fails(key_name_parse(text, &name, NULL), COF_E_USAGE);
	text[VAULT_NAME_MAX_BYTES] = '\0';
	assert_ok(key_name_parse(text, &name, NULL));
}

static void test_key_name_two_slashes_refused(void **state)
{
	struct key_name name;

	assert_fails(key_name_parse("disk/a/b", &name, NULL), COF_E_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key_name_without_slash_is_a_disk),
		cmocka_unit_test(test_key_name_with_slash_has_a_kind),
		cmocka_unit_test(test_key_name_empty_kind_refused),
		cmocka_unit_test(test_key_name_long_kind_refused),
		cmocka_unit_test(test_key_name_empty_name_refused),
		cmocka_unit_test(test_key_name_long_name_refused),
		cmocka_unit_test(test_key_name_two_slashes_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
