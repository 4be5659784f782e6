/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON through json-c. `struct json` is json-c's own object under a name of ours.
 */

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include <json-c/json.h>

#include "json.h"

#define JSON_DEPTH_MAX 32

static struct json_object *inner(const struct json *json)
{
	return (struct json_object *)(uintptr_t)json;
}

/* Running out of memory half-way through a document ends the process: see json.h. */
static struct json_object *need(struct json_object *object)
{
	if (!object) {
		(void)fprintf(stderr, "coffer: no memory for a JSON document\n");
		abort();
	}
	return object;
}

/* Length in bytes of the UTF-8 sequence at @text, 0 when it is not one. */
static size_t utf8_sequence(const unsigned char *text)
{
	size_t len = text[0] < 0x80			 ? 1
		     : text[0] >= 0xc2 && text[0] < 0xe0 ? 2
		     : text[0] >= 0xe0 && text[0] < 0xf0 ? 3
		     : text[0] >= 0xf0 && text[0] < 0xf5 ? 4
							 : 0;

	for (size_t i = 1; i < len; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	}
	/* Overlong forms, surrogates and numbers past U+10FFFF: RFC 3629, section 4. */
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
	    (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return len;
}

/* A JSON text of @value, with '?' for bytes that are no UTF-8. */
static struct json_object *text_value(const char *value)
{
	_cleanup_free_ char *clean = strdup(value);

	if (!clean)
		return need(NULL);
	for (char *at = clean; *at != '\0';) {
		size_t len = utf8_sequence((const unsigned char *)at);

		if (len == 0)
			*at = '?';
		at += len ? len : 1;
	}
	return need(json_object_new_string(clean));
}

struct json *json_new_object(void)
{
	return (struct json *)need(json_object_new_object());
}

struct json *json_new_array(void)
{
	return (struct json *)need(json_object_new_array());
}

void json_free(struct json *json)
{
	if (json)
		(void)json_object_put(inner(json));
}

/* Adds a member; json-c takes the value. */
static void set_member(struct json *object, const char *key, struct json_object *value)
{
	if (json_object_object_add(inner(object), key, value) < 0)
		(void)need(NULL);
}

void json_set_text(struct json *object, const char *key, const char *value)
{
	set_member(object, key, value ? text_value(value) : NULL);
}

void json_set_known(struct json *object, const char *key, const char *value)
{
	json_set_text(object, key, value && value[0] ? value : NULL);
}

void json_set_uint(struct json *object, const char *key, uint64_t value)
{
	set_member(object, key, need(json_object_new_uint64(value)));
}

void json_set_bool(struct json *object, const char *key, bool value)
{
	set_member(object, key, need(json_object_new_boolean(value)));
}

void json_set_null(struct json *object, const char *key)
{
	set_member(object, key, NULL);
}

void json_set(struct json *object, const char *key, struct json *value)
{
	set_member(object, key, inner(value));
}

void json_add(struct json *array, struct json *value)
{
	if (json_object_array_add(inner(array), inner(value)) < 0)
		(void)need(NULL);
}

void json_add_text(struct json *array, const char *value)
{
	json_add(array, (struct json *)(value ? text_value(value) : NULL));
}

cof_result json_parse(struct span text, const char *subject, struct json **ret_json,
		      struct cof_error *err)
{
	struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
	struct json_object *object;
	enum json_tokener_error status;
	size_t end;

	ENSURE(tokener, err, COF_E_NOMEM, subject, "no memory to read JSON");
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	object = text.len <= INT_MAX
			 ? json_tokener_parse_ex(tokener, (const char *)text.data, (int)text.len)
			 : NULL;
	status = json_tokener_get_error(tokener);
	end = json_tokener_get_parse_end(tokener);
	/* A number at the very end is complete only once the tokener sees that nothing follows. */
	if (status == json_tokener_continue) {
		object = json_tokener_parse_ex(tokener, "", 1);
		status = json_tokener_get_error(tokener);
	}
	json_tokener_free(tokener);
	while (end < text.len && strchr(" \t\r\n", text.data[end]) && text.data[end])
		end++;
	if (status != json_tokener_success || !object || end < text.len) {
		(void)json_object_put(object);
		FAIL(err, COF_E_FORMAT, subject, "is not JSON from byte %zu on", end);
	}
	*ret_json = (struct json *)object;
	return COF_OK;
}

struct json *json_get(const struct json *object, const char *key)
{
	struct json_object *value = NULL;

	if (!object || !json_object_is_type(inner(object), json_type_object))
		return NULL;
	(void)json_object_object_get_ex(inner(object), key, &value);
	return (struct json *)value;
}

const char *json_text(const struct json *value)
{
	if (!value || !json_object_is_type(inner(value), json_type_string))
		return NULL;
	return json_object_get_string(inner(value));
}

const char *json_get_text(const struct json *object, const char *key)
{
	return json_text(json_get(object, key));
}

uint64_t json_get_uint(const struct json *object, const char *key, uint64_t fallback)
{
	struct json *value = json_get(object, key);

	if (!value || !json_object_is_type(inner(value), json_type_int))
		return fallback;
	return json_object_get_uint64(inner(value));
}

bool json_get_bool(const struct json *object, const char *key, bool fallback)
{
	struct json *value = json_get(object, key);

	if (!value || !json_object_is_type(inner(value), json_type_boolean))
		return fallback;
	return json_object_get_boolean(inner(value));
}

size_t json_length(const struct json *array)
{
	if (!array || !json_object_is_type(inner(array), json_type_array))
		return 0;
	return json_object_array_length(inner(array));
}

struct json *json_at(const struct json *array, size_t index)
{
	if (index >= json_length(array))
		return NULL;
	return (struct json *)json_object_array_get_idx(inner(array), index);
}

void json_each(const struct json *object,
	       bool (*visit)(const char *key, struct json *value, void *context), void *context)
{
	if (!object || !json_object_is_type(inner(object), json_type_object))
		return;
	json_object_object_foreach(inner(object), key, value)
	{
		if (!visit(key, (struct json *)value, context))
			return;
	}
}

void json_print(const struct json *json, FILE *file)
{
	(void)fprintf(file, "%s\n",
		      json_object_to_json_string_ext(inner(json),
						     JSON_C_TO_STRING_PRETTY |
							     JSON_C_TO_STRING_NOSLASHESCAPE));
}

char *json_format(const struct json *json)
{
	const char *text = json_object_to_json_string_ext(
		inner(json), JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	char *copy = text ? strdup(text) : NULL;

	if (!copy)
		(void)need(NULL);
	return copy;
}
