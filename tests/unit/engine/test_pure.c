/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What of the engine is bytes in, answer out: the check of headers, messages, lines of mountinfo,
 * names.
 */

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine.h"
#include "message.h"
#include "mounts.h"
#include "places.h"

/* A header that the engine can serve. */
static struct luks_info usual(void)
{
	return (struct luks_info){ .version = 2,
				   .cipher = "aes",
				   .cipher_mode = "xts-plain64",
				   .key_bytes = 64,
				   .sector_bytes = 4096 };
}

static void check_refused(const struct luks_info *info, const char *says)
{
	struct cof_error error = { 0 };

	assert_fails(engine_check(info, "/dev/x", &error), COF_E_UNSUPPORTED);
	assert_string_equal(error.subject, "/dev/x");
	assert_non_null(strstr(error.text, says));
}

static void test_engine_check_takes_what_luksformat_makes(void **state)
{
	struct luks_info info = usual();

	(void)state;
	assert_ok(engine_check(&info, "/dev/x", NULL));
}

static void test_engine_check_refuses_integrity(void **state)
{
	struct luks_info info = usual();

	(void)state;
	strcpy(info.integrity, "hmac(sha256)");
	check_refused(&info, "hmac(sha256)");
}

static void test_engine_check_refuses_opal(void **state)
{
	struct luks_info info = usual();

	(void)state;
	info.hw_opal = true;
	check_refused(&info, "OPAL");
}

static void test_engine_check_refuses_unfinished_reencryption(void **state)
{
	struct luks_info info = usual();

	(void)state;
	info.reencrypting = true;
	check_refused(&info, "re-encryption");
}

static void test_engine_check_refuses_other_cipher(void **state)
{
	struct luks_info info = usual();

	(void)state;
	strcpy(info.cipher, "twofish");
	check_refused(&info, "cipher twofish");
}

static void test_engine_check_refuses_other_mode(void **state)
{
	struct luks_info info = usual();

	(void)state;
	strcpy(info.cipher_mode, "lrw-benbi");
	check_refused(&info, "mode lrw-benbi");
}

static void test_engine_check_refuses_other_iv(void **state)
{
	struct luks_info info = usual();

	(void)state;
	strcpy(info.cipher_mode, "cbc-lmk");
	info.key_bytes = 32;
	check_refused(&info, "lmk");
}

static void test_engine_check_refuses_odd_sectors(void **state)
{
	struct luks_info info = usual();

	(void)state;
	info.sector_bytes = 1536;
	check_refused(&info, "1536");
}

static void test_order_comes_back_as_it_was(void **state)
{
	struct order order = { .name = "enc-a",
			       .source = "/dev/disk/by-id/\"odd\"",
			       .header = "/h",
			       .key_bytes = 64,
			       .read_only = true };
	struct order back = { 0 };
	char *line = order_format(&order);

	(void)state;
	assert_int_equal(line[strlen(line) - 1], '\n');
	assert_ok(order_parse(SPAN(line, strlen(line) - 1), &back, NULL));
	assert_string_equal(back.name, order.name);
	assert_string_equal(back.source, order.source);
	assert_string_equal(back.header, order.header);
	assert_int_equal(back.key_bytes, 64);
	assert_true(back.read_only);
	free(line);
}

static void check_order_refused(const char *line)
{
	struct order order;

	assert_fails(order_parse(span_of_text(line), &order, NULL), COF_E_FORMAT);
}

static void test_order_refuses_missing_member(void **state)
{
	(void)state;
	check_order_refused("{\"name\":\"a\",\"header\":\"\",\"key_bytes\":64}");
}

static void test_order_refuses_name_that_is_too_long(void **state)
{
	char line[512];

	(void)state;
	(void)snprintf(line, sizeof(line),
		       "{\"name\":\"%0200d\",\"source\":\"/x\",\"header\":\"\","
		       "\"key_bytes\":64}",
		       0);
	check_order_refused(line);
}

static void test_order_refuses_key_that_is_too_long(void **state)
{
	(void)state;
	check_order_refused(
		"{\"name\":\"a\",\"source\":\"/x\",\"header\":\"\",\"key_bytes\":65}");
	check_order_refused("{\"name\":\"a\",\"source\":\"/x\",\"header\":\"\"}");
}

static void test_order_refuses_what_is_no_json(void **state)
{
	(void)state;
	check_order_refused("{\"name\":");
}

static void test_reply_ready_is_success(void **state)
{
	char *line = reply_format(NULL);

	(void)state;
	assert_ok(reply_parse(span_of_text(line), "enc-a", NULL));
	free(line);
}

static void test_reply_brings_the_error_over(void **state)
{
	struct cof_error sent = { .code = COF_E_BUSY,
				  .subject = "/dev/x",
				  .text = "in use",
				  .cause = "by you",
				  .remedy = "stop" };
	struct cof_error got = { 0 };
	char *line = reply_format(&sent);

	(void)state;
	assert_fails(reply_parse(span_of_text(line), "enc-a", &got), COF_E_BUSY);
	assert_int_equal(got.code, COF_E_BUSY);
	assert_string_equal(got.subject, "/dev/x");
	assert_string_equal(got.text, "in use");
	assert_string_equal(got.cause, "by you");
	assert_string_equal(got.remedy, "stop");
	free(line);
}

static void test_reply_with_unknown_code_is_a_failure(void **state)
{
	(void)state;
	assert_fails(reply_parse(span_of_text("{\"code\":999}"), "enc-a", NULL), COF_E_FAILED);
	assert_fails(reply_parse(span_of_text("{}"), "enc-a", NULL), COF_E_FAILED);
}

static void test_reply_that_never_came_is_a_failure(void **state)
{
	(void)state;
	assert_fails(reply_parse(SPAN("", 0), "enc-a", NULL), COF_E_FAILED);
}

static void test_facts_come_back_as_they_were(void **state)
{
	struct engine_volume volume = { .name = "enc-a",
					.uuid = "6c1c3a2e-0000-4000-8000-000000000000",
					.source = "/dev/sdz",
					.sector_bytes = 2048,
					.read_only = true,
					.pid = 4711 };
	struct engine_volume back = { 0 };
	char *line = facts_format(&volume);

	(void)state;
	assert_ok(facts_parse(span_of_text(line), &back, NULL));
	assert_memory_equal(&back, &volume, sizeof(volume));
	free(line);
}

static void test_facts_refuse_a_line_that_is_not_whole_yet(void **state)
{
	struct engine_volume volume;

	(void)state;
	assert_fails(facts_parse(SPAN("", 0), &volume, NULL), COF_E_FORMAT);
	assert_fails(facts_parse(span_of_text("{\"name\":\"a\"}"), &volume, NULL), COF_E_FORMAT);
}

static void test_mount_line_of_the_engine_is_read(void **state)
{
	struct mount_line mount;

	(void)state;
	assert_true(mount_line_parse(
		"42 27 0:39 / /run/coffer/engine/a\\040b rw,nosuid,nodev,relatime shared:5 "
		"master:1 - fuse.coffer coffer-engine:a\\040b rw,user_id=0,group_id=0\n",
		&mount));
	assert_int_equal(mount.major, 0);
	assert_int_equal(mount.minor, 39);
	assert_string_equal(mount.folder, "/run/coffer/engine/a b");
	assert_string_equal(mount.type, "fuse.coffer");
	assert_string_equal(mount.source, "coffer-engine:a b");
}

static void test_mount_line_that_is_cut_is_refused(void **state)
{
	static const char line[] = "42 27 0:39 / /run/x rw - ext4 /dev/sda rw\n";
	struct mount_line mount;
	char part[sizeof(line)];

	(void)state;
	for (size_t len = 0; len < strlen("42 27 0:39 / /run/x rw - ext4 /"); len++) {
		memcpy(part, line, len);
		part[len] = '\0';
		assert_false(mount_line_parse(part, &mount));
	}
	assert_true(mount_line_parse(line, &mount));
}

static void test_mount_line_with_field_that_is_too_long_is_refused(void **state)
{
	struct mount_line mount;
	char line[512];

	(void)state;
	(void)snprintf(line, sizeof(line), "1 2 0:3 / /x rw - %0100d src rw", 0);
	assert_false(mount_line_parse(line, &mount));
}

static void check_name(const char *name, enum cof_code expected)
{
	char folder[] = "/run/e";
	struct paths paths = { .engine_dir = folder };
	struct places places = { 0 };
	cof_result result = places_make(&paths, name, &places, NULL);

	assert_int_equal(result.code, expected);
	places_done(&places);
}

static void test_places_refuse_names_that_leave_the_folder(void **state)
{
	(void)state;
	check_name("enc-wwn-0x5000#1:2=3@4_5+6.7", COF_E_NONE);
	check_name("", COF_E_USAGE);
	check_name("..", COF_E_USAGE);
	check_name("a/b", COF_E_USAGE);
}

static void test_places_refuse_names_that_would_be_mount_options(void **state)
{
	(void)state;
	check_name("a,suid", COF_E_USAGE);
	check_name("a\\b", COF_E_USAGE);
}

static void test_places_refuse_names_that_are_too_long(void **state)
{
	char name[129];

	(void)state;
	memset(name, 'a', 128);
	name[128] = '\0';
	check_name(name, COF_E_USAGE);
	name[127] = '\0';
	check_name(name, COF_E_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_engine_check_takes_what_luksformat_makes),
		cmocka_unit_test(test_engine_check_refuses_integrity),
		cmocka_unit_test(test_engine_check_refuses_opal),
		cmocka_unit_test(test_engine_check_refuses_unfinished_reencryption),
		cmocka_unit_test(test_engine_check_refuses_other_cipher),
		cmocka_unit_test(test_engine_check_refuses_other_mode),
		cmocka_unit_test(test_engine_check_refuses_other_iv),
		cmocka_unit_test(test_engine_check_refuses_odd_sectors),
		cmocka_unit_test(test_order_comes_back_as_it_was),
		cmocka_unit_test(test_order_refuses_missing_member),
		cmocka_unit_test(test_order_refuses_name_that_is_too_long),
		cmocka_unit_test(test_order_refuses_key_that_is_too_long),
		cmocka_unit_test(test_order_refuses_what_is_no_json),
		cmocka_unit_test(test_reply_ready_is_success),
		cmocka_unit_test(test_reply_brings_the_error_over),
		cmocka_unit_test(test_reply_with_unknown_code_is_a_failure),
		cmocka_unit_test(test_reply_that_never_came_is_a_failure),
		cmocka_unit_test(test_facts_come_back_as_they_were),
		cmocka_unit_test(test_facts_refuse_a_line_that_is_not_whole_yet),
		cmocka_unit_test(test_mount_line_of_the_engine_is_read),
		cmocka_unit_test(test_mount_line_that_is_cut_is_refused),
		cmocka_unit_test(test_mount_line_with_field_that_is_too_long_is_refused),
		cmocka_unit_test(test_places_refuse_names_that_leave_the_folder),
		cmocka_unit_test(test_places_refuse_names_that_would_be_mount_options),
		cmocka_unit_test(test_places_refuse_names_that_are_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
