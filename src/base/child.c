/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Child processes with caught output.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "child.h"
#include "clock.h"
#include "file.h"

#define OUTPUT_MAX_BYTES (1u << 20)

extern char **environ;

/* A running child and our ends of its pipes. */
struct child {
	pid_t pid;
	int input;  /* write end, -1 when closed */
	int output; /* read ends */
	int errors;
};

/* Kills what still runs, so that an error on our side leaves no child behind. */
static void child_done(struct child *child)
{
	if (child->pid > 0) {
		(void)kill(child->pid, SIGKILL);
		(void)waitpid(child->pid, NULL, 0);
	}
	fd_closep(&child->input);
	fd_closep(&child->output);
	fd_closep(&child->errors);
}

/* Whether PATH, or @name itself, leads to a program. posix_spawn() tells only where the child
 * shares the parent's memory, which it does not under valgrind. */
static cof_result find_program(const char *name, struct cof_error *err)
{
	const char *path = getenv("PATH");

	if (strchr(name, '/')) {
		ENSURE(access(name, X_OK) == 0, err, COF_E_NOENT, name, "is no program");
		return COF_OK;
	}
	while (path && *path != '\0') {
		_cleanup_free_ char *whole = NULL;
		size_t len = strcspn(path, ":");

		TRY(path_format(&whole, err, "%.*s/%s", (int)len, path, name));
		if (access(whole, X_OK) == 0)
			return COF_OK;
		path += len;
		path += *path == ':';
	}
	FAIL(err, COF_E_NOENT, name, "is not installed");
}

/* Starts @argv with its three standard streams on pipes. */
static cof_result child_start(const char *const argv[], struct child *child, struct cof_error *err)
{
	int in[2] = { -1, -1 };
	int out[2] = { -1, -1 };
	int errors[2] = { -1, -1 };
	posix_spawn_file_actions_t actions;
	int failure = 0;

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(errors, O_CLOEXEC) < 0)
		failure = errno;
	child->input = in[1];
	child->output = out[0];
	child->errors = errors[0];
	if (failure == 0) {
		(void)posix_spawn_file_actions_init(&actions);
		(void)posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
		(void)posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
		(void)posix_spawn_file_actions_adddup2(&actions, errors[1], STDERR_FILENO);
		failure = posix_spawnp(&child->pid, argv[0], &actions, NULL,
				       (char *const *)(uintptr_t)argv, environ);
		(void)posix_spawn_file_actions_destroy(&actions);
	}
	fd_closep(&in[0]);
	fd_closep(&out[1]);
	fd_closep(&errors[1]);
	if (failure != 0) {
		child->pid = -1;
		return cof_raise_errno(err, failure, argv[0], "cannot be run");
	}
	return COF_OK;
}

/* Takes what is readable; closes @fd at its end. What exceeds the bound is dropped. */
static cof_result drain(int *fd, struct buffer *into, struct cof_error *err)
{
	char piece[4096];
	ssize_t got = read(*fd, piece, sizeof(piece));

	if (got > 0 && into->len + (size_t)got <= OUTPUT_MAX_BYTES)
		return buffer_add(into, piece, (size_t)got, err);
	if (got == 0 || (got < 0 && errno != EINTR)) {
		fd_closep(fd);
		*fd = -1;
	}
	return COF_OK;
}

/* Writes a part of the input; closes the pipe when all is written or nobody reads. */
static void feed(struct child *child, struct span *input)
{
	ssize_t written = input->len ? write(child->input, input->data, input->len) : 0;

	if (written > 0) {
		input->data += written;
		input->len -= (size_t)written;
	}
	if (input->len == 0 || (written < 0 && errno != EINTR && errno != EAGAIN)) {
		fd_closep(&child->input);
		child->input = -1;
	}
}

/* Moves bytes both ways until the child has closed its output. */
static cof_result converse(struct child *child, const char *name, struct span input,
			   unsigned int timeout_ms, struct buffer *output, struct buffer *errors,
			   struct cof_error *err)
{
	uint64_t deadline_ms = clock_ms() + timeout_ms;

	(void)fcntl(child->input, F_SETFL, O_NONBLOCK);
	while (child->output >= 0 || child->errors >= 0) {
		struct pollfd polled[] = { { .fd = child->input, .events = POLLOUT },
					   { .fd = child->output, .events = POLLIN },
					   { .fd = child->errors, .events = POLLIN } };
		uint64_t now = clock_ms();

		ENSURE(timeout_ms == 0 || now < deadline_ms, err, COF_E_FAILED, name,
		       "did not end within %u ms", timeout_ms);
		if (poll(polled, 3, timeout_ms ? (int)(deadline_ms - now) : -1) < 0 &&
		    errno != EINTR)
			return cof_raise_errno(err, errno, name, "cannot be waited for");
		if (polled[0].revents)
			feed(child, &input);
		if (polled[1].revents)
			TRY(drain(&child->output, output, err));
		if (polled[2].revents)
			TRY(drain(&child->errors, errors, err));
	}
	return COF_OK;
}

/* Puts the last line that the child wrote on stderr into @err's cause. */
static void complain(const struct buffer *errors, struct cof_error *err)
{
	size_t end = errors->len;
	size_t start;

	while (end > 0 && (errors->data[end - 1] == '\n' || errors->data[end - 1] == ' '))
		end--;
	start = end;
	while (start > 0 && errors->data[start - 1] != '\n')
		start--;
	if (end > start)
		cof_error_cause(err, "%.*s", (int)(end - start),
				(const char *)errors->data + start);
}

/* child_run(), with what it wrote on stderr. */
static cof_result run(const char *const argv[], struct span input, unsigned int timeout_ms,
		      struct buffer *output, struct buffer *errors, int *ret_status,
		      struct cof_error *err)
{
	_cleanup_(child_done) struct child child = {
		.pid = -1, .input = -1, .output = -1, .errors = -1
	};
	int status;

	TRY(find_program(argv[0], err));
	TRY(child_start(argv, &child, err));
	TRY(converse(&child, argv[0], input, timeout_ms, output, errors, err));
	while (waitpid(child.pid, &status, 0) < 0) {
		if (errno != EINTR)
			return cof_raise_errno(err, errno, argv[0], "cannot be waited for");
	}
	child.pid = -1;
	*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return COF_OK;
}

cof_result child_run(const char *const argv[], struct span input, unsigned int timeout_ms,
		     struct buffer *ret_output, int *ret_status, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer output = { 0 };
	_cleanup_buffer_ struct buffer errors = { 0 };

	TRY(run(argv, input, timeout_ms, &output, &errors, ret_status, err));
	if (*ret_status != 0)
		complain(&errors, err);
	if (ret_output) {
		*ret_output = output;
		output = (struct buffer){ 0 };
	}
	return COF_OK;
}

cof_result child_check(const char *const argv[], unsigned int timeout_ms, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer output = { 0 };
	_cleanup_buffer_ struct buffer errors = { 0 };
	int status;

	TRY(run(argv, SPAN(NULL, 0), timeout_ms, &output, &errors, &status, err));
	if (status != 0) {
		cof_result failed =
			cof_raise(err, COF_E_FAILED, argv[0], "ended with status %d", status);

		complain(&errors, err);
		return failed;
	}
	return COF_OK;
}
