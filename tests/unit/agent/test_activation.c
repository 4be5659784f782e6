/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Agents under a socket that outlives them. systemd cannot be had here as a service manager, so a
 * process of the test does what its socket units do: it listens, starts the service whenever
 * somebody waits, and starts it again after it has ended.
 */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <systemd/sd-daemon.h>

#include "file.h"
#include "rig.h"
#include "socket.h"

static int *starts; /* how often the service was started; shared with the manager */

/* Becomes the service. */
static void run_service(const struct rig *rig, int listen_fd)
{
	const char *args[AGENT_ARGS_MAX];
	char program[4096] = "";
	char pid[16];

	agent_child_args(rig->paths, args);
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	(void)setenv("LISTEN_PID", pid, 1);
	(void)setenv("LISTEN_FDS", "1", 1);
	if (readlink("/proc/self/exe", program, sizeof(program) - 1) > 0 &&
	    dup2(listen_fd, SD_LISTEN_FDS_START) >= 0)
		(void)execv(program, (char *const *)(uintptr_t)args);
	_exit(1);
}

/* Starts the service for whoever connects, for ever. */
static void manage(const struct rig *rig, int listen_fd)
{
	for (;;) {
		struct pollfd polled = { .fd = listen_fd, .events = POLLIN };
		pid_t service;

		(void)poll(&polled, 1, -1);
		service = fork();
		if (service == 0)
			run_service(rig, listen_fd);
		++*starts;
		(void)waitpid(service, NULL, 0);
	}
}

static int setup(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct rig *rig;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0); /* passed on */

	(void)rig_setup(state);
	rig = *state;
	starts = mmap(NULL, sizeof(*starts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	assert_true(starts != MAP_FAILED);
	assert_ok(folder_make(rig->paths->run_dir, 0700, NULL));
	memcpy(address.sun_path, rig->paths->agent_socket, strlen(rig->paths->agent_socket));
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, SOMAXCONN), 0);
	rig->keyserver = fork();
	assert_true(rig->keyserver >= 0);
	if (rig->keyserver == 0)
		manage(rig, fd);
	(void)close(fd);
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;
	bool was;

	/* The service would outlive its manager. */
	cof_ignore(agent_lock(rig->paths, &was, NULL));
	(void)munmap(starts, sizeof(*starts));
	return rig_teardown(state);
}

static void test_activated_agent_takes_the_key(void **state)
{
	struct rig *rig = *state;

	rig_give(rig, RIG_LIMIT_SECONDS);
	assert_true(rig_derives(rig, "coffer/x"));
	assert_int_equal(*starts, 1);
}

static void test_activated_agent_starts_anew_after_a_lock(void **state)
{
	struct rig *rig = *state;
	bool was = false;

	rig_give(rig, RIG_LIMIT_SECONDS);
	assert_ok(agent_lock(rig->paths, &was, NULL));
	assert_true(was);
	/* A client that came within a second would keep it. */
	rig_sleep_ms(2000);
	assert_true(path_exists(rig->paths->agent_socket));
	assert_false(rig_status(rig).unlocked);
	rig_give(rig, RIG_LIMIT_SECONDS);
	assert_true(rig_derives(rig, "coffer/x"));
	assert_int_equal(*starts, 2);
}

static void test_activated_agent_loses_no_client_while_it_ends(void **state)
{
	struct rig *rig = *state;
	bool was = false;

	for (int i = 0; i < 20; i++) {
		rig_give(rig, RIG_LIMIT_SECONDS);
		assert_ok(agent_lock(rig->paths, &was, NULL));
		assert_true(was);
	}
}

static void test_activated_agent_stays_for_who_waits(void **state)
{
	struct rig *rig = *state;
	_cleanup_fd_ int fd = -1;
	bool was = true;

	assert_ok(client_wait_start(rig->paths, &fd, NULL));
	/* A lock, and longer than a locked agent stays alone. */
	assert_ok(agent_lock(rig->paths, &was, NULL));
	assert_false(was);
	rig_sleep_ms(11000);
	assert_int_equal(*starts, 1);
	rig_give(rig, RIG_LIMIT_SECONDS);
	assert_ok(client_wait_finish(rig->paths, fd, NULL));
	assert_int_equal(*starts, 1);
}

static int all_tests(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_activated_agent_takes_the_key),
		TEST(test_activated_agent_starts_anew_after_a_lock),
		TEST(test_activated_agent_loses_no_client_while_it_ends),
		TEST(test_activated_agent_stays_for_who_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char *argv[])
{
	return rig_main(argc, argv, all_tests);
}
