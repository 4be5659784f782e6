/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A keystore or a whole folder that was put back as it once was.
 */

#include "fixture.h"
#include "patience.h"

/* A vault with disk/a in two generations and disk/b. */
static void make(struct fixture *f)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "a", "one", false));
	assert_ok(fixture_put(f, vault, "disk", "a", "two", true));
	assert_ok(fixture_put(f, vault, "disk", "b", "three", false));
}

static void test_vault_unlock_refuses_an_older_keystore(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make(f);
	fixture_command("cp '%s/vault.db' '%s/old.db'", f->paths.vault_dir, f->folder);
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "a", "newer", false));
	vault_close(TAKE(vault));
	fixture_command("cp '%s/old.db' '%s/vault.db'", f->folder, f->paths.vault_dir);
	vault = fixture_open(f);
	assert_fails(fixture_try_unlock(f, vault, PASSPHRASE), COF_E_AUTH);
	assert_non_null(strstr(f->err.text, "older"));
	assert_non_null(strstr(f->err.remedy, "--accept-older"));
	assert_false(vault_is_unlocked(vault));
}

static void test_vault_unlock_refuses_a_folder_older_than_its_mirror(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	fixture_mirrors(f, 1);
	make(f);
	fixture_command("cp -a '%s' '%s/old'", f->paths.vault_dir, f->folder);
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "a", "newer", false));
	vault_close(TAKE(vault));
	fixture_command("rm -r '%s' && cp -a '%s/old' '%s'", f->paths.vault_dir, f->folder,
			f->paths.vault_dir);
	vault = fixture_open(f);
	assert_fails(fixture_try_unlock(f, vault, PASSPHRASE), COF_E_AUTH);
	assert_non_null(strstr(f->err.cause, f->mirror_folder[0]));
}

static void test_vault_unlock_refuses_a_folder_from_before_a_revocation(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_slot_secret_ struct slot_secret *secret = fixture_secret(PASSPHRASE);
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
	assert_fails(fixture_try_unlock(f, vault, PASSPHRASE), COF_E_AUTH);
}

static void test_vault_accept_older_goes_on_and_is_asked_once(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(vault_closep) struct vault *again = NULL;

	fixture_mirrors(f, 1);
	make(f);
	fixture_command("cp -a '%s' '%s/old'", f->paths.vault_dir, f->folder);
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "a", "newer", false));
	vault_close(TAKE(vault));
	fixture_command("rm -r '%s' && cp -a '%s/old' '%s'", f->paths.vault_dir, f->folder,
			f->paths.vault_dir);
	vault = fixture_open(f);
	vault_accept_older(vault, NULL, NULL);
	assert_ok(fixture_try_unlock(f, vault, PASSPHRASE));
	fixture_expect(f, vault, "disk", "a", "two");
	/* The mirror knows what the folder lost. */
	again = fixture_unlock(f);
	fixture_expect(f, again, "disk", "a", "two");
}

static void test_vault_unlock_goes_on_without_a_mark(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make(f);
	fixture_command("rm '%s/vault.mark'", f->paths.vault_dir);
	vault = fixture_unlock(f);
	fixture_command("test -s '%s/vault.mark'", f->paths.vault_dir);
}

static void test_mark_write_clears_what_a_kill_has_left(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	fixture_mirrors(f, 1);
	make(f);
	fixture_command("cd '%s' && touch vault.mark.aB3xYz vault.mark.kept-by-hand && "
			"touch '%s'/$(basename '%s'/coffer-*)/vault.db.new.aB3xYz",
			f->paths.vault_dir, f->mirror_folder[0], f->mirror_folder[0]);
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "a", "newer", false));
	fixture_command("cd '%s' && test ! -e vault.mark.aB3xYz && test -e vault.mark.kept-by-hand",
			f->paths.vault_dir);
	fixture_command("! ls '%s'/coffer-*/ | grep aB3xYz", f->mirror_folder[0]);
}

static void test_patience_names_what_is_waited_for_and_only_then(void **state)
{
	struct fixture *f = *state;
	int saved = dup(STDERR_FILENO);
	struct patience *patience;
	char said[96];
	int file;

	(void)snprintf(said, sizeof(said), "%s/said", f->folder);
	file = open(said, O_RDWR | O_CREAT, 0600);
	assert_true(file >= 0 && dup2(file, STDERR_FILENO) >= 0);
	patience_end(patience_begin("/mnt/quick", 60000));
	patience = patience_begin("/mnt/slow", 1);
	for (int i = 0; i < 1000 && lseek(file, 0, SEEK_END) == 0; i++)
		(void)usleep(10000);
	patience_end(patience);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	(void)close(saved);
	(void)close(file);
	fixture_command("grep -q /mnt/slow '%s' && ! grep -q /mnt/quick '%s'", said, said);
}

static void test_vault_unlock_goes_on_with_a_forged_mark(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make(f);
	/* A high revision in the clear, which the seal does not bear out. */
	fixture_command("printf '\\377' | dd of='%s/vault.mark' bs=1 seek=12 conv=notrunc "
			"status=none",
			f->paths.vault_dir);
	vault = fixture_unlock(f);
}

/* A mark of a later epoch and the highest revision, which nobody can prove. */
static void forge_mark_of_a_later_epoch(struct fixture *f)
{
	fixture_command("printf '\\2\\377\\377\\377\\377\\377\\377\\377\\377' |"
			" dd of='%s/vault.mark' bs=1 seek=9 conv=notrunc status=none",
			f->paths.vault_dir);
}

static void test_vault_accept_older_takes_no_revision_from_a_forged_mark(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	uint64_t before;
	uint64_t after;

	make(f);
	forge_mark_of_a_later_epoch(f);
	vault = fixture_open(f);
	assert_ok(vault_revision(vault, &before, &f->err));
	assert_fails(fixture_try_unlock(f, vault, PASSPHRASE), COF_E_AUTH);
	vault_accept_older(vault, NULL, NULL);
	assert_ok(fixture_try_unlock(f, vault, PASSPHRASE));
	assert_ok(fixture_put(f, vault, "disk", "a", "newer", false));
	assert_ok(vault_revision(vault, &after, &f->err));
	assert_int_equal(after, before + 2);
	vault_close(fixture_unlock(f));
}

/* The vault's own mark, proven, of a revision that was never reached. */
static void write_mark(struct fixture *f, uint64_t revision)
{
	_cleanup_(vault_closep) struct vault *vault = fixture_unlock(f);
	_cleanup_buffer_ struct buffer stored = { 0 };
	struct sealed_header header = { .generation = revision };

	memcpy(header.id, vault->uuid, sizeof(header.id));
	assert_ok(keys_seal(&vault->keys, "mark", "", "", header,
			    SPAN(vault->uuid, VAULT_UUID_BYTES), &stored, &f->err));
	assert_ok(file_replace(vault->mark_path, buffer_span(&stored), 0600, &f->err));
}

static void test_vault_accept_older_refuses_where_there_is_no_higher_revision(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make(f);
	write_mark(f, UINT64_MAX);
	vault = fixture_open(f);
	vault_accept_older(vault, NULL, NULL);
	assert_fails(fixture_try_unlock(f, vault, PASSPHRASE), COF_E_FAILED);
	assert_false(vault_is_unlocked(vault));
}

static void test_vault_revoke_refuses_where_there_is_no_higher_revision(void **state)
{
	struct fixture *f = *state;
	_cleanup_slot_secret_ struct slot_secret *secret = fixture_secret(PASSPHRASE);
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct vault_new spec = { .passphrase = secret };

	make(f);
	write_mark(f, UINT64_MAX - 1);
	vault = fixture_open(f);
	vault_accept_older(vault, NULL, NULL);
	assert_ok(fixture_try_unlock(f, vault, PASSPHRASE));
	assert_fails(vault_revoke(vault, secret, &spec, &f->err), COF_E_FAILED);
	assert_fails(fixture_put(f, vault, "disk", "a", "newer", false), COF_E_FAILED);
	fixture_expect(f, vault, "disk", "a", "two");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_vault_unlock_refuses_an_older_keystore),
		FIXTURE_TEST(test_vault_unlock_refuses_a_folder_older_than_its_mirror),
		FIXTURE_TEST(test_vault_unlock_refuses_a_folder_from_before_a_revocation),
		FIXTURE_TEST(test_vault_accept_older_goes_on_and_is_asked_once),
		FIXTURE_TEST(test_vault_unlock_goes_on_without_a_mark),
		FIXTURE_TEST(test_mark_write_clears_what_a_kill_has_left),
		FIXTURE_TEST(test_patience_names_what_is_waited_for_and_only_then),
		FIXTURE_TEST(test_vault_unlock_goes_on_with_a_forged_mark),
		FIXTURE_TEST(test_vault_accept_older_takes_no_revision_from_a_forged_mark),
		FIXTURE_TEST(test_vault_accept_older_refuses_where_there_is_no_higher_revision),
		FIXTURE_TEST(test_vault_revoke_refuses_where_there_is_no_higher_revision),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
