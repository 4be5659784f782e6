/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include "disk_destroy.h"

static const struct disk example = {
	.name = "enc-wwn-0x5000",
	.uuid = "01234567-89ab-4cde-8f01-23456789abcd",
	.stable = "/dev/disk/by-id/wwn-0x5000",
	.serial = "Y1M0A01H",
	.size_bytes = 1000204886016,
};

static void test_certificate_names_the_disk(void **state)
{
	struct destroy_steps steps = { .overwritten = true, .overwritten_bytes = 16u << 20 };
	_cleanup_json_ struct json *certificate = destroy_certificate(&example, &steps, NULL, NULL);

	(void)state;
	assert_string_equal(json_get_text(certificate, "serial"), "Y1M0A01H");
	assert_string_equal(json_get_text(certificate, "by_id"), example.stable);
	assert_string_equal(json_get_text(certificate, "uuid"), example.uuid);
	assert_true(json_get_uint(certificate, "size", 0) == example.size_bytes);
	assert_true(json_get_uint(certificate, "overwritten_bytes", 0) == 16u << 20);
	assert_true(json_length(json_get(certificate, "mirrors_left")) == 0);
}

static void test_certificate_promises_no_step_that_was_not_done(void **state)
{
	struct destroy_steps steps = { .missing = true };
	_cleanup_json_ struct json *certificate = destroy_certificate(&example, &steps, NULL, NULL);

	(void)state;
	assert_true(json_get_bool(certificate, "missing", false));
	assert_false(json_get_bool(certificate, "overwritten", true));
	assert_false(json_get_bool(certificate, "read_back", true));
	assert_false(json_get_bool(certificate, "discarded", true));
	assert_non_null(strstr(json_get_text(certificate, "limits"), "was not there"));
}

static void test_certificate_says_what_flash_does_not_promise(void **state)
{
	struct destroy_steps steps = { .overwritten = true, .flash = true };
	_cleanup_json_ struct json *certificate = destroy_certificate(&example, &steps, NULL, NULL);

	(void)state;
	assert_non_null(strstr(json_get_text(certificate, "limits"), "flash keeps old blocks"));
}

static void test_certificate_names_mirrors_that_hold_keys(void **state)
{
	const char *const mirrors[] = { "/mnt/usb", "/mnt/nfs", NULL };
	struct destroy_steps steps = { 0 };
	_cleanup_json_ struct json *certificate =
		destroy_certificate(&example, &steps, mirrors, NULL);
	const struct json *left = json_get(certificate, "mirrors_left");

	(void)state;
	assert_true(json_length(left) == 2);
	assert_string_equal(json_text(json_at(left, 1)), "/mnt/nfs");
}

static void test_certificate_promises_no_removal_while_a_copy_is_kept_aside(void **state)
{
	const char *const copies[] = { "/mnt/usb/coffer-x.damaged-1", NULL };
	struct destroy_steps steps = { .overwritten = true };
	_cleanup_json_ struct json *clean = destroy_certificate(&example, &steps, NULL, NULL);
	_cleanup_json_ struct json *kept = destroy_certificate(&example, &steps, NULL, copies);
	_cleanup_json_ struct json *away = destroy_certificate(&example, &steps, copies, NULL);

	(void)state;
	assert_true(json_get_bool(clean, "keys_removed", false));
	assert_false(json_get_bool(kept, "keys_removed", true));
	assert_false(json_get_bool(kept, "header_copies_removed", true));
	assert_false(json_get_bool(away, "keys_removed", true));
	assert_string_equal(json_text(json_at(json_get(kept, "copies_set_aside"), 0)), copies[0]);
}

static void test_steps_go_both_ways(void **state)
{
	struct destroy_steps steps = { .missing = true,
				       .overwritten = true,
				       .discarded = true,
				       .flash = true,
				       .overwritten_bytes = 42,
				       .last_backup = "2026-11-20T17:00:00Z",
				       .backup_holds = true };
	_cleanup_json_ struct json *meta = json_new_object();
	struct destroy_steps back;

	(void)state;
	destroy_steps_to_meta(&steps, meta);
	back = destroy_steps_of(meta);
	assert_true(back.missing && back.overwritten && back.discarded && back.flash);
	assert_true(back.overwritten_bytes == 42);
	assert_string_equal(back.last_backup, "2026-11-20T17:00:00Z");
	assert_true(back.backup_holds);
}

static void test_meta_without_steps_has_done_none(void **state)
{
	_cleanup_json_ struct json *meta = json_new_object();
	struct destroy_steps back = destroy_steps_of(meta);

	(void)state;
	assert_false(back.missing || back.overwritten || back.discarded || back.flash);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_certificate_names_the_disk),
		cmocka_unit_test(test_certificate_promises_no_step_that_was_not_done),
		cmocka_unit_test(test_certificate_says_what_flash_does_not_promise),
		cmocka_unit_test(test_certificate_names_mirrors_that_hold_keys),
		cmocka_unit_test(test_certificate_promises_no_removal_while_a_copy_is_kept_aside),
		cmocka_unit_test(test_steps_go_both_ways),
		cmocka_unit_test(test_meta_without_steps_has_done_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
