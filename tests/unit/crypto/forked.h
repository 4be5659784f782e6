/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TESTS_CRYPTO_FORKED_H
#define COF_TESTS_CRYPTO_FORKED_H

/*
 * Conditions that a process does not come back from, made in a child: dropped privilege, system
 * calls that fail, crashes. The child must not use cmocka; it returns its exit status.
 */

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* The sanitizers turn every lock on memory into nothing. */
#define LOCKS_ARE_REAL (!UNIT_HAS_ASAN)

#define NOT_POSSIBLE_HERE 77 /* a child that could not make its condition */

/* Whether valgrind runs this: it stops no process for SIGTSTP, and does mappings by itself. */
static inline bool is_under_valgrind(void)
{
	const char *preloaded = getenv("LD_PRELOAD");

	return preloaded && strstr(preloaded, "vgpreload");
}

/* Leaves a test that would be about valgrind. */
static inline void skip_under_valgrind(void)
{
	if (is_under_valgrind()) {
		print_message("skip: valgrind does this in its own way\n");
		skip();
	}
}

/* Runs @body in a child that says nothing; returns what waitpid() says of it. */
static inline int run_forked(int (*body)(void *), void *argument)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		/* cmocka's handlers would bring a crash back into the list of tests. */
		(void)signal(SIGSEGV, SIG_DFL);
		(void)signal(SIGABRT, SIG_DFL);
		(void)dup2(null, STDERR_FILENO);
		_exit(body(argument));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

/* The child ended by itself and all its checks held. */
static inline void assert_forked_ok(int (*body)(void *), void *argument)
{
	int status = run_forked(body, argument);

	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_POSSIBLE_HERE) {
		print_message("skip: a sanitizer, no seccomp filters, or too little privilege\n");
		skip();
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("the child ended with status %#x", (unsigned int)status);
}

/* The child was stopped: by a signal, or by a sanitizer that took it for one. */
static inline void assert_forked_dies(int (*body)(void *), void *argument)
{
	int status = run_forked(body, argument);

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		fail_msg("the child went on");
}

/* From now on the system call @number fails with @errno_value; false where that can't be done. */
static inline bool deny_syscall(unsigned int number, unsigned int errno_value)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), /* offset of seccomp_data.nr */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | errno_value),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

#endif
