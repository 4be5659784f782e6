/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The chip of a cartridge and log page 17h.
 */

#include "captures.h"

#include "mam.h"

static void test_mam_find_reads_attributes(void **state)
{
	struct mam_attribute attribute;
	uint8_t room[512];
	char text[8];
	bool found;
	struct span answer = bytes_of("0000001a 0224 80 0008 ffffffffffffffff "
				      "0806 01 0008 4130303031202020",
				      room);

	assert_ok(mam_find(answer, MAM_BARCODE, &attribute, &found, NULL));
	assert_true(found);
	assert_false(attribute.read_only);
	assert_int_equal(attribute.format, MAM_ASCII);
	mam_text(attribute.value, text, sizeof(text));
	assert_string_equal(text, "A0001");
	assert_ok(mam_find(answer, MAM_FIRST_ENCRYPTED, &attribute, &found, NULL));
	assert_true(found && attribute.read_only);
	assert_ok(mam_find(answer, MAM_SERIAL, &attribute, &found, NULL));
	assert_false(found);
}

static void test_mam_find_stops_where_the_answer_is_cut(void **state)
{
	struct mam_attribute attribute;
	uint8_t room[512];
	bool found;

	assert_ok(mam_find(bytes_of("ffffffff 0806 01 0020 4142", room), MAM_BARCODE, &attribute,
			   &found, NULL));
	assert_true(found);
	assert_int_equal(attribute.value.len, 2);
	assert_ok(mam_find(bytes_of("00000004 0806 01 0020 4142", room), MAM_BARCODE, &attribute,
			   &found, NULL));
	assert_false(found);
	assert_fails(mam_find(bytes_of("000000", room), MAM_BARCODE, &attribute, &found, NULL),
		     COF_E_FORMAT);
}

static void test_mam_text_is_tame(void **state)
{
	char text[6];

	mam_text(SPAN("a\033[2J", 5), text, sizeof(text));
	assert_string_equal(text, "a?[2J");
	mam_text(SPAN("abcdefgh", 8), text, sizeof(text));
	assert_string_equal(text, "abcde");
	mam_text(SPAN("\0\0  ", 4), text, sizeof(text));
	assert_string_equal(text, "");
}

static void test_mam_object_of_all_ones_is_none(void **state)
{
	uint64_t object;
	uint8_t room[512];

	assert_false(mam_object(bytes_of("ffffffffffffffff", room), &object));
	assert_false(mam_object(SPAN(NULL, 0), &object));
	assert_false(mam_object(bytes_of("000000000000000001", room), &object));
	assert_true(mam_object(bytes_of("0000000000000105", room), &object));
	assert_int_equal(object, 0x105);
}

static void test_mam_encode_is_what_find_reads(void **state)
{
	struct mam_attribute one = { .id = MAM_KEY_ID,
				     .format = MAM_ASCII,
				     .value = SPAN("xyz", 3) };
	struct mam_attribute found;
	struct buffer out = { 0 };
	bool is_there;
	static const uint8_t expected[] = { 0, 0, 0, 8, 0x14, 0, 1, 0, 3, 'x', 'y', 'z' };

	assert_ok(mam_encode(&one, 1, &out, NULL));
	assert_int_equal(out.len, sizeof(expected));
	assert_memory_equal(out.data, expected, sizeof(expected));
	assert_ok(mam_find(buffer_span(&out), MAM_KEY_ID, &found, &is_there, NULL));
	assert_true(is_there);
	one.value.len = 65536;
	assert_fails(mam_encode(&one, 1, &out, NULL), COF_E_FORMAT);
	buffer_done(&out);
}

static void test_volume_log_reads_partition_0(void **state)
{
	struct volume_log log;
	uint8_t room[512];

	assert_ok(volume_log_decode(
		bytes_of("17 00 0024 0200 03 14 09 00 0001 000000000007 09 00 0000 000000000002 "
			 "0201 03 0a 09 00 0000 ffffffffffff 00",
			 room),
		&log, NULL));
	assert_true(log.has_encrypted);
	assert_int_equal(log.first_encrypted, 2);
	assert_false(log.has_clear);
	assert_fails(volume_log_decode(bytes_of("0c 00 0000", room), &log, NULL), COF_E_FORMAT);
	assert_fails(volume_log_decode(bytes_of("17 00", room), &log, NULL), COF_E_FORMAT);
	assert_ok(volume_log_decode(bytes_of("17 00 ffff 0200 03 ff 00", room), &log, NULL));
	assert_false(log.has_encrypted);
	assert_ok(volume_log_decode(bytes_of("17 00 0009 0200 03 05 00 00 0000 01", room), &log,
				    NULL));
	assert_false(log.has_encrypted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mam_find_reads_attributes),
		cmocka_unit_test(test_mam_find_stops_where_the_answer_is_cut),
		cmocka_unit_test(test_mam_text_is_tame),
		cmocka_unit_test(test_mam_object_of_all_ones_is_none),
		cmocka_unit_test(test_mam_encode_is_what_find_reads),
		cmocka_unit_test(test_volume_log_reads_partition_0),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
