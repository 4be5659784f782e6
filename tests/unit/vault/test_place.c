/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Places that others can write to: as the vault's folder they are refused, and as a mirror they
 * lead nobody astray.
 */

#include "fixture.h"

static void make(struct fixture *f)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "a", "one", false));
}

/* A commit, after which the mirrors are written. */
static void commit(struct fixture *f)
{
	_cleanup_(vault_closep) struct vault *vault = fixture_unlock(f);

	assert_ok(fixture_put(f, vault, "disk", "a", "two", false));
}

static struct vault_mirror mirror_state(struct fixture *f)
{
	_cleanup_(vault_closep) struct vault *vault = fixture_open(f);
	_cleanup_free_ struct vault_mirror *mirrors = NULL;
	size_t count;

	assert_ok(vault_mirrors(vault, &mirrors, &count, &f->err));
	assert_int_equal(count, 1);
	return mirrors[0];
}

static void test_vault_create_refuses_a_folder_that_others_write_to(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdir(f->paths.vault_dir, 0700), 0);
	assert_int_equal(chmod(f->paths.vault_dir, 0777), 0);
	assert_fails(fixture_create(f, PASSPHRASE), COF_E_REFUSED);
	assert_non_null(strstr(f->err.remedy, "chmod go-w"));
	fixture_command("test -z \"$(ls -A '%s')\"", f->paths.vault_dir);
}

static void test_vault_create_refuses_a_folder_of_another_user(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdir(f->paths.vault_dir, 0700), 0);
	assert_int_equal(chown(f->paths.vault_dir, 65534, 0), 0);
	assert_fails(fixture_create(f, PASSPHRASE), COF_E_REFUSED);
	assert_non_null(strstr(f->err.remedy, "chown root"));
	fixture_command("test -z \"$(ls -A '%s')\"", f->paths.vault_dir);
}

static void test_vault_open_refuses_a_folder_that_its_group_writes_to(void **state)
{
	struct fixture *f = *state;
	struct vault *vault = NULL;

	make(f);
	assert_int_equal(chmod(f->paths.vault_dir, 0770), 0);
	assert_fails(vault_open(&f->paths, &vault, &f->err), COF_E_REFUSED);
	assert_int_equal(chmod(f->paths.vault_dir, 0750), 0);
	vault_close(fixture_unlock(f));
}

static void test_vault_rebuild_header_refuses_a_folder_that_others_write_to(void **state)
{
	struct fixture *f = *state;

	make(f);
	fixture_command("rm '%s/root.luks'", f->paths.vault_dir);
	assert_int_equal(chmod(f->paths.vault_dir, 0777), 0);
	assert_fails(vault_rebuild_header(&f->paths, &f->err), COF_E_REFUSED);
}

static void test_vault_mirror_whose_folder_is_a_link_is_not_written(void **state)
{
	struct fixture *f = *state;
	struct vault_mirror mirror;

	fixture_mirrors(f, 1);
	make(f);
	fixture_command("cd '%s' && mkdir victim && for m in coffer-*; do mv $m ../ && rm -rf $m &&"
			" ln -s victim $m; done",
			f->mirror_folder[0]);
	commit(f);
	mirror = mirror_state(f);
	assert_int_equal(mirror.state, MIRROR_FAILED);
	assert_non_null(strstr(mirror.reason, "symbolic link"));
	fixture_command("test -z \"$(ls -A '%s/victim')\"", f->mirror_folder[0]);
}

static void test_vault_mirror_whose_files_are_links_leaves_what_they_lead_to(void **state)
{
	struct fixture *f = *state;

	fixture_mirrors(f, 1);
	make(f);
	fixture_command("cd '%s' && cp -a coffer-*/root.luks victim && cp victim before &&"
			" cd coffer-* && rm * && for n in root.luks vault.db vault.mark"
			" root.luks.new vault.db.new vault.mark.new; do ln -s ../victim $n; done",
			f->mirror_folder[0]);
	commit(f);
	assert_int_equal(mirror_state(f).state, MIRROR_CURRENT);
	fixture_command("cd '%s' && cmp victim before && test -z \"$(find . -type l)\"",
			f->mirror_folder[0]);
}

static void test_vault_mirror_with_a_pipe_for_a_mark_holds_nobody_up(void **state)
{
	struct fixture *f = *state;

	fixture_mirrors(f, 1);
	make(f);
	fixture_command("cd '%s'/coffer-* && rm vault.mark && mkfifo vault.mark",
			f->mirror_folder[0]);
	(void)alarm(60);
	commit(f);
	(void)alarm(0);
	assert_int_equal(mirror_state(f).state, MIRROR_CURRENT);
}

static void test_vault_mirror_in_the_vaults_own_folder_is_refused(void **state)
{
	struct fixture *f = *state;
	struct vault_mirror mirror;

	f->mirrors[0] = f->paths.vault_dir;
	make(f);
	mirror = mirror_state(f);
	assert_int_equal(mirror.state, MIRROR_FAILED);
	assert_non_null(strstr(mirror.reason, "the vault's own folder"));
	assert_null(strstr(mirror.remedy, "remove"));
	assert_non_null(strstr(mirror.remedy, "name another folder"));
	fixture_command("! ls -d '%s'/coffer-*", f->paths.vault_dir);
}

static void test_vault_mirror_that_leads_to_the_vault_is_refused(void **state)
{
	struct fixture *f = *state;
	struct vault_mirror mirror;

	fixture_mirrors(f, 1);
	make(f);
	fixture_command("mount --bind '%s' '%s'/coffer-*", f->paths.vault_dir, f->mirror_folder[0]);
	commit(f);
	mirror = mirror_state(f);
	fixture_command("umount '%s'/coffer-*", f->mirror_folder[0]);
	assert_int_equal(mirror.state, MIRROR_FAILED);
	assert_non_null(strstr(mirror.reason, "leads to the vault"));
}

static void test_vault_mirror_failure_names_the_mirrors_own_file(void **state)
{
	struct fixture *f = *state;
	struct vault_mirror mirror;

	fixture_mirrors(f, 1);
	make(f);
	fixture_command("cd '%s'/coffer-* && rm root.luks && mkdir root.luks root.luks.new",
			f->mirror_folder[0]);
	commit(f);
	mirror = mirror_state(f);
	assert_int_equal(mirror.state, MIRROR_FAILED);
	assert_non_null(strstr(mirror.reason, f->mirror_folder[0]));
	assert_null(strstr(mirror.reason, "/proc"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_vault_create_refuses_a_folder_that_others_write_to),
		FIXTURE_TEST(test_vault_create_refuses_a_folder_of_another_user),
		FIXTURE_TEST(test_vault_open_refuses_a_folder_that_its_group_writes_to),
		FIXTURE_TEST(test_vault_rebuild_header_refuses_a_folder_that_others_write_to),
		FIXTURE_TEST(test_vault_mirror_whose_folder_is_a_link_is_not_written),
		FIXTURE_TEST(test_vault_mirror_whose_files_are_links_leaves_what_they_lead_to),
		FIXTURE_TEST(test_vault_mirror_with_a_pipe_for_a_mark_holds_nobody_up),
		FIXTURE_TEST(test_vault_mirror_in_the_vaults_own_folder_is_refused),
		FIXTURE_TEST(test_vault_mirror_that_leads_to_the_vault_is_refused),
		FIXTURE_TEST(test_vault_mirror_failure_names_the_mirrors_own_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
