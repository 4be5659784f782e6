/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include "child.h"

static void test_run_catches_output_and_feeds_input(void **state)
{
	_cleanup_buffer_ struct buffer output = { 0 };
	int status = -1;

	(void)state;
	assert_ok(child_run((const char *const[]){ "tr", "a-z", "A-Z", NULL }, SPAN("hello", 5),
			    5000, &output, &status, NULL));
	assert_int_equal(status, 0);
	assert_int_equal(output.len, 5);
	assert_memory_equal(output.data, "HELLO", 5);
}

static void test_run_of_more_input_than_a_pipe_holds_ends(void **state)
{
	_cleanup_buffer_ struct buffer input = { 0 };
	_cleanup_buffer_ struct buffer output = { 0 };
	int status = -1;

	(void)state;
	for (unsigned int i = 0; i < 300000; i++)
		assert_ok(buffer_add_u8(&input, (uint8_t)i, NULL));
	assert_ok(child_run((const char *const[]){ "cat", NULL }, buffer_span(&input), 20000,
			    &output, &status, NULL));
	assert_int_equal(output.len, input.len);
	assert_memory_equal(output.data, input.data, input.len);
}

static void test_run_gives_the_exit_status_and_the_last_line_of_stderr(void **state)
{
	struct cof_error err = { 0 };
	int status = -1;

	(void)state;
	assert_ok(child_run(
		(const char *const[]){ "sh", "-c", "echo a >&2; echo b >&2; exit 7", NULL },
		SPAN(NULL, 0), 5000, NULL, &status, &err));
	assert_int_equal(status, 7);
	assert_string_equal(err.cause, "b");
}

static void test_run_of_a_killed_child_is_128_and_the_signal(void **state)
{
	int status = -1;

	(void)state;
	assert_ok(child_run((const char *const[]){ "sh", "-c", "kill -9 $$", NULL }, SPAN(NULL, 0),
			    5000, NULL, &status, NULL));
	assert_int_equal(status, 137);
}

static void test_run_past_its_time_fails_and_kills(void **state)
{
	int status = -1;

	(void)state;
	assert_fails(child_run((const char *const[]){ "sleep", "60", NULL }, SPAN(NULL, 0), 100,
			       NULL, &status, NULL),
		     COF_E_FAILED);
}

static void test_run_of_no_program_is_not_found(void **state)
{
	int status = -1;

	(void)state;
	assert_fails(child_run((const char *const[]){ "no-such-program-here", NULL }, SPAN(NULL, 0),
			       0, NULL, &status, NULL),
		     COF_E_NOENT);
}

static void test_check_turns_a_status_into_a_failure(void **state)
{
	struct cof_error err = { 0 };

	(void)state;
	assert_ok(child_check((const char *const[]){ "true", NULL }, 5000, NULL));
	assert_fails(child_check((const char *const[]){ "sh", "-c", "echo why >&2; exit 3", NULL },
				 5000, &err),
		     COF_E_FAILED);
	assert_string_equal(err.cause, "why");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_run_catches_output_and_feeds_input),
		cmocka_unit_test(test_run_of_more_input_than_a_pipe_holds_ends),
		cmocka_unit_test(test_run_gives_the_exit_status_and_the_last_line_of_stderr),
		cmocka_unit_test(test_run_of_a_killed_child_is_128_and_the_signal),
		cmocka_unit_test(test_run_past_its_time_fails_and_kills),
		cmocka_unit_test(test_run_of_no_program_is_not_found),
		cmocka_unit_test(test_check_turns_a_status_into_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
