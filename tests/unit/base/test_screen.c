/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How wide a screen is, and what fits on it.
 */

#include "unit.h"

#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "screen.h"

/* A terminal of that many columns; returns its other end, which is open as long as it. */
static int open_terminal(unsigned short columns, unsigned short rows, int *ret_master)
{
	struct winsize size = { .ws_col = columns, .ws_row = rows };
	int terminal;

	assert_int_equal(openpty(ret_master, &terminal, NULL, NULL, &size), 0);
	return terminal;
}

static int no_columns(void **state)
{
	(void)state;
	return unsetenv("COLUMNS");
}

static void test_screen_columns_are_those_of_the_terminal(void **state)
{
	int master;
	int terminal = open_terminal(61, 17, &master);

	(void)state;
	assert_int_equal(screen_columns(terminal, 80), 61);
	assert_int_equal(screen_rows(terminal, 99), 17);
	assert_int_equal(close(terminal) + close(master), 0);
}

static void test_screen_columns_of_no_terminal_are_as_told(void **state)
{
	int pipes[2];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(screen_columns(pipes[1], 80), 80);
	assert_int_equal(screen_rows(pipes[1], 99), 99);
	assert_int_equal(close(pipes[0]) + close(pipes[1]), 0);
}

static void test_screen_columns_of_the_environment_count_first(void **state)
{
	int master;
	int terminal = open_terminal(61, 17, &master);

	(void)state;
	assert_int_equal(setenv("COLUMNS", "72", 1), 0);
	assert_int_equal(screen_columns(terminal, 80), 72);
	assert_int_equal(setenv("COLUMNS", "wide", 1), 0);
	assert_int_equal(screen_columns(terminal, 80), 61);
	assert_int_equal(setenv("COLUMNS", "1", 1), 0);
	assert_int_equal(screen_columns(terminal, 80), 20);
	assert_int_equal(close(terminal) + close(master), 0);
}

static void test_screen_width_counts_characters(void **state)
{
	(void)state;
	assert_int_equal(screen_width(""), 0);
	assert_int_equal(screen_width("a\xc3\xa4z"), 3);
}

static void test_screen_fit_cuts_no_character(void **state)
{
	(void)state;
	assert_int_equal(screen_fit("abc", 5), 3);
	assert_int_equal(screen_fit("abc", 2), 2);
	assert_int_equal(screen_fit("a\xc3\xa4z", 2), 3);
	assert_int_equal(screen_fit("\xc3\xa4", 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_screen_columns_are_those_of_the_terminal, no_columns),
		cmocka_unit_test_setup(test_screen_columns_of_no_terminal_are_as_told, no_columns),
		cmocka_unit_test_setup(test_screen_columns_of_the_environment_count_first,
				       no_columns),
		cmocka_unit_test(test_screen_width_counts_characters),
		cmocka_unit_test(test_screen_fit_cuts_no_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
