/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_AGENT_CLIENT_H
#define COF_AGENT_CLIENT_H

/*
 * The client's half of the agent, as the other files of this folder use it.
 */

#include "wire.h"

/* An agent answers at once; one that is stopped or starved gets this long. */
#define CLIENT_PATIENCE_MS 10000

/**
 * client_ask() - one request and its reply, over a connection of its own
 * @frame:     WIRE_FRAME_MAX_BYTES; the reply's spans are borrowed from it
 * @ret_found: false when no agent is running; *ret_reply is then untouched
 *
 * An agent that ends at this moment is asked for again. WIRE_WAIT waits without a limit.
 * Fails: COF_E_REFUSED (not root), COF_E_BUSY (no answer in time), COF_E_IO, COF_E_FORMAT (the
 * answer follows no format)
 */
cof_result client_ask(const struct paths *paths, const struct wire_request *request,
		      struct secret *frame, struct wire_reply *ret_reply, bool *ret_found,
		      struct cof_error *err);

/** client_check() - WIRE_DONE, or the failure that an answer stands for */
cof_result client_check(const struct paths *paths, enum wire_answer answer, struct cof_error *err);

/**
 * client_wait_start() - send WIRE_WAIT and don't wait
 * @ret_fd: readable as soon as client_wait_finish() may be called; -1 when no agent is running
 */
cof_result client_wait_start(const struct paths *paths, int *ret_fd, struct cof_error *err);

/** client_wait_finish() - the answer to it. Fails: COF_E_IO (the agent ended), COF_E_BUSY */
cof_result client_wait_finish(const struct paths *paths, int fd, struct cof_error *err);

/**
 * client_give() - agent_give() with the key itself
 * Fails: as agent_give(), COF_E_USAGE (@limit_seconds is 0)
 */
cof_result client_give(const struct paths *paths, const struct root_key *root, const uint8_t *uuid,
		       uint32_t epoch, uint64_t limit_seconds, struct cof_error *err);

/** AGENT_ARGS_MAX - of the arguments below, with the NULL */
#define AGENT_ARGS_MAX 9

/**
 * agent_child_args() - the command line of an agent for the same places
 * @args: borrowed from @paths; NULL-terminated
 *
 * It reads no configuration: what it needs to know comes with the key.
 */
void agent_child_args(const struct paths *paths, const char *args[static AGENT_ARGS_MAX]);

/**
 * agent_start() - run an agent in the background unless one answers by now
 * Returns when it listens. Fails: what its own start fails with; COF_E_IO (it ended too early),
 * COF_E_BUSY (it does not get ready, or another process keeps starting one)
 */
cof_result agent_start(const struct paths *paths, struct cof_error *err);

#endif
