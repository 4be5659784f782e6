/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The keystore engine for one machine: one SQLite file. Layout: doc/format-vault.md, section 2.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "fault.h"
#include "file.h"
#include "keystore.h"

#define APPLICATION_ID	  0x43464B53 /* "CFKS", in the database header: doc/format-vault.md, 2 */
#define BUSY_TIMEOUT_MS	  10000
#define WATCH_POLL_MS	  50
#define VALUE_LIMIT_BYTES ((int)(KEYSTORE_VALUE_MAX_BYTES + (1u << 20)))

struct keystore {
	sqlite3 *db;
	char *location;
};

/*
 * migrations[n] brings a database of schema n to schema n + 1; never change one that was released.
 * The records have row ids, because large values would make a tree by key very deep.
 */
static const char *const migrations[] = {
	"CREATE TABLE store (one INTEGER PRIMARY KEY CHECK (one = 1), revision INTEGER NOT NULL);"
	"INSERT INTO store VALUES (1, 0);"
	"CREATE TABLE record (key TEXT NOT NULL PRIMARY KEY, revision INTEGER NOT NULL,"
	" value BLOB NOT NULL);",
};

#define SCHEMA_VERSION ((int)(sizeof(migrations) / sizeof(migrations[0])))

static void statement_finalizep(sqlite3_stmt **statement)
{
	(void)sqlite3_finalize(*statement);
}
#define _cleanup_statement_ _cleanup_(statement_finalizep)

/* What a status of SQLite means for the callers. */
static enum cof_code code_of_status(sqlite3 *db, int status)
{
	int errno_value = db ? sqlite3_system_errno(db) : 0;

	switch (status & 0xff) {
	case SQLITE_FULL:
		return COF_E_NOSPC;
	case SQLITE_IOERR:
		return errno_value == ENOSPC || errno_value == EDQUOT ? COF_E_NOSPC : COF_E_IO;
	case SQLITE_CANTOPEN:
		return errno_value == ENOENT ? COF_E_NOENT : COF_E_IO;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return COF_E_IO;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return COF_E_BUSY;
	case SQLITE_NOMEM:
		return COF_E_NOMEM;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
	case SQLITE_TOOBIG:
	case SQLITE_ERROR: /* the tables are not those that were made: the statements are fixed */
		return COF_E_FORMAT;
	default:
		return COF_E_FAILED;
	}
}

/* Turns a status of SQLite into a result; @doing says what could not be done. */
static cof_result sqlite_result(const struct keystore *keystore, int status, const char *doing,
				struct cof_error *err)
{
	enum cof_code code = code_of_status(keystore->db, status);
	cof_result result;

	if (status == SQLITE_OK || status == SQLITE_ROW || status == SQLITE_DONE)
		return COF_OK;
	if (code == COF_E_NOSPC)
		return cof_raise_errno(err, ENOSPC, keystore->location,
				       "the keystore cannot be %s", doing);
	result = cof_raise(err, code, keystore->location,
			   "the keystore cannot be %s", doing);
	cof_error_cause(err, "%s", sqlite3_errmsg(keystore->db));
	return result;
}

/* Runs statements that answer nothing. */
static cof_result run(struct keystore *keystore, const char *sql, const char *doing,
		      struct cof_error *err)
{
	return sqlite_result(keystore, sqlite3_exec(keystore->db, sql, NULL, NULL, NULL), doing,
			     err);
}

static cof_result prepare(struct keystore *keystore, const char *sql, sqlite3_stmt **ret_statement,
			  struct cof_error *err)
{
	return sqlite_result(keystore,
			     sqlite3_prepare_v2(keystore->db, sql, -1, ret_statement, NULL), "read",
			     err);
}

/* Runs a statement to its next row; @ret_row is false at the end. */
static cof_result step(struct keystore *keystore, sqlite3_stmt *statement, const char *doing,
		       bool *ret_row, struct cof_error *err)
{
	int status = sqlite3_step(statement);

	TRY(sqlite_result(keystore, status, doing, err));
	*ret_row = status == SQLITE_ROW;
	return COF_OK;
}

/* The single number that a statement answers. */
static cof_result query_number(struct keystore *keystore, const char *sql, int64_t *ret_number,
			       struct cof_error *err)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	bool row;

	TRY(prepare(keystore, sql, &statement, err));
	TRY(step(keystore, statement, "read", &row, err));
	ENSURE(row, err, COF_E_FORMAT, keystore->location, "the keystore lacks its own row");
	*ret_number = sqlite3_column_int64(statement, 0);
	return COF_OK;
}

/* Undoes a transaction that was not committed: for _cleanup_. */
static void transaction_endp(sqlite3 **db)
{
	if (*db && !sqlite3_get_autocommit(*db))
		(void)sqlite3_exec(*db, "ROLLBACK", NULL, NULL, NULL);
}

/* Starts a transaction, which @ret_db ends. */
static cof_result transaction_begin(struct keystore *keystore, const char *sql, sqlite3 **ret_db,
				    struct cof_error *err)
{
	TRY(run(keystore, sql, "changed", err));
	*ret_db = keystore->db;
	return COF_OK;
}

static void sqlite_close(struct keystore *keystore)
{
	if (!keystore)
		return;
	(void)sqlite3_close(keystore->db);
	free(keystore->location);
	free(keystore);
}
DEFINE_FREEP(struct keystore, keystore_closep, sqlite_close)

/* Makes an empty file that only its owner reads; SQLite would make it by the umask. */
static cof_result make_file(const char *path, struct cof_error *err)
{
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 && errno == EEXIST)
		FAIL(err, COF_E_REFUSED, path, "exists already");
	if (fd < 0)
		return cof_raise_errno(err, errno, path, "cannot be made");
	return COF_OK;
}

/* Settings of a connection: what a crafted database could abuse is off, durability is on. */
static cof_result configure(struct keystore *keystore, struct cof_error *err)
{
	sqlite3 *db = keystore->db;

	(void)sqlite3_extended_result_codes(db, 1);
	(void)sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	(void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, VALUE_LIMIT_BYTES);
	TRY(run(keystore,
		"PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY;"
		"PRAGMA secure_delete=ON; PRAGMA synchronous=EXTRA; PRAGMA journal_mode=DELETE;",
		"opened", err));
	return COF_OK;
}

/* Brings an empty or older database to the newest schema, each step in its own transaction. */
static cof_result migrate(struct keystore *keystore, int from, struct cof_error *err)
{
	for (int version = from; version < SCHEMA_VERSION; version++) {
		_cleanup_(transaction_endp) sqlite3 *db = NULL;
		char numbers[128];

		(void)snprintf(numbers, sizeof(numbers),
			       "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT;",
			       APPLICATION_ID, version + 1);
		TRY(transaction_begin(keystore, "BEGIN EXCLUSIVE", &db, err));
		TRY(run(keystore, migrations[version], "changed", err));
		TRY(run(keystore, numbers, "changed", err));
	}
	return COF_OK;
}

/* Checks that the database is a keystore whose schema is known, or makes it one if it is empty. */
static cof_result check_schema(struct keystore *keystore, bool create, struct cof_error *err)
{
	int64_t application;
	int64_t version;
	int64_t objects;

	TRY(query_number(keystore, "PRAGMA application_id", &application, err));
	TRY(query_number(keystore, "PRAGMA user_version", &version, err));
	TRY(query_number(keystore, "SELECT count(*) FROM sqlite_schema", &objects, err));
	if (create && objects == 0 && application == 0 && version == 0)
		return migrate(keystore, 0, err);
	ENSURE(application == APPLICATION_ID, err, COF_E_FORMAT, keystore->location,
	       "is not a keystore: application id %08llx, not %08x",
	       (unsigned long long)application, APPLICATION_ID);
	ENSURE(version >= 1 && version <= SCHEMA_VERSION, err, COF_E_FORMAT, keystore->location,
	       "has schema %lld, known here are 1 to %d", (long long)version, SCHEMA_VERSION);
	return migrate(keystore, (int)version, err);
}

static cof_result sqlite_open(const char *location, bool create, struct keystore **ret_keystore,
			      struct cof_error *err)
{
	_cleanup_(keystore_closep) struct keystore *keystore = calloc(1, sizeof(*keystore));
	struct stat status;

	ENSURE(keystore, err, COF_E_NOMEM, location, "no memory for a keystore");
	TRY(path_format(&keystore->location, err, "%s", location));
	if (stat(location, &status) < 0) {
		if (errno != ENOENT || !create)
			return cof_raise_errno(err, errno, location, "cannot be opened");
		TRY(make_file(location, err));
	} else {
		ENSURE(S_ISREG(status.st_mode), err, COF_E_FORMAT, location,
		       "is not a regular file");
	}
	TRY(sqlite_result(keystore,
			  sqlite3_open_v2(location, &keystore->db,
					  SQLITE_OPEN_READWRITE | SQLITE_OPEN_PRIVATECACHE |
						  SQLITE_OPEN_FULLMUTEX,
					  NULL),
			  "opened", err));
	TRY(configure(keystore, err));
	TRY(check_schema(keystore, create, err));

	*ret_keystore = TAKE(keystore);
	return COF_OK;
}

/* Appends the value in a row's column and checks that it may be one. */
static cof_result column_value(struct keystore *keystore, sqlite3_stmt *statement, int column,
			       struct span *ret_value, struct cof_error *err)
{
	const void *data = sqlite3_column_blob(statement, column);
	int len = sqlite3_column_bytes(statement, column);

	ENSURE(data && len > 0 && (unsigned int)len <= KEYSTORE_VALUE_MAX_BYTES, err, COF_E_FORMAT,
	       keystore->location, "holds a value of %d bytes", len);
	*ret_value = SPAN(data, (size_t)len);
	return COF_OK;
}

static cof_result sqlite_get(struct keystore *keystore, const char *key, struct buffer *ret_value,
			     uint64_t *ret_revision, bool *ret_found, struct cof_error *err)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	struct span value;
	bool row;

	TRY(prepare(keystore, "SELECT value, revision FROM record WHERE key = ?1", &statement,
		    err));
	TRY(sqlite_result(keystore, sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC), "read",
			  err));
	TRY(step(keystore, statement, "read", &row, err));
	if (row) {
		TRY(column_value(keystore, statement, 0, &value, err));
		TRY(buffer_add(ret_value, value.data, value.len, err));
		if (ret_revision)
			*ret_revision = (uint64_t)sqlite3_column_int64(statement, 1);
	}
	*ret_found = row;
	return COF_OK;
}

/* The least key above all keys that start with @prefix, in @out; false when there is none. */
static bool prefix_end(const char *prefix, char out[static KEYSTORE_KEY_MAX_BYTES + 1])
{
	size_t len = strlen(prefix);

	memcpy(out, prefix, len + 1);
	while (len > 0 && (unsigned char)out[len - 1] == 0xff)
		out[--len] = '\0';
	if (len == 0)
		return false;
	out[len - 1]++;
	return true;
}

/* Hands the row that @statement is at to @visit. */
static cof_result visit_row(struct keystore *keystore, sqlite3_stmt *statement,
			    keystore_visit visit, void *context, struct cof_error *err)
{
	const char *key = (const char *)sqlite3_column_text(statement, 0);
	struct span value;

	ENSURE(key && strlen(key) == (size_t)sqlite3_column_bytes(statement, 0) && *key, err,
	       COF_E_FORMAT, keystore->location, "holds a key that is empty or has a NUL byte");
	TRY(column_value(keystore, statement, 1, &value, err));
	TRY(visit(key, value, (uint64_t)sqlite3_column_int64(statement, 2), context, err));
	return COF_OK;
}

static cof_result sqlite_walk(struct keystore *keystore, const char *prefix, keystore_visit visit,
			      void *context, struct cof_error *err)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	char end[KEYSTORE_KEY_MAX_BYTES + 1];
	bool bounded;
	bool row;

	ENSURE(strlen(prefix) <= KEYSTORE_KEY_MAX_BYTES, err, COF_E_USAGE, keystore->location,
	       "a prefix of %zu bytes is longer than any key", strlen(prefix));
	bounded = prefix_end(prefix, end);
	TRY(prepare(
		keystore,
		bounded ? "SELECT key, value, revision FROM record"
			  " WHERE key >= ?1 AND key < ?2 ORDER BY key"
			: "SELECT key, value, revision FROM record WHERE key >= ?1 ORDER BY key",
		&statement, err));
	TRY(sqlite_result(keystore, sqlite3_bind_text(statement, 1, prefix, -1, SQLITE_STATIC),
			  "read", err));
	if (bounded)
		TRY(sqlite_result(keystore, sqlite3_bind_text(statement, 2, end, -1, SQLITE_STATIC),
				  "read", err));
	TRY(step(keystore, statement, "read", &row, err));
	while (row) {
		TRY(visit_row(keystore, statement, visit, context, err));
		TRY(step(keystore, statement, "read", &row, err));
	}
	return COF_OK;
}

static cof_result sqlite_revision(struct keystore *keystore, uint64_t *ret_revision,
				  struct cof_error *err)
{
	int64_t revision;

	TRY(query_number(keystore, "SELECT revision FROM store WHERE one = 1", &revision, err));
	*ret_revision = (uint64_t)revision;
	return COF_OK;
}

/* Checks a change's own form, and that the record has the revision that it expects. */
static cof_result check_change(struct keystore *keystore, const struct keystore_change *change,
			       struct cof_error *err)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	size_t key_bytes = strlen(change->key);
	uint64_t stored = 0;
	bool row;

	ENSURE(key_bytes >= 1 && key_bytes <= KEYSTORE_KEY_MAX_BYTES, err, COF_E_USAGE,
	       keystore->location, "a key has %zu bytes, must have 1 to %d", key_bytes,
	       KEYSTORE_KEY_MAX_BYTES);
	ENSURE(change->value.len <= KEYSTORE_VALUE_MAX_BYTES, err, COF_E_USAGE, change->key,
	       "a value has %zu bytes, may have %u", change->value.len, KEYSTORE_VALUE_MAX_BYTES);
	if (change->expected_revision == KEYSTORE_ANY)
		return COF_OK;
	TRY(prepare(keystore, "SELECT revision FROM record WHERE key = ?1", &statement, err));
	TRY(sqlite_result(keystore, sqlite3_bind_text(statement, 1, change->key, -1, SQLITE_STATIC),
			  "read", err));
	TRY(step(keystore, statement, "read", &row, err));
	if (row)
		stored = (uint64_t)sqlite3_column_int64(statement, 0);
	ENSURE(stored == change->expected_revision, err, COF_E_CONFLICT, change->key,
	       "has revision %llu, expected was %llu", (unsigned long long)stored,
	       (unsigned long long)change->expected_revision);
	return COF_OK;
}

/* Writes or deletes one record within a transaction. */
static cof_result apply_change(struct keystore *keystore, const struct keystore_change *change,
			       uint64_t revision, struct cof_error *err)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	bool put = change->value.data;
	bool row;

	TRY(prepare(keystore,
		    put ? "INSERT INTO record (key, revision, value) VALUES (?1, ?2, ?3)"
			  " ON CONFLICT (key) DO UPDATE SET revision = ?2, value = ?3"
			: "DELETE FROM record WHERE key = ?1",
		    &statement, err));
	TRY(sqlite_result(keystore, sqlite3_bind_text(statement, 1, change->key, -1, SQLITE_STATIC),
			  "changed", err));
	if (put) {
		TRY(sqlite_result(keystore, sqlite3_bind_int64(statement, 2, (int64_t)revision),
				  "changed", err));
		TRY(sqlite_result(keystore,
				  sqlite3_bind_blob64(statement, 3, change->value.data,
						      change->value.len, SQLITE_STATIC),
				  "changed", err));
	}
	TRY(step(keystore, statement, "changed", &row, err));
	return COF_OK;
}

static cof_result sqlite_commit(struct keystore *keystore, const struct keystore_change changes[],
				size_t count, uint64_t *ret_revision, struct cof_error *err)
{
	_cleanup_(transaction_endp) sqlite3 *db = NULL;
	uint64_t revision;

	TRY(transaction_begin(keystore, "BEGIN IMMEDIATE", &db, err));
	TRY(sqlite_revision(keystore, &revision, err));
	revision++;
	for (size_t i = 0; i < count; i++) {
		TRY(check_change(keystore, &changes[i], err));
		TRY(apply_change(keystore, &changes[i], revision, err));
	}
	TRY(run(keystore, "UPDATE store SET revision = revision + 1 WHERE one = 1", "changed",
		err));
	TRY(fault_point("keystore/written", err));
	TRY(run(keystore, "COMMIT", "made durable", err));
	TRY(fault_point("keystore/committed", err));

	if (ret_revision)
		*ret_revision = revision;
	return COF_OK;
}

static cof_result sqlite_watch(struct keystore *keystore, uint64_t since, unsigned int timeout_ms,
			       uint64_t *ret_revision, struct cof_error *err)
{
	uint64_t deadline_ms = clock_ms() + timeout_ms;
	uint64_t revision;

	TRY(sqlite_revision(keystore, &revision, err));
	while (revision <= since && clock_ms() < deadline_ms) {
		(void)poll(NULL, 0, WATCH_POLL_MS);
		TRY(sqlite_revision(keystore, &revision, err));
	}
	*ret_revision = revision;
	return COF_OK;
}

static void sqlite_freep(unsigned char **bytes)
{
	sqlite3_free(*bytes);
}

/* The bytes of the file are written as any other file is: SQLite would open it by its name again,
 * and follow what somebody with access to its folder has put there meanwhile. */
static cof_result sqlite_snapshot(struct keystore *keystore, const char *path,
				  struct cof_error *err)
{
	_cleanup_(sqlite_freep) unsigned char *bytes = NULL;
	sqlite3_int64 size_bytes = 0;

	bytes = sqlite3_serialize(keystore->db, "main", &size_bytes, 0);
	ENSURE(bytes && size_bytes > 0, err, COF_E_IO, keystore->location, "cannot be copied: %s",
	       sqlite3_errmsg(keystore->db));
	return file_create(path, SPAN(bytes, (size_t)size_bytes), 0600, err);
}

static cof_result sqlite_check(struct keystore *keystore, struct cof_error *err)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	const char *found;
	bool row;

	TRY(prepare(keystore, "PRAGMA integrity_check(1)", &statement, err));
	TRY(step(keystore, statement, "checked", &row, err));
	found = row ? (const char *)sqlite3_column_text(statement, 0) : NULL;
	ENSURE(found && strcmp(found, "ok") == 0, err, COF_E_FORMAT, keystore->location,
	       "is damaged: %s", found ? found : "it answers nothing");
	return COF_OK;
}

const struct keystore_engine keystore_sqlite = {
	.name = "sqlite",
	.open = sqlite_open,
	.close = sqlite_close,
	.get = sqlite_get,
	.walk = sqlite_walk,
	.commit = sqlite_commit,
	.revision = sqlite_revision,
	.watch = sqlite_watch,
	.snapshot = sqlite_snapshot,
	.check = sqlite_check,
};
