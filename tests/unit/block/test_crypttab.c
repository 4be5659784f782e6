/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include "tabfile.h"

/* What a person's file looks like: comments, odd spacing, other people's lines. */
static const char sample[] = "# <target name>\t<source> <key file> <options>\n"
			     "\n"
			     "  swap\t/dev/sdb2   /dev/urandom\tswap,cipher=aes-xts-plain64\n"
			     "# data\n"
			     "data UUID=1234 none luks # mine\n"
			     "lonely\n"
			     "two /dev/sdc\n";

static struct crypttab *parsed(const char *text)
{
	struct crypttab *table = NULL;

	assert_ok(crypttab_parse(span_of_text(text), &table, NULL));
	return table;
}

/* The table is just this text. */
static void check_text(const struct crypttab *table, const char *expected)
{
	_cleanup_buffer_ struct buffer text = { 0 };

	assert_ok(crypttab_format(table, &text, NULL));
	assert_ok(buffer_add(&text, "", 1, NULL));
	assert_string_equal((char *)text.data, expected);
}

/* Setting these fields in @before gives @after. */
static void check_set(const char *before, const char *name, const char *source, const char *key,
		      const char *options, const char *after)
{
	_cleanup_(crypttab_freep) struct crypttab *table = parsed(before);

	assert_ok(crypttab_set(table, name, source, key, options, NULL));
	check_text(table, after);
}

static void test_crypttab_untouched_is_equal_to_the_last_byte(void **state)
{
	static const char *const texts[] = { "",
					     "\n",
					     "a",
					     "a b",
					     sample,
					     "a b\r\nc d\r\n",
					     "\r\r\n\n\r",
					     "x\ty\vz\f1 2 3 4 \n#",
					     "\xff\xfe\x01 \x80" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		_cleanup_(crypttab_freep) struct crypttab *table = parsed(texts[i]);

		check_text(table, texts[i]);
	}
}

static void test_crypttab_parse_refuses_a_nul_byte(void **state)
{
	struct crypttab *table = NULL;

	assert_fails(crypttab_parse(SPAN("a b\0c", 5), &table, NULL), COF_E_FORMAT);
	assert_null(table);
}

static void test_crypttab_at_counts_entries_alone(void **state)
{
	_cleanup_(crypttab_freep) struct crypttab *table = parsed(sample);
	struct crypttab_entry entry;

	assert_true(crypttab_at(table, 0, &entry));
	assert_string_equal(entry.name, "swap");
	assert_string_equal(entry.source, "/dev/sdb2");
	assert_string_equal(entry.key, "/dev/urandom");
	assert_string_equal(entry.options, "swap,cipher=aes-xts-plain64");
	assert_int_equal(entry.line, 3);
	assert_true(crypttab_at(table, 1, &entry));
	assert_string_equal(entry.name, "data");
	assert_string_equal(entry.options, "luks");
	assert_true(crypttab_at(table, 2, &entry));
	assert_string_equal(entry.name, "two");
	assert_string_equal(entry.key, "");
	assert_string_equal(entry.options, "");
	assert_false(crypttab_at(table, 3, &entry));
}

static void test_crypttab_find_takes_the_first_of_two(void **state)
{
	_cleanup_(crypttab_freep) struct crypttab *table = parsed("a first\na second\n");
	struct crypttab_entry entry;

	assert_true(crypttab_find(table, "a", &entry));
	assert_string_equal(entry.source, "first");
}

static void test_crypttab_find_unknown_is_no(void **state)
{
	_cleanup_(crypttab_freep) struct crypttab *table = parsed(sample);
	struct crypttab_entry entry;

	assert_false(crypttab_find(table, "lonely", &entry));
	assert_false(crypttab_find(table, "dat", &entry));
	assert_false(crypttab_find(table, "#", &entry));
}

static void test_crypttab_find_reads_carriage_returns_as_line_ends(void **state)
{
	_cleanup_(crypttab_freep) struct crypttab *table = parsed("a b c d\re f g h\r\n");
	struct crypttab_entry entry;

	assert_true(crypttab_find(table, "e", &entry));
	assert_string_equal(entry.options, "h");
}

static void test_crypttab_set_new_line_goes_to_the_end(void **state)
{
	check_set("# c\na b\n", "enc-x", "/dev/x", "/run/k", "luks",
		  "# c\na b\nenc-x /dev/x /run/k luks\n");
	check_set("", "enc-x", "/dev/x", NULL, NULL, "enc-x /dev/x\n");
	check_set("", "enc-x", "/dev/x", NULL, "luks", "enc-x /dev/x none luks\n");
}

static void test_crypttab_set_ends_a_last_line_without_newline_first(void **state)
{
	check_set("# no end", "x", "/dev/x", "k", "luks", "# no end\nx /dev/x k luks\n");
	check_set("a b\r", "x", "/dev/x", "k", "luks", "a b\r\nx /dev/x k luks\n");
}

static void test_crypttab_set_changes_only_the_fields_that_differ(void **state)
{
	check_set("#\n  a \t/dev/old\tk   opt  # tail\n\n", "a", "/dev/new", "k", "opt",
		  "#\n  a \t/dev/new\tk   opt  # tail\n\n");
	check_set("a b c d\r\n", "a", "b", "key", "d", "a b key d\r\n");
}

static void test_crypttab_set_same_fields_leaves_the_line_untouched(void **state)
{
	check_set(" a\tb  c\td ", "a", "b", "c", "d", " a\tb  c\td ");
	check_set("a b -\n", "a", "b", "none", NULL, "a b -\n");
	check_set("a b\n", "a", "b", "", "", "a b\n");
}

static void test_crypttab_set_without_options_keeps_what_the_user_added(void **state)
{
	check_set("a b c luks,nofail\n", "a", "b", "key", NULL, "a b key luks,nofail\n");
}

static void test_crypttab_set_without_key_keeps_the_key(void **state)
{
	check_set("a b c luks\n", "a", "b2", NULL, NULL, "a b2 c luks\n");
}

static void test_crypttab_set_adds_fields_that_were_left_out(void **state)
{
	check_set("a b  \n", "a", "b", "c", "d", "a b c d  \n");
	check_set("a b\n", "a", "b", NULL, "d", "a b none d\n");
	check_set("a b c", "a", "b", "c", "d", "a b c d");
}

static void test_crypttab_set_empty_fields_are_taken_away(void **state)
{
	check_set("a b c d\n", "a", "b", "", NULL, "a b none d\n");
	check_set("a b c d\n", "a", "b", "c", "", "a b c\n");
}

static void test_crypttab_set_twice_is_set_once(void **state)
{
	_cleanup_(crypttab_freep) struct crypttab *table = parsed(sample);
	_cleanup_buffer_ struct buffer once = { 0 };

	assert_ok(crypttab_set(table, "n", "/dev/n", "k", "o", NULL));
	assert_ok(crypttab_format(table, &once, NULL));
	assert_ok(buffer_add(&once, "", 1, NULL));
	assert_ok(crypttab_set(table, "n", "/dev/n", "k", "o", NULL));
	check_text(table, (char *)once.data);
}

/* Setting these is a usage error and changes nothing. */
static void check_refused(const char *name, const char *source, const char *key,
			  const char *options)
{
	_cleanup_(crypttab_freep) struct crypttab *table = parsed("a b");

	assert_fails(crypttab_set(table, name, source, key, options, NULL), COF_E_USAGE);
	check_text(table, "a b");
}

static void test_crypttab_set_refuses_blanks_in_any_field(void **state)
{
	check_refused("a b", "s", "k", "o");
	check_refused("n", "s\tt", "k", "o");
	check_refused("n", "s", "k\nx y", "o");
	check_refused("n", "s", "k", "o,\r");
}

static void test_crypttab_set_refuses_an_empty_name_or_source(void **state)
{
	check_refused("", "s", "k", "o");
	check_refused("n", "", "k", "o");
}

static void test_crypttab_set_refuses_a_name_that_starts_a_comment(void **state)
{
	check_refused("#n", "s", "k", "o");
}

static void test_crypttab_remove_takes_all_of_that_name_alone(void **state)
{
	_cleanup_(crypttab_freep) struct crypttab *table =
		parsed("# of a\na b\nab c\n a  d\n#a\na\nlast x");

	crypttab_remove(table, "a");
	check_text(table, "# of a\nab c\n#a\na\nlast x");
}

static void test_crypttab_remove_unknown_changes_nothing(void **state)
{
	_cleanup_(crypttab_freep) struct crypttab *table = parsed(sample);

	crypttab_remove(table, "lonely");
	check_text(table, sample);
}

static void test_crypttab_comment_out_keeps_every_byte_behind_a_mark(void **state)
{
	_cleanup_(crypttab_freep) struct crypttab *table = parsed("x y\n a\t b  c\nab c\na d");
	struct crypttab_entry entry;

	(void)state;
	assert_ok(crypttab_comment_out(table, "a", NULL));
	check_text(table, "x y\n#  a\t b  c\nab c\n# a d");
	assert_false(crypttab_find(table, "a", &entry));
	assert_ok(crypttab_comment_out(table, "unknown", NULL));
	check_text(table, "x y\n#  a\t b  c\nab c\n# a d");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crypttab_untouched_is_equal_to_the_last_byte),
		cmocka_unit_test(test_crypttab_parse_refuses_a_nul_byte),
		cmocka_unit_test(test_crypttab_at_counts_entries_alone),
		cmocka_unit_test(test_crypttab_find_takes_the_first_of_two),
		cmocka_unit_test(test_crypttab_find_unknown_is_no),
		cmocka_unit_test(test_crypttab_find_reads_carriage_returns_as_line_ends),
		cmocka_unit_test(test_crypttab_set_new_line_goes_to_the_end),
		cmocka_unit_test(test_crypttab_set_ends_a_last_line_without_newline_first),
		cmocka_unit_test(test_crypttab_set_changes_only_the_fields_that_differ),
		cmocka_unit_test(test_crypttab_set_same_fields_leaves_the_line_untouched),
		cmocka_unit_test(test_crypttab_set_without_options_keeps_what_the_user_added),
		cmocka_unit_test(test_crypttab_set_without_key_keeps_the_key),
		cmocka_unit_test(test_crypttab_set_adds_fields_that_were_left_out),
		cmocka_unit_test(test_crypttab_set_empty_fields_are_taken_away),
		cmocka_unit_test(test_crypttab_set_twice_is_set_once),
		cmocka_unit_test(test_crypttab_set_refuses_blanks_in_any_field),
		cmocka_unit_test(test_crypttab_set_refuses_an_empty_name_or_source),
		cmocka_unit_test(test_crypttab_set_refuses_a_name_that_starts_a_comment),
		cmocka_unit_test(test_crypttab_remove_takes_all_of_that_name_alone),
		cmocka_unit_test(test_crypttab_remove_unknown_changes_nothing),
		cmocka_unit_test(test_crypttab_comment_out_keeps_every_byte_behind_a_mark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
