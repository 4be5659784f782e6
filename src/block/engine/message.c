/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages between the command and the process, pure: see message.h.
 */

#include "message.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"

/* Copies a member's text, which must be there and fit. */
static cof_result text_member(const struct json *json, const char *key, char *out,
			      size_t out_size_bytes, struct cof_error *err)
{
	const char *text = json_get_text(json, key);

	ENSURE(text, err, COF_E_FORMAT, key, "the message lacks it");
	ENSURE(strlen(text) < out_size_bytes, err, COF_E_FORMAT, key,
	       "it has %zu bytes, at most %zu fit", strlen(text), out_size_bytes - 1);
	memcpy(out, text, strlen(text) + 1);

	return COF_OK;
}

/* The document on one line that ends in a newline. */
static char *line_of(const struct json *json)
{
	_cleanup_free_ char *text = json_format(json);
	char *line = NULL;

	if (asprintf(&line, "%s\n", text) < 0)
		abort(); /* as json.h has it for building: nobody could go on */
	return line;
}

char *order_format(const struct order *order)
{
	_cleanup_json_ struct json *json = json_new_object();

	json_set_text(json, "name", order->name);
	json_set_text(json, "source", order->source);
	json_set_text(json, "header", order->header);
	json_set_uint(json, "key_bytes", order->key_bytes);
	json_set_bool(json, "read_only", order->read_only);
	return line_of(json);
}

cof_result order_parse(struct span line, struct order *ret_order, struct cof_error *err)
{
	_cleanup_json_ struct json *json = NULL;
	struct order order = { 0 };
	uint64_t key_bytes;

	TRY(json_parse(line, "the engine's order", &json, err));
	TRY(text_member(json, "name", order.name, sizeof(order.name), err));
	TRY(text_member(json, "source", order.source, sizeof(order.source), err));
	TRY(text_member(json, "header", order.header, sizeof(order.header), err));
	key_bytes = json_get_uint(json, "key_bytes", 0);
	ENSURE(key_bytes > 0 && key_bytes <= 64, err, COF_E_FORMAT, "key_bytes",
	       "a key of %llu bytes is announced, must be 1 to 64",
	       (unsigned long long)key_bytes);
	order.key_bytes = (size_t)key_bytes;
	order.read_only = json_get_bool(json, "read_only", true);

	*ret_order = order;
	return COF_OK;
}

char *reply_format(const struct cof_error *error)
{
	_cleanup_json_ struct json *json = json_new_object();

	json_set_uint(json, "code", error ? (uint64_t)error->code : COF_E_NONE);
	if (error && error->code != COF_E_NONE) {
		json_set_text(json, "subject", error->subject);
		json_set_text(json, "text", error->text);
		json_set_text(json, "cause", error->cause);
		json_set_text(json, "remedy", error->remedy);
	}
	return line_of(json);
}

cof_result reply_parse(struct span line, const char *name, struct cof_error *err)
{
	_cleanup_json_ struct json *json = NULL;
	const char *cause;
	const char *remedy;
	const char *text;
	cof_result result = COF_OK;
	uint64_t code;

	ENSURE(line.len > 0, err, COF_E_FAILED, name, "its engine ended before it was ready");
	TRY(json_parse(line, "the engine's reply", &json, err));
	code = json_get_uint(json, "code", COF_E_FAILED);
	if (code > COF_E_UNSUPPORTED)
		code = COF_E_FAILED;
	if (code != COF_E_NONE) {
		text = json_get_text(json, "text");
		cause = json_get_text(json, "cause");
		remedy = json_get_text(json, "remedy");
		result = cof_raise(err, (enum cof_code)code, json_get_text(json, "subject"), "%s",
				   text ? text : "its engine gave no reason");
		if (cause && cause[0])
			cof_error_cause(err, "%s", cause);
		if (remedy && remedy[0])
			cof_error_try(err, "%s", remedy);
	}
	return result;
}

char *facts_format(const struct engine_volume *volume)
{
	_cleanup_json_ struct json *json = json_new_object();

	json_set_text(json, "name", volume->name);
	json_set_text(json, "uuid", volume->uuid);
	json_set_text(json, "source", volume->source);
	json_set_uint(json, "sector_bytes", volume->sector_bytes);
	json_set_bool(json, "read_only", volume->read_only);
	json_set_uint(json, "pid", (uint64_t)volume->pid);
	return line_of(json);
}

cof_result facts_parse(struct span line, struct engine_volume *ret_volume,
		       struct cof_error *err)
{
	_cleanup_json_ struct json *json = NULL;
	struct engine_volume volume = { 0 };

	TRY(json_parse(line, "the engine's lock file", &json, err));
	TRY(text_member(json, "name", volume.name, sizeof(volume.name), err));
	TRY(text_member(json, "uuid", volume.uuid, sizeof(volume.uuid), err));
	TRY(text_member(json, "source", volume.source, sizeof(volume.source), err));
	volume.sector_bytes = (uint32_t)json_get_uint(json, "sector_bytes", 0);
	volume.read_only = json_get_bool(json, "read_only", false);
	volume.pid = (int)json_get_uint(json, "pid", 0);

	*ret_volume = volume;
	return COF_OK;
}
