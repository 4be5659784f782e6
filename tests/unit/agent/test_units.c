/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * systemd's side of the key server: what its generator makes of crypttab lines that name the
 * socket, and how closed the sandboxes of our units are.
 */

#include <stdio.h>

#include "child.h"
#include "file.h"
#include "rig.h"

#define GENERATOR    "/usr/lib/systemd/system-generators/systemd-cryptsetup-generator"
#define ANALYZE	     "/usr/bin/systemd-analyze"
#define EXPOSURE_MAX "15" /* tenths: 1.5 of 10, which systemd calls OK */
#define LINE	     "enc-test /dev/disk/by-id/scsi-x /run/coffer/keys.sock luks,headless\n"
#define UNIT	     "systemd-cryptsetup@enc\\x2dtest.service"

/* Has systemd's generator read @line, and hands over the unit it makes. */
static void generate(const struct rig *rig, const char *line, struct buffer *ret_unit)
{
	_cleanup_free_ char *table = NULL;
	_cleanup_free_ char *out = NULL;
	_cleanup_free_ char *unit = NULL;
	const char *argv[] = { GENERATOR, NULL, NULL, NULL, NULL };

	assert_ok(path_format(&table, NULL, "%s/crypttab", rig->folder));
	assert_ok(path_format(&out, NULL, "%s/units", rig->folder));
	assert_ok(path_format(&unit, NULL, "%s/" UNIT, out));
	assert_ok(file_create(table, span_of_text(line), 0600, NULL));
	assert_ok(folder_make(out, 0700, NULL));
	argv[1] = argv[2] = argv[3] = out;
	assert_int_equal(setenv("SYSTEMD_CRYPTTAB", table, 1), 0);
	assert_ok(child_check(argv, 10000, NULL));
	assert_ok(file_read(unit, 1u << 16, ret_unit, NULL));
}

static void skip_without(const char *program)
{
	if (!path_exists(program)) {
		print_message("skip: %s is not installed\n", program);
		skip();
	}
}

static bool has_line(const struct buffer *unit, const char *line)
{
	return strstr((const char *)unit->data, line) != NULL;
}

static void test_units_of_crypttab_start_after_the_key_servers_socket(void **state)
{
	_cleanup_buffer_ struct buffer unit = { 0 };
	_cleanup_buffer_ struct buffer socket_unit = { 0 };

	skip_without(GENERATOR);
	generate(*state, LINE, &unit);
	assert_ok(file_read(UNIT_FOLDER "/coffer-keys.socket", 1u << 16, &socket_unit, NULL));
	assert_true(has_line(&unit, "\nAfter=cryptsetup-pre.target"));
	assert_true(has_line(&socket_unit, " cryptsetup-pre.target "));
	assert_true(has_line(&socket_unit, "\nDefaultDependencies=no\n"));
}

static void test_units_of_crypttab_wait_without_a_limit(void **state)
{
	_cleanup_buffer_ struct buffer unit = { 0 };

	skip_without(GENERATOR);
	generate(*state, LINE, &unit);
	assert_true(has_line(&unit, "\nTimeoutSec=0\n"));
}

static void test_units_of_crypttab_pass_the_socket_as_key_file(void **state)
{
	_cleanup_buffer_ struct buffer unit = { 0 };

	skip_without(GENERATOR);
	generate(*state, LINE, &unit);
	assert_true(has_line(&unit, " attach 'enc-test' '/dev/disk/by-id/scsi-x' "
				    "'/run/coffer/keys.sock' 'luks,headless'\n"));
}

/* How open systemd finds the sandbox of a unit of ours. */
static void check_exposure(const char *unit)
{
	const char *const argv[] = {
		ANALYZE, "security", "--offline=yes", "--threshold=" EXPOSURE_MAX, unit, NULL
	};

	skip_without(ANALYZE);
	assert_ok(child_check(argv, 10000, NULL));
}

static void test_units_agent_is_closed(void **state)
{
	(void)state;
	check_exposure(UNIT_FOLDER "/coffer-agent.service");
}

static void test_units_key_server_is_closed(void **state)
{
	(void)state;
	check_exposure(UNIT_FOLDER "/coffer-keys.service");
}

static int all_tests(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_units_of_crypttab_start_after_the_key_servers_socket),
		TEST(test_units_of_crypttab_wait_without_a_limit),
		TEST(test_units_of_crypttab_pass_the_socket_as_key_file),
		cmocka_unit_test(test_units_agent_is_closed),
		cmocka_unit_test(test_units_key_server_is_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char *argv[])
{
	return rig_main(argc, argv, all_tests);
}
