/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "swap.h"
#include "text_diff.h"

static void test_table_reads_devices_files_and_memory(void **state)
{
	_cleanup_free_ struct swap_area *areas = NULL;
	size_t count = 0;

	(void)state;
	assert_ok(swap_table_parse(
		span_of_text("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
			     "/dev/vda2                partition\t1048572\t\t12\t\t-2\n"
			     "/a\\040b\\040(deleted) file 8 0 5\n"
			     "/dev/zram0 partition 16 4 100\nnonsense\n/short file 1"),
		&areas, &count, NULL));
	assert_int_equal(count, 3);
	assert_string_equal(areas[0].path, "/dev/vda2");
	assert_false(areas[0].is_file);
	assert_int_equal(areas[0].size_bytes, 1048572ULL * 1024);
	assert_int_equal(areas[0].used_bytes, 12 * 1024);
	assert_int_equal(areas[0].priority, -2);
	assert_string_equal(areas[1].path, "/a b");
	assert_true(areas[1].is_file);
	assert_true(areas[2].is_zram);
}

/* The values of a key, each with a bar behind it. */
static void check_values(const char *text, const char *key, const char *expected)
{
	char all[256] = "";
	char value[64];
	size_t at = 0;

	while (swap_resume_next(span_of_text(text), key, &at, value, sizeof(value))) {
		(void)strcat(all, value);
		(void)strcat(all, "|");
	}
	assert_string_equal(all, expected);
}

static void test_resume_is_found_as_a_whole_word(void **state)
{
	(void)state;
	check_values("quiet resume=UUID=1 x", "resume=", "UUID=1|");
	check_values("noresume resume_offset=3 xresume=/dev/a", "resume=", "");
	check_values("A=\"quiet resume=/dev/a\"\nB='resume=/dev/b'", "resume=", "/dev/a|/dev/b|");
	check_values("# RESUME=a\n  #RESUME=b\nRESUME=\"c\"\nRESUME=", "RESUME=", "c|");
}

static void test_resume_none_changes_values_alone(void **state)
{
	_cleanup_buffer_ struct buffer after = { 0 };
	const char *expected = "# RESUME=a\nRESUME=\"none\" # x\nOTHER=1";

	(void)state;
	assert_ok(swap_resume_none(span_of_text("# RESUME=a\nRESUME=\"UUID=1\" # x\nOTHER=1"),
				   &after, NULL));
	assert_int_equal(after.len, strlen(expected));
	assert_memory_equal(after.data, expected, after.len);
}

static void test_options_random_wants_key_and_word(void **state)
{
	(void)state;
	assert_true(swap_options_random("/dev/urandom", "cipher=x,swap"));
	assert_false(swap_options_random("/dev/urandom", "swapx,tmp"));
	assert_false(swap_options_random("/etc/key", "swap"));
	assert_false(swap_options_random("/dev/urandom", ""));
}

/* Compares the diff of two texts. */
static void check_diff(const char *before, const char *after, const char *expected)
{
	_cleanup_buffer_ struct buffer diff = { 0 };

	assert_ok(text_diff("/f", span_of_text(before), span_of_text(after), &diff, NULL));
	assert_int_equal(diff.len, strlen(expected));
	if (diff.len)
		assert_memory_equal(diff.data, expected, diff.len);
}

static void test_diff_shows_changes_and_their_neighbours(void **state)
{
	(void)state;
	check_diff("a\nb\n", "a\nb\n", "");
	check_diff("", "a\n", "--- /f\n+a\n");
	check_diff("a\nb\nc\nd\ne\n", "a\nb\nC\nd\ne\n", "--- /f\n b\n-c\n+C\n d\n");
	check_diff("a\nb\nc", "a\nc\nd", "--- /f\n a\n-b\n c\n+d\n");
	check_diff("a\n", "", "--- /f\n-a\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_reads_devices_files_and_memory),
		cmocka_unit_test(test_resume_is_found_as_a_whole_word),
		cmocka_unit_test(test_resume_none_changes_values_alone),
		cmocka_unit_test(test_options_random_wants_key_and_word),
		cmocka_unit_test(test_diff_shows_changes_and_their_neighbours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
