/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Programs in our place: their status, and signals that are passed on.
 */

#include "unit.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "foreground.h"

static void test_foreground_run_gives_the_status(void **state)
{
	int status = -1;

	assert_ok(foreground_run((const char *const[]){ "sh", "-c", "exit 41", NULL }, &status,
				 NULL));
	assert_int_equal(status, 41);
	assert_ok(foreground_run((const char *const[]){ "sh", "-c", "kill -9 $$", NULL }, &status,
				 NULL));
	assert_int_equal(status, 128 + SIGKILL);
}

static void test_foreground_run_refuses_what_is_no_program(void **state)
{
	int status = -1;

	assert_fails(foreground_run((const char *const[]){ "/no/such", NULL }, &status, NULL),
		     COF_E_NOENT);
	assert_int_equal(status, -1);
}

static void test_foreground_run_passes_on_what_asks_for_the_end(void **state)
{
	int status = -1;

	/* The program asks its parent, which is this process, to end, and waits for the same. */
	assert_ok(foreground_run((const char *const[]){ "sh", "-c",
							"trap 'exit 7' TERM; kill -TERM $PPID; "
							"while :; do sleep 0.01; done",
							NULL },
				 &status, NULL));
	assert_int_equal(status, 7);
}

static void test_foreground_run_works_where_children_are_ignored(void **state)
{
	int status = -1;

	(void)signal(SIGCHLD, SIG_IGN);
	assert_ok(foreground_run((const char *const[]){ "true", NULL }, &status, NULL));
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_foreground_run_gives_the_status),
		cmocka_unit_test(test_foreground_run_refuses_what_is_no_program),
		cmocka_unit_test(test_foreground_run_passes_on_what_asks_for_the_end),
		cmocka_unit_test(test_foreground_run_works_where_children_are_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
