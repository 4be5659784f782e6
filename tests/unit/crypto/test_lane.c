/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Both libraries behind a lane: vector 10 of IEEE 1619-2007, annex B, in its first and last blocks,
 * and the same bytes from both for units of every length that a sector can have.
 */

#include "unit.h"

#include "lane.h"
#include "number.h"

#define KEY_256                                                                                    \
	"2718281828459045235360287471352662497757247093699959574966967627"                         \
	"3141592653589793238462643383279502884197169399375105820974944592"
#define UNIT_MAX 4096

static struct lane *lane_of(const char *cipher, size_t key_bytes, bool encrypt,
			    enum lane_library library)
{
	struct lane_spec spec = { .cipher = cipher, .encrypt = encrypt, .library = library };
	struct lane *lane = NULL;
	uint8_t key[64];

	assert_ok(hex_parse(KEY_256, key, sizeof(key), NULL));
	assert_ok(lane_new(&spec, SPAN(key, key_bytes), &lane, NULL));
	return lane;
}

/* 00 01 .. ff, over and over. */
static void counting_text(uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)i;
}

static void check_vector_10(enum lane_library library)
{
	static const uint8_t iv[LANE_IV_BYTES] = { 0xff };
	struct lane *lane = lane_of("AES-256-XTS", 64, true, library);
	uint8_t bytes[512];
	uint8_t first[16];
	uint8_t last[16];

	assert_int_equal(lane_library(lane), library);
	assert_ok(hex_parse("1c3b3a102f770386e4836c99e370cf9b", first, sizeof(first), NULL));
	assert_ok(hex_parse("c4f36ffda9fcea70b9c6e693e148c151", last, sizeof(last), NULL));
	counting_text(bytes, sizeof(bytes));
	assert_ok(lane_run(lane, iv, bytes, bytes, sizeof(bytes), NULL));
	assert_memory_equal(bytes, first, sizeof(first));
	assert_memory_equal(bytes + sizeof(bytes) - sizeof(last), last, sizeof(last));
	lane_free(lane);
}

static void test_openssl_gives_ieee1619_vector_10(void **state)
{
	(void)state;
	check_vector_10(LANE_OPENSSL);
}

static void test_libgcrypt_gives_ieee1619_vector_10(void **state)
{
	(void)state;
	check_vector_10(LANE_GCRYPT);
}

/* One unit through both, from one buffer to another and in place. */
static void check_same(struct lane *one, struct lane *other, size_t len, uint8_t number)
{
	static uint8_t in[UNIT_MAX];
	static uint8_t a[UNIT_MAX];
	static uint8_t b[UNIT_MAX];
	uint8_t iv[LANE_IV_BYTES] = { number, 0xff, number };

	counting_text(in, len);
	assert_ok(lane_run(one, iv, in, a, len, NULL));
	assert_ok(lane_run(other, iv, in, b, len, NULL));
	assert_memory_equal(a, b, len);
	assert_memory_not_equal(a, in, len);
	assert_ok(lane_run(other, iv, in, in, len, NULL));
	assert_memory_equal(a, in, len);
}

static void test_both_libraries_give_the_same(void **state)
{
	static const struct {
		const char *cipher;
		size_t key_bytes;
	} xts[] = { { "AES-128-XTS", 32 }, { "AES-256-XTS", 64 } };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		bool encrypt = i % 2 == 0;
		struct lane *one =
			lane_of(xts[i / 2].cipher, xts[i / 2].key_bytes, encrypt, LANE_OPENSSL);
		struct lane *other =
			lane_of(xts[i / 2].cipher, xts[i / 2].key_bytes, encrypt, LANE_GCRYPT);

		for (size_t len = LANE_IV_BYTES; len <= UNIT_MAX; len += LANE_IV_BYTES)
			check_same(one, other, len, (uint8_t)(len / LANE_IV_BYTES));
		lane_free(one);
		lane_free(other);
	}
}

static void test_key_of_another_length_is_refused(void **state)
{
	struct lane_spec spec = { .cipher = "AES-256-XTS" };
	struct cof_error err = { 0 };
	struct lane *lane = NULL;
	uint8_t key[32] = { 1 };

	(void)state;
	assert_fails(lane_new(&spec, SPAN(key, sizeof(key)), &lane, &err), COF_E_FAILED);
	assert_null(lane);
}

static void test_libgcrypt_is_asked_for_xts_alone(void **state)
{
	struct lane_spec spec = { .cipher = "AES-256-CBC", .library = LANE_GCRYPT };
	struct cof_error err = { 0 };
	struct lane *lane = NULL;
	uint8_t key[32] = { 1 };

	(void)state;
	assert_fails(lane_new(&spec, SPAN(key, sizeof(key)), &lane, &err), COF_E_FAILED);
	assert_null(lane);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_openssl_gives_ieee1619_vector_10),
		cmocka_unit_test(test_libgcrypt_gives_ieee1619_vector_10),
		cmocka_unit_test(test_both_libraries_give_the_same),
		cmocka_unit_test(test_key_of_another_length_is_refused),
		cmocka_unit_test(test_libgcrypt_is_asked_for_xts_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
