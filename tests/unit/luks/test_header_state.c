/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "luks_header.h"
#include "luks_test.h"

#define AREA_BYTES 16384 /* of each of the two places of a LUKS2 header's metadata */

/* A header with one keyslot opened by "secret", and a copy of it. */
struct original {
	char path[160];
	struct volume_key *key;
	struct buffer copy;
};

static void original_make(struct original *original)
{
	(void)snprintf(original->path, sizeof(original->path), "%s",
		       new_header("h", &original->key));
	add_slot(original->path, original->key, "secret");
	assert_ok(luks_copy_header(original->path, &original->copy, NULL));
}

static void original_done(struct original *original)
{
	volume_key_freep(&original->key);
	buffer_done(&original->copy);
}
#define _cleanup_original_ _cleanup_(original_done)

static struct luks_header_state state_of(const char *path)
{
	struct luks_header_state state;

	assert_ok(luks_header_examine(path, &state, NULL));
	return state;
}

/* Mends from the device itself; returns how many writes that took. */
static size_t mend(const char *path, const char *uuid)
{
	_cleanup_luks_writes_ struct luks_writes writes = { 0 };

	assert_ok(luks_plan_mend(path, uuid, &writes, NULL));
	assert_ok(luks_writes_run(path, &writes, "test", NULL));
	return writes.count;
}

static bool opens(const char *path)
{
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;

	return unlock(path, "secret", LUKS_ANY_SLOT, &got, NULL) == COF_E_NONE;
}

/* Whether the header is the one of which @copy was taken, byte by byte. */
static bool is_as_copied(const struct original *original)
{
	_cleanup_buffer_ struct buffer now = { 0 };

	return !cof_failed(luks_copy_header(original->path, &now, NULL)) &&
	       luks_copies_equal(buffer_span(&now), buffer_span(&original->copy));
}

static void test_whole_header_needs_no_mending(void **state)
{
	_cleanup_original_ struct original original = { 0 };

	(void)state;
	original_make(&original);
	assert_true(state_of(original.path).whole);
	assert_int_equal(mend(original.path, NULL), 0);
}

static void test_magic_alone_is_put_back(void **state)
{
	_cleanup_original_ struct original original = { 0 };
	struct luks_header_state damaged;

	(void)state;
	original_make(&original);
	poke_zeroes(original.path, 0, 6);
	poke_zeroes(original.path, AREA_BYTES, 6);
	damaged = state_of(original.path);
	assert_int_equal(damaged.first, LUKS_AREA_NO_MAGIC);
	assert_int_equal(damaged.second, LUKS_AREA_NO_MAGIC);
	assert_true(damaged.mendable);
	assert_false(damaged.whole);
	assert_int_equal(mend(original.path, NULL), 2);
	assert_true(is_as_copied(&original));
}

static void test_plan_for_the_magic_writes_six_bytes(void **state)
{
	_cleanup_original_ struct original original = { 0 };
	_cleanup_luks_writes_ struct luks_writes writes = { 0 };

	(void)state;
	original_make(&original);
	poke_zeroes(original.path, AREA_BYTES, 6);
	assert_ok(luks_plan_mend(original.path, NULL, &writes, NULL));
	assert_int_equal(writes.count, 1);
	assert_int_equal(writes.items[0].offset_bytes, AREA_BYTES);
	assert_int_equal(writes.items[0].bytes.len, 6);
}

static void test_one_place_is_made_from_the_other(void **state)
{
	_cleanup_original_ struct original original = { 0 };

	(void)state;
	original_make(&original);
	for (int second = 0; second < 2; second++) {
		poke_zeroes(original.path, second ? AREA_BYTES : 0, AREA_BYTES);
		assert_int_equal(mend(original.path, NULL), 1);
		assert_true(state_of(original.path).whole);
		/* And it is good for itself. */
		poke_zeroes(original.path, second ? 0 : AREA_BYTES, 4096);
		assert_true(opens(original.path));
		assert_int_equal(mend(original.path, NULL), 1);
	}
}

static void test_mended_header_is_one_for_cryptsetup(void **state)
{
	_cleanup_original_ struct original original = { 0 };

	(void)state;
	original_make(&original);
	poke_zeroes(original.path, 0, 4096);
	assert_int_equal(mend(original.path, NULL), 1);
	poke_zeroes(original.path, AREA_BYTES, 4096);
	assert_int_equal(shell("printf secret | cryptsetup open --test-passphrase "
			       "--disable-locks -d - h"),
			 0);
}

static void test_older_place_is_made_from_the_newer(void **state)
{
	_cleanup_original_ struct original original = { 0 };
	_cleanup_(volume_key_freep) struct volume_key *got = NULL;
	uint8_t older[AREA_BYTES];
	int fd;

	(void)state;
	original_make(&original);
	fd = open(original.path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, older, sizeof(older), 0), sizeof(older));
	(void)close(fd);
	add_slot(original.path, original.key, "another");
	poke(original.path, 0, older, sizeof(older));
	assert_int_equal(state_of(original.path).first, LUKS_AREA_OLDER);
	assert_int_equal(mend(original.path, NULL), 1);
	assert_true(state_of(original.path).whole);
	assert_int_equal(unlock(original.path, "another", LUKS_ANY_SLOT, &got, NULL), COF_E_NONE);
}

static void test_places_of_two_headers_are_not_mixed(void **state)
{
	_cleanup_original_ struct original original = { 0 };
	_cleanup_(volume_key_freep) struct volume_key *other_key = NULL;
	_cleanup_luks_writes_ struct luks_writes writes = { 0 };
	struct luks_header_state before;

	(void)state;
	original_make(&original);
	before = state_of(original.path);
	(void)new_header("other", &other_key);
	assert_int_equal(shell("dd if=other of=h bs=16384 count=1 conv=notrunc"), 0);
	assert_true(state_of(original.path).disagree);
	assert_fails(luks_plan_mend(original.path, NULL, &writes, NULL), COF_E_REFUSED);
	assert_int_equal(mend(original.path, before.uuid), 1);
	assert_true(opens(original.path));
}

static void test_nothing_left_is_not_mended(void **state)
{
	_cleanup_original_ struct original original = { 0 };

	(void)state;
	original_make(&original);
	poke_zeroes(original.path, 0, 1 << 20);
	assert_int_equal(state_of(original.path).version, 0);
	assert_false(state_of(original.path).mendable);
	assert_int_equal(mend(original.path, NULL), 0);
}

static void test_restore_brings_every_byte_back(void **state)
{
	_cleanup_original_ struct original original = { 0 };

	(void)state;
	original_make(&original);
	for (size_t bytes = 4096; bytes <= 1 << 20; bytes *= 4) {
		_cleanup_luks_writes_ struct luks_writes writes = { 0 };

		poke_zeroes(original.path, 0, bytes);
		assert_ok(luks_plan_restore(original.path, buffer_span(&original.copy), &writes,
					    NULL));
		assert_true(writes.count > 0);
		assert_ok(luks_writes_run(original.path, &writes, "test", NULL));
		assert_true(is_as_copied(&original));
	}
}

static void test_restore_of_the_same_writes_nothing(void **state)
{
	_cleanup_original_ struct original original = { 0 };
	_cleanup_luks_writes_ struct luks_writes writes = { 0 };

	(void)state;
	original_make(&original);
	assert_ok(luks_plan_restore(original.path, buffer_span(&original.copy), &writes, NULL));
	assert_int_equal(writes.count, 0);
}

static void test_restore_refuses_a_device_too_small(void **state)
{
	_cleanup_original_ struct original original = { 0 };
	_cleanup_luks_writes_ struct luks_writes writes = { 0 };
	const char *small = sparse_file("small", 20000);

	(void)state;
	original_make(&original);
	assert_fails(luks_plan_restore(small, buffer_span(&original.copy), &writes, NULL),
		     COF_E_FORMAT);
}

static void test_restore_refuses_what_is_no_copy(void **state)
{
	_cleanup_original_ struct original original = { 0 };
	_cleanup_luks_writes_ struct luks_writes writes = { 0 };

	(void)state;
	original_make(&original);
	assert_fails(luks_plan_restore(original.path, span_of_text("nothing"), &writes, NULL),
		     COF_E_FORMAT);
}

static void test_keyslot_overwritten_is_found_and_put_back(void **state)
{
	_cleanup_original_ struct original original = { 0 };
	_cleanup_luks_writes_ struct luks_writes writes = { 0 };

	(void)state;
	original_make(&original);
	poke_zeroes(original.path, 2 * AREA_BYTES + 5000, 100);
	assert_false(opens(original.path));
	assert_ok(luks_plan_slots(original.path, buffer_span(&original.copy), &writes, NULL));
	assert_int_equal(writes.count, 1);
	assert_ok(luks_writes_run(original.path, &writes, "test", NULL));
	assert_true(is_as_copied(&original));
}

static void test_rehearsal_shows_what_would_be_and_writes_nothing(void **state)
{
	_cleanup_original_ struct original original = { 0 };
	_cleanup_luks_writes_ struct luks_writes writes = { 0 };
	_cleanup_(luks_rehearsal_done) struct luks_rehearsal rehearsal = LUKS_REHEARSAL_NONE;

	(void)state;
	original_make(&original);
	poke_zeroes(original.path, 0, 1 << 20);
	assert_ok(luks_plan_restore(original.path, buffer_span(&original.copy), &writes, NULL));
	assert_ok(luks_rehearse(original.path, &writes, &rehearsal, NULL));
	assert_true(opens(rehearsal.path));
	assert_false(opens(original.path));
}

static void test_rehearsal_refuses_what_is_no_header(void **state)
{
	_cleanup_(luks_rehearsal_done) struct luks_rehearsal rehearsal = LUKS_REHEARSAL_NONE;
	const struct luks_writes nothing = { 0 };
	const char *path = sparse_file("empty", 1 << 20);

	(void)state;
	assert_fails(luks_rehearse(path, &nothing, &rehearsal, NULL), COF_E_FORMAT);
}

/* A LUKS1 header, made by cryptsetup. */
static const char *new_luks1(void)
{
	const char *path = sparse_file("one", 16 << 20);

	assert_int_equal(shell("printf secret | cryptsetup luksFormat -q --type luks1 "
			       "--pbkdf-force-iterations 1000 --disable-locks one -d -"),
			 0);
	return path;
}

static void test_magic_of_luks1_is_put_back(void **state)
{
	const char *path = new_luks1();

	(void)state;
	poke_zeroes(path, 0, 6);
	assert_int_equal(state_of(path).first, LUKS_AREA_NO_MAGIC);
	assert_int_equal(mend(path, NULL), 1);
	assert_true(opens(path));
}

static void test_luks1_with_more_gone_is_not_taken_for_one(void **state)
{
	static const size_t places[] = { 8, 72, 168, 208, 208 + 44, 208 + 7 * 48 };

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		const char *path = new_luks1();

		poke_zeroes(path, 0, 6);
		poke_zeroes(path, places[i], 4);
		assert_false(state_of(path).mendable);
		assert_int_equal(unlink(path), 0);
	}
}

static void test_luks1_is_restored(void **state)
{
	_cleanup_buffer_ struct buffer copy = { 0 };
	_cleanup_luks_writes_ struct luks_writes writes = { 0 };
	const char *path = new_luks1();

	(void)state;
	assert_ok(luks_copy_header(path, &copy, NULL));
	poke_zeroes(path, 0, 1 << 20);
	assert_ok(luks_plan_restore(path, buffer_span(&copy), &writes, NULL));
	assert_ok(luks_writes_run(path, &writes, "test", NULL));
	assert_true(opens(path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		folder_test(test_whole_header_needs_no_mending),
		folder_test(test_magic_alone_is_put_back),
		folder_test(test_plan_for_the_magic_writes_six_bytes),
		folder_test(test_one_place_is_made_from_the_other),
		folder_test(test_mended_header_is_one_for_cryptsetup),
		folder_test(test_older_place_is_made_from_the_newer),
		folder_test(test_places_of_two_headers_are_not_mixed),
		folder_test(test_nothing_left_is_not_mended),
		folder_test(test_restore_brings_every_byte_back),
		folder_test(test_restore_of_the_same_writes_nothing),
		folder_test(test_restore_refuses_a_device_too_small),
		folder_test(test_restore_refuses_what_is_no_copy),
		folder_test(test_keyslot_overwritten_is_found_and_put_back),
		folder_test(test_rehearsal_shows_what_would_be_and_writes_nothing),
		folder_test(test_rehearsal_refuses_what_is_no_header),
		folder_test(test_magic_of_luks1_is_put_back),
		folder_test(test_luks1_with_more_gone_is_not_taken_for_one),
		folder_test(test_luks1_is_restored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
