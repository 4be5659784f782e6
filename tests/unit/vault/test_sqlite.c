/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The SQLite engine against what keystore.h promises.
 */

#include <sqlite3.h>

#include "fixture.h"

struct engine_fixture {
	char folder[64];
	char path[96];
	struct keystore *keystore;
	struct cof_error err;
};

static const struct keystore_engine *const engine = &keystore_sqlite;

static int engine_setup(void **state)
{
	struct engine_fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	(void)snprintf(f->folder, sizeof(f->folder), "/tmp/coffer-keystore-test-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	(void)snprintf(f->path, sizeof(f->path), "%s/vault.db", f->folder);
	assert_ok(engine->open(f->path, true, &f->keystore, &f->err));
	*state = f;
	return 0;
}

static int engine_teardown(void **state)
{
	struct engine_fixture *f = *state;

	engine->close(f->keystore);
	fixture_command("rm -rf '%s'", f->folder);
	free(f);
	return 0;
}

#define ENGINE_TEST(name) cmocka_unit_test_setup_teardown(name, engine_setup, engine_teardown)

static cof_result put(struct engine_fixture *f, const char *key, const char *value,
		      uint64_t expected, uint64_t *ret_revision)
{
	struct keystore_change change = { key, span_of_text(value), expected };

	return engine->commit(f->keystore, &change, 1, ret_revision, &f->err);
}

static void expect(struct engine_fixture *f, const char *key, const char *value)
{
	_cleanup_buffer_ struct buffer got = { 0 };
	uint64_t revision;
	bool found;

	assert_ok(engine->get(f->keystore, key, &got, &revision, &found, &f->err));
	assert_int_equal(found, value != NULL);
	if (!value)
		return;
	assert_int_equal(got.len, strlen(value));
	assert_memory_equal(got.data, value, got.len);
}

/* Changes the closed database file behind the engine's back and opens it again. */
static void edit(struct engine_fixture *f, const char *sql)
{
	sqlite3 *db = NULL;

	engine->close(TAKE(f->keystore));
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static cof_result reopen(struct engine_fixture *f)
{
	engine->close(TAKE(f->keystore));
	return engine->open(f->path, false, &f->keystore, &f->err);
}

static void test_sqlite_open_without_create_reports_missing(void **state)
{
	struct engine_fixture *f = *state;
	struct keystore *none = NULL;

	strcat(f->path, ".other");
	assert_fails(engine->open(f->path, false, &none, &f->err), COF_E_NOENT);
	assert_null(none);
}

static void test_sqlite_open_makes_a_file_for_its_owner_alone(void **state)
{
	struct engine_fixture *f = *state;
	struct stat status;

	assert_int_equal(stat(f->path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
}

static void test_sqlite_open_refuses_a_folder(void **state)
{
	struct engine_fixture *f = *state;
	struct keystore *none = NULL;

	assert_fails(engine->open(f->folder, false, &none, &f->err), COF_E_FORMAT);
}

static void test_sqlite_open_refuses_what_is_no_database(void **state)
{
	struct engine_fixture *f = *state;

	engine->close(TAKE(f->keystore));
	fixture_command("printf 'this is a text that is not a database at all' > '%s'", f->path);
	assert_fails(reopen(f), COF_E_FORMAT);
}

static void test_sqlite_open_refuses_an_empty_file(void **state)
{
	struct engine_fixture *f = *state;

	engine->close(TAKE(f->keystore));
	fixture_command(": > '%s'", f->path);
	assert_fails(reopen(f), COF_E_FORMAT);
}

static void test_sqlite_open_refuses_a_database_of_another_program(void **state)
{
	struct engine_fixture *f = *state;

	edit(f, "PRAGMA application_id=1");
	assert_fails(reopen(f), COF_E_FORMAT);
}

static void test_sqlite_open_refuses_a_newer_schema(void **state)
{
	struct engine_fixture *f = *state;

	edit(f, "PRAGMA user_version=99");
	assert_fails(reopen(f), COF_E_FORMAT);
	assert_non_null(strstr(f->err.text, "99"));
}

static void test_sqlite_open_refuses_a_truncated_database(void **state)
{
	struct engine_fixture *f = *state;
	_cleanup_free_ char *large = malloc(200001);

	memset(large, 'x', 200000);
	large[200000] = '\0';
	assert_ok(put(f, "a/b", large, 0, NULL));
	assert_int_equal(truncate(f->path, 8192), 0);
	assert_fails(reopen(f), COF_E_FORMAT);
}

static void test_sqlite_commit_refuses_to_read_a_table_that_is_gone(void **state)
{
	struct engine_fixture *f = *state;
	struct buffer value = { 0 };
	uint64_t revision;
	bool found;

	edit(f, "DROP TABLE record");
	assert_ok(reopen(f));
	assert_fails(engine->get(f->keystore, "a", &value, &revision, &found, &f->err),
		     COF_E_FORMAT);
}

static void test_sqlite_get_reads_what_commit_wrote(void **state)
{
	struct engine_fixture *f = *state;

	assert_ok(put(f, "disk/a", "one", 0, NULL));
	assert_ok(reopen(f));
	expect(f, "disk/a", "one");
}

static void test_sqlite_get_answers_not_found(void **state)
{
	expect(*state, "disk/none", NULL);
}

static void test_sqlite_get_refuses_an_empty_value(void **state)
{
	struct engine_fixture *f = *state;
	struct buffer value = { 0 };
	uint64_t revision;
	bool found;

	edit(f, "INSERT INTO record VALUES ('a/b', 1, x'')");
	assert_ok(reopen(f));
	assert_fails(engine->get(f->keystore, "a/b", &value, &revision, &found, &f->err),
		     COF_E_FORMAT);
}

static void test_sqlite_commit_refuses_a_record_that_is_there(void **state)
{
	struct engine_fixture *f = *state;

	assert_ok(put(f, "disk/a", "one", 0, NULL));
	assert_fails(put(f, "disk/a", "two", 0, NULL), COF_E_CONFLICT);
	assert_string_equal(f->err.subject, "disk/a");
	expect(f, "disk/a", "one");
}

static void test_sqlite_commit_refuses_a_stale_revision(void **state)
{
	struct engine_fixture *f = *state;
	uint64_t first;

	assert_ok(put(f, "disk/a", "one", 0, &first));
	assert_ok(put(f, "disk/a", "two", first, NULL));
	assert_fails(put(f, "disk/a", "three", first, NULL), COF_E_CONFLICT);
	expect(f, "disk/a", "two");
}

static void test_sqlite_commit_writes_any_revision(void **state)
{
	struct engine_fixture *f = *state;

	assert_ok(put(f, "disk/a", "one", KEYSTORE_ANY, NULL));
	assert_ok(put(f, "disk/a", "two", KEYSTORE_ANY, NULL));
	expect(f, "disk/a", "two");
}

static void test_sqlite_commit_is_all_or_nothing(void **state)
{
	struct engine_fixture *f = *state;
	struct keystore_change changes[] = {
		{ "disk/a", span_of_text("new"), 0 },
		{ "disk/b", span_of_text("new"), 0 },
	};

	assert_ok(put(f, "disk/b", "old", 0, NULL));
	assert_fails(engine->commit(f->keystore, changes, 2, NULL, &f->err), COF_E_CONFLICT);
	expect(f, "disk/a", NULL);
	expect(f, "disk/b", "old");
}

static void test_sqlite_commit_deletes(void **state)
{
	struct engine_fixture *f = *state;
	struct keystore_change change = { "disk/a", { NULL, 0 }, 0 };

	assert_ok(put(f, "disk/a", "one", 0, &change.expected_revision));
	assert_ok(engine->commit(f->keystore, &change, 1, NULL, &f->err));
	expect(f, "disk/a", NULL);
}

static void test_sqlite_commit_leaves_nothing_of_a_deleted_value(void **state)
{
	struct engine_fixture *f = *state;
	struct keystore_change change = { "disk/a", { NULL, 0 }, KEYSTORE_ANY };

	assert_ok(put(f, "disk/a", "remarkable-text", 0, NULL));
	assert_ok(engine->commit(f->keystore, &change, 1, NULL, &f->err));
	engine->close(TAKE(f->keystore));
	fixture_command("! grep -q remarkable-text '%s'", f->path);
}

static void test_sqlite_commit_refuses_an_empty_key(void **state)
{
	assert_fails(put(*state, "", "one", 0, NULL), COF_E_USAGE);
}

static void test_sqlite_commit_refuses_a_key_that_is_too_long(void **state)
{
	char key[KEYSTORE_KEY_MAX_BYTES + 2];

	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	assert_fails(put(*state, key, "one", 0, NULL), COF_E_USAGE);
}

static void test_sqlite_commit_refuses_a_value_that_is_too_large(void **state)
{
	struct engine_fixture *f = *state;
	struct keystore_change change = { "a",
					  { (const uint8_t *)"x", KEYSTORE_VALUE_MAX_BYTES + 1 },
					  0 };

	assert_fails(engine->commit(f->keystore, &change, 1, NULL, &f->err), COF_E_USAGE);
}

static void test_sqlite_commit_raises_the_revision(void **state)
{
	struct engine_fixture *f = *state;
	uint64_t first;
	uint64_t second;
	uint64_t now;

	assert_ok(put(f, "a", "1", 0, &first));
	assert_ok(put(f, "b", "1", 0, &second));
	assert_true(second > first);
	assert_ok(engine->revision(f->keystore, &now, &f->err));
	assert_int_equal(now, second);
}

struct walked {
	char text[256];
};

static cof_result note(const char *key, struct span value, uint64_t revision, void *context,
		       struct cof_error *err)
{
	struct walked *walked = context;

	strcat(walked->text, key);
	strcat(walked->text, " ");
	return COF_OK;
}

static void test_sqlite_walk_visits_a_prefix_in_order(void **state)
{
	struct engine_fixture *f = *state;
	struct walked walked = { "" };

	assert_ok(put(f, "disk/b", "1", 0, NULL));
	assert_ok(put(f, "disk/a", "1", 0, NULL));
	assert_ok(put(f, "disk-header/a", "1", 0, NULL));
	assert_ok(put(f, "disk0", "1", 0, NULL));
	assert_ok(engine->walk(f->keystore, "disk/", note, &walked, &f->err));
	assert_string_equal(walked.text, "disk/a disk/b ");
}

static void test_sqlite_walk_of_nothing_visits_all(void **state)
{
	struct engine_fixture *f = *state;
	struct walked walked = { "" };

	assert_ok(put(f, "b", "1", 0, NULL));
	assert_ok(put(f, "\xc3\xa4", "1", 0, NULL));
	assert_ok(engine->walk(f->keystore, "", note, &walked, &f->err));
	assert_string_equal(walked.text, "b \xc3\xa4 ");
}

static void test_sqlite_walk_refuses_a_prefix_longer_than_a_key(void **state)
{
	struct engine_fixture *f = *state;
	char prefix[KEYSTORE_KEY_MAX_BYTES + 2];

	memset(prefix, 'k', sizeof(prefix) - 1);
	prefix[sizeof(prefix) - 1] = '\0';
	assert_fails(engine->walk(f->keystore, prefix, note, NULL, &f->err), COF_E_USAGE);
}

static void test_sqlite_walk_refuses_a_key_with_a_nul(void **state)
{
	struct engine_fixture *f = *state;
	struct walked walked = { "" };

	edit(f, "INSERT INTO record VALUES (CAST(x'610062' AS TEXT), 1, x'31')");
	assert_ok(reopen(f));
	assert_fails(engine->walk(f->keystore, "a", note, &walked, &f->err), COF_E_FORMAT);
}

static cof_result stop(const char *key, struct span value, uint64_t revision, void *context,
		       struct cof_error *err)
{
	FAIL(err, COF_E_BUSY, key, "enough");
}

static void test_sqlite_walk_passes_up_the_visitors_failure(void **state)
{
	struct engine_fixture *f = *state;

	assert_ok(put(f, "a", "1", 0, NULL));
	assert_fails(engine->walk(f->keystore, "", stop, NULL, &f->err), COF_E_BUSY);
}

static void test_sqlite_watch_returns_after_its_time(void **state)
{
	struct engine_fixture *f = *state;
	uint64_t revision;
	uint64_t since;

	assert_ok(engine->revision(f->keystore, &since, &f->err));
	assert_ok(engine->watch(f->keystore, since, 60, &revision, &f->err));
	assert_int_equal(revision, since);
}

static void test_sqlite_watch_sees_another_processs_commit(void **state)
{
	struct engine_fixture *f = *state;
	uint64_t revision;
	uint64_t since;
	pid_t child;

	assert_ok(engine->revision(f->keystore, &since, &f->err));
	child = fork();
	if (child == 0) {
		struct keystore *other = NULL;
		struct keystore_change change = { "a", span_of_text("1"), 0 };

		if (cof_failed(engine->open(f->path, false, &other, NULL)) ||
		    cof_failed(engine->commit(other, &change, 1, NULL, NULL)))
			_exit(1);
		_exit(0);
	}
	assert_ok(engine->watch(f->keystore, since, 20000, &revision, &f->err));
	assert_true(revision > since);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void test_sqlite_snapshot_is_a_whole_keystore(void **state)
{
	struct engine_fixture *f = *state;
	char copy[128];

	(void)snprintf(copy, sizeof(copy), "%s/copy.db", f->folder);
	assert_ok(put(f, "disk/a", "one", 0, NULL));
	assert_ok(engine->snapshot(f->keystore, copy, &f->err));
	engine->close(TAKE(f->keystore));
	assert_ok(engine->open(copy, false, &f->keystore, &f->err));
	expect(f, "disk/a", "one");
	assert_ok(engine->check(f->keystore, &f->err));
}

static void test_sqlite_snapshot_refuses_a_file_that_is_there(void **state)
{
	struct engine_fixture *f = *state;

	assert_fails(engine->snapshot(f->keystore, f->path, &f->err), COF_E_REFUSED);
}

static void test_sqlite_check_finds_damage(void **state)
{
	struct engine_fixture *f = *state;
	char key[32];

	for (int i = 0; i < 400; i++) {
		(void)snprintf(key, sizeof(key), "disk/%04d", i);
		assert_ok(put(f, key, "a value of some length, so that there are several pages", 0,
			      NULL));
	}
	engine->close(TAKE(f->keystore));
	fixture_command("dd if=/dev/urandom of='%s' bs=1 seek=%d count=600 conv=notrunc "
			"status=none",
			f->path, 5 * 4096 + 100);
	if (cof_failed(engine->open(f->path, false, &f->keystore, &f->err)))
		fail_msg("the damage is not where this test wants it");
	assert_fails(engine->check(f->keystore, &f->err), COF_E_FORMAT);
}

/* Writes half a transaction into the file itself, journal beside it, and dies. */
static void die_in_a_transaction(const char *path)
{
	sqlite3 *db = NULL;

	if (sqlite3_open(path, &db) == SQLITE_OK &&
	    sqlite3_exec(db,
			 "PRAGMA cache_size=1; PRAGMA cache_spill=1; BEGIN IMMEDIATE;"
			 "UPDATE record SET value = zeroblob(300000);",
			 NULL, NULL, NULL) == SQLITE_OK)
		(void)raise(SIGKILL);
	_exit(1);
}

static void test_sqlite_open_undoes_a_transaction_that_was_cut_off(void **state)
{
	struct engine_fixture *f = *state;
	struct stat before;
	struct stat after;
	char journal[128];
	pid_t child;
	int status;

	(void)snprintf(journal, sizeof(journal), "%s-journal", f->path);
	assert_ok(put(f, "disk/a", "one", 0, NULL));
	engine->close(TAKE(f->keystore));
	assert_int_equal(stat(f->path, &before), 0);
	child = fork();
	if (child == 0)
		die_in_a_transaction(f->path);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	/* The test is worth something only if the file did change and the journal is there. */
	assert_int_equal(stat(f->path, &after), 0);
	assert_true(after.st_size != before.st_size && access(journal, F_OK) == 0);
	assert_ok(engine->open(f->path, false, &f->keystore, &f->err));
	expect(f, "disk/a", "one");
}

static void test_sqlite_commit_reports_a_full_disk(void **state)
{
	struct engine_fixture *f = *state;
	_cleanup_free_ char *large = malloc((1u << 20) + 1);

	memset(large, 'x', 1u << 20);
	large[1u << 20] = '\0';
	engine->close(TAKE(f->keystore));
	fixture_command("mount -t tmpfs -o size=256k none '%s'", f->folder);
	assert_ok(engine->open(f->path, true, &f->keystore, &f->err));
	assert_ok(put(f, "a", "small", 0, NULL));
	assert_fails(put(f, "b", large, 0, NULL), COF_E_NOSPC);
	expect(f, "a", "small");
	expect(f, "b", NULL);
	engine->close(TAKE(f->keystore));
	assert_int_equal(umount(f->folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENGINE_TEST(test_sqlite_open_without_create_reports_missing),
		ENGINE_TEST(test_sqlite_open_makes_a_file_for_its_owner_alone),
		ENGINE_TEST(test_sqlite_open_refuses_a_folder),
		ENGINE_TEST(test_sqlite_open_refuses_what_is_no_database),
		ENGINE_TEST(test_sqlite_open_refuses_an_empty_file),
		ENGINE_TEST(test_sqlite_open_refuses_a_database_of_another_program),
		ENGINE_TEST(test_sqlite_open_refuses_a_newer_schema),
		ENGINE_TEST(test_sqlite_open_refuses_a_truncated_database),
		ENGINE_TEST(test_sqlite_commit_refuses_to_read_a_table_that_is_gone),
		ENGINE_TEST(test_sqlite_get_reads_what_commit_wrote),
		ENGINE_TEST(test_sqlite_get_answers_not_found),
		ENGINE_TEST(test_sqlite_get_refuses_an_empty_value),
		ENGINE_TEST(test_sqlite_commit_refuses_a_record_that_is_there),
		ENGINE_TEST(test_sqlite_commit_refuses_a_stale_revision),
		ENGINE_TEST(test_sqlite_commit_writes_any_revision),
		ENGINE_TEST(test_sqlite_commit_is_all_or_nothing),
		ENGINE_TEST(test_sqlite_commit_deletes),
		ENGINE_TEST(test_sqlite_commit_leaves_nothing_of_a_deleted_value),
		ENGINE_TEST(test_sqlite_commit_refuses_an_empty_key),
		ENGINE_TEST(test_sqlite_commit_refuses_a_key_that_is_too_long),
		ENGINE_TEST(test_sqlite_commit_refuses_a_value_that_is_too_large),
		ENGINE_TEST(test_sqlite_commit_raises_the_revision),
		ENGINE_TEST(test_sqlite_walk_visits_a_prefix_in_order),
		ENGINE_TEST(test_sqlite_walk_of_nothing_visits_all),
		ENGINE_TEST(test_sqlite_walk_refuses_a_prefix_longer_than_a_key),
		ENGINE_TEST(test_sqlite_walk_refuses_a_key_with_a_nul),
		ENGINE_TEST(test_sqlite_walk_passes_up_the_visitors_failure),
		ENGINE_TEST(test_sqlite_watch_returns_after_its_time),
		ENGINE_TEST(test_sqlite_watch_sees_another_processs_commit),
		ENGINE_TEST(test_sqlite_snapshot_is_a_whole_keystore),
		ENGINE_TEST(test_sqlite_snapshot_refuses_a_file_that_is_there),
		ENGINE_TEST(test_sqlite_check_finds_damage),
		ENGINE_TEST(test_sqlite_open_undoes_a_transaction_that_was_cut_off),
		ENGINE_TEST(test_sqlite_commit_reports_a_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
