/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "luks_test.h"

#include "disk_header.h"

/* The first 4096 bytes of a new header. */
static void first_block(uint8_t block[DISK_HEADER_BLOCK_BYTES])
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	int fd = open(new_header("h", &key), O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(read(fd, block, DISK_HEADER_BLOCK_BYTES), DISK_HEADER_BLOCK_BYTES);
	(void)close(fd);
}

/* Whether the block is taken for a header with the byte at @at set to @value. */
static bool found_with(size_t at, uint8_t value)
{
	uint8_t block[DISK_HEADER_BLOCK_BYTES];
	struct disk_header header;
	bool found = false;

	first_block(block);
	block[at] = value;
	disk_header_peek(SPAN(block, sizeof(block)), DISK_HEADER_FIRST, 0, &header, &found);
	return found;
}

static void test_disk_header_peek_reads_fields(void **state)
{
	uint8_t block[DISK_HEADER_BLOCK_BYTES];
	struct disk_header header;
	bool found = false;

	(void)state;
	first_block(block);
	disk_header_peek(SPAN(block, sizeof(block)), DISK_HEADER_FIRST, 0, &header, &found);
	assert_true(found);
	assert_int_equal(header.version, 2);
	assert_int_equal(header.area_bytes, 16384);
	assert_true(header.sequence > 0);
	assert_int_equal(strlen(header.uuid), LUKS_UUID_CHARS);
}

static void test_disk_header_peek_refuses_changed_fields(void **state)
{
	(void)state;
	assert_false(found_with(0, 'l'));   /* magic */
	assert_false(found_with(7, 3));	    /* version */
	assert_false(found_with(14, 0x41)); /* a size that is no power of two */
	assert_false(found_with(12, 0x10)); /* one that is too large */
	assert_false(found_with(14, 0x20)); /* one that is too small, once 0x40 is gone */
	assert_false(found_with(263, 1));   /* another place on the device */
}

static void test_disk_header_peek_refuses_short_block(void **state)
{
	uint8_t block[DISK_HEADER_BLOCK_BYTES];
	struct disk_header header;
	bool found = true;

	(void)state;
	first_block(block);
	disk_header_peek(SPAN(block, sizeof(block) - 1), DISK_HEADER_FIRST, 0, &header, &found);
	assert_false(found);
}

static void test_disk_header_peek_tells_copies_apart(void **state)
{
	uint8_t block[DISK_HEADER_BLOCK_BYTES];
	struct disk_header header;
	bool found = true;

	(void)state;
	first_block(block);
	disk_header_peek(SPAN(block, sizeof(block)), DISK_HEADER_SECOND, 0, &header, &found);
	assert_false(found);
}

static void test_disk_header_peek_refuses_luks1_without_key(void **state)
{
	uint8_t block[DISK_HEADER_BLOCK_BYTES] = { 'L', 'U', 'K', 'S', 0xba, 0xbe, 0, 1 };
	struct disk_header header;
	bool found = true;

	(void)state;
	disk_header_peek(SPAN(block, sizeof(block)), DISK_HEADER_FIRST, 0, &header, &found);
	assert_false(found);
	block[111] = 64;
	disk_header_peek(SPAN(block, sizeof(block)), DISK_HEADER_FIRST, 0, &header, &found);
	assert_true(found);
}

static void test_disk_header_intact_refuses_other_hash(void **state)
{
	struct disk_header header = { .version = 2, .area_bytes = 16384 };
	uint8_t area[16384] = { 0 };
	bool intact = true;

	(void)state;
	memcpy(area + 72, "sha512", 6);
	assert_ok(sha256(SPAN(area, sizeof(area)), area + 448, NULL));
	assert_ok(disk_header_intact(&header, SPAN(area, sizeof(area)), &intact, NULL));
	assert_false(intact);
}

static void test_disk_header_read_ignores_older_second_copy_elsewhere(void **state)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	const char *path = new_header("h", &key);
	struct disk_headers before;
	struct disk_headers after;
	uint8_t area[32768];
	int fd;

	(void)state;
	assert_ok(disk_header_read(path, &before, NULL));
	/* A second copy that is valid at 32 KiB, with a later sequence id, of another header. */
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pread(fd, area, 16384, 16384), 16384);
	memset(area + 16384, 0, 16384);
	area[14] = 0x80; /* 32 KiB */
	area[262] = 0x80;
	area[16] = 0x7f;
	memset(area + 448, 0, 64);
	assert_ok(sha256(SPAN(area, sizeof(area)), area + 448, NULL));
	assert_int_equal(pwrite(fd, area, sizeof(area), 32768), sizeof(area));
	(void)close(fd);

	assert_ok(disk_header_read(path, &after, NULL));
	assert_int_equal(after.newest.sequence, before.newest.sequence);
	/* It is a valid one: without the first copies it is found. */
	poke_zeroes(path, 0, 32768);
	assert_ok(disk_header_read(path, &after, NULL));
	assert_true(after.found);
	assert_int_not_equal(after.newest.sequence, before.newest.sequence);
}

/* A copy that is there, and whole, with a sequence id; none for 0. */
static struct disk_header_copy copy_with(uint64_t sequence, bool intact)
{
	return (struct disk_header_copy){
		.header = { .version = 2, .sequence = sequence },
		.seen = sequence > 0,
		.intact = intact,
	};
}

static void test_disk_headers_judge_compares_the_copies(void **state)
{
	static const struct {
		uint64_t first, second; /* sequence ids, 0: not there */
		bool first_intact, second_intact;
		uint64_t newest; /* 0: none found */
		bool first_damaged, second_damaged;
	} cases[] = {
		{ 0, 0, false, false, 0, false, false }, { 3, 3, true, true, 3, false, false },
		{ 4, 3, true, true, 4, false, true },	 { 3, 4, true, true, 4, true, false },
		{ 3, 3, false, true, 3, true, false },	 { 3, 3, true, false, 3, false, true },
		{ 0, 3, false, true, 3, true, false },	 { 3, 0, true, false, 3, false, true },
		{ 3, 3, false, false, 0, true, true },	 { 3, 0, false, false, 0, true, true },
		{ 9, 3, false, true, 3, true, false },	 { 3, 9, true, false, 3, false, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct disk_header_copy first = copy_with(cases[i].first, cases[i].first_intact);
		struct disk_header_copy second = copy_with(cases[i].second, cases[i].second_intact);
		struct disk_headers headers = disk_headers_judge(&first, &second);

		assert_int_equal(headers.found, cases[i].newest > 0);
		if (headers.found)
			assert_int_equal(headers.newest.sequence, cases[i].newest);
		assert_int_equal(headers.first_damaged, cases[i].first_damaged);
		assert_int_equal(headers.second_damaged, cases[i].second_damaged);
	}
}

static void test_disk_headers_judge_wants_no_second_of_luks1(void **state)
{
	struct disk_header_copy first = { { .version = 1 }, true, true };
	struct disk_header_copy second = { 0 };
	struct disk_headers headers = disk_headers_judge(&first, &second);

	(void)state;
	assert_true(headers.found);
	assert_false(headers.first_damaged);
	assert_false(headers.second_damaged);
}

static void test_device_sector_bytes_of_file_is_512(void **state)
{
	uint32_t bytes = 0;

	(void)state;
	assert_ok(device_sector_bytes(sparse_file("f", 12345), &bytes, NULL));
	assert_int_equal(bytes, 512);
	assert_fails(device_sector_bytes(in_folder("none"), &bytes, NULL), COF_E_NOENT);
}

static void test_device_bytes_of_missing_file_fails(void **state)
{
	uint64_t bytes;

	(void)state;
	assert_fails(device_bytes(in_folder("none"), &bytes, NULL), COF_E_NOENT);
	assert_ok(device_bytes(sparse_file("f", 12345), &bytes, NULL));
	assert_int_equal(bytes, 12345);
}

static void test_device_bytes_of_folder_fails(void **state)
{
	uint64_t bytes;

	(void)state;
	assert_fails(device_bytes(test_folder, &bytes, NULL), COF_E_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		folder_test(test_disk_header_peek_reads_fields),
		folder_test(test_disk_header_peek_refuses_changed_fields),
		folder_test(test_disk_header_peek_refuses_short_block),
		folder_test(test_disk_header_peek_tells_copies_apart),
		folder_test(test_disk_header_peek_refuses_luks1_without_key),
		folder_test(test_disk_header_intact_refuses_other_hash),
		folder_test(test_disk_header_read_ignores_older_second_copy_elsewhere),
		cmocka_unit_test(test_disk_headers_judge_compares_the_copies),
		cmocka_unit_test(test_disk_headers_judge_wants_no_second_of_luks1),
		folder_test(test_device_sector_bytes_of_file_is_512),
		folder_test(test_device_bytes_of_missing_file_fails),
		folder_test(test_device_bytes_of_folder_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
