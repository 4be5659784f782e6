/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include "boot_tables.h"
#include "name_list.h"

#define CRYPTTAB                                                                                   \
	"enc-a UUID=1 /run/coffer/keys.sock luks,nofail\n"                                         \
	"enc-b UUID=2 /run/coffer/keys.sock luks\n"                                                \
	"other UUID=3 none luks\n"                                                                 \
	"mine UUID=4 /run/coffer/0123456789abcdef/keys.sock luks\n"
#define FSTAB                                                                                      \
	"# mounts\n"                                                                               \
	"UUID=9 / ext4 defaults 0 1\n"                                                             \
	"/dev/mapper/enc-a /srv/a/deep ext4 noauto 0 2\n"                                          \
	"/dev/mapper/other /other ext4 nofail 0 2\n"                                               \
	"/dev/coffer/enc-b /srv/a/ xfs x-systemd.nofailing\n"                                      \
	"/dev/mapper/enc-a none swap sw 0 0\n"                                                     \
	"/srv/a/deep/sub /var/lib/db none bind,nofail 0 0\n"

static cof_result read_tables(const char *keys_socket, struct boot_tables *tables)
{
	return boot_tables_read(span_of_text(CRYPTTAB), span_of_text(FSTAB), keys_socket, tables,
				NULL);
}

static void test_read_finds_the_vaults_volumes(void **state)
{
	_cleanup_(boot_tables_done) struct boot_tables any = { 0 };
	_cleanup_(boot_tables_done) struct boot_tables one = { 0 };

	(void)state;
	assert_ok(read_tables(NULL, &any));
	assert_int_equal(any.volume_count, 3);
	assert_ok(read_tables("/run/coffer/keys.sock", &one));
	assert_int_equal(one.volume_count, 2);
	assert_string_equal(one.volumes[0].name, "enc-a");
	assert_string_equal(one.volumes[1].source, "UUID=2");
}

static void test_read_puts_outer_mounts_first(void **state)
{
	_cleanup_(boot_tables_done) struct boot_tables tables = { 0 };

	(void)state;
	assert_ok(read_tables(NULL, &tables));
	assert_int_equal(tables.mount_count, 4);
	assert_string_equal(tables.mounts[0].path, "/srv/a");
	assert_string_equal(tables.mounts[0].volume, "enc-b");
	assert_string_equal(tables.mounts[0].type, "xfs");
	assert_false(tables.mounts[0].checked);
	assert_false(tables.mounts[0].held);
	assert_string_equal(tables.mounts[1].path, "/srv/a/deep");
	assert_true(tables.mounts[1].checked);
	assert_true(tables.mounts[1].held);
	assert_string_equal(tables.mounts[2].path, "/other");
	assert_string_equal(tables.mounts[2].volume, "");
}

static void test_below_takes_whole_folders(void **state)
{
	(void)state;
	assert_true(boot_is_below("/srv/a/b", "/srv/a"));
	assert_true(boot_is_below("/srv", "/"));
	assert_false(boot_is_below("/srv/ab", "/srv/a"));
	assert_false(boot_is_below("/srv/a", "/srv/a"));
	assert_false(boot_is_below("/srv", "/srv/a"));
}

/* A list of one line waits for these mount points, with blanks between them. */
static void check_waits(const char *line, const char *expected)
{
	_cleanup_(boot_tables_done) struct boot_tables tables = { 0 };
	_cleanup_(boot_list_done) struct boot_list list = { 0 };
	_cleanup_(name_list_freep) char **mounts = NULL;
	char found[256] = "";

	assert_ok(read_tables(NULL, &tables));
	assert_ok(boot_list_parse(span_of_text(line), "f", NULL, NULL, &list, NULL));
	assert_ok(boot_wait_mounts(&list.waits[0], &tables, &mounts, NULL));
	for (size_t i = 0; mounts[i]; i++) {
		(void)strcat(found, i ? " " : "");
		(void)strcat(found, mounts[i]);
	}
	assert_string_equal(found, expected);
}

static void test_wait_without_mounts_is_for_all_of_the_vault(void **state)
{
	(void)state;
	check_waits("wait a.service", "/srv/a /srv/a/deep");
	check_waits("wait a.service for /other /gone", "/other /gone");
}

static void test_all_mounts_are_in_the_order_of_mounting(void **state)
{
	_cleanup_(boot_tables_done) struct boot_tables tables = { 0 };
	_cleanup_(boot_list_done) struct boot_list list = { 0 };
	_cleanup_(name_list_freep) char **mounts = NULL;

	(void)state;
	assert_ok(read_tables(NULL, &tables));
	assert_ok(boot_list_parse(span_of_text("wait a.service for /gone /var/lib/db"), "f", NULL,
				  NULL, &list, NULL));
	assert_ok(boot_all_mounts(&list, &tables, &mounts, NULL));
	assert_string_equal(mounts[0], "/srv/a");
	assert_string_equal(mounts[1], "/srv/a/deep");
	assert_string_equal(mounts[2], "/var/lib/db");
	assert_string_equal(mounts[3], "/gone");
	assert_null(mounts[4]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_finds_the_vaults_volumes),
		cmocka_unit_test(test_read_puts_outer_mounts_first),
		cmocka_unit_test(test_below_takes_whole_folders),
		cmocka_unit_test(test_wait_without_mounts_is_for_all_of_the_vault),
		cmocka_unit_test(test_all_mounts_are_in_the_order_of_mounting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
