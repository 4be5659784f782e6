/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The agent's frames as bytes. Sources of the numbers: doc/format-agent.md.
 */

#include <string.h>

#include "wire.h"

#define SUBJECT "agent frame"

/* struct writer - fills a frame from front to back; the room was checked before */
struct writer {
	uint8_t *data;
	size_t len;
};

static void put(struct writer *writer, struct span bytes)
{
	if (bytes.len > 0)
		memcpy(writer->data + writer->len, bytes.data, bytes.len);
	writer->len += bytes.len;
}

static void put_u8(struct writer *writer, uint8_t value)
{
	put(writer, SPAN(&value, 1));
}

/* Appends the lowest @len_bytes bytes of @value, big-endian. */
static void put_be(struct writer *writer, uint64_t value, unsigned int len_bytes)
{
	while (len_bytes-- > 0)
		put_u8(writer, (uint8_t)(value >> (8 * len_bytes)));
}

/* Leaves room for the head, which frame_finish() fills in. */
static cof_result frame_start(struct secret *frame, struct writer *ret_writer,
			      struct cof_error *err)
{
	ENSURE(frame->len >= WIRE_FRAME_MAX_BYTES, err, COF_E_FORMAT, SUBJECT,
	       "room for %zu bytes, must be %d", frame->len, WIRE_FRAME_MAX_BYTES);

	*ret_writer = (struct writer){ .data = frame->data, .len = WIRE_HEAD_BYTES };
	return COF_OK;
}

static size_t frame_finish(struct writer *writer)
{
	struct writer head = { .data = writer->data };

	put_be(&head, writer->len - WIRE_HEAD_BYTES, WIRE_HEAD_BYTES);
	return writer->len;
}

cof_result wire_body_len(const uint8_t *head, size_t *ret_len, struct cof_error *err)
{
	struct reader reader = reader_of(SPAN(head, WIRE_HEAD_BYTES), SUBJECT);
	uint32_t len = 0;

	TRY(reader_be32(&reader, &len, err));
	ENSURE(len >= 1 && len <= WIRE_BODY_MAX_BYTES, err, COF_E_FORMAT, SUBJECT,
	       "body is %u bytes, must be 1 to %d", len, WIRE_BODY_MAX_BYTES);

	*ret_len = len;
	return COF_OK;
}

/* A body is read to its last byte: what follows would be a field that we don't know. */
static cof_result reader_finish(const struct reader *reader, struct cof_error *err)
{
	ENSURE(reader->rest.len == 0, err, COF_E_FORMAT, SUBJECT, "%zu bytes too many",
	       reader->rest.len);
	return COF_OK;
}

static cof_result check_info(size_t len, struct cof_error *err)
{
	ENSURE(len >= 1 && len <= WIRE_INFO_MAX_BYTES, err, COF_E_FORMAT, SUBJECT,
	       "info is %zu bytes, must be 1 to %d", len, WIRE_INFO_MAX_BYTES);
	return COF_OK;
}

/* A key that is to be wiped at once was never meant to be given. */
static cof_result check_limit(uint64_t limit_seconds, struct cof_error *err)
{
	ENSURE(limit_seconds > 0, err, COF_E_FORMAT, SUBJECT,
	       "time limit is 0 s, must be 1 or more");
	return COF_OK;
}

static cof_result decode_give(struct reader *reader, struct wire_request *request,
			      struct cof_error *err)
{
	TRY(reader_take(reader, WIRE_ROOT_KEY_BYTES, &request->root_key, err));
	TRY(reader_take(reader, VAULT_UUID_BYTES, &request->uuid, err));
	TRY(reader_be32(reader, &request->epoch, err));
	TRY(reader_be64(reader, &request->limit_seconds, err));
	TRY(check_limit(request->limit_seconds, err));
	return COF_OK;
}

cof_result wire_decode_request(struct span body, struct wire_request *ret_request,
			       struct cof_error *err)
{
	struct reader reader = reader_of(body, SUBJECT);
	struct wire_request request = { 0 };
	uint8_t op = 0;

	TRY(reader_u8(&reader, &op, err));
	switch (op) {
	case WIRE_STATUS:
	case WIRE_LOCK:
	case WIRE_WAIT:
		break;
	case WIRE_GIVE:
		TRY(decode_give(&reader, &request, err));
		break;
	case WIRE_DERIVE:
		TRY(check_info(reader.rest.len, err));
		TRY(reader_take(&reader, reader.rest.len, &request.info, err));
		break;
	default:
		FAIL(err, COF_E_FORMAT, SUBJECT, "operation %u is unknown", op);
	}
	TRY(reader_finish(&reader, err));
	request.op = (enum wire_op)op;

	*ret_request = request;
	return COF_OK;
}

static cof_result encode_give(const struct wire_request *request, struct writer *writer,
			      struct cof_error *err)
{
	ENSURE(request->root_key.len == WIRE_ROOT_KEY_BYTES, err, COF_E_FORMAT, SUBJECT,
	       "root key is %zu bytes, must be %d", request->root_key.len, WIRE_ROOT_KEY_BYTES);
	ENSURE(request->uuid.len == VAULT_UUID_BYTES, err, COF_E_FORMAT, SUBJECT,
	       "vault UUID is %zu bytes, must be %d", request->uuid.len, VAULT_UUID_BYTES);
	TRY(check_limit(request->limit_seconds, err));

	put(writer, request->root_key);
	put(writer, request->uuid);
	put_be(writer, request->epoch, sizeof(request->epoch));
	put_be(writer, request->limit_seconds, sizeof(request->limit_seconds));
	return COF_OK;
}

cof_result wire_encode_request(const struct wire_request *request, struct secret *frame,
			       size_t *ret_len, struct cof_error *err)
{
	struct writer writer;

	TRY(frame_start(frame, &writer, err));
	put_u8(&writer, (uint8_t)request->op);
	if (request->op == WIRE_GIVE)
		TRY(encode_give(request, &writer, err));
	if (request->op == WIRE_DERIVE) {
		TRY(check_info(request->info.len, err));
		put(&writer, request->info);
	}

	*ret_len = frame_finish(&writer);
	return COF_OK;
}

static cof_result decode_yes_no(struct reader *reader, bool *ret_yes, struct cof_error *err)
{
	uint8_t value = 0;

	TRY(reader_u8(reader, &value, err));
	ENSURE(value <= 1, err, COF_E_FORMAT, SUBJECT, "flag is %u, must be 0 or 1", value);

	*ret_yes = value == 1;
	return COF_OK;
}

static cof_result decode_status(struct reader *reader, struct agent_status *status,
				struct cof_error *err)
{
	struct span uuid = { 0 };

	status->running = true;
	TRY(decode_yes_no(reader, &status->unlocked, err));
	TRY(reader_take(reader, VAULT_UUID_BYTES, &uuid, err));
	memcpy(status->uuid, uuid.data, VAULT_UUID_BYTES);
	TRY(reader_be32(reader, &status->epoch, err));
	TRY(reader_be64(reader, &status->seconds_left, err));
	return COF_OK;
}

cof_result wire_decode_reply(enum wire_op op, struct span body, struct wire_reply *ret_reply,
			     struct cof_error *err)
{
	struct reader reader = reader_of(body, SUBJECT);
	struct wire_reply reply = { 0 };
	uint8_t answer = 0;

	TRY(reader_u8(&reader, &answer, err));
	ENSURE(answer <= WIRE_BUSY, err, COF_E_FORMAT, SUBJECT, "answer %u is unknown", answer);
	reply.answer = (enum wire_answer)answer;
	if (reply.answer == WIRE_DONE && op == WIRE_STATUS)
		TRY(decode_status(&reader, &reply.status, err));
	if (reply.answer == WIRE_DONE && op == WIRE_DERIVE)
		TRY(reader_take(&reader, WIRE_DERIVED_KEY_BYTES, &reply.key, err));
	if (reply.answer == WIRE_DONE && op == WIRE_LOCK)
		TRY(decode_yes_no(&reader, &reply.was_unlocked, err));
	TRY(reader_finish(&reader, err));

	*ret_reply = reply;
	return COF_OK;
}

static void put_status(struct writer *writer, const struct agent_status *status)
{
	put_u8(writer, status->unlocked);
	put(writer, SPAN(status->uuid, VAULT_UUID_BYTES));
	put_be(writer, status->epoch, sizeof(status->epoch));
	put_be(writer, status->seconds_left, sizeof(status->seconds_left));
}

cof_result wire_encode_reply(enum wire_op op, const struct wire_reply *reply, struct secret *frame,
			     size_t *ret_len, struct cof_error *err)
{
	struct writer writer;

	TRY(frame_start(frame, &writer, err));
	put_u8(&writer, (uint8_t)reply->answer);
	if (reply->answer == WIRE_DONE && op == WIRE_STATUS)
		put_status(&writer, &reply->status);
	if (reply->answer == WIRE_DONE && op == WIRE_DERIVE) {
		ENSURE(reply->key.len == WIRE_DERIVED_KEY_BYTES, err, COF_E_FORMAT, SUBJECT,
		       "derived key is %zu bytes, must be %d", reply->key.len,
		       WIRE_DERIVED_KEY_BYTES);
		put(&writer, reply->key);
	}
	if (reply->answer == WIRE_DONE && op == WIRE_LOCK)
		put_u8(&writer, reply->was_unlocked);

	*ret_len = frame_finish(&writer);
	return COF_OK;
}
