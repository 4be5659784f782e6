/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Shell completion, pure from the tables.
 */

#include <string.h>

#include "parse.h"

/* The part that looks at the line; the tables follow as functions that it calls. */
static const char bash_head[] =
	"# bash completion for coffer; made by `coffer completion bash`\n"
	"_coffer()\n"
	"{\n"
	"\tlocal current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
	"\tlocal words=() i\n"
	"\tlocal options arguments next\n"
	"\tCOMPREPLY=()\n"
	"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	"\t\tif [[ ${COMP_WORDS[i]} == -* ]]; then\n"
	"\t\t\t[[ -n $(_coffer_value \"${COMP_WORDS[i]}\") ]] && ((i++))\n"
	"\t\telse\n"
	"\t\t\twords+=(\"${COMP_WORDS[i]}\")\n"
	"\t\tfi\n"
	"\tdone\n"
	"\t_coffer_verb \"${words[0]}\" \"${words[1]}\" \"${words[2]}\"\n"
	"\tcase $(_coffer_value \"$before\") in\n"
	"\tfile|device) COMPREPLY=($(compgen -f -- \"$current\")); return ;;\n"
	"\ttext) return ;;\n"
	"\tesac\n"
	"\tif [[ $current == -* ]]; then\n"
	"\t\tCOMPREPLY=($(compgen -W \"$options\" -- \"$current\"))\n"
	"\telif [[ -n $next ]]; then\n"
	"\t\tCOMPREPLY=($(compgen -W \"$next\" -- \"$current\"))\n"
	"\telif [[ $arguments == file ]]; then\n"
	"\t\tCOMPREPLY=($(compgen -f -- \"$current\"))\n"
	"\telif [[ $arguments == device ]]; then\n"
	"\t\tCOMPREPLY=($(compgen -f -- \"${current:-/dev/}\"))\n"
	"\tfi\n"
	"}\n";

/* What completion does for a type of value. */
static const char *kind_of(enum cli_type type)
{
	if (type == CLI_FILE)
		return "file";
	return type == CLI_DEVICE ? "device" : "text";
}

/* Whether an option of that name was in an earlier verb's table. */
static bool seen_before(size_t index, const char *name)
{
	for (size_t i = 0; i < index; i++) {
		for (const struct cli_option *option = cli_verbs[i]->options;
		     option && option->name; option++)
			if (strcmp(option->name, name) == 0)
				return true;
	}
	return false;
}

/* One pattern of the function that tells which options take what value. */
static void put_value_case(FILE *file, const struct cli_option *option)
{
	if (option->type != CLI_FLAG)
		(void)fprintf(file, "\t%s%s) echo %s ;;\n", option->name[1] ? "--" : "-",
			      option->name, kind_of(option->type));
}

/* The function that tells which options take what value. */
static void put_values(FILE *file)
{
	(void)fputs("_coffer_value()\n{\n\tcase $1 in\n", file);
	for (const struct cli_option *option = cli_global_options; option->name; option++)
		put_value_case(file, option);
	(void)fputs("\t--yes-destroy) echo text ;;\n", file);
	for (size_t i = 0; cli_verbs[i]; i++) {
		for (const struct cli_option *option = cli_verbs[i]->options;
		     option && option->name; option++)
			if (!cli_verbs[i]->hidden && !seen_before(i, option->name))
				put_value_case(file, option);
	}
	(void)fputs("\tesac\n}\n", file);
}

/* One pattern of the function that tells what a verb offers. */
static void put_verb_case(FILE *file, const struct cli_verb *verb)
{
	const struct cli_option *offered[CLI_OPTIONS_MAX];
	size_t count = cli_offered(verb, offered);

	(void)fprintf(file, "\t'%s%s%s%s)\n\t\toptions=\"", verb->noun ? verb->noun : "",
		      verb->noun ? " " : "", verb->verb, strchr(verb->verb, ' ') ? "'" : " '*");
	for (size_t i = 0; i < count; i++)
		(void)fprintf(file, "%s%s ", offered[i]->name[1] ? "--" : "-", offered[i]->name);
	for (const struct cli_option *option = cli_global_options; option->name; option++)
		(void)fprintf(file, "--%s ", option->name);
	(void)fprintf(file, "\"\n\t\targuments=%s\n\t\t;;\n",
		      verb->max_args ? kind_of(verb->argument_type) : "none");
}

/* Whether this verb is the first that is offered of its noun with its first word. */
static bool opens_word(size_t index)
{
	const struct cli_verb *verb = cli_verbs[index];
	size_t len = strcspn(verb->verb, " ") + 1;

	for (size_t i = 0; i < index; i++)
		if (cli_verbs[i]->noun && strcmp(cli_verbs[i]->noun, verb->noun) == 0 &&
		    strncmp(cli_verbs[i]->verb, verb->verb, len) == 0)
			return false;
	return !verb->hidden;
}

/* The second words of the verbs that begin with the first word of this one. */
static void put_word_case(FILE *file, const struct cli_verb *verb)
{
	size_t len = strcspn(verb->verb, " ") + 1;

	(void)fprintf(file, "\t'%s %.*s'*) next=\"", verb->noun, (int)len, verb->verb);
	for (size_t i = 0; cli_verbs[i]; i++)
		if (!cli_verbs[i]->hidden && cli_verbs[i]->noun &&
		    strcmp(cli_verbs[i]->noun, verb->noun) == 0 &&
		    strncmp(cli_verbs[i]->verb, verb->verb, len) == 0)
			(void)fprintf(file, "%s ", cli_verbs[i]->verb + len);
	(void)fputs("\" ;;\n", file);
}

/* The verbs of one noun as a pattern that lists them; of those of two words the first. */
static void put_noun_case(FILE *file, const char *noun)
{
	for (size_t i = 0; cli_verbs[i]; i++)
		if (cli_verbs[i]->noun && strcmp(cli_verbs[i]->noun, noun) == 0 &&
		    strchr(cli_verbs[i]->verb, ' ') && opens_word(i))
			put_word_case(file, cli_verbs[i]);
	(void)fprintf(file, "\t'%s '*) next=\"", noun);
	for (size_t i = 0; cli_verbs[i]; i++)
		if (cli_verbs[i]->noun && strcmp(cli_verbs[i]->noun, noun) == 0 && opens_word(i))
			(void)fprintf(file, "%.*s ", (int)strcspn(cli_verbs[i]->verb, " "),
				      cli_verbs[i]->verb);
	(void)fputs("\" ;;\n", file);
}

/* Whether this verb is the first of its noun. */
static bool opens_noun(size_t index)
{
	const char *noun = cli_verbs[index]->noun;

	for (size_t i = 0; noun && i < index; i++)
		if (cli_verbs[i]->noun && strcmp(cli_verbs[i]->noun, noun) == 0)
			return false;
	return noun != NULL;
}

/* The function that sets what may come next after two words. */
static void put_verbs(FILE *file)
{
	(void)fputs("_coffer_verb()\n{\n\tcase \"$1 $2 $3\" in\n", file);
	for (size_t i = 0; cli_verbs[i]; i++)
		if (!cli_verbs[i]->hidden)
			put_verb_case(file, cli_verbs[i]);
	for (size_t i = 0; cli_verbs[i]; i++)
		if (!cli_verbs[i]->hidden && opens_noun(i))
			put_noun_case(file, cli_verbs[i]->noun);
	(void)fputs("\t*)\n\t\tnext=\"", file);
	for (size_t i = 0; cli_verbs[i]; i++)
		if (!cli_verbs[i]->hidden && (!cli_verbs[i]->noun || opens_noun(i)))
			(void)fprintf(file, "%s ",
				      cli_verbs[i]->noun ? cli_verbs[i]->noun : cli_verbs[i]->verb);
	(void)fputs("\"\n\t\toptions=\"", file);
	for (const struct cli_option *option = cli_global_options; option->name; option++)
		(void)fprintf(file, "--%s ", option->name);
	(void)fputs("\"\n\t\t;;\n\tesac\n}\n", file);
}

cof_result cli_completion(const char *shell, FILE *file, struct cof_error *err)
{
	if (strcmp(shell, "bash") != 0) {
		cof_result failure =
			cof_raise(err, COF_E_USAGE, shell, "no completion for that shell");

		cof_error_try(err, "coffer completion bash");
		return failure;
	}
	(void)fputs(bash_head, file);
	put_values(file);
	put_verbs(file);
	(void)fputs("complete -F _coffer coffer\n", file);
	return COF_OK;
}
