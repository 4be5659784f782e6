/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <unistd.h>

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

/* child_fetch() of a shell command, for at most @timeout_ms. */
static cof_result fetch(const char *command, unsigned int timeout_ms, uint8_t *out, size_t room,
			size_t *ret_len, struct cof_error *err)
{
	static const char *const environment[] = { "ONLY=this", NULL };
	const char *const argv[] = { "/bin/sh", "-c", command, NULL };
	struct child_spec spec = {
		.argv = argv, .environment = environment, .apart = true, .timeout_ms = timeout_ms
	};

	return child_fetch(&spec, out, room, ret_len, NULL, err);
}

static void test_fetch_gives_all_bytes_and_no_environment(void **state)
{
	uint8_t out[64];
	size_t len = 0;

	(void)state;
	assert_ok(fetch("printf 'a\\0b\\n'; cat; echo $ONLY$HOME", 5000, out, sizeof(out), &len,
			NULL));
	assert_int_equal(len, 9);
	assert_memory_equal(out, "a\0b\nthis\n", 9);
}

static void test_fetch_of_as_much_as_fits_is_fine_and_of_more_is_refused(void **state)
{
	uint8_t out[4];
	size_t len = 0;

	(void)state;
	assert_ok(fetch("printf 1234", 5000, out, sizeof(out), &len, NULL));
	assert_int_equal(len, 4);
	assert_fails(fetch("printf 12345", 5000, out, sizeof(out), &len, NULL), COF_E_FORMAT);
	assert_fails(fetch("cat /dev/zero", 5000, out, sizeof(out), &len, NULL), COF_E_FORMAT);
}

static void test_fetch_with_a_status_fails_with_the_last_line(void **state)
{
	struct cof_error err = { 0 };
	uint8_t out[4];
	size_t len;

	(void)state;
	assert_fails(fetch("echo no >&2; exit 3", 5000, out, sizeof(out), &len, &err),
		     COF_E_FAILED);
	assert_string_equal(err.cause, "no");
}

static void test_fetch_past_its_time_kills_what_the_child_started(void **state)
{
	struct cof_error err = { 0 };
	int tell[2];
	uint8_t out[4];
	size_t len;
	char end;

	(void)state;
	assert_int_equal(pipe(tell), 0);
	assert_fails(fetch("sleep 60 & sleep 60", 100, out, sizeof(out), &len, &err), COF_E_FAILED);
	assert_fails(fetch("exec >&- 2>&-; sleep 60", 100, out, sizeof(out), &len, &err),
		     COF_E_FAILED);
	/* Both, and what they had started, were the only others with the other end. */
	assert_int_equal(close(tell[1]), 0);
	assert_int_equal(read(tell[0], &end, 1), 0);
	assert_int_equal(close(tell[0]), 0);
}

static void test_fetch_hands_a_descriptor_on(void **state)
{
	const char *const argv[] = { "/bin/cat", "/proc/self/fd/3", NULL };
	struct child_spec spec = { .argv = argv, .apart = true, .timeout_ms = 5000 };
	uint8_t out[8];
	int status = -1;
	int pipe_fds[2];
	size_t len = 0;

	(void)state;
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	assert_int_equal(write(pipe_fds[1], "given", 5), 5);
	assert_int_equal(close(pipe_fds[1]), 0);
	spec.given_fd = pipe_fds[0];
	assert_ok(child_fetch(&spec, out, sizeof(out), &len, &status, NULL));
	assert_int_equal(status, 0);
	assert_int_equal(close(pipe_fds[0]), 0);
	assert_int_equal(len, 5);
	assert_memory_equal(out, "given", 5);
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
		cmocka_unit_test(test_fetch_gives_all_bytes_and_no_environment),
		cmocka_unit_test(test_fetch_of_as_much_as_fits_is_fine_and_of_more_is_refused),
		cmocka_unit_test(test_fetch_with_a_status_fails_with_the_last_line),
		cmocka_unit_test(test_fetch_past_its_time_kills_what_the_child_started),
		cmocka_unit_test(test_fetch_hands_a_descriptor_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
