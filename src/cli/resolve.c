/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which verb the words of a command line mean, and what a misspelt word was meant to be.
 */

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "near.h"
#include "parse.h"
#include "text.h"

/* Whether a verb belongs to this noun, NULL being none. */
static bool same_noun(const struct cli_verb *verb, const char *noun)
{
	if (!verb->noun || !noun)
		return verb->noun == noun;
	return strcmp(verb->noun, noun) == 0;
}

/* The verb of this noun (or of none) that is called @name, or NULL. */
static const struct cli_verb *find_verb(const struct cli_verb *const verbs[], const char *noun,
					const char *name)
{
	for (size_t i = 0; verbs[i]; i++)
		if (same_noun(verbs[i], noun) && strcmp(verbs[i]->verb, name) == 0)
			return verbs[i];
	return NULL;
}

/* A noun as the tables spell it, or NULL. */
static const char *find_noun(const struct cli_verb *const verbs[], const char *name)
{
	for (size_t i = 0; verbs[i]; i++)
		if (verbs[i]->noun && strcmp(verbs[i]->noun, name) == 0)
			return verbs[i]->noun;
	return NULL;
}

/* Whether a verb may be named for what was typed: one that destroys only for a typing error of one
 * letter, never for another word or a beginning. */
static bool may_suggest(const struct cli_verb *verb, const char *typed)
{
	return !verb->hidden && (!verb->destroys || near_distance(typed, verb->verb) <= 1);
}

/* The nearest verb of a noun that may be suggested, or NULL. */
static const struct cli_verb *nearest_verb(const struct cli_verb *const verbs[], const char *noun,
					   const char *typed)
{
	const struct cli_verb *found = NULL;
	size_t best = SIZE_MAX;

	for (size_t i = 0; verbs[i]; i++)
		if (same_noun(verbs[i], noun) && may_suggest(verbs[i], typed) &&
		    near_is_nearer(typed, verbs[i]->verb, &best))
			found = verbs[i];
	return found;
}

/* Names the commands of which somebody left out the noun; the disks', which come late in the
 * manual, first. False where there is none. */
static bool suggest_nouns(const struct cli_verb *const verbs[], const char *typed,
			  struct cof_error *err)
{
	char text[256] = "";
	size_t count = 0;
	size_t used = 0;

	while (verbs[count])
		count++;
	while (count-- > 0) {
		const struct cli_verb *verb = verbs[count];

		if (verb->hidden || !verb->noun || strcmp(verb->verb, typed) != 0)
			continue;
		if (used < sizeof(text))
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%scoffer %s %s",
						 used ? ", or " : "", verb->noun, verb->verb);
	}
	if (used)
		cof_error_try(err, "%s", text);
	return used > 0;
}

/* Adds what may have been meant by a first word that is neither a noun nor a verb. */
static void suggest_first(const struct cli_verb *const verbs[], const char *typed,
			  struct cof_error *err)
{
	const char *found = NULL;
	size_t best = SIZE_MAX;

	if (suggest_nouns(verbs, typed, err))
		return;
	for (size_t i = 0; verbs[i]; i++) {
		const char *first = verbs[i]->noun ? verbs[i]->noun : verbs[i]->verb;

		if (!verbs[i]->hidden && (verbs[i]->noun || may_suggest(verbs[i], typed)) &&
		    near_is_nearer(typed, first, &best))
			found = first;
	}
	if (found)
		cof_error_try(err, "coffer %s", found);
	else
		cof_error_try(err, "coffer help");
}

/* Whether verbs of two words begin with this one, as "header check" does. */
static bool begins_two_words(const struct cli_verb *const verbs[], const char *noun,
			     const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; verbs[i]; i++)
		if (same_noun(verbs[i], noun) && strncmp(verbs[i]->verb, word, len) == 0 &&
		    verbs[i]->verb[len] == ' ')
			return true;
	return false;
}

/* The verb of a noun by the words that follow. */
static cof_result resolve_second(const struct cli_verb *const verbs[], const char *noun,
				 const char *const words[], size_t count,
				 const struct cli_verb **ret_verb, size_t *ret_used,
				 struct cof_error *err)
{
	bool two = begins_two_words(verbs, noun, words[0]);
	const char *group = cli_find_group(noun, words[0]);
	char word[CLI_VERB_NAME_CHARS];
	const struct cli_verb *verb;
	const struct cli_verb *near;

	(void)snprintf(word, sizeof(word), "%s%s%s", words[0], two && count > 1 ? " " : "",
		       two && count > 1 ? words[1] : "");
	verb = find_verb(verbs, noun, word);
	near = verb ? NULL : nearest_verb(verbs, noun, word);
	if (!verb) {
		cof_result failure = cof_raise(err, COF_E_USAGE, word[0] ? word : "\"\"",
					       "coffer %s has no such verb", noun);

		if (near)
			cof_error_try(err, "coffer %s %s", noun, near->verb);
		else
			cof_error_try(err, "coffer help %s%s%s", noun, group ? " " : "",
				      group ? words[0] : "");
		return failure;
	}
	*ret_verb = verb;
	*ret_used = two ? 2 : 1;
	return COF_OK;
}

cof_result cli_resolve(const struct cli_verb *const verbs[], const char *const words[],
		       size_t count, const char **ret_noun, const struct cli_verb **ret_verb,
		       size_t *ret_used, struct cof_error *err)
{
	const struct cli_verb *verb = count ? find_verb(verbs, NULL, words[0]) : NULL;
	const char *noun = count && !verb ? find_noun(verbs, words[0]) : NULL;
	const char *group = noun && count == 2 ? cli_find_group(noun, words[1]) : NULL;
	bool second = noun && count > 1 && !group;
	size_t more = group ? 1 : 0;

	if (count && !verb && !noun) {
		cof_result failure = cof_raise(err, COF_E_USAGE, words[0][0] ? words[0] : "\"\"",
					       "no such command");

		suggest_first(verbs, words[0], err);
		return failure;
	}
	if (second)
		TRY(resolve_second(verbs, noun, words + 1, count - 1, &verb, &more, err));

	*ret_noun = second ? NULL : group ? group : noun;
	*ret_verb = verb;
	*ret_used = (verb || noun ? 1 : 0) + more;
	return COF_OK;
}
