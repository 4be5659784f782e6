/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From argv to a call, pure.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "near.h"
#include "number.h"
#include "parse.h"

#define OPTION_NAME_CHARS 32 /* with the NUL; longer ones are in no table */

#define TYPED_CHARS (OPTION_NAME_CHARS + 2) /* with its dashes */

/* An option as typed, its verb not known yet. */
struct typed {
	char name[OPTION_NAME_CHARS];
	const char *value;
	bool global;
};

/* argv, told apart into words and options. */
struct split {
	const char **words; /* room for all of argv and a NULL */
	size_t word_count;
	struct typed *options;
	size_t option_count;
};

static void split_done(struct split *split)
{
	free(split->words);
	free(split->options);
}

void cli_parsed_done(struct cli_parsed *parsed)
{
	free(parsed->args);
	cli_values_free(parsed->values);
	*parsed = (struct cli_parsed){ 0 };
}

bool cli_wants_json(int argc, char *const argv[])
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--json") == 0)
			return true;
	return false;
}

/* The option of that name in any table; whether it takes a value is the same in all of them. */
static const struct cli_option *find_anywhere(const struct cli_verb *const verbs[],
					      const char *name)
{
	for (size_t i = 0; verbs[i]; i++) {
		const struct cli_option *option = cli_find_offered(verbs[i], name);

		if (option)
			return option;
	}
	return NULL;
}

/* One or two dashes, as an option of that name is typed. */
static const char *dashes_of(const char *name)
{
	return name[0] && !name[1] ? "-" : "--";
}

/* An option as it is typed; returns @out. */
static char *typed_form(const char *name, char out[static TYPED_CHARS])
{
	(void)snprintf(out, TYPED_CHARS, "%s%s", dashes_of(name), name);
	return out;
}

/* Where an option is typed in one word with its value, as in --to-vault: the value; else NULL. */
static const char *find_joined(const struct cli_option *const offered[], size_t count,
			       const char *name)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(offered[i]->name);

		if (offered[i]->type != CLI_FLAG && len > 1 &&
		    strncmp(name, offered[i]->name, len) == 0 && name[len] == '-' && name[len + 1])
			return name + len + 1;
	}
	return NULL;
}

/* Refuses an option that the verb (or the noun, or coffer itself) does not have, with what may have
 * been meant. */
static cof_result refuse_option(const struct cli_verb *verb, const char *noun, const char *name,
				struct cof_error *err)
{
	const struct cli_option *offered[CLI_OPTIONS_MAX];
	size_t count = verb ? cli_offered(verb, offered) : 0;
	const char *found = NULL;
	const char *value;
	char words[CLI_VERB_NAME_CHARS] = "";
	char typed[TYPED_CHARS];
	size_t best = SIZE_MAX;
	cof_result failure;

	for (size_t i = 0; i < count; i++)
		if (near_is_nearer(name, offered[i]->name, &best))
			found = offered[i]->name;
	for (const struct cli_option *option = cli_global_options; option->name; option++)
		if (near_is_nearer(name, option->name, &best))
			found = option->name;

	value = best > 1 ? find_joined(offered, count, name) : NULL;
	if (verb)
		(void)cli_verb_name(verb, words);
	else if (noun)
		(void)snprintf(words, sizeof(words), "%s", noun);
	failure = cof_raise(err, COF_E_USAGE, typed_form(name, typed),
			    "coffer%s%s has no such option", words[0] ? " " : "", words);
	if (value)
		cof_error_try(err, "--%.*s %s", (int)(value - name - 1), name, value);
	else if (found)
		cof_error_try(err, "%s", typed_form(found, typed));
	else
		cof_error_try(err, "coffer%s%s --help", words[0] ? " " : "", words);
	return failure;
}

/* The same where the option is in no table: the words before it tell the verb, if any does. */
static cof_result refuse_unknown(const struct cli_verb *const verbs[], const struct split *split,
				 const char *name, struct cof_error *err)
{
	const struct cli_verb *verb = NULL;
	const char *noun = NULL;
	size_t used;

	if (cof_failed(
		    cli_resolve(verbs, split->words, split->word_count, &noun, &verb, &used, NULL)))
		verb = NULL;
	return refuse_option(verb, noun, name, err);
}

/* Takes the name out of "--name=value", "--name" or "-n"; *ret_value is NULL without a "=". */
static bool option_of(const char *text, char name[static OPTION_NAME_CHARS], const char **ret_value)
{
	const char *start = text + (text[0] == '-') + (text[0] == '-' && text[1] == '-');
	size_t len = strcspn(start, "=");

	if (start == text || text[1] == '\0')
		return false;
	*ret_value = start[len] == '=' ? start + len + 1 : NULL;
	(void)snprintf(name, OPTION_NAME_CHARS, "%.*s", (int)(len < 100 ? len : 100), start);
	if (strcmp(text, "-h") == 0)
		(void)snprintf(name, OPTION_NAME_CHARS, "help");
	return true;
}

/* Whether the number of dashes fits the name: "-o", "--out", and -h, which is --help. */
static bool dashes_fit(const char *text, const char *name)
{
	bool one_dash = text[1] != '-';

	return strcmp(text, "-h") == 0 || one_dash == (name[1] == '\0');
}

/* Raises what is wrong with an option's value, without the value, and shows the right form. */
static cof_result raise_value(const struct cli_option *option, const char *text,
			      struct cof_error *err)
{
	char typed[TYPED_CHARS];
	cof_result failure =
		cof_raise(err, COF_E_USAGE, typed_form(option->name, typed), "%s", text);

	cof_error_try(err, "%s%s%s", typed, option->value ? " " : "",
		      option->value ? option->value : "");
	return failure;
}

/* Reads one option at argv[*at], which moves on to its value where that is a word of its own. */
static cof_result split_option(const struct cli_verb *const verbs[], int argc, char *const argv[],
			       int *at, struct split *split, struct cof_error *err)
{
	struct typed *typed = &split->options[split->option_count];
	const char *text = argv[*at];
	const struct cli_option *option;

	(void)option_of(text, typed->name, &typed->value);
	option = dashes_fit(text, typed->name) ? find_anywhere(verbs, typed->name) : NULL;
	if (!option)
		return refuse_unknown(verbs, split, typed->name, err);
	if (option->type == CLI_FLAG && typed->value)
		return raise_value(option, "takes no value", err);
	if (option->type != CLI_FLAG && !typed->value) {
		if (*at + 1 >= argc || strncmp(argv[*at + 1], "--", 2) == 0)
			return raise_value(option, "needs a value", err);
		typed->value = argv[++*at];
	}
	split->option_count++;
	return COF_OK;
}

/* Tells the words of argv from its options. */
static cof_result split_argv(const struct cli_verb *const verbs[], int argc, char *const argv[],
			     struct split *split, struct cof_error *err)
{
	bool words_only = false;

	split->words = calloc((size_t)argc + 1, sizeof(*split->words));
	split->options = calloc((size_t)argc + 1, sizeof(*split->options));
	ENSURE(split->words && split->options, err, COF_E_NOMEM, "arguments", "no memory left");
	for (int i = 1; i < argc; i++) {
		bool option = !words_only && argv[i][0] == '-' && argv[i][1] != '\0';

		if (option && strcmp(argv[i], "--") == 0)
			words_only = true;
		else if (option)
			TRY(split_option(verbs, argc, argv, &i, split, err));
		else
			split->words[split->word_count++] = argv[i];
	}
	return COF_OK;
}

/* Whether this option was typed. */
static const struct typed *find_typed(const struct split *split, const char *name)
{
	const struct typed *found = NULL;

	for (size_t i = 0; i < split->option_count; i++)
		if (strcmp(split->options[i].name, name) == 0)
			found = &split->options[i];
	return found;
}

/* Checks that a value can be read as what it stands for. */
static cof_result check_value(const struct cli_option *option, const char *value,
			      struct cof_error *err)
{
	struct cof_error mistake = { 0 };
	uint64_t number;
	cof_result checked = COF_OK;
	char text[sizeof(mistake.text) + 16];

	if (option->type == CLI_FLAG)
		return COF_OK;
	if (!value[0])
		return raise_value(option, "the value is empty", err);
	if (option->type == CLI_SIZE)
		checked = size_parse(value, &number, &mistake);
	else if (option->type == CLI_DURATION)
		checked = duration_parse(value, &number, &mistake);
	else if (option->type == CLI_NUMBER)
		checked = uint_parse(value, UINT64_MAX, &number, &mistake);
	if (!cof_failed(checked))
		return COF_OK;
	(void)snprintf(text, sizeof(text), "the value %s", mistake.text);
	return raise_value(option, text, err);
}

/* Gives the verb its options, refusing those it does not have. */
static cof_result take_options(const struct split *split, const struct cli_verb *verb,
			       struct cli_values *values, struct cof_error *err)
{
	for (size_t i = 0; i < split->option_count; i++) {
		const struct typed *typed = &split->options[i];
		const struct cli_option *option = cli_find_offered(verb, typed->name);

		if (!option)
			return refuse_option(verb, NULL, typed->name, err);
		TRY(check_value(option, typed->value, err));
		TRY(cli_values_add(values, option, typed->value, err));
	}
	return COF_OK;
}

/* Refuses too few and too many arguments, without repeating them. */
static cof_result check_args(const struct cli_verb *verb, size_t count, struct cof_error *err)
{
	char name[CLI_VERB_NAME_CHARS];
	cof_result failure = COF_OK;

	(void)cli_verb_name(verb, name);
	if (count < verb->min_args)
		failure = cof_raise(err, COF_E_USAGE, name, "needs %s", verb->arguments);
	else if (count > verb->max_args)
		failure = cof_raise(err, COF_E_USAGE, name, "takes %s, but %zu %s given",
				    verb->arguments ? verb->arguments : "no arguments", count,
				    count == 1 ? "was" : "were");
	if (cof_failed(failure))
		cof_error_try(err, "coffer %s%s%s   (coffer %s --help says more)", name,
			      verb->arguments ? " " : "", verb->arguments ? verb->arguments : "",
			      name);
	return failure;
}

/* The value of a global option; one of the verb's own hides the global one of its name. */
static const char *global_value(const struct split *split, const struct cli_verb *verb,
				const char *name)
{
	const struct typed *typed = find_typed(split, name);

	for (const struct cli_option *own = verb->options; own && own->name; own++)
		if (strcmp(own->name, name) == 0)
			return NULL;
	return typed ? typed->value : NULL;
}

/* Fills in a call of a verb. */
static cof_result parse_call(const struct split *split, size_t used, struct cli_parsed *parsed,
			     struct cof_error *err)
{
	parsed->arg_count = split->word_count - used;
	parsed->args = calloc(parsed->arg_count + 1, sizeof(*parsed->args));
	ENSURE(parsed->args, err, COF_E_NOMEM, "arguments", "no memory left");
	memcpy(parsed->args, split->words + used, parsed->arg_count * sizeof(*parsed->args));
	TRY(cli_values_new(&parsed->values, err));
	TRY(take_options(split, parsed->verb, parsed->values, err));
	TRY(check_args(parsed->verb, parsed->arg_count, err));
	parsed->ask = CLI_RUN;
	parsed->vault = global_value(split, parsed->verb, "vault");
	parsed->config = global_value(split, parsed->verb, "config");
	parsed->root = global_value(split, parsed->verb, "root");
	parsed->json = find_typed(split, "json");
	parsed->dry_run = find_typed(split, "dry-run");
	parsed->quiet = find_typed(split, "quiet");
	return COF_OK;
}

/* Help is for people: with --json a verb must be there, which answers with a document. */
static cof_result check_json(const struct split *split, const char *noun, struct cof_error *err)
{
	if (!find_typed(split, "json") || find_typed(split, "help"))
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_USAGE, noun ? noun : "--json", "%s",
			     noun ? "needs a verb with --json" : "needs a verb"));
	cof_error_try(err, "coffer help%s%s", noun ? " " : "", noun ? noun : "");
	return (cof_result){ COF_E_USAGE };
}

cof_result cli_parse(const struct cli_verb *const verbs[], int argc, char *const argv[],
		     struct cli_parsed *ret_parsed, struct cof_error *err)
{
	_cleanup_(split_done) struct split split = { 0 };
	_cleanup_(cli_parsed_done) struct cli_parsed parsed = { .ask = CLI_OVERVIEW };
	size_t used = 0;

	TRY(split_argv(verbs, argc, argv, &split, err));
	if (find_typed(&split, "version")) {
		parsed.ask = CLI_VERSION;
	} else {
		TRY(cli_resolve(verbs, split.words, split.word_count, &parsed.noun, &parsed.verb,
				&used, err));
		if (!parsed.verb)
			TRY(check_json(&split, parsed.noun, err));
		if (parsed.noun)
			parsed.ask = CLI_HELP_NOUN;
		else if (parsed.verb && find_typed(&split, "help"))
			parsed.ask = CLI_HELP_VERB;
		else if (parsed.verb)
			TRY(parse_call(&split, used, &parsed, err));
	}

	*ret_parsed = parsed;
	parsed = (struct cli_parsed){ 0 };
	return COF_OK;
}
