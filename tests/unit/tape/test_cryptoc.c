/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The crypto cache of Bareos: its own sample, and everything that is wrong with one.
 */

#include "captures.h"

#include "cryptoc.h"

#define SAMPLE_BYTES (32 + 3 * 280)

/* The sample in memory that may be written to; the caller runs buffer_done(). */
static struct buffer sample(void)
{
	struct buffer content = { 0 };

	assert_ok(file_read(TEST_DATA "/bareos/sample.cryptoc", 65536, &content, NULL));
	assert_int_equal(content.len, SAMPLE_BYTES);
	return content;
}

static void assert_text(struct span actual, const char *expected)
{
	assert_int_equal(actual.len, strlen(expected));
	assert_memory_equal(actual.data, expected, actual.len);
}

static void test_cryptoc_reads_the_sample(void **state)
{
	struct buffer content = sample();
	struct cryptoc cache;
	size_t index;

	assert_ok(cryptoc_open(buffer_span(&content), "sample", &cache, NULL));
	assert_int_equal(cache.count, 3);
	assert_text(cryptoc_at(&cache, 0).volume, "A00001L6");
	assert_text(cryptoc_at(&cache, 0).key,
		    "SEqPr9wI3ZgPBE1FA+5mH1xfvEwUZ/94uvrOJRI4V1tr/PD/GyGMpQ");
	assert_text(cryptoc_at(&cache, 2).key, "KjEjd3J3JilYais1U2N3diZoK0ZqVW1xZTdqR3xtS1A");
	assert_int_equal(cryptoc_at(&cache, 1).added, 1795189380);
	assert_true(cryptoc_find(&cache, span_of_text("B00003L8"), &index));
	assert_int_equal(index, 2);
	assert_false(cryptoc_find(&cache, span_of_text("B00003L"), &index));
	buffer_done(&content);
}

static void test_cryptoc_cut_at_every_length_is_refused(void **state)
{
	struct buffer content = sample();
	struct cryptoc cache;

	for (size_t len = 0; len < SAMPLE_BYTES; len++)
		assert_fails(cryptoc_open(SPAN(content.data, len), "cut", &cache, NULL),
			     COF_E_FORMAT);
	assert_ok(buffer_add_u8(&content, 0, NULL));
	assert_fails(cryptoc_open(buffer_span(&content), "long", &cache, NULL), COF_E_FORMAT);
	buffer_done(&content);
}

static void test_cryptoc_refuses_what_cannot_be(void **state)
{
	static const struct {
		size_t at;
		const char *bytes;
		size_t len;
	} wrongs[] = {
		{ 0, "X", 1 },		       /* no cache */
		{ 20, "\x01", 1 },	       /* its id goes on */
		{ 24, "\x02", 1 },	       /* another version */
		{ 28, "\x02", 1 },	       /* fewer entries */
		{ 28, "\xff\xff\xff\xff", 4 }, /* a number that would wrap */
		{ 28, "\x00\x00\x00\x80", 4 },
		{ 32 + 16, "\0", 1 },	   /* no name */
		{ 32 + 16, "\033[2J", 4 }, /* a name that is not for a terminal */
		{ 32 + 16, "../../etc\"", 10 },
		{ 32 + 16, "a\nb", 3 },
		{ 32 + 16 + 128, "\0", 1 }, /* no key */
		{ 32 + 16 + 128, "!", 1 },  /* no base64 */
	};

	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		struct buffer content = sample();
		struct cryptoc cache;

		memcpy(content.data + wrongs[i].at, wrongs[i].bytes, wrongs[i].len);
		if (!cof_failed(cryptoc_open(buffer_span(&content), "wrong", &cache, NULL)))
			fail_msg("%zu", i);
		buffer_done(&content);
	}
}

static void test_cryptoc_refuses_texts_without_an_end(void **state)
{
	struct buffer content = sample();
	struct cryptoc cache;

	memset(content.data + 32 + 16, 'A', CRYPTOC_NAME_BYTES);
	assert_fails(cryptoc_open(buffer_span(&content), "wrong", &cache, NULL), COF_E_FORMAT);
	content.data[32 + 16 + CRYPTOC_NAME_BYTES - 1] = '\0';
	assert_ok(cryptoc_open(buffer_span(&content), "right", &cache, NULL));
	memset(content.data + 32 + 16 + 128, 'A', CRYPTOC_NAME_BYTES);
	assert_fails(cryptoc_open(buffer_span(&content), "wrong", &cache, NULL), COF_E_FORMAT);
	buffer_done(&content);
}

static void test_cryptoc_encode_is_what_bareos_writes(void **state)
{
	struct buffer content = sample();
	struct cryptoc_entry entries[3];
	struct secret *bytes = NULL;
	struct cryptoc cache;

	assert_ok(cryptoc_open(buffer_span(&content), "sample", &cache, NULL));
	for (size_t i = 0; i < 3; i++)
		entries[i] = cryptoc_at(&cache, i);
	assert_ok(cryptoc_encode(entries, 3, &bytes, NULL));
	/* Bareos leaves pointers of its own there. */
	for (size_t i = 0; i < 3; i++)
		memset(content.data + 32 + 280 * i, 0, 16);
	assert_int_equal(bytes->len, content.len);
	assert_memory_equal(bytes->data, content.data, content.len);
	secret_free(bytes);
	buffer_done(&content);
}

static void test_cryptoc_lines_are_those_that_populate(void **state)
{
	struct span text = span_of_text("A00001L6\tabcd\r\n\n\nB\tZg==\nC\tZm8");
	struct cryptoc_entry entry;
	size_t number = 0;
	bool found;

	assert_ok(cryptoc_line(&text, &number, &entry, &found, NULL));
	assert_true(found);
	assert_text(entry.volume, "A00001L6");
	assert_text(entry.key, "abcd");
	assert_ok(cryptoc_line(&text, &number, &entry, &found, NULL));
	assert_text(entry.key, "Zg==");
	assert_int_equal(number, 4);
	assert_ok(cryptoc_line(&text, &number, &entry, &found, NULL));
	assert_text(entry.volume, "C");
	assert_ok(cryptoc_line(&text, &number, &entry, &found, NULL));
	assert_false(found);
}

static void test_cryptoc_line_refuses_what_is_none(void **state)
{
	static const char *const wrong[] = { "A00001L6", "A00001L6 abcd", "\tabcd",    "A\t",
					     "A\ta b",	 "A B\tabcd",	  "A\tabcd\tx" };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct span text = span_of_text(wrong[i]);
		struct cryptoc_entry entry;
		size_t number = 0;
		bool found;

		assert_fails(cryptoc_line(&text, &number, &entry, &found, NULL), COF_E_FORMAT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cryptoc_reads_the_sample),
		cmocka_unit_test(test_cryptoc_cut_at_every_length_is_refused),
		cmocka_unit_test(test_cryptoc_refuses_what_cannot_be),
		cmocka_unit_test(test_cryptoc_refuses_texts_without_an_end),
		cmocka_unit_test(test_cryptoc_encode_is_what_bareos_writes),
		cmocka_unit_test(test_cryptoc_lines_are_those_that_populate),
		cmocka_unit_test(test_cryptoc_line_refuses_what_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
