/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pages of a drive: what other programs have recorded, and what is cut off or absurd.
 */

#include "captures.h"

#include "page.h"

#define KEY_NAME "POOL-A:E01001L8:k1" /* of the captures */

static void test_page_capabilities_reads_what_mhvtl_sends(void **state)
{
	struct tape_capabilities capabilities;
	const struct tape_algorithm *chosen;
	uint8_t room[512];

	assert_ok(page_capabilities_decode(captured("SPIN 0010  ", room), &capabilities, NULL));
	assert_int_equal(capabilities.count, 1);
	chosen = tape_algorithm_choose(&capabilities);
	assert_ptr_equal(chosen, &capabilities.algorithms[0]);
	assert_int_equal(chosen->index, 1);
	assert_true(chosen->for_medium);
	assert_int_equal(chosen->ukad_bytes, 32);
	assert_int_equal(chosen->akad_bytes, 12);
	assert_int_equal(chosen->key_bytes, 32);
	assert_int_equal(chosen->raw_control, 4);
	assert_false(chosen->kad_format);
	assert_int_equal(chosen->code, ALGORITHM_AES_256_GCM);
}

static void test_page_management_reads_what_mhvtl_sends(void **state)
{
	struct tape_management management;
	uint8_t room[512];

	assert_ok(page_management_decode(captured("SPIN 0012  ", room), &management, NULL));
	assert_true(management.lock && management.clear_on_demount && management.scope_all &&
		    management.scope_local && management.scope_public);
}

static void test_page_status_survives_a_length_that_is_too_long(void **state)
{
	struct tape_encryption status;
	const struct kad *kad;
	uint8_t room[512];

	assert_ok(page_status_decode(captured("SPIN 0020 key set (46 bytes returned) ", room),
				     &status, NULL));
	assert_int_equal(status.encryption, ENCRYPT_ON);
	assert_int_equal(status.decryption, DECRYPT_MIXED);
	assert_int_equal(status.index, 1);
	assert_int_equal(status.instance, 2);
	assert_int_equal(status.nexus_scope, SCOPE_LOCAL);
	assert_int_equal(status.key_scope, SCOPE_LOCAL);
	assert_int_equal(status.kads.count, 1);
	kad = kads_find(&status.kads, KAD_UNAUTHENTICATED);
	assert_non_null(kad);
	assert_int_equal(kad->len, strlen(KEY_NAME));
	assert_memory_equal(kad->data, KEY_NAME, kad->len);
	assert_null(kads_find(&status.kads, KAD_AUTHENTICATED));
}

static void test_page_next_reads_the_key_of_a_block(void **state)
{
	struct tape_next next;
	const struct kad *kad;
	uint8_t room[512];

	assert_ok(page_next_decode(
		captured("SPIN 0021 at an encrypted block, other key loaded (38 bytes) ", room),
		&next, NULL));
	assert_int_equal(next.object, 2);
	assert_int_equal(next.encryption, NEXT_WRONG_KEY);
	assert_int_equal(next.index, 1);
	kad = kads_find(&next.kads, KAD_UNAUTHENTICATED);
	assert_non_null(kad);
	assert_int_equal(kad->check, 1);
	assert_memory_equal(kad->data, KEY_NAME, kad->len);
}

static void test_page_set_is_what_stenc_sends(void **state)
{
	uint8_t counted[TAPE_KEY_BYTES];
	struct tape_key *key = NULL;
	struct secret *page = NULL;
	struct tape_set set = {
		.scope = SCOPE_ALL,
		.raw = 0,
		.encryption = ENCRYPT_ON,
		.decryption = DECRYPT_MIXED,
		.index = 1,
		.kads = { .count = 1,
			  .items = { { .type = KAD_UNAUTHENTICATED, .len = strlen(KEY_NAME) } } },
	};
	uint8_t room[512];
	struct span sent = captured("SPOUT SDE data ", room);

	memcpy(set.kads.items[0].data, KEY_NAME, strlen(KEY_NAME));
	for (uint8_t i = 0; i < sizeof(counted); i++)
		counted[i] = i;
	assert_ok(tape_key_copy(SPAN(counted, sizeof(counted)), &key, NULL));
	set.key = key;
	assert_ok(page_set_encode(&set, &page, NULL));
	assert_int_equal(page->len, sent.len);
	room[5] = 0; /* stenc asks for the mode of the external encryption to be checked */
	page->data[5] = 0;
	assert_memory_equal(page->data, sent.data, sent.len);
	secret_free(page);
	tape_key_free(key);
}

static void test_page_set_without_a_key_has_none(void **state)
{
	struct tape_set set = { .scope = SCOPE_ALL,
				.lock = true,
				.raw = RAW_FORBID,
				.clear_on_demount = true,
				.index = 7,
				.kad_format = 2 };
	static const uint8_t expected[20] = { 0x00, 0x10, 0, 16, 0x41, 0x34, 0, 0, 7, 0, 2 };
	struct secret *page = NULL;

	assert_ok(page_set_encode(&set, &page, NULL));
	assert_int_equal(page->len, sizeof(expected));
	assert_memory_equal(page->data, expected, sizeof(expected));
	secret_free(page);
}

static void test_page_set_refuses_kads_out_of_order(void **state)
{
	struct tape_set set = { .kads = { .count = 2,
					  .items = { { .type = KAD_AUTHENTICATED },
						     { .type = KAD_UNAUTHENTICATED } } } };
	struct secret *page = NULL;

	assert_fails(page_set_encode(&set, &page, NULL), COF_E_FORMAT);
	set.kads.items[0].type = KAD_UNAUTHENTICATED;
	assert_fails(page_set_encode(&set, &page, NULL), COF_E_FORMAT);
	set.kads.count = KADS_MAX + 1;
	assert_fails(page_set_encode(&set, &page, NULL), COF_E_FORMAT);
	set.kads = (struct kads){ .count = 1, .items = { { .len = KAD_KEPT_BYTES + 1 } } };
	assert_fails(page_set_encode(&set, &page, NULL), COF_E_FORMAT);
	assert_null(page);
}

static void test_page_lists_name_their_codes(void **state)
{
	struct page_list list;
	uint8_t room[512];

	assert_ok(page_list_decode(bytes_of("0000 000e 0000 0001 0010 0011 0012 0020 0021", room),
				   PAGE_IN_SUPPORT, &list, NULL));
	assert_int_equal(list.count, 7);
	assert_true(page_list_has(&list, PAGE_NEXT_BLOCK));
	assert_false(page_list_has(&list, PAGE_RANDOM));
	assert_ok(
		page_list_decode(bytes_of("0001 0002 0010", room), PAGE_OUT_SUPPORT, &list, NULL));
	assert_int_equal(list.count, 1);
	assert_fails(
		page_list_decode(bytes_of("0001 0002 0010", room), PAGE_IN_SUPPORT, &list, NULL),
		COF_E_FORMAT);
}

static void test_page_small_ones_are_read(void **state)
{
	struct key_formats formats;
	struct wrapping_key key;
	struct span random;
	uint8_t room[512];

	assert_ok(page_key_formats_decode(bytes_of("0011 0002 00 02", room), &formats, NULL));
	assert_int_equal(formats.count, 2);
	assert_int_equal(formats.codes[1], 2);
	assert_ok(page_random_decode(bytes_of("0030 0020 0102 03", room), &random, NULL));
	assert_int_equal(random.len, 3);
	assert_int_equal(random.data[2], 3);
	assert_ok(page_wrapping_key_decode(
		bytes_of("0031 00ff 00000001 00000002 0004 aabbccdd", room), &key, NULL));
	assert_int_equal(key.type, 1);
	assert_int_equal(key.format, 2);
	assert_int_equal(key.key.len, 4);
}

/* Whether a page of a code is taken. */
static bool is_taken(uint8_t code, struct span page)
{
	struct tape_capabilities capabilities;
	struct tape_management management;
	struct tape_encryption status;
	struct wrapping_key key;
	struct tape_next next;

	switch (code) {
	case PAGE_CAPABILITIES:
		return !cof_failed(page_capabilities_decode(page, &capabilities, NULL));
	case PAGE_MANAGEMENT:
		return !cof_failed(page_management_decode(page, &management, NULL));
	case PAGE_STATUS:
		return !cof_failed(page_status_decode(page, &status, NULL));
	case PAGE_NEXT_BLOCK:
		return !cof_failed(page_next_decode(page, &next, NULL));
	default:
		return !cof_failed(page_wrapping_key_decode(page, &key, NULL));
	}
}

static void test_page_cut_in_its_fixed_part_is_refused(void **state)
{
	static const struct {
		uint8_t code;
		uint8_t bytes;
	} pages[] = { { PAGE_CAPABILITIES, 20 },
		      { PAGE_MANAGEMENT, 8 },
		      { PAGE_STATUS, 24 },
		      { PAGE_NEXT_BLOCK, 16 },
		      { PAGE_WRAPPING_KEY, 14 } };

	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		for (uint8_t len = 0; len < 30; len++) {
			uint8_t room[30] = { 0, pages[i].code, 0, 200 };

			assert_int_equal(is_taken(pages[i].code, SPAN(room, len)),
					 len >= pages[i].bytes);
		}
}

static void test_page_capabilities_refuses_a_descriptor_without_length(void **state)
{
	struct tape_capabilities capabilities;
	uint8_t room[512] = { 0x00, 0x10, 0x01, 0x00 };

	assert_fails(page_capabilities_decode(SPAN(room, 260), &capabilities, NULL), COF_E_FORMAT);
}

/* Page 0010 with algorithms of these indexes, codes and key lengths. */
static struct span with_algorithms(uint8_t room[static 512], const uint32_t (*list)[3],
				   size_t count)
{
	size_t at = 20;

	memset(room, 0, 512);
	room[1] = 0x10;
	room[3] = (uint8_t)(16 + 24 * count);
	for (size_t i = 0; i < count; i++, at += 24) {
		room[at] = (uint8_t)list[i][0];
		room[at + 3] = 20;
		room[at + 4] = 0x8a;
		room[at + 11] = (uint8_t)list[i][2];
		for (size_t k = 0; k < 4; k++)
			room[at + 20 + k] = (uint8_t)(list[i][1] >> (24 - 8 * k));
	}
	return SPAN(room, at);
}

static void test_algorithm_is_chosen_by_its_code(void **state)
{
	struct tape_capabilities capabilities;
	const struct tape_algorithm *chosen;
	uint8_t room[512];
	static const uint32_t quantum[][3] = { { 0, ALGORITHM_AES_256_GCM, 32 } };
	static const uint32_t ibm[][3] = { { 1, 0x00010010, 32 },
					   { 2, ALGORITHM_AES_256_GCM, 16 },
					   { 3, ALGORITHM_AES_256_GCM, 32 } };
	static const uint32_t sun[][3] = { { 1, ALGORITHM_AES_256_CCM, 32 } };

	assert_ok(page_capabilities_decode(with_algorithms(room, quantum, 1), &capabilities, NULL));
	chosen = tape_algorithm_choose(&capabilities);
	assert_non_null(chosen);
	assert_int_equal(chosen->index, 0);
	assert_ok(page_capabilities_decode(with_algorithms(room, ibm, 3), &capabilities, NULL));
	chosen = tape_algorithm_choose(&capabilities);
	assert_non_null(chosen);
	assert_int_equal(chosen->index, 3);
	assert_ok(page_capabilities_decode(with_algorithms(room, sun, 1), &capabilities, NULL));
	assert_non_null(tape_algorithm_choose(&capabilities));
	assert_ok(page_capabilities_decode(with_algorithms(room, ibm, 2), &capabilities, NULL));
	assert_null(tape_algorithm_choose(&capabilities));
}

static void test_page_kad_that_is_cut_off_ends_with_the_page(void **state)
{
	struct tape_next next;
	uint8_t room[512];

	assert_ok(page_next_decode(
		bytes_of("0021 00ff 0000000000000000 06 01 00 00 00 01 ffff 414243", room), &next,
		NULL));
	assert_int_equal(next.kads.count, 1);
	assert_int_equal(next.kads.items[0].len, 3);
}

static void test_page_keeps_no_more_of_a_kad_than_fits(void **state)
{
	struct tape_next next;
	uint8_t room[512] = { 0x00, 0x21, 0x01, 0xf0 };

	room[16] = KAD_METADATA;
	room[18] = 0x01;
	assert_ok(page_next_decode(SPAN(room, 500), &next, NULL));
	assert_int_equal(next.kads.items[0].len, KAD_KEPT_BYTES);
	assert_int_equal(next.kads.count, KADS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_page_capabilities_reads_what_mhvtl_sends),
		cmocka_unit_test(test_page_management_reads_what_mhvtl_sends),
		cmocka_unit_test(test_page_status_survives_a_length_that_is_too_long),
		cmocka_unit_test(test_page_next_reads_the_key_of_a_block),
		cmocka_unit_test(test_page_set_is_what_stenc_sends),
		cmocka_unit_test(test_page_set_without_a_key_has_none),
		cmocka_unit_test(test_page_set_refuses_kads_out_of_order),
		cmocka_unit_test(test_page_lists_name_their_codes),
		cmocka_unit_test(test_page_small_ones_are_read),
		cmocka_unit_test(test_page_cut_in_its_fixed_part_is_refused),
		cmocka_unit_test(test_page_capabilities_refuses_a_descriptor_without_length),
		cmocka_unit_test(test_algorithm_is_chosen_by_its_code),
		cmocka_unit_test(test_page_kad_that_is_cut_off_ends_with_the_page),
		cmocka_unit_test(test_page_keeps_no_more_of_a_kad_than_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
