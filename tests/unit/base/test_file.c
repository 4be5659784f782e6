/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>

#include "clock.h"
#include "file.h"
#include "mountpoint.h"

static char folder[64];

/* A path in the test's own folder; static storage, so use it at once. */
static const char *in_folder(const char *name)
{
	static char path[4][128];
	static unsigned int next;
	char *out = path[next++ % 4];

	(void)snprintf(out, sizeof(path[0]), "%s/%s", folder, name);
	return out;
}

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof(folder), "/tmp/coffer-file-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[96];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

/* How many files the folder has, to see that no temporary file stays. */
static unsigned int count_files(void)
{
	_cleanup_dir_ DIR *dir = opendir(folder);
	unsigned int count = 0;

	assert_non_null(dir);
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
		count += entry->d_name[0] != '.';
	return count;
}

static void assert_content(const char *path, const char *expected)
{
	_cleanup_buffer_ struct buffer content = { 0 };

	assert_ok(file_read(path, 1000, &content, NULL));
	assert_string_equal((char *)content.data, expected);
}

static void test_replace_makes_and_replaces(void **state)
{
	(void)state;
	assert_ok(file_replace(in_folder("a"), span_of_text("one"), 0640, NULL));
	assert_content(in_folder("a"), "one");
	assert_ok(file_replace(in_folder("a"), span_of_text("two"), 0600, NULL));
	assert_content(in_folder("a"), "two");
	assert_int_equal(count_files(), 1);
}

static void test_replace_keeps_the_mode_of_an_existing_file(void **state)
{
	struct stat status;

	(void)state;
	assert_ok(file_replace(in_folder("a"), span_of_text("one"), 0640, NULL));
	assert_ok(file_replace(in_folder("a"), span_of_text("two"), 0600, NULL));
	assert_int_equal(stat(in_folder("a"), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0640);
}

static void test_replace_follows_a_symbolic_link(void **state)
{
	struct stat status;

	(void)state;
	assert_ok(file_replace(in_folder("real"), span_of_text("one"), 0600, NULL));
	assert_int_equal(symlink("real", in_folder("link")), 0);
	assert_ok(file_replace(in_folder("link"), span_of_text("two"), 0600, NULL));
	assert_content(in_folder("real"), "two");
	assert_int_equal(lstat(in_folder("link"), &status), 0);
	assert_true(S_ISLNK(status.st_mode));
}

static void test_replace_in_a_missing_folder_fails(void **state)
{
	(void)state;
	assert_fails(file_replace(in_folder("no/a"), span_of_text("x"), 0600, NULL), COF_E_NOENT);
}

static void test_replace_on_a_full_disk_keeps_the_old_file(void **state)
{
	_cleanup_free_ char *large = calloc(1, 1 << 20);
	char command[160];

	(void)state;
	assert_non_null(large);
	(void)snprintf(command, sizeof(command), "mount -t tmpfs -o size=64k none '%s'", folder);
	if (system(command) != 0) {
		print_message("skipped: tmpfs cannot be mounted here\n");
		skip();
	}
	assert_ok(file_replace(in_folder("a"), span_of_text("old"), 0600, NULL));
	assert_fails(file_replace(in_folder("a"), SPAN(large, 1 << 20), 0600, NULL), COF_E_NOSPC);
	assert_content(in_folder("a"), "old");
	assert_int_equal(count_files(), 1);
	(void)snprintf(command, sizeof(command), "umount '%s'", folder);
	assert_int_equal(system(command), 0);
}

static void test_create_refuses_what_is_there(void **state)
{
	(void)state;
	assert_ok(file_create(in_folder("a"), span_of_text("one"), 0600, NULL));
	assert_fails(file_create(in_folder("a"), span_of_text("two"), 0600, NULL), COF_E_REFUSED);
	assert_content(in_folder("a"), "one");
	assert_int_equal(count_files(), 1);
}

static void test_read_refuses_more_than_its_bound(void **state)
{
	_cleanup_buffer_ struct buffer content = { 0 };

	(void)state;
	assert_ok(file_replace(in_folder("a"), span_of_text("12345"), 0600, NULL));
	assert_fails(file_read(in_folder("a"), 4, &content, NULL), COF_E_FORMAT);
	assert_ok(file_read(in_folder("a"), 5, &content, NULL));
	assert_int_equal(content.len, 5);
}

static void test_read_line_strips_newline_and_blanks(void **state)
{
	char line[16];

	(void)state;
	assert_ok(file_replace(in_folder("a"), span_of_text("one  \ntwo\n"), 0600, NULL));
	assert_ok(file_read_line(in_folder("a"), line, sizeof(line), NULL));
	assert_string_equal(line, "one");
	assert_fails(file_read_line(in_folder("b"), line, sizeof(line), NULL), COF_E_NOENT);
}

static void test_remove_of_what_is_not_there_succeeds(void **state)
{
	(void)state;
	assert_ok(file_replace(in_folder("a"), span_of_text("x"), 0600, NULL));
	assert_ok(file_remove(in_folder("a"), NULL));
	assert_false(path_exists(in_folder("a")));
	assert_ok(file_remove(in_folder("a"), NULL));
}

static void test_folder_make_makes_parents_and_accepts_what_is_there(void **state)
{
	(void)state;
	assert_ok(folder_make(in_folder("a/b/c"), 0700, NULL));
	assert_ok(folder_make(in_folder("a/b/c"), 0700, NULL));
	assert_ok(file_replace(in_folder("f"), span_of_text("x"), 0600, NULL));
	assert_fails(folder_make(in_folder("f"), 0700, NULL), COF_E_IO);
}

static void test_lock_held_by_another_process_is_busy_and_names_it(void **state)
{
	struct cof_error err = { 0 };
	int ready[2];
	int fd;
	pid_t child;
	char byte;
	char pid_text[16];

	(void)state;
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		if (cof_failed(file_lock(in_folder("lock"), 0, &fd, NULL)) ||
		    write(ready[1], "x", 1) != 1)
			_exit(1);
		(void)pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_fails(file_lock(in_folder("lock"), 30, &fd, &err), COF_E_BUSY);
	(void)snprintf(pid_text, sizeof(pid_text), "%d", child);
	assert_non_null(strstr(err.text, pid_text));
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
	assert_ok(file_lock(in_folder("lock"), 0, &fd, NULL));
	(void)close(fd);
}

static void test_pread_past_the_end_is_a_format_error(void **state)
{
	_cleanup_fd_ int fd = -1;
	char out[4];

	(void)state;
	assert_ok(file_replace(in_folder("a"), span_of_text("123456"), 0600, NULL));
	fd = open(in_folder("a"), O_RDONLY);
	assert_ok(fd_pread_all(fd, out, 4, 2, "a", NULL));
	assert_memory_equal(out, "3456", 4);
	assert_fails(fd_pread_all(fd, out, 4, 3, "a", NULL), COF_E_FORMAT);
}

static void test_pwrite_puts_all_bytes_at_their_place(void **state)
{
	_cleanup_buffer_ struct buffer content = { 0 };
	_cleanup_fd_ int fd = -1;
	_cleanup_fd_ int full = open("/dev/full", O_RDWR);

	(void)state;
	assert_ok(file_replace(in_folder("a"), span_of_text("123456"), 0600, NULL));
	fd = open(in_folder("a"), O_RDWR);
	assert_ok(fd_pwrite_all(fd, span_of_text("xyz"), 4, "a", NULL));
	assert_ok(file_read(in_folder("a"), 100, &content, NULL));
	assert_int_equal(content.len, 7);
	assert_memory_equal(content.data, "1234xyz", 7);
	assert_fails(fd_pwrite_all(full, span_of_text("xyz"), 4, "full", NULL), COF_E_NOSPC);
	assert_fails(fd_pwrite_all(-1, span_of_text("xyz"), 4, "none", NULL), COF_E_IO);
}

static void test_read_plain_reads_a_regular_file(void **state)
{
	_cleanup_buffer_ struct buffer content = { 0 };

	(void)state;
	assert_ok(file_create(in_folder("a"), span_of_text("abc"), 0600, NULL));
	assert_ok(file_read_plain(in_folder("a"), 10, &content, NULL));
	assert_int_equal(content.len, 3);
}

static void test_read_plain_refuses_a_symbolic_link(void **state)
{
	struct buffer content = { 0 };

	(void)state;
	assert_ok(file_create(in_folder("a"), span_of_text("abc"), 0600, NULL));
	assert_int_equal(symlink("a", in_folder("b")), 0);
	assert_fails(file_read_plain(in_folder("b"), 10, &content, NULL), COF_E_REFUSED);
}

static void test_read_plain_refuses_a_pipe_without_waiting(void **state)
{
	struct buffer content = { 0 };

	(void)state;
	assert_int_equal(mkfifo(in_folder("a"), 0600), 0);
	assert_fails(file_read_plain(in_folder("a"), 10, &content, NULL), COF_E_REFUSED);
}

static void test_folder_make_private_makes_a_folder_for_its_owner_alone(void **state)
{
	struct stat status;

	(void)state;
	assert_ok(folder_make_private(in_folder("a/b"), NULL));
	assert_int_equal(stat(in_folder("a/b"), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
	assert_ok(folder_make_private(in_folder("a/b"), NULL));
}

static void test_folder_make_private_refuses_a_folder_that_others_write_to(void **state)
{
	struct cof_error err = { 0 };

	(void)state;
	assert_ok(folder_make(in_folder("a"), 0700, NULL));
	assert_int_equal(chmod(in_folder("a"), 01777), 0);
	assert_fails(folder_make_private(in_folder("a"), &err), COF_E_REFUSED);
	assert_non_null(strstr(err.text, "1777"));
}

static void test_folder_make_private_refuses_a_folder_above_that_others_write_to(void **state)
{
	(void)state;
	assert_ok(folder_make(in_folder("a/b"), 0700, NULL));
	assert_int_equal(chmod(in_folder("a"), 0777), 0);
	assert_fails(folder_make_private(in_folder("a/b"), NULL), COF_E_REFUSED);
	/* There nobody can take away what is not his. */
	assert_int_equal(chmod(in_folder("a"), 01777), 0);
	assert_ok(folder_make_private(in_folder("a/b"), NULL));
}

static void test_folder_check_private_refuses_a_folder_of_another_user(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_ok(folder_make(in_folder("a"), 0700, NULL));
	assert_int_equal(chown(in_folder("a"), 65534, 0), 0);
	assert_fails(folder_check_private(in_folder("a"), NULL), COF_E_REFUSED);
}

static void test_folder_check_private_of_what_is_not_there_is_not_found(void **state)
{
	(void)state;
	assert_fails(folder_check_private(in_folder("a"), NULL), COF_E_NOENT);
}

static void test_path_base_is_what_is_behind_the_last_slash(void **state)
{
	(void)state;
	assert_string_equal(path_base("/dev/disk/by-id/wwn-0x5"), "wwn-0x5");
	assert_string_equal(path_base("sda"), "sda");
	assert_string_equal(path_base("/dev/"), "");
	assert_string_equal(path_base(""), "");
}

static void test_clock_goes_forwards_in_milliseconds(void **state)
{
	uint64_t before_ms = clock_ms();

	(void)state;
	(void)poll(NULL, 0, 20);
	assert_true(clock_ms() >= before_ms + 20);
}

static void test_file_shred_overwrites_what_other_names_have(void **state)
{
	_cleanup_buffer_ struct buffer left = { 0 };
	const char secret[] = "a key that nobody is to read";
	const uint8_t zeroes[sizeof(secret)] = { 0 };

	(void)state;
	assert_ok(file_create(in_folder("key"), SPAN(secret, sizeof(secret)), 0600, NULL));
	assert_int_equal(link(in_folder("key"), in_folder("same")), 0);
	assert_ok(file_shred(in_folder("key"), NULL));
	assert_false(path_exists(in_folder("key")));
	assert_ok(file_read(in_folder("same"), 1000, &left, NULL));
	assert_int_equal(left.len, sizeof(secret));
	assert_memory_equal(left.data, zeroes, sizeof(secret));
}

static void test_file_shred_of_nothing_is_success(void **state)
{
	(void)state;
	assert_ok(file_shred(in_folder("nothing"), NULL));
}

static void test_file_shred_refuses_links_and_folders(void **state)
{
	(void)state;
	assert_ok(file_create(in_folder("kept"), SPAN("kept", 4), 0600, NULL));
	assert_int_equal(symlink("kept", in_folder("link")), 0);
	assert_int_equal(file_shred(in_folder("link"), NULL).code, COF_E_REFUSED);
	assert_true(cof_failed(file_shred(folder, NULL)));
	assert_true(path_exists(in_folder("kept")));
}

static void test_file_sweep_removes_temporary_files_of_one_name(void **state)
{
	(void)state;
	assert_ok(file_create(in_folder("swept.aB3xYz"), SPAN("x", 1), 0600, NULL));
	assert_ok(file_create(in_folder("swept.key"), SPAN("x", 1), 0600, NULL));
	assert_ok(file_create(in_folder("other.aB3xYz"), SPAN("x", 1), 0600, NULL));
	assert_ok(file_sweep(folder, "swept", NULL));
	assert_false(path_exists(in_folder("swept.aB3xYz")));
	assert_true(path_exists(in_folder("swept.key")));
	assert_true(path_exists(in_folder("other.aB3xYz")));
}

static void test_mount_find_missing_names_what_fstab_has(void **state)
{
	char text[256];
	char mount[256];
	int len = snprintf(text, sizeof(text), "# none\n/dev/x %s/stick ext4 ro 0 0\n", folder);

	(void)state;
	assert_ok(file_replace(in_folder("fstab"), SPAN(text, (size_t)len), 0600, NULL));
	assert_true(mount_find_missing(in_folder("fstab"), in_folder("stick/keys"), mount,
				       sizeof(mount)));
	assert_string_equal(mount, in_folder("stick"));
	assert_false(
		mount_find_missing(in_folder("fstab"), in_folder("sticky"), mount, sizeof(mount)));
	assert_false(
		mount_find_missing(in_folder("none"), in_folder("stick"), mount, sizeof(mount)));
	assert_false(mount_find_missing(NULL, in_folder("stick"), mount, sizeof(mount)));
}

static void test_mount_of_root_is_root(void **state)
{
	_cleanup_free_ char *mount = NULL;

	(void)state;
	assert_ok(mount_of("/", &mount, NULL));
	assert_string_equal(mount, "/");
	assert_int_equal(mount_of(in_folder("nowhere"), &mount, NULL).code, COF_E_NOENT);
}

#define FILE_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILE_TEST(test_replace_makes_and_replaces),
		FILE_TEST(test_replace_keeps_the_mode_of_an_existing_file),
		FILE_TEST(test_replace_follows_a_symbolic_link),
		FILE_TEST(test_replace_in_a_missing_folder_fails),
		FILE_TEST(test_replace_on_a_full_disk_keeps_the_old_file),
		FILE_TEST(test_create_refuses_what_is_there),
		FILE_TEST(test_read_refuses_more_than_its_bound),
		FILE_TEST(test_read_line_strips_newline_and_blanks),
		FILE_TEST(test_remove_of_what_is_not_there_succeeds),
		FILE_TEST(test_folder_make_makes_parents_and_accepts_what_is_there),
		FILE_TEST(test_lock_held_by_another_process_is_busy_and_names_it),
		FILE_TEST(test_pread_past_the_end_is_a_format_error),
		FILE_TEST(test_pwrite_puts_all_bytes_at_their_place),
		FILE_TEST(test_read_plain_reads_a_regular_file),
		FILE_TEST(test_read_plain_refuses_a_symbolic_link),
		FILE_TEST(test_read_plain_refuses_a_pipe_without_waiting),
		FILE_TEST(test_folder_make_private_makes_a_folder_for_its_owner_alone),
		FILE_TEST(test_folder_make_private_refuses_a_folder_that_others_write_to),
		FILE_TEST(test_folder_make_private_refuses_a_folder_above_that_others_write_to),
		FILE_TEST(test_folder_check_private_refuses_a_folder_of_another_user),
		FILE_TEST(test_folder_check_private_of_what_is_not_there_is_not_found),
		FILE_TEST(test_path_base_is_what_is_behind_the_last_slash),
		FILE_TEST(test_file_shred_overwrites_what_other_names_have),
		FILE_TEST(test_file_shred_of_nothing_is_success),
		FILE_TEST(test_file_shred_refuses_links_and_folders),
		FILE_TEST(test_file_sweep_removes_temporary_files_of_one_name),
		FILE_TEST(test_mount_find_missing_names_what_fstab_has),
		FILE_TEST(test_mount_of_root_is_root),
		FILE_TEST(test_clock_goes_forwards_in_milliseconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
