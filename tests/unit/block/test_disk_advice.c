/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include "disk_advice.h"
#include "luks_flags.h"

static char none[] = "";
static char nvme[] = "nvme";
static char file[] = "/file";

/* A device of 1 GiB. */
static struct device device_of(bool rotational, uint32_t logical, uint32_t physical)
{
	return (struct device){ .transport = none,
				.backing_file = none,
				.size_bytes = UINT64_C(1) << 30,
				.logical_sector_bytes = logical,
				.physical_sector_bytes = physical,
				.rotational = rotational };
}

static struct disk_advice advice_for(struct device device, bool aes)
{
	struct disk_advice advice;

	disk_advise(&device, aes, &advice);
	return advice;
}

static void test_disk_advise_keeps_small_sectors_of_a_rotating_disk(void **state)
{
	struct disk_advice advice = advice_for(device_of(true, 512, 512), true);

	(void)state;
	assert_int_equal(advice.sector_bytes, 512);
	assert_int_equal(advice.flags, 0);
	assert_string_equal(advice.kind, "rotating");
}

static void test_disk_advise_takes_large_sectors_of_a_rotating_disk(void **state)
{
	(void)state;
	assert_int_equal(advice_for(device_of(true, 512, 4096), true).sector_bytes, 4096);
	assert_int_equal(advice_for(device_of(true, 4096, 4096), true).sector_bytes, 4096);
}

static void test_disk_advise_needs_a_size_that_fits(void **state)
{
	struct device device = device_of(false, 512, 4096);

	(void)state;
	device.size_bytes += 512;
	assert_int_equal(advice_for(device, true).sector_bytes, 512);
}

static void test_disk_advise_spares_flash_the_queues(void **state)
{
	struct device device = device_of(false, 512, 512);
	uint32_t both = LUKS_FLAG_NO_READ_WORKQUEUE | LUKS_FLAG_NO_WRITE_WORKQUEUE;

	(void)state;
	assert_int_equal(advice_for(device, true).flags, both);
	assert_string_equal(advice_for(device, true).kind, "flash");
	device.transport = nvme;
	assert_string_equal(advice_for(device, true).kind, "nvme");
	assert_int_equal(advice_for(device, true).flags, both);
}

static void test_disk_advise_keeps_the_queues_without_aes(void **state)
{
	(void)state;
	assert_int_equal(advice_for(device_of(false, 512, 512), false).flags, 0);
}

static void test_disk_advise_never_sets_discard(void **state)
{
	struct device device = device_of(false, 512, 4096);

	(void)state;
	device.discards = true;
	assert_false(advice_for(device, true).flags & LUKS_FLAG_DISCARD);
}

static void test_disk_advise_knows_a_file(void **state)
{
	struct device device = device_of(true, 512, 512);

	(void)state;
	device.backing_file = file;
	assert_string_equal(advice_for(device, true).kind, "file");
	assert_int_equal(advice_for(device, true).sector_bytes, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_disk_advise_keeps_small_sectors_of_a_rotating_disk),
		cmocka_unit_test(test_disk_advise_takes_large_sectors_of_a_rotating_disk),
		cmocka_unit_test(test_disk_advise_needs_a_size_that_fits),
		cmocka_unit_test(test_disk_advise_spares_flash_the_queues),
		cmocka_unit_test(test_disk_advise_keeps_the_queues_without_aes),
		cmocka_unit_test(test_disk_advise_never_sets_discard),
		cmocka_unit_test(test_disk_advise_knows_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
