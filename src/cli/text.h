/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_TEXT_H
#define COF_CLI_TEXT_H

/*
 * What help, the manual and completion share.
 */

#include <stdio.h>

#include "cli.h"

/** struct cli_meaning - what an error code means and what to do about it */
struct cli_meaning {
	enum cof_code code;
	const char *meaning;
	const char *advice;
};

/** cli_meanings - one for each code but COF_E_NONE; ends with COF_E_NONE */
extern const struct cli_meaning cli_meanings[];

/** cli_exit_meanings - what each exit status means, 0 to 9 */
extern const char *const cli_exit_meanings[10];

/** struct cli_section - a section of the overview page; a list ends with { 0 } */
struct cli_section {
	const char *title;
	const char *text; /* paragraphs separated by blank lines; lines that begin with a tab stay
			     as they are */
};

extern const struct cli_section cli_overview_sections[];

/** cli_noun_summary() - one line on a noun, or a group of its verbs such as "disk header"; no full
 * stop; "" for an unknown one */
const char *cli_noun_summary(const char *noun);

/** cli_find_group() - "disk header" for "disk" and "header": what verbs of two words begin with;
 * NULL where there is none; static */
const char *cli_find_group(const char *noun, const char *word);

/** cli_print_wrapped() - @text in lines of at most 80 characters, or as many as a narrower screen
 * has, each indented by @indent blanks; paragraphs stay apart, and lines that begin with a tab stay
 * as they are */
void cli_print_wrapped(FILE *file, unsigned int indent, const char *text);

/** cli_option_form() - "--name VALUE" as it is typed; returns @out */
#define CLI_OPTION_FORM_CHARS 96
char *cli_option_form(const struct cli_option *option, char out[static CLI_OPTION_FORM_CHARS]);

/** cli_help_overview() - the short overview that `coffer` alone shows */
void cli_help_overview(const struct cli_verb *const verbs[], FILE *file);
/** cli_help_noun() - the verbs of a noun, or of a group of them */
void cli_help_noun(const struct cli_verb *const verbs[], const char *noun, FILE *file);
/** cli_help_verb() - all about one verb */
void cli_help_verb(const struct cli_verb *verb, FILE *file);

#endif
