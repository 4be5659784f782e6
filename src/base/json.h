/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BASE_JSON_H
#define COF_BASE_JSON_H

/*
 * JSON, through json-c, which nothing else includes. Never for secrets: its memory is not locked.
 *
 * Building cannot fail half-way in a way that callers could mend, so running out of memory while
 * a document is built ends the process with a message (as GLib does). Reading returns errors.
 */

#include <stdint.h>

#include "buffer.h"
#include "cleanup.h"
#include "result.h"

struct json; /* an object, an array or a value, reference counted */

struct json *json_new_object(void);
struct json *json_new_array(void);
void json_free(struct json *json);
DEFINE_FREEP(struct json, json_freep, json_free)
#define _cleanup_json_ _cleanup_(json_freep)

/* A NULL text becomes JSON null. Texts that are not UTF-8 have the bad bytes replaced by '?'. */
void json_set_text(struct json *object, const char *key, const char *value);
/** json_set_known() - the same where "" stands for what is not known or not there: null too */
void json_set_known(struct json *object, const char *key, const char *value);
void json_set_uint(struct json *object, const char *key, uint64_t value);
void json_set_bool(struct json *object, const char *key, bool value);
void json_set_null(struct json *object, const char *key);
/** json_set() - @value is taken */
void json_set(struct json *object, const char *key, struct json *value);
/** json_add() - append to an array; @value is taken */
void json_add(struct json *array, struct json *value);
void json_add_text(struct json *array, const char *value);

/**
 * json_parse() - one document and nothing after it, at most 32 levels deep
 * Fails: COF_E_FORMAT, with the offset in bytes
 */
cof_result json_parse(struct span text, const char *subject, struct json **ret_json,
		      struct cof_error *err);

/* Reading: borrowed answers; NULL, the fallback or 0 when missing or of another type. */
const char *json_get_text(const struct json *object, const char *key);
uint64_t json_get_uint(const struct json *object, const char *key, uint64_t fallback);
bool json_get_bool(const struct json *object, const char *key, bool fallback);
struct json *json_get(const struct json *object, const char *key);
size_t json_length(const struct json *array);
struct json *json_at(const struct json *array, size_t index);
/** json_text() - the text of a value that is one, else NULL; borrowed */
const char *json_text(const struct json *value);
/** json_each() - call @visit for each member of an object, in order, until it returns false */
void json_each(const struct json *object,
	       bool (*visit)(const char *key, struct json *value, void *context), void *context);

/** json_print() - the document on @file, indented, with a newline at the end */
void json_print(const struct json *json, FILE *file);
/** json_format() - the document on one line; caller frees */
char *json_format(const struct json *json);

#endif
