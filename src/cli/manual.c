/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The manual as roff, pure from the tables: coffer(8), one page for each noun and each verb
 * without one, and coffer-errors(7).
 */

#include <ctype.h>
#include <string.h>

#include "parse.h"
#include "text.h"

/* What the page of a verb is called after "coffer-": its noun, or itself. */
static const char *topic_of(const struct cli_verb *verb)
{
	return verb->noun ? verb->noun : verb->verb;
}

/* Prints @len characters so that roff shows just them; what stands in backticks becomes bold. */
static void put_escaped(FILE *file, const char *text, size_t len)
{
	bool bold = false;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\\')
			(void)fputs("\\e", file);
		else if (text[i] == '-')
			(void)fputs("\\-", file);
		else if (text[i] == '\'')
			(void)fputs("\\(cq", file);
		else if (text[i] == '`')
			(void)fputs((bold = !bold) ? "\\fB" : "\\fR", file);
		else
			(void)fputc(text[i], file);
	}
}

/* A verb's name, so escaped. */
static void put_verb_name(FILE *file, const struct cli_verb *verb)
{
	char name[CLI_VERB_NAME_CHARS];

	(void)cli_verb_name(verb, name);
	put_escaped(file, name, strlen(name));
}

/* A whole text; a full stop at the start of a line would be a request. */
static void put_text(FILE *file, const char *text)
{
	(void)fputs("\\&", file);
	put_escaped(file, text, strlen(text));
}

/* Paragraphs; lines that begin with a tab are shown as typed. */
static void put_paragraphs(FILE *file, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		if (len == 0) {
			(void)fprintf(file, ".PP\n");
		} else if (*text == '\t') {
			(void)fprintf(file, ".RS 4\n.nf\n\\fB\\&");
			put_escaped(file, text + 1, len - 1);
			(void)fprintf(file, "\\fR\n.fi\n.RE\n");
		} else {
			(void)fputs("\\&", file);
			put_escaped(file, text, len);
			(void)fputc('\n', file);
		}
		text += len;
		text += *text == '\n';
	}
}

/* The page's head; pages carry the version and no date, so that a build can be repeated. */
static void put_head(FILE *file, const char *page, int section, const char *summary)
{
	char title[80];
	size_t len = 0;

	for (; page[len] && len < sizeof(title) - 1; len++)
		title[len] = (char)toupper((unsigned char)page[len]);
	title[len] = '\0';
	(void)fprintf(file,
		      ".\\\" SPDX-License-Identifier: LGPL-2.1-or-later\n"
		      ".TH \"%s\" \"%d\" \"\" \"coffer " COF_VERSION "\" \"Coffer\"\n"
		      ".nh\n.ad l\n.SH NAME\n",
		      title, section);
	put_text(file, page);
	(void)fputs(" \\- ", file);
	put_text(file, summary);
	(void)fputs("\n", file);
}

/* One option as an indented paragraph. */
static void put_option(FILE *file, const struct cli_option *option)
{
	(void)fprintf(file, ".TP\n\\fB");
	(void)fputs(option->name[1] ? "\\-\\-" : "\\-", file);
	put_escaped(file, option->name, strlen(option->name));
	(void)fputs("\\fR", file);
	if (option->value) {
		(void)fputs(" \\fI", file);
		put_escaped(file, option->value, strlen(option->value));
		(void)fputs("\\fR", file);
	}
	(void)fputc('\n', file);
	put_text(file, option->help);
	(void)fputs(".\n", file);
}

/* "coffer disk format [OPTIONS] DEV..." */
static void put_synopsis(FILE *file, const struct cli_verb *verb)
{
	const struct cli_option *offered[CLI_OPTIONS_MAX];

	(void)fputs("\\fBcoffer ", file);
	put_verb_name(file, verb);
	(void)fprintf(file, "\\fR%s", cli_offered(verb, offered) ? " [\\fIOPTIONS\\fR]" : "");
	if (verb->arguments) {
		(void)fputs(" \\fI", file);
		put_escaped(file, verb->arguments, strlen(verb->arguments));
		(void)fputs("\\fR", file);
	}
	(void)fputc('\n', file);
}

/* Options and examples of a verb. */
static void put_details(FILE *file, const struct cli_verb *verb)
{
	const struct cli_option *offered[CLI_OPTIONS_MAX];
	size_t count = cli_offered(verb, offered);

	if (verb->description)
		put_paragraphs(file, verb->description);
	for (size_t i = 0; i < count; i++)
		put_option(file, offered[i]);
	if (!verb->examples)
		return;
	(void)fputs(".PP\nExamples:\n", file);
	for (const struct cli_example *example = verb->examples; example->command; example++) {
		(void)fputs(".TP\n\\fB", file);
		put_escaped(file, example->command, strlen(example->command));
		(void)fputs("\\fR\n", file);
		put_text(file, example->meaning);
		(void)fputc('\n', file);
	}
}

/* The options of every command. */
static void put_global_options(FILE *file)
{
	for (const struct cli_option *option = cli_global_options; option->name; option++)
		put_option(file, option);
}

/* Whether this verb is the first of its page. */
static bool opens_page(size_t index)
{
	const char *topic = topic_of(cli_verbs[index]);

	for (size_t i = 0; i < index; i++)
		if (strcmp(topic_of(cli_verbs[i]), topic) == 0)
			return false;
	return !cli_verbs[index]->hidden;
}

/* The pages that are near to @page, itself left out: from coffer(8) on, all of them. */
static void put_see_also(FILE *file, const char *page)
{
	bool overview = strcmp(page, "coffer") == 0;

	(void)fputs(".SH SEE ALSO\n", file);
	if (!overview)
		(void)fputs(".BR coffer (8),\n", file);
	for (size_t i = 0; overview && cli_verbs[i]; i++)
		if (opens_page(i))
			(void)fprintf(file, ".BR coffer\\-%s (8),\n", topic_of(cli_verbs[i]));
	(void)fputs(".BR coffer\\-errors (7),\n.BR cryptsetup (8),\n.BR crypttab (5)\n", file);
}

/* Sections that end every page of a command. */
static void put_tail(FILE *file, const char *page)
{
	(void)fputs(".SH GLOBAL OPTIONS\n", file);
	put_global_options(file);
	(void)fputs(".SH EXIT STATUS\n"
		    "For several objects the first that is not 0, after all were tried.\n",
		    file);
	for (size_t i = 0; i < 10; i++) {
		(void)fprintf(file, ".TP\n%zu\n", i);
		put_text(file, cli_exit_meanings[i]);
		(void)fputc('\n', file);
	}
	put_see_also(file, page);
}

/* coffer(8). */
static void manual_overview(FILE *file)
{
	put_head(file, "coffer", 8,
		 "encryption at rest: one vault for the keys of a storage server");
	(void)fputs(".SH SYNOPSIS\n\\fBcoffer\\fR [\\fINOUN\\fR] \\fIVERB\\fR [\\fIOPTIONS\\fR] "
		    "[\\fIARGUMENTS\\fR]\n.SH DESCRIPTION\n",
		    file);
	put_paragraphs(file, "Coffer keeps the keys of encrypted disks in one vault, which one "
			     "passphrase opens. It encrypts disks, opens and closes them, and "
			     "refuses whatever would leave data behind that no key opens.");
	for (const struct cli_section *section = cli_overview_sections; section->title; section++) {
		(void)fprintf(file, ".SH %s\n", section->title);
		put_paragraphs(file, section->text);
	}
	(void)fputs(".SH COMMANDS\n", file);
	for (size_t i = 0; cli_verbs[i]; i++) {
		if (cli_verbs[i]->hidden)
			continue;
		(void)fputs(".TP\n\\fBcoffer ", file);
		put_verb_name(file, cli_verbs[i]);
		(void)fputs("\\fR\n", file);
		put_text(file, cli_verbs[i]->summary);
		(void)fputc('\n', file);
	}
	put_tail(file, "coffer");
}

/* coffer-errors(7). */
static void manual_errors(FILE *file)
{
	put_head(file, "coffer-errors", 7, "what coffer's error codes mean, and what to do");
	(void)fputs(".SH DESCRIPTION\n", file);
	put_paragraphs(
		file,
		"An error names what could not be done, the cause, and what to type next. With "
		"--json its code is there as well; each code has one exit status.");
	(void)fputs(".SH CODES\n", file);
	for (const struct cli_meaning *meaning = cli_meanings; meaning->meaning; meaning++) {
		(void)fputs(".SS ", file);
		put_text(file, cof_code_name(meaning->code));
		(void)fprintf(file, "\nExit status %d. ", cof_code_exit_status(meaning->code));
		put_escaped(file, meaning->meaning, strlen(meaning->meaning));
		(void)fputs("\n.PP\n", file);
		put_paragraphs(file, meaning->advice);
	}
	(void)fputs(".SH SEE ALSO\n.BR coffer (8)\n", file);
}

/* Whether a verb belongs on the page "coffer-@topic". */
static bool on_page(const struct cli_verb *verb, const char *topic)
{
	return !verb->hidden && strcmp(topic_of(verb), topic) == 0;
}

/* The page of a noun, or of a verb without one; false when there is no such page. */
static bool manual_topic(const char *page, const char *topic, FILE *file)
{
	const struct cli_verb *first = NULL;

	for (size_t i = 0; cli_verbs[i] && !first; i++)
		if (on_page(cli_verbs[i], topic))
			first = cli_verbs[i];
	if (!first)
		return false;
	put_head(file, page, 8, first->noun ? cli_noun_summary(first->noun) : first->summary);
	(void)fputs(".SH SYNOPSIS\n", file);
	for (size_t i = 0; cli_verbs[i]; i++) {
		if (!on_page(cli_verbs[i], topic))
			continue;
		put_synopsis(file, cli_verbs[i]);
		(void)fputs(".br\n", file);
	}
	(void)fprintf(file, ".SH %s\n", first->noun ? "COMMANDS" : "DESCRIPTION");
	for (size_t i = 0; cli_verbs[i]; i++) {
		if (!on_page(cli_verbs[i], topic))
			continue;
		if (first->noun) {
			(void)fputs(".SS ", file);
			put_synopsis(file, cli_verbs[i]);
		}
		put_details(file, cli_verbs[i]);
	}
	put_tail(file, page);
	return true;
}

cof_result cli_manual(const char *page, FILE *file, struct cof_error *err)
{
	bool found = true;
	cof_result failure;

	if (strcmp(page, "coffer") == 0)
		manual_overview(file);
	else if (strcmp(page, "coffer-errors") == 0)
		manual_errors(file);
	else
		found = strncmp(page, "coffer-", 7) == 0 && manual_topic(page, page + 7, file);
	if (found)
		return COF_OK;
	failure = cof_raise(err, COF_E_USAGE, page, "no such page of the manual");
	cof_error_try(err, "coffer help --man coffer");
	return failure;
}
