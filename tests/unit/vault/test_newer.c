/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A vault that is older than its mirrors, and mirrors without it: what is kept, what is advised.
 */

#include "fixture.h"

/* A vault with disk/a, of which the folder "old" is a copy; both mirrors are current. */
static void make(struct fixture *f)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;

	fixture_mirrors(f, 2);
	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "a", "one", false));
	fixture_command("cp -a '%s' '%s/old'", f->paths.vault_dir, f->folder);
}

/* One more record, which the first @mirrors mirrors get. */
static void add(struct fixture *f, const char *name, int mirrors)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;

	fixture_mirrors(f, mirrors);
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", name, "precious", false));
	fixture_mirrors(f, 2);
}

static void put_back(struct fixture *f)
{
	fixture_command("rm -r '%s' && cp -a '%s/old' '%s'", f->paths.vault_dir, f->folder,
			f->paths.vault_dir);
}

static void test_accept_older_keeps_the_copy_that_is_newer(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(vault_closep) struct vault *kept = NULL;

	make(f);
	add(f, "b", 1);
	put_back(f);
	vault = fixture_open(f);
	vault_accept_older(vault, NULL, NULL);
	assert_ok(fixture_try_unlock(f, vault, PASSPHRASE));
	vault_close(TAKE(vault));
	fixture_mirrors(f, 0);
	fixture_command("rm -r '%s' && cp -a '%s'/coffer-*.newer-* '%s'", f->paths.vault_dir,
			f->mirror_folder[0], f->paths.vault_dir);
	kept = fixture_unlock(f);
	fixture_expect(f, kept, "disk", "b", "precious");
}

static void test_accept_older_twice_keeps_both_copies(void **state)
{
	struct fixture *f = *state;

	make(f);
	for (int i = 0; i < 2; i++) {
		_cleanup_(vault_closep) struct vault *vault = NULL;

		add(f, "b", 2);
		add(f, "c", 2);
		put_back(f);
		vault = fixture_open(f);
		vault_accept_older(vault, NULL, NULL);
		assert_ok(fixture_try_unlock(f, vault, PASSPHRASE));
		put_back(f);
		vault_close(TAKE(vault));
		vault = fixture_open(f);
		vault_accept_older(vault, NULL, NULL);
		assert_ok(fixture_try_unlock(f, vault, PASSPHRASE));
	}
	assert_int_equal(fixture_number("ls -d '%s'/coffer-*.newer-* | wc -l", f->mirror_folder[0]),
			 4);
}

/* What a vault_ask_older was told. */
struct told {
	size_t calls;
	size_t copies;
	char records[256];
	bool agree;
};

static cof_result ask(const struct vault_newer newer[], size_t count, void *context,
		      struct cof_error *err)
{
	struct told *told = context;

	told->calls++;
	told->copies = count;
	told->records[0] = '\0';
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < newer[i].record_count; j++) {
			strcat(told->records, newer[i].records[j]);
			strcat(told->records, " ");
		}
	ENSURE(told->agree, err, COF_E_REFUSED, NULL, "not agreed");
	return COF_OK;
}

static void test_accept_older_lists_what_is_forgotten(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct told told = { .agree = true };

	make(f);
	add(f, "b", 1);
	add(f, "a", 1);
	put_back(f);
	vault = fixture_open(f);
	vault_accept_older(vault, ask, &told);
	assert_ok(fixture_try_unlock(f, vault, PASSPHRASE));
	assert_int_equal(told.calls, 1);
	assert_int_equal(told.copies, 1);
	assert_string_equal(told.records, "disk/a disk/b ");
}

static void test_accept_older_that_is_not_agreed_to_writes_nothing(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct told told = { .agree = false };

	make(f);
	add(f, "b", 1);
	put_back(f);
	fixture_command("cp -a '%s' '%s/before0' && cp -a '%s' '%s/before1'", f->mirror_folder[0],
			f->folder, f->paths.vault_dir, f->folder);
	vault = fixture_open(f);
	vault_accept_older(vault, ask, &told);
	assert_fails(fixture_try_unlock(f, vault, PASSPHRASE), COF_E_REFUSED);
	assert_false(vault_is_unlocked(vault));
	fixture_command("diff -r '%s/before0' '%s' && "
			"diff -r -x .lock -x '*audit*' '%s/before1' '%s'",
			f->folder, f->mirror_folder[0], f->folder, f->paths.vault_dir);
}

static void test_accept_older_stops_where_the_newer_copy_cannot_be_kept(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	uint64_t before;
	uint64_t after;

	make(f);
	add(f, "b", 1);
	put_back(f);
	fixture_command("mount --bind '%s' '%s' && mount -o remount,bind,ro '%s'",
			f->mirror_folder[0], f->mirror_folder[0], f->mirror_folder[0]);
	vault = fixture_open(f);
	vault_accept_older(vault, NULL, NULL);
	assert_ok(vault_revision(vault, &before, &f->err));
	assert_true(cof_failed(fixture_try_unlock(f, vault, PASSPHRASE)));
	assert_non_null(strstr(f->err.headline, f->mirror_folder[0]));
	assert_ok(vault_revision(vault, &after, &f->err));
	assert_int_equal(before, after);
}

/* The mirrors as status shows them. */
static struct vault_mirror *mirrors_of(struct fixture *f)
{
	_cleanup_(vault_closep) struct vault *vault = fixture_open(f);
	struct vault_mirror *mirrors = NULL;
	size_t count;

	assert_ok(vault_mirrors(vault, &mirrors, &count, &f->err));
	assert_int_equal(count, 2);
	return mirrors;
}

static void test_mirror_that_is_newest_is_the_one_advised(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ struct vault_mirror *mirrors = NULL;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	char *only_second[2] = { f->mirror_folder[1], NULL };

	make(f);
	add(f, "b", 2);
	f->paths.mirrors = only_second;
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "c", "newest", false));
	vault_close(TAKE(vault));
	f->paths.mirrors = f->mirrors;
	put_back(f);
	mirrors = mirrors_of(f);
	assert_int_equal(mirrors[0].state, MIRROR_NEWER);
	assert_int_equal(mirrors[1].state, MIRROR_NEWER);
	assert_null(strstr(mirrors[0].remedy, "cp -a"));
	assert_non_null(strstr(mirrors[1].remedy, f->mirror_folder[1]));
	vault = fixture_open(f);
	assert_fails(fixture_try_unlock(f, vault, PASSPHRASE), COF_E_AUTH);
	assert_non_null(strstr(f->err.cause, f->mirror_folder[1]));
	assert_non_null(strstr(f->err.remedy, f->mirror_folder[1]));
}

static void test_remedy_of_an_older_vault_works_as_typed(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ struct vault_mirror *mirrors = NULL;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make(f);
	add(f, "b", 1);
	put_back(f);
	mirrors = mirrors_of(f);
	assert_int_equal(strncmp(mirrors[0].remedy, "mv ", 3), 0);
	assert_non_null(strstr(mirrors[0].remedy, " && cp -a "));
	fixture_command("%s", mirrors[0].remedy);
	vault = fixture_unlock(f);
	fixture_expect(f, vault, "disk", "b", "precious");
	fixture_command("test -e '%s'.aside-*/vault.db", f->paths.vault_dir);
}

static void test_open_names_the_copy_of_a_vault_that_is_gone(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make(f);
	add(f, "b", 1);
	for (int empty = 0; empty < 2; empty++) {
		fixture_command("rm -r '%s'", f->paths.vault_dir);
		if (empty)
			assert_int_equal(mkdir(f->paths.vault_dir, 0700), 0);
		assert_fails(vault_open(&f->paths, &vault, &f->err), COF_E_NOENT);
		assert_non_null(strstr(f->err.cause, f->mirror_folder[0]));
		fixture_command("%s", f->err.remedy);
		vault = fixture_unlock(f);
		fixture_expect(f, vault, "disk", "b", "precious");
		vault_close(TAKE(vault));
	}
}

static void test_open_without_any_copy_leads_to_init(void **state)
{
	struct fixture *f = *state;
	struct vault *vault = NULL;

	fixture_mirrors(f, 2);
	fixture_command("touch '%s/file' '%s/file'", f->mirror_folder[0], f->mirror_folder[1]);
	assert_fails(vault_open(&f->paths, &vault, &f->err), COF_E_NOENT);
	assert_string_equal(f->err.remedy, "coffer init");
	fixture_command("rm -r '%s'", f->mirror_folder[1]);
	assert_fails(vault_open(&f->paths, &vault, &f->err), COF_E_NOENT);
	assert_non_null(strstr(f->err.cause, f->mirror_folder[1]));
}

static void test_open_with_an_empty_mirror_leads_to_mounting_it(void **state)
{
	struct fixture *f = *state;
	struct vault *vault = NULL;

	fixture_mirrors(f, 1);
	assert_fails(vault_open(&f->paths, &vault, &f->err), COF_E_NOENT);
	assert_non_null(strstr(f->err.cause, "nothing is mounted"));
	assert_non_null(strstr(f->err.remedy, "and look again"));
}

static void test_copies_that_are_damaged_or_set_aside_do_not_count(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ struct vault_copy *copies = NULL;
	size_t count;

	make(f);
	assert_ok(vault_copies(&f->paths, &copies, &count, &f->err));
	assert_int_equal(count, 2);
	free(TAKE(copies));
	fixture_command("truncate -s 5000 '%s'/coffer-*/vault.db && cd '%s' && "
			"for c in coffer-*; do mv $c $c.newer-20260101T000000Z; done",
			f->mirror_folder[0], f->mirror_folder[1]);
	assert_ok(vault_copies(&f->paths, &copies, &count, &f->err));
	assert_int_equal(count, 0);
}

static void test_damaged_keystore_names_the_newest_copy(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	char *only_second[2] = { f->mirror_folder[1], NULL };

	make(f);
	f->paths.mirrors = only_second;
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "b", "newest", false));
	vault_close(TAKE(vault));
	f->paths.mirrors = f->mirrors;
	fixture_command("truncate -s 5000 '%s/vault.db'", f->paths.vault_dir);
	assert_fails(vault_open(&f->paths, &vault, &f->err), COF_E_FORMAT);
	fixture_command("%s", f->err.remedy);
	vault = fixture_unlock(f);
	fixture_expect(f, vault, "disk", "b", "newest");
}

/* Makes the sequence number of the header's copy in the keystore as high as can be. */
static void forge_copy(struct fixture *f)
{
	_cleanup_(vault_closep) struct vault *vault = fixture_open(f);
	_cleanup_row_ struct row row = { 0 };
	struct keystore_change change = { .key = ROW_HEADER, .expected_revision = KEYSTORE_ANY };

	assert_ok(row_get(vault, ROW_HEADER, &row, &f->err));
	memset(row.value.data + 4, 0x7f, 8);
	change.value = buffer_span(&row.value);
	assert_ok(vault->engine->commit(vault->keystore, &change, 1, NULL, &f->err));
}

/* A key source as the agent is one: it derives from a root key that this vault object has not. */
static cof_result derive_elsewhere(void *context, struct span info, struct wrap_key **ret_key,
				   struct cof_error *err)
{
	const struct vault *other = context;

	return root_derive(vault_root_key(other), vault_uuid(other), info, ret_key, err);
}

static void test_forged_header_copy_is_found_with_the_agents_keys(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *agent = NULL;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	enum vault_header header;

	make(f);
	agent = fixture_unlock(f);
	fixture_command("cp '%s'/coffer-*/root.luks '%s/before'", f->mirror_folder[0], f->folder);
	forge_copy(f);
	vault = fixture_open(f);
	assert_ok(vault_unlock_from(
		vault, (struct key_source){ .derive = derive_elsewhere, .context = agent },
		&f->err));
	assert_ok(vault_header_state(vault, &header, &f->err));
	assert_int_equal(header, VAULT_HEADER_FORGED);
	assert_fails(vault_check(vault, NULL, &f->err), COF_E_AUTH);
	/* Nor does it come to a mirror. */
	assert_ok(fixture_put(f, vault, "disk", "b", "two", false));
	fixture_command("cmp '%s'/coffer-*/root.luks '%s/before'", f->mirror_folder[0], f->folder);
}

static void test_forged_header_copy_is_mended_with_a_secret(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	enum vault_header header;

	make(f);
	vault = fixture_unlock(f);
	assert_false(vault_header_mended(vault));
	vault_close(TAKE(vault));
	forge_copy(f);
	vault = fixture_unlock(f);
	assert_true(vault_header_mended(vault));
	assert_ok(vault_header_state(vault, &header, &f->err));
	assert_int_equal(header, VAULT_HEADER_KEPT);
	assert_ok(vault_check(vault, NULL, &f->err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_accept_older_keeps_the_copy_that_is_newer),
		FIXTURE_TEST(test_accept_older_twice_keeps_both_copies),
		FIXTURE_TEST(test_accept_older_lists_what_is_forgotten),
		FIXTURE_TEST(test_accept_older_that_is_not_agreed_to_writes_nothing),
		FIXTURE_TEST(test_accept_older_stops_where_the_newer_copy_cannot_be_kept),
		FIXTURE_TEST(test_mirror_that_is_newest_is_the_one_advised),
		FIXTURE_TEST(test_remedy_of_an_older_vault_works_as_typed),
		FIXTURE_TEST(test_open_names_the_copy_of_a_vault_that_is_gone),
		FIXTURE_TEST(test_open_without_any_copy_leads_to_init),
		FIXTURE_TEST(test_open_with_an_empty_mirror_leads_to_mounting_it),
		FIXTURE_TEST(test_copies_that_are_damaged_or_set_aside_do_not_count),
		FIXTURE_TEST(test_damaged_keystore_names_the_newest_copy),
		FIXTURE_TEST(test_forged_header_copy_is_found_with_the_agents_keys),
		FIXTURE_TEST(test_forged_header_copy_is_mended_with_a_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
