/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <stdio.h>

#include "file.h"
#include "paths.h"

static char root[64];

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(root, sizeof(root), "/tmp/coffer-paths-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[96];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", root);
	return system(command);
}

/* Writes ROOT/conf and returns its path. */
static const char *config(const char *text)
{
	static char path[80];

	(void)snprintf(path, sizeof(path), "%s/conf", root);
	assert_ok(file_replace(path, span_of_text(text), 0600, NULL));
	return path;
}

static void test_defaults_are_the_systems_places(void **state)
{
	_cleanup_(paths_freep) struct paths *paths = NULL;

	(void)state;
	assert_ok(paths_new(NULL, NULL, config(""), &paths, NULL));
	assert_string_equal(paths->vault_dir, "/var/lib/coffer");
	assert_true(paths->vault_is_default);
	assert_string_equal(paths->agent_socket, "/run/coffer/agent.sock");
	assert_string_equal(paths->crypttab, "/etc/crypttab");
	assert_int_equal(paths->agent_limit_seconds, 8 * 3600);
}

static void test_root_is_a_prefix(void **state)
{
	_cleanup_(paths_freep) struct paths *paths = NULL;
	char expected[128];

	(void)state;
	assert_ok(paths_new(root, NULL, NULL, &paths, NULL));
	(void)snprintf(expected, sizeof(expected), "%s/etc/crypttab", root);
	assert_string_equal(paths->crypttab, expected);
	(void)snprintf(expected, sizeof(expected), "%s/var/lib/coffer", root);
	assert_string_equal(paths->vault_dir, expected);
	assert_true(paths->vault_is_default);
}

static void test_other_vaults_have_sockets_of_their_own(void **state)
{
	_cleanup_(paths_freep) struct paths *a = NULL;
	_cleanup_(paths_freep) struct paths *b = NULL;
	_cleanup_(paths_freep) struct paths *again = NULL;

	(void)state;
	assert_ok(paths_new(NULL, "/srv//a/./", config(""), &a, NULL));
	assert_ok(paths_new(NULL, "/srv/b", config(""), &b, NULL));
	assert_ok(paths_new(NULL, "/srv/a", config(""), &again, NULL));
	assert_string_equal(a->vault_dir, "/srv/a");
	assert_false(a->vault_is_default);
	assert_string_not_equal(a->agent_socket, b->agent_socket);
	assert_string_equal(a->agent_socket, again->agent_socket);
	assert_string_equal(a->engine_dir, b->engine_dir);
}

static void test_config_sets_mirrors_and_limit(void **state)
{
	_cleanup_(paths_freep) struct paths *paths = NULL;

	(void)state;
	assert_ok(paths_new(
		NULL, NULL,
		config("# comment\nmirror = /mnt/usb\nmirror=/mnt/nfs\nmirror = /mnt//usb/\n"
		       "agent-limit = forever\n"),
		&paths, NULL));
	assert_string_equal(paths->mirrors[0], "/mnt/usb");
	assert_string_equal(paths->mirrors[1], "/mnt/nfs");
	assert_null(paths->mirrors[2]);
	assert_true(paths->agent_limit_seconds == UINT64_MAX);
}

static void test_config_mistakes_are_named_with_their_line(void **state)
{
	static const struct {
		const char *text;
		const char *told;
		const char *remedy;
	} cases[] = {
		{ "mirror = /a\nmiror = /b\n", "line 2: miror is not a setting", "mirror" },
		{ "color = red\n", "line 1: color is not a setting",
		  "mirror, agent-limit, unattended-limit or tpm2-device" },
		{ "\n\nagent-limit = soon\n",
		  "line 3: agent-limit, \"soon\", is not a duration such as 90s, 15m, 8h, 30d or "
		  "forever",
		  "" },
		{ "mirror = relative\n", "line 1: mirror, \"relative\", is not an absolute path",
		  "" },
		{ "nonsense\n", "line 1 is not \"name = value\"", "" },
		{ "nonsense\nmiror = /b\n", "line 1 is not \"name = value\"", "" },
		{ "miror = /b\nnonsense\nmirror = c\n", "line 1: miror is not a setting",
		  "mirror" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct paths *paths = NULL;
		struct cof_error err = { 0 };
		const char *file = config(cases[i].text);

		assert_fails(paths_new(NULL, NULL, file, &paths, &err), COF_E_FORMAT);
		assert_string_equal(err.subject, file);
		assert_string_equal(err.text, cases[i].told);
		assert_string_equal(err.remedy, cases[i].remedy);
	}
}

static void test_config_that_was_named_must_exist(void **state)
{
	struct paths *paths = NULL;

	(void)state;
	assert_fails(paths_new(NULL, NULL, "/nonexistent/coffer.conf", &paths, NULL), COF_E_NOENT);
}

static void test_config_that_is_a_folder_cannot_be_read(void **state)
{
	struct paths *paths = NULL;
	struct cof_error err = { 0 };

	(void)state;
	assert_fails(paths_new(NULL, NULL, root, &paths, &err), COF_E_IO);
	assert_string_equal(err.subject, root);
}

#define PATHS_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PATHS_TEST(test_defaults_are_the_systems_places),
		PATHS_TEST(test_root_is_a_prefix),
		PATHS_TEST(test_other_vaults_have_sockets_of_their_own),
		PATHS_TEST(test_config_sets_mirrors_and_limit),
		PATHS_TEST(test_config_mistakes_are_named_with_their_line),
		PATHS_TEST(test_config_that_was_named_must_exist),
		PATHS_TEST(test_config_that_is_a_folder_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
