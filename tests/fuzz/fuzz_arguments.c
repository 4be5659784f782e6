/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Command lines, one word a line: the parser either refuses with a text, or gives a call that keeps
 * what the verb's table promises, so that no verb need look again.
 */

#include "fuzz.h"
#include "parse.h"

#define WORDS_MAX 256

/* Cuts a text into words at its newlines; returns how many there are, the program's name first. */
static int words_of(char *text, char *argv[WORDS_MAX + 1])
{
	static char name[] = "coffer";
	int argc = 0;

	argv[argc++] = name;
	for (char *line; argc < WORDS_MAX && (line = strsep(&text, "\n"));)
		argv[argc++] = line;
	argv[argc] = NULL;
	return argc;
}

/* A value that was taken can be read as what it stands for. */
static void check_value(const struct cli_call *call, const struct cli_option *option)
{
	const char *const *values;
	uint64_t number;

	if (option->type == CLI_FLAG) {
		(void)cli_flag(call, option->name);
		return;
	}
	values = cli_value_list(call, option->name);
	for (size_t i = 0; values[i]; i++)
		FUZZ_CHECK(values[i][0] != '\0');
	FUZZ_CHECK(!cli_flag(call, option->name) == !values[0]);
	if (option->type == CLI_SIZE)
		FUZZ_CHECK(!cof_failed(cli_size(call, option->name, 0, &number, NULL)));
	if (option->type == CLI_DURATION)
		FUZZ_CHECK(!cof_failed(cli_duration(call, option->name, 0, &number, NULL)));
	if (option->type == CLI_NUMBER)
		FUZZ_CHECK(!cof_failed(cli_number(call, option->name, 0, &number, NULL)));
}

/* What the verb's table says holds for a call of it. */
static void check_call(const struct cli_parsed *parsed)
{
	const struct cli_option *offered[CLI_OPTIONS_MAX];
	const struct cli_verb *verb = parsed->verb;
	size_t count = cli_offered(verb, offered);
	struct cli_call call = { .verb = verb,
				 .args = parsed->args,
				 .arg_count = parsed->arg_count,
				 .values = parsed->values };

	FUZZ_CHECK(parsed->arg_count >= verb->min_args && parsed->arg_count <= verb->max_args);
	for (size_t i = 0; i < parsed->arg_count; i++)
		FUZZ_CHECK(parsed->args[i]);
	FUZZ_CHECK(!parsed->args[parsed->arg_count]);
	FUZZ_CHECK(verb->shows || !parsed->json);
	FUZZ_CHECK(verb->changes || !parsed->dry_run);
	for (size_t i = 0; i < count; i++)
		check_value(&call, offered[i]);
}

void fuzz_one(struct span input)
{
	_cleanup_free_ char *text = fuzz_text(input);
	_cleanup_(cli_parsed_done) struct cli_parsed parsed = { 0 };
	struct cof_error err = { 0 };
	char *argv[WORDS_MAX + 1];
	int argc = words_of(text, argv);
	cof_result result = cli_parse(cli_verbs, argc, argv, &parsed, &err);

	(void)cli_wants_json(argc, argv);
	if (cof_failed(result)) {
		FUZZ_CHECK(result.code == COF_E_USAGE && err.code == COF_E_USAGE);
		FUZZ_CHECK(err.subject[0] && err.text[0] && err.remedy[0]);
		FUZZ_CHECK(!parsed.args && !parsed.values);
		return;
	}
	FUZZ_CHECK(!parsed.verb || parsed.ask == CLI_RUN || parsed.ask == CLI_HELP_VERB);
	if (parsed.ask == CLI_RUN)
		check_call(&parsed);
}
