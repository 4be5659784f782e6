/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Backups: their bytes, the worked example in doc/format-backup.md, and how much memory a large one
 * takes.
 */

#include <sys/resource.h>

#include "backup_stream.h"
#include "example.h"
#include "fixture.h"

#define ROOT_BYTES   64
#define RECORDS	     200
#define BLOB_BYTES   (256u << 10)
#define MEMORY_BYTES (24u << 20) /* for 50 MiB of records */

static const uint8_t uuid[VAULT_UUID_BYTES] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
						0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };

/* ---- items ---- */

/* Everything that a parser handed out, in one text. */
static cof_result note_item(const struct backup_item *item, void *context, struct cof_error *err)
{
	return buffer_add_text(context, err, "%d:%s=%.*s;", item->kind, item->name,
			       (int)item->value.len, (const char *)item->value.data);
}

/* Parses in pieces of @piece_bytes. */
static cof_result parse(struct span bytes, size_t piece_bytes, struct buffer *text)
{
	_cleanup_(backup_parser_done) struct backup_parser parser = { .subject = "test",
								      .visit = note_item,
								      .context = text };

	for (size_t at = 0; at < bytes.len; at += piece_bytes) {
		size_t rest = bytes.len - at;

		TRY(backup_parser_feed(
			&parser, SPAN(bytes.data + at, rest < piece_bytes ? rest : piece_bytes),
			NULL));
	}
	return backup_parser_finish(&parser, NULL);
}

static void add_item(struct buffer *out, enum backup_kind kind, const char *name, const char *value)
{
	const struct backup_item item = { kind, name, span_of_text(value) };

	assert_ok(backup_item_begin(&item, out, NULL));
	assert_ok(buffer_add(out, value, strlen(value), NULL));
}

static void add_end(struct buffer *out, uint64_t count)
{
	const struct backup_item item = { BACKUP_END, "", SPAN(&count, 8) };

	assert_ok(backup_item_begin(&item, out, NULL));
	assert_ok(buffer_add_be64(out, count, NULL));
}

static void test_backup_parser_takes_items_however_they_are_cut(void **state)
{
	_cleanup_buffer_ struct buffer bytes = { 0 };

	add_item(&bytes, BACKUP_ROW, "a", "one");
	add_item(&bytes, BACKUP_ROW, "b", "two");
	add_item(&bytes, BACKUP_AUDIT, "audit-00000000000000000001.log", "");
	add_item(&bytes, BACKUP_AUDIT, "audit.log", "line");
	add_item(&bytes, BACKUP_CONFIG, "coffer.conf", "");
	add_end(&bytes, 5);
	for (size_t piece = 1; piece <= bytes.len; piece++) {
		_cleanup_buffer_ struct buffer text = { 0 };

		assert_ok(parse(buffer_span(&bytes), piece, &text));
		assert_ok(buffer_add_u8(&text, 0, NULL));
		assert_string_equal((char *)text.data,
				    "1:a=one;1:b=two;2:audit-00000000000000000001.log=;"
				    "2:audit.log=line;3:coffer.conf=;");
	}
}

/* One item that must be refused, after a good one. */
static void refuse(enum backup_kind kind, const char *name, const char *value)
{
	_cleanup_buffer_ struct buffer bytes = { 0 };
	_cleanup_buffer_ struct buffer text = { 0 };

	add_item(&bytes, BACKUP_ROW, "m", "good");
	add_item(&bytes, kind, name, value);
	assert_fails(parse(buffer_span(&bytes), 1000, &text), COF_E_FORMAT);
}

static void test_backup_parser_refuses_order_and_names(void **state)
{
	refuse(BACKUP_ROW, "m", "twice");
	refuse(BACKUP_ROW, "a", "before");
	refuse(BACKUP_ROW, "z", "");
	refuse(BACKUP_AUDIT, "../audit.log", "elsewhere");
	refuse(BACKUP_AUDIT, "audit-1.log", "short");
	refuse(BACKUP_AUDIT, "audit-00000000000000000001.log.x", "long");
	refuse(BACKUP_CONFIG, "passwd", "no configuration");
	refuse(BACKUP_END, "", "the count");
	refuse((enum backup_kind)5, "z", "unknown");
	refuse((enum backup_kind)0, "z", "unknown");
}

static void test_backup_parser_refuses_wrong_ends(void **state)
{
	_cleanup_buffer_ struct buffer bytes = { 0 };
	_cleanup_buffer_ struct buffer text = { 0 };

	add_item(&bytes, BACKUP_ROW, "a", "one");
	assert_fails(parse(buffer_span(&bytes), 100, &text), COF_E_FORMAT);
	add_end(&bytes, 2);
	assert_fails(parse(buffer_span(&bytes), 100, &text), COF_E_FORMAT);
	bytes.len -= 8;
	assert_ok(buffer_add_be64(&bytes, 1, NULL));
	assert_ok(parse(buffer_span(&bytes), 100, &text));
	add_end(&bytes, 1);
	assert_fails(parse(buffer_span(&bytes), 100, &text), COF_E_FORMAT);
}

static void test_backup_parser_refuses_name_with_nul_byte(void **state)
{
	_cleanup_buffer_ struct buffer bytes = { 0 };
	_cleanup_buffer_ struct buffer text = { 0 };

	add_item(&bytes, BACKUP_ROW, "abc", "one");
	bytes.data[BACKUP_ITEM_HEAD_BYTES + 1] = 0;
	assert_fails(parse(buffer_span(&bytes), 100, &text), COF_E_FORMAT);
}

/* ---- head and chunks ---- */

static void test_backup_head_refuses_what_it_does_not_know(void **state)
{
	struct backup_head head = { .epoch = 3, .revision = 4, .created = 5, .anchor_bytes = 6 };
	_cleanup_buffer_ struct buffer bytes = { 0 };
	struct backup_head found;

	assert_ok(backup_head_encode(&head, &bytes, NULL));
	assert_int_equal(bytes.len, BACKUP_HEAD_BYTES);
	assert_ok(backup_head_decode(buffer_span(&bytes), "test", &found, NULL));
	assert_memory_equal(&found, &head, sizeof(head));
	for (size_t at = 0; at < 9; at++) {
		bytes.data[at] ^= 1;
		assert_fails(backup_head_decode(buffer_span(&bytes), "test", &found, NULL),
			     COF_E_FORMAT);
		bytes.data[at] ^= 1;
	}
	memset(bytes.data + 61, 0, 4);
	assert_fails(backup_head_decode(buffer_span(&bytes), "test", &found, NULL), COF_E_FORMAT);
	memset(bytes.data + 61, 0xff, 4);
	assert_fails(backup_head_decode(buffer_span(&bytes), "test", &found, NULL), COF_E_FORMAT);
}

static void test_backup_frame_refuses_lengths(void **state)
{
	static const struct {
		uint32_t word;
		bool good;
	} words[] = {
		{ 0, false },	      { 65535, false },	     { 65536, true },
		{ 65537, false },     { 0x80000000, false }, { 0x80000001, true },
		{ 0x80010000, true }, { 0x80010001, false }, { 0xffffffff, false },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		_cleanup_buffer_ struct buffer bytes = { 0 };
		struct backup_frame frame;

		assert_ok(buffer_add_be32(&bytes, words[i].word, NULL));
		assert_int_equal(
			!cof_failed(backup_frame_decode(buffer_span(&bytes), "test", &frame, NULL)),
			words[i].good);
	}
}

static void test_backup_chunk_opens_in_its_place_alone(void **state)
{
	_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;
	_cleanup_buffer_ struct buffer out = { 0 };
	struct backup_place place = { .index = 7 };
	struct backup_place others[4] = { place, place, place, place };
	struct span sealed;

	others[1].index = 8;
	others[2].last = true;
	others[3].head[0] = 1;
	assert_ok(wrap_key_random(AEAD_KEY_BYTES, &key, NULL));
	assert_ok(backup_chunk_seal(key, &place, span_of_text("plain"), &out, NULL));
	sealed = SPAN(out.data + BACKUP_FRAME_BYTES, out.len - BACKUP_FRAME_BYTES);
	for (size_t i = 0; i < 4; i++) {
		_cleanup_secret_ struct secret *plain = NULL;
		cof_result opened =
			backup_chunk_open(key, &others[i], sealed, "test", &plain, NULL);

		assert_int_equal(opened.code, i == 0 ? COF_E_NONE : COF_E_AUTH);
	}
}

static void test_format_backup_example_is_derived_and_read(void **state)
{
	_cleanup_(root_key_freep) struct root_key *root = NULL;
	_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;
	_cleanup_(keys_done) struct keys keys = { 0 };
	_cleanup_buffer_ struct buffer info = { 0 };
	_cleanup_buffer_ struct buffer expected = { 0 };
	_cleanup_buffer_ struct buffer items = { 0 };
	_cleanup_buffer_ struct buffer file = { 0 };
	_cleanup_secret_ struct secret *plain = NULL;
	struct backup_place place = { .last = true };
	struct backup_frame frame;
	struct backup_head head;
	size_t chunk;

	read_example("format-backup.md", "backup-key", &expected);
	read_example("format-backup.md", "backup-items", &items);
	read_example("format-backup.md", "backup-file", &file);
	assert_ok(root_key_new(ROOT_BYTES, &root, NULL));
	for (uint8_t i = 0; i < ROOT_BYTES; i++)
		root->secret.data[i] = i;
	assert_ok(keys_from_root(root, uuid, 1, &keys, NULL));
	assert_ok(backup_head_decode(buffer_span(&file), "example", &head, NULL));
	assert_memory_equal(head.uuid, uuid, sizeof(uuid));
	assert_int_equal(head.revision, 12);
	assert_ok(backup_info(&head, &info, NULL));
	assert_ok(keys.source.derive(keys.source.context, buffer_span(&info), &key, NULL));
	assert_memory_equal(key->secret.data, expected.data, AEAD_KEY_BYTES);
	chunk = BACKUP_HEAD_BYTES + head.anchor_bytes;
	assert_ok(sha256(SPAN(file.data, chunk), place.head, NULL));
	assert_ok(backup_frame_decode(SPAN(file.data + chunk, file.len - chunk), "example", &frame,
				      NULL));
	assert_true(frame.last);
	assert_ok(backup_chunk_open(
		key, &place,
		SPAN(file.data + chunk + BACKUP_FRAME_BYTES, frame.plain_bytes + AEAD_TAG_BYTES),
		"example", &plain, NULL));
	assert_int_equal(plain->len, items.len);
	assert_memory_equal(plain->data, items.data, items.len);
}

/* ---- whole backups ---- */

static char *backup_path(const struct fixture *f)
{
	char *path = NULL;

	assert_ok(path_format(&path, NULL, "%s/v.backup", f->folder));
	return path;
}

/* Counts the records of a kind. */
static cof_result count_record(const struct record *record, void *context, struct cof_error *err)
{
	size_t *count = context;

	assert_int_equal(record->secret->len, strlen("its key"));
	(*count)++;
	return COF_OK;
}

static void test_backup_gives_newest_records_of_one_kind(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(backup_closep) struct backup *backup = NULL;
	_cleanup_slot_secret_ struct slot_secret *secret = fixture_secret(PASSPHRASE);
	_cleanup_free_ char *path = backup_path(f);
	struct backup_content content;
	struct backup_facts facts;
	size_t count = 0;

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	assert_ok(fixture_put(f, vault, "disk", "a", "its key", true));
	assert_ok(fixture_put(f, vault, "disk", "a", "its key", true));
	assert_ok(fixture_put(f, vault, "disk-header", "a", "its key", true));
	assert_ok(backup_create(vault, path, false, &facts, &content, &f->err));
	assert_int_equal(content.records, 2);
	assert_int_equal(content.older, 1);
	assert_ok(backup_open(path, &backup, NULL));
	assert_fails(backup_prove(backup, &content, NULL), COF_E_LOCKED);
	assert_ok(backup_unlock(backup, secret, NULL));
	assert_ok(backup_prove(backup, &content, NULL));
	assert_ok(backup_each(backup, "disk", count_record, &count, NULL));
	assert_int_equal(count, 1);
}

/* Plaintext that just fills a chunk makes that the last one. */
static void test_backup_of_whole_chunks_has_no_empty_one(void **state)
{
	struct fixture *f = *state;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_free_ char *path = backup_path(f);
	_cleanup_fd_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	_cleanup_(backup_writer_done) struct backup_writer writer = { .file = path, .fd = fd };
	_cleanup_(backup_closep) struct backup *backup = NULL;
	static char value[BACKUP_CHUNK_BYTES];
	struct backup_item item = { BACKUP_ROW, "a", SPAN(value, 0) };
	struct backup_head head = { .anchor_bytes = 1 };

	assert_ok(fixture_create(f, PASSPHRASE));
	vault = fixture_unlock(f);
	head.epoch = vault->keys.epoch;
	memcpy(head.uuid, vault->uuid, sizeof(head.uuid));
	item.value.len =
		BACKUP_CHUNK_BYTES - 1 - BACKUP_ITEM_HEAD_BYTES - (BACKUP_ITEM_HEAD_BYTES + 8);
	assert_ok(backup_writer_start(&writer, &vault->keys, &head, SPAN("x", 1), NULL));
	assert_ok(backup_writer_add(&writer, &item, NULL));
	assert_ok(backup_writer_finish(&writer, NULL));
	assert_int_equal(writer.size_bytes, BACKUP_HEAD_BYTES + 1 + BACKUP_FRAME_BYTES +
						    BACKUP_CHUNK_BYTES + AEAD_TAG_BYTES +
						    SHA256_BYTES);
	assert_ok(backup_open(path, &backup, NULL));
	assert_ok(backup_check(backup, NULL));
}

/* Fills the vault with records as large as header copies. */
static void put_many(struct fixture *f)
{
	_cleanup_(vault_closep) struct vault *vault = fixture_unlock(f);

	for (size_t i = 0; i < RECORDS; i++) {
		_cleanup_(record_freep) struct record *record = NULL;
		struct vault_write write = { 0 };
		char name[32];

		(void)snprintf(name, sizeof(name), "enc-%03zu", i);
		assert_ok(record_new("disk-header", name, &record, NULL));
		assert_ok(buffer_reserve(&record->blob, BLOB_BYTES, NULL));
		assert_ok(random_bytes(record->blob.data, BLOB_BYTES, NULL));
		record->blob.len = BLOB_BYTES;
		write.record = record;
		assert_ok(vault_commit(vault, &write, 1, &f->err));
	}
}

/* In a child, which may take little more memory than it has. */
static bool backup_and_restore(struct fixture *f)
{
	_cleanup_(vault_closep) struct vault *vault = fixture_unlock(f);
	_cleanup_(backup_closep) struct backup *backup = NULL;
	_cleanup_slot_secret_ struct slot_secret *secret = fixture_secret(PASSPHRASE);
	_cleanup_free_ char *path = backup_path(f);
	struct backup_restored restored;
	struct backup_content content;
	struct backup_facts facts;
	struct paths elsewhere = { 0 };
	struct rlimit limit;
	char folder[128];
	long pages = fixture_number("cut -d' ' -f1 /proc/%d/statm", (int)getpid());

	(void)snprintf(folder, sizeof(folder), "%s/restored", f->folder);
	elsewhere.vault_dir = folder;
	limit.rlim_cur = limit.rlim_max =
		(rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + MEMORY_BYTES;
	/* AddressSanitizer waits for ever where memory ends; what it looks for is looked for. */
	if ((!UNIT_HAS_ASAN && setrlimit(RLIMIT_AS, &limit) < 0) ||
	    cof_failed(backup_create(vault, path, false, &facts, &content, &f->err)) ||
	    content.records != RECORDS || facts.size_bytes < (uint64_t)RECORDS * BLOB_BYTES ||
	    cof_failed(backup_open(path, &backup, &f->err)) ||
	    cof_failed(backup_unlock(backup, secret, &f->err)) ||
	    cof_failed(backup_prove(backup, &content, &f->err)) ||
	    cof_failed(backup_restore(backup, &elsewhere, &restored, &f->err))) {
		print_message("%s: %s %s\n", f->err.subject, f->err.text, f->err.cause);
		return false;
	}
	return true;
}

static void test_backup_of_200_records_streams_in_little_memory(void **state)
{
	struct fixture *f = *state;

	assert_ok(fixture_create(f, PASSPHRASE));
	put_many(f);
	assert_true(fixture_child(f, NULL, backup_and_restore));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_backup_parser_takes_items_however_they_are_cut),
		cmocka_unit_test(test_backup_parser_refuses_order_and_names),
		cmocka_unit_test(test_backup_parser_refuses_wrong_ends),
		cmocka_unit_test(test_backup_parser_refuses_name_with_nul_byte),
		cmocka_unit_test(test_backup_head_refuses_what_it_does_not_know),
		cmocka_unit_test(test_backup_frame_refuses_lengths),
		cmocka_unit_test(test_backup_chunk_opens_in_its_place_alone),
		cmocka_unit_test(test_format_backup_example_is_derived_and_read),
		FIXTURE_TEST(test_backup_gives_newest_records_of_one_kind),
		FIXTURE_TEST(test_backup_of_whole_chunks_has_no_empty_one),
		FIXTURE_TEST(test_backup_of_200_records_streams_in_little_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
