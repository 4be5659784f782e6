/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starting an agent in the background, where systemd does not.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "client.h"
#include "file.h"
#include "socket.h"

#define START_PATIENCE_MS 10000
#define READY_FD	  3 /* the first after stdin, stdout and stderr */

_Static_assert(sizeof(struct cof_error) <= PIPE_BUF, "an outcome is one write to a pipe");

void agent_child_args(const struct paths *paths, const char *args[static AGENT_ARGS_MAX])
{
	size_t count = 0;

	args[count++] = "coffer";
	args[count++] = "agent";
	if (paths->root[0] != '\0') {
		args[count++] = "--root";
		args[count++] = paths->root;
	}
	if (!paths->vault_is_default) {
		args[count++] = "--vault";
		args[count++] = paths->vault_dir;
	}
	args[count++] = "--config";
	args[count++] = "/dev/null";
	args[count] = NULL;
}

/* execve() takes char * for historical reasons, and changes none of them. Returns if it fails. */
static void execute(const char *program, const char *const args[], const char *const environment[])
{
	(void)execve(program, (char *const *)(uintptr_t)args,
		     (char *const *)(uintptr_t)environment);
}

/*
 * Becomes the agent; runs between fork() and exec(), so it only makes system calls. Nothing of the
 * caller comes along: no terminal, no file descriptor, no environment, no folder, no signal mask.
 */
__attribute__((noreturn)) static void become_agent(const char *const args[], int ready_fd)
{
	static const char *const environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
						   READY_FD_VARIABLE "=3", NULL };
	char program[PATH_MAX] = "";
	int null_fd = open("/dev/null", O_RDWR);
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)umask(0077);
	if (ready_fd == READY_FD)
		(void)fcntl(ready_fd, F_SETFD, 0);
	if (null_fd < 0 || chdir("/") < 0 || dup2(ready_fd, READY_FD) < 0 ||
	    dup2(null_fd, STDIN_FILENO) < 0 || dup2(null_fd, STDOUT_FILENO) < 0 ||
	    dup2(null_fd, STDERR_FILENO) < 0 || close_range(READY_FD + 1, ~0U, 0) < 0)
		_exit(1);
	/* By its name, which ps shows; a program that was replaced meanwhile has none any more. */
	if (readlink("/proc/self/exe", program, sizeof(program) - 1) > 0)
		execute(program, args, environment);
	execute("/proc/self/exe", args, environment);
	_exit(1);
}

/* Starts the agent as nobody's child, so that it outlives the caller and leaves no zombie. */
static cof_result fork_agent(const char *const args[], int ready_fd, struct cof_error *err)
{
	pid_t child = fork();

	if (child < 0)
		return cof_raise_errno(err, errno, "agent", "cannot be started");
	if (child == 0) {
		pid_t agent = setsid() < 0 ? -1 : fork();

		if (agent == 0)
			become_agent(args, ready_fd);
		_exit(agent < 0 ? 1 : 0);
	}
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		continue;
	return COF_OK;
}

/* Waits for what the agent says of its start, which is one write of less than a pipe's unit. */
static cof_result await_ready(int fd, const char *subject, struct cof_error *err)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN };
	uint64_t deadline_ms = clock_boot_ms() + START_PATIENCE_MS;
	struct cof_error outcome;
	uint64_t now_ms = clock_boot_ms();

	while (poll(&polled, 1, now_ms < deadline_ms ? (int)(deadline_ms - now_ms) : 0) < 0) {
		if (errno != EINTR)
			return cof_raise_errno(err, errno, subject, "cannot wait for the agent");
		now_ms = clock_boot_ms();
	}
	ENSURE(polled.revents != 0, err, COF_E_BUSY, subject, "the agent is not ready after %d ms",
	       START_PATIENCE_MS);
	ENSURE(read(fd, &outcome, sizeof(outcome)) == (ssize_t)sizeof(outcome), err, COF_E_IO,
	       subject, "the agent ended before it was ready");
	if (outcome.code != COF_E_NONE && err)
		*err = outcome;
	return (cof_result){ outcome.code };
}

/* Starts one and waits until it listens. */
static cof_result start_now(const struct paths *paths, struct cof_error *err)
{
	const char *args[AGENT_ARGS_MAX];
	_cleanup_fd_ int read_fd = -1;
	_cleanup_fd_ int write_fd = -1;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return cof_raise_errno(err, errno, "agent", "cannot be started");
	read_fd = ends[0];
	write_fd = ends[1];
	agent_child_args(paths, args);
	TRY(fork_agent(args, write_fd, err));
	/* The agent's end is the only one left: its death is seen. */
	(void)close(TAKE_FD(write_fd));
	TRY(await_ready(read_fd, paths->agent_socket, err));
	return COF_OK;
}

cof_result agent_start(const struct paths *paths, struct cof_error *err)
{
	_cleanup_free_ char *lock = NULL;
	_cleanup_fd_ int lock_fd = -1;
	_cleanup_fd_ int probe_fd = -1;

	TRY(folder_make_private(paths->run_dir, err));
	TRY(path_format(&lock, err, "%s.start", paths->agent_socket));
	TRY(file_lock(lock, START_PATIENCE_MS, &lock_fd, err));
	/* Who had the lock before us may have started one. */
	TRY(socket_connect(paths->agent_socket, CLIENT_PATIENCE_MS, &probe_fd, err));
	if (probe_fd < 0)
		TRY(start_now(paths, err));
	return COF_OK;
}
