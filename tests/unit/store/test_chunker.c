/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store_rig.h"

#include "chunker.h"

#define DATA_BYTES (3u << 20)
#define MIN_BYTES  1024
#define AVG_BYTES  4096
#define MAX_BYTES  16384

static const uint8_t key[32] = { 1, 2, 3 };

static void chunker_make(struct chunker *chunker, uint8_t first)
{
	uint8_t own[32];

	memcpy(own, key, sizeof(own));
	own[0] = first;
	*chunker = (struct chunker){ 0 };
	assert_ok(chunker_init(chunker, SPAN(own, sizeof(own)), MIN_BYTES, AVG_BYTES, MAX_BYTES,
			       NULL));
}

/* Where chunks end. */
static size_t cuts_of(const struct chunker *chunker, struct span data, size_t *cuts, size_t max)
{
	size_t at = 0;
	size_t count = 0;
	size_t len;

	while ((len = chunker_next(chunker, SPAN(data.data + at, data.len - at), true))) {
		at += len;
		assert_true(count < max);
		cuts[count++] = at;
	}
	assert_int_equal(at, data.len);
	return count;
}

static void test_chunker_keeps_to_the_sizes(void **state)
{
	_cleanup_free_ uint8_t *data = malloc(DATA_BYTES);
	_cleanup_(chunker_done) struct chunker chunker;
	size_t cuts[DATA_BYTES / MIN_BYTES];
	size_t before = 0;
	size_t count;

	fill(data, DATA_BYTES, 1);
	chunker_make(&chunker, 1);
	count = cuts_of(&chunker, SPAN(data, DATA_BYTES), cuts, DATA_BYTES / MIN_BYTES);
	for (size_t i = 0; i < count; i++) {
		size_t len = cuts[i] - before;

		before = cuts[i];
		assert_true(len <= MAX_BYTES && (len >= MIN_BYTES || i + 1 == count));
	}
	assert_in_range(DATA_BYTES / count, AVG_BYTES * 3 / 4, AVG_BYTES * 3 / 2);
}

static void test_chunker_cuts_where_the_definition_says(void **state)
{
	_cleanup_free_ uint8_t *data = malloc(DATA_BYTES / 4);
	_cleanup_(chunker_done) struct chunker chunker;
	size_t at = 0;

	fill(data, DATA_BYTES / 4, 2);
	memset(data + 100000, 0, 50000);
	chunker_make(&chunker, 1);
	while (at < DATA_BYTES / 4) {
		struct span rest = SPAN(data + at, DATA_BYTES / 4 - at);
		size_t len = chunker_next(&chunker, rest, true);

		assert_true(len > 0);
		assert_int_equal(len, chunker_next_plainly(&chunker, rest, true));
		/* And all data that it may look at is enough. */
		if (rest.len >= MAX_BYTES)
			assert_int_equal(len,
					 chunker_next(&chunker, SPAN(rest.data, MAX_BYTES), false));
		at += len;
	}
}

static void test_chunker_waits_for_more_data(void **state)
{
	static const uint8_t zeros[MAX_BYTES];
	_cleanup_(chunker_done) struct chunker chunker;

	chunker_make(&chunker, 1);
	for (size_t len = 0; len < MIN_BYTES; len++) {
		assert_int_equal(chunker_next(&chunker, SPAN(zeros, len), false), 0);
		assert_int_equal(chunker_next(&chunker, SPAN(zeros, len), true), len);
	}
	assert_int_equal(chunker_next(&chunker, SPAN(zeros, MAX_BYTES), false), MAX_BYTES);
}

static void test_chunker_finds_its_cuts_again_after_an_insertion(void **state)
{
	_cleanup_free_ uint8_t *data = malloc(DATA_BYTES + 7);
	_cleanup_(chunker_done) struct chunker chunker;
	size_t before[DATA_BYTES / MIN_BYTES];
	size_t after[DATA_BYTES / MIN_BYTES];
	size_t count_before;
	size_t count_after;

	fill(data, DATA_BYTES, 3);
	chunker_make(&chunker, 1);
	count_before = cuts_of(&chunker, SPAN(data, DATA_BYTES), before, DATA_BYTES / MIN_BYTES);
	memmove(data + 100007, data + 100000, DATA_BYTES - 100000);
	count_after = cuts_of(&chunker, SPAN(data, DATA_BYTES + 7), after, DATA_BYTES / MIN_BYTES);
	/* The last half is cut at the same places of the content. */
	for (size_t i = 1; i <= count_before / 2; i++)
		assert_int_equal(before[count_before - i] + 7, after[count_after - i]);
}

static void test_chunker_cuts_elsewhere_with_another_key(void **state)
{
	_cleanup_free_ uint8_t *data = malloc(DATA_BYTES);
	_cleanup_(chunker_done) struct chunker one;
	_cleanup_(chunker_done) struct chunker two;
	size_t same = 0;
	size_t a[DATA_BYTES / MIN_BYTES];
	size_t b[DATA_BYTES / MIN_BYTES];
	size_t count_a;
	size_t count_b;

	fill(data, DATA_BYTES, 4);
	chunker_make(&one, 1);
	chunker_make(&two, 2);
	count_a = cuts_of(&one, SPAN(data, DATA_BYTES), a, DATA_BYTES / MIN_BYTES);
	count_b = cuts_of(&two, SPAN(data, DATA_BYTES), b, DATA_BYTES / MIN_BYTES);
	for (size_t i = 0; i < count_a; i++)
		for (size_t k = 0; k < count_b; k++)
			same += a[i] == b[k];
	assert_true(same < 10);
}

static void test_chunker_refuses_sizes_that_do_not_fit(void **state)
{
	static const uint32_t sizes[][3] = { { 16, 64, 256 },  { 64, 64, 256 },
					     { 64, 256, 256 }, { 64, 100, 256 },
					     { 64, 0, 256 },   { 64, 256, (1u << 24) + 1 } };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		_cleanup_(chunker_done) struct chunker chunker = { 0 };

		assert_fails(chunker_init(&chunker, SPAN(key, sizeof(key)), sizes[i][0],
					  sizes[i][1], sizes[i][2], NULL),
			     COF_E_FORMAT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chunker_keeps_to_the_sizes),
		cmocka_unit_test(test_chunker_cuts_where_the_definition_says),
		cmocka_unit_test(test_chunker_waits_for_more_data),
		cmocka_unit_test(test_chunker_finds_its_cuts_again_after_an_insertion),
		cmocka_unit_test(test_chunker_cuts_elsewhere_with_another_key),
		cmocka_unit_test(test_chunker_refuses_sizes_that_do_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
