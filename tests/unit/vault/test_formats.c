/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The worked examples in doc/format-record.md and doc/format-vault.md are what the code reads and
 * derives.
 */

#include "example.h"
#include "fixture.h"
#include "record.h"

static const uint8_t uuid[VAULT_UUID_BYTES] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
						0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };

static void assert_same(struct span a, const struct buffer *b)
{
	assert_int_equal(a.len, b->len);
	assert_memory_equal(a.data, b->data, a.len);
}

/* The keys of the examples' vault. */
static struct keys example_keys(void)
{
	_cleanup_(root_key_freep) struct root_key *root = NULL;
	struct keys keys;

	assert_ok(root_key_new(ROOT_KEY_BYTES, &root, NULL));
	for (uint8_t i = 0; i < ROOT_KEY_BYTES; i++)
		root->secret.data[i] = i;
	assert_ok(keys_from_root(root, uuid, 1, &keys, NULL));
	assert_ok(keys_start(&keys, NULL));
	return keys;
}

static void test_format_record_example_info_and_key_are_derived(void **state)
{
	static const struct sealed_place place = { "record", uuid, "disk", "enc-example" };
	_cleanup_buffer_ struct buffer stored = { 0 };
	_cleanup_buffer_ struct buffer expected_info = { 0 };
	_cleanup_buffer_ struct buffer expected_key = { 0 };
	_cleanup_buffer_ struct buffer info = { 0 };
	_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;
	_cleanup_(keys_done) struct keys keys = example_keys();
	struct sealed_header header;

	read_example("format-record.md", "record-stored", &stored);
	read_example("format-record.md", "record-info", &expected_info);
	read_example("format-record.md", "record-key", &expected_key);
	assert_ok(sealed_parse(buffer_span(&stored), "example", &header, NULL, NULL));
	assert_ok(sealed_info(&place, &header, &info, NULL));
	assert_same(buffer_span(&info), &expected_info);
	assert_ok(keys.source.derive(keys.source.context, buffer_span(&info), &key, NULL));
	assert_same(wrap_key_span(key), &expected_key);
}

static void test_format_record_example_opens(void **state)
{
	_cleanup_buffer_ struct buffer stored = { 0 };
	_cleanup_(record_freep) struct record *record = NULL;
	_cleanup_(keys_done) struct keys keys = example_keys();

	read_example("format-record.md", "record-stored", &stored);
	assert_ok(keys_open_record(&keys, "disk", "enc-example", buffer_span(&stored), 5, &record,
				   NULL));
	assert_int_equal(record->generation, 2);
	assert_int_equal(record->created, 1795194000);
	assert_int_equal(record->id[15], 0xaf);
	assert_string_equal(json_get_text(record->meta, "serial"), "S1");
	assert_int_equal(record->secret->len, strlen("example key"));
	assert_memory_equal(record->secret->data, "example key", record->secret->len);
	assert_int_equal(record->blob.len, strlen("header bytes"));
}

static void test_format_record_example_body_is_encoded(void **state)
{
	_cleanup_buffer_ struct buffer body = { 0 };
	_cleanup_secret_ struct secret *again = NULL;
	_cleanup_(record_freep) struct record *record = NULL;

	read_example("format-record.md", "record-body", &body);
	assert_ok(record_new("disk", "enc-example", &record, NULL));
	assert_ok(record_decode(buffer_span(&body), "example", record, NULL));
	assert_ok(record_encode(record, &again, NULL));
	assert_same(secret_span(again), &body);
}

static void test_format_record_example_is_sealed_the_same(void **state)
{
	static const struct sealed_place place = { "record", uuid, "disk", "enc-example" };
	_cleanup_buffer_ struct buffer stored = { 0 };
	_cleanup_buffer_ struct buffer again = { 0 };
	_cleanup_buffer_ struct buffer body = { 0 };
	_cleanup_buffer_ struct buffer key_bytes = { 0 };
	_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;
	struct sealed_header header;

	read_example("format-record.md", "record-stored", &stored);
	read_example("format-record.md", "record-body", &body);
	read_example("format-record.md", "record-key", &key_bytes);
	assert_ok(wrap_key_copy(buffer_span(&key_bytes), &key, NULL));
	assert_ok(sealed_parse(buffer_span(&stored), "example", &header, NULL, NULL));
	assert_ok(sealed_write(key, &place, &header, buffer_span(&body), &again, NULL));
	assert_same(buffer_span(&again), &stored);
}

static void test_format_vault_example_identity_opens(void **state)
{
	_cleanup_buffer_ struct buffer stored = { 0 };
	_cleanup_secret_ struct secret *plain = NULL;
	_cleanup_(keys_done) struct keys keys = example_keys();

	read_example("format-vault.md", "identity-stored", &stored);
	assert_ok(keys_open(&keys, "identity", "", "", buffer_span(&stored), "example", NULL,
			    &plain, NULL));
	assert_int_equal(plain->len, 28);
	assert_memory_equal(plain->data, uuid, sizeof(uuid));
}

static void test_format_vault_example_index_is_computed(void **state)
{
	static const char key[] = "record/disk/enc-example";
	_cleanup_buffer_ struct buffer stored = { 0 };
	_cleanup_buffer_ struct buffer expected_key = { 0 };
	_cleanup_buffer_ struct buffer expected = { 0 };
	_cleanup_buffer_ struct buffer bytes = { 0 };
	_cleanup_(index_page_done) struct index_page page = { 0 };
	_cleanup_(keys_done) struct keys keys = example_keys();
	struct index_entry entry;
	bool is_new;

	read_example("format-record.md", "record-stored", &stored);
	read_example("format-vault.md", "index-key", &expected_key);
	read_example("format-vault.md", "index-page", &expected);
	assert_same(wrap_key_span(keys.index_key), &expected_key);
	assert_ok(index_key_digest(keys.index_key, key, &entry.key, NULL));
	assert_ok(
		index_value_digest(keys.index_key, key, buffer_span(&stored), &entry.value, NULL));
	assert_int_equal(entry.key.bytes[0], 0x28);
	assert_ok(index_page_put(&page, &entry, &is_new, NULL));
	assert_ok(index_page_encode(&page, &bytes, NULL));
	assert_same(buffer_span(&bytes), &expected);
}

static void test_format_vault_example_mark_opens(void **state)
{
	_cleanup_buffer_ struct buffer stored = { 0 };
	_cleanup_secret_ struct secret *plain = NULL;
	_cleanup_(keys_done) struct keys keys = example_keys();
	struct sealed_header header;

	read_example("format-vault.md", "mark-stored", &stored);
	assert_ok(keys_open(&keys, "mark", "", "", buffer_span(&stored), "example", &header, &plain,
			    NULL));
	assert_int_equal(header.generation, 7);
	assert_memory_equal(plain->data, uuid, sizeof(uuid));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format_record_example_info_and_key_are_derived),
		cmocka_unit_test(test_format_record_example_opens),
		cmocka_unit_test(test_format_record_example_body_is_encoded),
		cmocka_unit_test(test_format_record_example_is_sealed_the_same),
		cmocka_unit_test(test_format_vault_example_identity_opens),
		cmocka_unit_test(test_format_vault_example_index_is_computed),
		cmocka_unit_test(test_format_vault_example_mark_opens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
