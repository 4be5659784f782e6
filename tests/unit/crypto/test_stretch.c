/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vectors.h"

#include "stretch.h"

static const uint8_t salt[] = "0123456789abcdef";

static void check(struct stretch_cost cost, struct span passphrase, const char *answer)
{
	_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;

	assert_ok(stretch(&cost, passphrase, salt, &key, NULL));
	assert_hex(wrap_key_span(key), answer);
}

/* Computed with the reference implementation's program argon2(1): -id -t 3 -k 64 -p 1 -l 32. */
static void test_stretch_argon2id_gives_known_answer(void **state)
{
	check((struct stretch_cost){ STRETCH_ARGON2ID, 3, 64 }, span_of_text("password"),
	      "4b5dc7fd03bc8449b6becb981762b597e860b2322fc34685d1fd2dc21aaf07cb");
}

/* Computed with Python's hashlib.pbkdf2_hmac(). */
static void test_stretch_pbkdf2_gives_known_answer(void **state)
{
	check((struct stretch_cost){ STRETCH_PBKDF2, 1000, 0 }, span_of_text("password"),
	      "8514638175a45bc45eb1f22f04ff7d27f4f8be480498c455ff4b494ce8d1e7d2");
}

static void test_stretch_counts_every_byte_of_a_passphrase(void **state)
{
	static const struct stretch_cost cost = { STRETCH_ARGON2ID, 1, 8 };
	_cleanup_(wrap_key_freep) struct wrap_key *one = NULL;
	_cleanup_(wrap_key_freep) struct wrap_key *two = NULL;

	assert_ok(stretch(&cost, SPAN("a\0b", 3), salt, &one, NULL));
	assert_ok(stretch(&cost, SPAN("a\0c", 3), salt, &two, NULL));
	assert_false(ct_equal(wrap_key_span(one), wrap_key_span(two)));
}

static void test_stretch_refuses_costs_out_of_bounds(void **state)
{
	static const struct stretch_cost wrong[] = {
		{ 0, 1, 8 },
		{ 3, 1, 8 },
		{ STRETCH_ARGON2ID, 0, 8 },
		{ STRETCH_ARGON2ID, STRETCH_PASSES_MAX + 1, 8 },
		{ STRETCH_ARGON2ID, 1, 7 },
		{ STRETCH_ARGON2ID, 1, STRETCH_MEMORY_MAX_KIB + 1 },
		{ STRETCH_PBKDF2, 0, 0 },
		{ STRETCH_PBKDF2, STRETCH_ITERATIONS_MAX + 1, 0 },
		{ STRETCH_PBKDF2, 1000, 8 },
	};
	static const struct stretch_cost right = { STRETCH_PBKDF2, 1, 0 };
	struct wrap_key *key = NULL;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_fails(stretch(&wrong[i], span_of_text("a"), salt, &key, NULL), COF_E_FORMAT);
	assert_fails(stretch(&right, SPAN("", 0), salt, &key, NULL), COF_E_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stretch_argon2id_gives_known_answer),
		cmocka_unit_test(test_stretch_pbkdf2_gives_known_answer),
		cmocka_unit_test(test_stretch_counts_every_byte_of_a_passphrase),
		cmocka_unit_test(test_stretch_refuses_costs_out_of_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
