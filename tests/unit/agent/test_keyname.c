/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keyname.h"
#include "unit.h"

#define NAME_78 "enc-scsi-36001405a000000000000000000000000000000000000000000000000000000000end"

/* keyname_parse() of an abstract address: a NUL and @text. */
static cof_result parse(const char *text, char *out)
{
	uint8_t address[256] = { 0 };
	size_t len = strlen(text);

	memcpy(address + 1, text, len);
	return keyname_parse(SPAN(address, len + 1), out, NULL);
}

static char name[KEYNAME_MAX_BYTES + 1];

static void test_keyname_of_systemd_names_the_volume(void **state)
{
	(void)state;
	assert_ok(parse("82007db383f11bdb/cryptsetup/myvol", name));
	assert_string_equal(name, "myvol");
}

static void test_keyname_takes_a_short_nonce(void **state)
{
	(void)state;
	assert_ok(parse("f/cryptsetup/enc-a", name));
	assert_string_equal(name, "enc-a");
}

static void test_keyname_takes_the_longest_name_of_a_disk(void **state)
{
	(void)state;
	assert_int_equal(strlen(NAME_78), 78);
	assert_ok(parse("82007db383f11bdb/cryptsetup/" NAME_78, name));
	assert_string_equal(name, NAME_78);
}

static void test_keyname_takes_a_name_that_starts_with_dots(void **state)
{
	(void)state;
	assert_ok(parse("1/cryptsetup/..a", name));
	assert_string_equal(name, "..a");
}

static void test_keyname_refuses_no_address(void **state)
{
	(void)state;
	assert_fails(keyname_parse(SPAN("", 0), name, NULL), COF_E_FORMAT);
}

static void test_keyname_refuses_a_path(void **state)
{
	static const char path[] = "/82007db383f11bdb/cryptsetup/myvol";

	(void)state;
	assert_fails(keyname_parse(SPAN(path, sizeof(path) - 1), name, NULL), COF_E_FORMAT);
}

static void test_keyname_refuses_shapes_of_other_questions(void **state)
{
	static const char *const texts[] = {
		"",
		"/cryptsetup/v",
		"12345",
		"12345/",
		"12345/cryptsetup",
		"12345/cryptsetup/",
		"12345/cryptsetup-tpm2/v",
		"12345/cryptsetup-fido2/v",
		"12345/Cryptsetup/v",
		"x2345/cryptsetup/v",
		"0123456789abcdef0/cryptsetup/v",
		"12345//cryptsetup/v",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_fails(parse(texts[i], name), COF_E_FORMAT);
}

static void test_keyname_refuses_names_that_no_volume_has(void **state)
{
	static const char *const texts[] = {
		"1/cryptsetup/.",	 "1/cryptsetup/..",  "1/cryptsetup/a/b",
		"1/cryptsetup/a b",	 "1/cryptsetup/a\n", "1/cryptsetup/a\x7f",
		"1/cryptsetup/\xc3\xa4",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_fails(parse(texts[i], name), COF_E_FORMAT);
}

static void test_keyname_refuses_a_nul_in_the_name(void **state)
{
	static const char address[] = "\0001/cryptsetup/a\0b";

	(void)state;
	assert_fails(keyname_parse(SPAN(address, sizeof(address) - 1), name, NULL), COF_E_FORMAT);
}

static void test_keyname_refuses_a_name_longer_than_an_address_holds(void **state)
{
	char text[13 + KEYNAME_MAX_BYTES + 2] = "1/cryptsetup/";

	(void)state;
	memset(text + 13, 'a', KEYNAME_MAX_BYTES + 1);
	assert_fails(parse(text, name), COF_E_FORMAT);
}

static void test_keyname_leaves_its_output_alone_on_failure(void **state)
{
	char out[KEYNAME_MAX_BYTES + 1] = "before";

	(void)state;
	assert_fails(parse("1/cryptsetup/a/b", out), COF_E_FORMAT);
	assert_string_equal(out, "before");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keyname_of_systemd_names_the_volume),
		cmocka_unit_test(test_keyname_takes_a_short_nonce),
		cmocka_unit_test(test_keyname_takes_the_longest_name_of_a_disk),
		cmocka_unit_test(test_keyname_takes_a_name_that_starts_with_dots),
		cmocka_unit_test(test_keyname_refuses_no_address),
		cmocka_unit_test(test_keyname_refuses_a_path),
		cmocka_unit_test(test_keyname_refuses_shapes_of_other_questions),
		cmocka_unit_test(test_keyname_refuses_names_that_no_volume_has),
		cmocka_unit_test(test_keyname_refuses_a_nul_in_the_name),
		cmocka_unit_test(test_keyname_refuses_a_name_longer_than_an_address_holds),
		cmocka_unit_test(test_keyname_leaves_its_output_alone_on_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
