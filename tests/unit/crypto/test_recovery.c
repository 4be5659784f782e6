/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <ctype.h>
#include <stdio.h>

#include "recovery.h"

#define GROUP_STEP (RECOVERY_GROUP_CHARS + 1) /* with the dash */
#define SAMPLES	   8

/* The key 00 01 02 ... 1f, encoded by a program that shares no code with this one. */
static const char counting[] = "000GC-40R4Y-0M301-E209M-185G2-R38EE-1W810-24GKG-2GAH0-C5RR1-34D1A-"
			       "P70XT-3RFGY";
/* The keys of 32 bytes 00 and of 32 bytes ff, likewise. */
static const char zeros[] = "00001-00002-00003-00004-00005-00006-00007-00008-00009-0000A-0000B-"
			    "0000C-0000D";
static const char ones[] = "ZZZZC-ZZZZF-ZZZZE-ZZZZ9-ZZZZ8-ZZZZB-ZZZZA-ZZZZ5-ZZZZ4-ZZZZ7-ZZZZ6-"
			   "ZZZZ1-ZZZGB";
static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* A key to spoil: @text is a copy that the test changes. */
struct sample {
	char right[RECOVERY_TEXT_CHARS + 1];
	char text[RECOVERY_TEXT_CHARS + 1];
};

/* Three known keys, then new ones. */
static void sample_init(struct sample *sample, size_t number)
{
	static const char *const known[] = { counting, zeros, ones };
	_cleanup_(slot_secret_freep) struct slot_secret *made = NULL;

	memset(sample, 0, sizeof(*sample));
	if (number < 3) {
		memcpy(sample->right, known[number], RECOVERY_TEXT_CHARS);
	} else {
		assert_ok(recovery_generate(&made, NULL));
		memcpy(sample->right, made->secret.data, RECOVERY_TEXT_CHARS);
	}
	memcpy(sample->text, sample->right, sizeof(sample->text));
}

static void assert_parses(const char *typed, const char *expected)
{
	_cleanup_(slot_secret_freep) struct slot_secret *text = NULL;

	assert_ok(recovery_parse(span_of_text(typed), &text, NULL));
	assert_int_equal(text->secret.len, RECOVERY_TEXT_CHARS);
	assert_memory_equal(text->secret.data, expected, RECOVERY_TEXT_CHARS);
}

/* The text is refused, and @expected is part of what is said about it. */
static void assert_refused(const char *typed, const char *expected)
{
	struct slot_secret *const untouched = (struct slot_secret *)(uintptr_t)1;
	struct slot_secret *text = untouched;
	struct cof_error err = { 0 };
	char said[8192];

	assert_fails(recovery_parse(span_of_text(typed), &text, &err), COF_E_KEY);
	assert_ptr_equal(text, untouched);
	cof_error_format(&err, said, sizeof(said));
	if (!strstr(said, expected))
		fail_msg("%s: \"%s\" is not in: %s", typed, expected, said);
}

/* The text is refused, and the group that holds position @at is named. */
static void assert_refused_at(const char *typed, size_t at)
{
	char expected[32];

	(void)snprintf(expected, sizeof(expected), "group %zu ", at / GROUP_STEP + 1);
	assert_refused(typed, expected);
}

static void test_recovery_parse_takes_known_keys(void **state)
{
	assert_parses(counting, counting);
	assert_parses(zeros, zeros);
	assert_parses(ones, ones);
}

static void test_recovery_generate_makes_what_parse_takes(void **state)
{
	for (size_t i = 0; i < 100; i++) {
		_cleanup_(slot_secret_freep) struct slot_secret *made = NULL;
		_cleanup_(slot_secret_freep) struct slot_secret *back = NULL;

		assert_ok(recovery_generate(&made, NULL));
		assert_int_equal(made->secret.len, RECOVERY_TEXT_CHARS);
		assert_ok(recovery_parse(slot_secret_span(made), &back, NULL));
		assert_true(ct_equal(slot_secret_span(made), slot_secret_span(back)));
	}
}

/* Every one of the 52 data characters takes many values: no part of a key is constant. */
static void test_recovery_generate_uses_all_bits(void **state)
{
	unsigned int seen[RECOVERY_TEXT_CHARS] = { 0 };

	for (size_t i = 0; i < 200; i++) {
		_cleanup_(slot_secret_freep) struct slot_secret *made = NULL;

		assert_ok(recovery_generate(&made, NULL));
		for (size_t at = 0; at < RECOVERY_TEXT_CHARS; at++) {
			const char *digit = strchr(alphabet, made->secret.data[at]);

			if (digit)
				seen[at] |= 1u << (digit - alphabet);
		}
	}
	for (size_t at = 0; at < RECOVERY_TEXT_CHARS; at++) {
		unsigned int distinct = (unsigned int)__builtin_popcount(seen[at]);

		if (at % GROUP_STEP == RECOVERY_GROUP_CHARS)
			assert_int_equal(distinct, 0);
		else if (at == RECOVERY_TEXT_CHARS - 2)
			assert_int_equal(seen[at], 1u << 0 | 1u << 16); /* one bit and four zeros */
		else
			assert_in_range(distinct, 20, 32);
	}
}

/* ---- what people type ---- */

static void test_recovery_parse_takes_lower_case(void **state)
{
	char typed[RECOVERY_TEXT_CHARS + 1] = { 0 };

	for (size_t i = 0; i < RECOVERY_TEXT_CHARS; i++)
		typed[i] = (char)tolower(counting[i]);
	assert_parses(typed, counting);
}

static void test_recovery_parse_takes_look_alikes(void **state)
{
	char typed[RECOVERY_TEXT_CHARS + 1] = { 0 };

	for (size_t i = 0; i < RECOVERY_TEXT_CHARS; i++) {
		typed[i] = counting[i];
		if (counting[i] == '0')
			typed[i] = i % 2 ? 'O' : 'o';
		if (counting[i] == '1')
			typed[i] = "IiLl"[i % 4];
	}
	assert_parses(typed, counting);
}

static void test_recovery_parse_takes_any_separators(void **state)
{
	char typed[4 * RECOVERY_TEXT_CHARS] = " -- \t";
	size_t len = strlen(typed);

	for (size_t i = 0; i < RECOVERY_TEXT_CHARS; i++) {
		if (counting[i] == '-')
			continue;
		typed[len++] = counting[i];
		typed[len++] = "- \t\r\n"[i % 5];
	}
	assert_parses(typed, counting);
}

static void test_recovery_parse_takes_no_separators(void **state)
{
	char typed[RECOVERY_TEXT_CHARS + 1] = { 0 };
	size_t len = 0;

	for (size_t i = 0; i < RECOVERY_TEXT_CHARS; i++) {
		if (counting[i] != '-')
			typed[len++] = counting[i];
	}
	assert_parses(typed, counting);
}

/* ---- typing errors: all of a kind, in several keys ---- */

static void test_recovery_parse_names_group_of_each_substitution(void **state)
{
	for (size_t number = 0; number < SAMPLES; number++) {
		struct sample sample;

		sample_init(&sample, number);
		for (size_t at = 0; at < RECOVERY_TEXT_CHARS; at++) {
			for (size_t to = 0; to < 32 && sample.right[at] != '-'; to++) {
				if (alphabet[to] == sample.right[at])
					continue;
				sample.text[at] = alphabet[to];
				assert_refused_at(sample.text, at);
			}
			sample.text[at] = sample.right[at];
		}
	}
}

/* Swaps two characters, and checks that this is noticed if it makes a difference. */
static void check_transposition(struct sample *sample, size_t at, size_t other)
{
	if (sample->right[at] == sample->right[other])
		return;
	sample->text[at] = sample->right[other];
	sample->text[other] = sample->right[at];
	assert_refused_at(sample->text, at);
	memcpy(sample->text, sample->right, sizeof(sample->text));
}

static void test_recovery_parse_names_group_of_each_transposition(void **state)
{
	for (size_t number = 0; number < SAMPLES; number++) {
		struct sample sample;

		sample_init(&sample, number);
		for (size_t at = 0; at < RECOVERY_TEXT_CHARS; at++) {
			size_t end = at / GROUP_STEP * GROUP_STEP + RECOVERY_GROUP_CHARS;

			for (size_t other = at + 1; other < end; other++)
				check_transposition(&sample, at, other);
			/* The last of a group and the first of the next, across the dash. */
			if (at + 1 == end && end < RECOVERY_TEXT_CHARS)
				check_transposition(&sample, at, end + 1);
		}
	}
}

static void test_recovery_parse_notices_each_swap_of_two_groups(void **state)
{
	for (size_t number = 0; number < SAMPLES; number++) {
		struct sample sample;

		sample_init(&sample, number);
		for (size_t a = 0; a < RECOVERY_GROUPS; a++) {
			for (size_t b = a + 1; b < RECOVERY_GROUPS; b++) {
				memcpy(sample.text + a * GROUP_STEP, sample.right + b * GROUP_STEP,
				       RECOVERY_GROUP_CHARS);
				memcpy(sample.text + b * GROUP_STEP, sample.right + a * GROUP_STEP,
				       RECOVERY_GROUP_CHARS);
				assert_refused_at(sample.text, a * GROUP_STEP);
				memcpy(sample.text, sample.right, sizeof(sample.text));
			}
		}
	}
}

static void test_recovery_parse_names_group_of_foreign_character(void **state)
{
	static const char foreign[] = "uU!*.,_'\"\x7f\x01\xff";

	for (size_t i = 0; i < sizeof(foreign) - 1; i++) {
		struct sample sample;

		sample_init(&sample, 0);
		for (size_t at = 0; at < RECOVERY_TEXT_CHARS; at++) {
			if (sample.right[at] == '-')
				continue;
			sample.text[at] = foreign[i];
			assert_refused_at(sample.text, at);
			sample.text[at] = sample.right[at];
		}
	}
}

/* Right check characters, but bits that a 256-bit key does not have: made by the other program. */
static void test_recovery_parse_refuses_bits_past_the_key(void **state)
{
	struct sample sample;

	sample_init(&sample, 0);
	memcpy(sample.text + 12 * GROUP_STEP, "3RFHE", RECOVERY_GROUP_CHARS);
	assert_refused(sample.text, "group 13 ");
	memcpy(sample.text + 12 * GROUP_STEP, "3RFRA", RECOVERY_GROUP_CHARS);
	assert_refused(sample.text, "group 13 ");
}

/* ---- wrong lengths ---- */

static void test_recovery_parse_counts_too_few_characters(void **state)
{
	assert_refused("", "has 0 characters, must be 65");
	assert_refused("- -", "has 0 characters, must be 65");
	assert_refused("000GC-40R4Y", "has 10 characters, must be 65");
}

static void test_recovery_parse_counts_too_many_characters(void **state)
{
	char typed[RECOVERY_TEXT_CHARS + 8];

	(void)snprintf(typed, sizeof(typed), "%s-000GC", counting);
	assert_refused(typed, "has 70 characters, must be 65");
	assert_refused(typed, "all 13 groups are there, and something follows");
}

static void test_recovery_parse_names_group_with_missing_character(void **state)
{
	char typed[RECOVERY_TEXT_CHARS + 1];

	/* Group 7, 1W810, without its 8. */
	(void)snprintf(typed, sizeof(typed), "%.38s%s", counting, counting + 39);
	assert_refused(typed, "has 64 characters, must be 65");
	assert_refused(typed, "is group 7");
}

static void test_recovery_parse_names_group_with_doubled_character(void **state)
{
	char typed[RECOVERY_TEXT_CHARS + 8];

	/* Group 2, 40R4Y, as 440R4Y. */
	(void)snprintf(typed, sizeof(typed), "%.7s%s", counting, counting + 6);
	assert_refused(typed, "has 66 characters, must be 65");
	assert_refused(typed, "is group 2");
}

/* What was typed is nearly a secret: no run of five of its characters may be in the error. */
static void test_recovery_parse_error_repeats_nothing_typed(void **state)
{
	struct slot_secret *text = NULL;
	struct cof_error err = { 0 };
	char said[8192], group[RECOVERY_GROUP_CHARS + 1] = { 0 };
	struct sample sample;

	sample_init(&sample, 0);
	sample.text[40] = 'Q';
	assert_fails(recovery_parse(span_of_text(sample.text), &text, &err), COF_E_KEY);
	cof_error_format(&err, said, sizeof(said));
	for (size_t i = 0; i < RECOVERY_GROUPS; i++) {
		memcpy(group, sample.text + i * GROUP_STEP, RECOVERY_GROUP_CHARS);
		assert_null(strstr(said, group));
	}
}

/* ---- recovery_looks_like ---- */

static void test_recovery_looks_like_takes_keys_with_errors(void **state)
{
	assert_true(recovery_looks_like(span_of_text(counting)));
	assert_true(recovery_looks_like(SPAN(counting, RECOVERY_TEXT_CHARS - 5)));
	assert_true(recovery_looks_like(span_of_text(
		"uuuuu uuuuu uuuuu uuuuu uuuuu uuuuu uuuuu uuuuu uuuuu uuuuu uuuuu uuuuu uuuuu")));
}

static void test_recovery_looks_like_refuses_other_lengths(void **state)
{
	char typed[80];

	memset(typed, 'A', sizeof(typed));
	assert_false(recovery_looks_like(SPAN(NULL, 0)));
	assert_false(recovery_looks_like(SPAN(typed, 59)));
	assert_true(recovery_looks_like(SPAN(typed, 60)));
	assert_true(recovery_looks_like(SPAN(typed, 70)));
	assert_false(recovery_looks_like(SPAN(typed, 71)));
}

static void test_recovery_looks_like_refuses_punctuation(void **state)
{
	char typed[65];

	memset(typed, 'A', sizeof(typed));
	assert_true(recovery_looks_like(SPAN(typed, 65)));
	typed[30] = '.';
	assert_false(recovery_looks_like(SPAN(typed, 65)));
	typed[30] = '\xe9';
	assert_false(recovery_looks_like(SPAN(typed, 65)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recovery_parse_takes_known_keys),
		cmocka_unit_test(test_recovery_generate_makes_what_parse_takes),
		cmocka_unit_test(test_recovery_generate_uses_all_bits),
		cmocka_unit_test(test_recovery_parse_takes_lower_case),
		cmocka_unit_test(test_recovery_parse_takes_look_alikes),
		cmocka_unit_test(test_recovery_parse_takes_any_separators),
		cmocka_unit_test(test_recovery_parse_takes_no_separators),
		cmocka_unit_test(test_recovery_parse_names_group_of_each_substitution),
		cmocka_unit_test(test_recovery_parse_names_group_of_each_transposition),
		cmocka_unit_test(test_recovery_parse_notices_each_swap_of_two_groups),
		cmocka_unit_test(test_recovery_parse_names_group_of_foreign_character),
		cmocka_unit_test(test_recovery_parse_refuses_bits_past_the_key),
		cmocka_unit_test(test_recovery_parse_counts_too_few_characters),
		cmocka_unit_test(test_recovery_parse_counts_too_many_characters),
		cmocka_unit_test(test_recovery_parse_names_group_with_missing_character),
		cmocka_unit_test(test_recovery_parse_names_group_with_doubled_character),
		cmocka_unit_test(test_recovery_parse_error_repeats_nothing_typed),
		cmocka_unit_test(test_recovery_looks_like_takes_keys_with_errors),
		cmocka_unit_test(test_recovery_looks_like_refuses_other_lengths),
		cmocka_unit_test(test_recovery_looks_like_refuses_punctuation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
