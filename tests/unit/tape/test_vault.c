/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptions of volumes in the vault, and what changer scripts print.
 */

#include "unit.h"

#include "changer.h"
#include "tape_volume.h"

#define ID "AQIDBAUGBwgJCgsMDQ4PEA"

static void test_tape_volume_is_what_was_written(void **state)
{
	struct tape_volume volume = { .name = "A00001L6",
				      .key = ID,
				      .policy = POLICY_MAY,
				      .ready = true,
				      .barcode = "A00001L6",
				      .serial = "SN1" };
	_cleanup_json_ struct json *meta = tape_volume_to_meta(&volume);
	struct tape_volume read;

	assert_ok(tape_volume_from_meta(meta, "A00001L6", &read, NULL));
	assert_memory_equal(&read, &volume, sizeof(read));
}

static void test_tape_volume_refuses_what_cannot_be(void **state)
{
	static const char *const wrong[] = {
		"{}",
		"{\"policy\":\"must\"}",
		"{\"policy\":\"must\",\"key\":\"short\"}",
		"{\"policy\":\"perhaps\",\"key\":\"" ID "\"}",
		"{\"policy\":\"must\",\"key\":\"" ID "x\"}",
		"{\"policy\":\"must\",\"key\":\"" ID
		"\",\"serial\":\"012345678901234567890123456789"
		"0123\"}",
	};
	struct tape_volume volume;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		_cleanup_json_ struct json *meta = NULL;

		assert_ok(json_parse(span_of_text(wrong[i]), "meta", &meta, NULL));
		if (!cof_failed(tape_volume_from_meta(meta, "A", &volume, NULL)))
			fail_msg("%s", wrong[i]);
	}
}

static void test_tape_volume_that_stays_clear_needs_no_key(void **state)
{
	_cleanup_json_ struct json *meta = NULL;
	struct tape_volume volume;

	assert_ok(json_parse(span_of_text("{\"policy\":\"never\"}"), "meta", &meta, NULL));
	assert_ok(tape_volume_from_meta(meta, "A", &volume, NULL));
	assert_int_equal(volume.policy, POLICY_NEVER);
	assert_ok(tape_volume_check("A00001L6", NULL));
	assert_fails(tape_volume_check("a/b", NULL), COF_E_USAGE);
	assert_fails(tape_volume_check("", NULL), COF_E_USAGE);
}

static void test_changer_barcode_reads_a_list(void **state)
{
	static const char list[] = "1:A00001L6\n2:\n3:A00003L6  \n10:A00010L6\nrubbish\n:x\n"
				   "99999999999999999999:B\n4:\033[2J\n5:last";
	char barcode[16];

	assert_true(changer_barcode(span_of_text(list), 1, barcode, sizeof(barcode)));
	assert_string_equal(barcode, "A00001L6");
	assert_false(changer_barcode(span_of_text(list), 2, barcode, sizeof(barcode)));
	assert_true(changer_barcode(span_of_text(list), 3, barcode, sizeof(barcode)));
	assert_string_equal(barcode, "A00003L6");
	assert_true(changer_barcode(span_of_text(list), 10, barcode, sizeof(barcode)));
	assert_true(changer_barcode(span_of_text(list), 4, barcode, sizeof(barcode)));
	assert_string_equal(barcode, "?[2J");
	assert_true(changer_barcode(span_of_text(list), 5, barcode, sizeof(barcode)));
	assert_string_equal(barcode, "last");
	assert_false(changer_barcode(span_of_text(list), 0, barcode, sizeof(barcode)));
	assert_false(changer_barcode(SPAN(NULL, 0), 1, barcode, sizeof(barcode)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tape_volume_is_what_was_written),
		cmocka_unit_test(test_tape_volume_refuses_what_cannot_be),
		cmocka_unit_test(test_tape_volume_that_stays_clear_needs_no_key),
		cmocka_unit_test(test_changer_barcode_reads_a_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
