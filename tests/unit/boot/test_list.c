/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <stdio.h>

#include "boot_list.h"

#define TYPICAL                                                                                    \
	"# a comment\n"                                                                            \
	"\n"                                                                                       \
	"  wait mysql.service\r\n"                                                                 \
	"wait  web.socket for /srv/a\\040b\t/srv/c\n"                                              \
	"bare /srv/c"

/* Counts mistakes and keeps the last one. */
struct seen {
	unsigned int count;
	struct cof_error last;
};

static void see(const struct cof_error *mistake, void *context)
{
	struct seen *seen = context;

	seen->count++;
	seen->last = *mistake;
}

static void test_parse_reads_units_mounts_and_bare_places(void **state)
{
	_cleanup_(boot_list_done) struct boot_list list = { 0 };

	(void)state;
	assert_ok(boot_list_parse(span_of_text(TYPICAL), "f", NULL, NULL, &list, NULL));
	assert_int_equal(list.count, 2);
	assert_string_equal(list.waits[0].unit, "mysql.service");
	assert_null(list.waits[0].mounts[0]);
	assert_int_equal(list.waits[0].line, 3);
	assert_string_equal(list.waits[1].mounts[0], "/srv/a b");
	assert_string_equal(list.waits[1].mounts[1], "/srv/c");
	assert_null(list.waits[1].mounts[2]);
	assert_string_equal(list.bare[0], "/srv/c");
}

static void test_find_takes_whole_names_alone(void **state)
{
	_cleanup_(boot_list_done) struct boot_list list = { 0 };

	(void)state;
	assert_ok(boot_list_parse(span_of_text("wait my-sql.service\n"), "f", NULL, NULL, &list,
				  NULL));
	assert_null(boot_list_find(&list, "my.service"));
	assert_non_null(boot_list_find(&list, "my-sql.service"));
}

/* The one line of a file is refused, with its number and this text. */
static void check_refused(const char *line, const char *text)
{
	_cleanup_(boot_list_done) struct boot_list list = { 0 };
	_cleanup_free_ char *file = NULL;
	struct cof_error err = { 0 };

	assert_true(asprintf(&file, "# first\n%s\n", line) > 0);
	assert_fails(boot_list_parse(span_of_text(file), "the.list", NULL, NULL, &list, &err),
		     COF_E_FORMAT);
	assert_string_equal(err.subject, "the.list");
	assert_memory_equal(err.text, strchr(line, '\n') ? "line 3 " : "line 2 ", 7);
	if (!strstr(err.text, text))
		fail_msg("%s: %s", line, err.text);
}

static void test_parse_refuses_with_file_and_line(void **state)
{
	(void)state;
	check_refused("weit mysql.service", "neither");
	check_refused("wait", "names no unit");
	check_refused("wait mysql", "names no service");
	check_refused("wait multi-user.target", "names no service");
	check_refused("wait a/b.service", "character");
	check_refused("wait .service", "no unit's name");
	check_refused("wait get@.service", "template");
	check_refused("wait a.service /srv", "\"for\"");
	check_refused("wait a.service for", "names no mount point");
	check_refused("wait a.service for srv", "slash");
	check_refused("wait a.service for /", "always there");
	check_refused("wait a.service for /srv/", "ends in a slash");
	check_refused("wait a.service for /srv/../etc", "..");
	check_refused("wait a.service for /srv//x", "//");
	check_refused("wait a.service for /srv\\012x", "control");
	check_refused("wait a.service for /srv\\040", "blank");
	check_refused("bare", "names no mount point");
	check_refused("bare /srv /x", "more than one");
	check_refused("wait b.service for /x\nwait b.service", "line already");
}

static void test_parse_refuses_paths_and_names_that_are_too_long(void **state)
{
	char line[BOOT_PATH_MAX_CHARS + 64];

	(void)state;
	(void)snprintf(line, sizeof(line), "bare /%0*d", BOOT_PATH_MAX_CHARS, 0);
	check_refused(line, "longer than");
	(void)snprintf(line, sizeof(line), "wait %0*d.service", BOOT_UNIT_MAX_CHARS, 0);
	check_refused(line, "no unit's name");
}

static void test_parse_passes_over_mistakes_and_keeps_an_unsure_unit(void **state)
{
	_cleanup_(boot_list_done) struct boot_list list = { 0 };
	struct seen seen = { 0 };

	(void)state;
	assert_ok(boot_list_parse(span_of_text("wait a.service for srv\nrubbish\nwait b.service\n"),
				  "f", see, &seen, &list, NULL));
	assert_int_equal(seen.count, 2);
	assert_string_equal(seen.last.subject, "f");
	assert_non_null(strstr(seen.last.text, "line 2 "));
	assert_int_equal(list.count, 2);
	assert_true(list.waits[0].unsure);
	assert_false(list.waits[1].unsure);
}

/* One edit gives this text, and the same edit again changes nothing. */
static void check_set(const char *before, const char *unit, const char *const mounts[],
		      const char *expected)
{
	_cleanup_buffer_ struct buffer once = { 0 };
	_cleanup_buffer_ struct buffer twice = { 0 };

	assert_ok(boot_list_set(span_of_text(before), unit, mounts, &once, NULL));
	assert_int_equal(once.len, strlen(expected));
	assert_memory_equal(once.data, expected, once.len);
	assert_ok(boot_list_set(buffer_span(&once), unit, mounts, &twice, NULL));
	assert_int_equal(twice.len, once.len);
	assert_memory_equal(twice.data, once.data, once.len);
}

static const char *const none[] = { NULL };
static const char *const two[] = { "/srv/a b", "/x#y\\z", NULL };

static void test_set_replaces_one_line_and_keeps_every_other_byte(void **state)
{
	(void)state;
	check_set("# c\n wait a.service\t for /x # gone with it\nwait b.service", "a.service", two,
		  "# c\nwait a.service for /srv/a\\040b /x\\043y\\134z\nwait b.service");
}

static void test_set_adds_at_the_end(void **state)
{
	(void)state;
	check_set("# c", "a.service", none, "# c\nwait a.service\n");
	check_set("", "a.service", none,
		  "# Units that wait at boot until their file systems are mounted.\n"
		  "# Kept by `coffer boot add` and `coffer boot remove`.\n"
		  "wait a.service\n");
}

static void test_set_removes_one_line_alone(void **state)
{
	(void)state;
	check_set("wait aa.service\nwait a.service for /x\n#wait a.service\nbare /y", "a.service",
		  NULL, "wait aa.service\n#wait a.service\nbare /y");
	check_set("wait b.service", "a.service", NULL, "wait b.service");
}

static void test_set_bare_comes_and_goes(void **state)
{
	_cleanup_buffer_ struct buffer with = { 0 };
	_cleanup_buffer_ struct buffer without = { 0 };

	(void)state;
	assert_ok(boot_list_set_bare(span_of_text("wait a.service\n"), "/srv/a b", true, &with,
				     NULL));
	assert_int_equal(with.len, strlen("wait a.service\nbare /srv/a\\040b\n"));
	assert_memory_equal(with.data, "wait a.service\nbare /srv/a\\040b\n", with.len);
	assert_ok(boot_list_set_bare(buffer_span(&with), "/srv/a b", false, &without, NULL));
	assert_int_equal(without.len, strlen("wait a.service\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_reads_units_mounts_and_bare_places),
		cmocka_unit_test(test_find_takes_whole_names_alone),
		cmocka_unit_test(test_parse_refuses_with_file_and_line),
		cmocka_unit_test(test_parse_refuses_paths_and_names_that_are_too_long),
		cmocka_unit_test(test_parse_passes_over_mistakes_and_keeps_an_unsure_unit),
		cmocka_unit_test(test_set_replaces_one_line_and_keeps_every_other_byte),
		cmocka_unit_test(test_set_adds_at_the_end),
		cmocka_unit_test(test_set_removes_one_line_alone),
		cmocka_unit_test(test_set_bare_comes_and_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
