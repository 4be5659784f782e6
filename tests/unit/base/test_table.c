/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tables on screens of several widths.
 */

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "table.h"

/* A table of two rows, as it is printed on a screen of that many columns (NULL: no screen). */
static const char *printed(const char *screen)
{
	static const char *const columns[] = { "DEVICE", ">SIZE", "KEY", "USE", NULL };
	static const char *const first[] = { "/dev/sda", "2.0G", NULL, "mounted at /srv" };
	static const char *const second[] = { "/dev/sda1", "1.0G", NULL, NULL };
	static char text[1024];
	_cleanup_(table_freep) struct table *table = NULL;
	_cleanup_file_ FILE *file = NULL;

	memset(text, 0, sizeof(text));
	file = fmemopen(text, sizeof(text), "w");
	assert_non_null(file);
	assert_int_equal(screen ? setenv("COLUMNS", screen, 1) : unsetenv("COLUMNS"), 0);
	assert_ok(table_new(columns, &table, NULL));
	assert_ok(table_add(table, first, NULL));
	assert_ok(table_add_below(table, 1, second, NULL));
	assert_ok(table_print(table, file, NULL));
	assert_int_equal(fflush(file), 0);
	return text;
}

static void test_table_print_without_screen_has_every_column(void **state)
{
	const char *text = printed(NULL);

	(void)state;
	assert_non_null(strstr(text, "DEVICE"));
	assert_non_null(strstr(text, "KEY"));
	assert_non_null(strstr(text, "-   mounted at /srv\n"));
}

static void test_table_print_on_a_wide_screen_is_the_same(void **state)
{
	char wide[1024];

	(void)state;
	(void)snprintf(wide, sizeof(wide), "%s", printed("80"));
	assert_string_equal(printed(NULL), wide);
}

static void test_table_print_on_a_narrow_screen_drops_empty_columns(void **state)
{
	const char *text = printed("34");

	(void)state;
	assert_non_null(strstr(text, "DEVICE"));
	assert_non_null(strstr(text, "mounted at /srv\n"));
	assert_null(strstr(text, "KEY"));
}

static void test_table_print_on_a_very_narrow_screen_prints_pairs(void **state)
{
	(void)state;
	assert_string_equal(printed("28"), "DEVICE /dev/sda  SIZE 2.0G\n"
					   "    USE mounted at /srv\n"
					   "DEVICE /dev/sda1  SIZE 1.0G\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_print_without_screen_has_every_column),
		cmocka_unit_test(test_table_print_on_a_wide_screen_is_the_same),
		cmocka_unit_test(test_table_print_on_a_narrow_screen_drops_empty_columns),
		cmocka_unit_test(test_table_print_on_a_very_narrow_screen_prints_pairs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
