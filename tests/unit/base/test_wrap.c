/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Text in lines that fit the screen.
 */

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "screen.h"
#include "wrap.h"

/* What wrap_print() makes of a text; caller frees. */
static char *printed(size_t columns, size_t indent, size_t there, const char *text)
{
	char *out = NULL;
	size_t size_bytes;
	FILE *file = open_memstream(&out, &size_bytes);

	assert_non_null(file);
	wrap_print(file, columns, indent, there, text);
	assert_int_equal(fclose(file), 0);
	return out;
}

#define assert_prints(expected, ...)                                                               \
	do {                                                                                       \
		char *out_ = printed(__VA_ARGS__);                                                 \
		assert_string_equal(out_, (expected));                                             \
		free(out_);                                                                        \
	} while (0)

static void test_wrap_breaks_between_words(void **state)
{
	(void)state;
	assert_prints("one two\nthree\n", 10, 0, 0, "one two three");
	assert_prints("one two\nthree\n", 7, 0, 0, "one two three");
}

static void test_wrap_indents_each_line(void **state)
{
	(void)state;
	assert_prints("  one two\n  three\n", 10, 2, 0, "one two three");
	assert_prints("one two\n  three\n", 10, 2, 2, "one two three");
}

static void test_wrap_keeps_what_is_to_be_typed_together(void **state)
{
	(void)state;
	assert_prints("see\n`a b c`,\nnow\n", 11, 0, 0, "see `a b c`, now");
	assert_prints("a\n`one two three`\nb\n", 8, 0, 0, "a `one two three` b");
	assert_prints("a ` b\nc\n", 5, 0, 0, "a ` b c");
}

static void test_wrap_breaks_no_long_word(void **state)
{
	(void)state;
	assert_prints("a\n/dev/disk/by-id/x\nb\n", 6, 0, 0, "a /dev/disk/by-id/x b");
}

static void test_wrap_without_a_limit_breaks_nothing(void **state)
{
	(void)state;
	assert_prints("one two three\n", SCREEN_ANY_COLUMNS, 0, 0, "one two three");
}

static void test_wrap_counts_characters_not_bytes(void **state)
{
	(void)state;
	assert_prints("\xc3\xa4\xc3\xa4 \xc3\xa4\n", 4, 0, 0, "\xc3\xa4\xc3\xa4 \xc3\xa4");
}

static void test_wrap_keeps_paragraphs_and_lines_with_a_tab(void **state)
{
	(void)state;
	assert_prints("one\n\ntwo\n     a  b  c\nend\n", 9, 0, 0, "one\n\ntwo\n\t a  b  c\nend");
}

static void test_wrap_line_hangs_below_its_indent(void **state)
{
	char *out = NULL;
	size_t size_bytes;
	FILE *file = open_memstream(&out, &size_bytes);

	(void)state;
	assert_non_null(file);
	wrap_line(file, 9, 0, 2, "one two three");
	wrap_line(file, 9, 0, 2, "");
	assert_int_equal(fclose(file), 0);
	assert_string_equal(out, "one two\n  three\n\n");
	free(out);
}

/* A remedy in lines of ten columns. */
static void assert_remedy(const char *expected, const char *text)
{
	char *out = NULL;
	size_t size_bytes;
	FILE *file = open_memstream(&out, &size_bytes);

	assert_non_null(file);
	wrap_remedy(file, 10, 0, 0, text);
	assert_int_equal(fclose(file), 0);
	assert_string_equal(out, expected);
	free(out);
}

static void test_wrap_remedy_keeps_a_command_in_one_line(void **state)
{
	(void)state;
	assert_remedy("coffer disk open 'a, b',\nwhich\nopens it\n",
		      "coffer disk open 'a, b', which opens it");
	assert_remedy("wait, then\nmv a /dev/b;\nor go\n", "wait, then mv a /dev/b; or go");
	assert_remedy("mvx one\ntwo three\n", "mvx one two three");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrap_breaks_between_words),
		cmocka_unit_test(test_wrap_indents_each_line),
		cmocka_unit_test(test_wrap_keeps_what_is_to_be_typed_together),
		cmocka_unit_test(test_wrap_breaks_no_long_word),
		cmocka_unit_test(test_wrap_without_a_limit_breaks_nothing),
		cmocka_unit_test(test_wrap_counts_characters_not_bytes),
		cmocka_unit_test(test_wrap_keeps_paragraphs_and_lines_with_a_tab),
		cmocka_unit_test(test_wrap_line_hangs_below_its_indent),
		cmocka_unit_test(test_wrap_remedy_keeps_a_command_in_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
