/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mirrors that are away, full, behind or newer, and a disk that is full.
 */

#include "fixture.h"

static void make(struct fixture *f)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "a", "one", false));
}

static cof_result passwd(struct fixture *f, struct vault *vault, const char *from, const char *to)
{
	_cleanup_slot_secret_ struct slot_secret *old = fixture_secret(from);
	_cleanup_slot_secret_ struct slot_secret *new = fixture_secret(to);

	return vault_passwd(vault, old, new, false, NULL, &f->err);
}

static size_t count_slots(struct fixture *f, struct vault *vault)
{
	_cleanup_free_ struct vault_slot *slots = NULL;
	size_t count;

	assert_ok(vault_slots(vault, &slots, &count, &f->err));
	return count;
}

static struct vault_mirror mirror_state(struct fixture *f, struct vault *vault, size_t number)
{
	_cleanup_free_ struct vault_mirror *mirrors = NULL;
	size_t count;

	assert_ok(vault_mirrors(vault, &mirrors, &count, &f->err));
	assert_true(number < count);
	return mirrors[number];
}

static void test_vault_mirrors_are_current_after_a_commit(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	uint64_t revision;

	fixture_mirrors(f, 2);
	make(f);
	vault = fixture_open(f);
	assert_ok(vault_revision(vault, &revision, &f->err));
	for (size_t i = 0; i < 2; i++) {
		struct vault_mirror mirror = mirror_state(f, vault, i);

		assert_int_equal(mirror.state, MIRROR_CURRENT);
		assert_int_equal(mirror.revision, revision);
	}
}

static void test_vault_mirror_alone_makes_a_vault_again(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	fixture_mirrors(f, 1);
	make(f);
	fixture_command("rm -r '%s' && cp -a '%s'/coffer-* '%s'", f->paths.vault_dir,
			f->mirror_folder[0], f->paths.vault_dir);
	vault = fixture_unlock(f);
	fixture_expect(f, vault, "disk", "a", "one");
	assert_ok(vault_check(vault, NULL, &f->err));
}

static void test_vault_mirror_that_is_away_catches_up(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	char away[128];

	fixture_mirrors(f, 1);
	make(f);
	(void)snprintf(away, sizeof(away), "%s/away", f->folder);
	assert_int_equal(rename(f->mirror_folder[0], away), 0);
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "a", "two", false));
	assert_int_equal(mirror_state(f, vault, 0).state, MIRROR_AWAY);
	assert_int_equal(rename(away, f->mirror_folder[0]), 0);
	assert_int_equal(mirror_state(f, vault, 0).state, MIRROR_BEHIND);
	assert_ok(vault_sync(vault, &f->err));
	assert_int_equal(mirror_state(f, vault, 0).state, MIRROR_CURRENT);
}

static void test_vault_mirror_that_is_unmounted_is_not_made_again(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	fixture_mirrors(f, 1);
	fixture_command("mount -t tmpfs -o size=64m none '%s'", f->mirror_folder[0]);
	make(f);
	assert_int_equal(umount(f->mirror_folder[0]), 0);
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "a", "two", false));
	assert_int_equal(mirror_state(f, vault, 0).state, MIRROR_AWAY);
	fixture_command("test -z \"$(ls -A '%s')\"", f->mirror_folder[0]);
}

/* A locked vault's mirror is filled when the vault is synchronised with keys. */
static void expect_filled(struct fixture *f)
{
	_cleanup_(vault_closep) struct vault *vault = fixture_unlock(f);

	assert_int_equal(mirror_state(f, vault, 0).state, MIRROR_BEHIND);
	assert_non_null(strstr(mirror_state(f, vault, 0).reason, "no copy"));
	assert_non_null(strstr(mirror_state(f, vault, 0).remedy, "coffer unlock"));
	assert_ok(vault_sync(vault, &f->err));
	assert_int_equal(mirror_state(f, vault, 0).state, MIRROR_CURRENT);
}

static void test_vault_mirror_that_is_new_is_filled_by_a_sync(void **state)
{
	struct fixture *f = *state;

	make(f);
	fixture_mirrors(f, 1);
	expect_filled(f);
}

static void test_vault_mirror_on_a_fresh_medium_is_filled(void **state)
{
	struct fixture *f = *state;

	fixture_mirrors(f, 1);
	fixture_command("mount -t tmpfs -o size=64m none '%s'", f->mirror_folder[0]);
	make(f);
	assert_int_equal(umount(f->mirror_folder[0]), 0);
	fixture_command("mount -t tmpfs -o size=64m none '%s'", f->mirror_folder[0]);
	expect_filled(f);
}

static void test_vault_mirror_below_a_fresh_medium_is_filled(void **state)
{
	struct fixture *f = *state;
	char below[128];

	fixture_command("mount -t tmpfs -o size=64m none '%s' && mkdir '%s/below'",
			f->mirror_folder[0], f->mirror_folder[0]);
	(void)snprintf(below, sizeof(below), "%s/below", f->mirror_folder[0]);
	f->mirrors[0] = below;
	make(f);
	fixture_command("umount '%s' && mkdir '%s'", f->mirror_folder[0], below);
	{
		_cleanup_(vault_closep) struct vault *vault = fixture_unlock(f);

		assert_ok(vault_sync(vault, &f->err));
		assert_int_equal(mirror_state(f, vault, 0).state, MIRROR_AWAY);
		assert_non_null(strstr(mirror_state(f, vault, 0).reason, "nothing is mounted"));
		fixture_command("test -z \"$(ls -A '%s')\"", below);
	}
	fixture_command("mount -t tmpfs -o size=64m none '%s' && mkdir '%s'", f->mirror_folder[0],
			below);
	expect_filled(f);
}

static void test_vault_mirror_whose_line_in_fstab_is_not_mounted_is_not_written(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	char fstab[96];

	(void)snprintf(fstab, sizeof(fstab), "%s/fstab", f->folder);
	fixture_command("echo 'LABEL=stick %s vfat noauto 0 0' >'%s'", f->mirror_folder[0], fstab);
	f->paths.fstab = fstab;
	fixture_mirrors(f, 1);
	make(f);
	vault = fixture_unlock(f);
	assert_ok(vault_sync(vault, &f->err));
	assert_int_equal(mirror_state(f, vault, 0).state, MIRROR_AWAY);
	assert_non_null(strstr(mirror_state(f, vault, 0).remedy, "mount "));
	fixture_command("test -z \"$(ls -A '%s')\"", f->mirror_folder[0]);
	fixture_command("mount -t tmpfs -o size=64m none '%s'", f->mirror_folder[0]);
	assert_ok(vault_sync(vault, &f->err));
	assert_int_equal(mirror_state(f, vault, 0).state, MIRROR_CURRENT);
}

static void test_vault_mirror_that_is_full_fails_no_commit(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct vault_mirror mirror;

	fixture_mirrors(f, 2);
	fixture_command("mount -t tmpfs -o size=64k none '%s'", f->mirror_folder[0]);
	make(f);
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "a", "two", false));
	mirror = mirror_state(f, vault, 0);
	assert_int_equal(mirror.state, MIRROR_FAILED);
	assert_true(mirror.reason[0] != '\0');
	assert_int_equal(mirror_state(f, vault, 1).state, MIRROR_CURRENT);
	fixture_command("! find '%s' -name '*.new' | grep .", f->mirror_folder[0]);
}

static void test_vault_mirror_that_becomes_full_keeps_its_older_copy(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(vault_closep) struct vault *copy = NULL;

	fixture_mirrors(f, 1);
	fixture_command("mount -t tmpfs -o size=48m none '%s'", f->mirror_folder[0]);
	make(f);
	fixture_command("dd if=/dev/zero of='%s/filler' bs=4k status=none 2>/dev/null; true",
			f->mirror_folder[0]);
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "a", "two", false));
	assert_int_equal(mirror_state(f, vault, 0).state, MIRROR_FAILED);
	vault_close(TAKE(vault));
	fixture_command("rm -r '%s' && cp -a '%s'/coffer-* '%s'", f->paths.vault_dir,
			f->mirror_folder[0], f->paths.vault_dir);
	copy = fixture_unlock(f);
	fixture_expect(f, copy, "disk", "a", "one");
}

static void test_vault_mirror_that_is_newer_is_not_overwritten(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct vault_mirror mirror;

	fixture_mirrors(f, 1);
	make(f);
	fixture_command("cp -a '%s' '%s/old'", f->paths.vault_dir, f->folder);
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "a", "newer", false));
	vault_close(TAKE(vault));
	fixture_command("rm -r '%s' && cp -a '%s/old' '%s' && cp -a '%s' '%s/mirror-before'",
			f->paths.vault_dir, f->folder, f->paths.vault_dir, f->mirror_folder[0],
			f->folder);
	vault = fixture_open(f);
	assert_ok(vault_sync(vault, &f->err));
	mirror = mirror_state(f, vault, 0);
	assert_int_equal(mirror.state, MIRROR_NEWER);
	assert_non_null(strstr(mirror.reason, "revision"));
	assert_non_null(strstr(mirror.remedy, "cp -a"));
	fixture_command("diff -r '%s/mirror-before' '%s'", f->folder, f->mirror_folder[0]);
}

static void test_vault_accept_older_sets_a_newer_mirror_aside(void **state)
{
	struct fixture *f = *state;
	_cleanup_slot_secret_ struct slot_secret *secret = fixture_secret(PASSPHRASE);
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct vault_new spec = { .passphrase = secret };

	fixture_mirrors(f, 1);
	make(f);
	fixture_command("cp -a '%s' '%s/old'", f->paths.vault_dir, f->folder);
	vault = fixture_open(f);
	assert_ok(vault_revoke(vault, secret, &spec, &f->err));
	vault_close(TAKE(vault));
	fixture_command("rm -r '%s' && cp -a '%s/old' '%s'", f->paths.vault_dir, f->folder,
			f->paths.vault_dir);
	vault = fixture_open(f);
	vault_accept_older(vault, NULL, NULL);
	assert_ok(fixture_try_unlock(f, vault, PASSPHRASE));
	assert_int_equal(mirror_state(f, vault, 0).state, MIRROR_CURRENT);
	fixture_command("test -e '%s'/coffer-*.newer-*/vault.db", f->mirror_folder[0]);
}

static void test_vault_create_reports_a_full_disk_and_leaves_no_vault(void **state)
{
	struct fixture *f = *state;
	static const int sizes_kib[] = {
		64, 1024, 16384, 16392, 16400, 16416, 16448, 16512, 17000
	};
	int failures = 0;

	assert_int_equal(mkdir(f->paths.vault_dir, 0700), 0);
	for (size_t i = 0; i < sizeof(sizes_kib) / sizeof(sizes_kib[0]); i++) {
		cof_result result;

		fixture_command("mount -t tmpfs -o mode=700,size=%dk none '%s'", sizes_kib[i],
				f->paths.vault_dir);
		result = fixture_create(f, PASSPHRASE);
		if (cof_failed(result)) {
			failures++;
			assert_int_equal(result.code, COF_E_NOSPC);
			assert_false(vault_exists(&f->paths));
			/* With room again, the same call does it. */
			fixture_command("mount -o remount,size=64m '%s'", f->paths.vault_dir);
			assert_ok(fixture_create(f, PASSPHRASE));
		}
		vault_close(fixture_unlock(f));
		assert_int_equal(umount(f->paths.vault_dir), 0);
	}
	assert_true(failures >= 5);
}

/* Fills the vault's file system but for @free_kib. */
static void fill(struct fixture *f, int free_kib)
{
	fixture_command("dd if=/dev/zero of='%s/filler' bs=1k status=none 2>/dev/null;"
			"truncate -s -%dk '%s/filler'",
			f->paths.vault_dir, free_kib, f->paths.vault_dir);
}

/* The error names the file system and the passphrase that opens the vault now. */
static void expect_told_of_full_disk(struct fixture *f, struct vault *vault)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_slot_secret_ struct slot_secret *old = fixture_secret(PASSPHRASE);
	bool opens = !cof_failed(vault_open_header(vault->header_path, old, &key, NULL, NULL));

	assert_non_null(strstr(f->err.cause, f->paths.vault_dir));
	assert_int_equal(strstr(f->err.cause, "the old passphrase still opens") != NULL, opens);
	assert_non_null(strstr(f->err.remedy, "make room"));
}

static void test_vault_changes_on_a_full_disk_lose_nothing(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdir(f->paths.vault_dir, 0700), 0);
	fixture_command("mount -t tmpfs -o mode=700,size=64m none '%s'", f->paths.vault_dir);
	make(f);
	for (int free_kib = 0; free_kib <= 2048; free_kib = free_kib ? 2 * free_kib : 8) {
		_cleanup_slot_secret_ struct slot_secret *secret = fixture_secret(PASSPHRASE);
		_cleanup_(vault_closep) struct vault *vault = NULL;
		struct vault_new spec = { .passphrase = secret };
		cof_result result;

		fill(f, free_kib);
		vault = fixture_unlock(f);
		result = fixture_put(f, vault, "disk", "b", "two", true);
		assert_true(!cof_failed(result) || result.code == COF_E_NOSPC);
		result = passwd(f, vault, PASSPHRASE, OTHER_PASSPHRASE);
		assert_true(!cof_failed(result) || result.code == COF_E_NOSPC);
		if (cof_failed(result))
			expect_told_of_full_disk(f, vault);
		/* The same again with room ends with the new passphrase, and back. */
		fixture_command("rm '%s/filler'", f->paths.vault_dir);
		assert_ok(passwd(f, vault, PASSPHRASE, OTHER_PASSPHRASE));
		assert_int_equal(count_slots(f, vault), 1);
		assert_ok(passwd(f, vault, OTHER_PASSPHRASE, PASSPHRASE));
		fill(f, free_kib);
		result = vault_revoke(vault, secret, &spec, &f->err);
		assert_true(!cof_failed(result) || result.code == COF_E_NOSPC);
		vault_close(TAKE(vault));
		fixture_command("rm '%s/filler'", f->paths.vault_dir);
		vault = fixture_unlock(f);
		fixture_expect(f, vault, "disk", "a", "one");
		assert_ok(vault_check(vault, NULL, &f->err));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_vault_mirrors_are_current_after_a_commit),
		FIXTURE_TEST(test_vault_mirror_alone_makes_a_vault_again),
		FIXTURE_TEST(test_vault_mirror_that_is_away_catches_up),
		FIXTURE_TEST(test_vault_mirror_that_is_unmounted_is_not_made_again),
		FIXTURE_TEST(test_vault_mirror_that_is_new_is_filled_by_a_sync),
		FIXTURE_TEST(test_vault_mirror_on_a_fresh_medium_is_filled),
		FIXTURE_TEST(test_vault_mirror_below_a_fresh_medium_is_filled),
		FIXTURE_TEST(test_vault_mirror_whose_line_in_fstab_is_not_mounted_is_not_written),
		FIXTURE_TEST(test_vault_mirror_that_is_full_fails_no_commit),
		FIXTURE_TEST(test_vault_mirror_that_becomes_full_keeps_its_older_copy),
		FIXTURE_TEST(test_vault_mirror_that_is_newer_is_not_overwritten),
		FIXTURE_TEST(test_vault_accept_older_sets_a_newer_mirror_aside),
		FIXTURE_TEST(test_vault_create_reports_a_full_disk_and_leaves_no_vault),
		FIXTURE_TEST(test_vault_changes_on_a_full_disk_lose_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
