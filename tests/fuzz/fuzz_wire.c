/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames of the agent: requests and replies, from a peer that is not trusted. */

#include "fuzz.h"
#include "wire.h"

void fuzz_one(struct span input)
{
	struct wire_request request;
	struct wire_reply reply;
	size_t len;

	if (input.len >= WIRE_HEAD_BYTES && !cof_failed(wire_body_len(input.data, &len, NULL)))
		FUZZ_CHECK(len >= 1 && len <= WIRE_BODY_MAX_BYTES);
	if (!cof_failed(wire_decode_request(input, &request, NULL)))
		FUZZ_CHECK(request.op >= WIRE_STATUS && request.op <= WIRE_WAIT);
	for (enum wire_op op = WIRE_STATUS; op <= WIRE_WAIT; op++)
		cof_ignore(wire_decode_reply(op, input, &reply, NULL)); /* any answer is fine */
}
