/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Listening at a path of our own, and on what systemd passes.
 */

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <systemd/sd-daemon.h>

#include "file.h"
#include "rig.h"
#include "socket.h"

/* A Unix stream socket at the rig's agent_socket. */
static int bare_socket(const struct rig *rig, bool listens)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_ok(folder_make(rig->paths->run_dir, 0700, NULL));
	memcpy(address.sun_path, rig->paths->agent_socket, strlen(rig->paths->agent_socket));
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	if (listens)
		assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void test_listener_replaces_a_stale_socket(void **state)
{
	const struct rig *rig = *state;
	_cleanup_(listener_done) struct listener listener = LISTENER_NONE;

	(void)close(bare_socket(rig, true));
	assert_ok(listener_open(rig->paths->agent_socket, &listener, NULL));
	(void)close(rig_connect(rig->paths->agent_socket));
}

static void test_listener_refuses_a_file_in_its_way(void **state)
{
	const struct rig *rig = *state;
	_cleanup_(listener_done) struct listener listener = LISTENER_NONE;

	assert_ok(folder_make(rig->paths->run_dir, 0700, NULL));
	assert_ok(file_create(rig->paths->agent_socket, SPAN("precious", 8), 0600, NULL));
	assert_fails(listener_open(rig->paths->agent_socket, &listener, NULL), COF_E_REFUSED);
	assert_true(path_exists(rig->paths->agent_socket));
}

static void test_listener_refuses_a_folder_that_others_write_to(void **state)
{
	const struct rig *rig = *state;
	_cleanup_(listener_done) struct listener listener = LISTENER_NONE;

	assert_ok(folder_make(rig->paths->run_dir, 0700, NULL));
	assert_int_equal(chmod(rig->paths->run_dir, 0777), 0);
	assert_fails(listener_open(rig->paths->agent_socket, &listener, NULL), COF_E_REFUSED);
	assert_false(path_exists(rig->paths->agent_socket));
}

static void test_listener_refuses_a_place_that_is_served(void **state)
{
	const struct rig *rig = *state;
	_cleanup_(listener_done) struct listener listener = LISTENER_NONE;
	_cleanup_fd_ int other = bare_socket(rig, true);

	assert_true(other >= 0);
	assert_fails(listener_open(rig->paths->agent_socket, &listener, NULL), COF_E_BUSY);
	(void)close(rig_connect(rig->paths->agent_socket));
}

static void test_listener_refuses_a_place_that_is_locked(void **state)
{
	const struct rig *rig = *state;
	_cleanup_(listener_done) struct listener first = LISTENER_NONE;
	_cleanup_(listener_done) struct listener second = LISTENER_NONE;

	assert_ok(listener_open(rig->paths->agent_socket, &first, NULL));
	assert_fails(listener_open(rig->paths->agent_socket, &second, NULL), COF_E_BUSY);
}

static void test_listener_refuses_a_path_without_folder(void **state)
{
	_cleanup_(listener_done) struct listener listener = LISTENER_NONE;

	(void)state;
	assert_fails(listener_open("agent.sock", &listener, NULL), COF_E_USAGE);
}

static void test_listener_done_leaves_no_socket(void **state)
{
	const struct rig *rig = *state;
	struct listener listener = LISTENER_NONE;

	assert_ok(listener_open(rig->paths->agent_socket, &listener, NULL));
	listener_done(&listener);
	assert_false(path_exists(rig->paths->agent_socket));
	assert_int_equal(listener.fd, -1);
}

static void test_listener_takes_a_long_path(void **state)
{
	const struct rig *rig = *state;
	_cleanup_(listener_done) struct listener listener = LISTENER_NONE;

	assert_ok(listener_open(rig->paths->agent_socket, &listener, NULL));
	(void)close(rig_connect(rig->paths->agent_socket));
}

static void test_socket_refuses_a_file_name_that_no_address_holds(void **state)
{
	const struct rig *rig = *state;
	_cleanup_free_ char *path = NULL;
	int fd = -1;

	assert_ok(path_format(&path, NULL, "%s/%0100d", rig->folder, 1));
	assert_fails(socket_connect(path, 1000, &fd, NULL), COF_E_USAGE);
}

static void test_socket_of_nobody_is_no_failure(void **state)
{
	const struct rig *rig = *state;
	int fd = 5;

	assert_ok(socket_connect(rig->paths->agent_socket, 1000, &fd, NULL));
	assert_int_equal(fd, -1);
}

static void test_socket_in_a_long_folder_that_is_missing_is_no_failure(void **state)
{
	const struct rig *rig = *state;
	int fd = 5;

	assert_ok(socket_connect(rig->paths->agent_socket, 1000, &fd, NULL));
	assert_int_equal(fd, -1);
}

static void test_socket_that_takes_nobody_is_busy(void **state)
{
	const struct rig *rig = *state;
	_cleanup_fd_ int other = bare_socket(rig, false);
	cof_result result = COF_OK;
	int fds[8];
	size_t count = 0;

	assert_int_equal(listen(other, 1), 0);
	while (count < 8 && !cof_failed(result)) {
		result = socket_connect(rig->paths->agent_socket, 100, &fds[count], NULL);
		count += !cof_failed(result);
	}
	while (count > 0)
		(void)close(fds[--count]);
	assert_fails(result, COF_E_BUSY);
}

/* The code of listener_open() in a process to which systemd passed @fd, @count times told. */
static int open_activated(const struct rig *rig, int fd, const char *count)
{
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		struct listener listener = LISTENER_NONE;
		char pid[16];
		cof_result result;

		(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
		(void)setenv("LISTEN_PID", pid, 1);
		(void)setenv("LISTEN_FDS", count, 1);
		if (dup2(fd, SD_LISTEN_FDS_START) < 0)
			_exit(100);
		result = listener_open(rig->paths->agent_socket, &listener, NULL);
		if (!cof_failed(result) && !listener.activated)
			_exit(101);
		listener_done(&listener);
		_exit((int)result.code);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_listener_takes_the_socket_of_systemd(void **state)
{
	const struct rig *rig = *state;
	_cleanup_fd_ int passed = bare_socket(rig, true);

	assert_int_equal(open_activated(rig, passed, "1"), COF_E_NONE);
	/* It is systemd's: the next process gets it. */
	assert_true(path_exists(rig->paths->agent_socket));
}

static void test_listener_refuses_two_sockets(void **state)
{
	const struct rig *rig = *state;
	_cleanup_fd_ int passed = bare_socket(rig, true);

	assert_int_equal(open_activated(rig, passed, "2"), COF_E_USAGE);
}

static void test_listener_refuses_a_count_that_is_no_number(void **state)
{
	const struct rig *rig = *state;
	_cleanup_fd_ int passed = bare_socket(rig, true);

	assert_int_equal(open_activated(rig, passed, "many"), COF_E_USAGE);
}

static void test_listener_refuses_a_socket_that_does_not_listen(void **state)
{
	const struct rig *rig = *state;
	_cleanup_fd_ int passed = bare_socket(rig, false);

	assert_int_equal(open_activated(rig, passed, "1"), COF_E_USAGE);
}

static void test_listener_refuses_a_file_from_systemd(void **state)
{
	const struct rig *rig = *state;
	_cleanup_fd_ int passed = open("/dev/null", O_RDWR | O_CLOEXEC);

	assert_int_equal(open_activated(rig, passed, "1"), COF_E_USAGE);
}

static int all_tests(void)
{
#define TEST(name)	cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
#define TEST_LONG(name) cmocka_unit_test_setup_teardown(name, rig_setup_long, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_listener_replaces_a_stale_socket),
		TEST(test_listener_refuses_a_file_in_its_way),
		TEST(test_listener_refuses_a_folder_that_others_write_to),
		TEST(test_listener_refuses_a_place_that_is_served),
		TEST(test_listener_refuses_a_place_that_is_locked),
		TEST(test_listener_refuses_a_path_without_folder),
		TEST(test_listener_done_leaves_no_socket),
		TEST_LONG(test_listener_takes_a_long_path),
		TEST(test_socket_refuses_a_file_name_that_no_address_holds),
		TEST(test_socket_of_nobody_is_no_failure),
		TEST_LONG(test_socket_in_a_long_folder_that_is_missing_is_no_failure),
		TEST(test_socket_that_takes_nobody_is_busy),
		TEST(test_listener_takes_the_socket_of_systemd),
		TEST(test_listener_refuses_two_sockets),
		TEST(test_listener_refuses_a_count_that_is_no_number),
		TEST(test_listener_refuses_a_socket_that_does_not_listen),
		TEST(test_listener_refuses_a_file_from_systemd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char *argv[])
{
	return rig_main(argc, argv, all_tests);
}
