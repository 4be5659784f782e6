/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "holder.h"
#include "rig.h"

#define NOW_MS 1000000

/* A holder, a frame, and the outcome of the last request. */
struct scene {
	struct holder holder;
	struct secret *frame;
	struct root_key *root;
	size_t len;
	bool waits;
};

static const uint8_t uuid[VAULT_UUID_BYTES] = { 1, 2, 3 };

static int setup(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	assert_non_null(scene);
	scene->holder.deadline_ms = UINT64_MAX;
	assert_ok(secret_new(WIRE_FRAME_MAX_BYTES, &scene->frame, NULL));
	assert_ok(root_key_new(WIRE_ROOT_KEY_BYTES, &scene->root, NULL));
	memset(scene->root->secret.data, 0x42, WIRE_ROOT_KEY_BYTES);
	*state = scene;
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	(void)holder_lock(&scene->holder);
	secret_free(scene->frame);
	root_key_free(scene->root);
	free(scene);
	return 0;
}

static void serve(struct scene *scene, const struct wire_request *request, uint64_t now_ms)
{
	size_t len = 0;

	assert_ok(wire_encode_request(request, scene->frame, &len, NULL));
	assert_ok(holder_serve(&scene->holder, now_ms, scene->frame, len, &scene->len,
			       &scene->waits, NULL));
}

static struct wire_reply reply_of(const struct scene *scene, enum wire_op op)
{
	struct wire_reply reply = { 0 };

	assert_ok(wire_decode_reply(
		op, SPAN(scene->frame->data + WIRE_HEAD_BYTES, scene->len - WIRE_HEAD_BYTES),
		&reply, NULL));
	return reply;
}

static struct wire_reply ask(struct scene *scene, enum wire_op op, uint64_t now_ms)
{
	const struct wire_request request = { .op = op, .info = span_of_text("coffer/test") };

	serve(scene, &request, now_ms);
	return reply_of(scene, op);
}

static void give(struct scene *scene, uint64_t limit_seconds)
{
	const struct wire_request request = { .op = WIRE_GIVE,
					      .root_key = root_key_span(scene->root),
					      .uuid = SPAN(uuid, sizeof(uuid)),
					      .epoch = 3,
					      .limit_seconds = limit_seconds };

	serve(scene, &request, NOW_MS);
	assert_int_equal(reply_of(scene, WIRE_GIVE).answer, WIRE_DONE);
}

static void test_holder_give_wipes_the_key_from_the_frame(void **state)
{
	struct scene *scene = *state;

	give(scene, 60);
	for (size_t i = scene->len; i < scene->frame->len; i++)
		assert_int_equal(scene->frame->data[i], 0);
}

static void test_holder_derive_gives_the_key_of_the_info(void **state)
{
	struct scene *scene = *state;
	_cleanup_(wrap_key_freep) struct wrap_key *expected = NULL;

	give(scene, 60);
	assert_ok(root_derive(scene->root, uuid, span_of_text("coffer/test"), &expected, NULL));
	assert_true(ct_equal(ask(scene, WIRE_DERIVE, NOW_MS).key, wrap_key_span(expected)));
}

static void test_holder_derive_without_a_key_says_locked(void **state)
{
	assert_int_equal(ask(*state, WIRE_DERIVE, NOW_MS).answer, WIRE_LOCKED);
}

static void test_holder_derive_at_the_deadline_says_locked(void **state)
{
	struct scene *scene = *state;

	give(scene, 60);
	assert_int_equal(ask(scene, WIRE_DERIVE, NOW_MS + 59999).answer, WIRE_DONE);
	assert_int_equal(ask(scene, WIRE_DERIVE, NOW_MS + 60000).answer, WIRE_LOCKED);
	assert_null(scene->holder.root);
}

static void test_holder_status_counts_the_seconds_down(void **state)
{
	struct scene *scene = *state;

	give(scene, 60);
	assert_int_equal(ask(scene, WIRE_STATUS, NOW_MS).status.seconds_left, 60);
	assert_int_equal(ask(scene, WIRE_STATUS, NOW_MS + 59999).status.seconds_left, 1);
}

static void test_holder_status_names_vault_and_epoch(void **state)
{
	struct scene *scene = *state;
	struct agent_status status;

	give(scene, 60);
	status = ask(scene, WIRE_STATUS, NOW_MS).status;
	assert_true(status.unlocked);
	assert_int_equal(status.epoch, 3);
	assert_memory_equal(status.uuid, uuid, sizeof(uuid));
}

static void test_holder_status_of_a_locked_one_is_blank(void **state)
{
	struct scene *scene = *state;
	static const uint8_t zeros[VAULT_UUID_BYTES];
	struct agent_status status;

	give(scene, 60);
	(void)holder_lock(&scene->holder);
	status = ask(scene, WIRE_STATUS, NOW_MS).status;
	assert_false(status.unlocked);
	assert_int_equal(status.epoch, 0);
	assert_memory_equal(status.uuid, zeros, sizeof(zeros));
}

static void test_holder_without_a_limit_never_expires(void **state)
{
	struct scene *scene = *state;

	give(scene, UINT64_MAX);
	holder_expire(&scene->holder, UINT64_MAX - 1);
	assert_true(ask(scene, WIRE_STATUS, NOW_MS).status.seconds_left == UINT64_MAX);
}

static void test_holder_limit_that_would_wrap_is_none(void **state)
{
	struct scene *scene = *state;

	give(scene, UINT64_MAX / 1000);
	assert_true(scene->holder.deadline_ms == UINT64_MAX);
}

static void test_holder_give_again_replaces_key_and_limit(void **state)
{
	struct scene *scene = *state;
	_cleanup_(wrap_key_freep) struct wrap_key *expected = NULL;

	give(scene, 60);
	scene->root->secret.data[0] ^= 1;
	give(scene, 120);
	assert_ok(root_derive(scene->root, uuid, span_of_text("coffer/test"), &expected, NULL));
	assert_true(ct_equal(ask(scene, WIRE_DERIVE, NOW_MS + 90000).key, wrap_key_span(expected)));
}

static void test_holder_lock_tells_whether_there_was_a_key(void **state)
{
	struct scene *scene = *state;

	give(scene, 60);
	assert_true(ask(scene, WIRE_LOCK, NOW_MS).was_unlocked);
	assert_false(ask(scene, WIRE_LOCK, NOW_MS).was_unlocked);
}

static void test_holder_wait_without_a_key_waits(void **state)
{
	struct scene *scene = *state;
	const struct wire_request request = { .op = WIRE_WAIT };

	serve(scene, &request, NOW_MS);
	assert_true(scene->waits);
	assert_int_equal(scene->len, 0);
}

static void test_holder_wait_with_a_key_is_answered(void **state)
{
	struct scene *scene = *state;

	give(scene, 60);
	assert_int_equal(ask(scene, WIRE_WAIT, NOW_MS).answer, WIRE_DONE);
	assert_false(scene->waits);
}

static void test_holder_garbage_is_answered_as_malformed(void **state)
{
	struct scene *scene = *state;

	scene->frame->data[WIRE_HEAD_BYTES] = 0xee;
	assert_ok(holder_serve(&scene->holder, NOW_MS, scene->frame, WIRE_HEAD_BYTES + 1,
			       &scene->len, &scene->waits, NULL));
	assert_int_equal(reply_of(scene, WIRE_STATUS).answer, WIRE_MALFORMED);
}

static void test_holder_malformed_give_keeps_the_key(void **state)
{
	struct scene *scene = *state;

	give(scene, 60);
	scene->frame->data[WIRE_HEAD_BYTES] = WIRE_GIVE;
	assert_ok(holder_serve(&scene->holder, NOW_MS, scene->frame, WIRE_HEAD_BYTES + 60,
			       &scene->len, &scene->waits, NULL));
	assert_true(ask(scene, WIRE_STATUS, NOW_MS).status.unlocked);
}

static void test_holder_refuses_a_frame_without_a_head(void **state)
{
	struct scene *scene = *state;

	assert_fails(holder_serve(&scene->holder, NOW_MS, scene->frame, WIRE_HEAD_BYTES - 1,
				  &scene->len, &scene->waits, NULL),
		     COF_E_FORMAT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_holder_give_wipes_the_key_from_the_frame),
		TEST(test_holder_derive_gives_the_key_of_the_info),
		TEST(test_holder_derive_without_a_key_says_locked),
		TEST(test_holder_derive_at_the_deadline_says_locked),
		TEST(test_holder_status_counts_the_seconds_down),
		TEST(test_holder_status_names_vault_and_epoch),
		TEST(test_holder_status_of_a_locked_one_is_blank),
		TEST(test_holder_without_a_limit_never_expires),
		TEST(test_holder_limit_that_would_wrap_is_none),
		TEST(test_holder_give_again_replaces_key_and_limit),
		TEST(test_holder_lock_tells_whether_there_was_a_key),
		TEST(test_holder_wait_without_a_key_waits),
		TEST(test_holder_wait_with_a_key_is_answered),
		TEST(test_holder_garbage_is_answered_as_malformed),
		TEST(test_holder_malformed_give_keeps_the_key),
		TEST(test_holder_refuses_a_frame_without_a_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
