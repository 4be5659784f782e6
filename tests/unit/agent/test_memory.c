/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the root key is not: in memory that can be swapped, in a core file, in reach of another
 * user, in what ps and /proc show, in the agent after a lock.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/capability.h>

#include "file.h"
#include "rig.h"

/* ASan and valgrind turn mlock() into nothing: what needs it cannot be seen under them. */
static bool locks_are_real(void)
{
	_cleanup_secret_ struct secret *secret = NULL;
	_cleanup_buffer_ struct buffer status = { 0 };
	const char *line;

	assert_ok(secret_new(4096, &secret, NULL));
	assert_ok(file_read("/proc/self/status", 1u << 16, &status, NULL));
	line = strstr((const char *)status.data, "VmLck:");
	assert_non_null(line);
	return strtoul(line + strlen("VmLck:"), NULL, 10) > 0;
}

/* skip() jumps out of the test: nothing may be owned by then. */
static void skip_without_locks(void)
{
	if (!locks_are_real()) {
		print_message("skip: a sanitizer turns locks off\n");
		skip();
	}
}

static int setup(void **state)
{
	(void)rig_setup(state);
	rig_give(*state, RIG_LIMIT_SECONDS);
	return 0;
}

/* A file of the agent's in /proc, whole. */
static void read_proc(const struct rig *rig, const char *name, struct buffer *content)
{
	_cleanup_free_ char *path = NULL;

	assert_ok(path_format(&path, NULL, "/proc/%d/%s", (int)rig_agent_pid(rig), name));
	assert_ok(file_read(path, 1u << 20, content, NULL));
}

/* The number after "NAME:" in the agent's /proc/PID/status. */
static unsigned long status_value(const struct rig *rig, const char *name)
{
	_cleanup_buffer_ struct buffer content = { 0 };
	const char *line;

	read_proc(rig, "status", &content);
	line = strstr((const char *)content.data, name);
	assert_non_null(line);
	return strtoul(line + strlen(name), NULL, 0);
}

static void test_agent_memory_is_locked(void **state)
{
	skip_without_locks();
	assert_true(status_value(*state, "VmLck:") > 0);
	assert_int_equal(status_value(*state, "VmSwap:"), 0);
}

static void test_agent_may_not_leave_a_core_file(void **state)
{
	const struct rig *rig = *state;
	struct rlimit limit = { 1, 1 };

	assert_int_equal(prlimit(rig_agent_pid(rig), RLIMIT_CORE, NULL, &limit), 0);
	assert_int_equal(limit.rlim_max, 0);
}

static void test_agent_has_nothing_of_its_caller(void **state)
{
	const struct rig *rig = *state;
	_cleanup_buffer_ struct buffer environment = { 0 };

	read_proc(rig, "environ", &environment);
	assert_null(memmem(environment.data, environment.len, "COFFER_TEST_MARK", 16));
}

static void test_agent_is_called_what_it_is(void **state)
{
	_cleanup_buffer_ struct buffer name = { 0 };

	read_proc(*state, "comm", &name);
	assert_string_equal((const char *)name.data, "coffer-agent\n");
}

/* How often the root key's bytes are in the agent's readable memory, guard pages aside. */
static size_t count_root_keys(const struct rig *rig)
{
	_cleanup_buffer_ struct buffer maps = { 0 };
	_cleanup_free_ char *path = NULL;
	_cleanup_fd_ int memory = -1;
	size_t count = 0;

	read_proc(rig, "maps", &maps);
	assert_ok(path_format(&path, NULL, "/proc/%d/mem", (int)rig_agent_pid(rig)));
	memory = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(memory >= 0);
	for (const char *line = (const char *)maps.data; *line != '\0';) {
		unsigned long start = 0;
		unsigned long end = 0;
		char mode[5] = "";

		assert_int_equal(sscanf(line, "%lx-%lx %4s", &start, &end, mode), 3);
		line += strcspn(line, "\n");
		line += *line == '\n';
		/* The sanitizers' shadow is terabytes of nothing. */
		if (mode[0] != 'r' || mode[1] != 'w' || end - start > (64ul << 20))
			continue;
		for (unsigned long at = start; at < end; at += 4096) {
			uint8_t page[4096];

			if (pread(memory, page, sizeof(page), (off_t)at) != sizeof(page))
				break;
			count += memmem(page, sizeof(page), rig->root_key->secret.data,
					WIRE_ROOT_KEY_BYTES) != NULL;
			memory_wipe(page, sizeof(page));
		}
	}
	return count;
}

static void test_agent_holds_the_root_key_once(void **state)
{
	assert_int_equal(count_root_keys(*state), 1);
}

static void test_agent_after_lock_holds_it_nowhere(void **state)
{
	const struct rig *rig = *state;
	_cleanup_fd_ int waiter = -1;
	bool was = false;

	/* An open connection keeps the agent from ending, so that there is a memory to look at. */
	waiter = rig_connect(rig->paths->agent_socket);
	assert_ok(agent_lock(rig->paths, &was, NULL));
	assert_true(was);
	assert_int_equal(count_root_keys(rig), 0);
}

/* 0 when the agent's memory is out of reach. */
static int peek(const struct rig *rig)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)rig->keyserver);
	fd = open(path, O_RDONLY);
	if (fd >= 0)
		return 1;
	return ptrace(PTRACE_ATTACH, rig->keyserver, NULL, NULL) == 0 ? 2 : 0;
}

static void test_agent_memory_is_out_of_reach_of_others(void **state)
{
	struct rig *rig = *state;
	struct rig as_seen = *rig;

	/* nobody cannot ask the socket for the pid: it comes along. */
	as_seen.keyserver = rig_agent_pid(rig);
	assert_int_equal(rig_run_as_nobody(peek, &as_seen), 0);
}

static void test_agent_memory_is_out_of_reach_of_root_without_capabilities(void **state)
{
	struct rig *rig = *state;
	pid_t agent = rig_agent_pid(rig);
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
		struct __user_cap_data_struct none[2] = { 0 };
		struct rig as_seen = { .keyserver = agent };

		/* The same uid and no privilege: what PR_SET_DUMPABLE keeps out. */
		if (syscall(SYS_capset, &head, none) < 0)
			_exit(100);
		_exit(peek(&as_seen));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Gives a key, in a process whose children may lock no memory. */
static int give_without_locking(struct rig *rig)
{
	const struct rlimit nothing = { 0, 0 };
	struct root_key *key = NULL;
	struct cof_error why = { 0 };
	cof_result result;

	if (prctl(PR_CAPBSET_DROP, CAP_IPC_LOCK) < 0 || setrlimit(RLIMIT_MEMLOCK, &nothing) < 0 ||
	    cof_failed(root_key_new(WIRE_ROOT_KEY_BYTES, &key, NULL)))
		return 100;
	result = client_give(rig->paths, key, rig->uuid, RIG_EPOCH, 60, &why);
	return result.code == COF_E_NOMEM && strstr(why.text, "lock") ? 0 : 1 + (int)result.code;
}

static void test_agent_that_may_not_lock_memory_says_so(void **state)
{
	struct rig *rig = *state;
	int status = 0;
	pid_t child;

	skip_without_locks();
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(give_without_locking(rig));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int all_tests(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_agent_memory_is_locked),
		TEST(test_agent_may_not_leave_a_core_file),
		TEST(test_agent_has_nothing_of_its_caller),
		TEST(test_agent_is_called_what_it_is),
		TEST(test_agent_holds_the_root_key_once),
		TEST(test_agent_after_lock_holds_it_nowhere),
		TEST(test_agent_memory_is_out_of_reach_of_others),
		TEST(test_agent_memory_is_out_of_reach_of_root_without_capabilities),
		cmocka_unit_test_setup_teardown(test_agent_that_may_not_lock_memory_says_so,
						rig_setup, rig_teardown),
	};

	(void)setenv("COFFER_TEST_MARK", "of the caller", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char *argv[])
{
	return rig_main(argc, argv, all_tests);
}
