/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sense data in words: both formats, what people paste, and a text for each code.
 */

#include "captures.h"

#include "sense.h"

static void test_sense_fixed_format_is_read(void **state)
{
	uint8_t room[512];
	struct sense sense =
		sense_decode(bytes_of("f0 00 07 00000000 0a 00000000 74 03 00 0000", room));

	assert_true(sense.found);
	assert_false(sense.deferred);
	assert_int_equal(sense.key, 7);
	assert_true(sense_is(sense, 0x74, 0x03));
}

static void test_sense_descriptor_format_is_read(void **state)
{
	uint8_t room[512];
	struct sense sense = sense_decode(bytes_of("73 05 26 00 00000000", room));

	assert_true(sense.found);
	assert_true(sense.deferred);
	assert_int_equal(sense.key, 5);
	assert_true(sense_is(sense, 0x26, 0x00));
}

static void test_sense_cut_off_has_no_code(void **state)
{
	uint8_t room[512];

	assert_false(sense_decode(SPAN(NULL, 0)).found);
	assert_false(sense_decode(bytes_of("70 00", room)).found);
	assert_false(sense_decode(bytes_of("72 05 26", room)).found);
	assert_false(sense_decode(bytes_of("00 00 07 00000000 0a 00000000 74 03", room)).found);
	/* Additional length 4: the codes behind are no part of it. */
	assert_true(sense_is(sense_decode(bytes_of("70 00 03 00000000 04 00000000 74 03", room)), 0,
			     0));
}

static void test_sense_is_taken_as_people_type_it(void **state)
{
	static const char *const forms[] = { "05/26/00",
					     "5/26/0",
					     "0x05,0x26,0x00",
					     "05 26 00",
					     "052600",
					     "05: 26 00",
					     "70 00 05 00 00 00 00 0a 00 00 00 00 26 00" };
	struct sense sense;
	char text[12];

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		assert_ok(sense_parse(forms[i], &sense, NULL));
		assert_string_equal(sense_format(sense, text), "05/26/00");
	}
	assert_ok(sense_parse("74/21", &sense, NULL));
	assert_string_equal(sense_format(sense, text), "74/21");
}

static void test_sense_refuses_what_is_none(void **state)
{
	static const char *const wrong[] = { "",
					     "x",
					     "05",
					     "05/26/",
					     "05/26/00/00",
					     "75/26/00",
					     "99 00 05 00 00 00 00 0a",
					     "05/2g/00",
					     "/dev/nst0" };
	struct sense sense;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (!cof_failed(sense_parse(wrong[i], &sense, NULL)))
			fail_msg("%s", wrong[i]);
}

/* Every code that drives are known to send, and the exit status that it must have. */
static const struct {
	const char *sense;
	int status;
} known[] = {
	{ "05/20/00", 9 }, { "05/24/00", 9 }, { "05/26/00", 1 }, { "05/26/11", 1 },
	{ "05/26/12", 5 }, { "07/26/10", 4 }, { "06/2A/11", 6 }, { "07/2A/13", 6 },
	{ "05/55/08", 1 }, { "07/74/00", 1 }, { "05/74/01", 4 }, { "05/74/02", 3 },
	{ "05/74/03", 4 }, { "05/74/04", 8 }, { "05/74/05", 8 }, { "05/74/07", 1 },
	{ "05/74/09", 3 }, { "05/74/0A", 3 }, { "05/74/0B", 1 }, { "05/74/0D", 3 },
	{ "05/74/21", 3 }, { "05/74/61", 1 }, { "05/74/6F", 1 }, { "05/EF/10", 4 },
	{ "05/EE/0F", 1 }, { "05/EE/31", 5 }, { "05/EE/FF", 3 }, { "08/14/03", 0 },
	{ "08/00/05", 0 }, { "00/00/01", 0 }, { "02/3A/00", 5 }, { "06/28/00", 6 },
	{ "06/29/00", 6 }, { "07/27/00", 3 }, { "02/04/01", 6 },
};

static void test_sense_each_code_has_its_own_text_and_status(void **state)
{
	const size_t count = sizeof(known) / sizeof(known[0]);
	const char *causes[sizeof(known) / sizeof(known[0])];

	for (size_t i = 0; i < count; i++) {
		struct sense_text text;
		struct sense sense;

		assert_ok(sense_parse(known[i].sense, &sense, NULL));
		text = sense_explain(sense);
		causes[i] = text.cause;
		if (!text.exact || !text.remedy[0] ||
		    cof_code_exit_status(text.code) != known[i].status)
			fail_msg("%s: status %d: %s", known[i].sense,
				 cof_code_exit_status(text.code), text.cause);
		for (size_t k = 0; k < i; k++)
			if (strcmp(causes[k], text.cause) == 0)
				fail_msg("%s is as %s", known[i].sense, known[k].sense);
	}
}

static void test_sense_every_code_says_something(void **state)
{
	for (unsigned int code = 0; code < 1 << 20; code += 7) {
		struct sense sense = { .found = true,
				       .key = (uint8_t)(code >> 16),
				       .asc = (uint8_t)(code >> 8),
				       .ascq = (uint8_t)code };
		struct sense_text text = sense_explain(sense);

		assert_true(text.cause && text.remedy);
	}
}

static void test_sense_raise_fails_whatever_it_says(void **state)
{
	struct cof_error err = { 0 };

	assert_fails(sense_raise((struct sense){ 0 }, "/dev/sg0", "set the key", &err), COF_E_IO);
	assert_fails(sense_raise((struct sense){ .found = true }, "/dev/sg0", "set the key", &err),
		     COF_E_FAILED);
	assert_fails(
		sense_raise((struct sense){ .found = true, .key = 7, .asc = 0x26, .ascq = 0x10 },
			    "/dev/sg0", "set the key", &err),
		COF_E_KEY);
	assert_string_equal(err.subject, "/dev/sg0");
	assert_non_null(strstr(err.text, "07/26/10"));
	assert_non_null(strstr(err.cause, "too many wrong keys"));
	assert_non_null(strstr(err.remedy, "which-key"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sense_fixed_format_is_read),
		cmocka_unit_test(test_sense_descriptor_format_is_read),
		cmocka_unit_test(test_sense_cut_off_has_no_code),
		cmocka_unit_test(test_sense_is_taken_as_people_type_it),
		cmocka_unit_test(test_sense_refuses_what_is_none),
		cmocka_unit_test(test_sense_each_code_has_its_own_text_and_status),
		cmocka_unit_test(test_sense_every_code_says_something),
		cmocka_unit_test(test_sense_raise_fails_whatever_it_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
