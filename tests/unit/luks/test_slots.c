/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "luks_test.h"

static void test_slot_add_opens_with_its_secret(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;
	const char *path = new_header("h", &key);
	int added = add_slot(path, key, "a secret");
	int opened = -1;

	(void)state;
	assert_int_equal(unlock(path, "a secret", LUKS_ANY_SLOT, &got, &opened), COF_E_NONE);
	assert_true(keys_equal(key, got));
	assert_int_equal(opened, added);
}

static void test_slot_add_by_foreign_key_fails(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *other = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *secret = secret_of("x");
	const char *path = new_header("h", &key);

	(void)state;
	assert_ok(volume_key_random(64, &other, NULL));
	assert_fails(luks_slot_add(path, NULL, other, secret, LUKS_COST_RANDOM_KEY, NULL, NULL),
		     COF_E_KEY);
}

static void test_slot_add_all_taken_fails(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *secret = secret_of("one too many");
	const char *path = new_header("h", &key);

	(void)state;
	for (int i = 0; i < LUKS_SLOTS_MAX; i++)
		assert_int_equal(add_slot(path, key, "many"), i);
	assert_fails(luks_slot_add(path, NULL, key, secret, LUKS_COST_RANDOM_KEY, NULL, NULL),
		     COF_E_NOSPC);
}

static void test_slot_add_opens_for_cryptsetup(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	const char *path = new_header("h", &key);

	(void)state;
	add_slot(path, key, "for the peer");
	assert_int_equal(shell("printf 'for the peer' | cryptsetup open -q --test-passphrase "
			       "--key-file - h"),
			 0);
}

static void test_slot_added_by_cryptsetup_opens(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;
	const char *path = new_header("h", &key);

	(void)state;
	add_slot(path, key, "ours");
	assert_int_equal(shell("printf ours >a && printf theirs >b && cryptsetup luksAddKey -q "
			       "--pbkdf argon2id --pbkdf-force-iterations 4 --pbkdf-memory 64 "
			       "--key-file a h b"),
			 0);
	assert_int_equal(unlock(path, "theirs", LUKS_ANY_SLOT, &got, NULL), COF_E_NONE);
	assert_true(keys_equal(key, got));
}

static void test_slot_remove_closes_it(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;
	const char *path = new_header("h", &key);
	int slot;

	(void)state;
	add_slot(path, key, "stays");
	slot = add_slot(path, key, "goes");
	assert_ok(luks_slot_remove(path, NULL, slot, NULL));
	assert_int_equal(unlock(path, "goes", LUKS_ANY_SLOT, &got, NULL), COF_E_KEY);
	assert_int_equal(unlock(path, "stays", LUKS_ANY_SLOT, &got, NULL), COF_E_NONE);
}

static void test_slot_changes_of_detached_header_work(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *secret = secret_of("second");
	const char *header = new_header("h", &key);
	const char *data = sparse_file("data", 8 << 20);
	int slot = -1;

	(void)state;
	assert_ok(luks_slot_add(data, header, key, secret, LUKS_COST_RANDOM_KEY, &slot, NULL));
	assert_int_equal(unlock(header, "second", slot, &got, NULL), COF_E_NONE);
	assert_ok(luks_slot_remove(data, header, slot, NULL));
	volume_key_freep(&got);
	assert_int_equal(unlock(header, "second", slot, &got, NULL), COF_E_KEY);
}

static void test_slot_changes_without_header_fail(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *secret = secret_of("x");
	const char *data = sparse_file("data", 8 << 20);

	(void)state;
	assert_ok(volume_key_random(64, &key, NULL));
	assert_fails(luks_slot_add(data, NULL, key, secret, LUKS_COST_RANDOM_KEY, NULL, NULL),
		     COF_E_FORMAT);
	assert_fails(luks_slot_remove(data, NULL, 0, NULL), COF_E_FORMAT);
}

static void test_slot_remove_missing_succeeds(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	const char *path = new_header("h", &key);

	(void)state;
	assert_ok(luks_slot_remove(path, NULL, 7, NULL));
	assert_ok(luks_slot_remove(path, NULL, 4711, NULL));
}

static void test_slot_add_for_people_is_capped_argon2id(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *secret = secret_of("chosen by a person");
	const char *path = new_header("h", &key);
	struct luks_info info;

	(void)state;
	assert_ok(luks_slot_add(path, NULL, key, secret, LUKS_COST_PEOPLE, NULL, NULL));
	assert_ok(luks_read(path, NULL, &info, NULL));
	assert_string_equal(info.slots[0].pbkdf, "argon2id");
	assert_true(info.slots[0].memory_kib <= 256 * 1024);
	assert_true(info.slots[0].memory_kib >= 32 * 1024);
	assert_false(info.slots[0].cheap);
}

static void test_slot_add_for_fips_is_dear_pbkdf2(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *secret = secret_of("chosen by a person");
	const char *path = new_header("h", &key);
	struct luks_info info;

	(void)state;
	assert_ok(luks_slot_add(path, NULL, key, secret, LUKS_COST_PEOPLE_FIPS, NULL, NULL));
	assert_ok(luks_read(path, NULL, &info, NULL));
	assert_string_equal(info.slots[0].pbkdf, "pbkdf2");
	assert_false(info.slots[0].cheap);
}

static void test_slot_add_to_luks1_works(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;
	const char *path = sparse_file("one", 4 << 20);

	(void)state;
	assert_int_equal(shell("printf first | cryptsetup luksFormat -q --type luks1 "
			       "--pbkdf-force-iterations 1000 --key-file - one"),
			 0);
	assert_int_equal(unlock(path, "first", LUKS_ANY_SLOT, &key, NULL), COF_E_NONE);
	add_slot(path, key, "second");
	assert_int_equal(unlock(path, "second", LUKS_ANY_SLOT, &got, NULL), COF_E_NONE);
	assert_true(keys_equal(key, got));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		folder_test(test_slot_add_opens_with_its_secret),
		folder_test(test_slot_add_by_foreign_key_fails),
		folder_test(test_slot_add_all_taken_fails),
		folder_test(test_slot_add_opens_for_cryptsetup),
		folder_test(test_slot_added_by_cryptsetup_opens),
		folder_test(test_slot_remove_closes_it),
		folder_test(test_slot_changes_of_detached_header_work),
		folder_test(test_slot_changes_without_header_fail),
		folder_test(test_slot_remove_missing_succeeds),
		folder_test(test_slot_add_for_people_is_capped_argon2id),
		folder_test(test_slot_add_for_fips_is_dear_pbkdf2),
		folder_test(test_slot_add_to_luks1_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
