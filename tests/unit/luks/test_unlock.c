/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "luks_test.h"

#include <pthread.h>
#include <sys/resource.h>

static void test_unlock_with_wrong_secret_fails(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;
	const char *path = new_header("h", &key);

	(void)state;
	add_slot(path, key, "right");
	assert_int_equal(unlock(path, "wrong", LUKS_ANY_SLOT, &got, NULL), COF_E_KEY);
	assert_null(got);
}

static void test_unlock_without_keyslots_fails(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;
	const char *path = new_header("h", &key);

	(void)state;
	assert_int_equal(unlock(path, "any", LUKS_ANY_SLOT, &got, NULL), COF_E_KEY);
}

static void test_unlock_of_one_slot_tries_no_other(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;
	const char *path = new_header("h", &key);
	int first = add_slot(path, key, "first");
	int second = add_slot(path, key, "second");

	(void)state;
	assert_int_equal(unlock(path, "first", second, &got, NULL), COF_E_KEY);
	assert_int_equal(unlock(path, "first", first, &got, NULL), COF_E_NONE);
}

static void test_unlock_one_of_names_the_key_that_opens(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	struct slot_secret *secrets[3];
	const char *path = new_header("h", &key);
	static const char *const texts[] = { "other", "second", "first" };
	size_t index = 9;
	bool found;

	(void)state;
	add_slot(path, key, "first");
	add_slot(path, key, "second");
	for (size_t i = 0; i < 3; i++)
		assert_ok(slot_secret_copy(span_of_text(texts[i]), &secrets[i], NULL));
	/* Slot by slot: the first slot's key is the last of them. */
	assert_ok(luks_unlock_one_of(path, secrets, 3, &index, &found, NULL));
	assert_true(found);
	assert_int_equal(index, 2);
	assert_ok(luks_unlock_one_of(path, secrets, 2, &index, &found, NULL));
	assert_true(found);
	assert_int_equal(index, 1);
	assert_ok(luks_unlock_one_of(path, secrets, 1, &index, &found, NULL));
	assert_false(found);
	assert_ok(luks_unlock_one_of(path, secrets, 0, &index, &found, NULL));
	assert_false(found);
	for (size_t i = 0; i < 3; i++)
		slot_secret_free(secrets[i]);
}

static void test_unlock_of_unused_slot_fails(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;
	const char *path = new_header("h", &key);

	(void)state;
	add_slot(path, key, "first");
	assert_int_equal(unlock(path, "first", 9, &got, NULL), COF_E_KEY);
}

static void test_unlock_of_header_by_cryptsetup_works(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;
	const char *path = sparse_file("h", 24 << 20);

	(void)state;
	assert_int_equal(shell("printf theirs | cryptsetup luksFormat -q --type luks2 --pbkdf "
			       "argon2id --pbkdf-force-iterations 4 --pbkdf-memory 64 "
			       "--key-file - h"),
			 0);
	assert_int_equal(unlock(path, "theirs", LUKS_ANY_SLOT, &got, NULL), COF_E_NONE);
	assert_ok(luks_verify(path, NULL, got, NULL));
}

static void test_unlock_of_detached_header_works(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *secret = secret_of("apart");
	const char *data = sparse_file("data", 8 << 20);

	(void)state;
	assert_int_equal(shell("printf apart | cryptsetup luksFormat -q --type luks2 --header h "
			       "--pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file - data"),
			 0);
	assert_fails(luks_unlock(data, NULL, secret, LUKS_ANY_SLOT, &got, NULL, NULL),
		     COF_E_FORMAT);
	assert_ok(luks_unlock(data, in_folder("h"), secret, LUKS_ANY_SLOT, &got, NULL, NULL));
	assert_ok(luks_verify(data, in_folder("h"), got, NULL));
}

static void test_unlock_refuses_lone_null_keyslot(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;
	const char *path = new_header("h", &key);

	(void)state;
	add_slot(path, key, "secret");
	edit_header(path, "aes-xts-plain64", "cipher_null-ecb");
	assert_int_equal(unlock(path, "secret", LUKS_ANY_SLOT, &got, NULL), COF_E_REFUSED);
	assert_int_equal(unlock(path, "secret", 0, &got, NULL), COF_E_REFUSED);
}

static void test_unlock_passes_over_null_keyslot(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;
	const char *path = new_header("h", &key);
	int opened = -1;

	(void)state;
	add_slot(path, key, "same");
	add_slot(path, key, "same");
	edit_header(path, "aes-xts-plain64", "cipher_null-ecb");
	assert_int_equal(unlock(path, "same", LUKS_ANY_SLOT, &got, &opened), COF_E_NONE);
	assert_int_equal(opened, 1);
	assert_int_equal(unlock(path, "other", LUKS_ANY_SLOT, &got, NULL), COF_E_KEY);
}

static void test_unlock_passes_over_unbound_keyslot(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;
	const char *path = new_header("h", &key);

	(void)state;
	add_slot(path, key, "bound");
	assert_int_equal(shell("printf unbound | cryptsetup luksAddKey -q --unbound --key-size 512 "
			       "-S 5 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 h -"),
			 0);
	assert_int_equal(unlock(path, "unbound", LUKS_ANY_SLOT, &got, NULL), COF_E_KEY);
	assert_int_equal(unlock(path, "unbound", 5, &got, NULL), COF_E_KEY);
}

static void test_unlock_survives_a_slot_that_cannot_be_tried(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;
	const char *path = new_header("h", &key);
	int opened = -1;

	(void)state;
	add_slot(path, key, "same");
	add_slot(path, key, "same");
	edit_header(path, "aes-xts-plain64", "foo-xts-plain64");
	assert_int_equal(unlock(path, "same", LUKS_ANY_SLOT, &got, &opened), COF_E_NONE);
	assert_int_equal(opened, 1);
	/* The slot that could not be tried may be the right one, so "wrong key" is not claimed. */
	assert_int_not_equal(unlock(path, "other", LUKS_ANY_SLOT, &got, NULL), COF_E_KEY);
}

static void test_unlock_of_cut_off_header_fails(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;
	const char *path = new_header("h", &key);

	(void)state;
	add_slot(path, key, "secret");
	assert_int_equal(truncate(path, 1 << 20), 0);
	assert_int_equal(unlock(path, "secret", LUKS_ANY_SLOT, &got, NULL), COF_E_FORMAT);
}

static void test_unlock_of_damaged_keyslot_area_fails(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;
	const char *path = new_header("h", &key);

	(void)state;
	add_slot(path, key, "secret");
	poke_zeroes(path, 32768, 4096);
	assert_int_equal(unlock(path, "secret", LUKS_ANY_SLOT, &got, NULL), COF_E_KEY);
}

static void test_unlock_takes_binary_secret_of_a_megabyte(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *secret = NULL;
	const char *path = new_header("h", &key);

	(void)state;
	assert_ok(slot_secret_random(1 << 20, &secret, NULL));
	assert_ok(luks_slot_add(path, NULL, key, secret, LUKS_COST_RANDOM_KEY, NULL, NULL));
	assert_ok(luks_unlock(path, NULL, secret, LUKS_ANY_SLOT, &got, NULL, NULL));
	assert_true(keys_equal(key, got));
}

static void test_verify_of_foreign_key_fails(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(volume_key_freep) struct volume_key *other = NULL;
	const char *path = new_header("h", &key);

	(void)state;
	assert_ok(volume_key_random(64, &other, NULL));
	assert_fails(luks_verify(path, NULL, other, NULL), COF_E_KEY);
}

static void test_verify_of_key_of_other_length_fails(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	const char *path = new_header("h", &key);
	_cleanup_(volume_key_freep) struct volume_key *part = NULL;

	(void)state;
	assert_ok(volume_key_copy(SPAN(key->secret.data, 32), &part, NULL));
	assert_fails(luks_verify(path, NULL, part, NULL), COF_E_KEY);
}

static void *unlock_often(void *argument)
{
	for (int i = 0; i < 10; i++) {
		_cleanup_(volume_key_freep) struct volume_key *got = NULL;

		if (unlock(argument, "secret", LUKS_ANY_SLOT, &got, NULL) != COF_E_NONE)
			return argument;
	}
	return NULL;
}

static void test_unlock_from_several_threads_works(void **state)
{
	char paths[4][160];
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 4; i++) {
		_cleanup_(volume_key_freep) struct volume_key *key = NULL;
		char name[8];

		(void)snprintf(name, sizeof(name), "h%d", i);
		(void)snprintf(paths[i], sizeof(paths[i]), "%s", new_header(name, &key));
		add_slot(paths[i], key, "secret");
	}
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, unlock_often, paths[i]), 0);
	for (int i = 0; i < 4; i++) {
		void *failed = NULL;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
}

static void *unlock_once(void *argument)
{
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;

	return unlock(argument, "dear", LUKS_ANY_SLOT, &got, NULL) == COF_E_NONE ? NULL : argument;
}

/* The most memory that this process has had so far. */
static long peak_kib(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_maxrss;
}

static void test_unlock_runs_one_argon2_at_a_time(void **state)
{
	char where[160];
	pthread_t threads[3];
	void *failed = NULL;
	long peak_of_one;

	(void)state;
#ifdef __SANITIZE_ADDRESS__
	print_message("skipped: the sanitizer keeps freed memory, so its peak tells nothing\n");
	skip();
#endif
	(void)snprintf(where, sizeof(where), "%s", sparse_file("h", 24 << 20));
	assert_int_equal(shell("printf dear | cryptsetup luksFormat -q --type luks2 --pbkdf "
			       "argon2id --pbkdf-force-iterations 8 --pbkdf-memory 131072 "
			       "--pbkdf-parallel 1 --key-file - h"),
			 0);
	assert_null(unlock_once(where));
	peak_of_one = peak_kib();
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, unlock_once, where), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	assert_true(peak_kib() < peak_of_one + 65536);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		folder_test(test_unlock_runs_one_argon2_at_a_time),
		folder_test(test_unlock_from_several_threads_works),
		folder_test(test_unlock_with_wrong_secret_fails),
		folder_test(test_unlock_without_keyslots_fails),
		folder_test(test_unlock_of_one_slot_tries_no_other),
		folder_test(test_unlock_of_unused_slot_fails),
		folder_test(test_unlock_one_of_names_the_key_that_opens),
		folder_test(test_unlock_of_header_by_cryptsetup_works),
		folder_test(test_unlock_of_detached_header_works),
		folder_test(test_unlock_refuses_lone_null_keyslot),
		folder_test(test_unlock_passes_over_null_keyslot),
		folder_test(test_unlock_passes_over_unbound_keyslot),
		folder_test(test_unlock_survives_a_slot_that_cannot_be_tried),
		folder_test(test_unlock_of_cut_off_header_fails),
		folder_test(test_unlock_of_damaged_keyslot_area_fails),
		folder_test(test_unlock_takes_binary_secret_of_a_megabyte),
		folder_test(test_verify_of_foreign_key_fails),
		folder_test(test_verify_of_key_of_other_length_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
