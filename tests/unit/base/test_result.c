/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <errno.h>

static cof_result raise_code(enum cof_code code, struct cof_error *err)
{
	FAIL(err, code, "/dev/sdj", "has %d sectors, needs %d", 1, 2);
}

static cof_result pass_up(struct cof_error *err)
{
	TRY(raise_code(COF_E_BUSY, err));
	return COF_OK;
}

static void test_fail_fills_code_subject_and_text(void **state)
{
	struct cof_error err = { .remedy = "of an earlier failure" };

	(void)state;
	assert_fails(raise_code(COF_E_REFUSED, &err), COF_E_REFUSED);
	assert_int_equal(err.code, COF_E_REFUSED);
	assert_string_equal(err.subject, "/dev/sdj");
	assert_string_equal(err.text, "has 1 sectors, needs 2");
	assert_string_equal(err.remedy, "");
}

static void test_fail_without_error_object_still_fails(void **state)
{
	(void)state;
	assert_fails(raise_code(COF_E_KEY, NULL), COF_E_KEY);
}

static void test_try_passes_the_failure_up(void **state)
{
	struct cof_error err = { 0 };

	(void)state;
	assert_fails(pass_up(&err), COF_E_BUSY);
	assert_int_equal(err.code, COF_E_BUSY);
}

static void test_raise_takes_arguments_from_the_error_itself(void **state)
{
	struct cof_error err = { 0 };

	(void)state;
	cof_ignore(raise_code(COF_E_IO, &err));
	cof_ignore(cof_raise(&err, COF_E_IO, err.subject, "again: %s", err.text));
	assert_string_equal(err.subject, "/dev/sdj");
	assert_string_equal(err.text, "again: has 1 sectors, needs 2");
}

static void test_raise_errno_says_where_room_is_to_be_made(void **state)
{
	struct cof_error err = { 0 };

	assert_fails(cof_raise_errno(&err, ENOSPC, "/a/b", "x"), COF_E_NOSPC);
	assert_string_equal(err.remedy, "make room in /a, then the same command again");
	assert_fails(cof_raise_errno(&err, EDQUOT, "/b", "x"), COF_E_NOSPC);
	assert_string_equal(err.remedy, "make room in /, then the same command again");
	assert_fails(cof_raise_errno(&err, ENOSPC, "/dev/sda", "x"), COF_E_NOSPC);
	assert_string_equal(err.remedy, "");
	assert_fails(cof_raise_errno(&err, ENOSPC, NULL, "x"), COF_E_NOSPC);
	assert_string_equal(err.remedy, "");
}

static void test_raise_errno_picks_the_code(void **state)
{
	struct cof_error err = { 0 };

	(void)state;
	assert_fails(cof_raise_errno(&err, ENOSPC, "f", "x"), COF_E_NOSPC);
	assert_string_equal(err.remedy, "");
	assert_fails(cof_raise_errno(&err, ENOENT, "f", "x"), COF_E_NOENT);
	assert_fails(cof_raise_errno(&err, EBUSY, "f", "x"), COF_E_BUSY);
	assert_fails(cof_raise_errno(&err, ENOMEM, "f", "x"), COF_E_NOMEM);
	assert_fails(cof_raise_errno(&err, EIO, "f", "x"), COF_E_IO);
	assert_string_equal(err.cause, strerror(EIO));
}

static void test_format_without_headline_shows_subject_and_text(void **state)
{
	struct cof_error err = { 0 };
	char text[256];

	(void)state;
	cof_ignore(raise_code(COF_E_REFUSED, &err));
	cof_error_cause(&err, "mounted at /srv");
	cof_error_try(&err, "umount /srv");
	cof_error_format(&err, text, sizeof(text));
	assert_string_equal(text, "coffer: /dev/sdj: has 1 sectors, needs 2\n"
				  "  cause: mounted at /srv\n"
				  "  try:   umount /srv");
}

static void test_format_with_headline_moves_the_text_to_the_cause(void **state)
{
	struct cof_error err = { 0 };
	char text[256];

	(void)state;
	assert_fails(cof_explain(raise_code(COF_E_FORMAT, &err), &err, "this", "cannot open %s",
				 "vault"),
		     COF_E_FORMAT);
	cof_error_format(&err, text, sizeof(text));
	assert_string_equal(text, "coffer: cannot open vault\n"
				  "  cause: /dev/sdj: has 1 sectors, needs 2\n"
				  "  try:   this");
}

static void test_explain_keeps_a_better_remedy_from_below(void **state)
{
	struct cof_error err = { 0 };
	cof_result failed;

	(void)state;
	failed = raise_code(COF_E_FORMAT, &err);
	cof_error_try(&err, "from below");
	assert_fails(cof_explain(failed, &err, "from above", "x"), COF_E_FORMAT);
	assert_string_equal(err.remedy, "from below");
}

static void test_format_cuts_what_does_not_fit(void **state)
{
	struct cof_error err = { 0 };
	char text[16];

	(void)state;
	cof_ignore(raise_code(COF_E_REFUSED, &err));
	cof_error_format(&err, text, sizeof(text));
	assert_string_equal(text, "coffer: /dev/sd");
}

static void test_exit_statuses_are_those_of_the_manual(void **state)
{
	(void)state;
	assert_int_equal(cof_code_exit_status(COF_E_NONE), 0);
	assert_int_equal(cof_code_exit_status(COF_E_IO), 1);
	assert_int_equal(cof_code_exit_status(COF_E_USAGE), 2);
	assert_int_equal(cof_code_exit_status(COF_E_REFUSED), 3);
	assert_int_equal(cof_code_exit_status(COF_E_KEY), 4);
	assert_int_equal(cof_code_exit_status(COF_E_NOENT), 5);
	assert_int_equal(cof_code_exit_status(COF_E_BUSY), 6);
	assert_int_equal(cof_code_exit_status(COF_E_LOCKED), 7);
	assert_int_equal(cof_code_exit_status(COF_E_FORMAT), 8);
	assert_int_equal(cof_code_exit_status(COF_E_AUTH), 8);
	assert_int_equal(cof_code_exit_status(COF_E_UNSUPPORTED), 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fail_fills_code_subject_and_text),
		cmocka_unit_test(test_fail_without_error_object_still_fails),
		cmocka_unit_test(test_try_passes_the_failure_up),
		cmocka_unit_test(test_raise_takes_arguments_from_the_error_itself),
		cmocka_unit_test(test_raise_errno_picks_the_code),
		cmocka_unit_test(test_raise_errno_says_where_room_is_to_be_made),
		cmocka_unit_test(test_format_without_headline_shows_subject_and_text),
		cmocka_unit_test(test_format_with_headline_moves_the_text_to_the_cause),
		cmocka_unit_test(test_explain_keeps_a_better_remedy_from_below),
		cmocka_unit_test(test_format_cuts_what_does_not_fit),
		cmocka_unit_test(test_exit_statuses_are_those_of_the_manual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
