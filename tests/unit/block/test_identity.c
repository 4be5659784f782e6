/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <stdio.h>

#include "identity.h"
#include "name_list.h"
#include "probe.h"
#include "usage_words.h"

/* @text after text_tidy(); static. */
static const char *tidied(const char *text)
{
	static char copy[128];

	(void)snprintf(copy, sizeof(copy), "%s", text);
	text_tidy(copy);
	return copy;
}

static void test_text_tidy_takes_blanks_at_the_ends_and_runs(void **state)
{
	assert_string_equal(tidied("  ATA \t  DISK  "), "ATA DISK");
	assert_string_equal(tidied("   "), "");
	assert_string_equal(tidied(""), "");
}

static void test_text_tidy_replaces_what_a_terminal_would_obey(void **state)
{
	assert_string_equal(tidied("a\x1b[31mb\x7f\xc3"), "a?[31mb??");
}

/* The serial number of a page of these bytes; static. */
static const char *serial_of(const char *page, size_t len)
{
	static char serial[64];

	vpd_serial_parse(SPAN(page, len), serial, sizeof(serial));
	return serial;
}

static void test_vpd_serial_parse_reads_the_text_without_padding(void **state)
{
	assert_string_equal(serial_of("\0\x80\0\x08  AB12  ", 12), "AB12");
}

static void test_vpd_serial_parse_stops_at_its_length(void **state)
{
	assert_string_equal(serial_of("\0\x80\0\x02"
				      "ABCD",
				      8),
			    "AB");
}

static void test_vpd_serial_parse_length_past_the_end_is_cut(void **state)
{
	/* Not NUL-terminated: reading on is what the sanitizer would see. */
	static const char page[6] = { 0, '\x80', '\xff', '\xff', 'A', 'B' };

	assert_string_equal(serial_of(page, sizeof(page)), "AB");
}

static void test_vpd_serial_parse_other_or_short_page_is_empty(void **state)
{
	assert_string_equal(serial_of("\0\x83\0\x02"
				      "AB",
				      6),
			    "");
	assert_string_equal(serial_of("\0\x80\0", 3), "");
	assert_string_equal(serial_of("", 0), "");
}

static void test_transport_guess_tells_them_apart(void **state)
{
	static const struct {
		const char *kname, *path, *transport;
	} cases[] = {
		{ "loop3", "/sys/devices/virtual/block/loop3", "loop" },
		{ "dm-1", "/sys/devices/virtual/block/dm-1", "dm" },
		{ "md127", "/sys/devices/virtual/block/md127", "md" },
		{ "nvme0n1", "/sys/devices/pci0000:00/nvme/nvme0/nvme0n1", "nvme" },
		{ "vda", "/sys/devices/pci0000:00/virtio1/block/vda", "virtio" },
		{ "sda", "/sys/devices/pci0000:00/virtio2/host0/block/sda", "virtio" },
		{ "sdb", "/sys/devices/pci0000:00/ata1/host0/target0:0:0/block/sdb", "sata" },
		{ "sdc", "/sys/devices/pci0/host6/port-6:0/end_device-6:0/block/sdc", "sas" },
		{ "sdd", "/sys/devices/pci0/usb2/2-1/host7/block/sdd", "usb" },
		{ "sde", "/sys/devices/pci0/host1/rport-1:0-2/block/sde", "fc" },
		{ "sdf", "/sys/devices/platform/host9/session1/block/sdf", "iscsi" },
		{ "sdg", "/sys/devices/platform/host9/block/sdg", "scsi" },
		{ "mmcblk0", "/sys/devices/platform/mmc/block/mmcblk0", "mmc" },
		{ "weird", "/sys/devices/weird", "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(transport_guess(cases[i].kname, cases[i].path),
				    cases[i].transport);
}

static void test_map_kind_of_reads_the_prefix(void **state)
{
	assert_int_equal(map_kind_of("LVM-abc"), MAP_LVM);
	assert_int_equal(map_kind_of("CRYPT-LUKS2-1234-enc-x"), MAP_CRYPT);
	assert_int_equal(map_kind_of("mpath-3600"), MAP_MULTIPATH);
	assert_int_equal(map_kind_of("part2-mpath-3600"), MAP_PARTITION);
	assert_int_equal(map_kind_of("partition"), MAP_OTHER);
	assert_int_equal(map_kind_of(""), MAP_OTHER);
}

static void test_lvm_group_of_undoes_doubled_dashes(void **state)
{
	char group[32];

	lvm_group_of("vg0-lv", group, sizeof(group));
	assert_string_equal(group, "vg0");
	lvm_group_of("a--b--c-d--e", group, sizeof(group));
	assert_string_equal(group, "a-b-c");
	lvm_group_of("", group, sizeof(group));
	assert_string_equal(group, "");
	lvm_group_of("abcdef-x", group, 4);
	assert_string_equal(group, "abc");
}

/* Text and remedy of one holder. */
static void check_holder(const char *kname, const char *name, const char *uuid, const char *text,
			 const char *remedy)
{
	struct usage usage;

	usage_of_holder(kname, name, uuid, &usage);
	assert_string_equal(usage.text, text);
	assert_string_equal(usage.remedy, remedy);
}

static void test_usage_of_holder_names_each_kind(void **state)
{
	check_holder("dm-0", "vg0-lv", "LVM-x", "LVM (vg0)", "vgchange --activate n vg0");
	check_holder("dm-0", "enc-a", "CRYPT-LUKS2-x", "open as enc-a", "coffer disk close enc-a");
	check_holder("dm-0", "mpatha", "mpath-36", "multipath leg of mpatha",
		     "name the map instead: /dev/mapper/mpatha");
	check_holder("dm-0", "mpatha-part1", "part1-mpath-36", "partition mapping mpatha-part1",
		     "dmsetup remove mpatha-part1");
	check_holder("dm-0", "x", "", "device-mapper (x)", "dmsetup table x, to see what it is");
	check_holder("md0", "", "", "md0", "mdadm --stop /dev/md0");
	check_holder("loop7", "", "", "behind loop7", "losetup --detach /dev/loop7");
	check_holder("bcache0", "", "", "bcache0", "");
}

static void test_name_list_sort_puts_2_before_10(void **state)
{
	_cleanup_(name_list_freep) char **list = NULL;

	assert_ok(name_list_new(&list, NULL));
	assert_ok(name_list_add(&list, "sdb10", NULL));
	assert_ok(name_list_add(&list, "sdb2", NULL));
	name_list_sort(list);
	assert_string_equal(list[0], "sdb2");
	assert_string_equal(list[1], "sdb10");
	assert_null(list[2]);
	assert_int_equal(name_list_count(list), 2);
}

static void test_bytes_are_blank_zeroes_and_ones_are(void **state)
{
	uint8_t bytes[4096] = { 0 };

	assert_true(bytes_are_blank(bytes, sizeof(bytes)));
	memset(bytes, 0xff, sizeof(bytes));
	assert_true(bytes_are_blank(bytes, sizeof(bytes)));
	assert_true(bytes_are_blank(bytes, 1));
	assert_true(bytes_are_blank(bytes, 0));
}

static void test_bytes_are_blank_one_other_byte_anywhere_is_not(void **state)
{
	for (size_t at = 0; at < 4096; at += 455) {
		uint8_t bytes[4096] = { 0 };

		bytes[at] = 1;
		assert_false(bytes_are_blank(bytes, sizeof(bytes)));
	}
}

static void test_bytes_are_blank_half_zeroes_half_ones_are_not(void **state)
{
	uint8_t bytes[64] = { 0 };

	memset(bytes, 0xff, 32);
	assert_false(bytes_are_blank(bytes, sizeof(bytes)));
	memset(bytes, 0xaa, sizeof(bytes));
	assert_false(bytes_are_blank(bytes, sizeof(bytes)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_tidy_takes_blanks_at_the_ends_and_runs),
		cmocka_unit_test(test_text_tidy_replaces_what_a_terminal_would_obey),
		cmocka_unit_test(test_vpd_serial_parse_reads_the_text_without_padding),
		cmocka_unit_test(test_vpd_serial_parse_stops_at_its_length),
		cmocka_unit_test(test_vpd_serial_parse_length_past_the_end_is_cut),
		cmocka_unit_test(test_vpd_serial_parse_other_or_short_page_is_empty),
		cmocka_unit_test(test_transport_guess_tells_them_apart),
		cmocka_unit_test(test_map_kind_of_reads_the_prefix),
		cmocka_unit_test(test_lvm_group_of_undoes_doubled_dashes),
		cmocka_unit_test(test_usage_of_holder_names_each_kind),
		cmocka_unit_test(test_name_list_sort_puts_2_before_10),
		cmocka_unit_test(test_bytes_are_blank_zeroes_and_ones_are),
		cmocka_unit_test(test_bytes_are_blank_one_other_byte_anywhere_is_not),
		cmocka_unit_test(test_bytes_are_blank_half_zeroes_half_ones_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
