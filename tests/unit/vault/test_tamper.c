/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A keystore or header that somebody changed or swapped: a clear refusal, and never a wrong key.
 */

#include <sqlite3.h>

#include "fixture.h"

/* Changes the keystore behind coffer's back; how many rows that touched. */
static int edit_keystore(struct fixture *f, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static int edit_keystore(struct fixture *f, const char *format, ...)
{
	char path[160];
	char sql[1024];
	va_list arguments;
	sqlite3 *db = NULL;
	int changes;

	(void)snprintf(path, sizeof(path), "%s/vault.db", f->paths.vault_dir);
	va_start(arguments, format);
	(void)vsnprintf(sql, sizeof(sql), format, arguments);
	va_end(arguments);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	changes = sqlite3_changes(db);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return changes;
}

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

static cof_result get(struct fixture *f, struct vault *vault, const char *name)
{
	_cleanup_(record_freep) struct record *record = NULL;
	bool found;

	return vault_get(vault, "disk", name, &record, &found, &f->err);
}

static cof_result visit_nothing(const struct record *record, void *context, struct cof_error *err)
{
	return COF_OK;
}

static void test_vault_get_refuses_an_altered_row(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make(f);
	assert_int_equal(edit_keystore(f, "UPDATE record SET value = CAST(substr(value, 1, 80)"
					  " || x'00' || substr(value, 82) AS BLOB)"
					  " WHERE key = 'record/disk/a'"),
			 1);
	vault = fixture_unlock(f);
	assert_fails(get(f, vault, "a"), COF_E_AUTH);
	fixture_expect(f, vault, "disk", "b", "three");
	assert_fails(vault_check(vault, NULL, &f->err), COF_E_AUTH);
}

static void test_vault_get_refuses_a_row_copied_from_another(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make(f);
	assert_int_equal(edit_keystore(f, "UPDATE record SET value = (SELECT value FROM record"
					  " WHERE key = 'record/disk/b')"
					  " WHERE key = 'record/disk/a'"),
			 1);
	vault = fixture_unlock(f);
	assert_fails(get(f, vault, "a"), COF_E_AUTH);
}

static void test_vault_get_refuses_a_row_rolled_back_to_its_own_history(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make(f);
	assert_int_equal(edit_keystore(f, "UPDATE record SET value = (SELECT value FROM record"
					  " WHERE key = 'history/disk/a/00000000000000000001')"
					  " WHERE key = 'record/disk/a'"),
			 1);
	vault = fixture_unlock(f);
	assert_fails(get(f, vault, "a"), COF_E_AUTH);
	assert_non_null(strstr(f->err.text, "rolled back"));
}

static void test_vault_get_refuses_a_row_that_was_removed(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make(f);
	assert_int_equal(edit_keystore(f, "DELETE FROM record WHERE key = 'record/disk/a'"), 1);
	vault = fixture_unlock(f);
	assert_fails(get(f, vault, "a"), COF_E_AUTH);
	assert_fails(vault_check(vault, NULL, &f->err), COF_E_AUTH);
}

static void test_vault_each_refuses_when_a_row_was_removed(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make(f);
	assert_int_equal(edit_keystore(f, "DELETE FROM record WHERE key = 'record/disk/a'"), 1);
	vault = fixture_unlock(f);
	assert_fails(vault_each(vault, "disk", visit_nothing, NULL, &f->err), COF_E_AUTH);
}

static void test_vault_check_refuses_when_history_was_removed(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make(f);
	assert_int_equal(edit_keystore(f, "DELETE FROM record WHERE key LIKE 'history/%%'"), 1);
	vault = fixture_unlock(f);
	assert_fails(vault_check(vault, NULL, &f->err), COF_E_AUTH);
}

static void test_vault_get_refuses_a_row_under_a_new_name(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make(f);
	assert_int_equal(edit_keystore(f, "INSERT INTO record SELECT 'record/disk/c', revision,"
					  " value FROM record WHERE key = 'record/disk/a'"),
			 1);
	vault = fixture_unlock(f);
	assert_fails(get(f, vault, "c"), COF_E_AUTH);
	assert_fails(vault_check(vault, NULL, &f->err), COF_E_AUTH);
}

static void test_vault_get_refuses_a_missing_page_of_the_index(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make(f);
	assert_true(edit_keystore(f, "DELETE FROM record WHERE key LIKE 'index/%%'") > 0);
	vault = fixture_unlock(f);
	assert_fails(get(f, vault, "a"), COF_E_AUTH);
}

static void test_vault_get_refuses_an_older_page_of_the_index(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make(f);
	assert_true(edit_keystore(f, "CREATE TABLE kept AS SELECT key, value FROM record;") >= 0);
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "a", "newer", false));
	vault_close(TAKE(vault));
	/* Row and page both older, the manifest is not. */
	assert_true(edit_keystore(f, "UPDATE record SET value = (SELECT value FROM kept WHERE"
				     " kept.key = record.key) WHERE key LIKE 'index/%%' AND EXISTS"
				     " (SELECT 1 FROM kept WHERE kept.key = record.key)") > 0);
	vault = fixture_unlock(f);
	assert_fails(get(f, vault, "a"), COF_E_AUTH);
}

static void test_vault_unlock_refuses_a_missing_manifest(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	make(f);
	assert_int_equal(edit_keystore(f, "DELETE FROM record WHERE key = 'vault/manifest'"), 1);
	vault = fixture_open(f);
	assert_fails(fixture_try_unlock(f, vault, PASSPHRASE), COF_E_AUTH);
	assert_false(vault_is_unlocked(vault));
}

static void test_vault_open_refuses_a_missing_identity(void **state)
{
	struct fixture *f = *state;
	struct vault *vault = NULL;

	make(f);
	assert_int_equal(edit_keystore(f, "DELETE FROM record WHERE key = 'vault/identity'"), 1);
	assert_fails(vault_open(&f->paths, &vault, &f->err), COF_E_FORMAT);
}

static void test_vault_unlock_refuses_an_altered_identity(void **state)
{
	struct fixture *f = *state;

	make(f);
	/* Every byte after magic and version, one at a time, by XOR through a copy in hex. */
	for (int at = 7; at <= 98; at += 7) {
		_cleanup_(vault_closep) struct vault *vault = NULL;
		cof_result result = COF_OK;

		edit_keystore(f,
			      "DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT value FROM"
			      " record WHERE key = 'vault/identity';"
			      "UPDATE record SET value = CAST(substr(value, 1, %d) ||"
			      " CASE WHEN substr(value, %d, 1) = x'5a' THEN x'a5' ELSE x'5a' END"
			      " || substr(value, %d) AS BLOB) WHERE key = 'vault/identity'",
			      at - 1, at, at + 1);
		vault = fixture_open(f);
		result = fixture_try_unlock(f, vault, PASSPHRASE);
		assert_int_equal(result.code, COF_E_AUTH);
		edit_keystore(f, "UPDATE record SET value = (SELECT value FROM kept)"
				 " WHERE key = 'vault/identity'");
	}
}

/* A second vault, in another folder; its path, to be freed. */
static char *make_second(struct fixture *f, const char *passphrase)
{
	char *first = f->paths.vault_dir;
	char *second = NULL;

	assert_ok(path_format(&second, NULL, "%s/second", f->folder));
	f->paths.vault_dir = second;
	assert_ok(fixture_create(f, passphrase));
	f->paths.vault_dir = first;
	return second;
}

static void test_vault_unlock_refuses_another_vaults_header(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_free_ char *second = NULL;

	make(f);
	second = make_second(f, PASSPHRASE);
	fixture_command("cp '%s/root.luks' '%s/root.luks'", second, f->paths.vault_dir);
	vault = fixture_open(f);
	assert_fails(fixture_try_unlock(f, vault, PASSPHRASE), COF_E_AUTH);
	assert_non_null(strstr(f->err.headline, "does not belong to it"));
	assert_non_null(strstr(f->err.remedy, "restore"));
}

static void test_vault_unlock_refuses_another_vaults_header_with_this_ones_uuid(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_free_ char *second = NULL;

	make(f);
	second = make_second(f, PASSPHRASE);
	fixture_command("cryptsetup luksUUID -q --uuid $(cryptsetup luksUUID '%s/root.luks')"
			" '%s/root.luks' && cp '%s/root.luks' '%s/root.luks'",
			f->paths.vault_dir, second, second, f->paths.vault_dir);
	vault = fixture_open(f);
	assert_fails(fixture_try_unlock(f, vault, PASSPHRASE), COF_E_AUTH);
	assert_non_null(strstr(f->err.text, "identity"));
}

static void test_vault_unlock_refuses_another_vaults_keystore(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_free_ char *second = NULL;

	make(f);
	second = make_second(f, PASSPHRASE);
	fixture_command("cp '%s/vault.db' '%s/vault.db'", second, f->paths.vault_dir);
	vault = fixture_open(f);
	assert_fails(fixture_try_unlock(f, vault, PASSPHRASE), COF_E_AUTH);
}

/* Headers that cryptsetup made with other options, under the vault's UUID and, where the length is
 * right, with its very root key: what they are refused for is nothing but the option. */
static void test_vault_unlock_refuses_headers_with_other_keys_and_ciphers(void **state)
{
	static const struct {
		const char *options;
		const char *reason;
	} headers[] = {
		{ "--type luks2 --key-size 256", "volume key" },
		{ "--type luks2 --cipher aes-xts-plain --key-size 512 --volume-key-file ../key",
		  "segment" },
		{ "--type luks2 --key-size 512 --volume-key-file ../key --keyslot-cipher"
		  " aes-cbc-essiv:sha256 --keyslot-key-size 256",
		  "keyslot 0" },
		{ "--type luks1 --key-size 512 --volume-key-file ../key", "LUKS1" },
	};
	struct fixture *f = *state;

	make(f);
	fixture_command("cd '%s' && printf '%%s' '" PASSPHRASE "' | cryptsetup luksDump -q"
			" --dump-volume-key --volume-key-file ../key root.luks >../dump",
			f->paths.vault_dir);
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		_cleanup_(vault_closep) struct vault *vault = NULL;

		fixture_command("cd '%s' && uuid=$(cryptsetup luksUUID root.luks) &&"
				" truncate -s 20M other && printf '%%s' '" PASSPHRASE "' |"
				" cryptsetup luksFormat -q --uuid $uuid --pbkdf pbkdf2"
				" --pbkdf-force-iterations 1000 %s other - && mv other root.luks",
				f->paths.vault_dir, headers[i].options);
		vault = fixture_open(f);
		assert_fails(fixture_try_unlock(f, vault, PASSPHRASE), COF_E_AUTH);
		assert_non_null(strstr(f->err.text, headers[i].reason));
		assert_false(vault_is_unlocked(vault));
	}
}

/* Changes root.luks in place. */
static void poke(struct fixture *f, off_t at, uint8_t mask)
{
	char path[160];
	uint8_t byte = 0;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/root.luks", f->paths.vault_dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0 && pread(fd, &byte, 1, at) == 1);
	byte ^= mask;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	(void)close(fd);
}

/* Offsets of the binary header's fields: LUKS2 on-disk format 1.1.0, 2.1; then in the JSON. */
static const off_t header_fields[] = {
	0, 6, 8, 16, 24, 72, 104, 168, 208, 256, 448, 4096, 4200, 4500, 5000,
};

static void test_vault_unlock_yields_the_same_key_or_none_with_changed_header_bits(void **state)
{
	struct fixture *f = *state;
	const size_t count = sizeof(header_fields) / sizeof(header_fields[0]);
	long second;

	make(f);
	second = fixture_number("cryptsetup luksDump '%s/root.luks' | sed -n 's/Metadata area:"
				"[^0-9]*\\([0-9]*\\).*/\\1/p'",
				f->paths.vault_dir);
	fixture_command("cp '%s/root.luks' '%s/good'", f->paths.vault_dir, f->folder);
	/* In one copy alone libcryptsetup mends it; in both the header is damaged. */
	for (size_t i = 0; i < 2 * count; i++) {
		_cleanup_(vault_closep) struct vault *vault = NULL;
		cof_result result;

		fixture_command("cp '%s/good' '%s/root.luks'", f->folder, f->paths.vault_dir);
		poke(f, header_fields[i / 2], 1);
		if (i % 2 == 1)
			poke(f, header_fields[i / 2] + second, 1);
		result = vault_open(&f->paths, &vault, &f->err);
		if (!cof_failed(result))
			result = fixture_try_unlock(f, vault, PASSPHRASE);
		if (cof_failed(result)) {
			assert_true(result.code == COF_E_FORMAT || result.code == COF_E_AUTH ||
				    result.code == COF_E_KEY);
			continue;
		}
		fixture_expect(f, vault, "disk", "a", "two");
	}
}

static void test_vault_rebuild_header_restores_a_damaged_one(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct vault *damaged = NULL;

	make(f);
	fixture_command("dd if=/dev/urandom of='%s/root.luks' bs=1M count=1 conv=notrunc "
			"status=none",
			f->paths.vault_dir);
	assert_fails(vault_open(&f->paths, &damaged, &f->err), COF_E_FORMAT);
	assert_ok(vault_rebuild_header(&f->paths, &f->err));
	fixture_command("ls '%s' | grep -q '^root.luks.damaged-'", f->paths.vault_dir);
	vault = fixture_unlock(f);
	fixture_expect(f, vault, "disk", "a", "two");
	assert_ok(vault_check(vault, NULL, &f->err));
}

static void test_vault_rebuild_header_replaces_another_vaults(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_free_ char *second = NULL;

	make(f);
	second = make_second(f, PASSPHRASE);
	/* Its sequence number is higher than that of the copy. */
	fixture_command("for i in $(seq 20); do cryptsetup config --label l$i '%s/root.luks' ||"
			" exit 1; done && cp '%s/root.luks' '%s/root.luks'",
			second, second, f->paths.vault_dir);
	assert_ok(vault_rebuild_header(&f->paths, &f->err));
	vault = fixture_unlock(f);
	fixture_expect(f, vault, "disk", "a", "two");
}

static void test_vault_rebuild_header_restores_a_missing_one(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct vault *missing = NULL;

	make(f);
	fixture_command("rm '%s/root.luks'", f->paths.vault_dir);
	assert_fails(vault_open(&f->paths, &missing, &f->err), COF_E_FORMAT);
	assert_non_null(strstr(f->err.remedy, "restore --header-only"));
	assert_ok(vault_rebuild_header(&f->paths, &f->err));
	vault = fixture_unlock(f);
	fixture_expect(f, vault, "disk", "a", "two");
}

static void test_vault_rebuild_header_takes_a_mirrors_when_the_copy_is_bad(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;

	fixture_mirrors(f, 1);
	make(f);
	edit_keystore(f, "UPDATE record SET value = x'00' WHERE key = 'vault/header'");
	fixture_command("rm '%s/root.luks'", f->paths.vault_dir);
	assert_ok(vault_rebuild_header(&f->paths, &f->err));
	vault = fixture_unlock(f);
	fixture_expect(f, vault, "disk", "a", "two");
}

static void test_vault_rebuild_header_refuses_a_whole_one(void **state)
{
	struct fixture *f = *state;

	make(f);
	assert_fails(vault_rebuild_header(&f->paths, &f->err), COF_E_REFUSED);
}

static void test_vault_rebuild_header_reports_that_no_copy_is_whole(void **state)
{
	struct fixture *f = *state;

	make(f);
	edit_keystore(f, "DELETE FROM record WHERE key = 'vault/header'");
	fixture_command("rm '%s/root.luks'", f->paths.vault_dir);
	assert_fails(vault_rebuild_header(&f->paths, &f->err), COF_E_NOENT);
}

static void test_vault_open_keeps_a_new_header_that_it_does_not_know(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *second = NULL;
	struct vault *vault = NULL;

	make(f);
	second = make_second(f, PASSPHRASE);
	/* Both headers are strangers, of an epoch that the keystore is not in. */
	fixture_command("cryptsetup config -q --subsystem coffer-vault:9 '%s/root.luks' &&"
			" cp '%s/root.luks' '%s/root.luks.new' && cp '%s/root.luks' '%s/root.luks'",
			second, second, f->paths.vault_dir, second, f->paths.vault_dir);
	assert_fails(vault_open(&f->paths, &vault, &f->err), COF_E_FORMAT);
	fixture_command("test -e '%s/root.luks.new'", f->paths.vault_dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_vault_get_refuses_an_altered_row),
		FIXTURE_TEST(test_vault_get_refuses_a_row_copied_from_another),
		FIXTURE_TEST(test_vault_get_refuses_a_row_rolled_back_to_its_own_history),
		FIXTURE_TEST(test_vault_get_refuses_a_row_that_was_removed),
		FIXTURE_TEST(test_vault_each_refuses_when_a_row_was_removed),
		FIXTURE_TEST(test_vault_check_refuses_when_history_was_removed),
		FIXTURE_TEST(test_vault_get_refuses_a_row_under_a_new_name),
		FIXTURE_TEST(test_vault_get_refuses_a_missing_page_of_the_index),
		FIXTURE_TEST(test_vault_get_refuses_an_older_page_of_the_index),
		FIXTURE_TEST(test_vault_unlock_refuses_a_missing_manifest),
		FIXTURE_TEST(test_vault_open_refuses_a_missing_identity),
		FIXTURE_TEST(test_vault_unlock_refuses_an_altered_identity),
		FIXTURE_TEST(test_vault_unlock_refuses_another_vaults_header),
		FIXTURE_TEST(test_vault_unlock_refuses_another_vaults_header_with_this_ones_uuid),
		FIXTURE_TEST(test_vault_unlock_refuses_another_vaults_keystore),
		FIXTURE_TEST(test_vault_unlock_refuses_headers_with_other_keys_and_ciphers),
		FIXTURE_TEST(
			test_vault_unlock_yields_the_same_key_or_none_with_changed_header_bits),
		FIXTURE_TEST(test_vault_rebuild_header_restores_a_damaged_one),
		FIXTURE_TEST(test_vault_rebuild_header_replaces_another_vaults),
		FIXTURE_TEST(test_vault_rebuild_header_restores_a_missing_one),
		FIXTURE_TEST(test_vault_rebuild_header_takes_a_mirrors_when_the_copy_is_bad),
		FIXTURE_TEST(test_vault_rebuild_header_refuses_a_whole_one),
		FIXTURE_TEST(test_vault_rebuild_header_reports_that_no_copy_is_whole),
		FIXTURE_TEST(test_vault_open_keeps_a_new_header_that_it_does_not_know),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
