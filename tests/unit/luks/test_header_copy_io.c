/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "luks_test.h"

static void copy_of(const char *path, struct buffer *copy)
{
	assert_ok(luks_copy_header(path, copy, NULL));
}

static void test_copy_opens_after_the_header_is_destroyed(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;
	_cleanup_buffer_ struct buffer copy = { 0 };
	const char *path = new_header("h", &key);

	(void)state;
	add_slot(path, key, "secret");
	copy_of(path, &copy);
	assert_int_equal(shell("cryptsetup luksErase -q h && wipefs -a h"), 0);
	assert_ok(luks_write_header_copy(buffer_span(&copy), in_folder("back"), NULL));
	assert_int_equal(unlock(in_folder("back"), "secret", LUKS_ANY_SLOT, &got, NULL),
			 COF_E_NONE);
	assert_true(keys_equal(key, got));
}

static void test_copy_is_a_backup_for_cryptsetup(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;
	_cleanup_buffer_ struct buffer copy = { 0 };
	const char *path = new_header("h", &key);

	(void)state;
	add_slot(path, key, "secret");
	copy_of(path, &copy);
	poke_zeroes(path, 0, 1 << 20);
	assert_ok(luks_write_header_copy(buffer_span(&copy), in_folder("back"), NULL));
	assert_int_equal(shell("cryptsetup luksHeaderRestore -q h --header-backup-file back"), 0);
	assert_int_equal(unlock(path, "secret", LUKS_ANY_SLOT, &got, NULL), COF_E_NONE);
	assert_true(keys_equal(key, got));
}

static void test_copy_of_written_copy_is_equal(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_buffer_ struct buffer copy = { 0 };
	_cleanup_buffer_ struct buffer again = { 0 };
	const char *path = new_header("h", &key);

	(void)state;
	add_slot(path, key, "a");
	add_slot(path, key, "b");
	assert_ok(luks_slot_remove(path, NULL, 0, NULL));
	copy_of(path, &copy);
	assert_ok(luks_write_header_copy(buffer_span(&copy), in_folder("back"), NULL));
	copy_of(in_folder("back"), &again);
	assert_true(luks_copies_equal(buffer_span(&copy), buffer_span(&again)));
}

static void test_copy_differs_after_a_slot_is_added(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_buffer_ struct buffer before = { 0 };
	_cleanup_buffer_ struct buffer after = { 0 };
	const char *path = new_header("h", &key);

	(void)state;
	add_slot(path, key, "a");
	copy_of(path, &before);
	add_slot(path, key, "b");
	copy_of(path, &after);
	assert_false(luks_copies_equal(buffer_span(&before), buffer_span(&after)));
}

static void test_copy_is_small(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_buffer_ struct buffer copy = { 0 };
	const char *path = new_header("h", &key);

	(void)state;
	add_slot(path, key, "a");
	copy_of(path, &copy);
	assert_true(copy.len < 300 * 1024);
}

static void test_copy_is_appended(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_buffer_ struct buffer copy = { 0 };
	const char *path = new_header("h", &key);

	(void)state;
	assert_ok(buffer_add(&copy, "before", 6, NULL));
	copy_of(path, &copy);
	assert_memory_equal(copy.data, "beforeCofHdrCp", 14);
}

static void test_copy_of_luks1_opens(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;
	_cleanup_buffer_ struct buffer copy = { 0 };
	const char *path = sparse_file("one", 4 << 20);

	(void)state;
	assert_int_equal(shell("printf first | cryptsetup luksFormat -q --type luks1 "
			       "--pbkdf-force-iterations 1000 --key-file - one"),
			 0);
	assert_int_equal(unlock(path, "first", LUKS_ANY_SLOT, &key, NULL), COF_E_NONE);
	copy_of(path, &copy);
	assert_ok(luks_write_header_copy(buffer_span(&copy), in_folder("back"), NULL));
	assert_int_equal(unlock(in_folder("back"), "first", LUKS_ANY_SLOT, &got, NULL), COF_E_NONE);
	assert_true(keys_equal(key, got));
}

static void test_copy_of_no_header_fails(void **state)
{
	_cleanup_buffer_ struct buffer copy = { 0 };

	(void)state;
	assert_fails(luks_copy_header(sparse_file("zero", 1 << 20), &copy, NULL), COF_E_FORMAT);
	assert_int_equal(copy.len, 0);
}

static void test_copy_written_over_a_file_is_refused(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_buffer_ struct buffer copy = { 0 };
	const char *path = new_header("h", &key);

	(void)state;
	copy_of(path, &copy);
	assert_fails(luks_write_header_copy(buffer_span(&copy), path, NULL), COF_E_REFUSED);
}

static void test_copy_altered_is_not_written(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_buffer_ struct buffer copy = { 0 };
	const char *path = new_header("h", &key);

	(void)state;
	copy_of(path, &copy);
	copy.data[1000] ^= 1;
	assert_fails(luks_write_header_copy(buffer_span(&copy), in_folder("back"), NULL),
		     COF_E_FORMAT);
	assert_false(path_exists(in_folder("back")));
}

static void test_copy_is_written_for_its_owner_alone(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_buffer_ struct buffer copy = { 0 };
	const char *path = new_header("h", &key);
	struct stat status;

	(void)state;
	copy_of(path, &copy);
	assert_ok(luks_write_header_copy(buffer_span(&copy), in_folder("back"), NULL));
	assert_int_equal(stat(in_folder("back"), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		folder_test(test_copy_opens_after_the_header_is_destroyed),
		folder_test(test_copy_is_a_backup_for_cryptsetup),
		folder_test(test_copy_of_written_copy_is_equal),
		folder_test(test_copy_differs_after_a_slot_is_added),
		folder_test(test_copy_is_small),
		folder_test(test_copy_is_appended),
		folder_test(test_copy_of_luks1_opens),
		folder_test(test_copy_of_no_header_fails),
		folder_test(test_copy_written_over_a_file_is_refused),
		folder_test(test_copy_altered_is_not_written),
		folder_test(test_copy_is_written_for_its_owner_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
