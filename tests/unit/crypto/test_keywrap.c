/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vectors.h"

#include <openssl/evp.h>

#include "file.h"
#include "keywrap.h"

struct vector {
	enum keywrap_kind kind;
	const char *kek, *key, *wrapped;
};

#define KEK_256 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

/* RFC 3394, sections 4.1 to 4.6. */
static const struct vector rfc3394[] = {
	{ KEYWRAP_RFC3394, "000102030405060708090a0b0c0d0e0f", "00112233445566778899aabbccddeeff",
	  "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5" },
	{ KEYWRAP_RFC3394, "000102030405060708090a0b0c0d0e0f1011121314151617",
	  "00112233445566778899aabbccddeeff", "96778b25ae6ca435f92b5b97c050aed2468ab8a17ad84e5d" },
	{ KEYWRAP_RFC3394, KEK_256, "00112233445566778899aabbccddeeff",
	  "64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7" },
	{ KEYWRAP_RFC3394, "000102030405060708090a0b0c0d0e0f1011121314151617",
	  "00112233445566778899aabbccddeeff0001020304050607",
	  "031d33264e15d33268f24ec260743edce1c6c7ddee725a936ba814915c6762d2" },
	{ KEYWRAP_RFC3394, KEK_256, "00112233445566778899aabbccddeeff0001020304050607",
	  "a8f9bc1612c68b3ff6e6f4fbe30e71e4769c8b80a32cb8958cd5d17d6b254da1" },
	{ KEYWRAP_RFC3394, KEK_256,
	  "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f",
	  "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43b"
	  "fb988b9b7a02dd21" },
};

/* RFC 5649, section 6. */
static const struct vector rfc5649[] = {
	{ KEYWRAP_RFC5649, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8",
	  "c37b7e6492584340bed12207808941155068f738",
	  "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a" },
	{ KEYWRAP_RFC5649, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8", "466f7250617369",
	  "afbeb0f07dfbf5419200f2ccb50bb24f" },
};

static void check_wraps(const struct vector *vector)
{
	_cleanup_buffer_ struct buffer wrapped = { 0 };
	uint8_t kek[64], key[64];

	assert_ok(keywrap_wrap(vector->kind, from_hex(vector->kek, kek), from_hex(vector->key, key),
			       &wrapped, NULL));
	assert_hex(buffer_span(&wrapped), vector->wrapped);
}

static void check_unwraps(const struct vector *vector)
{
	_cleanup_secret_ struct secret *key = NULL;
	uint8_t kek[64], wrapped[64];

	assert_ok(keywrap_unwrap(vector->kind, from_hex(vector->kek, kek),
				 from_hex(vector->wrapped, wrapped), &key, NULL));
	assert_hex(secret_span(key), vector->key);
}

static void test_keywrap_wrap_rfc3394_gives_known_answers(void **state)
{
	for (size_t i = 0; i < 6; i++)
		check_wraps(&rfc3394[i]);
}

static void test_keywrap_unwrap_rfc3394_gives_known_answers(void **state)
{
	for (size_t i = 0; i < 6; i++)
		check_unwraps(&rfc3394[i]);
}

static void test_keywrap_wrap_rfc5649_gives_known_answers(void **state)
{
	for (size_t i = 0; i < 2; i++)
		check_wraps(&rfc5649[i]);
}

static void test_keywrap_unwrap_rfc5649_gives_known_answers(void **state)
{
	for (size_t i = 0; i < 2; i++)
		check_unwraps(&rfc5649[i]);
}

static void test_keywrap_wrap_appends_to_buffer(void **state)
{
	_cleanup_buffer_ struct buffer wrapped = { 0 };
	uint8_t kek[64], key[64];

	assert_ok(buffer_add(&wrapped, "head", 4, NULL));
	assert_ok(keywrap_wrap(KEYWRAP_RFC3394, from_hex(rfc3394[0].kek, kek),
			       from_hex(rfc3394[0].key, key), &wrapped, NULL));
	assert_int_equal(wrapped.len, 4 + 24);
	assert_memory_equal(wrapped.data, "head", 4);
	assert_hex(SPAN(wrapped.data + 4, 24), rfc3394[0].wrapped);
}

static void test_keywrap_rfc5649_every_length_comes_back(void **state)
{
	uint8_t kek[32] = { 1 }, key[100];

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i * 7);
	for (size_t len = 1; len <= sizeof(key); len++) {
		_cleanup_buffer_ struct buffer wrapped = { 0 };
		_cleanup_secret_ struct secret *back = NULL;

		assert_ok(keywrap_wrap(KEYWRAP_RFC5649, SPAN(kek, 32), SPAN(key, len), &wrapped,
				       NULL));
		assert_int_equal(wrapped.len, (len + 7) / 8 * 8 + 8);
		assert_ok(keywrap_unwrap(KEYWRAP_RFC5649, SPAN(kek, 32), buffer_span(&wrapped),
					 &back, NULL));
		assert_int_equal(back->len, len);
		assert_memory_equal(back->data, key, len);
	}
}

/* Flips every bit of one wrapped key in turn: none of the results may open. */
static void check_refuses_flips(const struct vector *vector)
{
	struct secret *const untouched = (struct secret *)(uintptr_t)1;
	uint8_t kek_room[64], wrapped_room[64];
	struct span kek = from_hex(vector->kek, kek_room);
	struct span wrapped = from_hex(vector->wrapped, wrapped_room);

	for (size_t bit = 0; bit < wrapped.len * 8; bit++) {
		struct secret *key = untouched;

		wrapped_room[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_fails(keywrap_unwrap(vector->kind, kek, wrapped, &key, NULL), COF_E_KEY);
		assert_ptr_equal(key, untouched);
		wrapped_room[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void test_keywrap_unwrap_rfc3394_refuses_each_flipped_bit(void **state)
{
	check_refuses_flips(&rfc3394[5]);
}

static void test_keywrap_unwrap_rfc5649_refuses_each_flipped_bit(void **state)
{
	check_refuses_flips(&rfc5649[0]);
	check_refuses_flips(&rfc5649[1]);
}

static void test_keywrap_unwrap_refuses_wrong_kek(void **state)
{
	uint8_t kek[64], wrapped[64];
	struct secret *key = NULL;

	(void)from_hex(rfc3394[0].kek, kek);
	kek[0] ^= 1;
	assert_fails(keywrap_unwrap(KEYWRAP_RFC3394, SPAN(kek, 16),
				    from_hex(rfc3394[0].wrapped, wrapped), &key, NULL),
		     COF_E_KEY);
}

static void test_keywrap_unwrap_refuses_the_other_standard(void **state)
{
	uint8_t kek[64], wrapped[64];
	struct secret *key = NULL;

	assert_fails(keywrap_unwrap(KEYWRAP_RFC5649, from_hex(rfc3394[0].kek, kek),
				    from_hex(rfc3394[0].wrapped, wrapped), &key, NULL),
		     COF_E_KEY);
}

static void test_keywrap_refuses_kek_of_other_length(void **state)
{
	_cleanup_buffer_ struct buffer wrapped = { 0 };
	uint8_t bytes[48] = { 0 };
	struct secret *key = NULL;

	for (size_t len = 0; len <= 40; len++) {
		if (len == 16 || len == 24 || len == 32)
			continue;
		assert_fails(keywrap_wrap(KEYWRAP_RFC3394, SPAN(bytes, len), SPAN(bytes, 16),
					  &wrapped, NULL),
			     COF_E_FORMAT);
		assert_fails(keywrap_unwrap(KEYWRAP_RFC3394, SPAN(bytes, len), SPAN(bytes, 24),
					    &key, NULL),
			     COF_E_FORMAT);
	}
}

static void test_keywrap_wrap_rfc3394_refuses_odd_lengths(void **state)
{
	static const size_t lengths[] = { 0, 1, 7, 8, 15, 17, 23, 25, ((size_t)8 << 20) + 8 };
	_cleanup_buffer_ struct buffer wrapped = { 0 };
	uint8_t bytes[32] = { 0 };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		assert_fails(keywrap_wrap(KEYWRAP_RFC3394, SPAN(bytes, 16), SPAN(bytes, lengths[i]),
					  &wrapped, NULL),
			     COF_E_FORMAT);
}

static void test_keywrap_wrap_rfc5649_refuses_empty_and_huge(void **state)
{
	_cleanup_buffer_ struct buffer wrapped = { 0 };
	uint8_t bytes[32] = { 0 };

	assert_fails(keywrap_wrap(KEYWRAP_RFC5649, SPAN(bytes, 16), SPAN(bytes, 0), &wrapped, NULL),
		     COF_E_FORMAT);
	assert_fails(keywrap_wrap(KEYWRAP_RFC5649, SPAN(bytes, 16),
				  SPAN(bytes, ((size_t)8 << 20) + 1), &wrapped, NULL),
		     COF_E_FORMAT);
}

static void test_keywrap_unwrap_refuses_odd_lengths(void **state)
{
	static const size_t lengths[] = { 0, 1, 8, 15, 16, 23, 25, 31, ((size_t)8 << 20) + 16 };
	uint8_t bytes[32] = { 0 };
	struct secret *key = NULL;

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		assert_fails(keywrap_unwrap(KEYWRAP_RFC3394, SPAN(bytes, 16),
					    SPAN(bytes, lengths[i]), &key, NULL),
			     COF_E_FORMAT);
		/* Two units are the least that RFC 5649 makes. */
		if (lengths[i] != 16)
			assert_fails(keywrap_unwrap(KEYWRAP_RFC5649, SPAN(bytes, 16),
						    SPAN(bytes, lengths[i]), &key, NULL),
				     COF_E_FORMAT);
	}
}

/* Reads a sample of Bareos; without its `=` the base 64 is not whole for the library. */
static size_t read_sample(const char *name, uint8_t decoded[static 64])
{
	_cleanup_buffer_ struct buffer text = { 0 };
	_cleanup_free_ char *path = NULL;

	assert_ok(path_format(&path, NULL, TEST_DATA "/bareos/%s", name));
	assert_ok(file_read(path, 128, &text, NULL));
	assert_int_equal(text.len, 54);
	assert_ok(buffer_add(&text, "==", 2, NULL));
	assert_int_equal(EVP_DecodeBlock(decoded, text.data, (int)text.len), 42);
	return 40;
}

static void test_keywrap_unwrap_opens_bareos_samples(void **state)
{
	static const char *const samples[][2] = {
		{ "wrapped1.b64", "m>iuD^5C@MF0fkp)-+RRzyPK1P+%T]#A" },
		{ "wrapped2.b64", "7W_qL*GO^%l+>XPxMJc(DG9ONNg8O{HX" },
		{ "wrapped3.b64", "acGLmeLzRYzi^kwBP)BaX=CQt=de|#@q" },
	};
	_cleanup_buffer_ struct buffer kek = { 0 };

	assert_ok(file_read(TEST_DATA "/bareos/kek.txt", 64, &kek, NULL));
	for (size_t i = 0; i < 3; i++) {
		_cleanup_secret_ struct secret *key = NULL;
		uint8_t wrapped[64];
		size_t len = read_sample(samples[i][0], wrapped);

		assert_ok(keywrap_unwrap(KEYWRAP_RFC3394, SPAN(kek.data, 16), SPAN(wrapped, len),
					 &key, NULL));
		assert_int_equal(key->len, 32);
		assert_memory_equal(key->data, samples[i][1], 32);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keywrap_wrap_rfc3394_gives_known_answers),
		cmocka_unit_test(test_keywrap_unwrap_rfc3394_gives_known_answers),
		cmocka_unit_test(test_keywrap_wrap_rfc5649_gives_known_answers),
		cmocka_unit_test(test_keywrap_unwrap_rfc5649_gives_known_answers),
		cmocka_unit_test(test_keywrap_wrap_appends_to_buffer),
		cmocka_unit_test(test_keywrap_rfc5649_every_length_comes_back),
		cmocka_unit_test(test_keywrap_unwrap_rfc3394_refuses_each_flipped_bit),
		cmocka_unit_test(test_keywrap_unwrap_rfc5649_refuses_each_flipped_bit),
		cmocka_unit_test(test_keywrap_unwrap_refuses_wrong_kek),
		cmocka_unit_test(test_keywrap_unwrap_refuses_the_other_standard),
		cmocka_unit_test(test_keywrap_refuses_kek_of_other_length),
		cmocka_unit_test(test_keywrap_wrap_rfc3394_refuses_odd_lengths),
		cmocka_unit_test(test_keywrap_wrap_rfc5649_refuses_empty_and_huge),
		cmocka_unit_test(test_keywrap_unwrap_refuses_odd_lengths),
		cmocka_unit_test(test_keywrap_unwrap_opens_bareos_samples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
