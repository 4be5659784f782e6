/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include "json.h"
#include "reencrypt_end.h"

/* Segments: the data, what they were, what they become, and what was set aside. */
#define CRYPT                                                                                      \
	"{\"type\":\"crypt\",\"offset\":\"16777216\",\"size\":\"dynamic\","                        \
	"\"iv_tweak\":\"0\",\"encryption\":\"aes-xts-plain64\",\"sector_size\":4096"
#define LIVE	    "\"segments\":{\"0\":" CRYPT "}"
#define MIDDLE	    "\"segments\":{\"0\":{\"type\":\"linear\"},\"3\":" CRYPT "}"
#define WAS_PLAIN   ",\"1\":{\"type\":\"linear\",\"flags\":[\"backup-previous\"]}"
#define WAS_CRYPT   ",\"1\":" CRYPT ",\"flags\":[\"backup-previous\"]}"
#define FINAL	    ",\"2\":" CRYPT ",\"flags\":[\"backup-final\"]}"
#define ASIDE	    ",\"3\":{\"type\":\"linear\",\"flags\":[\"backup-moved-segment\"]"
#define ASIDE_PLACE ",\"offset\":\"67108864\",\"size\":\"16777216\""
#define SCRATCH	    "\"1\":{\"type\":\"reencrypt\",\"mode\":\"encrypt\"}"
#define ASIDE_CRYPT ",\"3\":" CRYPT ",\"flags\":[\"backup-moved-segment\"]}"
#define PLAIN	    "{\"type\":\"linear\",\"offset\":\"0\",\"size\":\"dynamic\""
#define SLOT_0	    "{\"keyslots\":{\"0\":{\"type\":\"luks2\"}"
#define SLOTS	    SLOT_0 "," SCRATCH "},\"tokens\":{},"
#define REKEY_SLOTS SLOT_0 ",\"2\":{\"type\":\"luks2\"}," SCRATCH "},"
#define MANDATORY   "\"requirements\":{\"mandatory\":[\"online-reencrypt-v2\"]}"
#define CONFIG	    ",\"config\":{\"json_size\":\"12288\"," MANDATORY "}}"
/* Digests: of the data as they are and as they become, or of these apart. */
#define ONE_KEY	    "},\"digests\":{\"0\":{\"keyslots\":[\"0\"],\"segments\":[\"0\",\"2\"]}"
#define SCRATCH_KEY ",\"1\":{\"keyslots\":[\"1\"],\"segments\":[]}"
#define OLD_KEY	    "},\"digests\":{\"0\":{\"keyslots\":[\"0\"],\"segments\":[\"1\"]},"
#define NEW_KEY	    "\"1\":{\"keyslots\":[\"2\"],\"segments\":[\"0\",\"2\"]}"
#define STILL_OLD   "},\"digests\":{\"0\":{\"keyslots\":[\"0\"],\"segments\":[\"0\",\"1\"]},"
#define NOT_YET_NEW "\"1\":{\"keyslots\":[\"2\"],\"segments\":[\"2\"]}"

/* As libcryptsetup 2.6.1 leaves it when it is cut off after the last step of encrypting. */
static const char encrypted[] =
	SLOTS LIVE WAS_PLAIN FINAL ASIDE ASIDE_PLACE "}" ONE_KEY SCRATCH_KEY "}" CONFIG;

/* Parses @json, which must be possible. */
static void parse(const char *json, struct reencrypt_end *ret_end)
{
	assert_ok(reencrypt_end_parse(span_of_text(json), "header", ret_end, NULL));
}

static void test_end_sees_encryption_that_has_done_all_data(void **state)
{
	_cleanup_(reencrypt_end_done) struct reencrypt_end end = { 0 };

	(void)state;
	parse(encrypted, &end);
	assert_true(end.done);
	assert_int_equal(end.aside_offset_bytes, 67108864);
	assert_int_equal(end.aside_bytes, 16777216);
}

static void test_end_leaves_no_trace_in_the_metadata(void **state)
{
	_cleanup_(reencrypt_end_done) struct reencrypt_end end = { 0 };
	_cleanup_(reencrypt_end_done) struct reencrypt_end again = { 0 };
	_cleanup_json_ struct json *root = NULL;

	(void)state;
	parse(encrypted, &end);
	assert_null(strstr(end.json, "backup"));
	assert_null(strstr(end.json, "reencrypt"));
	assert_ok(json_parse(span_of_text(end.json), "header", &root, NULL));
	assert_non_null(json_get(json_get(root, "segments"), "0"));
	assert_null(json_get(json_get(root, "segments"), "2"));
	assert_non_null(json_get(json_get(root, "keyslots"), "0"));
	assert_non_null(json_get(json_get(root, "digests"), "0"));
	assert_null(json_get(json_get(root, "digests"), "1"));
	assert_string_equal(json_get_text(json_get(root, "config"), "json_size"), "12288");
	parse(end.json, &again);
	assert_false(again.done);
}

/* The scratch keyslot goes before the segments: cut off there, libcryptsetup knows no way on. */
static void test_end_sees_encryption_whose_scratch_is_gone(void **state)
{
	_cleanup_(reencrypt_end_done) struct reencrypt_end end = { 0 };

	(void)state;
	parse(SLOT_0 "}," LIVE FINAL ONE_KEY "}" CONFIG, &end);
	assert_true(end.done);
	assert_int_equal(end.aside_bytes, 0);
}

static void test_end_keeps_the_old_keyslot_of_a_rekeyed_header(void **state)
{
	_cleanup_(reencrypt_end_done) struct reencrypt_end end = { 0 };

	(void)state;
	parse(REKEY_SLOTS LIVE WAS_CRYPT FINAL OLD_KEY NEW_KEY "}" CONFIG, &end);
	assert_true(end.done);
	assert_non_null(strstr(end.json, "\"2\":{\"type\":\"luks2\"}"));
}

static void test_end_leaves_alone_what_has_just_begun(void **state)
{
	_cleanup_(reencrypt_end_done) struct reencrypt_end end = { 0 };

	(void)state;
	/* The same segment, but under the old volume key: its digest is another. */
	parse(REKEY_SLOTS LIVE WAS_CRYPT FINAL STILL_OLD NOT_YET_NEW "}" CONFIG, &end);
	assert_false(end.done);
	assert_null(end.json);
}

static void test_end_leaves_alone_what_is_in_the_middle(void **state)
{
	_cleanup_(reencrypt_end_done) struct reencrypt_end end = { 0 };

	(void)state;
	parse(SLOTS MIDDLE WAS_PLAIN FINAL ONE_KEY "}" CONFIG, &end);
	assert_false(end.done);
}

static void test_end_leaves_a_plain_header_alone(void **state)
{
	_cleanup_(reencrypt_end_done) struct reencrypt_end end = { 0 };

	(void)state;
	parse(SLOT_0 "}," LIVE OLD_KEY NEW_KEY "},\"config\":{}}", &end);
	assert_false(end.done);
}

/* What decrypting has set aside lies where data are now: it must not be overwritten. */
static void test_end_of_decryption_has_nothing_aside(void **state)
{
	_cleanup_(reencrypt_end_done) struct reencrypt_end end = { 0 };

	(void)state;
	parse(SLOTS "\"segments\":{\"0\":" PLAIN "}" WAS_CRYPT ",\"2\":" PLAIN
		    ",\"flags\":[\"backup-final\"]}" ASIDE_CRYPT STILL_OLD NOT_YET_NEW "}" CONFIG,
	      &end);
	assert_true(end.done);
	assert_int_equal(end.aside_bytes, 0);
}

static void test_end_refuses_data_aside_without_a_place(void **state)
{
	_cleanup_(reencrypt_end_done) struct reencrypt_end end = { 0 };

	(void)state;
	assert_fails(reencrypt_end_parse(span_of_text(SLOTS LIVE WAS_PLAIN FINAL ASIDE
						      "}" ONE_KEY SCRATCH_KEY "}" CONFIG),
					 "header", &end, NULL),
		     COF_E_FORMAT);
}

static void test_end_refuses_what_is_no_json(void **state)
{
	_cleanup_(reencrypt_end_done) struct reencrypt_end end = { 0 };

	(void)state;
	assert_fails(reencrypt_end_parse(span_of_text("{"), "header", &end, NULL), COF_E_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_end_sees_encryption_that_has_done_all_data),
		cmocka_unit_test(test_end_leaves_no_trace_in_the_metadata),
		cmocka_unit_test(test_end_sees_encryption_whose_scratch_is_gone),
		cmocka_unit_test(test_end_keeps_the_old_keyslot_of_a_rekeyed_header),
		cmocka_unit_test(test_end_leaves_alone_what_has_just_begun),
		cmocka_unit_test(test_end_leaves_alone_what_is_in_the_middle),
		cmocka_unit_test(test_end_leaves_a_plain_header_alone),
		cmocka_unit_test(test_end_of_decryption_has_nothing_aside),
		cmocka_unit_test(test_end_refuses_data_aside_without_a_place),
		cmocka_unit_test(test_end_refuses_what_is_no_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
