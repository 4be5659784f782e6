/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "luks_test.h"

#define TOKEN "{\"type\":\"coffer-test\",\"keyslots\":[],\"note\":\"%s\"}"

/* Sets a token and returns the code; @ret_number may be NULL. */
static enum cof_code set_token(const char *path, int number, const char *note, int *ret_number)
{
	char json[256];

	(void)snprintf(json, sizeof(json), TOKEN, note);
	return luks_token_set(path, number, json, ret_number, NULL).code;
}

static void test_token_set_is_read_back(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_free_ char *json = NULL;
	const char *path = new_header("h", &key);
	int number = -1;

	(void)state;
	assert_int_equal(set_token(path, -1, "hello", &number), COF_E_NONE);
	assert_int_equal(number, 0);
	assert_ok(luks_token_get(path, number, &json, NULL));
	assert_non_null(strstr(json, "hello"));
}

static void test_token_set_again_replaces(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_free_ char *json = NULL;
	const char *path = new_header("h", &key);
	int number = -1;

	(void)state;
	assert_int_equal(set_token(path, 4, "old", NULL), COF_E_NONE);
	assert_int_equal(set_token(path, 4, "new", &number), COF_E_NONE);
	assert_int_equal(number, 4);
	assert_ok(luks_token_get(path, 4, &json, NULL));
	assert_null(strstr(json, "old"));
}

static void test_token_set_is_seen_by_cryptsetup(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	const char *path = new_header("h", &key);

	(void)state;
	assert_int_equal(set_token(path, -1, "hello", NULL), COF_E_NONE);
	assert_int_equal(shell("cryptsetup token export --token-id 0 h | grep -q hello"), 0);
}

static void test_token_get_of_free_one_is_null(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_free_ char *json = NULL;

	(void)state;
	assert_ok(luks_token_get(new_header("h", &key), 3, &json, NULL));
	assert_null(json);
}

static void test_token_remove_frees_it(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_free_ char *json = NULL;
	const char *path = new_header("h", &key);

	(void)state;
	assert_int_equal(set_token(path, 2, "hello", NULL), COF_E_NONE);
	assert_ok(luks_token_remove(path, 2, NULL));
	assert_ok(luks_token_get(path, 2, &json, NULL));
	assert_null(json);
}

/* What Clevis and TPM2 enrolments of many methods come to: tokens of two kilobytes each. */
static void test_vault_header_holds_twenty_large_tokens(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	const char *path = new_header_of("h", true, &key);
	char json[2100];
	char note[2001];

	(void)state;
	memset(note, 'x', sizeof(note) - 1);
	note[sizeof(note) - 1] = '\0';
	(void)snprintf(json, sizeof(json), TOKEN, note);
	for (int number = 0; number < 20; number++)
		assert_ok(luks_token_set(path, -1, json, NULL, NULL));
}

static void test_token_remove_missing_succeeds(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;

	(void)state;
	assert_ok(luks_token_remove(new_header("h", &key), 2, NULL));
}

static void test_token_set_refuses_bad_json(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	const char *path = new_header("h", &key);

	(void)state;
	assert_fails(luks_token_set(path, -1, "{\"type\":", NULL, NULL), COF_E_FORMAT);
	assert_fails(luks_token_set(path, -1, "{\"type\":\"x\"}", NULL, NULL), COF_E_FORMAT);
}

static void test_token_set_refuses_number_past_last(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;

	(void)state;
	assert_int_equal(set_token(new_header("h", &key), 32, "x", NULL), COF_E_NOENT);
}

static void test_token_set_refuses_33rd(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	const char *path = new_header("h", &key);

	(void)state;
	for (int i = 0; i < 32; i++)
		assert_int_equal(set_token(path, -1, "x", NULL), COF_E_NONE);
	assert_int_equal(set_token(path, -1, "x", NULL), COF_E_NOSPC);
}

static void test_token_set_into_full_metadata_fails(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	const char *path = new_header("h", &key);
	char json[13000];
	int head = snprintf(json, sizeof(json), "{\"type\":\"x\",\"keyslots\":[],\"note\":\"");

	(void)state;
	memset(json + head, 'n', sizeof(json) - (size_t)head);
	memcpy(json + sizeof(json) - 3, "\"}", 3);
	assert_fails(luks_token_set(path, -1, json, NULL, NULL), COF_E_NOSPC);
}

static void test_token_set_on_luks1_fails(void **state)
{
	const char *path = sparse_file("one", 4 << 20);

	(void)state;
	assert_int_equal(shell("printf x | cryptsetup luksFormat -q --type luks1 "
			       "--pbkdf-force-iterations 1000 --key-file - one"),
			 0);
	assert_int_equal(set_token(path, -1, "x", NULL), COF_E_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		folder_test(test_token_set_is_read_back),
		folder_test(test_token_set_again_replaces),
		folder_test(test_token_set_is_seen_by_cryptsetup),
		folder_test(test_token_get_of_free_one_is_null),
		folder_test(test_token_remove_frees_it),
		folder_test(test_vault_header_holds_twenty_large_tokens),
		folder_test(test_token_remove_missing_succeeds),
		folder_test(test_token_set_refuses_bad_json),
		folder_test(test_token_set_refuses_number_past_last),
		folder_test(test_token_set_refuses_33rd),
		folder_test(test_token_set_into_full_metadata_fails),
		folder_test(test_token_set_on_luks1_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
