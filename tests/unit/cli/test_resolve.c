/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which verb is meant, and how near a misspelt word is.
 */

#include "unit.h"

#include "parse.h"

static const struct cli_verb disk_list = { .noun = "disk", .verb = "list" };
static const struct cli_verb disk_format = { .noun = "disk", .verb = "format", .destroys = true };
static const struct cli_verb key_list = { .noun = "key", .verb = "list" };
static const struct cli_verb header_check = { .noun = "disk", .verb = "header check" };
static const struct cli_verb revoking = { .verb = "revoke", .destroys = true };
static const struct cli_verb unlock = { .verb = "unlock" };
static const struct cli_verb agent = { .verb = "agent", .hidden = true };
static const struct cli_verb *const verbs[] = { &unlock,       &key_list, &disk_list, &disk_format,
						&header_check, &revoking, &agent,     NULL };

/* Two words, the second of which may be NULL, resolve to this verb. */
static void finds(const char *first, const char *second, const struct cli_verb *expected,
		  size_t expected_used)
{
	const char *const words[] = { first, second, NULL };
	const struct cli_verb *verb = NULL;
	const char *noun = NULL;
	size_t used = 0;

	assert_ok(cli_resolve(verbs, words, second ? 2 : 1, &noun, &verb, &used, NULL));
	assert_ptr_equal(verb, expected);
	assert_null(noun);
	assert_int_equal(used, expected_used);
}

/* They are refused, with this remedy. */
static void refused(const char *first, const char *second, const char *remedy)
{
	const char *const words[] = { first, second, NULL };
	const struct cli_verb *verb = NULL;
	const char *noun = NULL;
	struct cof_error err = { 0 };
	size_t used = 0;

	assert_fails(cli_resolve(verbs, words, second ? 2 : 1, &noun, &verb, &used, &err),
		     COF_E_USAGE);
	assert_string_equal(err.remedy, remedy);
}

static void test_resolve_verb_without_noun_leaves_arguments(void **state)
{
	finds("unlock", "something", &unlock, 1);
}

static void test_resolve_noun_and_verb_take_two_words(void **state)
{
	finds("disk", "format", &disk_format, 2);
}

static void test_resolve_verb_of_two_words_takes_three(void **state)
{
	const char *const words[] = { "disk", "header", "check", "sdj", NULL };
	const struct cli_verb *verb = NULL;
	const char *noun = NULL;
	size_t used = 0;

	assert_ok(cli_resolve(verbs, words, 4, &noun, &verb, &used, NULL));
	assert_ptr_equal(verb, &header_check);
	assert_int_equal(used, 3);
}

static void test_resolve_first_of_two_words_is_a_group(void **state)
{
	const char *const words[] = { "disk", "header", NULL };
	const struct cli_verb *verb = &unlock;
	const char *noun = NULL;
	size_t used = 0;

	assert_ok(cli_resolve(verbs, words, 2, &noun, &verb, &used, NULL));
	assert_string_equal(noun, "disk header");
	assert_null(verb);
	assert_int_equal(used, 2);
}

static void test_resolve_hidden_verb_runs(void **state)
{
	finds("agent", NULL, &agent, 1);
}

static void test_resolve_no_words_finds_nothing(void **state)
{
	const struct cli_verb *verb = &unlock;
	const char *noun = "x";
	size_t used = 9;

	assert_ok(cli_resolve(verbs, NULL, 0, &noun, &verb, &used, NULL));
	assert_null(verb);
	assert_null(noun);
	assert_int_equal(used, 0);
}

static void test_resolve_noun_alone_is_a_noun(void **state)
{
	const char *const words[] = { "disk" };
	const struct cli_verb *verb = NULL;
	const char *noun = NULL;
	size_t used = 0;

	assert_ok(cli_resolve(verbs, words, 1, &noun, &verb, &used, NULL));
	assert_string_equal(noun, "disk");
	assert_null(verb);
	assert_int_equal(used, 1);
}

static void test_resolve_misspelt_verb_suggests_it(void **state)
{
	refused("unlok", NULL, "coffer unlock");
}

static void test_resolve_misspelt_noun_suggests_it(void **state)
{
	refused("dsik", "list", "coffer disk");
}

static void test_resolve_misspelt_second_word_suggests_it(void **state)
{
	refused("disk", "fromat", "coffer disk format");
}

static void test_resolve_one_wrong_letter_suggests_what_destroys(void **state)
{
	refused("disk", "frmat", "coffer disk format");
	refused("revok", NULL, "coffer revoke");
}

static void test_resolve_other_word_suggests_nothing_that_destroys(void **state)
{
	refused("disk", "forget", "coffer help disk");
	refused("disk", "form", "coffer help disk");
	refused("reveal", NULL, "coffer help");
	refused("rev", NULL, "coffer help");
}

static void test_resolve_missing_noun_suggests_it(void **state)
{
	refused("format", NULL, "coffer disk format");
	refused("list", NULL, "coffer disk list, or coffer key list");
}

static void test_resolve_strange_word_names_help(void **state)
{
	refused("xyzzy", NULL, "coffer help");
}

static void test_resolve_strange_second_word_names_help(void **state)
{
	refused("disk", "xyzzy", "coffer help disk");
}

static void test_resolve_empty_word_has_a_subject(void **state)
{
	const char *const words[] = { "disk", "" };
	const struct cli_verb *verb = NULL;
	struct cof_error err = { 0 };
	const char *noun = NULL;
	size_t used;

	assert_fails(cli_resolve(verbs, words, 2, &noun, &verb, &used, &err), COF_E_USAGE);
	assert_string_equal(err.subject, "\"\"");
	assert_fails(cli_resolve(verbs, words + 1, 1, &noun, &verb, &used, &err), COF_E_USAGE);
	assert_string_equal(err.subject, "\"\"");
}

static void test_resolve_hidden_verb_is_not_suggested(void **state)
{
	refused("agnet", NULL, "coffer help");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resolve_verb_without_noun_leaves_arguments),
		cmocka_unit_test(test_resolve_noun_and_verb_take_two_words),
		cmocka_unit_test(test_resolve_verb_of_two_words_takes_three),
		cmocka_unit_test(test_resolve_first_of_two_words_is_a_group),
		cmocka_unit_test(test_resolve_hidden_verb_runs),
		cmocka_unit_test(test_resolve_no_words_finds_nothing),
		cmocka_unit_test(test_resolve_noun_alone_is_a_noun),
		cmocka_unit_test(test_resolve_misspelt_verb_suggests_it),
		cmocka_unit_test(test_resolve_misspelt_noun_suggests_it),
		cmocka_unit_test(test_resolve_misspelt_second_word_suggests_it),
		cmocka_unit_test(test_resolve_one_wrong_letter_suggests_what_destroys),
		cmocka_unit_test(test_resolve_other_word_suggests_nothing_that_destroys),
		cmocka_unit_test(test_resolve_missing_noun_suggests_it),
		cmocka_unit_test(test_resolve_strange_word_names_help),
		cmocka_unit_test(test_resolve_strange_second_word_names_help),
		cmocka_unit_test(test_resolve_empty_word_has_a_subject),
		cmocka_unit_test(test_resolve_hidden_verb_is_not_suggested),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
