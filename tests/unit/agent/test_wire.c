/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rig.h"

static uint8_t key_bytes[WIRE_ROOT_KEY_BYTES]; /* a pattern, no key */
static uint8_t uuid_bytes[VAULT_UUID_BYTES];

static int setup(void **state)
{
	struct secret *frame = NULL;

	memset(key_bytes, 0x5a, sizeof(key_bytes));
	memset(uuid_bytes, 0x11, sizeof(uuid_bytes));
	assert_ok(secret_new(WIRE_FRAME_MAX_BYTES, &frame, NULL));
	*state = frame;
	return 0;
}

static int teardown(void **state)
{
	secret_free(*state);
	return 0;
}

static struct wire_request give_request(void)
{
	return (struct wire_request){ .op = WIRE_GIVE,
				      .root_key = SPAN(key_bytes, sizeof(key_bytes)),
				      .uuid = SPAN(uuid_bytes, sizeof(uuid_bytes)),
				      .epoch = 0x01020304,
				      .limit_seconds = 0x1122334455667788 };
}

/* What follows the head of a frame of @len bytes. */
static struct span body_of(const struct secret *frame, size_t len)
{
	return SPAN(frame->data + WIRE_HEAD_BYTES, len - WIRE_HEAD_BYTES);
}

static void test_wire_encode_give_matches_the_format(void **state)
{
	struct secret *frame = *state;
	const struct wire_request request = give_request();
	static const uint8_t head[] = { 0, 0, 0, 93, WIRE_GIVE };
	static const uint8_t tail[] = {
		1, 2, 3, 4, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88
	};
	size_t len = 0;

	assert_ok(wire_encode_request(&request, frame, &len, NULL));
	assert_int_equal(len, 97);
	assert_memory_equal(frame->data, head, sizeof(head));
	assert_memory_equal(frame->data + 5, key_bytes, sizeof(key_bytes));
	assert_memory_equal(frame->data + 69, uuid_bytes, sizeof(uuid_bytes));
	assert_memory_equal(frame->data + 85, tail, sizeof(tail));
}

static void test_wire_give_survives_the_way(void **state)
{
	struct secret *frame = *state;
	const struct wire_request request = give_request();
	struct wire_request got = { 0 };
	size_t len = 0;

	assert_ok(wire_encode_request(&request, frame, &len, NULL));
	assert_ok(wire_decode_request(body_of(frame, len), &got, NULL));
	assert_int_equal(got.op, WIRE_GIVE);
	assert_true(ct_equal(got.root_key, request.root_key));
	assert_true(ct_equal(got.uuid, request.uuid));
	assert_int_equal(got.epoch, request.epoch);
	assert_int_equal(got.limit_seconds, request.limit_seconds);
}

static void test_wire_derive_of_the_longest_info_survives_the_way(void **state)
{
	struct secret *frame = *state;
	uint8_t info[WIRE_INFO_MAX_BYTES];
	const struct wire_request request = { .op = WIRE_DERIVE, .info = SPAN(info, sizeof(info)) };
	struct wire_request got = { 0 };
	size_t len = 0;

	memset(info, 'i', sizeof(info));
	assert_ok(wire_encode_request(&request, frame, &len, NULL));
	assert_ok(wire_decode_request(body_of(frame, len), &got, NULL));
	assert_true(ct_equal(got.info, request.info));
}

static void test_wire_encode_refuses_a_frame_without_room(void **state)
{
	_cleanup_secret_ struct secret *small = NULL;
	const struct wire_request request = { .op = WIRE_STATUS };
	size_t len = 0;

	(void)state;
	assert_ok(secret_new(WIRE_FRAME_MAX_BYTES - 1, &small, NULL));
	assert_fails(wire_encode_request(&request, small, &len, NULL), COF_E_FORMAT);
}

static void test_wire_encode_refuses_a_short_root_key(void **state)
{
	struct wire_request request = give_request();
	size_t len = 0;

	request.root_key.len--;
	assert_fails(wire_encode_request(&request, *state, &len, NULL), COF_E_FORMAT);
}

static void test_wire_encode_refuses_a_short_uuid(void **state)
{
	struct wire_request request = give_request();
	size_t len = 0;

	request.uuid.len--;
	assert_fails(wire_encode_request(&request, *state, &len, NULL), COF_E_FORMAT);
}

static void test_wire_encode_refuses_no_time(void **state)
{
	struct wire_request request = give_request();
	size_t len = 0;

	request.limit_seconds = 0;
	assert_fails(wire_encode_request(&request, *state, &len, NULL), COF_E_FORMAT);
}

static void test_wire_encode_refuses_a_long_info(void **state)
{
	uint8_t info[WIRE_INFO_MAX_BYTES + 1] = { 0 };
	const struct wire_request request = { .op = WIRE_DERIVE, .info = SPAN(info, sizeof(info)) };
	size_t len = 0;

	assert_fails(wire_encode_request(&request, *state, &len, NULL), COF_E_FORMAT);
}

static void test_wire_encode_refuses_a_derived_key_of_another_size(void **state)
{
	const struct wire_reply reply = { .key = SPAN(key_bytes, WIRE_DERIVED_KEY_BYTES - 1) };
	size_t len = 0;

	assert_fails(wire_encode_reply(WIRE_DERIVE, &reply, *state, &len, NULL), COF_E_FORMAT);
}

static void test_wire_body_len_takes_the_longest_body(void **state)
{
	static const uint8_t head[] = { 0, 0, 8, 0 };
	size_t len = 0;

	(void)state;
	assert_ok(wire_body_len(head, &len, NULL));
	assert_int_equal(len, WIRE_BODY_MAX_BYTES);
}

static void test_wire_body_len_refuses_more(void **state)
{
	static const uint8_t head[] = { 0, 0, 8, 1 };
	size_t len = 0;

	(void)state;
	assert_fails(wire_body_len(head, &len, NULL), COF_E_FORMAT);
}

static void test_wire_body_len_refuses_none(void **state)
{
	static const uint8_t head[] = { 0, 0, 0, 0 };
	size_t len = 0;

	(void)state;
	assert_fails(wire_body_len(head, &len, NULL), COF_E_FORMAT);
}

static void test_wire_decode_refuses_an_empty_body(void **state)
{
	struct wire_request got;

	(void)state;
	assert_fails(wire_decode_request(SPAN(key_bytes, 0), &got, NULL), COF_E_FORMAT);
}

static void test_wire_decode_refuses_unknown_operations(void **state)
{
	struct wire_request got;

	(void)state;
	for (unsigned int op = 0; op < 256; op++) {
		uint8_t body = (uint8_t)op;

		if (op < WIRE_STATUS || op > WIRE_WAIT)
			assert_fails(wire_decode_request(SPAN(&body, 1), &got, NULL), COF_E_FORMAT);
	}
}

static void test_wire_decode_refuses_every_cut_of_a_give(void **state)
{
	struct secret *frame = *state;
	const struct wire_request request = give_request();
	struct wire_request got;
	size_t len = 0;

	assert_ok(wire_encode_request(&request, frame, &len, NULL));
	for (size_t cut = WIRE_HEAD_BYTES; cut < len; cut++)
		assert_fails(wire_decode_request(body_of(frame, cut), &got, NULL), COF_E_FORMAT);
}

static void test_wire_decode_refuses_a_byte_too_many(void **state)
{
	struct secret *frame = *state;
	const struct wire_request request = give_request();
	struct wire_request got;
	size_t len = 0;

	assert_ok(wire_encode_request(&request, frame, &len, NULL));
	assert_fails(wire_decode_request(body_of(frame, len + 1), &got, NULL), COF_E_FORMAT);
}

static void test_wire_decode_refuses_no_time(void **state)
{
	struct secret *frame = *state;
	const struct wire_request request = give_request();
	struct wire_request got;
	size_t len = 0;

	assert_ok(wire_encode_request(&request, frame, &len, NULL));
	memset(frame->data + len - 8, 0, 8);
	assert_fails(wire_decode_request(body_of(frame, len), &got, NULL), COF_E_FORMAT);
}

static void test_wire_decode_refuses_an_empty_info(void **state)
{
	static const uint8_t body[] = { WIRE_DERIVE };
	struct wire_request got;

	(void)state;
	assert_fails(wire_decode_request(SPAN(body, sizeof(body)), &got, NULL), COF_E_FORMAT);
}

static void test_wire_decode_refuses_a_long_info(void **state)
{
	uint8_t body[1 + WIRE_INFO_MAX_BYTES + 1] = { WIRE_DERIVE };
	struct wire_request got;

	(void)state;
	assert_fails(wire_decode_request(SPAN(body, sizeof(body)), &got, NULL), COF_E_FORMAT);
}

static void test_wire_status_survives_the_way(void **state)
{
	struct secret *frame = *state;
	struct wire_reply reply = { .status = { .running = true,
						.unlocked = true,
						.epoch = 9,
						.seconds_left = UINT64_MAX } };
	struct wire_reply got = { 0 };
	size_t len = 0;

	memset(reply.status.uuid, 0x77, sizeof(reply.status.uuid));
	assert_ok(wire_encode_reply(WIRE_STATUS, &reply, frame, &len, NULL));
	assert_ok(wire_decode_reply(WIRE_STATUS, body_of(frame, len), &got, NULL));
	assert_true(got.status.running && got.status.unlocked);
	assert_int_equal(got.status.epoch, 9);
	assert_true(got.status.seconds_left == UINT64_MAX);
	assert_memory_equal(got.status.uuid, reply.status.uuid, sizeof(got.status.uuid));
}

static void test_wire_derived_key_survives_the_way(void **state)
{
	struct secret *frame = *state;
	const struct wire_reply reply = { .key = SPAN(key_bytes, WIRE_DERIVED_KEY_BYTES) };
	struct wire_reply got = { 0 };
	size_t len = 0;

	assert_ok(wire_encode_reply(WIRE_DERIVE, &reply, frame, &len, NULL));
	assert_ok(wire_decode_reply(WIRE_DERIVE, body_of(frame, len), &got, NULL));
	assert_true(ct_equal(got.key, reply.key));
}

static void test_wire_reply_of_a_refusal_has_no_fields(void **state)
{
	struct secret *frame = *state;
	const struct wire_reply reply = { .answer = WIRE_LOCKED };
	struct wire_reply got = { 0 };
	size_t len = 0;

	assert_ok(wire_encode_reply(WIRE_DERIVE, &reply, frame, &len, NULL));
	assert_int_equal(len, WIRE_HEAD_BYTES + 1);
	assert_ok(wire_decode_reply(WIRE_DERIVE, body_of(frame, len), &got, NULL));
	assert_int_equal(got.answer, WIRE_LOCKED);
}

static void test_wire_decode_reply_refuses_unknown_answers(void **state)
{
	static const uint8_t body[] = { WIRE_BUSY + 1 };
	struct wire_reply got;

	(void)state;
	assert_fails(wire_decode_reply(WIRE_WAIT, SPAN(body, 1), &got, NULL), COF_E_FORMAT);
}

static void test_wire_decode_reply_refuses_odd_flags(void **state)
{
	static const uint8_t body[] = { WIRE_DONE, 2 };
	struct wire_reply got;

	(void)state;
	assert_fails(wire_decode_reply(WIRE_LOCK, SPAN(body, 2), &got, NULL), COF_E_FORMAT);
}

static void test_wire_decode_reply_refuses_every_cut_of_a_status(void **state)
{
	struct secret *frame = *state;
	const struct wire_reply reply = { .status = { .unlocked = true } };
	struct wire_reply got;
	size_t len = 0;

	assert_ok(wire_encode_reply(WIRE_STATUS, &reply, frame, &len, NULL));
	for (size_t cut = WIRE_HEAD_BYTES; cut < len; cut++)
		assert_fails(wire_decode_reply(WIRE_STATUS, body_of(frame, cut), &got, NULL),
			     COF_E_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wire_encode_give_matches_the_format),
		cmocka_unit_test(test_wire_give_survives_the_way),
		cmocka_unit_test(test_wire_derive_of_the_longest_info_survives_the_way),
		cmocka_unit_test(test_wire_encode_refuses_a_frame_without_room),
		cmocka_unit_test(test_wire_encode_refuses_a_short_root_key),
		cmocka_unit_test(test_wire_encode_refuses_a_short_uuid),
		cmocka_unit_test(test_wire_encode_refuses_no_time),
		cmocka_unit_test(test_wire_encode_refuses_a_long_info),
		cmocka_unit_test(test_wire_encode_refuses_a_derived_key_of_another_size),
		cmocka_unit_test(test_wire_body_len_takes_the_longest_body),
		cmocka_unit_test(test_wire_body_len_refuses_more),
		cmocka_unit_test(test_wire_body_len_refuses_none),
		cmocka_unit_test(test_wire_decode_refuses_an_empty_body),
		cmocka_unit_test(test_wire_decode_refuses_unknown_operations),
		cmocka_unit_test(test_wire_decode_refuses_every_cut_of_a_give),
		cmocka_unit_test(test_wire_decode_refuses_a_byte_too_many),
		cmocka_unit_test(test_wire_decode_refuses_no_time),
		cmocka_unit_test(test_wire_decode_refuses_an_empty_info),
		cmocka_unit_test(test_wire_decode_refuses_a_long_info),
		cmocka_unit_test(test_wire_status_survives_the_way),
		cmocka_unit_test(test_wire_derived_key_survives_the_way),
		cmocka_unit_test(test_wire_reply_of_a_refusal_has_no_fields),
		cmocka_unit_test(test_wire_decode_reply_refuses_unknown_answers),
		cmocka_unit_test(test_wire_decode_reply_refuses_odd_flags),
		cmocka_unit_test(test_wire_decode_reply_refuses_every_cut_of_a_status),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
