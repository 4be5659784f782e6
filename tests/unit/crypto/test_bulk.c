/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vectors.h"

#include "bulk.h"

#define TEXT_BYTES 1000

static void make_keys(struct data_key **ret_data, struct wrap_key **ret_wrap)
{
	assert_ok(data_key_random(AEAD_KEY_BYTES, ret_data, NULL));
	assert_ok(wrap_key_copy(data_key_span(*ret_data), ret_wrap, NULL));
}

static void test_gcm_gives_the_bytes_of_aead(void **state)
{
	_cleanup_(data_key_freep) struct data_key *key = NULL;
	_cleanup_(wrap_key_freep) struct wrap_key *same = NULL;
	_cleanup_(gcm_freep) struct gcm *seal = NULL;
	_cleanup_(gcm_freep) struct gcm *open = NULL;
	uint8_t text[TEXT_BYTES], out[TEXT_BYTES + AEAD_TAG_BYTES], back[TEXT_BYTES];

	make_keys(&key, &same);
	assert_ok(gcm_new(key, true, &seal, NULL));
	assert_ok(gcm_new(key, false, &open, NULL));
	for (size_t len = 1; len <= TEXT_BYTES; len += 111) {
		_cleanup_buffer_ struct buffer sealed = { 0 };
		uint8_t nonce[AEAD_NONCE_BYTES] = { (uint8_t)len };

		memset(text, (int)len, sizeof(text));
		assert_ok(gcm_seal(seal, nonce, SPAN("ctx", 3), SPAN(text, len), out, NULL));
		assert_ok(aead_seal(same, nonce, SPAN("ctx", 3), SPAN(text, len), &sealed, NULL));
		assert_memory_equal(out, sealed.data, sealed.len);
		assert_ok(gcm_open(open, nonce, SPAN("ctx", 3), SPAN(out, len + AEAD_TAG_BYTES),
				   back, "test", NULL));
		assert_memory_equal(back, text, len);
	}
}

static void test_gcm_open_refuses_what_was_altered_and_goes_on(void **state)
{
	_cleanup_(data_key_freep) struct data_key *key = NULL;
	_cleanup_(wrap_key_freep) struct wrap_key *same = NULL;
	_cleanup_(gcm_freep) struct gcm *seal = NULL;
	_cleanup_(gcm_freep) struct gcm *open = NULL;
	const uint8_t nonce[AEAD_NONCE_BYTES] = { 1 };
	const uint8_t other[AEAD_NONCE_BYTES] = { 2 };
	uint8_t out[5 + AEAD_TAG_BYTES], back[5];

	make_keys(&key, &same);
	assert_ok(gcm_new(key, true, &seal, NULL));
	assert_ok(gcm_new(key, false, &open, NULL));
	assert_ok(gcm_seal(seal, nonce, SPAN("ctx", 3), SPAN("plain", 5), out, NULL));
	for (size_t i = 0; i < sizeof(out); i++) {
		out[i] ^= 1;
		assert_fails(gcm_open(open, nonce, SPAN("ctx", 3), SPAN(out, sizeof(out)), back,
				      "test", NULL),
			     COF_E_AUTH);
		out[i] ^= 1;
	}
	assert_fails(
		gcm_open(open, nonce, SPAN("ctX", 3), SPAN(out, sizeof(out)), back, "test", NULL),
		COF_E_AUTH);
	assert_fails(
		gcm_open(open, other, SPAN("ctx", 3), SPAN(out, sizeof(out)), back, "test", NULL),
		COF_E_AUTH);
	assert_fails(gcm_open(open, nonce, SPAN("ctx", 3), SPAN(out, AEAD_TAG_BYTES), back, "test",
			      NULL),
		     COF_E_FORMAT);
	assert_ok(
		gcm_open(open, nonce, SPAN("ctx", 3), SPAN(out, sizeof(out)), back, "test", NULL));
	assert_memory_equal(back, "plain", 5);
}

static void test_gcm_refuses_lengths(void **state)
{
	_cleanup_(data_key_freep) struct data_key *key = NULL;
	_cleanup_(data_key_freep) struct data_key *shorter = NULL;
	_cleanup_(gcm_freep) struct gcm *gcm = NULL;
	const uint8_t nonce[AEAD_NONCE_BYTES] = { 0 };
	uint8_t out[AEAD_TAG_BYTES];

	assert_ok(data_key_random(AEAD_KEY_BYTES, &key, NULL));
	assert_ok(data_key_random(16, &shorter, NULL));
	assert_fails(gcm_new(shorter, true, &gcm, NULL), COF_E_FORMAT);
	assert_ok(gcm_new(key, true, &gcm, NULL));
	assert_fails(gcm_seal(gcm, nonce, SPAN("", 0), SPAN("", 0), out, NULL), COF_E_FORMAT);
}

static void test_mac_gives_the_digests_of_hmac(void **state)
{
	_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;
	_cleanup_(mac_freep) struct mac *mac = NULL;
	uint8_t text[TEXT_BYTES] = { 1, 2, 3 }, one[SHA256_BYTES], two[SHA256_BYTES];

	assert_ok(wrap_key_random(AEAD_KEY_BYTES, &key, NULL));
	assert_ok(mac_new(key, &mac, NULL));
	for (size_t len = 0; len <= TEXT_BYTES; len += 125) {
		assert_ok(mac_run(mac, SPAN(text, len), one, NULL));
		assert_ok(hmac_sha256(key, SPAN(text, len), two, NULL));
		assert_memory_equal(one, two, SHA256_BYTES);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gcm_gives_the_bytes_of_aead),
		cmocka_unit_test(test_gcm_open_refuses_what_was_altered_and_goes_on),
		cmocka_unit_test(test_gcm_refuses_lengths),
		cmocka_unit_test(test_mac_gives_the_digests_of_hmac),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
