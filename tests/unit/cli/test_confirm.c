/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Agreeing to a loss, and errors as JSON.
 */

#include "unit.h"

#include "parse.h"

static const struct cli_verb destroy = { .verb = "destroy", .destroys = true, .shows = true };
static const struct cli_option yes = { "yes-destroy", CLI_TEXT, "NAME", "help" };

/* Asks for the loss of "disk", whose serial number is "S1", when this was agreed to (NULL:
 * nothing), with nobody to ask. */
static cof_result confirm(const char *agreed, struct cof_error *err)
{
	_cleanup_(cli_values_freep) struct cli_values *values = NULL;
	struct cli_call call = { .verb = &destroy, .json = true };

	TRY(cli_values_new(&values, err));
	if (agreed)
		TRY(cli_values_add(values, &yes, agreed, err));
	call.values = values;
	return cli_confirm_destroy(&call, "disk", "S1", "all data on it will be lost", err);
}

static void test_confirm_same_name_agrees(void **state)
{
	assert_ok(confirm("disk", NULL));
}

static void test_confirm_serial_number_agrees(void **state)
{
	assert_ok(confirm("S1", NULL));
}

static void test_confirm_other_name_refused(void **state)
{
	struct cof_error err = { 0 };

	assert_fails(confirm("disk2", &err), COF_E_REFUSED);
	assert_string_equal(err.remedy, "--yes-destroy disk");
	assert_non_null(strstr(err.cause, "another name"));
}

static void test_confirm_nobody_to_ask_refused(void **state)
{
	struct cof_error err = { 0 };

	assert_fails(confirm(NULL, &err), COF_E_REFUSED);
	assert_string_equal(err.subject, "disk");
	assert_string_equal(err.text, "all data on it will be lost");
}

static void test_error_json_has_every_part(void **state)
{
	struct cof_error err = { .code = COF_E_KEY,
				 .subject = "s",
				 .text = "t",
				 .headline = "h",
				 .cause = "c",
				 .remedy = "r" };
	_cleanup_json_ struct json *json = cli_error_json(&err);

	assert_string_equal(json_get_text(json, "code"), "wrong-key");
	assert_string_equal(json_get_text(json, "subject"), "s");
	assert_string_equal(json_get_text(json, "text"), "t");
	assert_string_equal(json_get_text(json, "headline"), "h");
	assert_string_equal(json_get_text(json, "cause"), "c");
	assert_string_equal(json_get_text(json, "remedy"), "r");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_confirm_same_name_agrees),
		cmocka_unit_test(test_confirm_serial_number_agrees),
		cmocka_unit_test(test_confirm_other_name_refused),
		cmocka_unit_test(test_confirm_nobody_to_ask_refused),
		cmocka_unit_test(test_error_json_has_every_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
