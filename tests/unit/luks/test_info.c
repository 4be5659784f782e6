/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "luks_test.h"

/* Whether luks_probe() finds a header. */
static bool probed(const char *path)
{
	bool is_luks = false;

	assert_ok(luks_probe(path, &is_luks, NULL));
	return is_luks;
}

static void test_probe_of_new_header_finds_it(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;

	(void)state;
	assert_true(probed(new_header("h", &key)));
}

static void test_probe_of_zeroes_finds_nothing(void **state)
{
	(void)state;
	assert_false(probed(sparse_file("zero", 1 << 20)));
}

static void test_probe_of_empty_file_finds_nothing(void **state)
{
	(void)state;
	assert_false(probed(sparse_file("empty", 0)));
}

static void test_probe_of_luks1_finds_it(void **state)
{
	const char *path = sparse_file("one", 4 << 20);

	(void)state;
	assert_int_equal(shell("printf x | cryptsetup luksFormat -q --type luks1 "
			       "--pbkdf-force-iterations 1000 --key-file - one"),
			 0);
	assert_true(probed(path));
}

static void test_probe_of_missing_device_fails(void **state)
{
	bool is_luks;

	(void)state;
	assert_fails(luks_probe(in_folder("none"), &is_luks, NULL), COF_E_NOENT);
}

static void test_probe_changes_nothing(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	const char *path = new_header("h", &key);

	(void)state;
	poke_zeroes(path, 0, 4096);
	assert_int_equal(shell("sha256sum h >sum"), 0);
	assert_true(probed(path));
	assert_int_equal(shell("sha256sum -c sum"), 0);
}

static void test_read_describes_keyslots(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	const char *path = new_header("h", &key);
	struct luks_info info;

	(void)state;
	add_slot(path, key, "a");
	assert_int_equal(shell("printf a >a && printf b >b && cryptsetup luksAddKey -q -S 9 "
			       "--pbkdf argon2i --pbkdf-force-iterations 5 --pbkdf-memory 64 "
			       "--key-file a h b"),
			 0);
	assert_int_equal(read_code(path, &info), COF_E_NONE);
	assert_int_equal(info.slot_count, 2);
	assert_int_equal(info.slots[0].number, 0);
	assert_true(info.slots[0].cheap);
	assert_string_equal(info.slots[0].cipher, "aes-xts-plain64");
	assert_string_equal(info.slots[0].pbkdf, "pbkdf2");
	assert_int_equal(info.slots[0].iterations, 1000);
	assert_int_equal(info.slots[1].number, 9);
	assert_false(info.slots[1].cheap);
	assert_string_equal(info.slots[1].pbkdf, "argon2i");
	assert_int_equal(info.slots[1].iterations, 5);
	assert_int_equal(info.slots[1].memory_kib, 64);
	assert_int_equal(info.key_bytes, 64);
}

static void test_read_sequence_grows_with_each_change(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	const char *path = new_header("h", &key);
	struct luks_info before;
	struct luks_info after;

	(void)state;
	assert_int_equal(read_code(path, &before), COF_E_NONE);
	add_slot(path, key, "a");
	assert_int_equal(read_code(path, &after), COF_E_NONE);
	assert_true(after.sequence > before.sequence);
}

static void test_read_of_luks1_works(void **state)
{
	const char *path = sparse_file("one", 4 << 20);
	struct luks_info info;

	(void)state;
	assert_int_equal(shell("printf x | cryptsetup luksFormat -q --type luks1 -c aes-cbc-essiv:"
			       "sha256 -s 256 --pbkdf-force-iterations 1000 --key-file - one"),
			 0);
	assert_int_equal(read_code(path, &info), COF_E_NONE);
	assert_int_equal(info.version, 1);
	assert_string_equal(info.cipher_mode, "cbc-essiv:sha256");
	assert_int_equal(info.key_bytes, 32);
	assert_int_equal(info.sector_bytes, 512);
	assert_int_equal(info.slot_count, 1);
	assert_int_equal(info.sequence, 0);
	assert_int_equal(strlen(info.uuid), LUKS_UUID_CHARS);
}

static void test_read_of_zeroes_fails(void **state)
{
	struct luks_info info;

	(void)state;
	assert_int_equal(read_code(sparse_file("zero", 1 << 20), &info), COF_E_FORMAT);
}

static void test_read_of_missing_device_fails(void **state)
{
	(void)state;
	assert_int_equal(read_code(in_folder("none"), NULL), COF_E_NOENT);
}

static void test_read_of_file_cut_anywhere_fails(void **state)
{
	static const off_t ends[] = { 0, 100, 4096, 5000, 16384, 32768, 300000, (16 << 20) - 1 };
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		const char *path = new_header("h", &key);

		volume_key_freep(&key);
		assert_int_equal(truncate(path, ends[i]), 0);
		assert_int_equal(read_code(path, NULL), COF_E_FORMAT);
	}
}

static void test_read_with_first_copy_gone_works(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	const char *path = new_header("h", &key);

	(void)state;
	poke_zeroes(path, 0, 4096);
	assert_int_equal(read_code(path, NULL), COF_E_NONE);
}

static void test_read_with_second_copy_gone_works(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	const char *path = new_header("h", &key);

	(void)state;
	poke_zeroes(path, 16384, 16384);
	assert_int_equal(read_code(path, NULL), COF_E_NONE);
}

/* What luks_read() says of the two copies. */
static void check_damaged(const char *path, bool first, bool second)
{
	struct luks_info info;

	assert_int_equal(read_code(path, &info), COF_E_NONE);
	assert_int_equal(info.first_damaged, first);
	assert_int_equal(info.second_damaged, second);
}

static void test_read_tells_which_copy_is_damaged(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	const char *path = new_header("h", &key);

	(void)state;
	check_damaged(path, false, false);
	poke(path, 5000, "x", 1);
	check_damaged(path, true, false);
	volume_key_freep(&key);
	path = new_header("h", &key);
	poke(path, 16384 + 5000, "x", 1);
	check_damaged(path, false, true);
}

static void test_read_of_luks1_sees_no_second_copy(void **state)
{
	const char *path = sparse_file("one", 4 << 20);

	(void)state;
	assert_int_equal(shell("printf x | cryptsetup luksFormat -q --type luks1 "
			       "--pbkdf-force-iterations 1000 --key-file - one"),
			 0);
	check_damaged(path, false, false);
}

static void test_read_with_both_copies_damaged_says_so(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	const char *path = new_header("h", &key);
	struct cof_error error = { 0 };
	struct luks_info info;

	(void)state;
	poke(path, 5000, "x", 1);
	poke(path, 16384 + 5000, "x", 1);
	assert_fails(luks_read(path, NULL, &info, &error), COF_E_FORMAT);
	assert_non_null(strstr(error.text, "damaged"));
}

static void test_read_of_segments_that_are_not_valid_fails(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	const char *path = new_header("h", &key);

	(void)state;
	edit_header(path, "\"segments\"", "\"segmentz\"");
	assert_int_equal(read_code(path, NULL), COF_E_FORMAT);
}

static void test_read_of_plain_header_sees_nothing_special(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	const char *path = new_header("h", &key);
	struct luks_info info;

	(void)state;
	assert_int_equal(read_code(path, &info), COF_E_NONE);
	assert_string_equal(info.integrity, "");
	assert_false(info.hw_opal);
	assert_false(info.reencrypting);
	assert_int_equal(info.data_length_bytes, 0);
	assert_int_equal(info.iv_offset, 0);
}

static void test_read_sees_unfinished_reencryption(void **state)
{
	const char *path = sparse_file("h", 24 << 20);
	struct luks_info info;

	(void)state;
	assert_int_equal(shell("printf x >k && cryptsetup luksFormat -q --type luks2 "
			       "--pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file k h && "
			       "cryptsetup reencrypt -q --init-only --pbkdf pbkdf2 "
			       "--pbkdf-force-iterations 1000 --key-file k h"),
			 0);
	assert_int_equal(read_code(path, &info), COF_E_NONE);
	assert_true(info.reencrypting);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		folder_test(test_probe_of_new_header_finds_it),
		folder_test(test_probe_of_zeroes_finds_nothing),
		folder_test(test_probe_of_empty_file_finds_nothing),
		folder_test(test_probe_of_luks1_finds_it),
		folder_test(test_probe_of_missing_device_fails),
		folder_test(test_probe_changes_nothing),
		folder_test(test_read_describes_keyslots),
		folder_test(test_read_sequence_grows_with_each_change),
		folder_test(test_read_of_luks1_works),
		folder_test(test_read_of_zeroes_fails),
		folder_test(test_read_of_missing_device_fails),
		folder_test(test_read_of_file_cut_anywhere_fails),
		folder_test(test_read_with_first_copy_gone_works),
		folder_test(test_read_with_second_copy_gone_works),
		folder_test(test_read_tells_which_copy_is_damaged),
		folder_test(test_read_of_luks1_sees_no_second_copy),
		folder_test(test_read_with_both_copies_damaged_says_so),
		folder_test(test_read_of_segments_that_are_not_valid_fails),
		folder_test(test_read_of_plain_header_sees_nothing_special),
		folder_test(test_read_sees_unfinished_reencryption),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
