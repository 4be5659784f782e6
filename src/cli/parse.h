/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_PARSE_H
#define COF_CLI_PARSE_H

/*
 * From argv to a call, pure: the tables in, a parsed command line out.
 *
 * Options may stand anywhere. To tell an option's value from an argument before the verb is known,
 * an option of one name takes a value in all verbs or in none; a unit test holds the tables to it.
 */

#include "cleanup.h"
#include "cli.h"

/* ---- what a verb offers (options.c) ---- */

#define CLI_OPTIONS_MAX 40 /* more in one verb is a programming error */

/** cli_global_options - those of every command line; ends with { 0 } */
extern const struct cli_option cli_global_options[];

/**
 * cli_offered() - the options of a verb: its own, then --dry-run, --yes-destroy and --json where
 * its table says so
 * @ret_options: receives pointers into the tables
 * Returns how many there are.
 */
size_t cli_offered(const struct cli_verb *verb,
		   const struct cli_option *ret_options[static CLI_OPTIONS_MAX]);

/** cli_find_offered() - one of them or of the global ones; NULL when there is none */
const struct cli_option *cli_find_offered(const struct cli_verb *verb, const char *name);

/** struct cli_values - the options of one call */
struct cli_values;
cof_result cli_values_new(struct cli_values **ret_values, struct cof_error *err);
void cli_values_free(struct cli_values *values);
DEFINE_FREEP(struct cli_values, cli_values_freep, cli_values_free)
/** cli_values_add() - @value is borrowed for as long as the values live; NULL for a flag */
cof_result cli_values_add(struct cli_values *values, const struct cli_option *option,
			  const char *value, struct cof_error *err);

/* ---- what was typed (parse.c) ---- */

/** enum cli_ask - what a command line asks for */
enum cli_ask { CLI_RUN, CLI_OVERVIEW, CLI_HELP_NOUN, CLI_HELP_VERB, CLI_VERSION };

/**
 * struct cli_parsed - a command line
 * @noun:   of CLI_HELP_NOUN; borrowed
 * @verb:   of CLI_RUN and CLI_HELP_VERB; borrowed
 * @args:   NULL-terminated, the texts borrowed from argv
 * @vault, @config, @root: global options; borrowed from argv, NULL when not given
 */
struct cli_parsed {
	enum cli_ask ask;
	const char *noun;
	const struct cli_verb *verb;
	const char **args;
	size_t arg_count;
	struct cli_values *values;
	const char *vault;
	const char *config;
	const char *root;
	bool json;
	bool dry_run;
	bool quiet;
};

void cli_parsed_done(struct cli_parsed *parsed);

/**
 * cli_parse() - one command line
 * @verbs:      NULL-terminated
 * @ret_parsed: the caller runs cli_parsed_done(), after argv is last used
 *
 * Fails: COF_E_USAGE, with the nearest right spelling as remedy; COF_E_NOMEM. Never repeats the
 * value of an option or an argument in an error: somebody may have typed a passphrase there.
 */
cof_result cli_parse(const struct cli_verb *const verbs[], int argc, char *const argv[],
		     struct cli_parsed *ret_parsed, struct cof_error *err);

/** cli_wants_json() - whether --json was typed, for command lines that cannot be parsed */
bool cli_wants_json(int argc, char *const argv[]);

/* ---- what was meant (resolve.c) ---- */

/**
 * cli_resolve() - the verb that the first words name
 * @words: @count of them
 * @ret_noun: set when they name a noun alone, or a group of its verbs ("disk header"), else NULL
 * @ret_verb: set when they name a verb, else NULL; both are NULL without words
 * @ret_used: how many words that took
 * Fails: COF_E_USAGE, with a suggestion
 */
cof_result cli_resolve(const struct cli_verb *const verbs[], const char *const words[],
		       size_t count, const char **ret_noun, const struct cli_verb **ret_verb,
		       size_t *ret_used, struct cof_error *err);

#endif
