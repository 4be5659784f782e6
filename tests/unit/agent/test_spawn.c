/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "file.h"
#include "rig.h"
#include "socket.h"

#define AT_ONCE 8

static void test_agent_args_of_the_systems_vault_are_short(void **state)
{
	_cleanup_(paths_freep) struct paths *paths = NULL;
	const char *args[AGENT_ARGS_MAX];

	(void)state;
	assert_ok(paths_new(NULL, NULL, "/dev/null", &paths, NULL));
	agent_child_args(paths, args);
	assert_string_equal(args[1], "agent");
	assert_string_equal(args[2], "--config");
	assert_string_equal(args[3], "/dev/null");
	assert_null(args[4]);
}

static void test_agent_args_lead_to_the_same_places(void **state)
{
	_cleanup_(paths_freep) struct paths *paths = NULL;
	_cleanup_(paths_freep) struct paths *again = NULL;
	const char *args[AGENT_ARGS_MAX];

	(void)state;
	assert_ok(paths_new("/srv/image", "/srv/keys/vault", "/dev/null", &paths, NULL));
	agent_child_args(paths, args);
	assert_string_equal(args[2], "--root");
	assert_string_equal(args[4], "--vault");
	assert_null(args[8]);
	assert_ok(paths_new(args[3], args[5], args[7], &again, NULL));
	assert_string_equal(again->agent_socket, paths->agent_socket);
}

static void test_agent_start_refuses_a_folder_that_others_write_to(void **state)
{
	struct rig *rig = *state;

	assert_ok(folder_make(rig->paths->run_dir, 0700, NULL));
	assert_int_equal(chmod(rig->paths->run_dir, 0777), 0);
	assert_fails(agent_start(rig->paths, NULL), COF_E_REFUSED);
	assert_false(path_exists(rig->paths->agent_socket));
}

static void test_agent_start_of_several_at_once_makes_one(void **state)
{
	struct rig *rig = *state;
	pid_t children[AT_ONCE];
	int status = 0;
	pid_t agent;

	for (size_t i = 0; i < AT_ONCE; i++) {
		children[i] = fork();
		assert_true(children[i] >= 0);
		if (children[i] == 0)
			_exit(cof_failed(agent_start(rig->paths, NULL)));
	}
	for (size_t i = 0; i < AT_ONCE; i++) {
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	agent = rig_agent_pid(rig);
	assert_true(agent > 0);
	rig_give(rig, RIG_LIMIT_SECONDS);
	assert_int_equal(rig_agent_pid(rig), agent);
}

static void test_agent_that_was_killed_is_replaced(void **state)
{
	struct rig *rig = *state;
	pid_t first;

	rig_give(rig, RIG_LIMIT_SECONDS);
	first = rig_agent_pid(rig);
	assert_int_equal(kill(first, SIGKILL), 0);
	assert_true(rig_await_end(first));
	assert_true(path_exists(rig->paths->agent_socket));
	assert_false(rig_status(rig).running);
	rig_give(rig, RIG_LIMIT_SECONDS);
	assert_int_not_equal(rig_agent_pid(rig), first);
	assert_true(rig_derives(rig, "coffer/x"));
}

static void test_agent_that_does_not_answer_is_reported(void **state)
{
	struct rig *rig = *state;
	struct agent_status status;
	cof_result result;
	pid_t agent;

	rig_give(rig, RIG_LIMIT_SECONDS);
	agent = rig_agent_pid(rig);
	assert_int_equal(kill(agent, SIGSTOP), 0);
	result = agent_query(rig->paths, &status, NULL);
	assert_int_equal(kill(agent, SIGCONT), 0);
	assert_fails(result, COF_E_BUSY);
}

static void test_agent_is_in_a_session_of_its_own(void **state)
{
	struct rig *rig = *state;

	rig_give(rig, RIG_LIMIT_SECONDS);
	assert_int_not_equal(getsid(rig_agent_pid(rig)), getsid(0));
}

static void test_agent_inherits_no_file(void **state)
{
	struct rig *rig = *state;
	_cleanup_fd_ int ours = open(rig->folder, O_RDONLY);
	_cleanup_free_ char *path = NULL;
	_cleanup_dir_ DIR *folder = NULL;
	const struct dirent *entry;

	/* Without O_CLOEXEC: what a careless caller has open. */
	assert_true(ours >= 0);
	rig_give(rig, RIG_LIMIT_SECONDS);
	assert_ok(path_format(&path, NULL, "/proc/%d/fd", (int)rig_agent_pid(rig)));
	folder = opendir(path);
	assert_non_null(folder);
	while ((entry = readdir(folder))) {
		char link[4096] = "";

		if (readlinkat(dirfd(folder), entry->d_name, link, sizeof(link) - 1) > 0)
			assert_string_not_equal(link, rig->folder);
	}
}

static void test_agent_start_fails_with_what_stops_the_agent(void **state)
{
	struct rig *rig = *state;
	struct cof_error why = { 0 };

	assert_ok(folder_make(rig->paths->agent_socket, 0700, NULL));
	/* A folder does not answer, so that one is started, and finds the folder in its way. */
	assert_fails(agent_start(rig->paths, &why), COF_E_REFUSED);
	assert_string_equal(why.subject, rig->paths->agent_socket);
}

static void test_agent_start_fails_when_another_is_being_started(void **state)
{
	struct rig *rig = *state;
	_cleanup_free_ char *lock = NULL;
	_cleanup_fd_ int fd = -1;

	assert_ok(folder_make(rig->paths->run_dir, 0700, NULL));
	assert_ok(path_format(&lock, NULL, "%s.start", rig->paths->agent_socket));
	assert_ok(file_lock(lock, 0, &fd, NULL));
	assert_fails(agent_start(rig->paths, NULL), COF_E_BUSY);
}

static void test_agent_that_never_gets_a_key_ends(void **state)
{
	struct rig *rig = *state;
	pid_t agent;

	assert_ok(agent_start(rig->paths, NULL));
	agent = rig_agent_pid(rig);
	/* 10 s, and it takes another 10 s until rig_await_end() gives up. */
	rig_sleep_ms(8000);
	assert_true(rig_await_end(agent));
	assert_false(path_exists(rig->paths->agent_socket));
}

static int all_tests(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agent_args_of_the_systems_vault_are_short),
		cmocka_unit_test(test_agent_args_lead_to_the_same_places),
		TEST(test_agent_start_refuses_a_folder_that_others_write_to),
		TEST(test_agent_start_of_several_at_once_makes_one),
		TEST(test_agent_that_was_killed_is_replaced),
		TEST(test_agent_that_does_not_answer_is_reported),
		TEST(test_agent_is_in_a_session_of_its_own),
		TEST(test_agent_inherits_no_file),
		TEST(test_agent_start_fails_with_what_stops_the_agent),
		TEST(test_agent_start_fails_when_another_is_being_started),
		TEST(test_agent_that_never_gets_a_key_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char *argv[])
{
	return rig_main(argc, argv, all_tests);
}
