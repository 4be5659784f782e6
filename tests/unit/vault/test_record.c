/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names and bodies of records, and sealed values: pure.
 */

#include "fixture.h"
#include "record.h"

static const uint8_t uuid[VAULT_UUID_BYTES] = "0123456789abcdef";
static const uint8_t other_uuid[VAULT_UUID_BYTES] = "fedcba9876543210";

static struct keys make_keys(uint32_t epoch)
{
	_cleanup_(root_key_freep) struct root_key *root = NULL;
	struct keys keys;

	assert_ok(root_key_new(ROOT_KEY_BYTES, &root, NULL));
	memset(root->secret.data, 7, root->secret.len);
	assert_ok(keys_from_root(root, uuid, epoch, &keys, NULL));
	return keys;
}

static struct record *make_record(void)
{
	struct record *record = NULL;

	assert_ok(record_new("disk", "enc-a", &record, NULL));
	record->generation = 3;
	record->created = 1234567890;
	memset(record->id, 9, sizeof(record->id));
	json_set_text(record->meta, "serial", "S1");
	assert_ok(secret_copy(span_of_text("very secret"), &record->secret, NULL));
	assert_ok(buffer_add(&record->blob, "blob", 4, NULL));
	return record;
}

static void test_record_new_refuses_bad_kinds(void **state)
{
	struct record *record = NULL;

	assert_fails(record_new("", "a", &record, NULL), COF_E_USAGE);
	assert_fails(record_new("Disk", "a", &record, NULL), COF_E_USAGE);
	assert_fails(record_new("disk/x", "a", &record, NULL), COF_E_USAGE);
	assert_fails(record_new("abcdefghijklmnopqrstuvwxyzabcdef", "a", &record, NULL),
		     COF_E_USAGE);
}

static void test_record_new_refuses_bad_names(void **state)
{
	static const char *const bad[] = {
		"",	".",	"..",	    "a/b",	    "a\nb",
		"\x7f", "\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
		"a\xc3"
	};
	struct record *record = NULL;
	char name[VAULT_NAME_MAX_BYTES + 2];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_fails(record_new("disk", bad[i], &record, NULL), COF_E_USAGE);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_fails(record_new("disk", name, &record, NULL), COF_E_USAGE);
}

static void test_record_new_takes_names_of_any_language(void **state)
{
	_cleanup_(record_freep) struct record *record = NULL;

	assert_ok(record_new("disk", "f\xc3\xbcr \xf0\x9f\x94\x91", &record, NULL));
	assert_string_equal(record->name, "f\xc3\xbcr \xf0\x9f\x94\x91");
}

static void test_record_decode_reads_what_encode_wrote(void **state)
{
	_cleanup_(record_freep) struct record *record = make_record();
	_cleanup_(record_freep) struct record *again = NULL;
	_cleanup_secret_ struct secret *body = NULL;

	assert_ok(record_encode(record, &body, NULL));
	assert_ok(record_new("disk", "enc-a", &again, NULL));
	assert_ok(record_decode(secret_span(body), "test", again, NULL));
	assert_string_equal(json_get_text(again->meta, "serial"), "S1");
	assert_true(ct_equal(secret_span(again->secret), secret_span(record->secret)));
	assert_int_equal(again->blob.len, 4);
}

static void test_record_encode_refuses_a_blob_that_is_too_large(void **state)
{
	_cleanup_(record_freep) struct record *record = make_record();
	_cleanup_secret_ struct secret *body = NULL;

	assert_ok(buffer_reserve(&record->blob, RECORD_BLOB_MAX_BYTES + 1, NULL));
	record->blob.len = RECORD_BLOB_MAX_BYTES + 1;
	assert_fails(record_encode(record, &body, NULL), COF_E_USAGE);
}

static void test_record_encode_refuses_a_secret_that_is_too_large(void **state)
{
	_cleanup_(record_freep) struct record *record = make_record();
	_cleanup_secret_ struct secret *body = NULL;

	secret_free(TAKE(record->secret));
	assert_ok(secret_new(RECORD_SECRET_MAX_BYTES + 1, &record->secret, NULL));
	assert_fails(record_encode(record, &body, NULL), COF_E_USAGE);
}

static void test_record_encode_refuses_a_description_that_is_too_large(void **state)
{
	_cleanup_(record_freep) struct record *record = make_record();
	_cleanup_secret_ struct secret *body = NULL;
	_cleanup_free_ char *text = malloc(RECORD_META_MAX_BYTES + 1);

	memset(text, 'x', RECORD_META_MAX_BYTES);
	text[RECORD_META_MAX_BYTES] = '\0';
	json_set_text(record->meta, "long", text);
	assert_fails(record_encode(record, &body, NULL), COF_E_USAGE);
}

static cof_result decode(const void *bytes, size_t len)
{
	_cleanup_(record_freep) struct record *record = NULL;

	assert_ok(record_new("disk", "enc-a", &record, NULL));
	return record_decode(SPAN(bytes, len), "test", record, NULL);
}

static void test_record_decode_refuses_malformed_bodies(void **state)
{
	static const char unknown_part[] = "\0\1\0\0\0\2{}\0\4\0\0\0\1x";
	static const char no_meta[] = "\0\2\0\0\0\1x";
	static const char twice[] = "\0\1\0\0\0\2{}\0\1\0\0\0\2{}";
	static const char empty_part[] = "\0\1\0\0\0\2{}\0\2\0\0\0\0";
	static const char not_json[] = "\0\1\0\0\0\2{{";

	assert_fails(decode("", 0), COF_E_FORMAT);
	assert_fails(decode(unknown_part, sizeof(unknown_part) - 1), COF_E_FORMAT);
	assert_fails(decode(no_meta, sizeof(no_meta) - 1), COF_E_FORMAT);
	assert_fails(decode(twice, sizeof(twice) - 1), COF_E_FORMAT);
	assert_fails(decode(empty_part, sizeof(empty_part) - 1), COF_E_FORMAT);
	assert_fails(decode(not_json, sizeof(not_json) - 1), COF_E_FORMAT);
}

static void test_record_decode_refuses_a_body_cut_off_anywhere(void **state)
{
	_cleanup_(record_freep) struct record *record = make_record();
	_cleanup_secret_ struct secret *body = NULL;
	size_t meta_only;
	size_t with_secret;

	assert_ok(record_encode(record, &body, NULL));
	meta_only = 6 + strlen("{\"serial\":\"S1\"}");
	with_secret = meta_only + 6 + strlen("very secret");
	for (size_t len = 0; len < body->len; len++) {
		/* Cut between two parts it is another, whole body: the seal, not the codec, sees
		 * that. */
		if (len == meta_only || len == with_secret)
			continue;
		assert_fails(decode(body->data, len), COF_E_FORMAT);
	}
}

/* A record sealed in epoch 1, as stored. */
static void seal(struct buffer *stored)
{
	_cleanup_(record_freep) struct record *record = make_record();
	_cleanup_(keys_done) struct keys keys = make_keys(1);

	assert_ok(keys_seal_record(&keys, record, stored, NULL));
}

static cof_result unseal(const struct buffer *stored, const char *kind, const char *name)
{
	_cleanup_(record_freep) struct record *record = NULL;
	_cleanup_(keys_done) struct keys keys = make_keys(1);

	return keys_open_record(&keys, kind, name, buffer_span(stored), 1, &record, NULL);
}

static void test_sealed_record_opens_where_it_belongs(void **state)
{
	_cleanup_buffer_ struct buffer stored = { 0 };

	seal(&stored);
	assert_ok(unseal(&stored, "disk", "enc-a"));
}

static void test_sealed_record_refuses_another_name(void **state)
{
	_cleanup_buffer_ struct buffer stored = { 0 };

	seal(&stored);
	assert_fails(unseal(&stored, "disk", "enc-b"), COF_E_AUTH);
}

static void test_sealed_record_refuses_another_kind(void **state)
{
	_cleanup_buffer_ struct buffer stored = { 0 };

	seal(&stored);
	assert_fails(unseal(&stored, "disk-header", "enc-a"), COF_E_AUTH);
}

static void test_sealed_record_refuses_another_vault(void **state)
{
	_cleanup_buffer_ struct buffer stored = { 0 };
	_cleanup_(record_freep) struct record *record = NULL;
	_cleanup_(keys_done) struct keys keys = make_keys(1);

	seal(&stored);
	/* The root key and so the wrapping key stay; the context alone differs. */
	memcpy(keys.uuid, other_uuid, sizeof(keys.uuid));
	assert_fails(
		keys_open_record(&keys, "disk", "enc-a", buffer_span(&stored), 1, &record, NULL),
		COF_E_AUTH);
}

static void test_sealed_record_refuses_another_epoch(void **state)
{
	_cleanup_buffer_ struct buffer stored = { 0 };
	_cleanup_(record_freep) struct record *record = NULL;
	_cleanup_(keys_done) struct keys keys = make_keys(2);

	seal(&stored);
	assert_fails(
		keys_open_record(&keys, "disk", "enc-a", buffer_span(&stored), 1, &record, NULL),
		COF_E_AUTH);
}

static void test_sealed_record_refuses_any_changed_bit(void **state)
{
	_cleanup_buffer_ struct buffer stored = { 0 };

	seal(&stored);
	for (size_t i = 0; i < stored.len; i++) {
		stored.data[i] ^= (uint8_t)(1 << (i % 8));
		assert_true(cof_failed(unseal(&stored, "disk", "enc-a")));
		stored.data[i] ^= (uint8_t)(1 << (i % 8));
	}
	assert_ok(unseal(&stored, "disk", "enc-a"));
}

static void test_sealed_record_refuses_being_cut_off_anywhere(void **state)
{
	_cleanup_buffer_ struct buffer stored = { 0 };
	size_t whole;

	seal(&stored);
	whole = stored.len;
	for (stored.len = 0; stored.len < whole; stored.len++)
		assert_true(cof_failed(unseal(&stored, "disk", "enc-a")));
}

static void test_sealed_parse_refuses_another_version(void **state)
{
	_cleanup_buffer_ struct buffer stored = { 0 };
	struct sealed_header header;

	seal(&stored);
	stored.data[5] = SEALED_VERSION + 1;
	assert_fails(sealed_parse(buffer_span(&stored), "test", &header, NULL, NULL), COF_E_FORMAT);
}

static void test_sealed_record_does_not_hold_its_secret_in_the_clear(void **state)
{
	_cleanup_buffer_ struct buffer stored = { 0 };

	seal(&stored);
	assert_null(memmem(stored.data, stored.len, "very secret", strlen("very secret")));
	assert_null(memmem(stored.data, stored.len, "serial", strlen("serial")));
}

static void test_root_derive_refuses_a_short_root_key(void **state)
{
	_cleanup_(root_key_freep) struct root_key *root = NULL;
	_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;

	assert_ok(root_key_new(32, &root, NULL));
	assert_fails(root_derive(root, uuid, span_of_text("x"), &key, NULL), COF_E_AUTH);
	assert_null(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record_new_refuses_bad_kinds),
		cmocka_unit_test(test_record_new_refuses_bad_names),
		cmocka_unit_test(test_record_new_takes_names_of_any_language),
		cmocka_unit_test(test_record_decode_reads_what_encode_wrote),
		cmocka_unit_test(test_record_encode_refuses_a_blob_that_is_too_large),
		cmocka_unit_test(test_record_encode_refuses_a_secret_that_is_too_large),
		cmocka_unit_test(test_record_encode_refuses_a_description_that_is_too_large),
		cmocka_unit_test(test_record_decode_refuses_malformed_bodies),
		cmocka_unit_test(test_record_decode_refuses_a_body_cut_off_anywhere),
		cmocka_unit_test(test_sealed_record_opens_where_it_belongs),
		cmocka_unit_test(test_sealed_record_refuses_another_name),
		cmocka_unit_test(test_sealed_record_refuses_another_kind),
		cmocka_unit_test(test_sealed_record_refuses_another_vault),
		cmocka_unit_test(test_sealed_record_refuses_another_epoch),
		cmocka_unit_test(test_sealed_record_refuses_any_changed_bit),
		cmocka_unit_test(test_sealed_record_refuses_being_cut_off_anywhere),
		cmocka_unit_test(test_sealed_parse_refuses_another_version),
		cmocka_unit_test(test_sealed_record_does_not_hold_its_secret_in_the_clear),
		cmocka_unit_test(test_root_derive_refuses_a_short_root_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
