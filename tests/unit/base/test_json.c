/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include "json.h"

static void test_object_is_printed_in_order(void **state)
{
	_cleanup_json_ struct json *object = json_new_object();
	_cleanup_free_ char *text = NULL;
	struct json *list = json_new_array();

	(void)state;
	json_set_text(object, "name", "a\"b/c");
	json_set_uint(object, "size", UINT64_MAX);
	json_set_bool(object, "open", true);
	json_set_text(object, "none", NULL);
	json_add_text(list, "x");
	json_set(object, "list", list);
	text = json_format(object);
	assert_string_equal(text,
			    "{\"name\":\"a\\\"b/c\",\"size\":18446744073709551615,\"open\":true,"
			    "\"none\":null,\"list\":[\"x\"]}");
}

static void test_text_that_is_no_utf8_is_cleaned(void **state)
{
	_cleanup_json_ struct json *object = json_new_object();

	(void)state;
	json_set_text(object, "bad", "a\xff\xc0\x80z");
	assert_string_equal(json_get_text(object, "bad"), "a???z");
	json_set_text(object, "good", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91");
	assert_string_equal(json_get_text(object, "good"), "\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91");
	json_set_text(object, "surrogate", "\xed\xa0\x80");
	assert_string_equal(json_get_text(object, "surrogate"), "???");
}

static void test_parse_reads_what_was_written(void **state)
{
	static const char text[] = " {\"a\": [1, \"two\"], \"b\": {\"c\": false}} \n";
	_cleanup_json_ struct json *object = NULL;

	(void)state;
	assert_ok(json_parse(SPAN(text, sizeof(text) - 1), "text", &object, NULL));
	assert_int_equal(json_length(json_get(object, "a")), 2);
	assert_string_equal(json_text(json_at(json_get(object, "a"), 1)), "two");
	assert_null(json_text(json_at(json_get(object, "a"), 0)));
	assert_null(json_at(json_get(object, "a"), 2));
	assert_false(json_get_bool(json_get(object, "b"), "c", true));
}

static void test_get_of_another_type_is_the_fallback(void **state)
{
	_cleanup_json_ struct json *object = json_new_object();

	(void)state;
	json_set_text(object, "text", "1");
	assert_int_equal(json_get_uint(object, "text", 7), 7);
	assert_true(json_get_bool(object, "text", true));
	assert_null(json_get_text(object, "missing"));
	assert_null(json_get_text(NULL, "missing"));
}

static void test_parse_refuses_what_is_no_document(void **state)
{
	static const char *const texts[] = { "",      "{",	    "{}{}",
					     "[1,]",  "{\"a\":1,}", "nonsense",
					     "[1] x", "\"\xff\"",   "{\"a\":1" };
	struct json *json = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_fails(json_parse(span_of_text(texts[i]), "text", &json, NULL), COF_E_FORMAT);
}

static void test_parse_refuses_too_many_levels(void **state)
{
	char text[200] = "";
	struct json *json = NULL;

	(void)state;
	memset(text, '[', 99);
	memset(text + 99, ']', 99);
	assert_fails(json_parse(span_of_text(text), "deep", &json, NULL), COF_E_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_object_is_printed_in_order),
		cmocka_unit_test(test_text_that_is_no_utf8_is_cleaned),
		cmocka_unit_test(test_parse_reads_what_was_written),
		cmocka_unit_test(test_get_of_another_type_is_the_fallback),
		cmocka_unit_test(test_parse_refuses_what_is_no_document),
		cmocka_unit_test(test_parse_refuses_too_many_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
