/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starting the engine's process: see spawn.h.
 */

#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/wait.h>

#include "file.h"

#define SELF_LINK "/proc/self/exe"

extern char **environ;

/*
 * Becomes the engine. Between fork and exec of a program with threads only what is safe in a
 * signal handler may be called.
 */
static _Noreturn void become(const char *program, char *const argv[], int input, int output,
			     int errors)
{
	pid_t pid;

	(void)setsid();
	/* Forked once more: the parent here ends at once, and init takes the engine over. */
	pid = fork();
	if (pid != 0)
		_exit(pid < 0 ? 1 : 0);
	if (chdir("/") == 0 && dup2(input, STDIN_FILENO) == STDIN_FILENO &&
	    dup2(output, STDOUT_FILENO) == STDOUT_FILENO &&
	    (errors < 0 || dup2(errors, STDERR_FILENO) == STDERR_FILENO) &&
	    close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		(void)execve(program, argv, environ);
	_exit(127);
}

/* Everything that the process reads, put into a pipe that is large enough for it. */
static cof_result order_pipe(struct order *order, const struct volume_key *key, int *ret_fd,
			     struct cof_error *err)
{
	_cleanup_free_ char *line = NULL;
	_cleanup_fd_ int in = -1;
	_cleanup_fd_ int out = -1;
	int ends[2];

	order->key_bytes = volume_key_span(key).len;
	line = order_format(order);
	ENSURE(strlen(line) <= MESSAGE_MAX_BYTES, err, COF_E_USAGE, order->name,
	       "its order has %zu bytes, at most %d fit", strlen(line), MESSAGE_MAX_BYTES);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return cof_raise_errno(err, errno, "", "no pipe could be made");
	out = ends[0];
	in = ends[1];
	/* A pipe takes 64 KiB before anybody reads: written before there is a reader, this can
	 * neither block nor raise SIGPIPE. */
	TRY(fd_write_all(in, span_of_text(line), "pipe to the engine", err));
	TRY(fd_write_all(in, volume_key_span(key), "pipe to the engine", err));

	*ret_fd = TAKE_FD(out);
	return COF_OK;
}

/* The process's one line; empty when it ended without. */
static cof_result reply_read(int fd, struct buffer *line, struct cof_error *err)
{
	for (;;) {
		uint8_t letter;
		ssize_t count = read(fd, &letter, 1);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return cof_raise_errno(err, errno, "pipe from the engine",
					       "cannot be read");
		if (count == 0 || letter == '\n')
			break;
		ENSURE(line->len < MESSAGE_MAX_BYTES, err, COF_E_FORMAT, "pipe from the engine",
		       "its reply is longer than %d bytes", MESSAGE_MAX_BYTES);
		TRY(buffer_add_u8(line, letter, err));
	}
	return COF_OK;
}

/* This program's file: by its path, which holds under a debugger that runs it inside a program of
 * its own; by the kernel's link where the file has been replaced. */
static void own_program(char program[static PATH_MAX])
{
	ssize_t len = readlink(SELF_LINK, program, PATH_MAX - 1);

	program[len > 0 ? len : 0] = '\0';
	if (access(program, X_OK) < 0)
		memcpy(program, SELF_LINK, sizeof(SELF_LINK));
}

/* Forks, and waits for the process in between. */
static cof_result launch(char *const argv[], int input, int output, struct cof_error *err)
{
	/* What it says comes back in the reply; its stderr is for those who want debug lines. */
	_cleanup_fd_ int errors =
		getenv("COFFER_DEBUG") ? -1 : open("/dev/null", O_WRONLY | O_CLOEXEC);
	char program[PATH_MAX];
	pid_t pid;

	own_program(program);
	pid = fork();
	if (pid < 0)
		return cof_raise_errno(err, errno, argv[0], "no process could be started");
	if (pid == 0)
		become(program, argv, input, output, errors);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return COF_OK;
}

cof_result spawn_engine(const struct paths *paths, struct order *order,
			const struct volume_key *key, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer line = { 0 };
	_cleanup_free_ char *title = NULL;
	_cleanup_fd_ int input = -1;
	_cleanup_fd_ int output = -1;
	_cleanup_fd_ int reply = -1;
	char verb[] = "engine-serve";
	char option[] = "--root";
	int ends[2];

	TRY(path_format(&title, err, "coffer-engine %s %s", order->name, order->source));
	TRY(order_pipe(order, key, &input, err));
	if (pipe2(ends, O_CLOEXEC) < 0)
		return cof_raise_errno(err, errno, "", "no pipe could be made");
	reply = ends[0];
	output = ends[1];
	{
		char *argv[] = { title, verb, paths->root[0] ? option : NULL, paths->root, NULL };

		TRY(launch(argv, input, output, err));
	}
	/* The process has its own end now: if it dies, ours must not hold the pipe open. */
	(void)close(TAKE_FD(output));
	TRY(reply_read(reply, &line, err));
	TRY(reply_parse(buffer_span(&line), order->name, err));

	return COF_OK;
}
