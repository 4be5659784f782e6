/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pthread.h>
#include <signal.h>

#include "file.h"
#include "rig.h"

static void test_agent_query_without_an_agent_says_not_running(void **state)
{
	const struct agent_status status = rig_status(*state);

	assert_false(status.running);
	assert_false(status.unlocked);
}

static void test_agent_query_starts_none(void **state)
{
	struct rig *rig = *state;

	(void)rig_status(rig);
	assert_false(path_exists(rig->paths->agent_socket));
}

static void test_agent_give_starts_one_that_is_unlocked(void **state)
{
	struct rig *rig = *state;
	struct agent_status status;

	rig_give(rig, RIG_LIMIT_SECONDS);
	status = rig_status(rig);
	assert_true(status.running && status.unlocked);
	assert_int_equal(status.epoch, RIG_EPOCH);
	assert_memory_equal(status.uuid, rig->uuid, sizeof(rig->uuid));
	assert_in_range(status.seconds_left, RIG_LIMIT_SECONDS - 60, RIG_LIMIT_SECONDS);
}

static void test_agent_derives_what_the_root_key_yields(void **state)
{
	rig_give(*state, RIG_LIMIT_SECONDS);
	assert_true(rig_derives(*state, "coffer/identity/v1/7"));
}

static void test_agent_give_twice_is_one_process(void **state)
{
	struct rig *rig = *state;
	pid_t first;

	rig_give(rig, RIG_LIMIT_SECONDS);
	first = rig_agent_pid(rig);
	rig_give(rig, UINT64_MAX);
	assert_int_equal(rig_agent_pid(rig), first);
	assert_true(rig_status(rig).seconds_left == UINT64_MAX);
}

static void test_agent_key_source_of_no_agent_is_locked(void **state)
{
	struct rig *rig = *state;
	struct key_source source = { 0 };
	bool unlocked = true;

	assert_ok(agent_key_source(rig->paths, &source, &unlocked, NULL));
	assert_false(unlocked);
	assert_null(source.derive);
}

static void test_agent_key_source_after_lock_fails_locked(void **state)
{
	struct rig *rig = *state;
	_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;
	struct key_source source = { 0 };
	bool unlocked = false;
	bool was = false;
	cof_result result;

	rig_give(rig, RIG_LIMIT_SECONDS);
	assert_ok(agent_key_source(rig->paths, &source, &unlocked, NULL));
	assert_ok(agent_lock(rig->paths, &was, NULL));
	result = source.derive(source.context, span_of_text("coffer/x"), &key, NULL);
	source.free(source.context);
	assert_fails(result, COF_E_LOCKED);
}

static void test_agent_key_source_survives_a_new_agent(void **state)
{
	struct rig *rig = *state;
	_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;
	struct key_source source = { 0 };
	bool unlocked = false;
	bool was = false;
	cof_result result;

	rig_give(rig, RIG_LIMIT_SECONDS);
	assert_ok(agent_key_source(rig->paths, &source, &unlocked, NULL));
	assert_ok(agent_lock(rig->paths, &was, NULL));
	rig_give(rig, RIG_LIMIT_SECONDS);
	result = source.derive(source.context, span_of_text("coffer/x"), &key, NULL);
	source.free(source.context);
	assert_ok(result);
}

static void test_agent_key_source_refuses_an_info_without_end(void **state)
{
	struct rig *rig = *state;
	_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;
	uint8_t info[WIRE_INFO_MAX_BYTES + 1] = { 0 };
	struct key_source source = { 0 };
	bool unlocked = false;
	cof_result result;

	rig_give(rig, RIG_LIMIT_SECONDS);
	assert_ok(agent_key_source(rig->paths, &source, &unlocked, NULL));
	result = source.derive(source.context, SPAN(info, sizeof(info)), &key, NULL);
	source.free(source.context);
	assert_fails(result, COF_E_FORMAT);
}

static void test_agent_lock_ends_it_and_removes_its_socket(void **state)
{
	struct rig *rig = *state;
	pid_t agent;
	bool was = false;

	rig_give(rig, RIG_LIMIT_SECONDS);
	agent = rig_agent_pid(rig);
	assert_ok(agent_lock(rig->paths, &was, NULL));
	assert_true(was);
	assert_true(rig_await_end(agent));
	assert_false(path_exists(rig->paths->agent_socket));
}

static void test_agent_that_was_locked_and_then_found_stays_for_a_moment(void **state)
{
	struct rig *rig = *state;
	pid_t agent;
	bool was = false;

	rig_give(rig, RIG_LIMIT_SECONDS);
	assert_ok(agent_lock(rig->paths, &was, NULL));
	assert_ok(agent_start(rig->paths, NULL));
	agent = rig_agent_pid(rig);
	for (int i = 0; i < 5; i++) {
		rig_sleep_ms(20);
		assert_int_equal(rig_agent_pid(rig), agent);
	}
}

static void test_agent_lock_without_one_is_success(void **state)
{
	struct rig *rig = *state;
	bool was = true;

	assert_ok(agent_lock(rig->paths, &was, NULL));
	assert_false(was);
}

static void test_agent_unlock_right_after_lock_holds_the_key(void **state)
{
	struct rig *rig = *state;
	bool was = false;

	for (int i = 0; i < 20; i++) {
		rig_give(rig, RIG_LIMIT_SECONDS);
		assert_true(rig_status(rig).unlocked);
		assert_ok(agent_lock(rig->paths, &was, NULL));
		assert_true(was);
	}
}

static void test_agent_time_limit_wipes_and_ends_it(void **state)
{
	struct rig *rig = *state;
	pid_t agent;

	rig_give(rig, 1);
	agent = rig_agent_pid(rig);
	assert_true(rig_await_end(agent));
	assert_false(rig_status(rig).running);
	assert_false(path_exists(rig->paths->agent_socket));
}

static void test_agent_give_refuses_no_time(void **state)
{
	struct rig *rig = *state;

	assert_fails(client_give(rig->paths, rig->root_key, rig->uuid, RIG_EPOCH, 0, NULL),
		     COF_E_USAGE);
}

static void test_agent_wait_without_one_says_so(void **state)
{
	struct rig *rig = *state;

	assert_fails(agent_wait_unlocked(rig->paths, NULL), COF_E_NOENT);
}

static void test_agent_wait_on_an_unlocked_one_returns(void **state)
{
	struct rig *rig = *state;

	rig_give(rig, RIG_LIMIT_SECONDS);
	assert_ok(agent_wait_unlocked(rig->paths, NULL));
}

/* What a thread of test_agent_wait_... came back with. */
struct waiting {
	const struct rig *rig;
	cof_result result;
};

static void *wait_in_thread(void *argument)
{
	struct waiting *waiting = argument;

	waiting->result = agent_wait_unlocked(waiting->rig->paths, NULL);
	return NULL;
}

static void test_agent_wait_returns_when_the_key_comes(void **state)
{
	struct rig *rig = *state;
	struct waiting waiting = { .rig = rig, .result = { COF_E_FAILED } };
	pthread_t thread;

	assert_ok(agent_start(rig->paths, NULL));
	assert_int_equal(pthread_create(&thread, NULL, wait_in_thread, &waiting), 0);
	rig_sleep_ms(200);
	assert_int_equal(waiting.result.code, COF_E_FAILED);
	rig_give(rig, RIG_LIMIT_SECONDS);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_ok(waiting.result);
}

static void test_agent_wait_fails_when_the_agent_dies(void **state)
{
	struct rig *rig = *state;
	struct waiting waiting = { .rig = rig };
	pthread_t thread;

	assert_ok(agent_start(rig->paths, NULL));
	assert_int_equal(pthread_create(&thread, NULL, wait_in_thread, &waiting), 0);
	rig_sleep_ms(200);
	assert_int_equal(kill(rig_agent_pid(rig), SIGKILL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_fails(waiting.result, COF_E_IO);
}

static void test_agent_ends_in_good_order_on_sigterm(void **state)
{
	struct rig *rig = *state;
	pid_t agent;

	rig_give(rig, UINT64_MAX);
	agent = rig_agent_pid(rig);
	assert_int_equal(kill(agent, SIGTERM), 0);
	assert_true(rig_await_end(agent));
	assert_false(path_exists(rig->paths->agent_socket));
}

static void test_agent_at_a_long_path_works(void **state)
{
	struct rig *rig = *state;
	bool was = false;

	assert_true(strlen(rig->paths->agent_socket) > 107);
	rig_give(rig, RIG_LIMIT_SECONDS);
	assert_true(rig_derives(rig, "coffer/x"));
	assert_ok(agent_lock(rig->paths, &was, NULL));
	assert_true(was);
}

static int all_tests(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_agent_query_without_an_agent_says_not_running),
		TEST(test_agent_query_starts_none),
		TEST(test_agent_give_starts_one_that_is_unlocked),
		TEST(test_agent_derives_what_the_root_key_yields),
		TEST(test_agent_give_twice_is_one_process),
		TEST(test_agent_key_source_of_no_agent_is_locked),
		TEST(test_agent_key_source_after_lock_fails_locked),
		TEST(test_agent_key_source_survives_a_new_agent),
		TEST(test_agent_key_source_refuses_an_info_without_end),
		TEST(test_agent_lock_ends_it_and_removes_its_socket),
		TEST(test_agent_that_was_locked_and_then_found_stays_for_a_moment),
		TEST(test_agent_lock_without_one_is_success),
		TEST(test_agent_unlock_right_after_lock_holds_the_key),
		TEST(test_agent_time_limit_wipes_and_ends_it),
		TEST(test_agent_give_refuses_no_time),
		TEST(test_agent_wait_without_one_says_so),
		TEST(test_agent_wait_on_an_unlocked_one_returns),
		TEST(test_agent_wait_returns_when_the_key_comes),
		TEST(test_agent_wait_fails_when_the_agent_dies),
		TEST(test_agent_ends_in_good_order_on_sigterm),
		cmocka_unit_test_setup_teardown(test_agent_at_a_long_path_works, rig_setup_long,
						rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char *argv[])
{
	return rig_main(argc, argv, all_tests);
}
