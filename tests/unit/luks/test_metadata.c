/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include "metadata.h"

/* The code of parsing @json. */
static enum cof_code parse(const char *json, struct luks_metadata *ret_metadata)
{
	return luks_metadata_parse(span_of_text(json), "header", ret_metadata, NULL).code;
}

static void test_metadata_reads_plain_segment(void **state)
{
	struct luks_metadata metadata;

	(void)state;
	assert_int_equal(parse("{\"segments\":{\"0\":{\"type\":\"crypt\",\"size\":\"dynamic\"}},"
			       "\"config\":{}}",
			       &metadata),
			 COF_E_NONE);
	assert_int_equal(metadata.length_bytes, 0);
	assert_string_equal(metadata.integrity, "");
	assert_false(metadata.hw_opal);
	assert_false(metadata.reencrypting);
}

static void test_metadata_reads_fixed_length(void **state)
{
	struct luks_metadata metadata;

	(void)state;
	assert_int_equal(parse("{\"segments\":{\"0\":{\"type\":\"crypt\",\"size\":\"1048576\"}}}",
			       &metadata),
			 COF_E_NONE);
	assert_int_equal(metadata.length_bytes, 1048576);
}

static void test_metadata_reads_integrity(void **state)
{
	struct luks_metadata metadata;

	(void)state;
	assert_int_equal(parse("{\"segments\":{\"0\":{\"type\":\"crypt\",\"size\":\"dynamic\","
			       "\"integrity\":{\"type\":\"hmac(sha256)\"}}}}",
			       &metadata),
			 COF_E_NONE);
	assert_string_equal(metadata.integrity, "hmac(sha256)");
}

static void test_metadata_sees_opal(void **state)
{
	struct luks_metadata metadata;

	(void)state;
	assert_int_equal(parse("{\"segments\":{\"0\":{\"type\":\"hw-opal-crypt\","
			       "\"size\":\"4096\"}}}",
			       &metadata),
			 COF_E_NONE);
	assert_true(metadata.hw_opal);
}

static void test_metadata_sees_reencryption_by_requirement(void **state)
{
	struct luks_metadata metadata;

	(void)state;
	assert_int_equal(parse("{\"segments\":{\"0\":{\"type\":\"crypt\",\"size\":\"dynamic\"}},"
			       "\"config\":{\"requirements\":{\"mandatory\":"
			       "[\"online-reencrypt-v2\"]}}}",
			       &metadata),
			 COF_E_NONE);
	assert_true(metadata.reencrypting);
}

static void test_metadata_sees_reencryption_by_segments(void **state)
{
	struct luks_metadata metadata;

	(void)state;
	assert_int_equal(parse("{\"segments\":{\"0\":{\"type\":\"crypt\",\"size\":\"4096\"},"
			       "\"1\":{\"type\":\"linear\",\"size\":\"dynamic\"}}}",
			       &metadata),
			 COF_E_NONE);
	assert_true(metadata.reencrypting);
}

static void test_metadata_passes_over_backup_segments(void **state)
{
	struct luks_metadata metadata;

	(void)state;
	assert_int_equal(parse("{\"segments\":{\"0\":{\"type\":\"crypt\",\"size\":\"dynamic\"},"
			       "\"1\":{\"type\":\"linear\",\"size\":\"4096\","
			       "\"flags\":[\"backup-previous\"]}}}",
			       &metadata),
			 COF_E_NONE);
	assert_false(metadata.reencrypting);
	assert_int_equal(metadata.length_bytes, 0);
}

static void test_metadata_refuses_what_is_not_json(void **state)
{
	struct luks_metadata metadata;

	(void)state;
	assert_int_equal(parse("{\"segments\":", &metadata), COF_E_FORMAT);
}

static void test_metadata_refuses_missing_segments(void **state)
{
	struct luks_metadata metadata;

	(void)state;
	assert_int_equal(parse("{\"config\":{}}", &metadata), COF_E_FORMAT);
}

static void test_metadata_refuses_segment_without_size(void **state)
{
	struct luks_metadata metadata;

	(void)state;
	assert_int_equal(parse("{\"segments\":{\"0\":{\"type\":\"crypt\"}}}", &metadata),
			 COF_E_FORMAT);
}

static void test_metadata_refuses_size_that_is_no_number(void **state)
{
	struct luks_metadata metadata;

	(void)state;
	assert_int_equal(
		parse("{\"segments\":{\"0\":{\"type\":\"crypt\",\"size\":\"big\"}}}", &metadata),
		COF_E_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_metadata_reads_plain_segment),
		cmocka_unit_test(test_metadata_reads_fixed_length),
		cmocka_unit_test(test_metadata_reads_integrity),
		cmocka_unit_test(test_metadata_sees_opal),
		cmocka_unit_test(test_metadata_sees_reencryption_by_requirement),
		cmocka_unit_test(test_metadata_sees_reencryption_by_segments),
		cmocka_unit_test(test_metadata_passes_over_backup_segments),
		cmocka_unit_test(test_metadata_refuses_what_is_not_json),
		cmocka_unit_test(test_metadata_refuses_missing_segments),
		cmocka_unit_test(test_metadata_refuses_segment_without_size),
		cmocka_unit_test(test_metadata_refuses_size_that_is_no_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
