/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the agent holds, and what it answers.
 */

#include <string.h>

#include "holder.h"

/* Longer than any machine runs, and far from where adding it to a clock would wrap. */
#define LIMIT_MAX_SECONDS UINT32_MAX

bool holder_lock(struct holder *holder)
{
	bool was_unlocked = holder->root != NULL;

	root_key_freep(&holder->root);
	memset(holder->uuid, 0, sizeof(holder->uuid));
	holder->epoch = 0;
	holder->deadline_ms = UINT64_MAX;
	return was_unlocked;
}

void holder_expire(struct holder *holder, uint64_t now_ms)
{
	if (holder->root && now_ms >= holder->deadline_ms)
		(void)holder_lock(holder);
}

static cof_result holder_give(struct holder *holder, const struct wire_request *request,
			      uint64_t now_ms, struct cof_error *err)
{
	struct root_key *root = NULL;

	TRY(root_key_copy(request->root_key, &root, err));
	(void)holder_lock(holder);
	holder->root = root;
	memcpy(holder->uuid, request->uuid.data, sizeof(holder->uuid));
	holder->epoch = request->epoch;
	if (request->limit_seconds <= LIMIT_MAX_SECONDS)
		holder->deadline_ms = now_ms + request->limit_seconds * 1000;
	holder->was_given = true;
	return COF_OK;
}

static cof_result holder_derive(const struct holder *holder, struct span info,
				struct wrap_key **ret_key, struct cof_error *err)
{
	ENSURE(holder->root, err, COF_E_LOCKED, "agent", "no root key is held");
	TRY(root_derive(holder->root, holder->uuid, info, ret_key, err));
	return COF_OK;
}

/* Seconds are rounded up, so that 0 is never said of a key that is still there. */
static struct agent_status holder_status(const struct holder *holder, uint64_t now_ms)
{
	struct agent_status status = { .running = true, .unlocked = holder->root != NULL };

	if (!holder->root)
		return status;
	memcpy(status.uuid, holder->uuid, sizeof(status.uuid));
	status.epoch = holder->epoch;
	status.seconds_left = holder->deadline_ms == UINT64_MAX
				      ? UINT64_MAX
				      : (holder->deadline_ms - now_ms + 999) / 1000;
	return status;
}

/* What the client is told of a failure: the reason's class, and none of its text. */
static enum wire_answer answer_of(enum cof_code code)
{
	if (code == COF_E_FORMAT)
		return WIRE_MALFORMED;
	if (code == COF_E_LOCKED)
		return WIRE_LOCKED;
	if (code == COF_E_NOMEM)
		return WIRE_NO_MEMORY;
	return WIRE_FAILED;
}

/* Does what a request asks. The derived key goes to *ret_key, which the reply borrows. */
static cof_result holder_execute(struct holder *holder, uint64_t now_ms,
				 const struct wire_request *request, struct wire_reply *ret_reply,
				 struct wrap_key **ret_key, struct cof_error *err)
{
	switch (request->op) {
	case WIRE_STATUS:
		ret_reply->status = holder_status(holder, now_ms);
		break;
	case WIRE_GIVE:
		TRY(holder_give(holder, request, now_ms, err));
		break;
	case WIRE_DERIVE:
		TRY(holder_derive(holder, request->info, ret_key, err));
		ret_reply->key = wrap_key_span(*ret_key);
		break;
	case WIRE_LOCK:
		ret_reply->was_unlocked = holder_lock(holder);
		break;
	case WIRE_WAIT:
		break;
	}
	return COF_OK;
}

cof_result holder_serve(struct holder *holder, uint64_t now_ms, struct secret *frame, size_t len,
			size_t *ret_len, bool *ret_wait, struct cof_error *err)
{
	_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;
	struct wire_request request = { 0 };
	struct wire_reply reply = { 0 };
	size_t reply_len = 0;
	cof_result result;
	bool wait;

	ENSURE(len >= WIRE_HEAD_BYTES && len <= frame->len, err, COF_E_FORMAT, "agent frame",
	       "%zu bytes, must be %d to %zu", len, WIRE_HEAD_BYTES, frame->len);
	holder_expire(holder, now_ms);
	result = wire_decode_request(SPAN(frame->data + WIRE_HEAD_BYTES, len - WIRE_HEAD_BYTES),
				     &request, NULL);
	if (!cof_failed(result))
		result = holder_execute(holder, now_ms, &request, &reply, &key, NULL);
	if (cof_failed(result))
		reply.answer = answer_of(result.code);
	/* A root key that was given is in the holder now, and nowhere else. */
	memory_wipe(frame->data, len);
	wait = !cof_failed(result) && request.op == WIRE_WAIT && !holder->root;
	if (!wait)
		TRY(wire_encode_reply(request.op, &reply, frame, &reply_len, err));

	*ret_len = reply_len;
	*ret_wait = wait;
	return COF_OK;
}

cof_result holder_wake(struct secret *frame, enum wire_answer answer, size_t *ret_len,
		       struct cof_error *err)
{
	struct wire_reply reply = { .answer = answer };

	TRY(wire_encode_reply(WIRE_WAIT, &reply, frame, ret_len, err));
	return COF_OK;
}
