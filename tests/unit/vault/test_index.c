/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pages of the index, the manifest, and tokens: pure.
 */

#include "fixture.h"
#include "clevis.h"
#include "token.h"

static struct index_entry entry_of(uint8_t key, uint8_t value)
{
	struct index_entry entry;

	memset(&entry.key, key, sizeof(entry.key));
	memset(&entry.value, value, sizeof(entry.value));
	return entry;
}

/* A page with entries whose keys are 1 to @count, put in an odd order. */
static struct index_page make_page(int count)
{
	struct index_page page = { 0 };
	bool is_new;

	for (int i = 0; i < count; i++) {
		struct index_entry entry = entry_of((uint8_t)(1 + (i * 7) % count), 5);

		assert_ok(index_page_put(&page, &entry, &is_new, NULL));
		assert_true(is_new);
	}
	return page;
}

static void test_index_page_find_knows_what_was_put(void **state)
{
	_cleanup_(index_page_done) struct index_page page = make_page(100);
	struct index_entry there = entry_of(42, 0);
	struct index_entry not_there = entry_of(101, 0);

	assert_non_null(index_page_find(&page, &there.key));
	assert_null(index_page_find(&page, &not_there.key));
}

static void test_index_page_put_replaces_an_entry(void **state)
{
	_cleanup_(index_page_done) struct index_page page = make_page(10);
	struct index_entry entry = entry_of(3, 77);
	bool is_new = true;

	assert_ok(index_page_put(&page, &entry, &is_new, NULL));
	assert_false(is_new);
	assert_int_equal(page.count, 10);
	assert_int_equal(index_page_find(&page, &entry.key)->value.bytes[0], 77);
}

static void test_index_page_remove_takes_one_out(void **state)
{
	_cleanup_(index_page_done) struct index_page page = make_page(10);
	struct index_entry entry = entry_of(3, 0);

	assert_true(index_page_remove(&page, &entry.key));
	assert_false(index_page_remove(&page, &entry.key));
	assert_null(index_page_find(&page, &entry.key));
	assert_int_equal(page.count, 9);
}

static void test_index_page_decode_reads_what_encode_wrote(void **state)
{
	_cleanup_(index_page_done) struct index_page page = make_page(50);
	_cleanup_(index_page_done) struct index_page again = { 0 };
	_cleanup_buffer_ struct buffer bytes = { 0 };

	assert_ok(index_page_encode(&page, &bytes, NULL));
	assert_ok(index_page_decode(buffer_span(&bytes), "test", &again, NULL));
	assert_int_equal(again.count, 50);
	assert_memory_equal(again.entries, page.entries, 50 * sizeof(page.entries[0]));
}

static void test_index_page_decode_refuses_being_cut_off_anywhere(void **state)
{
	_cleanup_(index_page_done) struct index_page page = make_page(3);
	_cleanup_(index_page_done) struct index_page again = { 0 };
	_cleanup_buffer_ struct buffer bytes = { 0 };

	assert_ok(index_page_encode(&page, &bytes, NULL));
	for (size_t len = 0; len < bytes.len; len++)
		assert_fails(index_page_decode(SPAN(bytes.data, len), "test", &again, NULL),
			     COF_E_FORMAT);
}

static void test_index_page_decode_refuses_entries_out_of_order(void **state)
{
	_cleanup_(index_page_done) struct index_page page = make_page(2);
	_cleanup_(index_page_done) struct index_page again = { 0 };
	_cleanup_buffer_ struct buffer bytes = { 0 };

	page.entries[1] = page.entries[0];
	assert_ok(index_page_encode(&page, &bytes, NULL));
	assert_fails(index_page_decode(buffer_span(&bytes), "test", &again, NULL), COF_E_FORMAT);
}

static void test_manifest_count_keeps_kinds_apart(void **state)
{
	struct manifest manifest = { 0 };

	assert_ok(manifest_count(&manifest, "disk", true, NULL));
	assert_ok(manifest_count(&manifest, "disk", true, NULL));
	assert_ok(manifest_count(&manifest, "tape", true, NULL));
	assert_int_equal(manifest_records(&manifest, "disk"), 2);
	assert_int_equal(manifest_records(&manifest, NULL), 3);
	assert_ok(manifest_count(&manifest, "disk", false, NULL));
	assert_ok(manifest_count(&manifest, "disk", false, NULL));
	assert_int_equal(manifest_records(&manifest, "disk"), 0);
	assert_int_equal(manifest_records(&manifest, "tape"), 1);
	assert_int_equal(manifest.kind_count, 1);
}

static void test_manifest_count_refuses_to_go_below_none(void **state)
{
	struct manifest manifest = { 0 };

	assert_fails(manifest_count(&manifest, "disk", false, NULL), COF_E_AUTH);
}

static void test_manifest_count_refuses_too_many_kinds(void **state)
{
	struct manifest manifest = { 0 };
	char kind[8];

	for (int i = 0; i < INDEX_KINDS_MAX; i++) {
		(void)snprintf(kind, sizeof(kind), "k%c%c", 'a' + i / 26, 'a' + i % 26);
		assert_ok(manifest_count(&manifest, kind, true, NULL));
	}
	assert_fails(manifest_count(&manifest, "one-more", true, NULL), COF_E_USAGE);
}

static void make_manifest_bytes(struct buffer *bytes)
{
	struct manifest manifest = { .rows = 12 };

	assert_ok(manifest_count(&manifest, "disk", true, NULL));
	assert_ok(manifest_count(&manifest, "tape", true, NULL));
	memset(&manifest.pages[7], 3, sizeof(manifest.pages[7]));
	assert_ok(manifest_encode(&manifest, bytes, NULL));
}

static void test_manifest_decode_reads_what_encode_wrote(void **state)
{
	_cleanup_buffer_ struct buffer bytes = { 0 };
	struct manifest again;

	make_manifest_bytes(&bytes);
	assert_ok(manifest_decode(buffer_span(&bytes), "test", &again, NULL));
	assert_int_equal(again.rows, 12);
	assert_int_equal(manifest_records(&again, "tape"), 1);
	assert_int_equal(again.pages[7].bytes[15], 3);
	assert_true(index_digest_is_zero(&again.pages[8]));
}

static void test_manifest_decode_refuses_being_cut_off_anywhere(void **state)
{
	_cleanup_buffer_ struct buffer bytes = { 0 };
	struct manifest again;

	make_manifest_bytes(&bytes);
	for (size_t len = 0; len < bytes.len; len++)
		assert_fails(manifest_decode(SPAN(bytes.data, len), "test", &again, NULL),
			     COF_E_FORMAT);
}

static void test_manifest_decode_refuses_bytes_behind_its_end(void **state)
{
	_cleanup_buffer_ struct buffer bytes = { 0 };
	struct manifest again;

	make_manifest_bytes(&bytes);
	assert_ok(buffer_add_u8(&bytes, 0, NULL));
	assert_fails(manifest_decode(buffer_span(&bytes), "test", &again, NULL), COF_E_FORMAT);
}

static void test_manifest_decode_refuses_bad_kinds(void **state)
{
	_cleanup_buffer_ struct buffer bytes = { 0 };
	const size_t kinds_at = 8 + INDEX_PAGES * INDEX_DIGEST_BYTES;
	struct manifest again;

	make_manifest_bytes(&bytes);
	bytes.data[kinds_at] = INDEX_KINDS_MAX + 1; /* too many */
	assert_fails(manifest_decode(buffer_span(&bytes), "test", &again, NULL), COF_E_FORMAT);
	bytes.data[kinds_at] = 2;
	bytes.data[kinds_at + 1] = 0; /* no name */
	assert_fails(manifest_decode(buffer_span(&bytes), "test", &again, NULL), COF_E_FORMAT);
	bytes.data[kinds_at + 1] = 32; /* too long a name */
	assert_fails(manifest_decode(buffer_span(&bytes), "test", &again, NULL), COF_E_FORMAT);
	bytes.data[kinds_at + 1] = 4;
	memset(bytes.data + kinds_at + 6, 0, 8); /* none of them */
	assert_fails(manifest_decode(buffer_span(&bytes), "test", &again, NULL), COF_E_FORMAT);
}

static cof_result parse_token(const char *json, struct token *ret_token)
{
	return token_parse(span_of_text(json), "test", ret_token, NULL);
}

static void test_token_parse_reads_what_format_wrote(void **state)
{
	struct token token = { .slots = 1u << 3 | 1u << 31,
			       .method = "file",
			       .label = "a \"stick\"",
			       .created = "2026-11-20T17:00:00Z",
			       .replaces = 1u << 4 };
	_cleanup_free_ char *text = token_format(&token);
	struct token again;

	assert_ok(parse_token(text, &again));
	assert_true(again.ours);
	assert_int_equal(again.slots, token.slots);
	assert_int_equal(again.replaces, token.replaces);
	assert_string_equal(again.method, "file");
	assert_string_equal(again.label, "a \"stick\"");
	assert_string_equal(again.created, token.created);
}

static void test_token_parse_knows_other_tools_tokens(void **state)
{
	struct token token;

	assert_ok(parse_token("{\"type\":\"systemd-tpm2\",\"keyslots\":[\"1\"]}", &token));
	assert_true(token.unattended && !token.ours);
	assert_string_equal(token.method, "tpm2");
	assert_ok(parse_token("{\"type\":\"systemd-tpm2\",\"keyslots\":[\"1\"],"
			      "\"tpm2-pin\":true}",
			      &token));
	assert_false(token.unattended);
	assert_ok(parse_token("{\"type\":\"clevis\",\"keyslots\":[\"2\"],\"jwe\":{}}", &token));
	assert_true(token.unattended);
	assert_ok(parse_token("{\"type\":\"systemd-recovery\",\"keyslots\":[\"2\"]}", &token));
	assert_string_equal(token.method, "recovery");
	assert_ok(parse_token("{\"type\":\"something-new\",\"keyslots\":[]}", &token));
	assert_string_equal(token.method, "something-new");
}

/* What clevis 19 wrote for a server at port 7799, whose tang-show-keys said THUMBPRINT. */
#define THUMBPRINT "Ax3rzl5ys2hwvnt_d6A-Vovmj0jddfkJSy7D9b1LMdI"
static const char tang_header[] =
	"eyJhbGciOiJFQ0RILUVTIiwiY2xldmlzIjp7InBpbiI6InRhbmciLCJ0YW5nIjp7ImFkdiI6eyJrZXlzIjpbeyJh"
	"bGciOiJFQ01SIiwiY3J2IjoiUC01MjEiLCJrZXlfb3BzIjpbImRlcml2ZUtleSJdLCJrdHkiOiJFQyIsIngiOiJB"
	"S2pLUVNtZHRXU2k4UGdCSWw3bHg0MjhmOXdTN1FCN2tfNUNKNGdobTZHWDU3ekxPOWhieGZpd1BjUkNIT2F2b3Ax"
	"NXlxZVhsT0pvSG90ckE4TTJ3ZGZWIiwieSI6IkFEaXNqTzZWTHFhQ3VlLVJTdnVxZm9XR1M4eG5NTFVkeEJOZ0pT"
	"UlM5Y29ETE9QVU4zME1JMWUzNURFdWI3SW0zTms3WVpOTld4TFc1RFBkUzlnZjB3a2EifSx7ImFsZyI6IkVTNTEy"
	"IiwiY3J2IjoiUC01MjEiLCJrZXlfb3BzIjpbInZlcmlmeSJdLCJrdHkiOiJFQyIsIngiOiJBRGRaU3dLUXVZQi1v"
	"YXNzRnkzVzd3VFZCNDcydHNyNHdoTG14a1pDb3AweHlhNWcxVjhuQVhyRC1rUTVXZVRTRUxWVkpJQTJxY0RablpK"
	"TURSVkVNUFJLIiwieSI6IkFUNWFBZENTb29hR2VFalZ2Z3g5RWpMU1RxYy1MblF5TVZVUTgxZGNrOUsxVk50VjA5"
	"N0h0TFZIaEU5U1J1OHYzR0J5Y2MwYlo4eXBWX3paM0dnX3lzYUQifV19LCJ1cmwiOiJodHRwOi8vMTI3LjAuMC4x"
	"Ojc3OTkifX0sImVuYyI6IkEyNTZHQ00iLCJlcGsiOnsiY3J2IjoiUC01MjEiLCJrdHkiOiJFQyIsIngiOiJBZXh3"
	"aWNQZ1JXMWU2ZEQ4bjlVZUpxQ3ZjY0UzdTJGY3BUY045UnF6R3NPdnlweUJHRkRxNlZucS1Gbjl3UTlsVElXRG9L"
	"aENzdG5hQ0VONE5CSGxUaVlpIiwieSI6IkFmYjhyb1FHSFd3NVJtaWhQUVlKUTRCVUFWMXFyZjNVSnRzQmtFQVhi"
	"Y1lOd05zWjZTdE9RcE03cm01dHBDVVF1QjZrZ3Nhc0VQejFJTk90STJRYkJtZ1AifSwia2lkIjoiMWl1VkJJUnRP"
	"Sl9jdy1ZckxPWkJySWRGZXkxdVhHVVctWnhWQ1dvT1BFOCJ9";

static void test_clevis_parse_finds_server_and_thumbprint(void **state)
{
	struct clevis clevis;

	(void)state;
	assert_ok(clevis_parse(tang_header, &clevis, NULL));
	assert_string_equal(clevis.pin, "tang");
	assert_string_equal(clevis.url, "http://127.0.0.1:7799");
	assert_int_equal(clevis.count, 1);
	assert_true(clevis_has_thumbprint(&clevis, THUMBPRINT));
	assert_false(clevis_has_thumbprint(&clevis, ""));
	assert_fails(clevis_parse("e30", &clevis, NULL), COF_E_FORMAT);
	assert_fails(clevis_parse("?", &clevis, NULL), COF_E_FORMAT);
}

static void test_clevis_token_jwe_is_its_parts_with_dots(void **state)
{
	_cleanup_buffer_ struct buffer compact = { 0 };
	_cleanup_json_ struct json *token = NULL;

	(void)state;
	assert_ok(json_parse(span_of_text("{\"jwe\":{\"protected\":\"p\",\"encrypted_key\":\"\","
					  "\"iv\":\"i\",\"ciphertext\":\"c\",\"tag\":\"t\"}}"),
			     "test", &token, NULL));
	assert_ok(clevis_token_jwe(token, &compact, NULL));
	assert_int_equal(compact.len, 8);
	assert_memory_equal(compact.data, "p..i.c.t", 8);
}

static void test_clevis_token_without_a_part_is_refused(void **state)
{
	_cleanup_buffer_ struct buffer compact = { 0 };
	_cleanup_json_ struct json *token = NULL;

	(void)state;
	assert_ok(
		json_parse(span_of_text("{\"jwe\":{\"protected\":\"p\"}}"), "test", &token, NULL));
	assert_fails(clevis_token_jwe(token, &compact, NULL), COF_E_FORMAT);
}

static void test_token_of_a_command_keeps_its_words(void **state)
{
	struct token token = { .slots = 1,
			       .method = "command",
			       .kind = VAULT_WAY_COMMAND,
			       .detail = "[\"/bin/x\",\"a b\"]" };
	_cleanup_free_ char *text = token_format(&token);
	struct token again;

	(void)state;
	assert_ok(parse_token(text, &again));
	assert_true(again.ours && again.unattended && again.kind == VAULT_WAY_COMMAND);
	assert_string_equal(again.detail, token.detail);
	assert_fails(parse_token("{\"type\":\"coffer-method\",\"keyslots\":[],"
				 "\"method\":\"command\"}",
				 &again),
		     COF_E_FORMAT);
	assert_fails(parse_token("{\"type\":\"coffer-method\",\"keyslots\":[],"
				 "\"method\":\"command\",\"command\":[1]}",
				 &again),
		     COF_E_FORMAT);
}

static void test_token_parse_says_what_a_tool_noted(void **state)
{
	struct token token;

	(void)state;
	assert_ok(parse_token("{\"type\":\"systemd-tpm2\",\"keyslots\":[\"1\"],\"tpm2-pcrs\":[0,7],"
			      "\"tpm2_pubkey_pcrs\":[11]}",
			      &token));
	assert_string_equal(token.detail, "PCRs 0,7, signed PCRs 11");
	assert_ok(parse_token("{\"type\":\"systemd-fido2\",\"keyslots\":[\"1\"],"
			      "\"fido2-credential\":\"\\u001b[2J\"}",
			      &token));
	assert_string_equal(token.detail, "credential ?[2J");
	assert_true(token.asks_pin && !token.unattended);
}

static void test_token_parse_refuses_malformed_tokens(void **state)
{
	struct token token;

	assert_fails(parse_token("[]", &token), COF_E_FORMAT);
	assert_fails(parse_token("{\"keyslots\":[]}", &token), COF_E_FORMAT);
	assert_fails(parse_token("{\"type\":\"x\",\"keyslots\":[\"32\"]}", &token), COF_E_FORMAT);
	assert_fails(parse_token("{\"type\":\"x\",\"keyslots\":[1]}", &token), COF_E_FORMAT);
	assert_fails(parse_token("{\"type\":\"x\"", &token), COF_E_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_index_page_find_knows_what_was_put),
		cmocka_unit_test(test_index_page_put_replaces_an_entry),
		cmocka_unit_test(test_index_page_remove_takes_one_out),
		cmocka_unit_test(test_index_page_decode_reads_what_encode_wrote),
		cmocka_unit_test(test_index_page_decode_refuses_being_cut_off_anywhere),
		cmocka_unit_test(test_index_page_decode_refuses_entries_out_of_order),
		cmocka_unit_test(test_manifest_count_keeps_kinds_apart),
		cmocka_unit_test(test_manifest_count_refuses_to_go_below_none),
		cmocka_unit_test(test_manifest_count_refuses_too_many_kinds),
		cmocka_unit_test(test_manifest_decode_reads_what_encode_wrote),
		cmocka_unit_test(test_manifest_decode_refuses_being_cut_off_anywhere),
		cmocka_unit_test(test_manifest_decode_refuses_bytes_behind_its_end),
		cmocka_unit_test(test_manifest_decode_refuses_bad_kinds),
		cmocka_unit_test(test_token_parse_reads_what_format_wrote),
		cmocka_unit_test(test_token_parse_knows_other_tools_tokens),
		cmocka_unit_test(test_clevis_parse_finds_server_and_thumbprint),
		cmocka_unit_test(test_clevis_token_jwe_is_its_parts_with_dots),
		cmocka_unit_test(test_clevis_token_without_a_part_is_refused),
		cmocka_unit_test(test_token_of_a_command_keeps_its_words),
		cmocka_unit_test(test_token_parse_says_what_a_tool_noted),
		cmocka_unit_test(test_token_parse_refuses_malformed_tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
