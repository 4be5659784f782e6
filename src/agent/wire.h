/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_AGENT_WIRE_H
#define COF_AGENT_WIRE_H

/*
 * The agent's frames as bytes: doc/format-agent.md. Pure: no I/O, no state. Frames may hold keys,
 * so they are built and taken apart inside a struct secret.
 */

#include "agent.h"

#define WIRE_HEAD_BYTES	       4    /* doc/format-agent.md, section 2 */
#define WIRE_BODY_MAX_BYTES    2048 /* doc/format-agent.md, section 2 */
#define WIRE_FRAME_MAX_BYTES   (WIRE_HEAD_BYTES + WIRE_BODY_MAX_BYTES)
#define WIRE_ROOT_KEY_BYTES    64   /* the header's 512-bit volume key */
#define WIRE_DERIVED_KEY_BYTES 32   /* one output of HKDF-SHA256 */
#define WIRE_INFO_MAX_BYTES    1024 /* doc/format-agent.md, section 3 */

/** enum wire_op - what a client asks; the numbers never change their meaning */
enum wire_op {
	WIRE_STATUS = 1,
	WIRE_GIVE = 2,
	WIRE_DERIVE = 3,
	WIRE_LOCK = 4,
	WIRE_WAIT = 5,
};

/** enum wire_answer - the first byte of a reply */
enum wire_answer {
	WIRE_DONE = 0,
	WIRE_LOCKED = 1,
	WIRE_MALFORMED = 2,
	WIRE_NO_MEMORY = 3,
	WIRE_FAILED = 4,
	WIRE_BUSY = 5,
};

/**
 * struct wire_request - one request, taken apart; the spans are borrowed from its frame
 * @root_key, @uuid, @epoch, @limit_seconds: of WIRE_GIVE
 * @info: of WIRE_DERIVE
 */
struct wire_request {
	enum wire_op op;
	struct span root_key;
	struct span uuid;
	uint32_t epoch;
	uint64_t limit_seconds;
	struct span info;
};

/**
 * struct wire_reply - one reply, taken apart; what follows @answer counts for WIRE_DONE alone
 * @status:       of WIRE_STATUS; running is always true
 * @key:          of WIRE_DERIVE; borrowed from the frame, or what is to be put in
 * @was_unlocked: of WIRE_LOCK
 */
struct wire_reply {
	enum wire_answer answer;
	struct agent_status status;
	struct span key;
	bool was_unlocked;
};

/**
 * wire_body_len() - how many bytes follow a frame's head
 * @head:    WIRE_HEAD_BYTES bytes, not trusted
 * @ret_len: 1 to WIRE_BODY_MAX_BYTES
 * Fails: COF_E_FORMAT (no body, or too long)
 */
cof_result wire_body_len(const uint8_t *head, size_t *ret_len, struct cof_error *err);

/**
 * wire_decode_request() - take apart what follows a request's head
 * @body: not trusted; borrowed, also by the result
 * Fails: COF_E_FORMAT (unknown operation, or a length that is not that of the operation)
 */
cof_result wire_decode_request(struct span body, struct wire_request *ret_request,
			       struct cof_error *err);

/**
 * wire_encode_request() - build a whole frame, head included
 * @frame:   at least WIRE_FRAME_MAX_BYTES
 * @ret_len: how much of it is the frame
 * Fails: COF_E_FORMAT (a field has a length that the format does not allow)
 */
cof_result wire_encode_request(const struct wire_request *request, struct secret *frame,
			       size_t *ret_len, struct cof_error *err);

/**
 * wire_decode_reply() - take apart what follows a reply's head
 * @op:   what was asked
 * @body: not trusted; borrowed, also by the result
 * Fails: COF_E_FORMAT
 */
cof_result wire_decode_reply(enum wire_op op, struct span body, struct wire_reply *ret_reply,
			     struct cof_error *err);

/** wire_encode_reply() - as wire_encode_request() */
cof_result wire_encode_reply(enum wire_op op, const struct wire_reply *reply, struct secret *frame,
			     size_t *ret_len, struct cof_error *err);

#endif
