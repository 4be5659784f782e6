/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The header and its copy in the keystore: neither an older header nor a damaged one may take the
 * place of the copy, whatever is done to the unlock methods.
 */

#include "fixture.h"
#include "recovery.h"

static void make(struct fixture *f)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "a", "one", false));
}

static cof_result enroll(struct fixture *f, struct vault *vault, const char *text)
{
	_cleanup_slot_secret_ struct slot_secret *existing = fixture_secret(PASSPHRASE);
	_cleanup_slot_secret_ struct slot_secret *secret = fixture_secret(text);

	return vault_enroll(vault, existing, VAULT_FILE, "", secret, true, false, NULL, &f->err);
}

/* A vault whose older header was put back after "added" was enrolled: only the copy opens with
 * that. */
static void make_with_older_header(struct fixture *f)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make(f);
	fixture_command("cp '%s/root.luks' '%s/old'", f->paths.vault_dir, f->folder);
	vault = fixture_open(f);
	assert_ok(enroll(f, vault, "added"));
	fixture_command("cp '%s/old' '%s/root.luks'", f->folder, f->paths.vault_dir);
}

/* The keyslot's area, which no checksum covers, is other bytes. */
static void damage_keyslot(struct fixture *f)
{
	long area = fixture_number("cryptsetup luksDump '%s/root.luks' |"
				   " sed -n 's/.*Area offset:\\([0-9]*\\).*/\\1/p' | tail -1",
				   f->paths.vault_dir);

	fixture_command("dd if=/dev/urandom of='%s/root.luks' bs=4096 seek=%ld count=64"
			" conv=notrunc status=none",
			f->paths.vault_dir, area / 4096);
}

/* A keyslot that cryptsetup adds, as a person would. */
static void add_with_cryptsetup(struct fixture *f)
{
	fixture_command("cd '%s' && printf '%%s' '" PASSPHRASE "' > old && printf other > new &&"
			" cryptsetup luksAddKey -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000"
			" --key-file old '%s/root.luks' new",
			f->folder, f->paths.vault_dir);
}

static enum vault_header state_of(struct fixture *f)
{
	_cleanup_(vault_closep) struct vault *vault = fixture_open(f);
	enum vault_header found;

	assert_ok(vault_header_state(vault, &found, &f->err));
	return found;
}

/* The copy is what it was: put back, it opens with the secret that the older header lacks. */
static void assert_copy_opens_with(struct fixture *f, const char *secret)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;

	assert_ok(vault_rebuild_header(&f->paths, &f->err));
	vault = fixture_open(f);
	assert_ok(fixture_try_unlock(f, vault, secret));
}

static struct vault_mirror mirror_state(struct fixture *f, struct vault *vault)
{
	_cleanup_free_ struct vault_mirror *mirrors = NULL;
	size_t count;

	assert_ok(vault_mirrors(vault, &mirrors, &count, &f->err));
	assert_int_equal(count, 1);
	return mirrors[0];
}

static void test_vault_enroll_refuses_an_older_header(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make_with_older_header(f);
	vault = fixture_open(f);
	assert_fails(enroll(f, vault, "another"), COF_E_FORMAT);
	assert_non_null(strstr(f->err.text, "older"));
	assert_string_equal(f->err.remedy, "coffer backup restore --header-only");
	assert_copy_opens_with(f, "added");
}

static void test_vault_passwd_refuses_an_older_header(void **state)
{
	struct fixture *f = *state;
	_cleanup_slot_secret_ struct slot_secret *old = fixture_secret(PASSPHRASE);
	_cleanup_slot_secret_ struct slot_secret *new = fixture_secret(OTHER_PASSPHRASE);
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make_with_older_header(f);
	vault = fixture_open(f);
	assert_fails(vault_passwd(vault, old, new, false, NULL, &f->err), COF_E_FORMAT);
	assert_copy_opens_with(f, "added");
}

static void test_vault_revoke_refuses_an_older_header(void **state)
{
	struct fixture *f = *state;
	_cleanup_slot_secret_ struct slot_secret *old = fixture_secret(PASSPHRASE);
	_cleanup_slot_secret_ struct slot_secret *new = fixture_secret(OTHER_PASSPHRASE);
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct vault_new spec = { .passphrase = new };

	make_with_older_header(f);
	vault = fixture_open(f);
	assert_fails(vault_revoke(vault, old, &spec, &f->err), COF_E_FORMAT);
	assert_int_equal(vault_epoch(vault), 1);
	assert_copy_opens_with(f, "added");
}

static void test_vault_enroll_refuses_a_damaged_header(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make(f);
	vault = fixture_open(f);
	assert_ok(enroll(f, vault, "added"));
	damage_keyslot(f);
	assert_fails(enroll(f, vault, "another"), COF_E_FORMAT);
	assert_non_null(strstr(f->err.text, "damaged"));
	assert_copy_opens_with(f, "added");
}

static void test_header_keep_refuses_to_replace_a_newer_copy(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make_with_older_header(f);
	vault = fixture_unlock(f);
	assert_fails(header_keep(vault, &f->err), COF_E_FORMAT);
	assert_copy_opens_with(f, "added");
}

static void test_header_keep_replaces_a_copy_that_is_not_whole(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct keystore_change change = { .key = ROW_HEADER,
					  .value = SPAN("CFLH\xff\xff\xff\xff\xff\xff\xff\xffxyz",
							15),
					  .expected_revision = KEYSTORE_ANY };

	make(f);
	vault = fixture_unlock(f);
	assert_ok(vault->engine->commit(vault->keystore, &change, 1, NULL, &f->err));
	assert_ok(header_keep(vault, &f->err));
	assert_int_equal(state_of(f), VAULT_HEADER_KEPT);
}

static void test_vault_unlock_goes_on_with_an_older_header(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make_with_older_header(f);
	vault = fixture_unlock(f);
	fixture_expect(f, vault, "disk", "a", "one");
	assert_copy_opens_with(f, "added");
}

static void test_vault_unlock_tells_that_an_older_header_may_be_why_a_secret_fails(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make_with_older_header(f);
	vault = fixture_open(f);
	assert_fails(fixture_try_unlock(f, vault, "added"), COF_E_KEY);
	assert_non_null(strstr(f->err.cause, "older"));
	assert_string_equal(f->err.remedy, "coffer backup restore --header-only");
}

static void test_vault_unlock_blames_no_good_header_for_a_wrong_secret(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make(f);
	vault = fixture_open(f);
	assert_fails(fixture_try_unlock(f, vault, "wrong"), COF_E_KEY);
	assert_string_equal(f->err.cause, "");
	assert_string_equal(f->err.remedy, "");
}

static void test_vault_header_state_tells_each_state(void **state)
{
	struct fixture *f = *state;

	make_with_older_header(f);
	assert_int_equal(state_of(f), VAULT_HEADER_OLDER);
	assert_ok(vault_rebuild_header(&f->paths, &f->err));
	assert_int_equal(state_of(f), VAULT_HEADER_KEPT);
	damage_keyslot(f);
	assert_int_equal(state_of(f), VAULT_HEADER_DAMAGED);
	fixture_command("rm '%s/root.luks'", f->paths.vault_dir);
	assert_ok(vault_rebuild_header(&f->paths, &f->err));
	add_with_cryptsetup(f);
	assert_int_equal(state_of(f), VAULT_HEADER_CHANGED);
}

/* As a command that has changed the header does, with the lock of its parent. */
static bool keep_a_moment_later(struct fixture *f)
{
	_cleanup_(vault_closep) struct vault *vault = fixture_open(f);

	(void)usleep(300000);
	return !cof_failed(header_keep(vault, &f->err));
}

static void test_vault_header_state_waits_for_who_is_just_changing_it(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_free_ char *path = NULL;
	_cleanup_fd_ int lock = -1;
	enum vault_header found;
	pid_t child;
	int status;

	make(f);
	assert_ok(path_format(&path, NULL, "%s/.lock", f->paths.vault_dir));
	/* The child has changed the header, and copies it a moment later. */
	assert_ok(file_lock(path, 0, &lock, &f->err));
	add_with_cryptsetup(f);
	child = fork();
	if (child == 0)
		_exit(keep_a_moment_later(f) ? 0 : 1);
	vault = fixture_open(f);
	/* The lock goes with the last of its descriptors, which is the child's. */
	(void)close(TAKE_FD(lock));
	assert_ok(vault_header_state(vault, &found, &f->err));
	assert_int_equal(found, VAULT_HEADER_KEPT);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void test_vault_unlock_brings_another_tools_change_to_the_mirrors(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	fixture_mirrors(f, 1);
	make(f);
	add_with_cryptsetup(f);
	vault = fixture_unlock(f);
	assert_int_equal(mirror_state(f, vault).state, MIRROR_CURRENT);
	fixture_command("printf other | cryptsetup open --test-passphrase --key-file -"
			" '%s'/coffer-*/root.luks",
			f->mirror_folder[0]);
}

static void test_vault_mirror_is_behind_when_another_tool_has_changed_the_header(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	fixture_mirrors(f, 1);
	make(f);
	vault = fixture_open(f);
	assert_int_equal(mirror_state(f, vault).state, MIRROR_CURRENT);
	add_with_cryptsetup(f);
	assert_int_equal(mirror_state(f, vault).state, MIRROR_BEHIND);
}

static void test_vault_unlock_from_derived_keys_keeps_no_changed_header(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(vault_closep) struct vault *derived = NULL;
	_cleanup_(keys_done) struct keys keys = { 0 };
	struct key_source source;

	make(f);
	vault = fixture_unlock(f);
	assert_ok(keys_from_root(vault_root_key(vault), vault_uuid(vault), 1, &keys, &f->err));
	add_with_cryptsetup(f);
	source = keys.source;
	keys.source = (struct key_source){ 0 };
	derived = fixture_open(f);
	assert_ok(vault_unlock_from(derived, source, &f->err));
	assert_int_equal(state_of(f), VAULT_HEADER_CHANGED);
}

static void test_vault_unlock_after_a_cut_off_commit_writes_the_mirrors(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	fixture_mirrors(f, 1);
	make(f);
	fixture_command("rm '%s/vault.mark' && rm -r '%s'/coffer-*/vault.db", f->paths.vault_dir,
			f->mirror_folder[0]);
	vault = fixture_unlock(f);
	fixture_command("test -s '%s'/coffer-*/vault.db", f->mirror_folder[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_vault_enroll_refuses_an_older_header),
		FIXTURE_TEST(test_vault_passwd_refuses_an_older_header),
		FIXTURE_TEST(test_vault_revoke_refuses_an_older_header),
		FIXTURE_TEST(test_vault_enroll_refuses_a_damaged_header),
		FIXTURE_TEST(test_header_keep_refuses_to_replace_a_newer_copy),
		FIXTURE_TEST(test_header_keep_replaces_a_copy_that_is_not_whole),
		FIXTURE_TEST(test_vault_unlock_goes_on_with_an_older_header),
		FIXTURE_TEST(
			test_vault_unlock_tells_that_an_older_header_may_be_why_a_secret_fails),
		FIXTURE_TEST(test_vault_unlock_blames_no_good_header_for_a_wrong_secret),
		FIXTURE_TEST(test_vault_header_state_tells_each_state),
		FIXTURE_TEST(test_vault_header_state_waits_for_who_is_just_changing_it),
		FIXTURE_TEST(test_vault_unlock_brings_another_tools_change_to_the_mirrors),
		FIXTURE_TEST(test_vault_mirror_is_behind_when_another_tool_has_changed_the_header),
		FIXTURE_TEST(test_vault_unlock_from_derived_keys_keeps_no_changed_header),
		FIXTURE_TEST(test_vault_unlock_after_a_cut_off_commit_writes_the_mirrors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
