/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store_rig.h"

#include "id_table.h"
#include "index_run.h"

#define CHUNKS 20000

static const uint8_t group[STORE_UUID_BYTES] = { 7 };

static void id_of(size_t number, uint8_t out[static STORE_ID_BYTES])
{
	assert_ok(sha256(SPAN(&number, sizeof(number)), out, NULL));
}

static void test_index_run_finds_all_and_nothing_else(void **state)
{
	static const uint8_t packs[3 * STORE_UUID_BYTES] = { 1 };
	_cleanup_free_ struct index_entry *entries = calloc(CHUNKS, sizeof(*entries));
	_cleanup_buffer_ struct buffer bytes = { 0 };
	struct index_entry found;
	struct index_run run;
	uint8_t id[STORE_ID_BYTES];

	for (size_t i = 0; i < CHUNKS; i++) {
		id_of(i, entries[i].id);
		entries[i].pack = i % 3;
		entries[i].ordinal = (uint32_t)i;
	}
	assert_ok(index_run_encode(group, packs, 3, entries, CHUNKS, &bytes, NULL));
	assert_ok(index_run_decode(buffer_span(&bytes), group, "test", &run, NULL));
	for (size_t i = 0; i < CHUNKS; i++) {
		id_of(i, id);
		assert_true(index_run_find(&run, id, &found));
		assert_int_equal(found.ordinal, i);
		assert_int_equal(found.pack, i % 3);
		id_of(i + CHUNKS, id);
		assert_false(index_run_find(&run, id, &found));
	}
}

static void test_index_run_of_another_group_is_refused(void **state)
{
	static const uint8_t other[STORE_UUID_BYTES] = { 8 };
	static const uint8_t pack[STORE_UUID_BYTES] = { 1 };
	struct index_entry entry = { .id = { 1 } };
	_cleanup_buffer_ struct buffer bytes = { 0 };
	struct index_run run;

	assert_ok(index_run_encode(group, pack, 1, &entry, 1, &bytes, NULL));
	assert_fails(index_run_decode(buffer_span(&bytes), other, "test", &run, NULL),
		     COF_E_FORMAT);
}

static void test_index_run_names_no_pack_that_it_does_not_list(void **state)
{
	static const uint8_t pack[STORE_UUID_BYTES] = { 1 };
	struct index_entry entry = { .id = { 1 }, .pack = 1 };
	_cleanup_buffer_ struct buffer bytes = { 0 };
	struct index_entry found;
	struct index_run run;

	assert_ok(index_run_encode(group, pack, 1, &entry, 1, &bytes, NULL));
	assert_ok(index_run_decode(buffer_span(&bytes), group, "test", &run, NULL));
	assert_false(index_run_find(&run, entry.id, &found));
}

static void test_id_table_has_what_was_put_last(void **state)
{
	_cleanup_(id_table_done) struct id_table table = { 0 };
	struct index_entry entry = { 0 };

	assert_null(id_table_find(&table, entry.id));
	for (uint32_t round = 0; round < 2; round++)
		for (size_t i = 0; i < CHUNKS; i++) {
			id_of(i, entry.id);
			entry.ordinal = (uint32_t)i + round;
			assert_ok(id_table_put(&table, &entry, NULL));
		}
	assert_int_equal(table.used, CHUNKS);
	for (size_t i = 0; i < CHUNKS; i++) {
		id_of(i, entry.id);
		assert_int_equal(id_table_find(&table, entry.id)->ordinal, i + 1);
		id_of(i + CHUNKS, entry.id);
		assert_null(id_table_find(&table, entry.id));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_index_run_finds_all_and_nothing_else),
		cmocka_unit_test(test_index_run_of_another_group_is_refused),
		cmocka_unit_test(test_index_run_names_no_pack_that_it_does_not_list),
		cmocka_unit_test(test_id_table_has_what_was_put_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
