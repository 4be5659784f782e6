/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TESTS_VAULT_FIXTURE_H
#define COF_TESTS_VAULT_FIXTURE_H

/*
 * A vault in a folder of its own for each test, with cheap keyslots and two mirrors; and running a
 * step in a child that a fault point may kill.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"
#include "unit.h"

#define PASSPHRASE	 "correct horse"
#define OTHER_PASSPHRASE "battery staple"

struct fixture {
	char folder[64];
	char mirror_folder[2][96];
	char *mirrors[3];
	struct paths paths;
	struct cof_error err;
};

static inline void fixture_command(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline void fixture_command(const char *format, ...)
{
	char command[1024];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	assert_int_equal(system(command), 0);
}

/* The number that a command prints. */
static inline long fixture_number(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline long fixture_number(const char *format, ...)
{
	char command[1024];
	char line[64] = "";
	va_list arguments;
	FILE *pipe;

	va_start(arguments, format);
	(void)vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_non_null(fgets(line, sizeof(line), pipe));
	assert_int_equal(pclose(pipe), 0);
	return strtol(line, NULL, 10);
}

/* An empty folder; no vault yet and no mirror configured. */
static inline int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char vault[96];

	assert_non_null(f);
	(void)setenv("COFFER_TEST_COST", "cheap", 1);
	(void)snprintf(f->folder, sizeof(f->folder), "/tmp/coffer-vault-test-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	(void)snprintf(vault, sizeof(vault), "%s/vault", f->folder);
	for (int i = 0; i < 2; i++) {
		(void)snprintf(f->mirror_folder[i], sizeof(f->mirror_folder[i]), "%s/mirror%d",
			       f->folder, i);
		assert_int_equal(mkdir(f->mirror_folder[i], 0700), 0);
	}
	f->paths.vault_dir = strdup(vault);
	f->paths.mirrors = f->mirrors;
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++)
		(void)umount2(f->mirror_folder[i], MNT_DETACH);
	(void)umount2(f->paths.vault_dir, MNT_DETACH);
	fixture_command("rm -rf '%s'", f->folder);
	free(f->paths.vault_dir);
	free(f);
	return 0;
}

/* From now on the first @count mirrors are configured. */
static inline void fixture_mirrors(struct fixture *f, int count)
{
	for (int i = 0; i < 2; i++)
		f->mirrors[i] = i < count ? f->mirror_folder[i] : NULL;
}

static inline struct slot_secret *fixture_secret(const char *text)
{
	struct slot_secret *secret = NULL;

	assert_ok(slot_secret_copy(span_of_text(text), &secret, NULL));
	return secret;
}
#define _cleanup_slot_secret_ _cleanup_(slot_secret_freep)

static inline cof_result fixture_create(struct fixture *f, const char *passphrase)
{
	_cleanup_slot_secret_ struct slot_secret *secret = fixture_secret(passphrase);
	struct vault_new spec = { .passphrase = secret };

	return vault_create(&f->paths, &spec, &f->err);
}

static inline struct vault *fixture_open(struct fixture *f)
{
	struct vault *vault = NULL;

	if (cof_failed(vault_open(&f->paths, &vault, &f->err)))
		fail_msg("vault_open: %s: %s", f->err.subject, f->err.text);
	return vault;
}

static inline cof_result fixture_try_unlock(struct fixture *f, struct vault *vault,
					    const char *passphrase)
{
	_cleanup_slot_secret_ struct slot_secret *secret = fixture_secret(passphrase);

	return vault_unlock(vault, secret, NULL, &f->err);
}

static inline struct vault *fixture_unlock(struct fixture *f)
{
	struct vault *vault = fixture_open(f);

	if (cof_failed(fixture_try_unlock(f, vault, PASSPHRASE)))
		fail_msg("vault_unlock: %s: %s", f->err.subject, f->err.text);
	return vault;
}

/* Puts a record whose secret is @secret; its generation goes up when it is there. */
static inline cof_result fixture_put(struct fixture *f, struct vault *vault, const char *kind,
				     const char *name, const char *secret, bool keep_history)
{
	_cleanup_(record_freep) struct record *record = NULL;
	struct vault_write write = { .keep_history = keep_history };
	bool found;

	assert_ok(vault_get(vault, kind, name, &record, &found, &f->err));
	if (!found)
		assert_ok(record_new(kind, name, &record, &f->err));
	secret_free(TAKE(record->secret));
	assert_ok(secret_copy(span_of_text(secret), &record->secret, &f->err));
	json_set_text(record->meta, "note", "for the tests");
	write.record = record;
	return vault_commit(vault, &write, 1, &f->err);
}

/* The record is there with this secret. */
static inline void fixture_expect(struct fixture *f, struct vault *vault, const char *kind,
				  const char *name, const char *secret)
{
	_cleanup_(record_freep) struct record *record = NULL;
	bool found = false;

	if (cof_failed(vault_get(vault, kind, name, &record, &found, &f->err)))
		fail_msg("vault_get: %s: %s", f->err.subject, f->err.text);
	assert_true(found);
	assert_int_equal(record->secret->len, strlen(secret));
	assert_memory_equal(record->secret->data, secret, strlen(secret));
}

/* Runs @step in a child with COFFER_FAULT=@fault; true when the child came to its end. */
static inline bool fixture_child(struct fixture *f, const char *fault,
				 bool (*step)(struct fixture *f))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		if (fault)
			(void)setenv("COFFER_FAULT", fault, 1);
		_exit(step(f) ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGKILL);
		return false;
	}
	if (WEXITSTATUS(status) != 0)
		fail_msg("the step failed in the child (fault %s)", fault ? fault : "none");
	return true;
}

/* How many fault points are passed over for each that is tried: the share that the caller asks
 * for, and fewer where each child takes seconds, under valgrind. */
static inline int fixture_stride(void)
{
	const char *share = getenv("COFFER_CRASH_SHARE");
	const char *preloaded = getenv("LD_PRELOAD");
	int points = share ? (int)strtol(share, NULL, 10) : 1;

	if (points < 1)
		points = 1;
	return preloaded && strstr(preloaded, "vgpreload") ? 6 * points : points;
}

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

#endif
