/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * --help from the tables: the overview, a noun's verbs, one verb.
 */

#include <string.h>

#include "parse.h"
#include "screen.h"
#include "text.h"
#include "wrap.h"

#define LINE_CHARS     80 /* longer lines are hard to read, however wide the screen is */
#define SUMMARY_COLUMN 28
#define ROOM_CHARS     24 /* for the right side, at the least */

/* How long a line on @file may get. */
static unsigned int line_chars(FILE *file)
{
	size_t columns = screen_columns(fileno(file), LINE_CHARS);

	return columns < LINE_CHARS ? (unsigned int)columns : LINE_CHARS;
}

/* Where the right side of a list starts: farther left on a narrow screen. */
static unsigned int summary_column(FILE *file)
{
	unsigned int chars = line_chars(file);

	return chars < SUMMARY_COLUMN + ROOM_CHARS ? 6 : SUMMARY_COLUMN;
}

void cli_print_wrapped(FILE *file, unsigned int indent, const char *text)
{
	wrap_print(file, line_chars(file), indent, 0, text);
}

char *cli_option_form(const struct cli_option *option, char out[static CLI_OPTION_FORM_CHARS])
{
	bool letter = option->name[1] == '\0';

	(void)snprintf(out, CLI_OPTION_FORM_CHARS, "%s%s%s%s", letter ? "-" : "--", option->name,
		       option->value ? " " : "", option->value ? option->value : "");
	return out;
}

/* "  left      right", with the right side on a line of its own where the left one is long. */
static void print_pair(FILE *file, const char *left, const char *right)
{
	unsigned int column = summary_column(file);
	unsigned int there = 2 + (unsigned int)strlen(left);

	(void)fprintf(file, "  %s", left);
	if (there + 2 > column) {
		(void)fputc('\n', file);
		there = 0;
	}
	wrap_print(file, line_chars(file), column, there, right);
}

/* One verb of a list of verbs. */
static void print_verb_line(FILE *file, const struct cli_verb *verb)
{
	char name[CLI_VERB_NAME_CHARS];
	char left[160];

	(void)snprintf(left, sizeof(left), "%s%s%s", cli_verb_name(verb, name),
		       verb->arguments ? " " : "", verb->arguments ? verb->arguments : "");
	print_pair(file, left, verb->summary);
}

/* Whether this verb is the first of its noun in the list. */
static bool first_of_noun(const struct cli_verb *const verbs[], size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (verbs[i]->noun && verbs[index]->noun &&
		    strcmp(verbs[i]->noun, verbs[index]->noun) == 0)
			return false;
	return verbs[index]->noun != NULL;
}

void cli_help_overview(const struct cli_verb *const verbs[], FILE *file)
{
	char form[CLI_OPTION_FORM_CHARS];

	(void)fprintf(file,
		      "coffer " COF_VERSION " keeps the keys of encrypted disks in one vault.\n\n"
		      "Usage: coffer [NOUN] VERB [OPTIONS] [ARGUMENTS]\n\nThe vault:\n");
	for (size_t i = 0; verbs[i]; i++)
		if (!verbs[i]->noun && !verbs[i]->hidden)
			print_verb_line(file, verbs[i]);
	(void)fprintf(file, "\nNouns, each with verbs of its own:\n");
	for (size_t i = 0; verbs[i]; i++)
		if (!verbs[i]->hidden && first_of_noun(verbs, i))
			print_pair(file, verbs[i]->noun, cli_noun_summary(verbs[i]->noun));
	(void)fprintf(file, "\nOptions of every command:\n");
	for (const struct cli_option *option = cli_global_options; option->name; option++)
		print_pair(file, cli_option_form(option, form), option->help);
	(void)fprintf(file, "\nExit status:\n");
	for (size_t i = 0; i < 10; i++)
		print_pair(file, (const char[]){ (char)('0' + i), '\0' }, cli_exit_meanings[i]);
	cli_print_wrapped(file, 2,
			  "For several objects: the first that is not 0, after all were tried.");
	(void)fprintf(file, "\nFirst steps:\n");
	print_pair(file, "coffer init", "make a vault; asks for one passphrase");
	print_pair(file, "coffer disk list", "show the disks of this machine");
	print_pair(file, "coffer help NOUN VERB", "say all about one command");
}

void cli_help_noun(const struct cli_verb *const verbs[], const char *noun, FILE *file)
{
	size_t len = strlen(noun);
	char name[CLI_VERB_NAME_CHARS];
	char title[256];

	(void)snprintf(title, sizeof(title), "coffer %s: %s\n\n", noun, cli_noun_summary(noun));
	cli_print_wrapped(file, 0, title);
	for (size_t i = 0; verbs[i]; i++)
		if (!verbs[i]->hidden && strncmp(cli_verb_name(verbs[i], name), noun, len) == 0 &&
		    name[len] == ' ')
			print_verb_line(file, verbs[i]);
	(void)snprintf(title, sizeof(title), "\n`coffer help %s VERB` says all about one of them.",
		       noun);
	cli_print_wrapped(file, 0, title);
}

/* The names of the options of every command. */
static void put_globals(FILE *file)
{
	char text[256] = "Options of every command:";
	size_t used = strlen(text);

	for (const struct cli_option *option = cli_global_options; option->name; option++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, " --%s", option->name);
	(void)snprintf(text + used, sizeof(text) - used,
		       "\n(`coffer help` explains them and the exit status; see also coffer(8))");
	(void)fputc('\n', file);
	cli_print_wrapped(file, 0, text);
}

void cli_help_verb(const struct cli_verb *verb, FILE *file)
{
	const struct cli_option *offered[CLI_OPTIONS_MAX];
	size_t count = cli_offered(verb, offered);
	char name[CLI_VERB_NAME_CHARS];
	char form[CLI_OPTION_FORM_CHARS];
	char title[512];

	(void)snprintf(title, sizeof(title), "coffer %s: %s\n\nUsage: coffer %s%s%s%s",
		       cli_verb_name(verb, name), verb->summary, name, count ? " [OPTIONS]" : "",
		       verb->arguments ? " " : "", verb->arguments ? verb->arguments : "");
	cli_print_wrapped(file, 0, title);
	if (verb->description) {
		(void)fputc('\n', file);
		cli_print_wrapped(file, 0, verb->description);
	}
	if (count)
		(void)fprintf(file, "\nOptions:\n");
	for (size_t i = 0; i < count; i++)
		print_pair(file, cli_option_form(offered[i], form), offered[i]->help);
	if (verb->examples)
		(void)fprintf(file, "\nExamples:\n");
	for (const struct cli_example *example = verb->examples; example && example->command;
	     example++) {
		(void)fprintf(file, "  %s\n", example->command);
		cli_print_wrapped(file, 6, example->meaning);
	}
	put_globals(file);
}
