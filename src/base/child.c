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
#include <time.h>

#include "child.h"
#include "clock.h"
#include "file.h"

#define OUTPUT_MAX_BYTES (1u << 20)

extern char **environ;

/* A running child and our ends of its pipes. */
struct child {
	pid_t pid;
	bool grouped; /* it leads a process group of its own */
	int input;    /* write end, -1 when closed */
	int output;   /* read ends */
	int errors;
};

#define CHILD_NONE ((struct child){ .pid = -1, .input = -1, .output = -1, .errors = -1 })

/* Where the child's output goes: a buffer that grows, or memory of the caller's. */
struct outlet {
	struct buffer *buffer;
	uint8_t *memory;
	size_t room;
	size_t len;
	bool full; /* there was more than fits */
};

/* Kills what still runs, so that an error on our side leaves no child behind. */
static void child_done(struct child *child)
{
	if (child->pid > 0) {
		(void)kill(child->grouped ? -child->pid : child->pid, SIGKILL);
		(void)waitpid(child->pid, NULL, 0);
	}
	fd_closep(&child->input);
	fd_closep(&child->output);
	fd_closep(&child->errors);
}

cof_result child_find_program(const char *name, struct cof_error *err)
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

/* posix_spawnp() with the child's ends of the pipes. execve() takes char * for historical reasons,
 * and changes none of them. */
static int spawn(const struct child_spec *spec, const int ends[3], struct child *child)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	const char *const *environment = spec->environment;
	int failure;

	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawnattr_init(&attributes);
	if (!spec->on_terminal)
		(void)posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
	(void)posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	if (!spec->on_terminal)
		(void)posix_spawn_file_actions_adddup2(&actions, ends[2], STDERR_FILENO);
	if (spec->given_fd > 0)
		(void)posix_spawn_file_actions_adddup2(&actions, spec->given_fd, CHILD_GIVEN_FD);
	if (child->grouped) {
		(void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
		(void)posix_spawnattr_setpgroup(&attributes, 0);
	}
	failure = posix_spawnp(&child->pid, spec->argv[0], &actions, &attributes,
			       (char *const *)(uintptr_t)spec->argv,
			       environment ? (char *const *)(uintptr_t)environment : environ);
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&actions);
	return failure;
}

/* Starts a program with its standard streams on pipes. */
static cof_result child_start(const struct child_spec *spec, struct child *child,
			      struct cof_error *err)
{
	int in[2] = { -1, -1 };
	int out[2] = { -1, -1 };
	int errors[2] = { -1, -1 };
	int failure = 0;

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(errors, O_CLOEXEC) < 0)
		failure = errno;
	child->input = in[1];
	child->output = out[0];
	child->errors = errors[0];
	if (failure == 0)
		failure = spawn(spec, (const int[]){ in[0], out[1], errors[1] }, child);
	fd_closep(&in[0]);
	fd_closep(&out[1]);
	fd_closep(&errors[1]);
	if (failure != 0) {
		child->pid = -1;
		return cof_raise_errno(err, failure, spec->argv[0], "cannot be run");
	}
	return COF_OK;
}

/* Takes what is readable; closes @fd at its end. What exceeds the bound is dropped. */
static cof_result drain(int *fd, struct outlet *into, struct cof_error *err)
{
	char piece[4096];
	/* A secret goes straight to where it is kept, and nowhere else. */
	bool direct = into->memory && into->len < into->room;
	ssize_t got = direct ? read(*fd, into->memory + into->len, into->room - into->len)
			     : read(*fd, piece, sizeof(piece));

	if (got > 0 && direct)
		into->len += (size_t)got;
	else if (got > 0 && into->memory)
		into->full = true;
	else if (got > 0 && into->buffer->len + (size_t)got <= OUTPUT_MAX_BYTES)
		return buffer_add(into->buffer, piece, (size_t)got, err);
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

/* Fails once a child has had its time. */
static cof_result check_deadline(const struct child_spec *spec, uint64_t deadline_ms,
				 struct cof_error *err)
{
	ENSURE(spec->timeout_ms == 0 || clock_ms() < deadline_ms, err, COF_E_FAILED, spec->argv[0],
	       "did not end within %u ms", spec->timeout_ms);
	return COF_OK;
}

/* Moves bytes both ways until the child has closed its output, or has sent too much. */
static cof_result converse(struct child *child, const struct child_spec *spec, uint64_t deadline_ms,
			   struct outlet *output, struct outlet *errors, struct cof_error *err)
{
	struct span input = spec->input;

	(void)fcntl(child->input, F_SETFL, O_NONBLOCK);
	while (!output->full && (child->output >= 0 || child->errors >= 0)) {
		struct pollfd polled[] = { { .fd = child->input, .events = POLLOUT },
					   { .fd = child->output, .events = POLLIN },
					   { .fd = child->errors, .events = POLLIN } };
		int64_t left_ms = (int64_t)(deadline_ms - clock_ms());

		TRY(check_deadline(spec, deadline_ms, err));
		if (poll(polled, 3, spec->timeout_ms ? (int)(left_ms > 0 ? left_ms : 0) : -1) < 0 &&
		    errno != EINTR)
			return cof_raise_errno(err, errno, spec->argv[0], "cannot be waited for");
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

/* Waits for a child that has closed its output, which need not be its end. */
static cof_result await_end(struct child *child, const struct child_spec *spec,
			    uint64_t deadline_ms, int *ret_status, struct cof_error *err)
{
	static const struct timespec pause = { .tv_nsec = 2000000 };
	bool limited = spec->timeout_ms != 0;
	pid_t ended;

	while ((ended = waitpid(child->pid, ret_status, limited ? WNOHANG : 0)) <= 0) {
		if (ended < 0 && errno != EINTR)
			return cof_raise_errno(err, errno, spec->argv[0], "cannot be waited for");
		TRY(check_deadline(spec, deadline_ms, err));
		if (limited)
			(void)nanosleep(&pause, NULL);
	}
	child->pid = -1;
	return COF_OK;
}

/* Runs a program to its end; what it wrote on stderr is appended to @errors. */
static cof_result run(const struct child_spec *spec, struct outlet *output, struct buffer *errors,
		      int *ret_status, struct cof_error *err)
{
	_cleanup_(child_done) struct child child = CHILD_NONE;
	struct outlet error_outlet = { .buffer = errors };
	uint64_t deadline_ms = clock_ms() + spec->timeout_ms;
	int status;

	/* One that asks on the terminal must be in its foreground. */
	child.grouped = spec->apart && !spec->on_terminal;
	TRY(child_find_program(spec->argv[0], err));
	TRY(child_start(spec, &child, err));
	TRY(converse(&child, spec, deadline_ms, output, &error_outlet, err));
	ENSURE(!output->full, err, COF_E_FORMAT, spec->argv[0], "gave more than %zu bytes",
	       output->room);
	TRY(await_end(&child, spec, deadline_ms, &status, err));
	*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return COF_OK;
}

cof_result child_run(const char *const argv[], struct span input, unsigned int timeout_ms,
		     struct buffer *ret_output, int *ret_status, struct cof_error *err)
{
	struct child_spec spec = { .argv = argv, .input = input, .timeout_ms = timeout_ms };
	_cleanup_buffer_ struct buffer output = { 0 };
	_cleanup_buffer_ struct buffer errors = { 0 };

	TRY(run(&spec, &(struct outlet){ .buffer = &output }, &errors, ret_status, err));
	if (*ret_status != 0)
		complain(&errors, err);
	if (ret_output) {
		*ret_output = output;
		output = (struct buffer){ 0 };
	}
	return COF_OK;
}

/* Raises that a program ended with a status other than 0. */
static cof_result raise_status(const char *program, int status, const struct buffer *errors,
			       struct cof_error *err)
{
	cof_result failed = cof_raise(err, COF_E_FAILED, program, "ended with status %d", status);

	complain(errors, err);
	return failed;
}

cof_result child_check(const char *const argv[], unsigned int timeout_ms, struct cof_error *err)
{
	struct child_spec spec = { .argv = argv, .timeout_ms = timeout_ms };
	_cleanup_buffer_ struct buffer output = { 0 };
	_cleanup_buffer_ struct buffer errors = { 0 };
	int status;

	TRY(run(&spec, &(struct outlet){ .buffer = &output }, &errors, &status, err));
	if (status != 0)
		return raise_status(argv[0], status, &errors, err);
	return COF_OK;
}

cof_result child_fetch(const struct child_spec *spec, uint8_t *out, size_t room, size_t *ret_len,
		       int *ret_status, struct cof_error *err)
{
	struct outlet output = { .memory = out, .room = room };
	_cleanup_buffer_ struct buffer errors = { 0 };
	int status;

	TRY(run(spec, &output, &errors, &status, err));
	if (status != 0 && !ret_status)
		return raise_status(spec->argv[0], status, &errors, err);
	if (status != 0)
		complain(&errors, err);
	if (ret_status)
		*ret_status = status;
	*ret_len = output.len;
	return COF_OK;
}
