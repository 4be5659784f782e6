/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "luks_test.h"

static const struct luks_format_spec good = { .sector_bytes = 4096, .header_only = true };

/* Formats a file that is large enough as @spec says. */
static enum cof_code format_code(const struct luks_format_spec *spec,
				 const struct volume_key *volume_key)
{
	return luks_format(sparse_file("h", luks_header_file_bytes()), spec, volume_key, NULL, NULL)
		.code;
}

static void test_format_writes_what_the_spec_says(void **state)
{
	struct luks_format_spec spec = {
		.uuid = "6f2ab0a6-3f04-4a0f-9a53-2a8d7b1f3c55",
		.label = "a label",
		.subsystem = "coffer",
		.sector_bytes = 512,
	};
	struct luks_info info;

	(void)state;
	assert_int_equal(format_code(&spec, NULL), COF_E_NONE);
	assert_ok(luks_read(in_folder("h"), NULL, &info, NULL));
	assert_string_equal(info.uuid, spec.uuid);
	assert_string_equal(info.label, "a label");
	assert_string_equal(info.subsystem, "coffer");
	assert_int_equal(info.sector_bytes, 512);
	assert_int_equal(info.data_offset_bytes, 16 << 20);
	assert_string_equal(info.cipher, "aes");
	assert_string_equal(info.cipher_mode, "xts-plain64");
}

static void test_format_keeps_given_volume_key(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;

	(void)state;
	assert_ok(volume_key_random(64, &key, NULL));
	assert_int_equal(format_code(&good, key), COF_E_NONE);
	assert_ok(luks_verify(in_folder("h"), NULL, key, NULL));
}

static void test_format_makes_a_key_of_its_own_each_time(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *a = NULL;
	_cleanup_(volume_key_freep) struct volume_key *b = NULL;

	(void)state;
	(void)new_header("a", &a);
	(void)new_header("b", &b);
	assert_int_equal(a->secret.len, 64);
	assert_false(keys_equal(a, b));
}

static void test_format_is_read_by_cryptsetup(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;

	(void)state;
	(void)new_header_of("h", true, &key);
	assert_int_equal(shell("cryptsetup luksDump h | tee dump && "
			       "grep -q 'Metadata area:.*65536 ' dump && "
			       "grep -q 'Keyslots area:.*16646144 ' dump && "
			       "grep -q 'Iterations: 1000$' dump"),
			 0);
}

static void test_format_takes_each_sector_size(void **state)
{
	(void)state;
	for (uint32_t bytes = 512; bytes <= 4096; bytes *= 2) {
		struct luks_format_spec spec = good;
		struct luks_info info;

		spec.sector_bytes = bytes;
		assert_int_equal(format_code(&spec, NULL), COF_E_NONE);
		assert_ok(luks_read(in_folder("h"), NULL, &info, NULL));
		assert_int_equal(info.sector_bytes, bytes);
	}
}

static void test_format_refuses_odd_sector_sizes(void **state)
{
	static const uint32_t odd[] = { 0, 256, 1000, 1536, 8192 };

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct luks_format_spec spec = good;

		spec.sector_bytes = odd[i];
		assert_int_equal(format_code(&spec, NULL), COF_E_FAILED);
	}
}

/* A file of that many bytes is refused, and stays empty. */
static void check_size_refused(uint64_t bytes, uint32_t sector_bytes)
{
	const char *path = sparse_file("h", bytes);
	struct luks_format_spec spec = good;
	struct cof_error error = { 0 };

	spec.sector_bytes = sector_bytes;
	assert_fails(luks_format(path, &spec, NULL, NULL, &error), COF_E_FAILED);
	assert_non_null(strstr(error.text, "not a whole number"));
	assert_int_equal(shell("tr -d '\\0' <h | head -c 1 | cmp - /dev/null"), 0);
}

static void test_format_refuses_size_that_is_no_multiple(void **state)
{
	(void)state;
	check_size_refused(luks_header_file_bytes() + 2048, 4096);
	check_size_refused(luks_header_file_bytes() + 1024, 2048);
	check_size_refused(luks_header_file_bytes() + 512, 1024);
	check_size_refused(luks_header_file_bytes() + 1, 512);
}

static void test_format_refuses_short_uuid(void **state)
{
	struct luks_format_spec spec = good;

	(void)state;
	spec.uuid = "6f2ab0a6-3f04";
	assert_int_equal(format_code(&spec, NULL), COF_E_FAILED);
}

static void test_format_refuses_uuid_that_is_none(void **state)
{
	struct luks_format_spec spec = good;

	(void)state;
	spec.uuid = "6f2ab0a6-3f04-4a0f-9a53-2a8d7b1f3cXY";
	assert_int_equal(format_code(&spec, NULL), COF_E_FAILED);
}

static void test_format_refuses_long_label(void **state)
{
	struct luks_format_spec spec = good;

	(void)state;
	spec.label = "123456789.123456789.123456789.123456789.12345678";
	assert_int_equal(format_code(&spec, NULL), COF_E_FAILED);
}

static void test_format_refuses_long_subsystem(void **state)
{
	struct luks_format_spec spec = good;

	(void)state;
	spec.subsystem = "123456789.123456789.123456789.123456789.12345678";
	assert_int_equal(format_code(&spec, NULL), COF_E_FAILED);
}

static void test_format_refuses_short_volume_key(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;

	(void)state;
	assert_ok(volume_key_random(32, &key, NULL));
	assert_int_equal(format_code(&good, key), COF_E_FAILED);
}

static void test_format_refuses_small_file(void **state)
{
	const char *path = sparse_file("h", luks_header_file_bytes() - 1);

	(void)state;
	assert_fails(luks_format(path, &good, NULL, NULL, NULL), COF_E_NOSPC);
}

static void test_format_of_nothing_fails(void **state)
{
	(void)state;
	assert_fails(luks_format(in_folder("none"), &good, NULL, NULL, NULL), COF_E_NOENT);
}

static void test_format_of_character_device_fails(void **state)
{
	(void)state;
	assert_fails(luks_format("/dev/null", &good, NULL, NULL, NULL), COF_E_NOSPC);
}

static void test_format_of_folder_fails(void **state)
{
	(void)state;
	assert_fails(luks_format(test_folder, &good, NULL, NULL, NULL), COF_E_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		folder_test(test_format_writes_what_the_spec_says),
		folder_test(test_format_keeps_given_volume_key),
		folder_test(test_format_makes_a_key_of_its_own_each_time),
		folder_test(test_format_is_read_by_cryptsetup),
		folder_test(test_format_takes_each_sector_size),
		folder_test(test_format_refuses_odd_sector_sizes),
		folder_test(test_format_refuses_size_that_is_no_multiple),
		folder_test(test_format_refuses_short_uuid),
		folder_test(test_format_refuses_uuid_that_is_none),
		folder_test(test_format_refuses_long_label),
		folder_test(test_format_refuses_long_subsystem),
		folder_test(test_format_refuses_short_volume_key),
		folder_test(test_format_refuses_small_file),
		folder_test(test_format_of_nothing_fails),
		folder_test(test_format_of_character_device_fails),
		folder_test(test_format_of_folder_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
