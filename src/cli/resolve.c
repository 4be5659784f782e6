/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which verb the words of a command line mean, and what a misspelt word was meant to be.
 */

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "parse.h"

#define WORD_MAX_LETTERS 31

/* The smaller of two. */
static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t cli_distance(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX_LETTERS + 1];
	size_t a_len = strlen(a);
	size_t b_len = strlen(b);

	if (a_len > WORD_MAX_LETTERS || b_len > WORD_MAX_LETTERS)
		return SIZE_MAX;
	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *row = rows[i % 3];
		const size_t *above = rows[(i - 1) % 3];
		const size_t *above2 = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t changed = above[j - 1] + (a[i - 1] != b[j - 1]);

			row[j] = least(changed, least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], above2[j - 2] + 1);
		}
	}
	return rows[a_len % 3][b_len];
}

bool cli_nearer(const char *typed, const char *candidate, size_t *best)
{
	size_t len = strlen(typed);
	size_t distance = cli_distance(typed, candidate);
	/* A beginning is as good as one wrong letter. */
	bool beginning = len >= 2 && strncmp(typed, candidate, len) == 0;

	if (beginning && distance > 1)
		distance = 1;
	if (distance >= *best || distance > 1 + len / 4)
		return false;
	*best = distance;
	return true;
}

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
	return !verb->hidden && (!verb->destroys || cli_distance(typed, verb->verb) <= 1);
}

/* The nearest verb of a noun that may be suggested, or NULL. */
static const struct cli_verb *nearest_verb(const struct cli_verb *const verbs[], const char *noun,
					   const char *typed)
{
	const struct cli_verb *found = NULL;
	size_t best = SIZE_MAX;

	for (size_t i = 0; verbs[i]; i++)
		if (same_noun(verbs[i], noun) && may_suggest(verbs[i], typed) &&
		    cli_nearer(typed, verbs[i]->verb, &best))
			found = verbs[i];
	return found;
}

/* Adds what may have been meant by a first word that is neither a noun nor a verb. */
static void suggest_first(const struct cli_verb *const verbs[], const char *typed,
			  struct cof_error *err)
{
	const char *found_noun = NULL;
	const char *found = NULL;
	size_t best = SIZE_MAX;

	for (size_t i = 0; verbs[i]; i++) {
		const char *first = verbs[i]->noun ? verbs[i]->noun : verbs[i]->verb;

		if (!verbs[i]->hidden && (verbs[i]->noun || may_suggest(verbs[i], typed)) &&
		    cli_nearer(typed, first, &best))
			found = first;
	}
	/* Somebody may have left out the noun. */
	for (size_t i = 0; verbs[i] && !found; i++) {
		if (verbs[i]->hidden || strcmp(verbs[i]->verb, typed) != 0)
			continue;
		found_noun = verbs[i]->noun;
		found = verbs[i]->verb;
	}
	if (found)
		cof_error_try(err, "coffer %s%s%s", found_noun ? found_noun : "",
			      found_noun ? " " : "", found);
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
	char word[CLI_VERB_NAME_CHARS];
	const struct cli_verb *verb;
	const struct cli_verb *near;

	(void)snprintf(word, sizeof(word), "%s%s%s", words[0], two && count > 1 ? " " : "",
		       two && count > 1 ? words[1] : "");
	verb = find_verb(verbs, noun, word);
	near = verb ? NULL : nearest_verb(verbs, noun, word);
	if (!verb) {
		cof_result failure =
			cof_raise(err, COF_E_USAGE, word[0] ? word : "\"\"",
				  "coffer %s has no such verb", noun);

		if (near)
			cof_error_try(err, "coffer %s %s", noun, near->verb);
		else
			cof_error_try(err, "coffer help %s", noun);
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
	bool second = noun && count > 1;
	size_t more = 0;

	if (count && !verb && !noun) {
		cof_result failure = cof_raise(err, COF_E_USAGE, words[0][0] ? words[0] : "\"\"",
					       "no such command");

		suggest_first(verbs, words[0], err);
		return failure;
	}
	if (second)
		TRY(resolve_second(verbs, noun, words + 1, count - 1, &verb, &more, err));

	*ret_noun = second ? NULL : noun;
	*ret_verb = verb;
	*ret_used = (verb || noun ? 1 : 0) + more;
	return COF_OK;
}
