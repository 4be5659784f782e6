/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_CLI_H
#define COF_CLI_CLI_H

/*
 * The command line. One const table per verb is the source of the parser, --help, the man pages
 * and shell completion.
 */

#include "json.h"
#include "paths.h"
#include "result.h"

enum cli_type { CLI_FLAG, CLI_TEXT, CLI_FILE, CLI_DEVICE, CLI_SIZE, CLI_DURATION, CLI_NUMBER };

/** struct cli_option - one option; a list ends with { 0 } */
struct cli_option {
	const char *name; /* without dashes; one of a single letter is typed with one dash, -o */
	enum cli_type type;
	const char *value; /* what --help calls the value, with its unit; NULL for a flag */
	const char *help;  /* one sentence, no full stop, with the default */
};

/** struct cli_example - one example; a list ends with { 0 } */
struct cli_example {
	const char *command;
	const char *meaning;
};

struct cli_call;

/**
 * struct cli_verb - one verb
 * @noun:      "disk", or NULL for what concerns everything
 * @verb:      "format"
 * @arguments: as shown, "DEV..."; NULL for none
 * @min_args, @max_args: how many; SIZE_MAX is no limit
 * @argument_type: for completion
 * @summary:   one line, no full stop
 * @description: paragraphs separated by blank lines, for the man page and --help
 * @changes:   offers --dry-run (the verb honours cli_flag(call, "dry-run"))
 * @destroys:  offers --yes-destroy NAME
 * @shows:     offers --json
 * @needs_root: refuses for other users, saying what to type
 * @looks:     only shows things, also with a configuration file that has a mistake
 * @hidden:    not shown, for coffer's own processes
 * @placeless: needs neither the vault's places nor the configuration file: call->paths is NULL
 */
struct cli_verb {
	const char *noun;
	const char *verb;
	const char *arguments;
	size_t min_args;
	size_t max_args;
	enum cli_type argument_type;
	const char *summary;
	const char *description;
	const struct cli_option *options;
	const struct cli_example *examples;
	bool changes;
	bool destroys;
	bool shows;
	bool needs_root;
	bool looks;
	bool hidden;
	bool placeless;
	cof_result (*run)(struct cli_call *call, struct cof_error *err);
};

/** cli_verbs - all verbs, NULL-terminated, in the order of the manual (src/cli/verbs.c) */
extern const struct cli_verb *const cli_verbs[];

/** struct cli_call - one run of a verb */
struct cli_call {
	const struct cli_verb *verb;
	const struct paths *paths; /* borrowed */
	const char *const *args;   /* NULL-terminated */
	size_t arg_count;
	bool json;
	bool dry_run;
	bool quiet;
	struct cli_values *values;	 /* parsed options; use the functions below */
	struct json *document;		 /* what cli_show() was given */
	bool mirrors_told;		 /* mirrors_warn() has run */
	const struct cof_error *mistake; /* in the configuration file, for a verb that looks */
	bool mistake_told;		 /* the verb has shown it */
	int status; /* of a command that the verb has run: the exit status, unless it fails */
};

/** cli_verb_name() - "disk format"; returns @out */
#define CLI_VERB_NAME_CHARS 64
char *cli_verb_name(const struct cli_verb *verb, char out[static CLI_VERB_NAME_CHARS]);

/** cli_flag() - whether an option was given, "json", "dry-run" and "quiet" included. An undeclared
 * name is a programming error, here and below */
bool cli_flag(const struct cli_call *call, const char *option);
/** cli_value() - text of an option or NULL; the last one counts; borrowed */
const char *cli_value(const struct cli_call *call, const char *option);
/** cli_value_list() - every value of an option that may be repeated, NULL-terminated; borrowed */
const char *const *cli_value_list(const struct cli_call *call, const char *option);
/* Of these the parser has checked already that they can be read. */
cof_result cli_size(const struct cli_call *call, const char *option, uint64_t fallback,
		    uint64_t *ret_bytes, struct cof_error *err);
cof_result cli_duration(const struct cli_call *call, const char *option, uint64_t fallback,
			uint64_t *ret_seconds, struct cof_error *err);
cof_result cli_number(const struct cli_call *call, const char *option, uint64_t fallback,
		      uint64_t *ret_number, struct cof_error *err);

/**
 * cli_show() - the document that a run with --json answers with; @document is taken
 * It is printed when the verb has ended; where that fails, its error is added as "error", so that
 * there is one document on stdout whatever happens. Twice in one run is a programming error.
 */
void cli_show(struct cli_call *call, struct json *document);

/** cli_say() - one line on stdout about what was done, unless --json or --quiet; printf's */
void cli_say(const struct cli_call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** cli_report() - an error as text on stderr, with control characters made harmless; for verbs
 * that go on after one of several objects failed: the failure that they return is reported too */
void cli_report(const struct cof_error *err);
/** cli_error_json() - the error as {"code","subject","text","headline","cause","remedy"} */
struct json *cli_error_json(const struct cof_error *err);

/**
 * cli_confirm_destroy() - the user agrees to destroy what @name names
 * @name:  as typed on the command line; --yes-destroy NAME agrees in scripts
 * @proof: what to type on a terminal instead of the name, such as a serial number, which shows
 *         that the right thing is meant; --yes-destroy takes it too; NULL or "" for none
 * @text:  what will be lost
 * Fails: COF_E_REFUSED
 */
cof_result cli_confirm_destroy(const struct cli_call *call, const char *name, const char *proof,
			       const char *text, struct cof_error *err);

/** cli_agreed_destroy() - whether --yes-destroy agrees to that, so that nothing will be asked */
bool cli_agreed_destroy(const struct cli_call *call, const char *name, const char *proof);

/** cli_say_slow() - before work whose slowness is meant (Argon2), tell a person at a terminal */
void cli_say_slow(const struct cli_call *call);

/** cli_on_terminal() - whether a person can be asked: stdin and stderr are terminals, no --json */
bool cli_on_terminal(const struct cli_call *call);
/** cli_wait_enter() - show @text on stderr and wait for Enter. Fails: COF_E_REFUSED (no input) */
cof_result cli_wait_enter(const char *text, struct cof_error *err);
/** cli_ask_yes() - show @text on stderr and take "yes" for yes, any other line for no; what was
 * typed before counts for nothing, here, above and for what destroys.
 * Fails: COF_E_REFUSED (no input) */
cof_result cli_ask_yes(const char *text, bool *ret_yes, struct cof_error *err);

/**
 * cli_main() - parse argv and run (src/cli/cli.c); reports errors on stderr, and with --json as
 * {"error":{"code","subject","text","headline","cause","remedy"}} on stdout
 * Returns the process's exit status. Global options, before or after the verb: --vault --config
 * --root --json --dry-run --quiet --help --version; `coffer help [NOUN [VERB]]`.
 */
int cli_main(int argc, char *argv[]);

/** cli_manual() - a man page as roff on @file: "coffer", "coffer-disk", "coffer-errors"; pure from
 * the tables; "coffer-NOUN" and "coffer-VERB" are there for all.
 * Fails: COF_E_USAGE (no such page) */
cof_result cli_manual(const char *page, FILE *file, struct cof_error *err);
/** cli_completion() - completion for "bash" on @file */
cof_result cli_completion(const char *shell, FILE *file, struct cof_error *err);

#endif
