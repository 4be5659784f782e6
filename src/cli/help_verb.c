/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `coffer help` and `coffer completion`.
 */

#include <stdio.h>

#include "parse.h"
#include "text.h"
#include "verbs.h"

/* Shows help on what the arguments name, or a page of the manual as roff. */
static cof_result run_help(struct cli_call *call, struct cof_error *err)
{
	const char *page = cli_value(call, "man");
	const struct cli_verb *verb = NULL;
	const char *noun = NULL;
	size_t used;

	if (page)
		return cli_manual(page, stdout, err);
	TRY(cli_resolve(cli_verbs, call->args, call->arg_count, &noun, &verb, &used, err));
	if (verb)
		cli_help_verb(verb, stdout);
	else if (noun)
		cli_help_noun(cli_verbs, noun, stdout);
	else
		cli_help_overview(cli_verbs, stdout);
	return COF_OK;
}

/* Prints the completion of a shell. */
static cof_result run_completion(struct cli_call *call, struct cof_error *err)
{
	return cli_completion(call->args[0], stdout, err);
}

const struct cli_verb cli_verb_help = {
	.verb = "help",
	.arguments = "[NOUN] [VERB]",
	.max_args = 3,
	.argument_type = CLI_TEXT,
	.summary = "show help on a command",
	.description = "Shows an overview, the verbs of a noun, or all about one verb.",
	.options =
		(const struct cli_option[]){
			{ "man", CLI_TEXT, "PAGE",
			  "print a page of the manual as roff instead: coffer, coffer-errors, "
			  "coffer-NOUN or coffer-VERB" },
			{ 0 },
		},
	.examples =
		(const struct cli_example[]){
			{ "coffer help enroll passphrase", "All about one command." },
			{ "coffer help --man coffer-key | man -l -", "A page of the manual without "
								     "installing it." },
			{ 0 },
		},
	.placeless = true,
	.run = run_help,
};

const struct cli_verb cli_verb_completion = {
	.verb = "completion",
	.arguments = "bash",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_TEXT,
	.summary = "print the completion script of a shell",
	.description =
		"The script completes nouns, verbs, options and files. A packaged coffer has "
		"it installed already.",
	.examples =
		(const struct cli_example[]){
			{ "coffer completion bash > /etc/bash_completion.d/coffer",
			  "Complete in every new shell." },
			{ 0 },
		},
	.placeless = true,
	.run = run_completion,
};
