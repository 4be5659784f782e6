/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "luks_header.h"
#include "luks_test.h"

/* A header with keyslot 0 opened by "secret", the copy of then, and what differs since. */
struct pair {
	char path[160];
	struct volume_key *key;
	struct buffer before;
	struct luks_diff diff;
};

static void pair_make(struct pair *pair)
{
	(void)snprintf(pair->path, sizeof(pair->path), "%s", new_header("h", &pair->key));
	add_slot(pair->path, pair->key, "secret");
	assert_ok(luks_copy_header(pair->path, &pair->before, NULL));
}

static void pair_done(struct pair *pair)
{
	volume_key_freep(&pair->key);
	buffer_done(&pair->before);
	luks_diff_done(&pair->diff);
}
#define _cleanup_pair_ _cleanup_(pair_done)

/* Compares the header as it is now with the copy of then. */
static void pair_compare(struct pair *pair)
{
	_cleanup_buffer_ struct buffer after = { 0 };

	assert_ok(luks_copy_header(pair->path, &after, NULL));
	assert_ok(luks_copies_diff(buffer_span(&pair->before), buffer_span(&after), &pair->diff,
				   NULL));
	assert_ok(buffer_add(&pair->diff.text, "", 1, NULL));
}

static bool says(const struct pair *pair, const char *text)
{
	return strstr((const char *)pair->diff.text.data, text) != NULL;
}

static void test_same_headers_do_not_differ(void **state)
{
	_cleanup_pair_ struct pair pair = { 0 };

	(void)state;
	pair_make(&pair);
	pair_compare(&pair);
	assert_true(pair.diff.same);
	assert_int_equal(pair.diff.text.len, 1);
}

static void test_added_slot_is_named(void **state)
{
	_cleanup_pair_ struct pair pair = { 0 };

	(void)state;
	pair_make(&pair);
	add_slot(pair.path, pair.key, "another");
	pair_compare(&pair);
	assert_true(says(&pair, "keyslot 1 (luks2) was added"));
	assert_false(pair.diff.same || pair.diff.went_back || pair.diff.damaged_slots);
	assert_false(pair.diff.altered);
	assert_int_equal(pair.diff.added_slots, 1u << 1);
	assert_int_equal(pair.diff.added_tokens, 0);
}

static void test_removed_slot_is_named(void **state)
{
	_cleanup_pair_ struct pair pair = { 0 };

	(void)state;
	pair_make(&pair);
	assert_ok(luks_slot_remove(pair.path, NULL, 0, NULL));
	pair_compare(&pair);
	assert_true(says(&pair, "keyslot 0 (luks2) was removed"));
	assert_true(pair.diff.altered);
}

static void test_token_is_named_with_its_type(void **state)
{
	_cleanup_pair_ struct pair pair = { 0 };

	(void)state;
	pair_make(&pair);
	assert_ok(luks_token_set(pair.path, 3, "{\"type\":\"mine\",\"keyslots\":[]}", NULL, NULL));
	pair_compare(&pair);
	assert_true(says(&pair, "token 3 (mine) was added"));
	assert_int_equal(pair.diff.added_tokens, 1u << 3);
	assert_false(pair.diff.altered);
}

static void test_every_other_change_is_one_to_what_was_there(void **state)
{
	static const char *const edits[][2] = { { "\"sector_size\":4096", "\"sector_size\":1024" },
						{ "\"iterations\":1000", "\"iterations\":1001" } };
	size_t noticed = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		_cleanup_pair_ struct pair pair = { 0 };

		pair_make(&pair);
		add_slot(pair.path, pair.key, "another");
		edit_header(pair.path, edits[i][0], edits[i][1]);
		pair_compare(&pair);
		noticed += pair.diff.altered;
		assert_int_equal(unlink(pair.path), 0);
	}
	assert_int_equal(noticed, sizeof(edits) / sizeof(edits[0]));
}

static void test_label_flags_and_segment_are_named(void **state)
{
	_cleanup_pair_ struct pair pair = { 0 };

	(void)state;
	pair_make(&pair);
	assert_int_equal(shell("cryptsetup config --disable-locks --label other h"), 0);
	edit_header(pair.path, "\"sector_size\":4096", "\"sector_size\":1024");
	pair_compare(&pair);
	assert_true(says(&pair, "the label is \"other\", it was \"label\""));
	assert_true(pair.diff.altered);
	assert_true(says(&pair, "data segment 0 (crypt) was changed"));
}

static void test_bytes_of_a_slot_that_differ_are_damage(void **state)
{
	_cleanup_pair_ struct pair pair = { 0 };

	(void)state;
	pair_make(&pair);
	poke_zeroes(pair.path, 32768 + 7000, 16);
	pair_compare(&pair);
	assert_int_equal(pair.diff.damaged_slots, 1);
	assert_true(pair.diff.altered);
	assert_true(says(&pair, "it is damaged"));
}

static void test_slot_damaged_beside_a_change_is_found(void **state)
{
	_cleanup_pair_ struct pair pair = { 0 };

	(void)state;
	pair_make(&pair);
	add_slot(pair.path, pair.key, "another");
	poke_zeroes(pair.path, 32768 + 7000, 16);
	pair_compare(&pair);
	assert_int_equal(pair.diff.damaged_slots, 1);
	assert_true(says(&pair, "keyslot 1 (luks2) was added"));
}

static void test_older_header_went_back(void **state)
{
	_cleanup_pair_ struct pair pair = { 0 };
	_cleanup_buffer_ struct buffer now = { 0 };
	_cleanup_luks_writes_ struct luks_writes writes = { 0 };

	(void)state;
	pair_make(&pair);
	now = pair.before;
	pair.before = (struct buffer){ 0 };
	add_slot(pair.path, pair.key, "another");
	assert_ok(luks_copy_header(pair.path, &pair.before, NULL));
	assert_ok(luks_plan_restore(pair.path, buffer_span(&now), &writes, NULL));
	assert_ok(luks_writes_run(pair.path, &writes, "test", NULL));
	pair_compare(&pair);
	assert_true(pair.diff.went_back);
	assert_true(says(&pair, "keyslot 1 (luks2) was removed"));
}

static void test_another_header_is_told(void **state)
{
	_cleanup_pair_ struct pair pair = { 0 };
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;

	(void)state;
	pair_make(&pair);
	(void)snprintf(pair.path, sizeof(pair.path), "%s", new_header("other", &key));
	pair_compare(&pair);
	assert_true(pair.diff.other_header);
	assert_true(says(&pair, "its UUID is"));
}

static void test_text_of_a_header_cannot_reach_a_terminal(void **state)
{
	_cleanup_pair_ struct pair pair = { 0 };

	(void)state;
	pair_make(&pair);
	assert_int_equal(
		shell("cryptsetup config --disable-locks --label \"$(printf 'a\\033[2J')\" "
		      "h"),
		0);
	pair_compare(&pair);
	assert_true(says(&pair, "\"a?[2J\""));
}

static void test_slots_of_luks1_are_named(void **state)
{
	_cleanup_pair_ struct pair pair = { 0 };

	(void)state;
	(void)snprintf(pair.path, sizeof(pair.path), "%s", sparse_file("one", 16 << 20));
	assert_int_equal(shell("printf secret >k; printf more >m; cryptsetup luksFormat -q --type "
			       "luks1 --pbkdf-force-iterations 1000 --disable-locks one k"),
			 0);
	assert_ok(luks_copy_header(pair.path, &pair.before, NULL));
	assert_int_equal(shell("cryptsetup luksAddKey -q --pbkdf-force-iterations 1000 "
			       "--disable-locks -d k one m"),
			 0);
	poke_zeroes(pair.path, 4096 + 7000, 16);
	pair_compare(&pair);
	assert_true(says(&pair, "keyslot 1 was added"));
	assert_int_equal(pair.diff.damaged_slots, 1);
}

static void test_what_is_no_copy_is_refused(void **state)
{
	_cleanup_pair_ struct pair pair = { 0 };

	(void)state;
	pair_make(&pair);
	assert_fails(
		luks_copies_diff(buffer_span(&pair.before), span_of_text("no"), &pair.diff, NULL),
		COF_E_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		folder_test(test_same_headers_do_not_differ),
		folder_test(test_added_slot_is_named),
		folder_test(test_removed_slot_is_named),
		folder_test(test_token_is_named_with_its_type),
		folder_test(test_every_other_change_is_one_to_what_was_there),
		folder_test(test_label_flags_and_segment_are_named),
		folder_test(test_bytes_of_a_slot_that_differ_are_damage),
		folder_test(test_slot_damaged_beside_a_change_is_found),
		folder_test(test_older_header_went_back),
		folder_test(test_another_header_is_told),
		folder_test(test_text_of_a_header_cannot_reach_a_terminal),
		folder_test(test_slots_of_luks1_are_named),
		folder_test(test_what_is_no_copy_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
