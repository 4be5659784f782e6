/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vectors.h"

#include "kdf.h"

static void check_sha256(struct span data, const char *digest)
{
	uint8_t out[SHA256_BYTES];

	assert_ok(sha256(data, out, NULL));
	assert_hex(SPAN(out, sizeof(out)), digest);
}

/* The examples of FIPS 180-4 and the empty message. */
static void test_sha256_gives_known_answers(void **state)
{
	check_sha256(span_of_text(""),
		     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	check_sha256(span_of_text("abc"),
		     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	check_sha256(span_of_text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
		     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void test_sha256_million_bytes_gives_known_answer(void **state)
{
	_cleanup_free_ uint8_t *data = malloc(1000000);

	assert_non_null(data);
	memset(data, 'a', 1000000);
	check_sha256(SPAN(data, 1000000),
		     "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void test_sha256_in_pieces_is_that_of_the_whole(void **state)
{
	_cleanup_(sha256_run_freep) struct sha256_run *run = NULL;
	uint8_t out[SHA256_BYTES];

	assert_ok(sha256_start(&run, NULL));
	assert_ok(sha256_add(run, span_of_text("a"), NULL));
	assert_ok(sha256_now(run, out, NULL));
	assert_ok(sha256_add(run, span_of_text("bc"), NULL));
	assert_ok(sha256_now(run, out, NULL));
	assert_hex(SPAN(out, sizeof(out)),
		   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void check_hmac(const char *key_hex, struct span data, const char *digest)
{
	_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;
	uint8_t room[256], out[SHA256_BYTES];

	assert_ok(wrap_key_copy(from_hex(key_hex, room), &key, NULL));
	assert_ok(hmac_sha256(key, data, out, NULL));
	/* RFC 4231's case 5 prints only the first half. */
	assert_hex(SPAN(out, strlen(digest) / 2), digest);
}

/* RFC 4231, sections 4.2 to 4.6. */
static void test_hmac_sha256_gives_known_answers(void **state)
{
	uint8_t data[64];

	check_hmac("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", span_of_text("Hi There"),
		   "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	check_hmac("4a656665", span_of_text("what do ya want for nothing?"),
		   "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(data, 0xdd, 50);
	check_hmac("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", SPAN(data, 50),
		   "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
	memset(data, 0xcd, 50);
	check_hmac("0102030405060708090a0b0c0d0e0f10111213141516171819", SPAN(data, 50),
		   "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
	check_hmac("0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c", span_of_text("Test With Truncation"),
		   "a3b6167473100ee06e0c796c2955552b");
}

/* RFC 4231, sections 4.7 and 4.8: keys longer than a block of the hash. */
static void test_hmac_sha256_long_keys_give_known_answers(void **state)
{
	char key[2 * 131 + 1];

	memset(key, 'a', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	check_hmac(key, span_of_text("Test Using Larger Than Block-Size Key - Hash Key First"),
		   "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	check_hmac(key,
		   span_of_text("This is a test using a larger than block-size key and a larger "
				"than block-size data. The key needs to be hashed before being "
				"used by the HMAC algorithm."),
		   "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

static void check_hkdf(const char *input_hex, const char *salt_hex, const char *info_hex,
		       const char *expected)
{
	_cleanup_secret_ struct secret *out = NULL;
	uint8_t input[128], salt[128], info[128];

	assert_ok(secret_new(strlen(expected) / 2, &out, NULL));
	assert_ok(hkdf_sha256(from_hex(input_hex, input), from_hex(salt_hex, salt),
			      from_hex(info_hex, info), out, NULL));
	assert_hex(secret_span(out), expected);
}

/* RFC 5869, appendix A.1 to A.3. */
static void test_hkdf_sha256_gives_known_answers(void **state)
{
	check_hkdf("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
		   "f0f1f2f3f4f5f6f7f8f9",
		   "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
		   "34007208d5b887185865");
	check_hkdf("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
		   "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
		   "404142434445464748494a4b4c4d4e4f",
		   "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"
		   "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
		   "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
		   "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
		   "d0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeef"
		   "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
		   "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
		   "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
		   "cc30c58179ec3e87c14c01d5c1f3434f1d87");
	check_hkdf("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
		   "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
		   "9d201395faa4b61a96c8");
}

static void test_hkdf_sha256_longest_info_is_taken(void **state)
{
	_cleanup_secret_ struct secret *out = NULL;
	uint8_t info[1024] = { 0 };

	assert_ok(secret_new(32, &out, NULL));
	assert_ok(hkdf_sha256(span_of_text("key"), SPAN(NULL, 0), SPAN(info, 1024), out, NULL));
}

static void test_hkdf_sha256_refuses_longer_info(void **state)
{
	_cleanup_secret_ struct secret *out = NULL;
	uint8_t info[1025] = { 0 };

	assert_ok(secret_new(32, &out, NULL));
	assert_fails(hkdf_sha256(span_of_text("key"), SPAN(NULL, 0), SPAN(info, 1025), out, NULL),
		     COF_E_FORMAT);
}

static void test_hkdf_sha256_refuses_empty_input(void **state)
{
	_cleanup_secret_ struct secret *out = NULL;

	assert_ok(secret_new(32, &out, NULL));
	assert_fails(hkdf_sha256(SPAN(NULL, 0), span_of_text("salt"), SPAN(NULL, 0), out, NULL),
		     COF_E_FORMAT);
}

static void test_hkdf_sha256_refuses_more_than_255_blocks(void **state)
{
	_cleanup_secret_ struct secret *out = NULL;

	assert_ok(secret_new(255 * SHA256_BYTES + 1, &out, NULL));
	assert_fails(hkdf_sha256(span_of_text("key"), SPAN(NULL, 0), SPAN(NULL, 0), out, NULL),
		     COF_E_FORMAT);
	secret_shrink(out, 255 * SHA256_BYTES);
	assert_ok(hkdf_sha256(span_of_text("key"), SPAN(NULL, 0), SPAN(NULL, 0), out, NULL));
}

static void test_random_bytes_fills_all_and_differs(void **state)
{
	uint8_t first[4096] = { 0 }, second[4096] = { 0 };
	unsigned int bits = 0;

	assert_ok(random_bytes(first, sizeof(first), NULL));
	assert_ok(random_bytes(second, sizeof(second), NULL));
	assert_memory_not_equal(first, second, sizeof(first));
	assert_memory_not_equal(first + 4064, second + 4064, 32);
	for (size_t i = 0; i < sizeof(first); i++)
		bits += (unsigned int)__builtin_popcount(first[i]);
	/* 16384 of 32768 on average; ten standard deviations of 90.5 are never seen. */
	assert_in_range(bits, 16384 - 905, 16384 + 905);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha256_gives_known_answers),
		cmocka_unit_test(test_sha256_million_bytes_gives_known_answer),
		cmocka_unit_test(test_sha256_in_pieces_is_that_of_the_whole),
		cmocka_unit_test(test_hmac_sha256_gives_known_answers),
		cmocka_unit_test(test_hmac_sha256_long_keys_give_known_answers),
		cmocka_unit_test(test_hkdf_sha256_gives_known_answers),
		cmocka_unit_test(test_hkdf_sha256_longest_info_is_taken),
		cmocka_unit_test(test_hkdf_sha256_refuses_longer_info),
		cmocka_unit_test(test_hkdf_sha256_refuses_empty_input),
		cmocka_unit_test(test_hkdf_sha256_refuses_more_than_255_blocks),
		cmocka_unit_test(test_random_bytes_fills_all_and_differs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
