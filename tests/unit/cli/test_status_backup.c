/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What `coffer status` says of the last backup and the last drill, also of notes that anybody may
 * have written.
 */

#include "unit.h"

#include <stdio.h>

#include "status_backup.h"

#define NOW 1795194000 /* 2026-11-20T17:00:00Z */

/* Notes from their JSON; NULL for none. */
static struct status_backup notes_of(const char *backup, const char *drill)
{
	struct status_backup notes = { .now = NOW };

	if (backup)
		assert_ok(json_parse(span_of_text(backup), "backup", &notes.backup, NULL));
	if (drill)
		assert_ok(json_parse(span_of_text(drill), "drill", &notes.drill, NULL));
	return notes;
}

/* Whether the lines for these notes, and what was changed since, have a text. */
static bool shows_since(const char *backup, const char *drill, struct note_changes since,
			const char *text)
{
	struct status_backup notes = notes_of(backup, drill);
	_cleanup_free_ char *lines = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&lines, &len);

	notes.since = since;
	assert_non_null(file);
	status_backup_print(&notes, file);
	assert_int_equal(fclose(file), 0);
	status_backup_done(&notes);
	if (!strstr(lines, text))
		print_message("no '%s' in: %s", text, lines);
	return strstr(lines, text);
}

static bool shows(const char *backup, const char *drill, const char *text)
{
	return shows_since(backup, drill, (struct note_changes){ 0 }, text);
}

/* The first finding for these notes, and what was changed since, "" for none; returns @out. */
static char *finds_since(const char *backup, const char *drill, struct note_changes since,
			 char out[static FINDING_TEXT_CHARS])
{
	_cleanup_(finding_list_done) struct finding_list list = { 0 };
	struct status_backup notes = notes_of(backup, drill);

	notes.since = since;
	out[0] = '\0';
	assert_ok(status_backup_findings(&notes, false, &list, NULL));
	if (list.count > 0)
		(void)finding_text(&list.items[0], out);
	status_backup_done(&notes);
	return out;
}

static char *finds(const char *backup, const char *drill, char out[static FINDING_TEXT_CHARS])
{
	return finds_since(backup, drill, (struct note_changes){ 0 }, out);
}

static void test_status_backup_of_long_ago_is_due(void **state)
{
	char text[FINDING_TEXT_CHARS];

	assert_string_equal(finds(NULL, NULL, text), "");
	assert_string_equal(
		finds("{\"time\":\"2026-08-23T17:00:00Z\",\"revision\":12}", NULL, text), "");
	assert_string_equal(
		finds("{\"time\":\"2026-08-21T17:00:00Z\",\"revision\":12}", NULL, text),
		"the last backup was 91 days ago; try: `coffer backup create FILE`");
	assert_string_equal(finds(NULL, "{\"time\":\"2025-11-20T17:00:00Z\"}", text),
			    "the last drill was 365 days ago; try: `coffer drill FILE`");
}

static void test_status_backup_of_the_future_tells_of_the_clock(void **state)
{
	char text[FINDING_TEXT_CHARS];

	assert_string_equal(
		finds("{\"time\":\"2026-11-20T17:59:00Z\",\"revision\":12}", NULL, text), "");
	assert_non_null(
		strstr(finds("{\"time\":\"2027-01-01T00:00:00Z\",\"revision\":12}", NULL, text),
		       "clock: the last backup was made at 2027-01-01T00:00:00Z, which is "
		       "still to come"));
}

static void test_status_backup_failed_drill_is_due(void **state)
{
	char text[FINDING_TEXT_CHARS];

	assert_string_equal(finds(NULL, "{\"time\":\"2026-11-20T16:00:00Z\",\"fails\":2}", text),
			    "at the last drill 2 disks would not have opened; try: `coffer drill "
			    "FILE`");
}

static void test_status_drill_of_another_backup_is_advice_for_the_doctor(void **state)
{
	_cleanup_(finding_list_done) struct finding_list list = { 0 };
	struct status_backup notes = notes_of("{\"id\":\"b\"}", "{\"id\":\"a\"}");
	struct status_backup same = notes_of("{\"id\":\"b\"}", "{\"id\":\"b\"}");

	assert_ok(status_backup_findings(&notes, false, &list, NULL));
	assert_ok(status_backup_findings(&same, true, &list, NULL));
	assert_int_equal(list.count, 0);
	assert_ok(status_backup_findings(&notes, true, &list, NULL));
	assert_int_equal(list.count, 1);
	assert_string_equal(finding_severity(&list.items[0]), "advice");
	assert_non_null(strstr(list.items[0].error.text, "newest backup was never tried"));
	status_backup_done(&notes);
	status_backup_done(&same);
}

static void test_status_backup_says_never(void **state)
{
	assert_true(shows(NULL, NULL, "backup     never: `coffer backup create FILE`\n"));
	assert_true(shows(NULL, NULL, "drill      never: "));
}

static void test_status_backup_says_how_long_ago(void **state)
{
	static const struct {
		const char *time;
		const char *age;
	} times[] = {
		{ "2026-11-20T16:59:30Z", "just now" },
		{ "2026-11-20T17:00:30Z", "just now" },
		{ "2026-11-20T16:30:00Z", "30 minutes ago" },
		{ "2026-11-20T10:00:00Z", "7 hours ago" },
		{ "2026-11-17T17:00:00Z", "3 days ago" },
		{ "soon", "at an unknown time" },
	};

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		char note[128];

		(void)snprintf(note, sizeof(note),
			       "{\"time\":\"%s\",\"revision\":10,\"file\":\"/f\"}", times[i].time);
		assert_true(shows(note, NULL, times[i].age));
		assert_true(shows(note, NULL, "revision 10, 0 changes since: /f\n"));
	}
}

static void test_status_backup_counts_one_change(void **state)
{
	const char *note = "{\"revision\":11,\"file\":\"/f\"}";
	char text[FINDING_TEXT_CHARS];

	assert_true(shows_since(note, NULL, (struct note_changes){ .records = 1 },
				"1 change since: /f\n"));
	assert_true(shows_since(note, NULL, (struct note_changes){ .records = 2 },
				"2 changes since: /f\n"));
	assert_string_equal(finds_since(note, NULL, (struct note_changes){ .records = 2 }, text),
			    "the last backup lacks 2 changes; try: `coffer backup create FILE`");
}

static void test_status_backup_says_that_its_unlock_methods_are_from_before(void **state)
{
	const char *note = "{\"revision\":11,\"file\":\"/f\"}";
	char text[FINDING_TEXT_CHARS];

	assert_true(shows_since(note, NULL, (struct note_changes){ .header = true },
				"0 changes since, its unlock methods are from before: /f\n"));
	assert_string_equal(finds_since(note, NULL, (struct note_changes){ .header = true }, text),
			    "the unlock methods were changed since the last backup, which opens "
			    "with those of before; try: `coffer backup create FILE`");
}

static void test_status_backup_forged_note_leads_no_terminal_astray(void **state)
{
	assert_true(shows("{\"file\":\"/f\\u001b[2J\\n\"}", NULL, "since: /f?[2J?\n"));
	assert_true(shows("[]", "[]", "at an unknown time"));
	assert_true(shows("{\"file\":7,\"revision\":\"x\",\"time\":{}}", "7", "revision 0"));
}

static void test_status_drill_names_disks_that_would_not_open(void **state)
{
	const char *drill = "{\"time\":\"2026-11-18T17:00:00Z\",\"revision\":9,\"opens\":1,"
			    "\"fails\":2,\"absent\":3}";

	assert_true(shows(NULL, drill,
			  "drill      2 days ago, with revision 9: 1 disk would open, 2 would NOT, "
			  "3 absent\n"));
}

static void test_status_backup_json_has_both_or_null(void **state)
{
	struct status_backup none = notes_of(NULL, NULL);
	struct status_backup both = notes_of("{\"revision\":10,\"file\":\"/f\"}", "{\"opens\":4}");
	_cleanup_json_ struct json *empty = json_new_object();
	_cleanup_json_ struct json *full = json_new_object();

	status_backup_json(&none, empty);
	assert_null(json_get(empty, "backup"));
	assert_null(json_get(empty, "drill"));
	both.since = (struct note_changes){ .records = 2, .header = true };
	status_backup_json(&both, full);
	assert_int_equal(json_get_uint(json_get(full, "backup"), "changes_since", 99), 2);
	assert_true(json_get_bool(json_get(full, "backup"), "methods_changed", false));
	assert_int_equal(json_get_uint(json_get(full, "drill"), "opens", 99), 4);
	status_backup_done(&both);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status_backup_of_long_ago_is_due),
		cmocka_unit_test(test_status_backup_of_the_future_tells_of_the_clock),
		cmocka_unit_test(test_status_backup_failed_drill_is_due),
		cmocka_unit_test(test_status_drill_of_another_backup_is_advice_for_the_doctor),
		cmocka_unit_test(test_status_backup_says_never),
		cmocka_unit_test(test_status_backup_says_how_long_ago),
		cmocka_unit_test(test_status_backup_counts_one_change),
		cmocka_unit_test(test_status_backup_says_that_its_unlock_methods_are_from_before),
		cmocka_unit_test(test_status_backup_forged_note_leads_no_terminal_astray),
		cmocka_unit_test(test_status_drill_names_disks_that_would_not_open),
		cmocka_unit_test(test_status_backup_json_has_both_or_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
