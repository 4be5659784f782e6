/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An OpenSSL that lacks the algorithms, as a broken configuration makes it: every function says
 * so with COF_E_FAILED; and one that gets no memory. A program of its own, because the library
 * keeps what it once found, and asks for its allocator once.
 */
#include "vectors.h"

#include <openssl/crypto.h>
#include <openssl/provider.h>

#include "aead.h"
#include "kdf.h"
#include "keywrap.h"

static const uint8_t zeros[64];

static OSSL_PROVIDER *empty_provider;
static bool memory_is_out;

/* OpenSSL's malloc() and realloc(), until a test says that there is no more. */
static void *allocate(size_t len, const char *file, int line)
{
	return memory_is_out ? NULL : malloc(len);
}

static void *reallocate(void *old, size_t len, const char *file, int line)
{
	return memory_is_out ? NULL : realloc(old, len);
}

static void release(void *old, const char *file, int line)
{
	free(old);
}

static int load_empty_provider(void **state)
{
	empty_provider = OSSL_PROVIDER_load(NULL, "null");
	return empty_provider ? 0 : -1;
}

static int unload_empty_provider(void **state)
{
	return OSSL_PROVIDER_unload(empty_provider) == 1 ? 0 : -1;
}

static void test_sha256_without_algorithm_fails(void **state)
{
	uint8_t digest[SHA256_BYTES];

	assert_fails(sha256(span_of_text("abc"), digest, NULL), COF_E_FAILED);
}

static void test_hmac_sha256_without_algorithm_fails(void **state)
{
	_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;
	uint8_t digest[SHA256_BYTES];

	assert_ok(wrap_key_new(32, &key, NULL));
	assert_fails(hmac_sha256(key, span_of_text("abc"), digest, NULL), COF_E_FAILED);
}

static void test_hkdf_sha256_without_algorithm_fails(void **state)
{
	_cleanup_secret_ struct secret *out = NULL;

	assert_ok(secret_new(32, &out, NULL));
	assert_fails(hkdf_sha256(span_of_text("abc"), SPAN(NULL, 0), SPAN(NULL, 0), out, NULL),
		     COF_E_FAILED);
}

static void test_aead_seal_without_algorithm_leaves_buffer_as_it_was(void **state)
{
	_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;
	_cleanup_buffer_ struct buffer sealed = { 0 };

	assert_ok(wrap_key_new(32, &key, NULL));
	assert_fails(aead_seal(key, zeros, SPAN(NULL, 0), SPAN(zeros, 32), &sealed, NULL),
		     COF_E_FAILED);
	assert_int_equal(sealed.len, 0);
}

static void test_aead_open_without_algorithm_fails(void **state)
{
	_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;
	struct secret *plain = NULL;

	assert_ok(wrap_key_new(32, &key, NULL));
	assert_fails(aead_open(key, zeros, SPAN(NULL, 0), SPAN(zeros, 32), "x", &plain, NULL),
		     COF_E_FAILED);
}

static void test_keywrap_without_algorithm_fails(void **state)
{
	_cleanup_buffer_ struct buffer wrapped = { 0 };
	struct secret *key = NULL;

	assert_fails(
		keywrap_wrap(KEYWRAP_RFC3394, SPAN(zeros, 16), SPAN(zeros, 16), &wrapped, NULL),
		COF_E_FAILED);
	assert_int_equal(wrapped.len, 0);
	/* Not COF_E_KEY: that would blame the user's key. */
	assert_fails(keywrap_unwrap(KEYWRAP_RFC3394, SPAN(zeros, 16), SPAN(zeros, 24), &key, NULL),
		     COF_E_FAILED);
}

static void test_keywrap_without_memory_is_nomem(void **state)
{
	_cleanup_buffer_ struct buffer wrapped = { 0 };
	struct secret *key = NULL;
	cof_result wrapping, unwrapping;

	memory_is_out = true;
	wrapping = keywrap_wrap(KEYWRAP_RFC3394, SPAN(zeros, 16), SPAN(zeros, 16), &wrapped, NULL);
	unwrapping = keywrap_unwrap(KEYWRAP_RFC3394, SPAN(zeros, 16), SPAN(zeros, 24), &key, NULL);
	memory_is_out = false;
	assert_fails(wrapping, COF_E_NOMEM);
	assert_fails(unwrapping, COF_E_NOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha256_without_algorithm_fails),
		cmocka_unit_test(test_hmac_sha256_without_algorithm_fails),
		cmocka_unit_test(test_hkdf_sha256_without_algorithm_fails),
		cmocka_unit_test(test_aead_seal_without_algorithm_leaves_buffer_as_it_was),
		cmocka_unit_test(test_aead_open_without_algorithm_fails),
		cmocka_unit_test(test_keywrap_without_algorithm_fails),
		cmocka_unit_test(test_keywrap_without_memory_is_nomem),
	};

	if (CRYPTO_set_mem_functions(allocate, reallocate, release) != 1)
		return 1;
	return cmocka_run_group_tests(tests, load_empty_provider, unload_empty_provider);
}
