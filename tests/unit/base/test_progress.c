/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The board on a terminal, seen from its other end.
 */

#include "unit.h"

#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "progress.h"

#define LONG_NAME "enc-wwn-0x50000393a8c96130-and-more"

/* What a board of @jobs lines draws on a terminal of 30 columns and 5 rows. */
static const char *drawn(size_t jobs)
{
	static char screen[2048];
	struct winsize size = { .ws_col = 30, .ws_row = 5 };
	size_t len = 0;
	ssize_t got;
	int master, status;
	pid_t child = forkpty(&master, NULL, NULL, &size);

	assert_true(child >= 0);
	if (child == 0) {
		struct progress *progress = NULL;

		(void)unsetenv("COLUMNS");
		(void)setenv("TERM", "vt100", 1);
		cof_ignore(progress_new(jobs, false, &progress, NULL));
		progress_step(progress, 0, LONG_NAME, "wiping");
		progress_step(progress, 0, LONG_NAME, "formatting");
		progress_free(progress);
		_exit(0);
	}
	while ((got = read(master, screen + len, sizeof(screen) - 1 - len)) > 0)
		len += (size_t)got;
	screen[len] = '\0';
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(close(master), 0);
	assert_int_equal(status, 0);
	return screen;
}

static void test_progress_line_ends_before_the_screen_does(void **state)
{
	const char *screen = drawn(1);

	(void)state;
	assert_non_null(strstr(screen, "\r\033[Kenc-wwn-0x50000393a8c96130-an\r\n"));
	assert_null(strstr(screen, "-and"));
}

static void test_progress_is_drawn_over_the_line_before(void **state)
{
	(void)state;
	assert_non_null(strstr(drawn(1), "\033[1A\r\033[K"));
}

static void test_progress_of_more_jobs_than_rows_draws_over_nothing(void **state)
{
	const char *screen = drawn(5);

	(void)state;
	assert_null(strstr(screen, "\033"));
	assert_non_null(strstr(screen, LONG_NAME ": wiping\r\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_progress_line_ends_before_the_screen_does),
		cmocka_unit_test(test_progress_is_drawn_over_the_line_before),
		cmocka_unit_test(test_progress_of_more_jobs_than_rows_draws_over_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
