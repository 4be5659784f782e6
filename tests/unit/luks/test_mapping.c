/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "luks_test.h"

#include <linux/dm-ioctl.h>

#include "mapping.h"

#define MAPPING_NAME "coffer-test-mapping"

static void test_mapping_uuid_is_parsed(void **state)
{
	char uuid[LUKS_UUID_CHARS + 1];

	(void)state;
	mapping_uuid_parse("CRYPT-LUKS2-d6d8a8801ab444569e0f27c3320e4b29-enc-disk", uuid);
	assert_string_equal(uuid, "d6d8a880-1ab4-4456-9e0f-27c3320e4b29");
	mapping_uuid_parse("CRYPT-LUKS1-d6d8a8801ab444569e0f27c3320e4b29-enc-disk", uuid);
	assert_string_equal(uuid, "d6d8a880-1ab4-4456-9e0f-27c3320e4b29");
}

static void test_mapping_uuid_of_other_kinds_is_empty(void **state)
{
	static const char *const others[] = {
		"",
		"CRYPT-PLAIN-swap",
		"LVM-Wq2Jy6",
		"CRYPT-LUKS2-",
		"CRYPT-LUKS2-d6d8a8801ab444569e0f27c3320e4b2-short",
		"CRYPT-LUKS2-d6d8a8801ab444569e0f27c3320e4b29a-long",
		"CRYPT-LUKS2-d6d8a8801ab444569e0f27c3320e4b29",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		char uuid[LUKS_UUID_CHARS + 1] = "x";

		mapping_uuid_parse(others[i], uuid);
		assert_string_equal(uuid, "");
	}
}

/* Appends one record of a DM_LIST_VERSIONS answer. */
static size_t add_target(uint8_t *list, size_t at, const char *name, bool last)
{
	size_t len = (sizeof(struct dm_target_versions) + strlen(name) + 1 + 7) / 8 * 8;
	struct dm_target_versions head = { .next = last ? 0 : (uint32_t)len };

	memcpy(list + at, &head, sizeof(head));
	memcpy(list + at + sizeof(head), name, strlen(name) + 1);
	return at + len;
}

static void test_mapping_target_is_found_in_list(void **state)
{
	uint8_t list[256] = { 0 };
	size_t len = add_target(list, 0, "striped", false);

	(void)state;
	len = add_target(list, len, "crypt", true);
	assert_true(mapping_target_listed(SPAN(list, len), "crypt"));
	assert_true(mapping_target_listed(SPAN(list, len), "striped"));
	assert_false(mapping_target_listed(SPAN(list, len), "linear"));
}

static void test_mapping_target_list_cut_anywhere_is_safe(void **state)
{
	uint8_t list[256] = { 0 };
	size_t len = add_target(list, 0, "striped", false);

	(void)state;
	len = add_target(list, len, "crypt", true);
	for (size_t cut = 0; cut < len; cut++) {
		_cleanup_free_ uint8_t *exact = malloc(cut + 1);

		memcpy(exact, list, cut);
		if (cut < len - 8)
			assert_false(mapping_target_listed(SPAN(exact, cut), "crypt"));
	}
}

static void test_mapping_find_reads_the_kernels_files(void **state)
{
	struct luks_mapping mapping;
	bool found = false;

	(void)state;
	assert_int_equal(shell("for d in dm-0 dm-1 sda; do mkdir -p class/block/$d/dm; done && "
			       "echo other >class/block/dm-0/dm/name && "
			       "echo enc-x >class/block/dm-1/dm/name && "
			       "echo CRYPT-LUKS2-d6d8a8801ab444569e0f27c3320e4b29-enc-x "
			       ">class/block/dm-1/dm/uuid && echo 1 >class/block/dm-1/ro && "
			       "mkdir -p 'class/block/dm-1/slaves/cciss!c0d1'"),
			 0);
	assert_ok(mapping_find_below(test_folder, "enc-x", &mapping, &found, NULL));
	assert_true(found);
	assert_string_equal(mapping.name, "enc-x");
	assert_string_equal(mapping.uuid, "d6d8a880-1ab4-4456-9e0f-27c3320e4b29");
	assert_string_equal(mapping.source, "/dev/cciss/c0d1");
	assert_string_equal(mapping.device, "/dev/mapper/enc-x");
	assert_true(mapping.read_only);
}

static void test_mapping_find_of_missing_name_finds_nothing(void **state)
{
	struct luks_mapping mapping;
	bool found = true;

	(void)state;
	assert_int_equal(shell("mkdir -p class/block/dm-0/dm && echo a >class/block/dm-0/dm/name"),
			 0);
	assert_ok(mapping_find_below(test_folder, "b", &mapping, &found, NULL));
	assert_false(found);
}

static void test_mapping_find_without_sys_finds_nothing(void **state)
{
	struct luks_mapping mapping;
	bool found = true;

	(void)state;
	assert_ok(mapping_find_below(in_folder("none"), "b", &mapping, &found, NULL));
	assert_false(found);
}

static void test_deactivate_of_missing_name_succeeds(void **state)
{
	(void)state;
	assert_ok(luks_deactivate("coffer-test-no-such-mapping", NULL));
}

static void test_activate_refuses_bad_names(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	const char *path = new_header("h", &key);
	char longest[129];

	(void)state;
	memset(longest, 'n', sizeof(longest) - 1);
	longest[128] = '\0';
	assert_fails(luks_activate(path, NULL, "", key, false, NULL), COF_E_FAILED);
	assert_fails(luks_activate(path, NULL, "a/b", key, false, NULL), COF_E_FAILED);
	assert_fails(luks_activate(path, NULL, longest, key, false, NULL), COF_E_FAILED);
}

static void test_activate_refuses_unencrypted_data(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	const char *path = new_header("h", &key);

	(void)state;
	/* Without a keyslot the first cipher in the header is the data segment's. */
	edit_header(path, "aes-xts-plain64", "cipher_null-ecb");
	assert_fails(luks_activate(path, NULL, MAPPING_NAME, key, false, NULL), COF_E_REFUSED);
}

static void test_activate_without_dm_crypt_says_so(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	const char *path = new_header("h", &key);
	char why_not[160] = "";

	(void)state;
	if (luks_kernel_can(why_not, sizeof(why_not))) {
		print_message("skipped: this kernel has dm-crypt\n");
		skip();
	}
	assert_true(strlen(why_not) > 0);
	assert_fails(luks_activate(path, NULL, MAPPING_NAME, key, false, NULL), COF_E_UNSUPPORTED);
}

/* Skips the test, saying why, where this kernel has no dm-crypt. */
static void need_dm_crypt(void)
{
	char why_not[160];

	if (luks_kernel_can(why_not, sizeof(why_not)))
		return;
	print_message("skipped: %s\n", why_not);
	skip();
}

static int mapping_teardown(void **state)
{
	cof_ignore(luks_deactivate(MAPPING_NAME, NULL)); /* a failed test may have left it */
	(void)shell("losetup -j h | cut -d: -f1 | xargs -r losetup -d");
	return folder_teardown(state);
}

static void test_activate_maps_and_deactivate_removes(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *other = NULL;
	const struct luks_format_spec spec = { .sector_bytes = 4096 };
	const char *path = sparse_file("h", 32 << 20);
	struct luks_mapping mapping;
	struct luks_info info;
	bool found = false;

	(void)state;
	need_dm_crypt();
	assert_ok(luks_format(path, &spec, NULL, &key, NULL));
	assert_ok(volume_key_random(64, &other, NULL));
	assert_fails(luks_activate(path, NULL, MAPPING_NAME, other, true, NULL), COF_E_KEY);
	assert_ok(luks_activate(path, NULL, MAPPING_NAME, key, true, NULL));
	assert_ok(luks_mapping_find(MAPPING_NAME, &mapping, &found, NULL));
	assert_true(found);
	assert_true(mapping.read_only);
	assert_ok(luks_read(path, NULL, &info, NULL));
	assert_string_equal(mapping.uuid, info.uuid);
	assert_fails(luks_activate(path, NULL, MAPPING_NAME, key, true, NULL), COF_E_BUSY);
	assert_ok(luks_deactivate(MAPPING_NAME, NULL));
	assert_ok(luks_mapping_find(MAPPING_NAME, &mapping, &found, NULL));
	assert_false(found);
}

/* The data stay readable with one copy of the metadata gone, and nothing is written but data. */
static void check_maps_with_damage(uint64_t damaged_at)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	const struct luks_format_spec spec = { .sector_bytes = 4096 };
	const char *path = sparse_file("h", 32 << 20);

	assert_ok(luks_format(path, &spec, NULL, &key, NULL));
	assert_ok(luks_activate(path, NULL, MAPPING_NAME, key, false, NULL));
	assert_int_equal(shell("printf 'a known text' | dd of=/dev/mapper/" MAPPING_NAME
			       " bs=4096 conv=sync,fsync"),
			 0);
	assert_ok(luks_deactivate(MAPPING_NAME, NULL));
	poke_zeroes(path, damaged_at, 4096);
	assert_int_equal(shell("sha256sum h >sum"), 0);
	assert_ok(luks_activate(path, NULL, MAPPING_NAME, key, false, NULL));
	assert_int_equal(shell("head -c 12 /dev/mapper/" MAPPING_NAME " | grep -q 'a known text'"),
			 0);
	assert_ok(luks_deactivate(MAPPING_NAME, NULL));
	assert_int_equal(shell("sha256sum -c sum"), 0);
}

static void test_activate_with_first_copy_gone_maps_and_changes_nothing(void **state)
{
	(void)state;
	need_dm_crypt();
	check_maps_with_damage(0);
}

static void test_activate_with_second_copy_gone_maps_and_changes_nothing(void **state)
{
	(void)state;
	need_dm_crypt();
	check_maps_with_damage(16384);
}

static void test_deactivate_of_busy_mapping_fails(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	const struct luks_format_spec spec = { .sector_bytes = 4096 };
	const char *path = sparse_file("h", 32 << 20);
	int fd;

	(void)state;
	need_dm_crypt();
	assert_ok(luks_format(path, &spec, NULL, &key, NULL));
	assert_ok(luks_activate(path, NULL, MAPPING_NAME, key, false, NULL));
	fd = open("/dev/mapper/" MAPPING_NAME, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_fails(luks_deactivate(MAPPING_NAME, NULL), COF_E_BUSY);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mapping_uuid_is_parsed),
		cmocka_unit_test(test_mapping_uuid_of_other_kinds_is_empty),
		cmocka_unit_test(test_mapping_target_is_found_in_list),
		cmocka_unit_test(test_mapping_target_list_cut_anywhere_is_safe),
		folder_test(test_mapping_find_reads_the_kernels_files),
		folder_test(test_mapping_find_of_missing_name_finds_nothing),
		folder_test(test_mapping_find_without_sys_finds_nothing),
		cmocka_unit_test(test_deactivate_of_missing_name_succeeds),
		folder_test(test_activate_refuses_bad_names),
		folder_test(test_activate_refuses_unencrypted_data),
		folder_test(test_activate_without_dm_crypt_says_so),
		cmocka_unit_test_setup_teardown(test_activate_maps_and_deactivate_removes,
						folder_setup, mapping_teardown),
		cmocka_unit_test_setup_teardown(
			test_activate_with_first_copy_gone_maps_and_changes_nothing, folder_setup,
			mapping_teardown),
		cmocka_unit_test_setup_teardown(
			test_activate_with_second_copy_gone_maps_and_changes_nothing, folder_setup,
			mapping_teardown),
		cmocka_unit_test_setup_teardown(test_deactivate_of_busy_mapping_fails, folder_setup,
						mapping_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
