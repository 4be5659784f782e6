/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "device.h"
#include "name_list.h"

#define ID "/dev/disk/by-id/"

/* The link that is chosen from these; static, NULL for none. */
static const char *chosen(const char *const links[])
{
	static char copy[128];
	_cleanup_(name_list_freep) char **list = NULL;
	const char *link;

	assert_ok(name_list_new(&list, NULL));
	for (size_t i = 0; links[i]; i++)
		assert_ok(name_list_add(&list, links[i], NULL));
	stable_name_choose(list, &link);
	(void)snprintf(copy, sizeof(copy), "%s", link ? link : "");
	return link ? copy : NULL;
}
#define CHOSEN(...) chosen((const char *const[]){ __VA_ARGS__, NULL })

static void test_stable_name_no_links_chooses_none(void **state)
{
	assert_null(chosen((const char *const[]){ NULL }));
}

static void test_stable_name_every_rank_is_before_the_next(void **state)
{
	/* The order of the interface, best first. */
	static const char *const order[] = {
		ID "dm-uuid-mpath-3600a", ID "scsi-3600a",    ID "wwn-0x600a",
		ID "nvme-eui.0025",	  ID "nvme-MODEL_S1", ID "ata-MODEL_S1",
		ID "virtio-disk1",	  ID "usb-MODEL_S1",  "/dev/disk/by-path/pci-0000:00:04.0",
	};

	for (size_t i = 0; i + 1 < sizeof(order) / sizeof(order[0]); i++) {
		assert_string_equal(CHOSEN(order[i], order[i + 1]), order[i]);
		assert_string_equal(CHOSEN(order[i + 1], order[i]), order[i]);
	}
	assert_string_equal(CHOSEN(ID "nvme-MODEL_S1", ID "nvme-nguid.00"), ID "nvme-nguid.00");
}

static void test_stable_name_equals_choose_the_first_in_byte_order(void **state)
{
	assert_string_equal(CHOSEN(ID "ata-B", ID "ata-A"), ID "ata-A");
	assert_string_equal(CHOSEN(ID "ata-A", ID "ata-B"), ID "ata-A");
}

static void test_stable_name_partition_keeps_its_suffix(void **state)
{
	assert_string_equal(CHOSEN(ID "ata-M_S-part2", ID "wwn-0x5-part2"), ID "wwn-0x5-part2");
}

static void test_stable_name_links_that_move_with_the_data_are_left_out(void **state)
{
	assert_null(CHOSEN(ID "lvm-pv-uuid-abc", ID "dm-name-vg-lv", ID "dm-uuid-part1-LVM-x",
			   "/dev/disk/by-uuid/1234", "/dev/disk/by-label/ata-x"));
}

static void test_stable_name_multipath_partition_is_chosen(void **state)
{
	assert_string_equal(CHOSEN(ID "wwn-0x6-part1", ID "dm-uuid-part1-mpath-36"),
			    ID "dm-uuid-part1-mpath-36");
}

/* The name made of @base; static. */
static const char *made(const char *base, const char *digest)
{
	static char copy[256];
	_cleanup_free_ char *name = NULL;

	assert_ok(volume_name_make(base, digest, &name, NULL));
	(void)snprintf(copy, sizeof(copy), "%s", name);
	return copy;
}

static void test_volume_name_make_puts_the_prefix_before(void **state)
{
	assert_string_equal(made("scsi-3600a", NULL), "enc-scsi-3600a");
}

static void test_volume_name_make_replaces_characters_not_allowed(void **state)
{
	assert_string_equal(made("a b/c\\d\xc3\xa4~#+-.:=@_", NULL), "enc-a_b_c_d___#+-.:=@_");
}

static void test_volume_name_make_longest_name_is_whole(void **state)
{
	char base[VOLUME_NAME_MAX_CHARS - 4 + 1];

	memset(base, 'x', sizeof(base) - 1);
	base[sizeof(base) - 1] = '\0';
	assert_int_equal(strlen(made(base, NULL)), VOLUME_NAME_MAX_CHARS);
	assert_string_equal(made(base, NULL) + 4, base);
}

static void test_volume_name_make_too_long_is_cut_and_ends_in_the_digest(void **state)
{
	char base[VOLUME_NAME_MAX_CHARS + 1];
	const char *name;

	memset(base, 'x', sizeof(base) - 1);
	base[sizeof(base) - 1] = '\0';
	name = made(base, "0123456789abcdef");
	assert_int_equal(strlen(name), VOLUME_NAME_MAX_CHARS);
	assert_string_equal(name + VOLUME_NAME_MAX_CHARS - 9, "-01234567");
}

static void test_volume_name_make_too_long_without_digest_is_refused(void **state)
{
	char base[VOLUME_NAME_MAX_CHARS + 1];
	char *name = NULL;

	memset(base, 'x', sizeof(base) - 1);
	base[sizeof(base) - 1] = '\0';
	assert_fails(volume_name_make(base, NULL, &name, NULL), COF_E_USAGE);
	assert_fails(volume_name_make(base, "0123", &name, NULL), COF_E_USAGE);
	assert_null(name);
}

static void test_volume_name_make_empty_base_is_refused(void **state)
{
	char *name = NULL;

	assert_fails(volume_name_make("", NULL, &name, NULL), COF_E_USAGE);
}

static void test_volume_name_check_good_names_pass(void **state)
{
	assert_ok(volume_name_check("enc-wwn-0x5000c500a1b2c3d4", NULL));
	assert_ok(volume_name_check("A9#+-.:=@_", NULL));
}

static void test_volume_name_check_refuses_empty(void **state)
{
	assert_fails(volume_name_check("", NULL), COF_E_USAGE);
}

static void test_volume_name_check_refuses_79_characters(void **state)
{
	char name[VOLUME_NAME_MAX_CHARS + 2];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_fails(volume_name_check(name, NULL), COF_E_USAGE);
	assert_ok(volume_name_check(name + 1, NULL));
}

static void test_volume_name_check_refuses_other_characters_and_says_where(void **state)
{
	struct cof_error error = { 0 };

	assert_fails(volume_name_check("ab/c", &error), COF_E_USAGE);
	assert_non_null(strstr(error.text, "place 3"));
	assert_fails(volume_name_check("a b", NULL), COF_E_USAGE);
	assert_fails(volume_name_check("a\xc3\xa4", NULL), COF_E_USAGE);
}

static void test_volume_name_check_refuses_first_characters_with_a_meaning(void **state)
{
	assert_fails(volume_name_check("#a", NULL), COF_E_USAGE);
	assert_fails(volume_name_check("-a", NULL), COF_E_USAGE);
}

static void test_volume_name_check_refuses_names_with_a_meaning(void **state)
{
	assert_fails(volume_name_check(".", NULL), COF_E_USAGE);
	assert_fails(volume_name_check("..", NULL), COF_E_USAGE);
	assert_fails(volume_name_check("control", NULL), COF_E_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stable_name_no_links_chooses_none),
		cmocka_unit_test(test_stable_name_every_rank_is_before_the_next),
		cmocka_unit_test(test_stable_name_equals_choose_the_first_in_byte_order),
		cmocka_unit_test(test_stable_name_partition_keeps_its_suffix),
		cmocka_unit_test(test_stable_name_links_that_move_with_the_data_are_left_out),
		cmocka_unit_test(test_stable_name_multipath_partition_is_chosen),
		cmocka_unit_test(test_volume_name_make_puts_the_prefix_before),
		cmocka_unit_test(test_volume_name_make_replaces_characters_not_allowed),
		cmocka_unit_test(test_volume_name_make_longest_name_is_whole),
		cmocka_unit_test(test_volume_name_make_too_long_is_cut_and_ends_in_the_digest),
		cmocka_unit_test(test_volume_name_make_too_long_without_digest_is_refused),
		cmocka_unit_test(test_volume_name_make_empty_base_is_refused),
		cmocka_unit_test(test_volume_name_check_good_names_pass),
		cmocka_unit_test(test_volume_name_check_refuses_empty),
		cmocka_unit_test(test_volume_name_check_refuses_79_characters),
		cmocka_unit_test(test_volume_name_check_refuses_other_characters_and_says_where),
		cmocka_unit_test(test_volume_name_check_refuses_first_characters_with_a_meaning),
		cmocka_unit_test(test_volume_name_check_refuses_names_with_a_meaning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
