/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keys of Bareos: its own samples, to the byte, and what is none of them.
 */

#include "captures.h"

#include "bareos.h"
#include "base64.h"
#include "json.h"

/* tests/data/bareos/bareos.json, which has everything decoded. */
static struct json *samples(void)
{
	struct buffer content = { 0 };
	struct json *json = NULL;

	assert_ok(file_read(TEST_DATA "/bareos/bareos.json", 65536, &content, NULL));
	assert_ok(json_parse(buffer_span(&content), "samples", &json, NULL));
	buffer_done(&content);
	return json;
}

/* The bytes of a text of a JSON object. */
static struct span text_of(const struct json *json, const char *name)
{
	const char *text = json_get_text(json, name);

	assert_non_null(text);
	return span_of_text(text);
}

static void assert_same(struct span a, struct span b)
{
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.data, b.data, a.len);
}

static void test_bareos_unwraps_its_samples_to_the_byte(void **state)
{
	struct json *json = samples();
	struct json *wrapped = json_get(json, "wrapped");
	struct span kek = text_of(json, "kek_passphrase");
	uint8_t room[512];

	assert_int_equal(json_length(wrapped), 3);
	for (size_t i = 0; i < json_length(wrapped); i++) {
		struct json *one = json_at(wrapped, i);
		struct span text = text_of(one, "wrapped_base64");
		struct bareos_passphrase *passphrase = NULL;
		struct secret *again = NULL;
		struct tape_key *key = NULL;

		assert_ok(bareos_unwrap(kek, text, &passphrase, NULL));
		assert_same(bareos_passphrase_span(passphrase), text_of(one, "passphrase"));
		assert_ok(bareos_drive_key(passphrase, &key, NULL));
		assert_same(tape_key_span(key),
			    bytes_of(json_get_text(one, "drive_key_hex"), room));
		assert_ok(bareos_wrap(kek, passphrase, &again, NULL));
		assert_same(secret_span(again), text);
		secret_free(again);
		tape_key_free(key);
		bareos_passphrase_free(passphrase);
	}
	json_free(json);
}

static void test_bareos_clear_key_needs_no_kek(void **state)
{
	struct bareos_passphrase *passphrase = NULL;
	struct buffer text = { 0 };

	assert_ok(file_read(TEST_DATA "/bareos/plain.b64", 64, &text, NULL));
	assert_ok(bareos_unwrap(SPAN(NULL, 0), buffer_span(&text), &passphrase, NULL));
	assert_same(bareos_passphrase_span(passphrase),
		    span_of_text("*1#wrw&)Xj+5Scwv&h+FjUmqe7jG|mKP"));
	bareos_passphrase_free(TAKE(passphrase));
	assert_fails(bareos_unwrap(span_of_text("0123456789abcdef"), buffer_span(&text),
				   &passphrase, NULL),
		     COF_E_USAGE);
	buffer_done(&text);
}

static void test_bareos_unwrap_refuses_wrong_ones(void **state)
{
	static const char wrapped[] = "SEqPr9wI3ZgPBE1FA+5mH1xfvEwUZ/94uvrOJRI4V1tr/PD/GyGMpQ";
	static const char kek[] = "0LCO814^;2sz1@oQx:ckvH5em>qYF(+v";
	struct bareos_passphrase *passphrase = NULL;
	char altered[sizeof(wrapped)];

	/* Of another KEK the first 16 characters count, and only those. */
	assert_fails(bareos_unwrap(span_of_text("1LCO814^;2sz1@oQ"), span_of_text(wrapped),
				   &passphrase, NULL),
		     COF_E_KEY);
	assert_ok(bareos_unwrap(span_of_text("0LCO814^;2sz1@oQ"), span_of_text(wrapped),
				&passphrase, NULL));
	bareos_passphrase_free(TAKE(passphrase));
	assert_ok(bareos_unwrap(span_of_text(kek),
				span_of_text("SEqPr9wI3ZgPBE1FA+5mH1xfvEwUZ/94uv"
					     "rOJRI4V1tr/PD/GyGMpQ==\n"),
				&passphrase, NULL));
	bareos_passphrase_free(TAKE(passphrase));
	assert_fails(bareos_unwrap(span_of_text("0LCO814^;2sz1@o"), span_of_text(wrapped),
				   &passphrase, NULL),
		     COF_E_USAGE);
	assert_fails(bareos_unwrap(SPAN(NULL, 0), span_of_text(wrapped), &passphrase, NULL),
		     COF_E_USAGE);
	memcpy(altered, wrapped, sizeof(altered));
	altered[20] = 'A';
	assert_fails(bareos_unwrap(span_of_text(kek), span_of_text(altered), &passphrase, NULL),
		     COF_E_KEY);
	for (size_t len = 0; len < sizeof(wrapped) - 1; len++)
		if (!cof_failed(bareos_unwrap(span_of_text(kek), SPAN(wrapped, len), &passphrase,
					      NULL)))
			fail_msg("%zu characters", len);
	assert_null(passphrase);
}

static void test_bareos_wrap_refuses_another_length(void **state)
{
	struct bareos_passphrase *passphrase = NULL;
	struct secret *text = NULL;
	struct tape_key *key = NULL;

	assert_ok(bareos_passphrase_copy(span_of_text("too short"), &passphrase, NULL));
	assert_fails(bareos_wrap(span_of_text("0123456789abcdef"), passphrase, &text, NULL),
		     COF_E_USAGE);
	assert_fails(bareos_drive_key(passphrase, &key, NULL), COF_E_FORMAT);
	bareos_passphrase_free(passphrase);
}

static void test_bareos_generate_uses_every_character(void **state)
{
	unsigned int counts[256] = { 0 };
	unsigned int used = 0;

	/* 32000 draws of 90: one that is missing would be a chance of 10^-154. */
	for (size_t i = 0; i < 1000; i++) {
		struct bareos_passphrase *passphrase = NULL;

		assert_ok(bareos_generate(&passphrase, NULL));
		assert_int_equal(bareos_passphrase_span(passphrase).len, BAREOS_PASSPHRASE_CHARS);
		for (size_t k = 0; k < BAREOS_PASSPHRASE_CHARS; k++)
			counts[passphrase->secret.data[k]]++;
		bareos_passphrase_free(passphrase);
	}
	for (size_t i = 0; i < 256; i++) {
		used += counts[i] > 0;
		/* 356 are expected; 3/256 of all would be 375, 2/256 250. */
		if (counts[i] > 0 && (counts[i] < 260 || counts[i] > 460))
			fail_msg("%c: %u", (int)i, counts[i]);
	}
	assert_int_equal(used, 90);
}

static void test_base64_is_rfc_4648_without_padding(void **state)
{
	static const char *const vectors[][2] = {
		{ "f", "Zg" },	      { "fo", "Zm8" },	      { "foo", "Zm9v" },
		{ "foob", "Zm9vYg" }, { "fooba", "Zm9vYmE" }, { "foobar", "Zm9vYmFy" }
	};
	uint8_t bytes[256];
	struct secret *text = NULL;
	struct secret *back = NULL;

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		assert_ok(base64_encode(span_of_text(vectors[i][0]), &text, NULL));
		assert_same(secret_span(text), span_of_text(vectors[i][1]));
		assert_ok(base64_decode(secret_span(text), &back, NULL));
		assert_same(secret_span(back), span_of_text(vectors[i][0]));
		secret_free(TAKE(text));
		secret_free(TAKE(back));
	}
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	assert_ok(base64_encode(SPAN(bytes, sizeof(bytes)), &text, NULL));
	assert_ok(base64_decode(secret_span(text), &back, NULL));
	assert_same(secret_span(back), SPAN(bytes, sizeof(bytes)));
	secret_free(text);
	secret_free(back);
}

static void test_base64_refuses_what_is_none(void **state)
{
	static const char *const wrong[] = { "",    "=",   "Z",	   "Zm9vY",	  "Zh",
					     "Zm9", "Z_8", "Zm-v", "Zm9v\x80m9v", "\nZm9v" };
	struct secret *back = NULL;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (!cof_failed(base64_decode(span_of_text(wrong[i]), &back, NULL)))
			fail_msg("%s", wrong[i]);
	/* Every byte that is no character of the alphabet. */
	for (unsigned int c = '!'; c < 256; c++) {
		char text[5] = { 'A', (char)c, 'A', 'A', '\0' };
		bool is_one = c < 0x80 && (isalnum((int)c) || c == '+' || c == '/');
		bool decoded = c != '=' && !cof_failed(base64_decode(SPAN(text, 4), &back, NULL));

		secret_free(TAKE(back));
		assert_int_equal(decoded, is_one);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bareos_unwraps_its_samples_to_the_byte),
		cmocka_unit_test(test_bareos_clear_key_needs_no_kek),
		cmocka_unit_test(test_bareos_unwrap_refuses_wrong_ones),
		cmocka_unit_test(test_bareos_wrap_refuses_another_length),
		cmocka_unit_test(test_bareos_generate_uses_every_character),
		cmocka_unit_test(test_base64_is_rfc_4648_without_padding),
		cmocka_unit_test(test_base64_refuses_what_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
