/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "luks_test.h"

#include "header_copy.h"

#define BLOCK	HEADER_COPY_BLOCK_BYTES
#define AT_RUNS 70

/* A copy of an image of three blocks; the middle one is zero. */
static void make_copy(struct buffer *copy)
{
	static uint8_t image[3 * BLOCK];
	struct header_copy about = {
		.luks_version = 2,
		.uuid = "d6d8a880-1ab4-4456-9e0f-27c3320e4b29",
		.sequence = 7,
	};

	memset(image, 'a', BLOCK);
	memset(image + 2 * BLOCK, 'b', BLOCK);
	assert_ok(header_copy_encode(&about, SPAN(image, sizeof(image)), copy, NULL));
}

static enum cof_code decode_code(struct span bytes)
{
	_cleanup_buffer_ struct buffer image = { 0 };
	struct header_copy about;

	return header_copy_decode(bytes, "copy", &about, &image, NULL).code;
}

/* The copy with the byte at @at set to @value and the checksum made right again. */
static enum cof_code decode_code_with(size_t at, uint8_t value)
{
	_cleanup_buffer_ struct buffer copy = { 0 };

	make_copy(&copy);
	copy.data[at] = value;
	assert_ok(sha256(SPAN(copy.data, copy.len - 32), copy.data + copy.len - 32, NULL));
	return decode_code(buffer_span(&copy));
}

/* The bytes of the example in the format's document. */
static void read_example(struct buffer *bytes)
{
	_cleanup_buffer_ struct buffer text = { 0 };
	char *at;
	char *end;

	assert_ok(file_read(COF_DOC_FOLDER "/format-header-copy.md", 1 << 20, &text, NULL));
	at = strstr((char *)text.data, "```example\n");
	assert_non_null(at);
	at += strlen("```example\n");
	end = strstr(at, "```");
	assert_non_null(end);
	*end = '\0';
	for (char *word = strtok(at, " \n"); word; word = strtok(NULL, " \n")) {
		if (word[0] != 'x') {
			assert_ok(buffer_add_u8(bytes, (uint8_t)strtoul(word, NULL, 16), NULL));
			continue;
		}
		for (unsigned long i = 1; i < strtoul(word + 1, NULL, 10); i++)
			assert_ok(buffer_add_u8(bytes, bytes->data[bytes->len - 1], NULL));
	}
}

static void test_header_copy_decodes_example(void **state)
{
	_cleanup_buffer_ struct buffer copy = { 0 };
	_cleanup_buffer_ struct buffer image = { 0 };
	struct header_copy about;

	(void)state;
	read_example(&copy);
	assert_ok(header_copy_decode(buffer_span(&copy), "example", &about, &image, NULL));
	assert_int_equal(about.luks_version, 2);
	assert_string_equal(about.uuid, "d6d8a880-1ab4-4456-9e0f-27c3320e4b29");
	assert_int_equal(about.sequence, 7);
	assert_int_equal(image.len, 3 * BLOCK);
	assert_int_equal(image.data[0], 'a');
	assert_int_equal(image.data[BLOCK - 1], 'a');
	assert_int_equal(image.data[BLOCK], 0);
	assert_int_equal(image.data[2 * BLOCK - 1], 0);
	assert_int_equal(image.data[2 * BLOCK], 'b');
	assert_int_equal(image.data[3 * BLOCK - 1], 'b');
}

static void test_header_copy_encodes_example(void **state)
{
	_cleanup_buffer_ struct buffer example = { 0 };
	_cleanup_buffer_ struct buffer copy = { 0 };

	(void)state;
	read_example(&example);
	make_copy(&copy);
	assert_int_equal(copy.len, example.len);
	assert_memory_equal(copy.data, example.data, copy.len);
}

static void test_header_copy_of_zero_image_has_no_runs(void **state)
{
	static const uint8_t zeroes[2 * BLOCK];
	_cleanup_buffer_ struct buffer copy = { 0 };
	_cleanup_buffer_ struct buffer image = { 0 };
	struct header_copy about = { .luks_version = 1 };

	(void)state;
	assert_ok(header_copy_encode(&about, SPAN(zeroes, sizeof(zeroes)), &copy, NULL));
	assert_int_equal(copy.len, AT_RUNS + 32);
	assert_ok(header_copy_decode(buffer_span(&copy), "copy", &about, &image, NULL));
	assert_int_equal(image.len, sizeof(zeroes));
	assert_memory_equal(image.data, zeroes, sizeof(zeroes));
}

static void test_header_copy_refuses_part_of_a_block(void **state)
{
	static const uint8_t image[BLOCK + 1];
	_cleanup_buffer_ struct buffer copy = { 0 };
	struct header_copy about = { .luks_version = 1 };

	(void)state;
	assert_fails(header_copy_encode(&about, SPAN(image, sizeof(image)), &copy, NULL),
		     COF_E_FORMAT);
	assert_fails(header_copy_encode(&about, SPAN(image, 0), &copy, NULL), COF_E_FORMAT);
}

static void test_header_copy_cut_anywhere_is_refused(void **state)
{
	_cleanup_buffer_ struct buffer copy = { 0 };

	(void)state;
	make_copy(&copy);
	for (size_t len = 0; len < copy.len; len += len < 128 ? 1 : 61)
		assert_int_equal(decode_code(SPAN(copy.data, len)), COF_E_FORMAT);
}

static void test_header_copy_altered_anywhere_is_refused(void **state)
{
	_cleanup_buffer_ struct buffer copy = { 0 };

	(void)state;
	make_copy(&copy);
	for (size_t at = 0; at < copy.len; at += at < 128 ? 1 : 61) {
		copy.data[at] ^= 0x10;
		assert_int_equal(decode_code(buffer_span(&copy)), COF_E_FORMAT);
		copy.data[at] ^= 0x10;
	}
	assert_int_equal(decode_code(buffer_span(&copy)), COF_E_NONE);
}

static void test_header_copy_of_later_version_is_refused(void **state)
{
	(void)state;
	assert_int_equal(decode_code_with(8, 2), COF_E_FORMAT);
}

static void test_header_copy_of_unknown_luks_is_refused(void **state)
{
	(void)state;
	assert_int_equal(decode_code_with(9, 3), COF_E_FORMAT);
}

static void test_header_copy_of_huge_area_is_refused(void **state)
{
	(void)state;
	assert_int_equal(decode_code_with(58, 1), COF_E_FORMAT);
	assert_int_equal(decode_code_with(62, 0x10), COF_E_FORMAT);
}

static void test_header_copy_of_odd_area_is_refused(void **state)
{
	(void)state;
	assert_int_equal(decode_code_with(65, 1), COF_E_FORMAT);
}

static void test_header_copy_with_empty_run_is_refused(void **state)
{
	(void)state;
	assert_int_equal(decode_code_with(AT_RUNS + 7, 0), COF_E_FORMAT);
}

static void test_header_copy_with_run_past_the_area_is_refused(void **state)
{
	(void)state;
	assert_int_equal(decode_code_with(AT_RUNS + 7, 4), COF_E_FORMAT);
	assert_int_equal(decode_code_with(AT_RUNS + 8 + BLOCK, 0xff), COF_E_FORMAT);
}

static void test_header_copy_with_touching_runs_is_refused(void **state)
{
	(void)state;
	assert_int_equal(decode_code_with(AT_RUNS + 8 + BLOCK + 3, 1), COF_E_FORMAT);
}

static void test_header_copy_with_kept_zero_block_is_refused(void **state)
{
	_cleanup_buffer_ struct buffer copy = { 0 };

	(void)state;
	make_copy(&copy);
	memset(copy.data + AT_RUNS + 8, 0, BLOCK);
	assert_ok(sha256(SPAN(copy.data, copy.len - 32), copy.data + copy.len - 32, NULL));
	assert_int_equal(decode_code(buffer_span(&copy)), COF_E_FORMAT);
}

static void test_header_copy_with_missing_run_is_refused(void **state)
{
	(void)state;
	assert_int_equal(decode_code_with(AT_RUNS - 1, 3), COF_E_FORMAT);
}

static void test_header_copy_with_more_than_its_runs_is_refused(void **state)
{
	(void)state;
	assert_int_equal(decode_code_with(AT_RUNS - 1, 1), COF_E_FORMAT);
}

static void test_header_copy_part_outside_the_area_is_refused(void **state)
{
	uint8_t bytes[BLOCK];
	struct buffer image = { .data = bytes, .len = sizeof(bytes) };
	uint8_t *at = NULL;

	(void)state;
	assert_ok(header_copy_part(&image, 96, BLOCK - 96, "image", &at, NULL));
	assert_ptr_equal(at, bytes + 96);
	assert_fails(header_copy_part(&image, 97, BLOCK - 96, "image", &at, NULL), COF_E_FORMAT);
	assert_fails(header_copy_part(&image, UINT64_MAX, 2, "image", &at, NULL), COF_E_FORMAT);
}

static void test_copies_equal_for_the_same_bytes(void **state)
{
	_cleanup_buffer_ struct buffer a = { 0 };
	_cleanup_buffer_ struct buffer b = { 0 };

	(void)state;
	make_copy(&a);
	make_copy(&b);
	assert_true(luks_copies_equal(buffer_span(&a), buffer_span(&b)));
}

static void test_copies_differ_in_one_bit(void **state)
{
	_cleanup_buffer_ struct buffer a = { 0 };
	_cleanup_buffer_ struct buffer b = { 0 };

	(void)state;
	make_copy(&a);
	make_copy(&b);
	b.data[AT_RUNS + 8 + 100] ^= 1;
	assert_false(luks_copies_equal(buffer_span(&a), buffer_span(&b)));
	assert_false(luks_copies_equal(buffer_span(&a), SPAN(a.data, a.len - 1)));
}

static void test_copies_that_are_broken_are_never_equal(void **state)
{
	(void)state;
	assert_false(luks_copies_equal(span_of_text("no copy"), span_of_text("no copy")));
	assert_false(luks_copies_equal(SPAN(NULL, 0), SPAN(NULL, 0)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_copy_decodes_example),
		cmocka_unit_test(test_header_copy_encodes_example),
		cmocka_unit_test(test_header_copy_of_zero_image_has_no_runs),
		cmocka_unit_test(test_header_copy_refuses_part_of_a_block),
		cmocka_unit_test(test_header_copy_cut_anywhere_is_refused),
		cmocka_unit_test(test_header_copy_altered_anywhere_is_refused),
		cmocka_unit_test(test_header_copy_of_later_version_is_refused),
		cmocka_unit_test(test_header_copy_of_unknown_luks_is_refused),
		cmocka_unit_test(test_header_copy_of_huge_area_is_refused),
		cmocka_unit_test(test_header_copy_of_odd_area_is_refused),
		cmocka_unit_test(test_header_copy_with_empty_run_is_refused),
		cmocka_unit_test(test_header_copy_with_run_past_the_area_is_refused),
		cmocka_unit_test(test_header_copy_with_touching_runs_is_refused),
		cmocka_unit_test(test_header_copy_with_kept_zero_block_is_refused),
		cmocka_unit_test(test_header_copy_with_missing_run_is_refused),
		cmocka_unit_test(test_header_copy_with_more_than_its_runs_is_refused),
		cmocka_unit_test(test_header_copy_part_outside_the_area_is_refused),
		cmocka_unit_test(test_copies_equal_for_the_same_bytes),
		cmocka_unit_test(test_copies_differ_in_one_bit),
		cmocka_unit_test(test_copies_that_are_broken_are_never_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
