/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store_rig.h"

#include "compress.h"

#define CHUNK_BYTES 65536

static void test_compressor_gives_back_what_it_took(void **state)
{
	_cleanup_(compressor_freep) struct compressor *compressor = NULL;
	_cleanup_free_ uint8_t *plain = calloc(1, CHUNK_BYTES);
	_cleanup_free_ uint8_t *out = malloc(CHUNK_BYTES);
	_cleanup_free_ uint8_t *copy = malloc(CHUNK_BYTES);
	struct span packed;
	size_t len;

	assert_ok(compressor_new(&compressor, NULL));
	fill(plain, CHUNK_BYTES / 4, 1);
	assert_ok(compressor_pack(compressor, SPAN(plain, CHUNK_BYTES), &packed, NULL));
	assert_in_range(packed.len, 1, CHUNK_BYTES / 2);
	len = packed.len;
	memcpy(copy, packed.data, len);
	assert_ok(compressor_unpack(compressor, SPAN(copy, len), out, CHUNK_BYTES, "test", NULL));
	assert_memory_equal(out, plain, CHUNK_BYTES);
	/* Any other length, and any shorter frame, is refused. */
	assert_fails(
		compressor_unpack(compressor, SPAN(copy, len), out, CHUNK_BYTES - 1, "test", NULL),
		COF_E_FORMAT);
	assert_fails(
		compressor_unpack(compressor, SPAN(copy, len - 1), out, CHUNK_BYTES, "test", NULL),
		COF_E_FORMAT);
}

static void test_compressor_leaves_noise_alone(void **state)
{
	_cleanup_(compressor_freep) struct compressor *compressor = NULL;
	_cleanup_free_ uint8_t *plain = malloc(CHUNK_BYTES);
	struct span packed;

	assert_ok(compressor_new(&compressor, NULL));
	fill(plain, CHUNK_BYTES, 1);
	for (size_t len = 1; len <= CHUNK_BYTES; len *= 4) {
		assert_ok(compressor_pack(compressor, SPAN(plain, len), &packed, NULL));
		assert_int_equal(packed.len, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compressor_gives_back_what_it_took),
		cmocka_unit_test(test_compressor_leaves_noise_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
