/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_AGENT_HOLDER_H
#define COF_AGENT_HOLDER_H

/*
 * What the agent holds, and what it answers. No I/O: the time comes from the caller.
 */

#include "wire.h"

/**
 * struct holder - a root key or none; { 0 } is locked
 * @root:        NULL while locked
 * @deadline_ms: when it is to be wiped, on the caller's clock; UINT64_MAX is never
 * @was_given:   whether it ever held a key
 */
struct holder {
	struct root_key *root;
	uint8_t uuid[VAULT_UUID_BYTES];
	uint32_t epoch;
	uint64_t deadline_ms;
	bool was_given;
};

/** holder_lock() - wipe the root key; returns whether there was one */
bool holder_lock(struct holder *holder);

/** holder_expire() - wipe the root key if its time is over */
void holder_expire(struct holder *holder, uint64_t now_ms);

/**
 * holder_serve() - answer one request in the frame that brought it
 * @now_ms:   on the clock of the deadlines
 * @frame:    the request, head included; then the reply, head included. What the request held is
 *            wiped
 * @len:      of the request
 * @ret_len:  of the reply; 0 when @ret_wait
 * @ret_wait: no reply now: it is holder_wake()'s when a key is given
 *
 * A request that cannot be done is answered with the reason. Fails: COF_E_FORMAT (@frame is too
 * small), and never because of what a client sent.
 */
cof_result holder_serve(struct holder *holder, uint64_t now_ms, struct secret *frame, size_t len,
			size_t *ret_len, bool *ret_wait, struct cof_error *err);

/** holder_wake() - the reply to WIRE_WAIT in @frame: @answer is WIRE_DONE or why not */
cof_result holder_wake(struct secret *frame, enum wire_answer answer, size_t *ret_len,
		       struct cof_error *err);

#endif
