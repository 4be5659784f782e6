/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "file.h"
#include "tabfile.h"

/* struct place - a folder of the test with a crypttab in it */
struct place {
	char folder[64];
	char path[96];
};

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	(void)snprintf(place->folder, sizeof(place->folder), "/tmp/coffer-test-XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	(void)snprintf(place->path, sizeof(place->path), "%s/crypttab", place->folder);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;
	const char *const argv[] = { "rm", "-r", place->folder, NULL };

	assert_ok(child_check(argv, 10000, NULL));
	free(place);
	return 0;
}

static void put(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
}

static void check_file(const char *path, const char *expected)
{
	_cleanup_buffer_ struct buffer text = { 0 };

	assert_ok(file_read(path, 1u << 20, &text, NULL));
	assert_string_equal((char *)text.data, expected);
}

/* How many names in the folder start so; the last one, in no order, goes to @last. */
static size_t count_names(const char *folder, const char *prefix, char *last, size_t last_room)
{
	_cleanup_dir_ DIR *dir = opendir(folder);
	const struct dirent *entry;
	size_t count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		if (last)
			(void)snprintf(last, last_room, "%s/%s", folder, entry->d_name);
		count++;
	}
	return count;
}

static char new_name[] = "n";

/* A change that sets the line for the name that is its context. */
static cof_result add_name(struct crypttab *table, void *context, struct cof_error *err)
{
	return crypttab_set(table, context, "/dev/x", "k", "luks", err);
}

static cof_result change_nothing(struct crypttab *table, void *context, struct cof_error *err)
{
	return COF_OK;
}

static cof_result add_then_fail(struct crypttab *table, void *context, struct cof_error *err)
{
	TRY(add_name(table, context, err));
	FAIL(err, COF_E_REFUSED, "test", "the change failed");
}

static void test_crypttab_edit_missing_file_is_made_with_mode_0600(void **state)
{
	const struct place *place = *state;
	struct stat st;

	assert_ok(crypttab_edit(place->path, add_name, new_name, NULL));
	check_file(place->path, "n /dev/x k luks\n");
	assert_int_equal(stat(place->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(count_names(place->folder, "crypttab.coffer-", NULL, 0), 0);
}

static void test_crypttab_edit_keeps_the_mode_and_owner(void **state)
{
	const struct place *place = *state;
	struct stat st;

	put(place->path, "a b\n", 0640);
	if (geteuid() == 0)
		assert_int_equal(chown(place->path, 12, 34), 0);
	assert_ok(crypttab_edit(place->path, add_name, new_name, NULL));
	assert_int_equal(stat(place->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	if (geteuid() == 0) {
		assert_int_equal(st.st_uid, 12);
		assert_int_equal(st.st_gid, 34);
	}
}

static void test_crypttab_edit_keeps_a_copy_of_the_version_before(void **state)
{
	const struct place *place = *state;
	char copy[512];
	struct stat st;

	put(place->path, "a b\n# no end", 0640);
	assert_ok(crypttab_edit(place->path, add_name, new_name, NULL));
	check_file(place->path, "a b\n# no end\nn /dev/x k luks\n");
	assert_int_equal(count_names(place->folder, "crypttab.coffer-", copy, sizeof(copy)), 1);
	check_file(copy, "a b\n# no end");
	assert_int_equal(stat(copy, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
}

static void test_crypttab_edit_without_a_change_does_not_write(void **state)
{
	const struct place *place = *state;
	struct stat before;
	struct stat after;

	put(place->path, "n /dev/x   k\tluks", 0600);
	assert_int_equal(stat(place->path, &before), 0);
	assert_ok(crypttab_edit(place->path, change_nothing, NULL, NULL));
	assert_ok(crypttab_edit(place->path, add_name, new_name, NULL));
	assert_int_equal(stat(place->path, &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
	assert_int_equal(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
	assert_int_equal(count_names(place->folder, "crypttab.coffer-", NULL, 0), 0);
}

static void test_crypttab_edit_without_a_change_makes_no_file(void **state)
{
	const struct place *place = *state;

	assert_ok(crypttab_edit(place->path, change_nothing, NULL, NULL));
	assert_false(path_exists(place->path));
}

static void test_crypttab_edit_keeps_the_last_five_copies(void **state)
{
	const struct place *place = *state;
	char copy[160];

	put(place->path, "a b\n", 0600);
	for (int year = 2001; year <= 2008; year++) {
		(void)snprintf(copy, sizeof(copy), "%s.coffer-%d-01-01T00:00:00Z", place->path,
			       year);
		put(copy, "old\n", 0600);
	}
	assert_ok(crypttab_edit(place->path, add_name, new_name, NULL));
	assert_int_equal(count_names(place->folder, "crypttab.coffer-", NULL, 0), 5);
	assert_true(path_exists(copy));
	(void)snprintf(copy, sizeof(copy), "%s.coffer-2004-01-01T00:00:00Z", place->path);
	assert_false(path_exists(copy));
}

static void test_crypttab_edit_keeps_its_copy_when_the_clock_ran_backwards(void **state)
{
	const struct place *place = *state;
	char copy[160];
	char made[512] = "";

	put(place->path, "a b\n", 0600);
	for (int year = 2901; year <= 2906; year++) {
		(void)snprintf(copy, sizeof(copy), "%s.coffer-%d-01-01T00:00:00Z", place->path,
			       year);
		put(copy, "future\n", 0600);
	}
	assert_ok(crypttab_edit(place->path, add_name, new_name, NULL));
	assert_int_equal(count_names(place->folder, "crypttab.coffer-20", made, sizeof(made)), 1);
	check_file(made, "a b\n");
}

static void test_crypttab_edit_follows_a_symbolic_link(void **state)
{
	const struct place *place = *state;
	char folder[160];
	char real[200];
	struct stat st;

	(void)snprintf(folder, sizeof(folder), "%s/elsewhere", place->folder);
	(void)snprintf(real, sizeof(real), "%s/real", folder);
	assert_int_equal(mkdir(folder, 0700), 0);
	put(real, "a b\n", 0600);
	assert_int_equal(symlink("elsewhere/real", place->path), 0);
	assert_ok(crypttab_edit(place->path, add_name, new_name, NULL));
	assert_int_equal(lstat(place->path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	check_file(real, "a b\nn /dev/x k luks\n");
	/* Copy and lock belong to the file, so that editors by either name see each other. */
	assert_int_equal(count_names(folder, "real.coffer-", NULL, 0), 1);
	assert_int_equal(count_names(folder, ".real.lock", NULL, 0), 1);
}

static void test_crypttab_edit_failing_change_leaves_the_file(void **state)
{
	const struct place *place = *state;

	put(place->path, "a b", 0600);
	assert_fails(crypttab_edit(place->path, add_then_fail, new_name, NULL), COF_E_REFUSED);
	check_file(place->path, "a b");
}

static void test_crypttab_edit_refuses_a_file_with_a_nul_byte(void **state)
{
	const struct place *place = *state;
	struct cof_error error = { 0 };
	int fd = open(place->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, "a b\0\n", 5), 5);
	(void)close(fd);
	assert_fails(crypttab_edit(place->path, add_name, new_name, &error), COF_E_FORMAT);
	assert_non_null(strstr(error.headline, place->path));
}

static void test_crypttab_edit_without_its_folder_is_not_found(void **state)
{
	const struct place *place = *state;
	char path[160];

	(void)snprintf(path, sizeof(path), "%s/none/crypttab", place->folder);
	assert_fails(crypttab_edit(path, add_name, new_name, NULL), COF_E_NOENT);
}

static void test_crypttab_edit_held_lock_is_busy(void **state)
{
	const struct place *place = *state;
	char lock[160];
	int fd;

	(void)snprintf(lock, sizeof(lock), "%s/.crypttab.lock", place->folder);
	fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	put(place->path, "a b\n", 0600);
	assert_fails(crypttab_edit(place->path, add_name, new_name, NULL), COF_E_BUSY);
	check_file(place->path, "a b\n");
	(void)close(fd);
}

static void test_crypttab_edit_from_many_processes_loses_no_line(void **state)
{
	const struct place *place = *state;
	_cleanup_(crypttab_freep) struct crypttab *table = NULL;
	struct crypttab_entry entry;
	char name[16];
	int status;

	for (int i = 0; i < 8; i++) {
		(void)snprintf(name, sizeof(name), "n%d", i);
		if (fork() == 0)
			_exit(cof_failed(crypttab_edit(place->path, add_name, name, NULL)));
	}
	while (wait(&status) > 0)
		assert_int_equal(status, 0);
	assert_ok(crypttab_load(place->path, &table, NULL));
	for (int i = 0; i < 8; i++) {
		(void)snprintf(name, sizeof(name), "n%d", i);
		assert_true(crypttab_find(table, name, &entry));
	}
}

#ifdef COF_FAULTS
static void test_crypttab_edit_killed_at_any_point_converges(void **state)
{
	static const char *const points[] = { "kill:crypttab/copied", "kill:crypttab/replaced" };
	const struct place *place = *state;
	int status;

	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		put(place->path, "a b", 0600);
		if (fork() == 0) {
			(void)setenv("COFFER_FAULT", points[i], 1);
			_exit(cof_failed(crypttab_edit(place->path, add_name, new_name, NULL)));
		}
		assert_true(wait(&status) > 0 && WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGKILL);
		check_file(place->path, i == 0 ? "a b" : "a b\nn /dev/x k luks\n");
		assert_ok(crypttab_edit(place->path, add_name, new_name, NULL));
		check_file(place->path, "a b\nn /dev/x k luks\n");
		/* The next round's copy would have this one's name within the same second. */
		char copy[512];

		while (count_names(place->folder, "crypttab.coffer-", copy, sizeof(copy)) > 0)
			assert_int_equal(unlink(copy), 0);
	}
}
#endif

static void test_crypttab_load_missing_file_is_empty(void **state)
{
	const struct place *place = *state;
	_cleanup_(crypttab_freep) struct crypttab *table = NULL;
	struct crypttab_entry entry;

	assert_ok(crypttab_load(place->path, &table, NULL));
	assert_false(crypttab_at(table, 0, &entry));
}

static void test_crypttab_load_folder_is_a_failure(void **state)
{
	const struct place *place = *state;
	struct crypttab *table = NULL;

	assert_fails(crypttab_load(place->folder, &table, NULL), COF_E_IO);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_crypttab_edit_missing_file_is_made_with_mode_0600),
		TEST(test_crypttab_edit_keeps_the_mode_and_owner),
		TEST(test_crypttab_edit_keeps_a_copy_of_the_version_before),
		TEST(test_crypttab_edit_without_a_change_does_not_write),
		TEST(test_crypttab_edit_without_a_change_makes_no_file),
		TEST(test_crypttab_edit_keeps_the_last_five_copies),
		TEST(test_crypttab_edit_keeps_its_copy_when_the_clock_ran_backwards),
		TEST(test_crypttab_edit_follows_a_symbolic_link),
		TEST(test_crypttab_edit_failing_change_leaves_the_file),
		TEST(test_crypttab_edit_refuses_a_file_with_a_nul_byte),
		TEST(test_crypttab_edit_without_its_folder_is_not_found),
		TEST(test_crypttab_edit_held_lock_is_busy),
		TEST(test_crypttab_edit_from_many_processes_loses_no_line),
#ifdef COF_FAULTS
		TEST(test_crypttab_edit_killed_at_any_point_converges),
#endif
		TEST(test_crypttab_load_missing_file_is_empty),
		TEST(test_crypttab_load_folder_is_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
