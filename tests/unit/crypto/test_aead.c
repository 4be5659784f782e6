/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vectors.h"

#include "aead.h"

struct vector {
	const char *key, *nonce, *context, *plain, *sealed;
};

#define GCM_KEY "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
#define GCM_PLAIN                                                                                  \
	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"                         \
	"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define GCM_CIPHER                                                                                 \
	"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"                         \
	"8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
#define ZEROS_32 "0000000000000000000000000000000000000000000000000000000000000000"

/* The Galois/Counter Mode of Operation, appendix B: cases 13 to 16, whose keys have 256 bits. */
static const struct vector vectors[] = {
	{ ZEROS_32, "000000000000000000000000", "", "", "530f8afbc74536b9a963b4f1c4cb738b" },
	{ ZEROS_32, "000000000000000000000000", "", "00000000000000000000000000000000",
	  "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919" },
	{ GCM_KEY, "cafebabefacedbaddecaf888", "", GCM_PLAIN "1aafd255",
	  GCM_CIPHER "898015adb094dac5d93471bdec1a502270e3cc6c" },
	{ GCM_KEY, "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	  GCM_PLAIN, GCM_CIPHER "76fc6ece0f4e1768cddf8853bb2d551b" },
};

/* A vector as bytes. */
struct opened {
	struct wrap_key *key;
	uint8_t nonce[AEAD_NONCE_BYTES], context_room[64], plain_room[64], sealed_room[128];
	struct span context, plain, sealed;
};

static void opened_init(struct opened *opened, const struct vector *vector)
{
	uint8_t key[32];

	assert_ok(wrap_key_copy(from_hex(vector->key, key), &opened->key, NULL));
	(void)from_hex(vector->nonce, opened->nonce);
	opened->context = from_hex(vector->context, opened->context_room);
	opened->plain = from_hex(vector->plain, opened->plain_room);
	opened->sealed = from_hex(vector->sealed, opened->sealed_room);
}

static void opened_done(struct opened *opened)
{
	wrap_key_free(opened->key);
}

static void test_aead_seal_gives_known_answers(void **state)
{
	for (size_t i = 0; i < 4; i++) {
		_cleanup_(opened_done) struct opened v = { 0 };
		_cleanup_buffer_ struct buffer sealed = { 0 };

		opened_init(&v, &vectors[i]);
		assert_ok(aead_seal(v.key, v.nonce, v.context, v.plain, &sealed, NULL));
		assert_hex(buffer_span(&sealed), vectors[i].sealed);
	}
}

static void test_aead_open_gives_known_answers(void **state)
{
	for (size_t i = 1; i < 4; i++) {
		_cleanup_(opened_done) struct opened v = { 0 };
		_cleanup_secret_ struct secret *plain = NULL;

		opened_init(&v, &vectors[i]);
		assert_ok(aead_open(v.key, v.nonce, v.context, v.sealed, "x", &plain, NULL));
		assert_hex(secret_span(plain), vectors[i].plain);
	}
}

static void test_aead_seal_appends_to_buffer(void **state)
{
	_cleanup_(opened_done) struct opened v = { 0 };
	_cleanup_buffer_ struct buffer sealed = { 0 };

	opened_init(&v, &vectors[3]);
	assert_ok(buffer_add(&sealed, "head", 4, NULL));
	assert_ok(aead_seal(v.key, v.nonce, v.context, v.plain, &sealed, NULL));
	assert_memory_equal(sealed.data, "head", 4);
	assert_hex(SPAN(sealed.data + 4, sealed.len - 4), vectors[3].sealed);
}

/* Flips each bit of @room in turn; the sealed text must not open, and nothing may come out. */
static void check_refuses_flips(struct opened *v, uint8_t *room, size_t len)
{
	struct secret *const untouched = (struct secret *)(uintptr_t)1;

	for (size_t bit = 0; bit < len * 8; bit++) {
		struct secret *plain = untouched;

		room[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_fails(aead_open(v->key, v->nonce, v->context, v->sealed, "x", &plain, NULL),
			     COF_E_AUTH);
		assert_ptr_equal(plain, untouched);
		room[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void test_aead_open_refuses_each_flipped_bit_of_sealed(void **state)
{
	_cleanup_(opened_done) struct opened v = { 0 };

	opened_init(&v, &vectors[3]);
	check_refuses_flips(&v, v.sealed_room, v.sealed.len);
}

static void test_aead_open_refuses_each_flipped_bit_of_context(void **state)
{
	_cleanup_(opened_done) struct opened v = { 0 };

	opened_init(&v, &vectors[3]);
	check_refuses_flips(&v, v.context_room, v.context.len);
}

static void test_aead_open_refuses_each_flipped_bit_of_nonce(void **state)
{
	_cleanup_(opened_done) struct opened v = { 0 };

	opened_init(&v, &vectors[3]);
	check_refuses_flips(&v, v.nonce, sizeof(v.nonce));
}

static void test_aead_open_refuses_each_flipped_bit_of_key(void **state)
{
	_cleanup_(opened_done) struct opened v = { 0 };

	opened_init(&v, &vectors[3]);
	check_refuses_flips(&v, v.key->secret.data, v.key->secret.len);
}

static void test_aead_open_refuses_cut_off_text(void **state)
{
	_cleanup_(opened_done) struct opened v = { 0 };
	struct secret *plain = NULL;

	opened_init(&v, &vectors[3]);
	for (size_t len = AEAD_TAG_BYTES + 1; len < v.sealed.len; len++)
		assert_fails(aead_open(v.key, v.nonce, v.context, SPAN(v.sealed.data, len), "x",
				       &plain, NULL),
			     COF_E_AUTH);
}

static void test_aead_open_refuses_less_than_a_tag_and_a_byte(void **state)
{
	_cleanup_(opened_done) struct opened v = { 0 };
	struct secret *plain = NULL;

	opened_init(&v, &vectors[0]);
	for (size_t len = 0; len <= AEAD_TAG_BYTES; len++)
		assert_fails(aead_open(v.key, v.nonce, v.context, SPAN(v.sealed.data, len), "x",
				       &plain, NULL),
			     COF_E_FORMAT);
}

static void test_aead_refuses_key_of_other_length(void **state)
{
	static const size_t lengths[] = { 1, 16, 24, 31, 33, 64 };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;
		_cleanup_buffer_ struct buffer sealed = { 0 };
		struct secret *plain = NULL;
		uint8_t nonce[AEAD_NONCE_BYTES] = { 0 }, text[32] = { 0 };

		assert_ok(wrap_key_new(lengths[i], &key, NULL));
		assert_fails(aead_seal(key, nonce, SPAN(NULL, 0), SPAN(text, 32), &sealed, NULL),
			     COF_E_FORMAT);
		assert_fails(
			aead_open(key, nonce, SPAN(NULL, 0), SPAN(text, 32), "x", &plain, NULL),
			COF_E_FORMAT);
	}
}

static void test_aead_refuses_more_than_maximum(void **state)
{
	_cleanup_(opened_done) struct opened v = { 0 };
	_cleanup_buffer_ struct buffer sealed = { 0 };
	struct secret *plain = NULL;

	opened_init(&v, &vectors[3]);
	/* The length is refused before anything is read. */
	assert_fails(aead_seal(v.key, v.nonce, v.context,
			       SPAN(v.plain.data, (size_t)AEAD_MAX_BYTES + 1), &sealed, NULL),
		     COF_E_FORMAT);
	assert_fails(aead_open(v.key, v.nonce, SPAN(v.context.data, (size_t)AEAD_MAX_BYTES + 1),
			       v.sealed, "x", &plain, NULL),
		     COF_E_FORMAT);
}

static void test_aead_open_error_names_subject(void **state)
{
	_cleanup_(opened_done) struct opened v = { 0 };
	struct secret *plain = NULL;
	struct cof_error err = { 0 };

	opened_init(&v, &vectors[3]);
	v.nonce[0] ^= 1;
	assert_fails(aead_open(v.key, v.nonce, v.context, v.sealed, "vault/identity", &plain, &err),
		     COF_E_AUTH);
	assert_string_equal(err.subject, "vault/identity");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_aead_seal_gives_known_answers),
		cmocka_unit_test(test_aead_open_gives_known_answers),
		cmocka_unit_test(test_aead_seal_appends_to_buffer),
		cmocka_unit_test(test_aead_open_refuses_each_flipped_bit_of_sealed),
		cmocka_unit_test(test_aead_open_refuses_each_flipped_bit_of_context),
		cmocka_unit_test(test_aead_open_refuses_each_flipped_bit_of_nonce),
		cmocka_unit_test(test_aead_open_refuses_each_flipped_bit_of_key),
		cmocka_unit_test(test_aead_open_refuses_cut_off_text),
		cmocka_unit_test(test_aead_open_refuses_less_than_a_tag_and_a_byte),
		cmocka_unit_test(test_aead_refuses_key_of_other_length),
		cmocka_unit_test(test_aead_refuses_more_than_maximum),
		cmocka_unit_test(test_aead_open_error_names_subject),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
