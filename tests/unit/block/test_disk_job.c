/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include "disk_job.h"
#include "json.h"

static void test_job_survives_its_meta(void **state)
{
	struct disk_job before = { .stage = JOB_DRAFTED,
				   .size_bytes = 1u << 30,
				   .data_bytes = 1u << 29,
				   .sector_bytes = 4096,
				   .shrink = true,
				   .proof = "0123" };
	struct disk_job after;
	_cleanup_json_ struct json *meta = disk_job_to_meta(&before);

	(void)state;
	assert_ok(disk_job_from_meta(meta, &after, NULL));
	assert_int_equal(after.stage, before.stage);
	assert_int_equal(after.size_bytes, before.size_bytes);
	assert_int_equal(after.data_bytes, before.data_bytes);
	assert_int_equal(after.sector_bytes, before.sector_bytes);
	assert_true(after.shrink);
	assert_string_equal(after.proof, before.proof);
}

static void test_job_of_an_unknown_stage_is_refused(void **state)
{
	struct disk_job job;
	_cleanup_json_ struct json *meta = json_new_object();

	(void)state;
	assert_fails(disk_job_from_meta(meta, &job, NULL), COF_E_FORMAT);
	json_set_text(meta, "stage", "flying");
	assert_fails(disk_job_from_meta(meta, &job, NULL), COF_E_FORMAT);
}

static void test_job_with_a_long_proof_is_refused(void **state)
{
	char proof[JOB_PROOF_CHARS + 2];
	struct disk_job job;
	_cleanup_json_ struct json *meta = json_new_object();

	(void)state;
	memset(proof, 'a', sizeof(proof) - 1);
	proof[sizeof(proof) - 1] = '\0';
	json_set_text(meta, "stage", "running");
	json_set_text(meta, "proof", proof);
	assert_fails(disk_job_from_meta(meta, &job, NULL), COF_E_FORMAT);
}

static void test_room_for_a_header_is_counted_from_the_end(void **state)
{
	uint64_t size = 200u << 20;

	(void)state;
	assert_int_equal(encrypt_most_bytes(size), 168u << 20);
	assert_ok(encrypt_check_room("sdj", 168u << 20, size, NULL));
	assert_fails(encrypt_check_room("sdj", (168u << 20) + 1, size, NULL), COF_E_REFUSED);
	assert_fails(encrypt_check_room("sdj", size + 1, size, NULL), COF_E_REFUSED);
	assert_fails(encrypt_check_room("sdj", 0, 32u << 20, NULL), COF_E_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_job_survives_its_meta),
		cmocka_unit_test(test_job_of_an_unknown_stage_is_refused),
		cmocka_unit_test(test_job_with_a_long_proof_is_refused),
		cmocka_unit_test(test_room_for_a_header_is_counted_from_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
