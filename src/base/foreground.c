/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "foreground.h"

extern char **environ;

/* What asks a program to end, and tells that it has. */
static const int waited[] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT };

/* Starts the program with the signals as they were. execve() takes char * for historical reasons.
 */
static cof_result start(const char *const argv[], const sigset_t *before, pid_t *ret_pid,
			struct cof_error *err)
{
	posix_spawnattr_t attributes;
	int failure;

	(void)posix_spawnattr_init(&attributes);
	(void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	(void)posix_spawnattr_setsigmask(&attributes, before);
	failure = posix_spawnp(ret_pid, argv[0], NULL, &attributes, (char *const *)(uintptr_t)argv,
			       environ);
	(void)posix_spawnattr_destroy(&attributes);
	if (failure != 0)
		return cof_raise_errno(err, failure, argv[0], "cannot be run");
	return COF_OK;
}

/* Waits for the program's end. What the terminal sends it has sent to both. */
static int await_end(pid_t pid, const sigset_t *blocked)
{
	int status = 0;

	for (;;) {
		siginfo_t info = { 0 };
		int number = sigwaitinfo(blocked, &info);

		if (number > 0 && number != SIGCHLD && info.si_code != SI_KERNEL)
			(void)kill(pid, number);
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
}

/* Takes what came while the program ended: it was for that. */
static void drop_pending(const sigset_t *blocked)
{
	static const struct timespec at_once = { 0 };

	while (sigtimedwait(blocked, NULL, &at_once) > 0)
		continue;
}

cof_result foreground_run(const char *const argv[], int *ret_status, struct cof_error *err)
{
	sigset_t blocked;
	sigset_t before;
	cof_result started;
	pid_t pid = -1;

	TRY(child_find_program(argv[0], err));
	/* Who has started us may ignore it, and then nobody would tell of the end. */
	(void)signal(SIGCHLD, SIG_DFL);
	(void)sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof(waited) / sizeof(waited[0]); i++)
		(void)sigaddset(&blocked, waited[i]);
	(void)sigprocmask(SIG_BLOCK, &blocked, &before);
	started = start(argv, &before, &pid, err);
	if (!cof_failed(started))
		*ret_status = await_end(pid, &blocked);
	drop_pending(&blocked);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return started;
}
