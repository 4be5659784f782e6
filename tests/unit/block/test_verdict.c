/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verdict on what a device holds, on real loop devices.
 */

#include "unit.h"

#include "verdict_rig.h"

static void test_verdict_empty_device_is_free(void **state)
{
	struct verdict verdict = verdict_on(fresh(state)->node);

	check(&verdict, VERDICT_FREE, "");
	assert_string_equal(verdict.reason, "");
	assert_string_equal(verdict.remedy, "");
	assert_string_equal(verdict.signature, "");
}

static void test_verdict_all_ones_is_free(void **state)
{
	const struct rig *rig = fresh(state);
	_cleanup_free_ char *ones = malloc(1u << 20);
	struct verdict verdict;

	memset(ones, 0xff, 1u << 20);
	rig_write(rig, ones, 1u << 20, 0);
	rig_write(rig, ones, 1u << 20, RIG_BYTES - (1u << 20));
	verdict = verdict_on(rig->node);
	check(&verdict, VERDICT_FREE, "");
}

static void test_verdict_unknown_content_in_the_first_mib_is_data(void **state)
{
	const struct rig *rig = fresh(state);

	rig_write(rig, "secret diary", 12, (1u << 20) - 12);
	check_holds(rig, "", "unknown content in the first MiB");
}

static void test_verdict_unknown_content_in_the_middle_is_data(void **state)
{
	const struct rig *rig = fresh(state);
	static uint8_t text[1 << 20];

	memset(text, 'x', sizeof(text));
	rig_write(rig, text, sizeof(text), RIG_BYTES / 2);
	check_holds(rig, "", "unknown content at ");
}

static void test_verdict_unknown_content_in_the_last_mib_is_data(void **state)
{
	const struct rig *rig = fresh(state);

	rig_write(rig, "x", 1, RIG_BYTES - 1);
	check_holds(rig, "", "unknown content in the last MiB");
}

static void test_verdict_ext4_is_data_and_its_label_is_told(void **state)
{
	const struct rig *rig = fresh(state);

	rig_run("mkfs.ext4", "-q", "-L", "photos", rig->node);
	check_holds(rig, "ext4", "ext4 (label \"photos\")");
}

static void test_verdict_xfs_is_data(void **state)
{
	struct rig *rig = *state;

	rig_require();
	rig_init(rig, 320ull << 20, 0);
	rig_run("mkfs.xfs", "-q", rig->node);
	check_holds(rig, "xfs", "xfs");
}

static void test_verdict_vfat_is_data(void **state)
{
	const struct rig *rig = fresh(state);

	rig_run("mkfs.vfat", rig->node);
	check_holds(rig, "vfat", "vfat");
}

static void test_verdict_swap_area_is_data(void **state)
{
	const struct rig *rig = fresh(state);

	rig_run("mkswap", rig->node);
	check_holds(rig, "swap", "swap");
}

static void test_verdict_luks_is_data(void **state)
{
	const struct rig *rig = fresh(state);
	const char *const argv[] = { "cryptsetup",
				     "luksFormat",
				     "--batch-mode",
				     "--type",
				     "luks2",
				     "--pbkdf",
				     "pbkdf2",
				     "--pbkdf-force-iterations",
				     "1000",
				     rig->node,
				     "-",
				     NULL };
	int status = -1;

	assert_ok(child_run(argv, span_of_text("only a test"), 60000, NULL, &status, NULL));
	assert_int_equal(status, 0);
	check_holds(rig, "crypto_LUKS", "crypto_LUKS");
}

/* Writes LVM's label as LVM does: its checksum at offset 16 is a CRC-32 that starts at 0xf597a6cf
 * and takes in all behind it. */
static void write_lvm_label(const struct rig *rig, uint8_t damage)
{
	uint8_t sector[512] = "LABELONE";
	uint32_t crc = 0xf597a6cf;

	sector[8] = 1;	 /* in sector 1 */
	sector[20] = 32; /* where its header starts */
	memcpy(sector + 24, "LVM2 001", 8);
	memcpy(sector + 32, "abcdefghijklmnopqrstuvwxyz012345", 32);
	for (size_t i = 20; i < sizeof(sector); i++) {
		crc ^= sector[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
	}
	for (int i = 0; i < 4; i++)
		sector[16 + i] = (uint8_t)(crc >> (8 * i));
	sector[16] ^= damage;
	rig_write(rig, sector, sizeof(sector), 512);
}

static void test_verdict_lvm_physical_volume_is_data(void **state)
{
	const struct rig *rig = fresh(state);

	write_lvm_label(rig, 0);
	check_holds(rig, "LVM2_member", "LVM2_member");
}

static void test_verdict_signature_with_a_wrong_checksum_is_data_all_the_same(void **state)
{
	const struct rig *rig = fresh(state);

	write_lvm_label(rig, 1);
	check_holds(rig, "LVM2_member", "LVM2_member");
}

static void test_verdict_md_member_is_data(void **state)
{
	const struct rig *rig = fresh(state);
	uint8_t superblock[256] = { 0xfc, 0x4e, 0x2b, 0xa9, 1 }; /* magic, major version */

	superblock[128 + 16] = 8; /* version 1.2: the superblock is in sector 8 */
	memset(superblock + 16, 0x5a, 16);
	rig_write(rig, superblock, sizeof(superblock), 4096);
	check_holds(rig, "linux_raid_member", "linux_raid_member");
}

static void test_verdict_zfs_label_is_data(void **state)
{
	static const uint8_t uberblock[8] = { 0x0c, 0xb1, 0xba, 0, 0, 0, 0, 0 };
	const struct rig *rig = fresh(state);

	for (off_t i = 0; i < 32; i++)
		rig_write(rig, uberblock, sizeof(uberblock), (128 << 10) + i * 4096);
	check_holds(rig, "zfs_member", "zfs_member");
}

static void test_verdict_gpt_tells_its_partitions(void **state)
{
	const struct rig *rig = fresh(state);

	partition(rig, "label: gpt\n,20M\n,\n");
	check_holds(rig, "gpt", "partition table gpt with 2 partitions");
}

static void test_verdict_empty_dos_table_is_data(void **state)
{
	const struct rig *rig = fresh(state);

	partition(rig, "label: dos\n");
	check_holds(rig, "dos", "partition table dos with 0 partitions");
}

static void test_verdict_two_signatures_are_both_told(void **state)
{
	const struct rig *rig = fresh(state);

	rig_run("mkfs.ext4", "-q", "-b", "4096", rig->node);
	partition(rig, "label: dos\n,20M\n");
	check_holds(rig, "ext4", "ext4, partition table dos with 1 partition");
}


static void test_verdict_read_only_is_unfit(void **state)
{
	struct rig *rig = *state;
	struct verdict verdict;

	rig_require();
	rig_init(rig, RIG_BYTES, LO_FLAGS_READ_ONLY);
	verdict = verdict_on(rig->node);
	check(&verdict, VERDICT_UNFIT, "read-only");
}

static void test_verdict_31_mib_are_too_small_and_32_are_not(void **state)
{
	struct rig *rig = *state;
	struct rig large;
	struct verdict small_one;
	struct verdict large_one;

	rig_require();
	rig_init(rig, (32ull << 20) - 4096, 0);
	rig_init(&large, 32ull << 20, 0);
	small_one = verdict_on(rig->node);
	large_one = verdict_on(large.node);
	rig_done(&large);
	check(&small_one, VERDICT_UNFIT, "33550336 bytes large");
	check(&large_one, VERDICT_FREE, "");
}

static void test_verdict_device_that_is_gone_fails(void **state)
{
	const struct rig *rig = fresh(state);
	_cleanup_(device_freep) struct device *device = NULL;
	struct verdict verdict;

	assert_ok(device_find(rig->node, &device, NULL));
	free(device->node);
	device->node = strdup("/dev/coffer-test-none");
	assert_fails(device_verdict(device, &verdict, NULL), COF_E_NOENT);
}

static void test_verdict_changes_no_byte(void **state)
{
	const struct rig *rig = fresh(state);
	_cleanup_buffer_ struct buffer before = { 0 };
	_cleanup_buffer_ struct buffer after = { 0 };
	const char *const argv[] = { "sha256sum", rig->file, NULL };
	int status;

	rig_run("mkfs.ext4", "-q", rig->node);
	assert_ok(child_run(argv, (struct span){ 0 }, 60000, &before, &status, NULL));
	(void)verdict_on(rig->node);
	assert_ok(child_run(argv, (struct span){ 0 }, 60000, &after, &status, NULL));
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.data, after.data, after.len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_verdict_empty_device_is_free),
		TEST(test_verdict_all_ones_is_free),
		TEST(test_verdict_unknown_content_in_the_first_mib_is_data),
		TEST(test_verdict_unknown_content_in_the_middle_is_data),
		TEST(test_verdict_unknown_content_in_the_last_mib_is_data),
		TEST(test_verdict_ext4_is_data_and_its_label_is_told),
		TEST(test_verdict_xfs_is_data),
		TEST(test_verdict_vfat_is_data),
		TEST(test_verdict_swap_area_is_data),
		TEST(test_verdict_luks_is_data),
		TEST(test_verdict_lvm_physical_volume_is_data),
		TEST(test_verdict_signature_with_a_wrong_checksum_is_data_all_the_same),
		TEST(test_verdict_md_member_is_data),
		TEST(test_verdict_zfs_label_is_data),
		TEST(test_verdict_gpt_tells_its_partitions),
		TEST(test_verdict_empty_dos_table_is_data),
		TEST(test_verdict_two_signatures_are_both_told),
		TEST(test_verdict_read_only_is_unfit),
		TEST(test_verdict_31_mib_are_too_small_and_32_are_not),
		TEST(test_verdict_device_that_is_gone_fails),
		TEST(test_verdict_changes_no_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
