/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_AGENT_SOCKET_H
#define COF_AGENT_SOCKET_H

/*
 * Unix sockets of the agent and the key server: listening (on systemd's socket or on our own),
 * connecting, who is at the other end, and telling the parent that we are ready.
 */

#include <sys/types.h>

#include "result.h"

#include <stdint.h>

/* The file descriptor's number that a parent waits on (spawn.c), in the child's environment. */
#define READY_FD_VARIABLE "COFFER_READY_FD"

/**
 * struct listener - a socket that takes connections
 * @fd:        non-blocking
 * @activated: it is systemd's, and outlives this process
 * @path:      of our own, to be removed; NULL when activated
 * @lock_fd:   proves that the path is ours alone; -1 when activated
 */
struct listener {
	int fd;
	bool activated;
	char *path;
	int lock_fd;
};

#define LISTENER_NONE ((struct listener){ .fd = -1, .lock_fd = -1 })

/**
 * listener_open() - take the socket from systemd (LISTEN_FDS), or make it at @path
 * @path: absolute, of any length; its folder is made with mode 0700, the socket has 0600. A
 *        socket that a dead process left is replaced
 *
 * Fails: COF_E_BUSY (another process serves it), COF_E_REFUSED (something else than a socket is
 * there), COF_E_USAGE (systemd gave something else than one listening Unix socket), COF_E_IO
 */
cof_result listener_open(const char *path, struct listener *ret_listener, struct cof_error *err);
/** listener_done() - close, and remove what listener_open() made */
void listener_done(struct listener *listener);

/**
 * listener_accept() - the next connection of a root process, non-blocking
 * @ret_fd: -1 when there is none, when it went away, or when it was not root's and was closed
 * Fails: COF_E_BUSY (no file descriptors or memory just now), COF_E_IO
 */
cof_result listener_accept(const struct listener *listener, int *ret_fd, struct cof_error *err);

/**
 * socket_connect() - connect to the socket of a root process
 * @path:       of any length
 * @timeout_ms: of this and of every later send and receive
 * @ret_fd:     -1 when nobody listens there; caller closes
 * Fails: COF_E_REFUSED (it is not root's, or we are not root), COF_E_BUSY (time-out), COF_E_IO
 */
cof_result socket_connect(const char *path, unsigned int timeout_ms, int *ret_fd,
			  struct cof_error *err);

/** socket_patience() - change the time-out of receiving; 0 is none. Fails: COF_E_IO */
cof_result socket_patience(int fd, unsigned int timeout_ms, struct cof_error *err);

/** clock_boot_ms() - milliseconds since the machine started, those of its sleep included */
uint64_t clock_boot_ms(void);
/** clock_patience_ms() - what to give poll() so that it ends at @when_ms or before, and not at all
 * for UINT64_MAX */
int clock_patience_ms(uint64_t when_ms);

/**
 * signals_open() - from now on SIGTERM and SIGINT are read from a descriptor
 * @ret_fd: non-blocking; caller closes. Fails: COF_E_IO
 */
cof_result signals_open(int *ret_fd, struct cof_error *err);

/**
 * ready_tell() - tell systemd (READY=1) and a waiting parent how starting went, once
 * @outcome: code COF_E_NONE is readiness; a failure is for the parent alone
 */
void ready_tell(const struct cof_error *outcome);

#endif
