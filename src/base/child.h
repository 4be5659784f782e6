/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BASE_CHILD_H
#define COF_BASE_CHILD_H

/*
 * Child processes of other programs, with their output caught.
 */

#include "buffer.h"
#include "result.h"

/**
 * child_run() - run a program to its end
 * @argv:       NULL-terminated; argv[0] is looked up in PATH; never holds a secret
 * @input:      bytes for its stdin; { 0 } is /dev/null
 * @timeout_ms: it is killed after that; 0 is no limit
 * @ret_output: its stdout, at most 1 MiB; may be NULL; caller runs buffer_done()
 * @ret_status: its exit status, 128 + signal where it was killed
 *
 * For a status other than 0 the last line of its stderr is left in @err's cause.
 * Fails: COF_E_NOENT (no such program), COF_E_FAILED (time-out), COF_E_IO
 */
cof_result child_run(const char *const argv[], struct span input, unsigned int timeout_ms,
		     struct buffer *ret_output, int *ret_status, struct cof_error *err);

/** child_check() - child_run() without input and output; a status other than 0 is COF_E_FAILED */
cof_result child_check(const char *const argv[], unsigned int timeout_ms, struct cof_error *err);

/** child_find_program() - that PATH, or @name itself, leads to a program. posix_spawn() tells only
 * where the child shares the parent's memory, which it does not under valgrind.
 * Fails: COF_E_NOENT */
cof_result child_find_program(const char *name, struct cof_error *err);

#define CHILD_GIVEN_FD 3 /* the first after stdin, stdout and stderr */

/**
 * struct child_spec - a program that gives or takes something secret
 * @argv:        as child_run()'s
 * @environment: all of it, NULL-terminated; NULL: ours
 * @input:       bytes for its stdin; { 0 } is none
 * @given_fd:    a descriptor that it gets as CHILD_GIVEN_FD; 0: none
 * @apart:       it leads a process group, so that what it has started is killed with it
 * @on_terminal: it keeps our stdin and stderr, to ask there; for @input is no place then
 * @timeout_ms:  as child_run()'s
 */
struct child_spec {
	const char *const *argv;
	const char *const *environment;
	struct span input;
	int given_fd;
	bool apart;
	bool on_terminal;
	unsigned int timeout_ms;
};

/**
 * child_fetch() - run a program that writes a secret on its stdout
 * @out:        memory of the caller's, which the bytes reach without being anywhere else before
 * @ret_status: as child_run()'s; NULL: a status other than 0 is COF_E_FAILED
 * Fails: as child_run(); COF_E_FORMAT (more than @room bytes)
 */
cof_result child_fetch(const struct child_spec *spec, uint8_t *out, size_t room, size_t *ret_len,
		       int *ret_status, struct cof_error *err);

#endif
