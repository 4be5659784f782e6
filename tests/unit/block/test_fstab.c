/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "fstab.h"

/* Runs one edit and compares the whole text. */
static void check_set(const char *before, const char *spec, const char *expected)
{
	char decoded[128];
	char *specs[] = { decoded, NULL };
	_cleanup_buffer_ struct buffer after = { 0 };

	(void)snprintf(decoded, sizeof(decoded), "%s", spec);
	assert_ok(fstab_swap_set(span_of_text(before), specs, "/dev/mapper/swap", "sw,pri=3",
				 &after, NULL));
	assert_int_equal(after.len, strlen(expected));
	assert_memory_equal(after.data, expected, after.len);
}

static void test_swap_set_changes_one_field_alone(void **state)
{
	(void)state;
	check_set("# x\n\t/dev/sda2  none swap   sw,pri=1 0 0 # y\nlast", "/dev/sda2",
		  "# x\n\t/dev/mapper/swap  none swap   sw,pri=1 0 0 # y\nlast");
}

static void test_swap_set_adds_a_line_where_there_is_none(void **state)
{
	(void)state;
	check_set("", "/dev/sda2", "/dev/mapper/swap none swap sw,pri=3 0 0\n");
	check_set("/dev/sda1 / ext4", "/dev/sda2",
		  "/dev/sda1 / ext4\n/dev/mapper/swap none swap sw,pri=3 0 0\n");
}

static void test_swap_set_adds_no_second_line(void **state)
{
	(void)state;
	check_set("/dev/mapper/swap none swap sw\n", "/dev/sda2",
		  "/dev/mapper/swap none swap sw\n");
}

static void test_swap_set_passes_over_other_types_and_comments(void **state)
{
	(void)state;
	check_set("/dev/sda2 /srv ext4\n #/dev/sda2 none swap sw\n/dev/mapper/swap none swap sw",
		  "/dev/sda2",
		  "/dev/sda2 /srv ext4\n #/dev/sda2 none swap sw\n/dev/mapper/swap none swap sw");
}

static void test_swap_set_keeps_carriage_returns(void **state)
{
	(void)state;
	check_set("/dev/sda2 none swap\r\n", "/dev/sda2", "/dev/mapper/swap none swap\r\n");
}

static void test_swap_set_decodes_what_it_compares(void **state)
{
	(void)state;
	check_set("LABEL=my\\040swap none swap sw", "LABEL=my swap",
		  "/dev/mapper/swap none swap sw");
}

static void test_swap_set_refuses_nul_byte(void **state)
{
	char *specs[] = { NULL };
	_cleanup_buffer_ struct buffer after = { 0 };

	(void)state;
	assert_fails(fstab_swap_set(SPAN("a\0b", 3), specs, "/dev/mapper/swap", "sw", &after, NULL),
		     COF_E_FORMAT);
}

static void test_decode_takes_octal_and_leaves_the_rest(void **state)
{
	char out[16];

	(void)state;
	assert_true(fstab_decode(span_of_text("a\\040b\\134c\\09\\0"), out, sizeof(out)));
	assert_string_equal(out, "a b\\c\\09\\0");
	assert_false(fstab_decode(span_of_text("0123456789abcdef"), out, sizeof(out)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_swap_set_changes_one_field_alone),
		cmocka_unit_test(test_swap_set_adds_a_line_where_there_is_none),
		cmocka_unit_test(test_swap_set_adds_no_second_line),
		cmocka_unit_test(test_swap_set_passes_over_other_types_and_comments),
		cmocka_unit_test(test_swap_set_keeps_carriage_returns),
		cmocka_unit_test(test_swap_set_decodes_what_it_compares),
		cmocka_unit_test(test_swap_set_refuses_nul_byte),
		cmocka_unit_test(test_decode_takes_octal_and_leaves_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
