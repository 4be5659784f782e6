/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tables of all verbs: what they must hold to, and that help, manual and completion show all
 * of them.
 */

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "parse.h"
#include "text.h"

#define ARGS_MAX 24

/* All that one of the printing functions prints, to be freed. */
struct print {
	char *text;
	size_t len;
	FILE *file;
};

static void print_start(struct print *print)
{
	print->file = open_memstream(&print->text, &print->len);
	assert_non_null(print->file);
}

static void print_end(struct print *print)
{
	assert_int_equal(fclose(print->file), 0);
	print->file = NULL;
}

static void print_done(struct print *print)
{
	free(print->text);
}

/* The text without backslashes, as a reader of the manual sees dashes. */
static void drop_backslashes(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++)
		if (*from != '\\')
			*to++ = *from;
	*to = '\0';
}

/* Fails unless the text holds all options of the verb as they are typed. */
static void assert_names_options(const char *text, const struct cli_verb *verb)
{
	const struct cli_option *offered[CLI_OPTIONS_MAX];
	size_t count = cli_offered(verb, offered);

	for (size_t i = 0; i < count; i++) {
		char typed[80];

		(void)snprintf(typed, sizeof(typed), "%s%s", offered[i]->name[1] ? "--" : "-",
			       offered[i]->name);
		if (!strstr(text, typed))
			fail_msg("%s: %s is missing", verb->verb, typed);
	}
}

/* The page of the manual that a verb is on. */
static void page_of(const struct cli_verb *verb, char out[static 64])
{
	(void)snprintf(out, 64, "coffer-%s", verb->noun ? verb->noun : verb->verb);
}

static void test_tables_option_takes_a_value_everywhere_or_nowhere(void **state)
{
	const struct cli_option *offered[CLI_OPTIONS_MAX];

	for (size_t i = 0; cli_verbs[i]; i++) {
		size_t count = cli_offered(cli_verbs[i], offered);

		for (size_t k = 0; k < count; k++)
			for (size_t j = 0; cli_verbs[j]; j++) {
				const struct cli_option *same =
					cli_find_offered(cli_verbs[j], offered[k]->name);

				if (same &&
				    (same->type == CLI_FLAG) != (offered[k]->type == CLI_FLAG))
					fail_msg("--%s differs", same->name);
			}
	}
}

static void test_tables_option_appears_once_in_a_verb(void **state)
{
	const struct cli_option *offered[CLI_OPTIONS_MAX];

	for (size_t i = 0; cli_verbs[i]; i++) {
		size_t count = cli_offered(cli_verbs[i], offered);

		for (size_t k = 0; k < count; k++)
			if (cli_find_offered(cli_verbs[i], offered[k]->name) != offered[k])
				fail_msg("%s: --%s twice", cli_verbs[i]->verb, offered[k]->name);
		for (const struct cli_option *global = cli_global_options; global->name; global++)
			/* A verb may take a configuration of its own with --config. */
			if (strcmp(global->name, "config") != 0 &&
			    cli_find_offered(cli_verbs[i], global->name) != global)
				fail_msg("%s: --%s hides", cli_verbs[i]->verb, global->name);
	}
}

static void test_tables_flag_has_no_value_and_others_have_one(void **state)
{
	const struct cli_option *offered[CLI_OPTIONS_MAX];

	for (size_t i = 0; cli_verbs[i]; i++) {
		size_t count = cli_offered(cli_verbs[i], offered);

		for (size_t k = 0; k < count; k++)
			if ((offered[k]->type == CLI_FLAG) != (offered[k]->value == NULL))
				fail_msg("%s: --%s", cli_verbs[i]->verb, offered[k]->name);
	}
}

static void test_tables_verb_says_what_it_does(void **state)
{
	for (size_t i = 0; cli_verbs[i]; i++) {
		const struct cli_verb *verb = cli_verbs[i];
		size_t len = strlen(verb->summary);

		if (len == 0 || verb->summary[len - 1] == '.')
			fail_msg("%s: summary", verb->verb);
		if (!verb->hidden && (!verb->description || !verb->examples))
			fail_msg("%s: no description or no examples", verb->verb);
		if (!verb->run)
			fail_msg("%s: does nothing", verb->verb);
		if (verb->noun && !cli_noun_summary(verb->noun)[0])
			fail_msg("%s: noun without a summary", verb->noun);
	}
}

static void test_tables_arguments_are_named_where_there_are_any(void **state)
{
	for (size_t i = 0; cli_verbs[i]; i++) {
		const struct cli_verb *verb = cli_verbs[i];

		if ((verb->max_args > 0) != (verb->arguments != NULL) ||
		    verb->min_args > verb->max_args)
			fail_msg("%s: arguments", verb->verb);
	}
}

static void test_tables_name_fits(void **state)
{
	for (size_t i = 0; cli_verbs[i]; i++) {
		char name[CLI_VERB_NAME_CHARS];

		assert_true(strlen(cli_verb_name(cli_verbs[i], name)) < CLI_VERB_NAME_CHARS - 1);
	}
}

/* Parses an example up to what the shell does with it. */
static void assert_example_parses(const struct cli_verb *verb, const char *command)
{
	_cleanup_(cli_parsed_done) struct cli_parsed parsed = { 0 };
	struct cof_error err = { 0 };
	char copy[512];
	char *argv[ARGS_MAX] = { 0 };
	int argc = 0;

	(void)snprintf(copy, sizeof(copy), "%.*s", (int)strcspn(command, "|>"), command);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	assert_string_equal(argv[0], "coffer");
	if (cof_failed(cli_parse(cli_verbs, argc, argv, &parsed, &err)))
		fail_msg("%s: %s: %s", command, err.subject, err.text);
	assert_ptr_equal(parsed.verb, verb);
	assert_int_equal(parsed.ask, CLI_RUN);
}

static void test_tables_every_example_parses(void **state)
{
	for (size_t i = 0; cli_verbs[i]; i++)
		for (const struct cli_example *example = cli_verbs[i]->examples;
		     example && example->command; example++)
			assert_example_parses(cli_verbs[i], example->command);
}

static void test_help_names_every_option_and_example(void **state)
{
	for (size_t i = 0; cli_verbs[i]; i++) {
		_cleanup_(print_done) struct print print = { 0 };

		print_start(&print);
		cli_help_verb(cli_verbs[i], print.file);
		print_end(&print);
		assert_names_options(print.text, cli_verbs[i]);
		for (const struct cli_example *example = cli_verbs[i]->examples;
		     example && example->command; example++)
			assert_non_null(strstr(print.text, example->command));
	}
}

static void test_help_overview_names_every_verb_without_noun(void **state)
{
	_cleanup_(print_done) struct print print = { 0 };

	print_start(&print);
	cli_help_overview(cli_verbs, print.file);
	print_end(&print);
	for (size_t i = 0; cli_verbs[i]; i++) {
		char line[80];
		const char *first = cli_verbs[i]->noun ? cli_verbs[i]->noun : cli_verbs[i]->verb;

		(void)snprintf(line, sizeof(line), "\n  %s ", first);
		if ((strstr(print.text, line) != NULL) == cli_verbs[i]->hidden)
			fail_msg("%s", first);
	}
}

static void test_help_noun_names_its_verbs(void **state)
{
	_cleanup_(print_done) struct print print = { 0 };

	print_start(&print);
	cli_help_noun(cli_verbs, "enroll", print.file);
	print_end(&print);
	assert_non_null(strstr(print.text, "enroll passphrase"));
	assert_non_null(strstr(print.text, "enroll recovery"));
	assert_non_null(strstr(print.text, "enroll file"));
	assert_null(strstr(print.text, "key list"));
}

static void test_manual_page_names_every_option(void **state)
{
	for (size_t i = 0; cli_verbs[i]; i++) {
		_cleanup_(print_done) struct print print = { 0 };
		char page[64];

		if (cli_verbs[i]->hidden)
			continue;
		page_of(cli_verbs[i], page);
		print_start(&print);
		assert_ok(cli_manual(page, print.file, NULL));
		print_end(&print);
		drop_backslashes(print.text);
		assert_names_options(print.text, cli_verbs[i]);
	}
}

static void test_manual_overview_names_every_verb(void **state)
{
	_cleanup_(print_done) struct print print = { 0 };

	print_start(&print);
	assert_ok(cli_manual("coffer", print.file, NULL));
	print_end(&print);
	drop_backslashes(print.text);
	for (size_t i = 0; cli_verbs[i]; i++) {
		char name[CLI_VERB_NAME_CHARS];
		char line[96];

		(void)snprintf(line, sizeof(line), "fBcoffer %sfR\n",
			       cli_verb_name(cli_verbs[i], name));
		if ((strstr(print.text, line) != NULL) == cli_verbs[i]->hidden)
			fail_msg("%s", name);
	}
}

static void test_manual_errors_has_every_code(void **state)
{
	_cleanup_(print_done) struct print print = { 0 };

	print_start(&print);
	assert_ok(cli_manual("coffer-errors", print.file, NULL));
	print_end(&print);
	drop_backslashes(print.text);
	for (enum cof_code code = COF_E_FAILED; code <= COF_E_UNSUPPORTED; code++) {
		char heading[64];

		(void)snprintf(heading, sizeof(heading), ".SS &%s\n", cof_code_name(code));
		if (!strstr(print.text, heading))
			fail_msg("%s", cof_code_name(code));
	}
}

static void test_manual_hidden_verb_has_no_page(void **state)
{
	struct cof_error err = { 0 };

	assert_fails(cli_manual("coffer-agent", stdout, &err), COF_E_USAGE);
	assert_string_equal(err.subject, "coffer-agent");
}

static void test_manual_unknown_page_refused(void **state)
{
	assert_fails(cli_manual("nonsense", stdout, NULL), COF_E_USAGE);
}

static void test_completion_names_every_option(void **state)
{
	_cleanup_(print_done) struct print print = { 0 };

	print_start(&print);
	assert_ok(cli_completion("bash", print.file, NULL));
	print_end(&print);
	for (size_t i = 0; cli_verbs[i]; i++)
		if (!cli_verbs[i]->hidden)
			assert_names_options(print.text, cli_verbs[i]);
}

static void test_completion_other_shell_refused(void **state)
{
	assert_fails(cli_completion("csh", stdout, NULL), COF_E_USAGE);
}

static void test_wrapped_text_keeps_within_the_line(void **state)
{
	_cleanup_(print_done) struct print print = { 0 };

	print_start(&print);
	for (const struct cli_section *section = cli_overview_sections; section->title; section++)
		cli_print_wrapped(print.file, 6, section->text);
	print_end(&print);
	for (char *line = strtok(print.text, "\n"); line; line = strtok(NULL, "\n")) {
		assert_true(strlen(line) <= 80);
		assert_memory_equal(line, "      ", 6);
	}
}

static void test_wrapped_text_keeps_every_word(void **state)
{
	_cleanup_(print_done) struct print print = { 0 };

	print_start(&print);
	cli_print_wrapped(print.file, 2, "one two\n\n\tas  typed\nthree");
	print_end(&print);
	assert_string_equal(print.text, "  one two\n\n      as  typed\n  three\n");
}

static void test_wrapped_text_breaks_no_long_word(void **state)
{
	_cleanup_(print_done) struct print print = { 0 };
	char text[120];

	memset(text, 'x', sizeof(text));
	text[100] = ' ';
	text[102] = '\0';
	print_start(&print);
	cli_print_wrapped(print.file, 0, text);
	print_end(&print);
	assert_int_equal(strcspn(print.text, "\n"), 100);
	assert_string_equal(print.text + 101, "x\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables_option_takes_a_value_everywhere_or_nowhere),
		cmocka_unit_test(test_tables_option_appears_once_in_a_verb),
		cmocka_unit_test(test_tables_flag_has_no_value_and_others_have_one),
		cmocka_unit_test(test_tables_verb_says_what_it_does),
		cmocka_unit_test(test_tables_arguments_are_named_where_there_are_any),
		cmocka_unit_test(test_tables_name_fits),
		cmocka_unit_test(test_tables_every_example_parses),
		cmocka_unit_test(test_help_names_every_option_and_example),
		cmocka_unit_test(test_help_overview_names_every_verb_without_noun),
		cmocka_unit_test(test_help_noun_names_its_verbs),
		cmocka_unit_test(test_manual_page_names_every_option),
		cmocka_unit_test(test_manual_overview_names_every_verb),
		cmocka_unit_test(test_manual_errors_has_every_code),
		cmocka_unit_test(test_manual_hidden_verb_has_no_page),
		cmocka_unit_test(test_manual_unknown_page_refused),
		cmocka_unit_test(test_completion_names_every_option),
		cmocka_unit_test(test_completion_other_shell_refused),
		cmocka_unit_test(test_wrapped_text_keeps_within_the_line),
		cmocka_unit_test(test_wrapped_text_keeps_every_word),
		cmocka_unit_test(test_wrapped_text_breaks_no_long_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
