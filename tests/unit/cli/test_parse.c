/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parser, on tables of its own.
 */

#include "unit.h"

#include <stdio.h>

#include "parse.h"

static const struct cli_verb format = {
	.noun = "disk",
	.verb = "format",
	.arguments = "DEV...",
	.min_args = 1,
	.max_args = SIZE_MAX,
	.options =
		(const struct cli_option[]){
			{ "name", CLI_TEXT, "NAME", "help" },
			{ "key-bytes", CLI_SIZE, "SIZE", "help" },
			{ "for", CLI_DURATION, "DURATION", "help" },
			{ "count", CLI_NUMBER, "N", "help" },
			{ "force", CLI_FLAG, NULL, "help" },
			{ "o", CLI_FILE, "PATH", "help" },
			{ 0 },
		},
	.changes = true,
	.destroys = true,
	.shows = true,
};
static const struct cli_verb list = { .noun = "disk", .verb = "list", .shows = true };
static const struct cli_verb lock = { .verb = "lock" };
static const struct cli_verb create = {
	.noun = "service",
	.verb = "create",
	.options = (const struct cli_option[]){ { "config", CLI_FILE, "FILE", "help" }, { 0 } },
};
static const struct cli_verb secret = { .verb = "hidden-one", .hidden = true };
static const struct cli_verb *const verbs[] = { &format, &list, &lock, &create, &secret, NULL };

#define ARGS_MAX 24

/* Takes apart a command line whose words are separated by blanks; argv lasts until the next. */
static int split(const char *line, char *argv[ARGS_MAX])
{
	static char copy[512];
	int argc = 0;

	(void)snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	return argc;
}

static cof_result parse(const char *line, struct cli_parsed *parsed, struct cof_error *err)
{
	char *argv[ARGS_MAX];
	int argc = split(line, argv);

	return cli_parse(verbs, argc, argv, parsed, err);
}

/* A call of what was parsed, as a verb gets it. */
static struct cli_call call_of(const struct cli_parsed *parsed)
{
	return (struct cli_call){ .verb = parsed->verb,
				  .args = parsed->args,
				  .arg_count = parsed->arg_count,
				  .values = parsed->values };
}

/* The line is refused, with this subject and this remedy (NULL: any). */
static void refused(const char *line, const char *subject, const char *remedy)
{
	struct cli_parsed parsed = { 0 };
	struct cof_error err = { 0 };

	assert_fails(parse(line, &parsed, &err), COF_E_USAGE);
	assert_null(parsed.args);
	if (subject)
		assert_string_equal(err.subject, subject);
	if (remedy)
		assert_string_equal(err.remedy, remedy);
}

static void test_parse_noun_and_verb_find_the_verb(void **state)
{
	_cleanup_(cli_parsed_done) struct cli_parsed parsed = { 0 };

	assert_ok(parse("coffer disk format sdb sdc", &parsed, NULL));
	assert_int_equal(parsed.ask, CLI_RUN);
	assert_ptr_equal(parsed.verb, &format);
	assert_int_equal(parsed.arg_count, 2);
	assert_string_equal(parsed.args[0], "sdb");
	assert_string_equal(parsed.args[1], "sdc");
	assert_null(parsed.args[2]);
}

static void test_parse_options_anywhere_belong_to_the_verb(void **state)
{
	_cleanup_(cli_parsed_done) struct cli_parsed parsed = { 0 };
	struct cli_call call;

	assert_ok(parse("coffer --name a disk --force format --json sdb", &parsed, NULL));
	call = call_of(&parsed);
	assert_int_equal(parsed.arg_count, 1);
	assert_string_equal(cli_value(&call, "name"), "a");
	assert_true(cli_flag(&call, "force"));
	assert_true(parsed.json);
	assert_false(parsed.dry_run);
}

static void test_parse_equals_sign_gives_the_value(void **state)
{
	_cleanup_(cli_parsed_done) struct cli_parsed parsed = { 0 };
	struct cli_call call;

	assert_ok(parse("coffer disk format --name=--odd=name sdb", &parsed, NULL));
	call = call_of(&parsed);
	assert_string_equal(cli_value(&call, "name"), "--odd=name");
}

static void test_parse_single_letter_takes_one_dash(void **state)
{
	_cleanup_(cli_parsed_done) struct cli_parsed parsed = { 0 };
	struct cli_call call;

	assert_ok(parse("coffer disk format -o - sdb", &parsed, NULL));
	call = call_of(&parsed);
	assert_string_equal(cli_value(&call, "o"), "-");
}

static void test_parse_two_dashes_on_single_letter_refused(void **state)
{
	refused("coffer disk format --o x sdb", "-o", NULL);
}

static void test_parse_one_dash_on_long_name_refused(void **state)
{
	refused("coffer disk format -force sdb", NULL, "--force");
}

static void test_parse_double_dash_ends_the_options(void **state)
{
	_cleanup_(cli_parsed_done) struct cli_parsed parsed = { 0 };

	assert_ok(parse("coffer disk format -- --json -", &parsed, NULL));
	assert_false(parsed.json);
	assert_int_equal(parsed.arg_count, 2);
	assert_string_equal(parsed.args[0], "--json");
}

static void test_parse_repeated_option_keeps_every_value(void **state)
{
	_cleanup_(cli_parsed_done) struct cli_parsed parsed = { 0 };
	struct cli_call call;
	const char *const *names;

	assert_ok(parse("coffer disk format --yes-destroy a --yes-destroy b sdb", &parsed, NULL));
	call = call_of(&parsed);
	names = cli_value_list(&call, "yes-destroy");
	assert_string_equal(names[0], "a");
	assert_string_equal(names[1], "b");
	assert_null(names[2]);
}

static void test_parse_repeated_option_counts_last(void **state)
{
	_cleanup_(cli_parsed_done) struct cli_parsed parsed = { 0 };
	struct cli_call call;

	assert_ok(parse("coffer disk format --name a --name b sdb", &parsed, NULL));
	call = call_of(&parsed);
	assert_string_equal(cli_value(&call, "name"), "b");
}

static void test_parse_missing_option_has_no_values(void **state)
{
	_cleanup_(cli_parsed_done) struct cli_parsed parsed = { 0 };
	struct cli_call call;

	assert_ok(parse("coffer disk format sdb", &parsed, NULL));
	call = call_of(&parsed);
	assert_null(cli_value(&call, "name"));
	assert_null(cli_value_list(&call, "name")[0]);
	assert_false(cli_flag(&call, "force"));
}

static void test_parse_typed_values_are_read(void **state)
{
	_cleanup_(cli_parsed_done) struct cli_parsed parsed = { 0 };
	struct cli_call call;
	uint64_t value = 0;

	assert_ok(parse("coffer disk format --key-bytes 1M --for 15m --count 7 x", &parsed, NULL));
	call = call_of(&parsed);
	assert_ok(cli_size(&call, "key-bytes", 0, &value, NULL));
	assert_int_equal(value, 1048576);
	assert_ok(cli_duration(&call, "for", 0, &value, NULL));
	assert_int_equal(value, 900);
	assert_ok(cli_number(&call, "count", 0, &value, NULL));
	assert_int_equal(value, 7);
}

static void test_parse_untyped_values_fall_back(void **state)
{
	_cleanup_(cli_parsed_done) struct cli_parsed parsed = { 0 };
	struct cli_call call;
	uint64_t value = 0;

	assert_ok(parse("coffer disk format x", &parsed, NULL));
	call = call_of(&parsed);
	assert_ok(cli_size(&call, "key-bytes", 64, &value, NULL));
	assert_int_equal(value, 64);
	assert_ok(cli_duration(&call, "for", 65, &value, NULL));
	assert_int_equal(value, 65);
	assert_ok(cli_number(&call, "count", 66, &value, NULL));
	assert_int_equal(value, 66);
}

static void test_parse_bad_size_refused(void **state)
{
	refused("coffer disk format --key-bytes much sdb", "--key-bytes", "--key-bytes SIZE");
}

static void test_parse_bad_duration_refused(void **state)
{
	refused("coffer disk format --for ever sdb", "--for", "--for DURATION");
}

static void test_parse_bad_number_refused(void **state)
{
	refused("coffer disk format --count=-1 sdb", "--count", "--count N");
}

static void test_parse_empty_value_refused(void **state)
{
	refused("coffer disk format --name= sdb", "--name", "--name NAME");
}

static void test_parse_value_on_flag_refused(void **state)
{
	refused("coffer disk format --force=yes sdb", "--force", "--force");
}

static void test_parse_missing_value_refused(void **state)
{
	refused("coffer disk format sdb --name", "--name", "--name NAME");
}

static void test_parse_option_in_place_of_value_refused(void **state)
{
	refused("coffer disk format --name --force sdb", "--name", "--name NAME");
}

static void test_parse_misspelt_option_suggests_right_one(void **state)
{
	refused("coffer disk format --key-byte 3 sdb", "--key-byte", "--key-bytes");
}

static void test_parse_option_of_other_verb_refused(void **state)
{
	refused("coffer disk list --force", "--force", NULL);
}

static void test_parse_strange_option_names_help(void **state)
{
	refused("coffer lock --zzzzzzzz", "--zzzzzzzz", "coffer lock --help");
}

static void test_parse_option_joined_with_its_value_is_taken_apart(void **state)
{
	refused("coffer service create --config-mine", "--config-mine", "--config mine");
	refused("coffer service create --config-", "--config-", "--config");
}

static void test_parse_strange_option_of_noun_names_its_help(void **state)
{
	struct cli_parsed parsed = { 0 };
	struct cof_error err = { 0 };

	assert_fails(parse("coffer disk --zzzzzzzz", &parsed, &err), COF_E_USAGE);
	assert_string_equal(err.text, "coffer disk has no such option");
	assert_string_equal(err.remedy, "coffer disk --help");
}

static void test_parse_bad_value_is_explained_and_not_repeated(void **state)
{
	struct cli_parsed parsed = { 0 };
	struct cof_error err = { 0 };

	assert_fails(parse("coffer disk format --for horse sdb", &parsed, &err), COF_E_USAGE);
	assert_string_equal(err.text,
			    "the value is not a duration such as 90s, 15m, 8h, 30d or forever");
	assert_null(strstr(err.headline, "horse"));
	assert_null(strstr(err.cause, "horse"));
	assert_null(strstr(err.remedy, "horse"));
}

static void test_parse_surplus_arguments_are_counted(void **state)
{
	struct cli_parsed parsed = { 0 };
	struct cof_error err = { 0 };

	assert_fails(parse("coffer lock a", &parsed, &err), COF_E_USAGE);
	assert_string_equal(err.text, "takes no arguments, but 1 was given");
	assert_fails(parse("coffer lock a b", &parsed, &err), COF_E_USAGE);
	assert_string_equal(err.text, "takes no arguments, but 2 were given");
}

static void test_parse_dry_run_where_not_offered_refused(void **state)
{
	refused("coffer lock --dry-run", "--dry-run", NULL);
}

static void test_parse_json_where_not_offered_refused(void **state)
{
	refused("coffer lock --json", "--json", NULL);
}

static void test_parse_too_few_arguments_refused(void **state)
{
	refused("coffer disk format", "disk format", NULL);
}

static void test_parse_surplus_argument_is_not_repeated(void **state)
{
	struct cli_parsed parsed = { 0 };
	struct cof_error err = { 0 };

	assert_fails(parse("coffer lock correct-horse", &parsed, &err), COF_E_USAGE);
	assert_null(strstr(err.text, "horse"));
	assert_null(strstr(err.subject, "horse"));
	assert_null(strstr(err.remedy, "horse"));
}

static void test_parse_unknown_option_value_is_not_repeated(void **state)
{
	struct cli_parsed parsed = { 0 };
	struct cof_error err = { 0 };

	assert_fails(parse("coffer lock --passphrase=horse", &parsed, &err), COF_E_USAGE);
	assert_null(strstr(err.text, "horse"));
	assert_null(strstr(err.subject, "horse"));
}

static void test_parse_global_options_are_taken(void **state)
{
	_cleanup_(cli_parsed_done) struct cli_parsed parsed = { 0 };

	assert_ok(parse("coffer --vault /v lock --root=/r --config /c --quiet", &parsed, NULL));
	assert_string_equal(parsed.vault, "/v");
	assert_string_equal(parsed.root, "/r");
	assert_string_equal(parsed.config, "/c");
	assert_true(parsed.quiet);
}

static void test_parse_option_of_the_verb_hides_the_global_one(void **state)
{
	_cleanup_(cli_parsed_done) struct cli_parsed parsed = { 0 };
	struct cli_call call;

	assert_ok(parse("coffer service create --config /c", &parsed, NULL));
	call = call_of(&parsed);
	assert_null(parsed.config);
	assert_string_equal(cli_value(&call, "config"), "/c");
}

static void test_parse_nothing_asks_for_overview(void **state)
{
	_cleanup_(cli_parsed_done) struct cli_parsed parsed = { 0 };

	assert_ok(parse("coffer", &parsed, NULL));
	assert_int_equal(parsed.ask, CLI_OVERVIEW);
}

static void test_parse_noun_alone_asks_for_its_verbs(void **state)
{
	_cleanup_(cli_parsed_done) struct cli_parsed parsed = { 0 };

	assert_ok(parse("coffer disk", &parsed, NULL));
	assert_int_equal(parsed.ask, CLI_HELP_NOUN);
	assert_string_equal(parsed.noun, "disk");
}

static void test_parse_help_wins_over_missing_arguments(void **state)
{
	_cleanup_(cli_parsed_done) struct cli_parsed parsed = { 0 };

	assert_ok(parse("coffer disk format -h", &parsed, NULL));
	assert_int_equal(parsed.ask, CLI_HELP_VERB);
	assert_ptr_equal(parsed.verb, &format);
}

static void test_parse_version_wins_over_all(void **state)
{
	_cleanup_(cli_parsed_done) struct cli_parsed parsed = { 0 };

	assert_ok(parse("coffer nonsense --version", &parsed, NULL));
	assert_int_equal(parsed.ask, CLI_VERSION);
}

static void test_parse_empty_argument_is_an_argument(void **state)
{
	_cleanup_(cli_parsed_done) struct cli_parsed parsed = { 0 };
	char *argv[ARGS_MAX];
	int argc = split("coffer disk format x", argv);

	argv[3][0] = '\0';
	assert_ok(cli_parse(verbs, argc, argv, &parsed, NULL));
	assert_int_equal(parsed.arg_count, 1);
}

static void test_wants_json_sees_it_anywhere(void **state)
{
	char *argv[ARGS_MAX];
	int argc = split("coffer nonsense --json", argv);

	assert_true(cli_wants_json(argc, argv));
}

static void test_wants_json_stops_at_double_dash(void **state)
{
	char *argv[ARGS_MAX];
	int argc = split("coffer -- --json", argv);

	assert_false(cli_wants_json(argc, argv));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_noun_and_verb_find_the_verb),
		cmocka_unit_test(test_parse_options_anywhere_belong_to_the_verb),
		cmocka_unit_test(test_parse_equals_sign_gives_the_value),
		cmocka_unit_test(test_parse_single_letter_takes_one_dash),
		cmocka_unit_test(test_parse_two_dashes_on_single_letter_refused),
		cmocka_unit_test(test_parse_one_dash_on_long_name_refused),
		cmocka_unit_test(test_parse_double_dash_ends_the_options),
		cmocka_unit_test(test_parse_repeated_option_keeps_every_value),
		cmocka_unit_test(test_parse_repeated_option_counts_last),
		cmocka_unit_test(test_parse_missing_option_has_no_values),
		cmocka_unit_test(test_parse_typed_values_are_read),
		cmocka_unit_test(test_parse_untyped_values_fall_back),
		cmocka_unit_test(test_parse_bad_size_refused),
		cmocka_unit_test(test_parse_bad_duration_refused),
		cmocka_unit_test(test_parse_bad_number_refused),
		cmocka_unit_test(test_parse_empty_value_refused),
		cmocka_unit_test(test_parse_value_on_flag_refused),
		cmocka_unit_test(test_parse_missing_value_refused),
		cmocka_unit_test(test_parse_option_in_place_of_value_refused),
		cmocka_unit_test(test_parse_misspelt_option_suggests_right_one),
		cmocka_unit_test(test_parse_option_of_other_verb_refused),
		cmocka_unit_test(test_parse_strange_option_names_help),
		cmocka_unit_test(test_parse_option_joined_with_its_value_is_taken_apart),
		cmocka_unit_test(test_parse_strange_option_of_noun_names_its_help),
		cmocka_unit_test(test_parse_bad_value_is_explained_and_not_repeated),
		cmocka_unit_test(test_parse_surplus_arguments_are_counted),
		cmocka_unit_test(test_parse_dry_run_where_not_offered_refused),
		cmocka_unit_test(test_parse_json_where_not_offered_refused),
		cmocka_unit_test(test_parse_too_few_arguments_refused),
		cmocka_unit_test(test_parse_surplus_argument_is_not_repeated),
		cmocka_unit_test(test_parse_unknown_option_value_is_not_repeated),
		cmocka_unit_test(test_parse_global_options_are_taken),
		cmocka_unit_test(test_parse_option_of_the_verb_hides_the_global_one),
		cmocka_unit_test(test_parse_nothing_asks_for_overview),
		cmocka_unit_test(test_parse_noun_alone_asks_for_its_verbs),
		cmocka_unit_test(test_parse_help_wins_over_missing_arguments),
		cmocka_unit_test(test_parse_version_wins_over_all),
		cmocka_unit_test(test_parse_empty_argument_is_an_argument),
		cmocka_unit_test(test_wants_json_sees_it_anywhere),
		cmocka_unit_test(test_wants_json_stops_at_double_dash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
