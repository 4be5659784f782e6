/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What `coffer status` shows for given facts.
 */

#include "unit.h"

#include <stdio.h>

#include "status_view.h"

static const struct vault_slot passphrase = { .number = 0, .method = "passphrase" };
static const struct vault_slot recovery = { .number = 1, .method = "recovery" };
static const struct vault_slot tpm = { .number = 2, .method = "tpm2", .unattended = true };

static const struct vault_mirror current = { .folder = "/mnt/usb", .state = MIRROR_CURRENT };

/* How many warnings these facts give. */
static size_t warnings_of(const struct status_facts *facts)
{
	_cleanup_(finding_list_done) struct finding_list list = { 0 };

	assert_ok(status_findings(facts, &list, NULL));
	for (size_t i = 0; i < list.count; i++)
		assert_true(list.items[i].error.text[0] != '\0');
	return list.count;
}

/* The first of them as a line; returns @out. */
static char *first_warning(const struct status_facts *facts, char out[static FINDING_TEXT_CHARS])
{
	_cleanup_(finding_list_done) struct finding_list list = { 0 };

	assert_ok(status_findings(facts, &list, NULL));
	assert_true(list.count > 0);
	return finding_text(&list.items[0], out);
}

/* The screen for these facts, to be freed. */
static char *screen_of(const struct status_facts *facts)
{
	_cleanup_(finding_list_done) struct finding_list list = { 0 };
	struct status_facts all = *facts;
	char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);

	assert_non_null(file);
	assert_ok(status_findings(facts, &list, NULL));
	all.findings = &list;
	status_print(&all, file);
	assert_int_equal(fclose(file), 0);
	return text;
}

static void test_warnings_vault_with_recovery_has_none(void **state)
{
	const struct vault_slot slots[] = { passphrase, recovery };
	struct status_facts facts = { .state = STATUS_LOCKED,
				      .slots = slots,
				      .slot_count = 2,
				      .mirrors = &current,
				      .mirror_count = 1 };

	assert_int_equal(warnings_of(&facts), 0);
}

/* Whether the screen has a text. */
static bool shows(const struct status_facts *facts, const char *text)
{
	char *screen = screen_of(facts);
	bool found = strstr(screen, text) != NULL;

	free(screen);
	return found;
}

static void test_warnings_header_that_is_not_its_copy_is_named(void **state)
{
	const struct vault_slot slots[] = { passphrase, recovery };
	struct status_facts facts = { .state = STATUS_LOCKED,
				      .slots = slots,
				      .slot_count = 2,
				      .mirrors = &current,
				      .mirror_count = 1 };

	facts.header = VAULT_HEADER_OLDER;
	assert_int_equal(warnings_of(&facts), 1);
	assert_true(shows(&facts, "coffer backup restore --header-only"));
	facts.header = VAULT_HEADER_DAMAGED;
	assert_true(shows(&facts, "damaged"));
	facts.header = VAULT_HEADER_CHANGED;
	assert_int_equal(warnings_of(&facts), 1);
	assert_true(shows(&facts, "another tool"));
}

static void test_print_check_is_shown_when_it_was_made(void **state)
{
	struct status_facts facts = { .state = STATUS_LOCKED, .records = 7 };

	assert_false(shows(&facts, "records checked"));
	facts.checked = true;
	assert_true(shows(&facts, "7 records checked, all open"));
}

static void test_warnings_no_mirror_is_named(void **state)
{
	const struct vault_slot slots[] = { passphrase, recovery };
	struct status_facts facts = { .state = STATUS_LOCKED, .slots = slots, .slot_count = 2 };

	assert_int_equal(warnings_of(&facts), 1);
}

static void test_warnings_absent_vault_has_none(void **state)
{
	struct status_facts facts = { .state = STATUS_ABSENT };

	assert_int_equal(warnings_of(&facts), 0);
}

static void test_warnings_no_recovery_is_named(void **state)
{
	struct status_facts facts = { .state = STATUS_LOCKED,
				      .slots = &passphrase,
				      .slot_count = 1,
				      .mirrors = &current,
				      .mirror_count = 1 };

	assert_int_equal(warnings_of(&facts), 1);
}

static void test_warnings_only_unattended_is_named(void **state)
{
	const struct vault_slot slots[] = { tpm, tpm };
	struct status_facts facts = { .state = STATUS_LOCKED,
				      .slots = slots,
				      .slot_count = 2,
				      .mirrors = &current,
				      .mirror_count = 1 };

	/* That, and the missing recovery key. */
	assert_int_equal(warnings_of(&facts), 2);
}

static void test_warnings_mirror_that_failed_has_failed(void **state)
{
	const struct vault_slot slots[] = { passphrase, recovery };
	const struct vault_mirror mirrors[] = {
		{ .folder = "/b", .state = MIRROR_FAILED, .reason = "no room" },
	};
	struct status_facts facts = { .state = STATUS_LOCKED,
				      .slots = slots,
				      .slot_count = 2,
				      .mirrors = mirrors,
				      .mirror_count = 1 };
	char text[FINDING_TEXT_CHARS];

	assert_string_equal(first_warning(&facts, text), "the mirror /b has failed: no room");
}

static void test_warnings_mirror_on_the_vaults_file_system_is_named(void **state)
{
	const struct vault_slot slots[] = { passphrase, recovery };
	const struct vault_mirror mirrors[] = {
		{ .folder = "/b", .state = MIRROR_CURRENT, .with_vault = true },
	};
	struct status_facts facts = { .state = STATUS_LOCKED,
				      .slots = slots,
				      .slot_count = 2,
				      .mirrors = mirrors,
				      .mirror_count = 1 };
	char text[FINDING_TEXT_CHARS];

	assert_non_null(strstr(first_warning(&facts, text),
			       "the mirror /b is on the same file system as the vault"));
}

static void test_warnings_mirror_away_is_named(void **state)
{
	const struct vault_slot slots[] = { passphrase, recovery };
	const struct vault_mirror mirrors[] = {
		{ .folder = "/a", .state = MIRROR_CURRENT },
		{ .folder = "/b", .state = MIRROR_AWAY, .reason = "not mounted" },
	};
	struct status_facts facts = { .state = STATUS_LOCKED,
				      .slots = slots,
				      .slot_count = 2,
				      .mirrors = mirrors,
				      .mirror_count = 2 };

	assert_int_equal(warnings_of(&facts), 1);
}

static void test_json_absent_vault_has_state_and_folder(void **state)
{
	struct status_facts facts = { .state = STATUS_ABSENT, .folder = "/v" };
	_cleanup_json_ struct json *json = status_json(&facts);
	const struct json *vault = json_get(json, "vault");

	assert_string_equal(json_get_text(vault, "state"), "absent");
	assert_string_equal(json_get_text(vault, "folder"), "/v");
	assert_null(json_get(vault, "slots"));
	assert_int_equal(json_get_uint(json_get(json, "disks"), "known", 9), 0);
}

static void test_json_locked_vault_has_its_facts(void **state)
{
	const struct vault_slot slots[] = { passphrase, recovery };
	const struct status_disk disks[] = {
		{ .name = "enc-a", .state = "open", .source = "/dev/sda", .header = "good" },
		{ .name = "enc-b", .state = "dead", .header = "" },
	};
	struct status_facts facts = { .state = STATUS_LOCKED,
				      .folder = "/v",
				      .uuid = "u",
				      .epoch = 3,
				      .revision = 7,
				      .slots = slots,
				      .slot_count = 2,
				      .disks = disks,
				      .disk_count = 2 };
	_cleanup_json_ struct json *json = status_json(&facts);
	const struct json *vault = json_get(json, "vault");

	assert_string_equal(json_get_text(vault, "state"), "locked");
	assert_int_equal(json_get_uint(vault, "epoch", 0), 3);
	assert_int_equal(json_get_uint(vault, "revision", 0), 7);
	assert_true(json_get_bool(vault, "recovery", false));
	assert_null(json_get_text(vault, "created"));
	assert_int_equal(json_length(json_get(vault, "slots")), 2);
	assert_string_equal(json_get_text(json_at(json_get(vault, "slots"), 1), "method"),
			    "recovery");
	assert_int_equal(json_get_uint(json_get(json, "disks"), "known", 0), 2);
	assert_int_equal(json_get_uint(json_get(json, "disks"), "open", 0), 1);
	assert_int_equal(json_get_uint(json_get(json, "disks"), "dead", 0), 1);
}

static void test_json_of_what_is_not_known_is_null(void **state)
{
	const struct vault_slot slots[] = { recovery };
	const struct vault_mirror mirrors[] = { { .folder = "/a", .state = MIRROR_CURRENT } };
	struct status_facts facts = { .state = STATUS_LOCKED,
				      .slots = slots,
				      .slot_count = 1,
				      .mirrors = mirrors,
				      .mirror_count = 1 };
	_cleanup_json_ struct json *json = status_json(&facts);
	const struct json *vault = json_get(json, "vault");

	assert_null(json_get_text(json_at(json_get(vault, "slots"), 0), "label"));
	assert_null(json_get_text(json_at(json_get(vault, "mirrors"), 0), "reason"));
}

static void test_json_of_a_keystore_that_cannot_be_read_has_no_numbers(void **state)
{
	struct status_facts facts = { .state = STATUS_LOCKED, .keystore_unknown = true };
	_cleanup_json_ struct json *json = status_json(&facts);

	assert_int_equal(json_get_uint(json_get(json, "vault"), "epoch", 7), 7);
	assert_int_equal(json_get_uint(json_get(json, "vault"), "revision", 7), 7);
	assert_int_equal(json_get_uint(json_get(json, "disks"), "known", 7), 7);
}

static void test_json_unlocked_agent_has_its_time(void **state)
{
	struct status_facts facts = {
		.state = STATUS_UNLOCKED,
		.agent = { .running = true, .unlocked = true, .seconds_left = 90 },
	};
	_cleanup_json_ struct json *json = status_json(&facts);

	assert_int_equal(json_get_uint(json_get(json, "agent"), "seconds_left", 0), 90);
}

static void test_json_endless_agent_has_no_time(void **state)
{
	struct status_facts facts = {
		.state = STATUS_UNLOCKED,
		.agent = { .running = true, .unlocked = true, .seconds_left = UINT64_MAX },
	};
	_cleanup_json_ struct json *json = status_json(&facts);

	assert_int_equal(json_get_uint(json_get(json, "agent"), "seconds_left", 5), 5);
}

static void test_screen_absent_vault_says_how_to_make_one(void **state)
{
	struct status_facts facts = { .state = STATUS_ABSENT, .folder = "/v" };
	_cleanup_free_ char *text = screen_of(&facts);

	assert_non_null(strstr(text, "/v  absent"));
	assert_non_null(strstr(text, "coffer init"));
}

static void test_screen_unlocked_vault_shows_all(void **state)
{
	const struct vault_mirror mirror = { .folder = "/m", .state = MIRROR_BEHIND };
	const struct status_disk disk = { .name = "enc-a", .state = "closed", .header = "damaged" };
	struct status_facts facts = {
		.state = STATUS_UNLOCKED,
		.folder = "/v",
		.uuid = "some-uuid",
		.slots = &passphrase,
		.slot_count = 1,
		.mirrors = &mirror,
		.mirror_count = 1,
		.disks = &disk,
		.disk_count = 1,
		.agent = { .running = true, .unlocked = true, .seconds_left = 3660 },
	};
	_cleanup_free_ char *text = screen_of(&facts);

	assert_non_null(strstr(text, "unlocked (the agent forgets the key in 1h 01m)"));
	assert_non_null(strstr(text, "some-uuid"));
	assert_non_null(strstr(text, "slot 0: passphrase"));
	assert_non_null(strstr(text, "/m  behind"));
	assert_non_null(strstr(text, "1 in the vault, 0 open"));
	assert_non_null(strstr(text, "           enc-a  closed    header damaged\n"));
	assert_non_null(strstr(text, "warning    the vault has no recovery key"));
}

static void test_screen_of_many_disks_shows_those_to_look_at(void **state)
{
	struct status_disk disks[40];
	struct status_facts facts = { .state = STATUS_LOCKED, .folder = "/v", .disks = disks };
	char names[40][16];

	for (size_t i = 0; i < 40; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "enc-%zu", i);
		disks[i] =
			(struct status_disk){ .name = names[i], .state = "open", .header = "good" };
	}
	facts.disk_count = STATUS_DISKS_SHOWN;
	assert_true(shows(&facts, "enc-9 "));
	facts.disk_count = 40;
	assert_false(shows(&facts, "enc-9 "));
	disks[9].state = "dead";
	assert_true(shows(&facts, "enc-9  dead"));
	assert_true(shows(&facts, "40 in the vault, 39 open, 1 dead"));
	for (size_t i = 0; i < 40; i++)
		disks[i].header = "older";
	assert_true(shows(&facts, "and 30 more: `coffer disk status` shows all"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_warnings_vault_with_recovery_has_none),
		cmocka_unit_test(test_warnings_absent_vault_has_none),
		cmocka_unit_test(test_warnings_no_mirror_is_named),
		cmocka_unit_test(test_warnings_header_that_is_not_its_copy_is_named),
		cmocka_unit_test(test_print_check_is_shown_when_it_was_made),
		cmocka_unit_test(test_warnings_no_recovery_is_named),
		cmocka_unit_test(test_warnings_only_unattended_is_named),
		cmocka_unit_test(test_warnings_mirror_that_failed_has_failed),
		cmocka_unit_test(test_warnings_mirror_on_the_vaults_file_system_is_named),
		cmocka_unit_test(test_warnings_mirror_away_is_named),
		cmocka_unit_test(test_json_absent_vault_has_state_and_folder),
		cmocka_unit_test(test_json_locked_vault_has_its_facts),
		cmocka_unit_test(test_json_of_what_is_not_known_is_null),
		cmocka_unit_test(test_json_of_a_keystore_that_cannot_be_read_has_no_numbers),
		cmocka_unit_test(test_json_unlocked_agent_has_its_time),
		cmocka_unit_test(test_json_endless_agent_has_no_time),
		cmocka_unit_test(test_screen_absent_vault_says_how_to_make_one),
		cmocka_unit_test(test_screen_unlocked_vault_shows_all),
		cmocka_unit_test(test_screen_of_many_disks_shows_those_to_look_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
