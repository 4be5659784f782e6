/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who uses a device, on a made-up machine with LVM, multipath, arrays and dm-crypt, and on a real
 * loop device where the machine can show it.
 */

#include "unit.h"

#include "loop_rig.h"
#include "tree_rig.h"
#include "twin.h"
#include "usage.h"

static int setup(void **state)
{
	struct tree *tree = calloc(1, sizeof(*tree));

	assert_non_null(tree);
	tree_machine(tree);
	*state = tree;
	return 0;
}

static int teardown(void **state)
{
	tree_done(*state);
	free(*state);
	return 0;
}

/* Who uses the device of that kernel name, read without going from a leg to its map. */
static struct usage usage_of(const struct tree *tree, const char *kname)
{
	_cleanup_(link_table_done) struct link_table links = { 0 };
	_cleanup_(device_freep) struct device *device = NULL;
	struct usage usage;

	assert_ok(link_table_load(&tree->roots, &links, NULL));
	assert_ok(device_read(&tree->roots, &links, kname, &device, NULL));
	assert_ok(usage_find(&tree->roots, device, &usage, NULL));
	return usage;
}

static void test_usage_idle_disk_has_none(void **state)
{
	struct usage usage = usage_of(*state, "sda");

	assert_string_equal(usage.text, "");
	assert_string_equal(usage.remedy, "");
}

static void test_usage_mounted_names_place_and_type(void **state)
{
	struct usage usage;

	tree_mount(*state, 0, "/srv/my\\040data");
	usage = usage_of(*state, "sda");
	assert_string_equal(usage.text, "mounted at /srv/my data");
	assert_string_equal(usage.detail, " (xfs)");
}

static void test_usage_mounted_at_many_places_says_how_many_more(void **state)
{
	const struct tree *tree = *state;
	struct usage usage;

	tree_text(tree, "proc/self/mountinfo",
		  "36 35 240:0 / /a rw - xfs /dev/x rw\n"
		  "37 35 240:0 / /b rw - xfs /dev/x rw\n"
		  "38 35 240:0 / /c rw - xfs /dev/x rw\n");
	usage = usage_of(tree, "sda");
	assert_string_equal(usage.text, "mounted at /a");
	assert_string_equal(usage.detail, " (xfs) and 2 more");
}

static void test_usage_mounted_partition_is_the_disks_use(void **state)
{
	tree_mount(*state, 1, "/srv");
	assert_string_equal(usage_of(*state, "sda").text, "partition sda1 mounted at /srv");
	assert_string_equal(usage_of(*state, "sda1").text, "mounted at /srv");
}

static void test_usage_root_file_system_has_no_remedy(void **state)
{
	struct usage usage;

	tree_mount(*state, 0, "/");
	usage = usage_of(*state, "sda");
	assert_string_equal(usage.text, "mounted at /");
	assert_string_equal(usage.remedy, "");
}

static void test_usage_whole_disk_is_its_partitions_use(void **state)
{
	tree_mount(*state, 0, "/srv");
	assert_string_equal(usage_of(*state, "sda1").text, "whole disk sda mounted at /srv");
}

static void test_usage_leg_names_the_map(void **state)
{
	struct usage usage = usage_of(*state, "sdb");

	assert_string_equal(usage.text, "multipath leg of mpatha");
	assert_string_equal(usage.remedy, "name the map instead: /dev/mapper/mpatha");
	assert_string_equal(usage_of(*state, "sdb1").text,
			    "whole disk sdb multipath leg of mpatha");
	assert_string_equal(usage_of(*state, "dm-0").text, "");
}

static void test_usage_lvm_names_the_group(void **state)
{
	const struct tree *tree = *state;

	tree_map(tree, "dm-7", 107, "vg--a-lv", "LVM-abc");
	tree_stack(tree, "sda", "dm-7");
	assert_string_equal(usage_of(tree, "sda").text, "LVM (vg-a)");
}

static void test_usage_open_volume_tells_what_is_on_top(void **state)
{
	const struct tree *tree = *state;
	struct usage usage;

	tree_map(tree, "dm-7", 107, "enc-a", "CRYPT-LUKS2-00-enc-a");
	tree_map(tree, "dm-8", 108, "vg-lv", "LVM-abc");
	tree_stack(tree, "sda1", "dm-7");
	tree_stack(tree, "dm-7", "dm-8");
	assert_string_equal(usage_of(tree, "sda1").remedy, "coffer disk close enc-a");
	tree_mount(tree, 108, "/srv");
	usage = usage_of(tree, "sda1");
	assert_string_equal(usage.text, "open as enc-a");
	assert_string_equal(usage.detail, ", mounted at /srv (xfs)");
	assert_string_equal(usage.remedy, "umount /srv");
	assert_string_equal(usage_of(tree, "sda").text, "partition sda1 open as enc-a");
}

static void test_usage_remedy_quotes_a_folder_for_the_shell(void **state)
{
	const struct tree *tree = *state;

	tree_mount(tree, 108, "/srv/a\\040b");
	tree_map(tree, "dm-8", 108, "enc-a", "CRYPT-LUKS2-00-enc-a");
	assert_string_equal(usage_of(tree, "dm-8").remedy, "umount '/srv/a b'");
}

static void test_usage_array_member_names_the_array(void **state)
{
	const struct tree *tree = *state;

	tree_device(tree, "virtual/block/md0", 120, 1u << 30);
	tree_stack(tree, "sda", "md0");
	assert_string_equal(usage_of(tree, "sda").text, "md0");
}

static void test_usage_btrfs_member_that_no_mount_names(void **state)
{
	const struct tree *tree = *state;

	tree_link(tree, "x", "sys/fs/btrfs/0b5c-uuid/devices/sda");
	assert_string_equal(usage_of(tree, "sda").text, "part of a mounted btrfs");
	assert_string_equal(usage_of(tree, "sda").detail, " (0b5c-uuid)");
	assert_string_equal(usage_of(tree, "sdc").text, "multipath leg of mpatha");
}

static void test_usage_unreadable_mount_table_fails(void **state)
{
	const struct tree *tree = *state;
	_cleanup_(device_freep) struct device *device = NULL;
	struct usage usage;
	char path[256];

	assert_ok(device_find_in(&tree->roots, "sda", &device, NULL));
	(void)snprintf(path, sizeof(path), "%s/self/mountinfo", tree->proc);
	assert_int_equal(unlink(path), 0);
	assert_fails(usage_find(&tree->roots, device, &usage, NULL), COF_E_IO);
}

static void test_usage_devices_on_each_other_without_end_fail(void **state)
{
	const struct tree *tree = *state;
	_cleanup_(device_freep) struct device *device = NULL;
	struct usage usage;

	tree_map(tree, "dm-7", 107, "a", "");
	tree_map(tree, "dm-8", 108, "b", "");
	tree_stack(tree, "sda", "dm-7");
	tree_stack(tree, "dm-7", "dm-8");
	tree_stack(tree, "dm-8", "dm-7");
	assert_ok(device_find_in(&tree->roots, "sda", &device, NULL));
	assert_fails(usage_find(&tree->roots, device, &usage, NULL), COF_E_FAILED);
}

/* The twin of the device of that kernel name. */
static bool has_twin(const struct tree *tree, const char *kname, struct twin *twin)
{
	_cleanup_(link_table_done) struct link_table links = { 0 };
	_cleanup_(device_freep) struct device *device = NULL;
	bool found = false;

	assert_ok(device_read(&tree->roots, &links, kname, &device, NULL));
	assert_ok(twin_find(&tree->roots, device, twin, &found, NULL));
	return found;
}

/* A second path to sda, outside any map. */
static void second_path(const struct tree *tree, uint64_t size_bytes, const char *wwid)
{
	tree_device(tree, "pci0/host7/block/sdk", 160, size_bytes);
	tree_attribute(tree, "sdk", "device/wwid", wwid);
}

static void test_twin_find_same_wwn_and_size_is_one(void **state)
{
	struct twin twin;

	second_path(*state, 1u << 30, "naa.5000");
	assert_true(has_twin(*state, "sda", &twin));
	assert_non_null(strstr(twin.node, "/sdk"));
	assert_string_equal(twin.use, "");
	assert_true(has_twin(*state, "sda1", &twin));
}

static void test_twin_find_tells_what_the_other_path_is_used_for(void **state)
{
	struct twin twin;

	second_path(*state, 1u << 30, "naa.5000");
	tree_mount(*state, 160, "/srv");
	assert_true(has_twin(*state, "sda", &twin));
	assert_string_equal(twin.use, "mounted at /srv");
}

static void test_twin_find_other_wwn_or_size_is_none(void **state)
{
	const struct tree *tree = *state;
	struct twin twin;

	assert_false(has_twin(tree, "sda", &twin));
	second_path(tree, 1u << 29, "naa.5000");
	assert_false(has_twin(tree, "sda", &twin));
	tree_attribute(tree, "sdk", "size", "2097152\n");
	assert_true(has_twin(tree, "sda", &twin));
	tree_attribute(tree, "sdk", "device/wwid", "naa.5001\n");
	assert_false(has_twin(tree, "sda", &twin));
}

static void test_twin_find_map_and_its_legs_are_none(void **state)
{
	struct twin twin;

	assert_false(has_twin(*state, "dm-0", &twin));
	assert_false(has_twin(*state, "sdb", &twin));
}

static void test_twin_find_leg_that_the_map_lost_is_one(void **state)
{
	const struct tree *tree = *state;
	struct twin twin;

	tree_device(tree, "pci0/host3/block/sdl", 176, 1u << 30);
	tree_attribute(tree, "sdl", "device/wwid", "naa.600a\n");
	assert_true(has_twin(tree, "dm-0", &twin));
	assert_true(has_twin(tree, "sdl", &twin));
	assert_string_equal(twin.use, "multipath leg of mpatha");
}

static void test_twin_find_devices_without_wwn_are_none(void **state)
{
	const struct tree *tree = *state;
	struct twin twin;

	tree_device(tree, "virtual/block/nbd0", 180, 1u << 30);
	tree_device(tree, "virtual/block/nbd1", 181, 1u << 30);
	assert_false(has_twin(tree, "nbd0", &twin));
}

static void test_device_use_of_a_real_mount_is_words_alone(void **state)
{
	_cleanup_(device_freep) struct device *device = NULL;
	struct rig rig;
	char words[128];
	char text[256] = "";

	rig_require();
	rig_init(&rig, RIG_BYTES, 0);
	rig_run("mkfs.ext4", "-q", rig.node);
	assert_int_equal(mount(rig.node, rig.mount, "ext4", 0, NULL), 0);
	assert_ok(device_find(rig.node, &device, NULL));
	assert_ok(device_use(device, text, sizeof(text), NULL));
	(void)snprintf(words, sizeof(words), "mounted at %s", rig.mount);
	rig_done(&rig);
	assert_string_equal(text, words);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_usage_idle_disk_has_none),
		TEST(test_usage_mounted_names_place_and_type),
		TEST(test_usage_mounted_at_many_places_says_how_many_more),
		TEST(test_usage_mounted_partition_is_the_disks_use),
		TEST(test_usage_root_file_system_has_no_remedy),
		TEST(test_usage_whole_disk_is_its_partitions_use),
		TEST(test_usage_leg_names_the_map),
		TEST(test_usage_lvm_names_the_group),
		TEST(test_usage_open_volume_tells_what_is_on_top),
		TEST(test_usage_remedy_quotes_a_folder_for_the_shell),
		TEST(test_usage_array_member_names_the_array),
		TEST(test_usage_btrfs_member_that_no_mount_names),
		TEST(test_usage_unreadable_mount_table_fails),
		TEST(test_usage_devices_on_each_other_without_end_fail),
		TEST(test_twin_find_same_wwn_and_size_is_one),
		TEST(test_twin_find_tells_what_the_other_path_is_used_for),
		TEST(test_twin_find_other_wwn_or_size_is_none),
		TEST(test_twin_find_map_and_its_legs_are_none),
		TEST(test_twin_find_leg_that_the_map_lost_is_one),
		TEST(test_twin_find_devices_without_wwn_are_none),
		cmocka_unit_test(test_device_use_of_a_real_mount_is_words_alone),
	};

	if (geteuid() != 0) {
		print_message("skipped: needs root to make device nodes\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
