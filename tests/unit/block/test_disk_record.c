/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include "disk_result.h"

static const struct disk example = {
	.name = "enc-wwn-0x5000",
	.uuid = "01234567-89ab-4cde-8f01-23456789abcd",
	.stable = "/dev/disk/by-id/wwn-0x5000",
	.serial = "Y1M0A01H",
	.wwn = "0x5000",
	.vendor = "TOSHIBA",
	.model = "MK1001TRKB",
	.size_bytes = 1000204886016,
	.crypttab = true,
	.ready = true,
};

/* A device with the facts of the example. */
static struct device example_device(void)
{
	return (struct device){
		.node = (char *)(uintptr_t) "/dev/sdj",
		.stable = (char *)(uintptr_t)example.stable,
		.serial = (char *)(uintptr_t)example.serial,
		.wwn = (char *)(uintptr_t)example.wwn,
		.vendor = (char *)(uintptr_t)example.vendor,
		.model = (char *)(uintptr_t)example.model,
		.backing_file = (char *)(uintptr_t) "",
		.size_bytes = example.size_bytes,
	};
}

static void test_meta_goes_both_ways(void **state)
{
	_cleanup_json_ struct json *meta = disk_to_meta(&example);
	struct disk back;

	(void)state;
	assert_ok(disk_from_meta(meta, &back, NULL));
	assert_string_equal(back.name, example.name);
	assert_string_equal(back.uuid, example.uuid);
	assert_string_equal(back.stable, example.stable);
	assert_string_equal(back.serial, example.serial);
	assert_string_equal(back.wwn, example.wwn);
	assert_string_equal(back.vendor, example.vendor);
	assert_string_equal(back.model, example.model);
	assert_true(back.size_bytes == example.size_bytes);
	assert_true(back.crypttab);
	assert_true(back.ready);
}

static void test_meta_of_a_half_formatted_disk_is_not_ready(void **state)
{
	struct disk disk = example;
	_cleanup_json_ struct json *meta = NULL;
	struct disk back;

	(void)state;
	disk.ready = false;
	meta = disk_to_meta(&disk);
	assert_ok(disk_from_meta(meta, &back, NULL));
	assert_false(back.ready);
}

static void test_meta_says_which_verb_has_not_finished(void **state)
{
	static const enum disk_work works[] = { DISK_WORK_FORMAT, DISK_WORK_ADOPT,
						DISK_WORK_DESTROY };

	(void)state;
	for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
		struct disk disk = example;
		_cleanup_json_ struct json *meta = NULL;
		struct disk back;

		disk.ready = false;
		disk.work = works[i];
		meta = disk_to_meta(&disk);
		assert_ok(disk_from_meta(meta, &back, NULL));
		assert_int_equal(back.work, works[i]);
	}
}

static void test_work_of_another_verb_is_refused_with_what_finishes_it(void **state)
{
	struct disk disk = example;
	struct cof_error err = { 0 };

	(void)state;
	disk.ready = false;
	disk.work = DISK_WORK_ADOPT;
	assert_ok(disk_check_work(&disk, DISK_WORK_ADOPT, &err));
	assert_fails(disk_check_work(&disk, DISK_WORK_FORMAT, &err), COF_E_REFUSED);
	assert_string_equal(err.remedy, "coffer disk adopt /dev/disk/by-id/wwn-0x5000");
	disk.work = DISK_WORK_DESTROY;
	assert_fails(disk_check_work(&disk, DISK_WORK_ADOPT, &err), COF_E_REFUSED);
	assert_string_equal(err.remedy, "coffer disk destroy enc-wwn-0x5000");
}

static void test_ready_disk_has_no_work_left(void **state)
{
	(void)state;
	assert_ok(disk_check_work(&example, DISK_WORK_DESTROY, NULL));
}

static void test_full_slot_table_is_refused(void **state)
{
	struct luks_info info = { .version = 1, .slot_count = 7 };

	(void)state;
	assert_ok(disk_check_free_slot("/dev/sdj", &info, NULL));
	info.slot_count = 8;
	assert_fails(disk_check_free_slot("/dev/sdj", &info, NULL), COF_E_REFUSED);
	info.version = 2;
	assert_ok(disk_check_free_slot("/dev/sdj", &info, NULL));
	info.slot_count = 32;
	assert_fails(disk_check_free_slot("/dev/sdj", &info, NULL), COF_E_REFUSED);
}

static void test_meta_without_name_or_uuid_is_damaged(void **state)
{
	_cleanup_json_ struct json *meta = json_new_object();
	struct disk back;

	(void)state;
	assert_fails(disk_from_meta(meta, &back, NULL), COF_E_FORMAT);
	json_set_text(meta, "name", "enc-a");
	assert_fails(disk_from_meta(meta, &back, NULL), COF_E_FORMAT);
	json_set_text(meta, "uuid", example.uuid);
	assert_ok(disk_from_meta(meta, &back, NULL));
}

static void test_meta_with_a_field_too_long_is_damaged(void **state)
{
	_cleanup_json_ struct json *meta = disk_to_meta(&example);
	struct disk back;
	char name[VOLUME_NAME_MAX_CHARS + 2];

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	json_set_text(meta, "name", name);
	assert_fails(disk_from_meta(meta, &back, NULL), COF_E_FORMAT);
}

static void test_same_facts_are_the_same_device(void **state)
{
	struct device device = example_device();
	char why_not[256];

	(void)state;
	assert_true(disk_is_device(&example, &device, why_not, sizeof(why_not)));
}

static void test_fact_that_one_side_lacks_does_not_disagree(void **state)
{
	struct device device = example_device();
	char why_not[256];

	(void)state;
	device.serial = (char *)(uintptr_t) "";
	assert_true(disk_is_device(&example, &device, why_not, sizeof(why_not)));
}

static void test_other_serial_is_another_device_and_names_both(void **state)
{
	struct device device = example_device();
	char why_not[256];

	(void)state;
	device.serial = (char *)(uintptr_t) "OTHER";
	assert_false(disk_is_device(&example, &device, why_not, sizeof(why_not)));
	assert_non_null(strstr(why_not, "OTHER"));
	assert_non_null(strstr(why_not, "Y1M0A01H"));
}

static void test_smaller_device_is_another_device(void **state)
{
	struct device device = example_device();
	char why_not[256];

	(void)state;
	device.size_bytes--;
	assert_false(disk_is_device(&example, &device, why_not, sizeof(why_not)));
	device.size_bytes += 4096;
	assert_true(disk_is_device(&example, &device, why_not, sizeof(why_not)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_meta_goes_both_ways),
		cmocka_unit_test(test_meta_of_a_half_formatted_disk_is_not_ready),
		cmocka_unit_test(test_meta_says_which_verb_has_not_finished),
		cmocka_unit_test(test_work_of_another_verb_is_refused_with_what_finishes_it),
		cmocka_unit_test(test_ready_disk_has_no_work_left),
		cmocka_unit_test(test_full_slot_table_is_refused),
		cmocka_unit_test(test_meta_without_name_or_uuid_is_damaged),
		cmocka_unit_test(test_meta_with_a_field_too_long_is_damaged),
		cmocka_unit_test(test_same_facts_are_the_same_device),
		cmocka_unit_test(test_fact_that_one_side_lacks_does_not_disagree),
		cmocka_unit_test(test_other_serial_is_another_device_and_names_both),
		cmocka_unit_test(test_smaller_device_is_another_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
