/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding and reading devices: real loop devices, and a made-up machine for what none has here.
 */

#include "unit.h"

#include "loop_rig.h"
#include "name_list.h"
#include "number.h"
#include "tree_rig.h"

/* struct bench - what one test uses of the two */
struct bench {
	struct rig rig;
	struct rig second;
	struct tree tree;
};

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	assert_non_null(bench);
	*state = bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	rig_done(&bench->rig);
	rig_done(&bench->second);
	tree_done(&bench->tree);
	free(bench);
	return 0;
}

/* The made-up machine. */
static const struct tree *machine(void **state)
{
	struct bench *bench = *state;

	tree_require();
	tree_machine(&bench->tree);
	return &bench->tree;
}

/* A real loop device. */
static struct rig *loop(void **state)
{
	struct bench *bench = *state;

	rig_require();
	rig_init(&bench->rig, RIG_BYTES, 0);
	return &bench->rig;
}

/* On the made-up machine @name is the device @kname. */
static void check_found(const struct tree *tree, const char *name, const char *kname)
{
	_cleanup_(device_freep) struct device *device = NULL;

	assert_ok(device_find_in(&tree->roots, name, &device, NULL));
	assert_string_equal(device->kname, kname);
}

/* The same for a path below the tree's /dev. */
static void check_path_found(const struct tree *tree, const char *name, const char *kname)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", tree->dev, name);
	check_found(tree, path, kname);
}

static struct device *read_device(const struct tree *tree, const char *name)
{
	struct device *device = NULL;

	assert_ok(device_find_in(&tree->roots, name, &device, NULL));
	return device;
}

static void test_device_find_takes_every_kind_of_name(void **state)
{
	const struct tree *tree = machine(state);

	check_found(tree, "sda", "sda");
	check_found(tree, "ata-WDC_1234", "sda");
	check_found(tree, "wwn-0x5000-part1", "sda1");
	check_found(tree, "pci-0-ata-1", "sda");
	check_found(tree, "mpatha", "dm-0");
	check_path_found(tree, "sda1", "sda1");
	check_path_found(tree, "disk/by-id/wwn-0x5000", "sda");
	check_path_found(tree, "mapper/mpatha", "dm-0");
}

static void test_device_find_leg_answers_the_map(void **state)
{
	const struct tree *tree = machine(state);

	check_found(tree, "sdb", "dm-0");
	check_path_found(tree, "sdc", "dm-0");
}

static void test_device_find_partition_of_a_leg_answers_the_maps_partition(void **state)
{
	const struct tree *tree = machine(state);

	check_found(tree, "sdb1", "sdb1");
	tree_map(tree, "dm-5", 105, "mpatha-part1", "part1-mpath-3600a");
	tree_stack(tree, "dm-0", "dm-5");
	check_found(tree, "sdb1", "dm-5");
}

static void test_device_find_unknown_name_is_not_found(void **state)
{
	const struct tree *tree = machine(state);
	struct device *device = NULL;

	assert_fails(device_find_in(&tree->roots, "sdz", &device, NULL), COF_E_NOENT);
	assert_fails(device_find_in(&tree->roots, "/dev/none/such", &device, NULL), COF_E_NOENT);
	assert_fails(device_find_in(&tree->roots, "wwn-0xdead", &device, NULL), COF_E_NOENT);
	assert_fails(device_find_in(&tree->roots, "/dev/null/x", &device, NULL), COF_E_NOENT);
	assert_null(device);
}

static void test_device_find_empty_name_is_a_usage_error(void **state)
{
	struct device *device = NULL;

	assert_fails(device_find("", &device, NULL), COF_E_USAGE);
}

static void test_device_find_regular_file_is_refused_with_a_way_out(void **state)
{
	const struct tree *tree = machine(state);
	struct device *device = NULL;
	struct cof_error error = { 0 };
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/sys/class/block/sda/size", tree->top);
	assert_fails(device_find_in(&tree->roots, path, &device, &error), COF_E_USAGE);
	assert_non_null(strstr(error.text, "regular file"));
	assert_non_null(strstr(error.remedy, "losetup"));
}

static void test_device_find_folder_and_character_device_are_refused(void **state)
{
	struct device *device = NULL;

	assert_fails(device_find("/tmp", &device, NULL), COF_E_USAGE);
	assert_fails(device_find("/dev/null", &device, NULL), COF_E_USAGE);
}

static void test_device_find_node_without_a_device_is_not_found(void **state)
{
	const struct tree *tree = machine(state);
	struct device *device = NULL;
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/stale", tree->dev);
	assert_int_equal(mknod(path, S_IFBLK | 0600, makedev(TREE_MAJOR, 999)), 0);
	assert_fails(device_find_in(&tree->roots, path, &device, NULL), COF_E_NOENT);
}

static void test_device_find_empty_or_odd_tag_is_a_usage_error(void **state)
{
	struct device *device = NULL;

	assert_fails(device_find("UUID=", &device, NULL), COF_E_USAGE);
	assert_fails(device_find("LABEL=../../sda", &device, NULL), COF_E_USAGE);
}

static void test_device_find_uuid_and_label_of_a_file_system(void **state)
{
	struct rig *rig = loop(state);
	_cleanup_(device_freep) struct device *by_uuid = NULL;
	_cleanup_(device_freep) struct device *by_label = NULL;
	_cleanup_(device_freep) struct device *upper = NULL;

	rig_run("mkfs.ext4", "-q", "-U", "0b5cf9e0-7d7b-4f70-9c0e-c0ffeec0ffee", "-L", "CofTest1",
		rig->node);
	assert_ok(device_find("UUID=0b5cf9e0-7d7b-4f70-9c0e-c0ffeec0ffee", &by_uuid, NULL));
	assert_string_equal(by_uuid->node, rig->node);
	assert_ok(device_find("UUID=0B5CF9E0-7D7B-4F70-9C0E-C0FFEEC0FFEE", &upper, NULL));
	assert_string_equal(upper->node, rig->node);
	assert_ok(device_find("LABEL=CofTest1", &by_label, NULL));
	assert_string_equal(by_label->node, rig->node);
}

static void test_device_find_uuid_on_two_devices_is_refused(void **state)
{
	struct bench *bench = *state;
	struct device *device = NULL;
	static const char uuid[] = "0b5cf9e0-7d7b-4f70-9c0e-c0ffee000002";

	(void)loop(state);
	rig_init(&bench->second, RIG_BYTES, 0);
	rig_run("mkfs.ext4", "-q", "-U", uuid, bench->rig.node);
	rig_run("mkfs.ext4", "-q", "-U", uuid, bench->second.node);
	assert_fails(device_find("UUID=0b5cf9e0-7d7b-4f70-9c0e-c0ffee000002", &device, NULL),
		     COF_E_REFUSED);
}

static void test_device_find_uuid_of_nobody_is_not_found(void **state)
{
	struct device *device = NULL;

	assert_fails(device_find("UUID=0b5cf9e0-7d7b-4f70-9c0e-c0ffee000003", &device, NULL),
		     COF_E_NOENT);
}

static void test_device_find_loop_device_tells_its_file_and_size(void **state)
{
	struct rig *rig = loop(state);
	_cleanup_(device_freep) struct device *device = NULL;

	assert_ok(device_find(rig->node, &device, NULL));
	assert_string_equal(device->backing_file, rig->file);
	assert_string_equal(device->transport, "loop");
	assert_int_equal(device->size_bytes, RIG_BYTES);
	assert_int_equal(device->logical_sector_bytes, 512);
	assert_false(device->read_only);
	assert_string_equal(device->parent, "");
}

static void test_device_by_number_is_the_same_device(void **state)
{
	struct rig *rig = loop(state);
	_cleanup_(device_freep) struct device *device = NULL;
	struct stat st;

	assert_int_equal(stat(rig->node, &st), 0);
	assert_ok(device_by_number(st.st_rdev, &device, NULL));
	assert_string_equal(device->node, rig->node);
}

static void test_device_by_number_unknown_is_not_found(void **state)
{
	struct device *device = NULL;

	assert_fails(device_by_number(makedev(TREE_MAJOR, 777), &device, NULL), COF_E_NOENT);
}

static void test_device_scan_lists_in_natural_order_what_has_a_size(void **state)
{
	const struct tree *tree = machine(state);
	_cleanup_(device_list_done) struct device_list list = { 0 };
	static const char *const expected[] = { "dm-0", "sda", "sda1", "sdb",
						"sdb1", "sdc", "sdc2", "sdc10" };

	tree_device(tree, "pci0/x/block/sdc10", 42, 4096);
	tree_device(tree, "pci0/x/block/sdc2", 34, 4096);
	tree_device(tree, "virtual/block/ram0", 200, 4096);
	tree_device(tree, "virtual/block/zram0", 201, 4096);
	tree_device(tree, "virtual/block/loop9", 202, 0);
	tree_device(tree, "virtual/block/nvme0c0n1", 203, 4096);
	tree_attribute(tree, "nvme0c0n1", "hidden", "1\n");
	assert_ok(device_scan_in(&tree->roots, &list, NULL));
	assert_int_equal(list.count, sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < list.count; i++)
		assert_string_equal(list.items[i]->kname, expected[i]);
}

static void test_device_scan_without_sys_fails(void **state)
{
	struct block_roots nowhere = { "/nonexistent", "/nonexistent", "/nonexistent" };
	struct device_list list = { 0 };

	assert_fails(device_scan_in(&nowhere, &list, NULL), COF_E_IO);
}

static void test_device_scan_real_machine_has_its_loop_device(void **state)
{
	struct rig *rig = loop(state);
	_cleanup_(device_list_done) struct device_list list = { 0 };
	bool found = false;

	assert_ok(device_scan(&list, NULL));
	for (size_t i = 0; i < list.count; i++) {
		found = found || strcmp(list.items[i]->node, rig->node) == 0;
		assert_true(list.items[i]->size_bytes > 0);
		if (i > 0)
			assert_true(natural_compare(list.items[i - 1]->kname,
						    list.items[i]->kname) < 0);
	}
	assert_true(found);
}

static void test_device_read_disk_tells_its_maker_and_limits(void **state)
{
	_cleanup_(device_freep) struct device *device = read_device(machine(state), "sda");

	assert_string_equal(device->vendor, "ATA");
	assert_string_equal(device->model, "WDC WD10");
	assert_string_equal(device->serial, "WD-1234");
	assert_string_equal(device->wwn, "naa.5000");
	assert_string_equal(device->transport, "sata");
	assert_int_equal(device->size_bytes, 1u << 30);
	assert_int_equal(device->logical_sector_bytes, 512);
	assert_int_equal(device->physical_sector_bytes, 4096);
	assert_true(device->rotational && device->removable && device->discards);
	assert_false(device->read_only);
}

static void test_device_read_disk_has_its_links_and_the_best(void **state)
{
	const struct tree *tree = machine(state);
	_cleanup_(device_freep) struct device *device = read_device(tree, "sda");

	assert_int_equal(name_list_count(device->links), 3);
	assert_string_equal(device->stable + strlen(tree->dev), "/disk/by-id/wwn-0x5000");
}

static void test_device_read_partition_has_its_disks_maker_and_its_own_state(void **state)
{
	_cleanup_(device_freep) struct device *device = read_device(machine(state), "sda1");

	assert_string_equal(device->parent, "sda");
	assert_string_equal(device->serial, "WD-1234");
	assert_int_equal(device->logical_sector_bytes, 512);
	assert_int_equal(device->size_bytes, 1u << 29);
	assert_true(device->read_only);
}

static void test_device_read_map_has_its_legs_and_their_maker(void **state)
{
	_cleanup_(device_freep) struct device *device = read_device(machine(state), "dm-0");

	assert_string_equal(device->legs[0], "sdb");
	assert_string_equal(device->legs[1], "sdc");
	assert_null(device->legs[2]);
	assert_string_equal(device->vendor, "NETAPP");
	assert_string_equal(device->wwn, "naa.600a");
	assert_string_equal(device->transport, "dm");
	assert_string_equal(device->multipath_map, "");
	assert_non_null(strstr(device->stable, "dm-uuid-mpath-3600a"));
}

static void test_device_read_leg_names_its_map(void **state)
{
	const struct tree *tree = machine(state);
	_cleanup_(device_list_done) struct device_list list = { 0 };

	assert_ok(device_scan_in(&tree->roots, &list, NULL));
	assert_string_equal(list.items[3]->kname, "sdb");
	assert_string_equal(list.items[3]->multipath_map, "dm-0");
	assert_string_equal(list.items[3]->holders[0], "dm-0");
	assert_string_equal(list.items[4]->multipath_map, "dm-0");
}

static void test_device_read_virtio_vendor_number_is_left_out(void **state)
{
	const struct tree *tree = machine(state);
	_cleanup_(device_freep) struct device *device = NULL;

	tree_device(tree, "pci0/virtio1/block/vda", 50, 4096);
	tree_attribute(tree, "vda", "device/vendor", "0x1af4\n");
	tree_attribute(tree, "vda", "serial", "disk-7\n");
	device = read_device(tree, "vda");
	assert_string_equal(device->vendor, "");
	assert_string_equal(device->serial, "disk-7");
	assert_string_equal(device->transport, "virtio");
}

static void test_device_read_bang_in_a_name_is_a_folder_of_the_node(void **state)
{
	const struct tree *tree = machine(state);
	_cleanup_(device_freep) struct device *device = NULL;

	tree_device(tree, "pci0/block/cciss!c0d0", 60, 4096);
	device = read_device(tree, "cciss!c0d0");
	assert_string_equal(device->node + strlen(tree->dev), "/cciss/c0d0");
}

static void test_device_read_impossible_size_is_refused(void **state)
{
	const struct tree *tree = machine(state);
	struct device *device = NULL;

	tree_attribute(tree, "sda", "size", "18446744073709551615\n");
	assert_fails(device_find_in(&tree->roots, "sda", &device, NULL), COF_E_FORMAT);
}

static void test_device_read_of_nothing_is_not_found(void **state)
{
	const struct tree *tree = machine(state);
	struct link_table links = { 0 };
	struct device *device = NULL;

	assert_fails(device_read(&tree->roots, &links, "sdq", &device, NULL), COF_E_NOENT);
}

static void test_device_claim_twice_is_busy(void **state)
{
	struct rig *rig = loop(state);
	_cleanup_(device_freep) struct device *device = NULL;
	_cleanup_fd_ int first = -1;
	int second = -1;

	assert_ok(device_find(rig->node, &device, NULL));
	assert_ok(device_claim(device, false, &first, NULL));
	assert_fails(device_claim(device, true, &second, NULL), COF_E_BUSY);
	assert_int_equal(second, -1);
}

static void test_device_claim_of_a_node_that_is_gone_is_not_found(void **state)
{
	struct rig *rig = loop(state);
	_cleanup_(device_freep) struct device *device = NULL;
	int fd = -1;

	assert_ok(device_find(rig->node, &device, NULL));
	free(device->node);
	device->node = strdup("/dev/coffer-test-none");
	assert_fails(device_claim(device, true, &fd, NULL), COF_E_NOENT);
}

static void test_device_free_takes_nothing_and_half_a_device(void **state)
{
	device_free(NULL);
	device_free(calloc(1, sizeof(struct device)));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_device_find_takes_every_kind_of_name),
		TEST(test_device_find_leg_answers_the_map),
		TEST(test_device_find_partition_of_a_leg_answers_the_maps_partition),
		TEST(test_device_find_unknown_name_is_not_found),
		TEST(test_device_find_empty_name_is_a_usage_error),
		TEST(test_device_find_regular_file_is_refused_with_a_way_out),
		TEST(test_device_find_folder_and_character_device_are_refused),
		TEST(test_device_find_node_without_a_device_is_not_found),
		TEST(test_device_find_empty_or_odd_tag_is_a_usage_error),
		TEST(test_device_find_uuid_and_label_of_a_file_system),
		TEST(test_device_find_uuid_on_two_devices_is_refused),
		TEST(test_device_find_uuid_of_nobody_is_not_found),
		TEST(test_device_find_loop_device_tells_its_file_and_size),
		TEST(test_device_by_number_is_the_same_device),
		TEST(test_device_by_number_unknown_is_not_found),
		TEST(test_device_scan_lists_in_natural_order_what_has_a_size),
		TEST(test_device_scan_without_sys_fails),
		TEST(test_device_scan_real_machine_has_its_loop_device),
		TEST(test_device_read_disk_tells_its_maker_and_limits),
		TEST(test_device_read_disk_has_its_links_and_the_best),
		TEST(test_device_read_partition_has_its_disks_maker_and_its_own_state),
		TEST(test_device_read_map_has_its_legs_and_their_maker),
		TEST(test_device_read_leg_names_its_map),
		TEST(test_device_read_virtio_vendor_number_is_left_out),
		TEST(test_device_read_bang_in_a_name_is_a_folder_of_the_node),
		TEST(test_device_read_impossible_size_is_refused),
		TEST(test_device_read_of_nothing_is_not_found),
		TEST(test_device_claim_twice_is_busy),
		TEST(test_device_claim_of_a_node_that_is_gone_is_not_found),
		TEST(test_device_free_takes_nothing_and_half_a_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
