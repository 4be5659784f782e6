/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The configuration of a service as text.
 */

#include "unit.h"

#include "config.h"

/* One parse. */
struct parsed {
	struct config config;
	struct config_mistakes mistakes;
};

static void parse(const char *text, struct parsed *ret_parsed)
{
	memset(ret_parsed, 0, sizeof(*ret_parsed));
	assert_ok(
		config_parse(span_of_text(text), &ret_parsed->config, &ret_parsed->mistakes, NULL));
}

/* The text has one mistake, in this line, with this in its text. */
static void assert_mistake(const char *text, size_t line, const char *wanted)
{
	struct parsed parsed;

	parse(text, &parsed);
	assert_int_equal(parsed.mistakes.count, 1);
	assert_int_equal(parsed.mistakes.items[0].line, line);
	assert_non_null(strstr(parsed.mistakes.items[0].text, wanted));
	config_done(&parsed.config);
}

static const char *value(const struct parsed *parsed, const char *section, const char *keyword)
{
	const struct config_line *line = config_find(&parsed->config, section, keyword, "node1");

	return line ? line->value : NULL;
}

static void test_config_reads_sections_comments_and_both_separators(void **state)
{
	struct parsed parsed;

	parse("# first\n[DEFAULT]\nid = 1\n; second\n\n[disk#0]\r\nfile=/a b\r\nSize : 1G\n",
	      &parsed);
	assert_int_equal(parsed.mistakes.count, 0);
	assert_string_equal(value(&parsed, "DEFAULT", "id"), "1");
	assert_string_equal(value(&parsed, "disk#0", "file"), "/a b");
	assert_string_equal(value(&parsed, "disk#0", "size"), "1G");
	assert_null(value(&parsed, "disk#0", "id"));
	assert_int_equal(config_find(&parsed.config, "disk#0", "size", "x")->line, 8);
	config_done(&parsed.config);
}

static void test_config_keeps_semicolons_and_hashes_in_values(void **state)
{
	struct parsed parsed;

	parse("[fs#0]\nmkfs_opt = -O ^x ; y # z\n", &parsed);
	assert_string_equal(value(&parsed, "fs#0", "mkfs_opt"), "-O ^x ; y # z");
	config_done(&parsed.config);
}

static void test_config_joins_lines_that_go_on(void **state)
{
	struct parsed parsed;

	parse("[disk#0]\ndevs = /dev/a\n  /dev/b\n\t/dev/c\n", &parsed);
	assert_int_equal(parsed.mistakes.count, 0);
	assert_string_equal(value(&parsed, "disk#0", "devs"), "/dev/a /dev/b /dev/c");
	config_done(&parsed.config);
}

static void test_config_prefers_this_node_then_nodes_then_all(void **state)
{
	struct parsed parsed;

	parse("[d#0]\ndev = all\ndev@nodes = nodes\ndev@node1 = mine\ndev@node2 = other\n",
	      &parsed);
	assert_string_equal(config_find(&parsed.config, "d#0", "dev", "node1")->value, "mine");
	assert_string_equal(config_find(&parsed.config, "d#0", "dev", "node3")->value, "nodes");
	config_done(&parsed.config);
}

static void test_config_names_line_of_every_mistake(void **state)
{
	assert_mistake("[disk#0\nx=1\n", 1, "no section");
	assert_mistake("[\n", 1, "no section");
	assert_mistake("[]\n", 1, "no section");
	assert_mistake("[a]\nnothing here\n", 2, "is not \"keyword = value\"");
	assert_mistake("[a]\n= 1\n", 2, "is not \"keyword = value\"");
	assert_mistake("[a]\nx@ = 1\n", 2, "is not \"keyword = value\"");
	assert_mistake("x = 1\n", 1, "before the first section");
	assert_mistake("[a]\nx = 1\nX = 2\n", 3, "already in line 2");
	assert_mistake("[a]\n[b]\n[a]\n", 3, "already since line 1");
}

static void test_config_refuses_nul_byte(void **state)
{
	struct config config = { 0 };
	struct config_mistakes mistakes = { 0 };

	assert_ok(config_parse(SPAN("[a]\nx\0=1\n", 9), &config, &mistakes, NULL));
	assert_int_equal(mistakes.count, 1);
	assert_int_equal(mistakes.items[0].line, 2);
	config_done(&config);
}

static void test_config_refuses_endless_value(void **state)
{
	struct buffer text = { 0 };
	struct parsed parsed;

	assert_ok(buffer_add_text(&text, NULL, "[a]\nx = 1\n"));
	for (int i = 0; i < CONFIG_VALUE_MAX_BYTES / 8; i++)
		assert_ok(buffer_add_text(&text, NULL, " 12345678\n"));
	assert_ok(buffer_add(&text, "", 1, NULL));
	parse((const char *)text.data, &parsed);
	assert_true(parsed.mistakes.count > 0);
	assert_non_null(strstr(parsed.mistakes.items[0].text, "longer than"));
	config_done(&parsed.config);
	buffer_done(&text);
}

static void test_config_counts_more_mistakes_than_it_keeps(void **state)
{
	struct buffer text = { 0 };
	struct parsed parsed;

	for (int i = 0; i < CONFIG_MISTAKES_MAX + 5; i++)
		assert_ok(buffer_add_text(&text, NULL, "x\n"));
	assert_ok(buffer_add(&text, "", 1, NULL));
	parse((const char *)text.data, &parsed);
	assert_int_equal(parsed.mistakes.count, CONFIG_MISTAKES_MAX + 5);
	config_done(&parsed.config);
	buffer_done(&text);
}

static void test_config_set_replaces_adds_and_makes_sections(void **state)
{
	struct parsed parsed;

	parse("[disk#0]\nsize = 1G\n", &parsed);
	assert_ok(config_set(&parsed.config, "disk#0.size=2G", NULL));
	assert_ok(config_set(&parsed.config, "disk#0.size@node1 = 3G", NULL));
	assert_ok(config_set(&parsed.config, "fs#0.mnt=/srv/a.b=c", NULL));
	assert_ok(config_set(&parsed.config, "comment=x.y", NULL));
	assert_string_equal(config_find(&parsed.config, "disk#0", "size", "n")->value, "2G");
	assert_int_equal(config_find(&parsed.config, "disk#0", "size", "n")->line, 0);
	assert_string_equal(value(&parsed, "disk#0", "size"), "3G");
	assert_string_equal(value(&parsed, "fs#0", "mnt"), "/srv/a.b=c");
	assert_string_equal(value(&parsed, "DEFAULT", "comment"), "x.y");
	config_done(&parsed.config);
}

static void test_config_set_refuses_what_is_no_assignment(void **state)
{
	static const char *const wrong[] = { "",	"disk#0.size", "=1",	   "disk#0.=1",
					     ".size=1", "a b.c=1",     "x=1\n[y]", "x@=1" };
	struct config config = { 0 };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_fails(config_set(&config, wrong[i], NULL), COF_E_USAGE);
	config_done(&config);
}

static void test_config_format_gives_what_reads_as_the_same(void **state)
{
	struct buffer text = { 0 };
	struct buffer again = { 0 };
	struct parsed parsed;
	struct parsed second;

	parse("[b]\nx = 1\n 2\ny@n = 3\n[a]\nz =\n", &parsed);
	assert_ok(config_format(&parsed.config, &text, NULL));
	assert_ok(buffer_add(&text, "", 1, NULL));
	parse((const char *)text.data, &second);
	assert_int_equal(second.mistakes.count, 0);
	assert_ok(config_format(&second.config, &again, NULL));
	assert_int_equal(again.len + 1, text.len);
	assert_memory_equal(again.data, text.data, again.len);
	config_done(&parsed.config);
	config_done(&second.config);
	buffer_done(&text);
	buffer_done(&again);
}

static void test_config_mistake_says_file_line_and_keyword(void **state)
{
	struct config_mistakes mistakes = { 0 };
	struct cof_error err = { 0 };

	(void)config_mistake_add(&mistakes, 7, "disk#0", "size", "is %d", 5);
	assert_fails(config_mistake_raise(&mistakes.items[0], "f.conf", &err), COF_E_USAGE);
	assert_string_equal(err.subject, "f.conf");
	assert_string_equal(err.text, "line 7: [disk#0] size is 5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config_reads_sections_comments_and_both_separators),
		cmocka_unit_test(test_config_keeps_semicolons_and_hashes_in_values),
		cmocka_unit_test(test_config_joins_lines_that_go_on),
		cmocka_unit_test(test_config_prefers_this_node_then_nodes_then_all),
		cmocka_unit_test(test_config_names_line_of_every_mistake),
		cmocka_unit_test(test_config_refuses_nul_byte),
		cmocka_unit_test(test_config_refuses_endless_value),
		cmocka_unit_test(test_config_counts_more_mistakes_than_it_keeps),
		cmocka_unit_test(test_config_set_replaces_adds_and_makes_sections),
		cmocka_unit_test(test_config_set_refuses_what_is_no_assignment),
		cmocka_unit_test(test_config_format_gives_what_reads_as_the_same),
		cmocka_unit_test(test_config_mistake_says_file_line_and_keyword),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
