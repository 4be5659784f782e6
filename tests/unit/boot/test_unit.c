/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <stdio.h>

#include "boot_unit.h"

static void test_mount_unit_is_as_systemd_escapes_it(void **state)
{
	static const char *const pairs[][2] = {
		{ "/srv/data", "srv-data.mount" },
		{ "/srv/my-data", "srv-my\\x2ddata.mount" },
		{ "/srv/a b", "srv-a\\x20b.mount" },
		{ "/.hidden/.x", "\\x2ehidden-.x.mount" },
		{ "/caf\xc3\xa9", "caf\\xc3\\xa9.mount" },
	};
	char unit[BOOT_UNIT_MAX_CHARS + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		assert_true(boot_mount_unit(pairs[i][0], unit));
		assert_string_equal(unit, pairs[i][1]);
	}
}

static void test_mount_unit_refuses_what_no_unit_is_called(void **state)
{
	char unit[BOOT_UNIT_MAX_CHARS + 1];
	char path[300];

	(void)state;
	(void)snprintf(path, sizeof(path), "/%0254d", 0);
	assert_false(boot_mount_unit(path, unit));
}

static void test_unit_name_adds_service(void **state)
{
	char unit[BOOT_UNIT_MAX_CHARS + 1];

	(void)state;
	assert_ok(boot_unit_name("mysql", unit, NULL));
	assert_string_equal(unit, "mysql.service");
	assert_ok(boot_unit_name("a.b@c", unit, NULL));
	assert_string_equal(unit, "a.b@c.service");
	assert_ok(boot_unit_name("x.timer", unit, NULL));
	assert_string_equal(unit, "x.timer");
}

static void test_unit_name_refuses_what_cannot_wait(void **state)
{
	char unit[BOOT_UNIT_MAX_CHARS + 1];

	(void)state;
	assert_fails(boot_unit_name("multi-user.target", unit, NULL), COF_E_USAGE);
	assert_fails(boot_unit_name("srv.mount", unit, NULL), COF_E_USAGE);
	assert_fails(boot_unit_name("a@.service", unit, NULL), COF_E_USAGE);
	assert_fails(boot_unit_name("a b", unit, NULL), COF_E_USAGE);
	assert_fails(boot_unit_name("", unit, NULL), COF_E_USAGE);
}

static void test_refusal_knows_what_the_machine_needs(void **state)
{
	(void)state;
	assert_non_null(boot_refusal("ssh.service"));
	assert_non_null(boot_refusal("sshd@1.service"));
	assert_non_null(boot_refusal("dbus.socket"));
	assert_non_null(boot_refusal("systemd-networkd.service"));
	assert_non_null(boot_refusal("coffer-keys.socket"));
	assert_null(boot_refusal("mysql.service"));
	assert_null(boot_refusal("sshguard.service"));
	assert_null(boot_refusal("getmail.timer"));
}

/* A drop-in has each of the lines; one that begins with ! it has not. */
static void check_drop_in(const char *unit, char *const mounts[], const char *const lines[])
{
	_cleanup_buffer_ struct buffer text = { 0 };

	assert_ok(boot_drop_in(unit, "db.service", mounts, &text, NULL));
	assert_ok(buffer_add_u8(&text, '\0', NULL));
	for (size_t i = 0; lines[i]; i++) {
		bool wanted = lines[i][0] != '!';
		bool there = strstr((const char *)text.data, lines[i] + !wanted) != NULL;

		if (wanted != there)
			fail_msg("%s: %s", lines[i], (const char *)text.data);
	}
}

static char percent[] = "/srv/100%";
static char data[] = "/srv/data";
static char *mounts_two[] = { data, percent, NULL };
static char *mounts_none[] = { NULL };

static void test_drop_in_of_a_service(void **state)
{
	(void)state;
	check_drop_in(
		"db.service", mounts_two,
		(const char *const[]){ "coffer boot remove db.service",
				       "\nAfter=coffer.target srv-data.mount srv-100\\x25.mount\n",
				       "\nStopPropagatedFrom=coffer.target srv-data.mount "
				       "srv-100\\x25.mount\n",
				       "\nConditionPathIsMountPoint=/srv/data\n",
				       "\nConditionPathIsMountPoint=/srv/100%%\n",
				       "!DefaultDependencies", NULL });
}

static void test_drop_in_of_a_socket_does_not_hold_up_the_boot(void **state)
{
	(void)state;
	check_drop_in("db.socket", mounts_two,
		      (const char *const[]){ "\nDefaultDependencies=no\n",
					     "\nAfter=sysinit.target\n",
					     "\nConditionPathIsMountPoint=/srv/data\n", NULL });
}

static void test_drop_in_without_mounts_never_starts(void **state)
{
	(void)state;
	check_drop_in("db.service", mounts_none,
		      (const char *const[]){ "\nConditionPathExists=/run/coffer/", "!IsMountPoint",
					     NULL });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mount_unit_is_as_systemd_escapes_it),
		cmocka_unit_test(test_mount_unit_refuses_what_no_unit_is_called),
		cmocka_unit_test(test_unit_name_adds_service),
		cmocka_unit_test(test_unit_name_refuses_what_cannot_wait),
		cmocka_unit_test(test_refusal_knows_what_the_machine_needs),
		cmocka_unit_test(test_drop_in_of_a_service),
		cmocka_unit_test(test_drop_in_of_a_socket_does_not_hold_up_the_boot),
		cmocka_unit_test(test_drop_in_without_mounts_never_starts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
