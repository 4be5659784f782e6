/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every file of a group: what is encoded decodes to itself, and with any byte changed or left out
 * it does not.
 */

#include "store_rig.h"

#include "group_code.h"
#include "index_run.h"
#include "version_code.h"

/* decoder - whether some bytes are taken */
typedef cof_result (*decoder)(struct span bytes);

static cof_result take_group(struct span bytes)
{
	struct group group;

	return group_decode(bytes, "test", &group, NULL);
}

static cof_result take_keystore(struct span bytes)
{
	struct keystore_file file;

	return keystore_decode(bytes, "test", &file, NULL);
}

static cof_result take_version(struct span bytes)
{
	struct version_head head;
	struct span body;

	return version_record_decode(bytes, "test", &head, &body, NULL);
}

static cof_result take_tail(struct span bytes)
{
	struct pack_tail tail;

	return pack_tail_decode(bytes, PACK_FULL_BYTES, "test", &tail, NULL);
}

static cof_result take_run(struct span bytes)
{
	static const uint8_t group[STORE_UUID_BYTES] = { 7 };
	struct index_run run;

	TRY(index_run_decode(bytes, group, "test", &run, NULL));
	return index_run_check(bytes, "test", NULL);
}

/* Tries each byte changed, and each length up to the right one; in memory of just that length, so
 * that a read behind it is seen. */
static void assert_every_byte_counts(const struct buffer *bytes, decoder decode)
{
	assert_ok(decode(buffer_span(bytes)));
	for (size_t i = 0; i < bytes->len; i++) {
		bytes->data[i] ^= 0x10;
		assert_fails(decode(buffer_span(bytes)), COF_E_FORMAT);
		bytes->data[i] ^= 0x10;
	}
	for (size_t len = 0; len < bytes->len; len++) {
		_cleanup_free_ uint8_t *part = malloc(len ? len : 1);

		memcpy(part, bytes->data, len);
		assert_fails(decode(SPAN(part, len)), COF_E_FORMAT);
	}
}

static void test_group_every_byte_counts(void **state)
{
	const struct group group = { .uuid = { 7 },
				     .created = 5,
				     .min_bytes = 1024,
				     .avg_bytes = 4096,
				     .max_bytes = 16384 };
	_cleanup_buffer_ struct buffer bytes = { 0 };
	struct group again;

	assert_ok(group_encode(&group, &bytes, NULL));
	assert_every_byte_counts(&bytes, take_group);
	assert_ok(group_decode(buffer_span(&bytes), "test", &again, NULL));
	assert_memory_equal(group.uuid, again.uuid, STORE_UUID_BYTES);
	assert_int_equal(again.max_bytes, 16384);
}

static void test_keystore_every_byte_counts(void **state)
{
	struct keystore_file file = {
		.encrypted = true,
		.group = { 7 },
		.sequence = 3,
		.slot_count = 2,
		.slots = { { .method = KEYSTORE_PASSPHRASE, .cost = { STRETCH_ARGON2ID, 4, 1024 } },
			   { .method = KEYSTORE_VAULT } },
	};
	_cleanup_buffer_ struct buffer bytes = { 0 };
	struct keystore_file again;

	assert_ok(keystore_encode_head(&file, 5, &bytes, NULL));
	assert_ok(buffer_add(&bytes, "body!", 5, NULL));
	assert_ok(sha256_append(&bytes, NULL));
	assert_every_byte_counts(&bytes, take_keystore);
	assert_ok(keystore_decode(buffer_span(&bytes), "test", &again, NULL));
	assert_int_equal(again.sequence, 3);
	assert_int_equal(again.slot_count, 2);
	assert_memory_equal(again.body.data, "body!", 5);
}

/* A body with some content keys. */
static void make_body(struct keystore_body *body, size_t keys)
{
	*body = (struct keystore_body){ .mode = KEYSTORE_INTERNAL,
					.rotate_days = 30,
					.key_count = keys };
	assert_ok(wrap_key_random(AEAD_KEY_BYTES, &body->id_key, NULL));
	assert_ok(wrap_key_random(AEAD_KEY_BYTES, &body->chunker_key, NULL));
	assert_ok(secret_random(keys * AEAD_KEY_BYTES, &body->secrets, NULL));
	for (size_t i = 0; i < keys; i++)
		body->keys[i] = (struct keystore_key){ .id = (uint16_t)(KEYSTORE_KEYS_MAX - i),
						       .generation = (uint32_t)i + 1,
						       .state = KEYSTORE_RETIRED,
						       .created = i,
						       .retired = i + 1 };
}

static void test_keystore_body_of_1023_keys_decodes_to_itself(void **state)
{
	_cleanup_(keystore_body_done) struct keystore_body body;
	_cleanup_(keystore_body_done) struct keystore_body again = { 0 };
	_cleanup_secret_ struct secret *plain = NULL;

	make_body(&body, KEYSTORE_KEYS_MAX);
	assert_ok(keystore_body_encode(&body, &plain, NULL));
	assert_ok(keystore_body_decode(secret_span(plain), "test", &again, NULL));
	assert_int_equal(again.key_count, KEYSTORE_KEYS_MAX);
	assert_memory_equal(again.keys, body.keys, sizeof(body.keys));
	assert_memory_equal(again.secrets->data, body.secrets->data, body.secrets->len);
	assert_memory_equal(again.id_key->secret.data, body.id_key->secret.data, AEAD_KEY_BYTES);
}

static void test_keystore_body_refuses_what_is_not_allowed(void **state)
{
	/* Offsets: version, mode, days, number of keys, a key's place, its state. */
	static const struct {
		size_t offset;
		uint8_t value;
	} wrong[] = { { 0, 2 },	 { 65, 3 }, { 65, 0 }, { 65, 2 }, { 69, 0 },
		      { 66, 1 }, { 71, 3 }, { 71, 1 }, { 73, 0 }, { 78, 9 } };
	_cleanup_(keystore_body_done) struct keystore_body body;
	_cleanup_secret_ struct secret *plain = NULL;

	make_body(&body, 2);
	body.keys[0].id = 1;
	body.keys[1].id = 2;
	assert_ok(keystore_body_encode(&body, &plain, NULL));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		_cleanup_(keystore_body_done) struct keystore_body again = { 0 };
		uint8_t before = plain->data[wrong[i].offset];

		plain->data[wrong[i].offset] = wrong[i].value;
		assert_fails(keystore_body_decode(secret_span(plain), "test", &again, NULL),
			     COF_E_FORMAT);
		plain->data[wrong[i].offset] = before;
	}
	for (size_t len = 0; len < plain->len; len++) {
		_cleanup_(keystore_body_done) struct keystore_body again = { 0 };

		assert_fails(keystore_body_decode(SPAN(plain->data, len), "test", &again, NULL),
			     COF_E_FORMAT);
	}
}

static void test_version_every_byte_counts(void **state)
{
	const struct version_head head = { .group = { 7 }, .keystore = 9 };
	struct version version = { .name = "größe",
				   .kind = VERSION_STREAM,
				   .bytes = 17,
				   .root = {
					   .count = 1, .bytes = 17, .refs = { { .bytes = 17 } } } };
	_cleanup_buffer_ struct buffer body = { 0 };
	_cleanup_buffer_ struct buffer bytes = { 0 };
	struct version again;

	assert_ok(version_encode(&version, &body, NULL));
	assert_int_equal(body.len % 512, 0);
	assert_ok(version_decode(buffer_span(&body), "test", &again, NULL));
	assert_memory_equal(&version, &again, sizeof(version));
	assert_ok(version_head_encode(&head, (uint32_t)body.len, &bytes, NULL));
	assert_int_equal(bytes.len, VERSION_CONTEXT_BYTES);
	assert_ok(buffer_add(&bytes, body.data, body.len, NULL));
	assert_ok(sha256_append(&bytes, NULL));
	assert_every_byte_counts(&bytes, take_version);
}

static void test_version_names_are_checked(void **state)
{
	static const char *const good[] = { "a",   "größe",	      "日本", "a b", "-",
					    "...", "\xf0\x9f\x94\x92" };
	static const char *const bad[] = { "",
					   ".",
					   "..",
					   "a/b",
					   "a\nb",
					   "\x7f",
					   "\xc3",
					   "\xc0\xaf",
					   "\xff",
					   "\x80",
					   "\xed\xa0\x80",
					   "\xf5\x80\x80\x80",
					   "\xe0\x80\x80",
					   "\xc2\x80",
					   "\xf0\x80\x80\x80" };
	char longest[VERSION_NAME_MAX_BYTES + 2];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_ok(version_check_name(good[i], NULL));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_fails(version_check_name(bad[i], NULL), COF_E_USAGE);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[VERSION_NAME_MAX_BYTES + 1] = '\0';
	assert_fails(version_check_name(longest, NULL), COF_E_USAGE);
	longest[VERSION_NAME_MAX_BYTES] = '\0';
	assert_ok(version_check_name(longest, NULL));
}

static void test_pack_tail_every_byte_counts(void **state)
{
	struct pack_tail tail = { .pack = { 1 },
				  .toc_offset = 8192 + 4096,
				  .pack_bytes = PACK_FULL_BYTES,
				  .stripes = 64 };
	_cleanup_buffer_ struct buffer bytes = { 0 };

	assert_ok(buffer_reserve(&bytes, PACK_PAGE_BYTES, NULL));
	bytes.len = PACK_PAGE_BYTES;
	assert_ok(pack_tail_encode(&tail, bytes.data, NULL));
	assert_every_byte_counts(&bytes, take_tail);
	/* A pack of another length. */
	assert_fails(
		pack_tail_decode(buffer_span(&bytes), PACK_FULL_BYTES - 4096, "test", &tail, NULL),
		COF_E_FORMAT);
}

static void test_pack_head_the_newer_whole_page_counts(void **state)
{
	struct pack_head head = { .group = { 7 }, .sequence = 1 };
	struct pack_head found;
	uint8_t bytes[PACK_HEAD_BYTES] = { 0 };
	bool damaged;

	assert_ok(pack_head_encode(&head, bytes, NULL));
	assert_ok(pack_head_decode(SPAN(bytes, sizeof(bytes)), "test", &found, &damaged, NULL));
	assert_int_equal(found.sequence, 1);
	assert_false(damaged);
	head.sequence = 2;
	assert_ok(pack_head_encode(&head, bytes + PACK_PAGE_BYTES, NULL));
	assert_ok(pack_head_decode(SPAN(bytes, sizeof(bytes)), "test", &found, &damaged, NULL));
	assert_int_equal(found.sequence, 2);
	for (size_t i = 0; i < PACK_HEAD_BYTES; i += 13) {
		bytes[i] ^= 1;
		assert_ok(pack_head_decode(SPAN(bytes, sizeof(bytes)), "test", &found, &damaged,
					   NULL));
		assert_true(damaged);
		assert_int_equal(found.sequence, i < PACK_PAGE_BYTES ? 2 : 1);
		bytes[i] ^= 1;
	}
	bytes[100] ^= 1;
	bytes[PACK_PAGE_BYTES + 100] ^= 1;
	assert_fails(pack_head_decode(SPAN(bytes, sizeof(bytes)), "test", &found, NULL, NULL),
		     COF_E_FORMAT);
}

static void test_pack_toc_refuses_what_does_not_fit(void **state)
{
	struct pack_entry entries[2] = {
		{ .type = CHUNK_DATA, .stored_bytes = 100, .plain_bytes = 100 },
		{ .type = CHUNK_LIST,
		  .flags = CHUNK_COMPRESSED,
		  .stored_bytes = 50,
		  .plain_bytes = 80 },
	};
	/* Offsets: the count, a type, flags, lengths, the zeros at the end. */
	static const size_t wrong[] = { 0, 3, 4, 5, 6, 9, 13, 4 + 2 * PACK_ENTRY_BYTES, 4079 };
	_cleanup_buffer_ struct buffer toc = { 0 };
	_cleanup_free_ struct pack_entry *found = NULL;
	uint32_t count = 0;

	assert_ok(pack_toc_encode(entries, 2, true, &toc, NULL));
	assert_int_equal(toc.len, PACK_PAGE_BYTES - AEAD_TAG_BYTES);
	assert_ok(pack_toc_decode(buffer_span(&toc), true, 182, "test", &found, &count, NULL));
	assert_int_equal(count, 2);
	assert_memory_equal(found, entries, sizeof(entries));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct pack_entry *none = NULL;

		toc.data[wrong[i]] ^= 0x80;
		assert_fails(
			pack_toc_decode(buffer_span(&toc), true, 182, "test", &none, &count, NULL),
			COF_E_FORMAT);
		toc.data[wrong[i]] ^= 0x80;
	}
	/* Records that do not fill their place. */
	assert_fails(pack_toc_decode(buffer_span(&toc), true, 183, "test", &found, &count, NULL),
		     COF_E_FORMAT);
}

static void test_pack_padding_hides_lengths(void **state)
{
	for (uint64_t end = PACK_HEAD_BYTES + 1; end < PACK_FULL_BYTES; end += end / 50 + 1) {
		uint64_t needed = end + 4096 + PACK_PAGE_BYTES;
		uint64_t padded;

		if (needed + 4096 > PACK_FULL_BYTES)
			break;
		padded = pack_padded(end, 4096);
		assert_int_equal(padded % PACK_PAGE_BYTES, 0);
		assert_in_range(padded, needed, needed + needed / 16 + PACK_PAGE_BYTES);
	}
}

static void test_index_run_every_byte_counts(void **state)
{
	static const uint8_t group[STORE_UUID_BYTES] = { 7 };
	static const uint8_t packs[2 * STORE_UUID_BYTES] = { 1 };
	struct index_entry entries[50] = { 0 };
	_cleanup_buffer_ struct buffer bytes = { 0 };

	for (size_t i = 0; i < 50; i++)
		assert_ok(sha256(SPAN(&i, sizeof(i)), entries[i].id, NULL));
	assert_ok(index_run_encode(group, packs, 2, entries, 50, &bytes, NULL));
	assert_every_byte_counts(&bytes, take_run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_group_every_byte_counts),
		cmocka_unit_test(test_keystore_every_byte_counts),
		cmocka_unit_test(test_keystore_body_of_1023_keys_decodes_to_itself),
		cmocka_unit_test(test_keystore_body_refuses_what_is_not_allowed),
		cmocka_unit_test(test_version_every_byte_counts),
		cmocka_unit_test(test_version_names_are_checked),
		cmocka_unit_test(test_pack_tail_every_byte_counts),
		cmocka_unit_test(test_pack_head_the_newer_whole_page_counts),
		cmocka_unit_test(test_pack_toc_refuses_what_does_not_fit),
		cmocka_unit_test(test_pack_padding_hides_lengths),
		cmocka_unit_test(test_index_run_every_byte_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
