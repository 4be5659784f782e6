/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The small pure parts: names, order, status words, state, managed passphrases, log lines.
 */

#include "unit.h"

#include "order.h"
#include "secret_store.h"
#include "service_log.h"
#include "state.h"
#include "status_words.h"

/* ---- names ---- */

static void test_service_path_takes_three_forms(void **state)
{
	struct service_path path;
	char text[SERVICE_PATH_CHARS];

	assert_ok(service_path_parse("demo/svc/web", "svc", &path, NULL));
	assert_string_equal(service_path_format(&path, text), "demo/svc/web");
	assert_ok(service_path_parse("svc/web", "svc", &path, NULL));
	assert_string_equal(service_path_format(&path, text), "root/svc/web");
	assert_ok(service_path_parse("web.a-b_c", "sec", &path, NULL));
	assert_string_equal(service_path_format(&path, text), "root/sec/web.a-b_c");
}

static void test_service_path_refuses_what_is_none(void **state)
{
	static const char *const wrong[] = {
		"",	     "/",      "a/b",	    "demo/sec/web", "../svc/x",	   "demo/svc/..",
		"demo/svc/", "/svc/x", "a/b/svc/x", "demo/svc/a b", "demo/svc/a/b"
	};
	struct service_path path;
	struct cof_error err = { 0 };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_fails(service_path_parse(wrong[i], "svc", &path, NULL), COF_E_USAGE);
	assert_fails(service_path_parse("demo/web", "svc", &path, &err), COF_E_USAGE);
	assert_string_equal(err.remedy, "demo/svc/web");
}

/* ---- order ---- */

static void test_order_puts_what_is_needed_first(void **state)
{
	unsigned char needs[3][3] = { { 0, 1, 0 }, { 0, 0, 0 }, { 0, 0, 0 } };
	const struct order_item items[] = { { "disk#1", 0, needs[0] },
					    { "disk#2", 0, needs[1] },
					    { "disk#10", 0, needs[2] } };
	size_t order[3];
	const char *circle;

	assert_ok(order_items(items, 3, order, &circle, NULL));
	assert_null(circle);
	assert_int_equal(order[0], 1);
	assert_int_equal(order[1], 0);
	assert_int_equal(order[2], 2);
}

static void test_order_goes_by_group_then_by_name(void **state)
{
	unsigned char needs[3] = { 0 };
	const struct order_item items[] = { { "fs#0", 1, needs },
					    { "disk#10", 0, needs },
					    { "disk#9", 0, needs } };
	size_t order[3];
	const char *circle;

	assert_ok(order_items(items, 3, order, &circle, NULL));
	assert_int_equal(order[0], 2);
	assert_int_equal(order[1], 1);
	assert_int_equal(order[2], 0);
}

static void test_order_names_circle(void **state)
{
	unsigned char needs[2][2] = { { 0, 1 }, { 1, 0 } };
	const struct order_item items[] = { { "a", 0, needs[0] }, { "b", 0, needs[1] } };
	size_t order[2];
	const char *circle;

	assert_ok(order_items(items, 2, order, &circle, NULL));
	assert_string_equal(circle, "a");
}

/* ---- status ---- */

static void test_status_merge_makes_warning_of_what_differs(void **state)
{
	assert_int_equal(status_merge(STATUS_UP, STATUS_UP), STATUS_UP);
	assert_int_equal(status_merge(STATUS_DOWN, STATUS_DOWN), STATUS_DOWN);
	assert_int_equal(status_merge(STATUS_UP, STATUS_DOWN), STATUS_WARN);
	assert_int_equal(status_merge(STATUS_NA, STATUS_DOWN), STATUS_DOWN);
	assert_int_equal(status_merge(STATUS_UP, STATUS_NA), STATUS_UP);
	assert_int_equal(status_merge(STATUS_UNDEF, STATUS_UP), STATUS_WARN);
}

static void test_status_adds_up(void **state)
{
	struct status_row rows[] = {
		{ .rid = "disk#0", .word = STATUS_UP, .provisioned = true },
		{ .rid = "disk#1", .word = STATUS_UP, .provisioned = true },
		{ .rid = "fs#0", .word = STATUS_DOWN, .optional = true },
		{ .rid = "fs#1", .word = STATUS_DOWN, .disabled = true },
	};
	struct status_sum sum = status_add_up(rows, 4);

	assert_int_equal(sum.avail, STATUS_UP);
	assert_int_equal(sum.optional, STATUS_DOWN);
	assert_int_equal(sum.overall, STATUS_WARN);
	assert_int_equal(sum.provisioned, PROVISIONED_MIXED);
	rows[2].word = STATUS_UP;
	rows[2].provisioned = true;
	sum = status_add_up(rows, 4);
	assert_int_equal(sum.overall, STATUS_UP);
	assert_int_equal(sum.provisioned, PROVISIONED_YES);
	rows[0].noted = true;
	assert_int_equal(status_add_up(rows, 4).overall, STATUS_WARN);
	assert_int_equal(status_add_up(rows, 4).avail, STATUS_UP);
	assert_int_equal(status_add_up(rows, 0).avail, STATUS_NA);
}

static void test_status_of_service_that_is_down_is_down_beside_standby(void **state)
{
	const struct status_row rows[] = {
		{ .rid = "disk#0", .word = STATUS_UP, .standby = true },
		{ .rid = "fs#0", .word = STATUS_DOWN },
	};

	assert_int_equal(status_add_up(rows, 2).avail, STATUS_DOWN);
	assert_string_equal(status_text(STATUS_UP, true), "stdby up");
	assert_string_equal(status_text(STATUS_WARN, true), "warn");
}

static void test_status_flags_have_eight_places(void **state)
{
	struct status_row row = { .provisioned = true };
	char flags[STATUS_FLAGS + 1];

	assert_string_equal(status_flags(&row, flags), "........");
	row = (struct status_row){ .running = true,
				   .monitored = true,
				   .disabled = true,
				   .optional = true,
				   .standby = true };
	assert_string_equal(status_flags(&row, flags), "RMDO.PS.");
}

/* ---- state ---- */

static void test_state_survives_being_written(void **state)
{
	struct service_state one = { .id = "i", .frozen = "2026-01-01T00:00:00Z", .started = true };
	struct service_state two = { 0 };
	struct resource_state *resource;
	struct buffer text = { 0 };

	assert_ok(state_of(&one, "disk#0", &resource, NULL));
	resource->made = MADE_BEGUN;
	resource->own = true;
	memcpy(resource->uuid, "u", 2);
	assert_ok(state_format(&one, &text, NULL));
	assert_ok(state_parse(buffer_span(&text), "s", &two, NULL));
	assert_string_equal(two.frozen, one.frozen);
	assert_true(two.started);
	assert_int_equal(state_made(&two, "disk#0"), MADE_BEGUN);
	assert_int_equal(state_made(&two, "disk#1"), MADE_NOT);
	assert_true(two.resources[0].own);
	assert_string_equal(two.resources[0].uuid, "u");
	service_state_done(&one);
	service_state_done(&two);
	buffer_done(&text);
}

static void test_state_refuses_damage(void **state)
{
	static const char *const wrong[] = {
		"",
		"{}",
		"{\"format\":2}",
		"{\"format\":1,\"resources\":{\"disk#0\":{}}}",
		"{\"format\":1,\"resources\":{\"disk#0\":{\"provisioned\":\"maybe\"}}}",
		"{\"format\":1,\"frozen\":\"0123456789012345678901234567890123456789\"}"
	};
	struct service_state read = { 0 };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_fails(state_parse(span_of_text(wrong[i]), "s", &read, NULL), COF_E_FORMAT);
}

/* ---- passphrases ---- */

static void test_secret_make_passphrase_draws_each_character_alike(void **state)
{
	enum { ROUNDS = 360 };
	unsigned int seen[256] = { 0 };
	unsigned int different = 0;

	for (int i = 0; i < ROUNDS; i++) {
		struct slot_secret *made = NULL;

		assert_ok(secret_make_passphrase(&made, NULL));
		assert_int_equal(made->secret.len, SECRET_MANAGED_CHARS);
		for (size_t j = 0; j < made->secret.len; j++)
			seen[made->secret.data[j]]++;
		slot_secret_free(made);
	}
	for (int c = 0; c < 256; c++) {
		if (seen[c] == 0)
			continue;
		different++;
		assert_true(c > ' ' && c < 0x7f && c != '\'' && c != '\\');
		/* 1002 of each are expected; 8 standard deviations of 31.5 are 252. */
		assert_in_range(seen[c], 1002 - 252, 1002 + 252);
	}
	assert_int_equal(different, 92);
}

static void test_secret_key_of_resource_has_seeds_form(void **state)
{
	char key[SECRET_KEY_CHARS];

	assert_string_equal(secret_key_of_resource("disk#1", key), "disk_1_crypt_passphrase");
}

/* ---- log ---- */

static void test_service_log_passes_over_torn_lines(void **state)
{
	struct service_log_line line;
	struct json *json = NULL;

	assert_false(service_log_parse(span_of_text("{\"time\":\"x\",\"le"), &line, &json));
	assert_false(service_log_parse(span_of_text("{\"time\":\"x\"}"), &line, &json));
	assert_true(service_log_parse(
		span_of_text("{\"time\":\"t\",\"level\":\"info\",\"session\":\"s\",\"rid\":null,"
			     "\"text\":\"done\"}"),
		&line, &json));
	assert_string_equal(line.rid, "");
	assert_string_equal(line.text, "done");
	json_free(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_service_path_takes_three_forms),
		cmocka_unit_test(test_service_path_refuses_what_is_none),
		cmocka_unit_test(test_order_puts_what_is_needed_first),
		cmocka_unit_test(test_order_goes_by_group_then_by_name),
		cmocka_unit_test(test_order_names_circle),
		cmocka_unit_test(test_status_merge_makes_warning_of_what_differs),
		cmocka_unit_test(test_status_adds_up),
		cmocka_unit_test(test_status_of_service_that_is_down_is_down_beside_standby),
		cmocka_unit_test(test_status_flags_have_eight_places),
		cmocka_unit_test(test_state_survives_being_written),
		cmocka_unit_test(test_state_refuses_damage),
		cmocka_unit_test(test_secret_make_passphrase_draws_each_character_alike),
		cmocka_unit_test(test_secret_key_of_resource_has_seeds_form),
		cmocka_unit_test(test_service_log_passes_over_torn_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
