/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "luks_test.h"

#include <pthread.h>

#define AREA_BYTES 16384 /* of each of the two copies of the metadata */

/* The ways in which one copy of the metadata is damaged. */
enum damage {
	FIRST_ZEROED,
	FIRST_TEXT,
	FIRST_METADATA,
	FIRST_OLDER,
	SECOND_ZEROED,
	SECOND_TEXT,
	SECOND_OLDER,
	DAMAGE_COUNT,
};

/* A header, and its metadata with those of before the last change. */
struct original {
	char path[160];
	struct volume_key *key;
	uint8_t metadata[2 * AREA_BYTES];
	uint8_t older[2 * AREA_BYTES];
};

static void metadata_get(const char *path, uint8_t metadata[2 * AREA_BYTES])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_int_equal(read(fd, metadata, 2 * AREA_BYTES), 2 * AREA_BYTES);
	(void)close(fd);
}

/* Makes one with token 0 and a keyslot opened by "secret". */
static void original_make(struct original *original)
{
	(void)snprintf(original->path, sizeof(original->path), "%s",
		       new_header("h", &original->key));
	add_slot(original->path, original->key, "secret");
	metadata_get(original->path, original->older);
	assert_ok(luks_token_set(original->path, 0, "{\"type\":\"coffer\",\"keyslots\":[]}", NULL,
				 NULL));
	metadata_get(original->path, original->metadata);
}

static void original_done(struct original *original)
{
	volume_key_freep(&original->key);
}
#define _cleanup_original_ _cleanup_(original_done)

/* Puts the header's metadata back, then damages a copy of them. */
static void damage(const struct original *original, enum damage how)
{
	static const char text[] = "SOMETHING ELSE LIVES HERE";
	const char *path = original->path;

	poke(path, 0, original->metadata, sizeof(original->metadata));
	switch (how) {
	case FIRST_ZEROED:
		poke_zeroes(path, 0, 4096);
		break;
	case FIRST_TEXT:
		poke(path, 0, text, sizeof(text));
		break;
	case FIRST_METADATA:
		poke(path, 5000, "x", 1);
		break;
	case FIRST_OLDER:
		poke(path, 0, original->older, AREA_BYTES);
		break;
	case SECOND_ZEROED:
		poke_zeroes(path, AREA_BYTES, AREA_BYTES);
		break;
	case SECOND_TEXT:
		poke(path, AREA_BYTES, text, sizeof(text));
		break;
	case SECOND_OLDER:
		poke(path, AREA_BYTES, original->older + AREA_BYTES, AREA_BYTES);
		break;
	case DAMAGE_COUNT:
		break;
	}
}

static void content_get(const char *path, struct buffer *content)
{
	assert_ok(file_read(path, 64 << 20, content, NULL));
}

static bool content_is(const char *path, const struct buffer *before)
{
	_cleanup_buffer_ struct buffer after = { 0 };

	content_get(path, &after);
	return after.len == before->len && memcmp(after.data, before->data, after.len) == 0;
}

/* What only reads; each works with the good copy. */
static void look_probe(const char *path, const struct volume_key *key)
{
	bool is_luks = false;

	(void)key;
	assert_ok(luks_probe(path, &is_luks, NULL));
	assert_true(is_luks);
}

static void look_read(const char *path, const struct volume_key *key)
{
	struct luks_info info;

	(void)key;
	assert_ok(luks_read(path, NULL, &info, NULL));
	assert_int_equal(info.slot_count, 1);
}

static void look_unlock(const char *path, const struct volume_key *key)
{
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;

	assert_int_equal(unlock(path, "secret", LUKS_ANY_SLOT, &got, NULL), COF_E_NONE);
	assert_true(keys_equal(key, got));
}

static void look_unlock_in_vain(const char *path, const struct volume_key *key)
{
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;

	(void)key;
	assert_int_equal(unlock(path, "wrong", LUKS_ANY_SLOT, &got, NULL), COF_E_KEY);
}

static void look_verify(const char *path, const struct volume_key *key)
{
	assert_ok(luks_verify(path, NULL, key, NULL));
}

static void look_detached(const char *path, const struct volume_key *key)
{
	struct luks_info info;
	const char *data = sparse_file("data", 1 << 20);

	assert_ok(luks_read(data, path, &info, NULL));
	assert_ok(luks_verify(data, path, key, NULL));
}

static void look_copy(const char *path, const struct volume_key *key)
{
	_cleanup_buffer_ struct buffer copy = { 0 };
	const char *back = in_folder("back");

	(void)unlink(back);
	assert_ok(luks_copy_header(path, &copy, NULL));
	assert_ok(luks_write_header_copy(buffer_span(&copy), back, NULL));
	look_unlock(back, key);
}

static void look_token_get(const char *path, const struct volume_key *key)
{
	_cleanup_free_ char *json = NULL;

	(void)key;
	assert_ok(luks_token_get(path, 0, &json, NULL));
	assert_non_null(json);
}

static void look_activate(const char *path, const struct volume_key *key)
{
	char why_not[160];

	/* Where there is dm-crypt, test_mapping.c does it. */
	if (!luks_kernel_can(why_not, sizeof(why_not)))
		assert_fails(luks_activate(path, NULL, "coffer-test-damaged", key, false, NULL),
			     COF_E_UNSUPPORTED);
}

/* What may write, but finds that it must not, or that there is nothing to do. */
static void look_slot_add_by_foreign_key(const char *path, const struct volume_key *key)
{
	_cleanup_(volume_key_freep) struct volume_key *other = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *secret = secret_of("x");

	(void)key;
	assert_ok(volume_key_random(64, &other, NULL));
	assert_fails(luks_slot_add(path, NULL, other, secret, LUKS_COST_RANDOM_KEY, NULL, NULL),
		     COF_E_KEY);
}

static void look_slot_remove_missing(const char *path, const struct volume_key *key)
{
	(void)key;
	assert_ok(luks_slot_remove(path, NULL, 7, NULL));
}

static void look_token_remove_missing(const char *path, const struct volume_key *key)
{
	(void)key;
	assert_ok(luks_token_remove(path, 7, NULL));
}

/* Lets @look work on a header with each damage; none of its bytes may change. */
static void check_changes_nothing(void (*look)(const char *path, const struct volume_key *key))
{
	_cleanup_original_ struct original original = { 0 };

	original_make(&original);
	for (enum damage how = 0; how < DAMAGE_COUNT; how++) {
		_cleanup_buffer_ struct buffer before = { 0 };

		damage(&original, how);
		content_get(original.path, &before);
		look(original.path, original.key);
		if (!content_is(original.path, &before))
			fail_msg("the header with damage %d was changed", (int)how);
	}
}

#define CHANGES_NOTHING(what)                                                                      \
	static void test_##what##_with_damaged_copy_changes_nothing(void **state)                  \
	{                                                                                          \
		(void)state;                                                                       \
		check_changes_nothing(look_##what);                                                \
	}

CHANGES_NOTHING(probe)
CHANGES_NOTHING(read)
CHANGES_NOTHING(unlock)
CHANGES_NOTHING(unlock_in_vain)
CHANGES_NOTHING(verify)
CHANGES_NOTHING(detached)
CHANGES_NOTHING(copy)
CHANGES_NOTHING(token_get)
CHANGES_NOTHING(activate)
CHANGES_NOTHING(slot_add_by_foreign_key)
CHANGES_NOTHING(slot_remove_missing)
CHANGES_NOTHING(token_remove_missing)

static void test_unlock_of_luks1_changes_nothing(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;
	const char *path = sparse_file("one", 4 << 20);
	_cleanup_buffer_ struct buffer before = { 0 };

	(void)state;
	assert_int_equal(shell("printf x | cryptsetup luksFormat -q --type luks1 "
			       "--pbkdf-force-iterations 1000 --key-file - one"),
			 0);
	content_get(path, &before);
	assert_int_equal(unlock(path, "x", LUKS_ANY_SLOT, &got, NULL), COF_E_NONE);
	assert_true(content_is(path, &before));
}

static void test_unlock_of_read_only_file_works(void **state)
{
	_cleanup_original_ struct original original = { 0 };

	(void)state;
	original_make(&original);
	damage(&original, FIRST_ZEROED);
	assert_int_equal(shell("chmod 0400 h"), 0);
	look_unlock(original.path, original.key);
}

static void test_slot_add_mends_the_damaged_copy(void **state)
{
	_cleanup_original_ struct original original = { 0 };

	(void)state;
	original_make(&original);
	for (enum damage how = 0; how < DAMAGE_COUNT; how++) {
		damage(&original, how);
		add_slot(original.path, original.key, "another");
		/* Each copy is good for itself. */
		poke_zeroes(original.path, how < SECOND_ZEROED ? AREA_BYTES : 0, 4096);
		assert_int_equal(read_code(original.path, NULL), COF_E_NONE);
	}
}

/* One copy older than the other is what a kill in the middle of a change leaves. */
static bool is_torn(enum damage how)
{
	return how == FIRST_OLDER || how == SECOND_OLDER;
}

static void test_changes_without_the_key_refuse_a_damaged_copy(void **state)
{
	static const char json[] = "{\"type\":\"x\",\"keyslots\":[]}";
	_cleanup_original_ struct original original = { 0 };

	(void)state;
	original_make(&original);
	for (enum damage how = 0; how < DAMAGE_COUNT; how++) {
		_cleanup_buffer_ struct buffer before = { 0 };
		const char *path = original.path;

		if (is_torn(how))
			continue;
		damage(&original, how);
		content_get(path, &before);
		assert_fails(luks_token_set(path, 1, json, NULL, NULL), COF_E_FORMAT);
		assert_fails(luks_token_remove(path, 0, NULL), COF_E_FORMAT);
		assert_fails(luks_slot_remove(path, NULL, 0, NULL), COF_E_FORMAT);
		assert_true(content_is(path, &before));
	}
}

static void test_token_set_goes_on_after_a_change_cut_short(void **state)
{
	_cleanup_original_ struct original original = { 0 };

	(void)state;
	original_make(&original);
	for (enum damage how = 0; how < DAMAGE_COUNT; how++) {
		if (!is_torn(how))
			continue;
		damage(&original, how);
		assert_ok(luks_token_set(original.path, 1, "{\"type\":\"x\",\"keyslots\":[]}", NULL,
					 NULL));
	}
}

/* A swap area's signature lies in the first copy of the metadata. */
static void test_read_refuses_what_was_made_a_swap_area(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	const char *path = new_header("h", &key);
	struct cof_error error = { 0 };
	struct luks_info info;

	(void)state;
	assert_int_equal(shell("truncate -s 1M swap && mkswap swap && "
			       "dd if=swap of=h bs=4096 count=1 conv=notrunc"),
			 0);
	assert_fails(luks_read(path, NULL, &info, &error), COF_E_FORMAT);
	assert_non_null(strstr(error.text, "the first of its two LUKS headers is damaged"));
}

/* This one is looked for 63 sectors before the end. */
static void test_read_refuses_damaged_copy_with_signature_at_the_end(void **state)
{
	static const char signature[] = "Promise Technology, Inc.";
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	const char *path = new_header("h", &key);
	struct cof_error error = { 0 };
	struct luks_info info;

	(void)state;
	poke(path, luks_header_file_bytes() - 63 * 512, signature, strlen(signature));
	assert_int_equal(read_code(path, NULL), COF_E_NONE);
	poke_zeroes(path, AREA_BYTES, 4096);
	assert_fails(luks_read(path, NULL, &info, &error), COF_E_FORMAT);
	assert_non_null(strstr(error.text, "the second of its two LUKS headers is damaged"));
}

static void test_read_of_cut_off_header_names_the_device(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	const char *path = new_header("h", &key);
	struct cof_error error = { 0 };
	struct luks_info info;

	(void)state;
	assert_int_equal(truncate(path, 300000), 0);
	assert_fails(luks_read(path, NULL, &info, &error), COF_E_FORMAT);
	assert_string_equal(error.subject, path);
	assert_non_null(strstr(error.cause, path));
	assert_null(strstr(error.cause, "/proc/"));
}

static void test_unlock_of_cut_off_keyslot_fails(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;
	const char *path = sparse_file("one", 4 << 20);

	(void)state;
	assert_int_equal(shell("printf x | cryptsetup luksFormat -q --type luks1 "
			       "--pbkdf-force-iterations 1000 --key-file - one"),
			 0);
	assert_int_equal(truncate(path, 100000), 0);
	assert_int_equal(unlock(path, "x", LUKS_ANY_SLOT, &got, NULL), COF_E_FORMAT);
}

/* Writes the header again and again. */
static void *write_always(void *path)
{
	for (int i = 0; i < 60; i++)
		cof_ignore(luks_token_set(path, 0, "{\"type\":\"coffer\",\"keyslots\":[]}", NULL,
					  NULL));
	return NULL;
}

static void test_read_works_while_another_writes(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_free_ char *path = strdup(new_header("h", &key));
	pthread_t writer;

	(void)state;
	assert_int_equal(pthread_create(&writer, NULL, write_always, path), 0);
	for (int i = 0; i < 60; i++)
		assert_int_equal(read_code(path, NULL), COF_E_NONE);
	assert_int_equal(pthread_join(writer, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		folder_test(test_probe_with_damaged_copy_changes_nothing),
		folder_test(test_read_with_damaged_copy_changes_nothing),
		folder_test(test_unlock_with_damaged_copy_changes_nothing),
		folder_test(test_unlock_in_vain_with_damaged_copy_changes_nothing),
		folder_test(test_verify_with_damaged_copy_changes_nothing),
		folder_test(test_detached_with_damaged_copy_changes_nothing),
		folder_test(test_copy_with_damaged_copy_changes_nothing),
		folder_test(test_token_get_with_damaged_copy_changes_nothing),
		folder_test(test_activate_with_damaged_copy_changes_nothing),
		folder_test(test_slot_add_by_foreign_key_with_damaged_copy_changes_nothing),
		folder_test(test_slot_remove_missing_with_damaged_copy_changes_nothing),
		folder_test(test_token_remove_missing_with_damaged_copy_changes_nothing),
		folder_test(test_unlock_of_luks1_changes_nothing),
		folder_test(test_unlock_of_read_only_file_works),
		folder_test(test_slot_add_mends_the_damaged_copy),
		folder_test(test_changes_without_the_key_refuse_a_damaged_copy),
		folder_test(test_token_set_goes_on_after_a_change_cut_short),
		folder_test(test_read_refuses_what_was_made_a_swap_area),
		folder_test(test_read_refuses_damaged_copy_with_signature_at_the_end),
		folder_test(test_read_of_cut_off_header_names_the_device),
		folder_test(test_unlock_of_cut_off_keyslot_fails),
		folder_test(test_read_works_while_another_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
