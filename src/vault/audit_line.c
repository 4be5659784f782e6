/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One line of the audit log: a JSON object, chained to the line before by its SHA-256.
 */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "audit_line.h"
#include "number.h"

#define HEX_CHARS   (2 * SHA256_BYTES)
#define SEAL_HEAD   ",\"seal\":\""
#define SEAL_TAIL   "\"}"
#define SEAL_CHARS  (sizeof(SEAL_HEAD) - 1 + HEX_CHARS + sizeof(SEAL_TAIL) - 1)
#define YEAR_OF_TM  1900
#define SEQ_MAX	    (UINT64_MAX / 2) /* what every reader of JSON takes as a whole number */

cof_result audit_chain_of(struct span line, struct audit_chain *ret_chain, struct cof_error *err)
{
	return sha256(line, ret_chain->bytes, err);
}

bool audit_chain_equal(const struct audit_chain *a, const struct audit_chain *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* Puts a borrowed object into another one, by way of its text: ours has no shared values. */
static void set_copy(struct json *object, const char *key, const struct json *value)
{
	_cleanup_free_ char *text = value ? json_format(value) : NULL;
	struct json *copy;

	if (text && !cof_failed(json_parse(span_of_text(text), key, &copy, NULL)))
		json_set(object, key, copy);
}

cof_result audit_line_format(const struct audit_stamp *stamp, const struct audit_text *text,
			     struct buffer *out, struct cof_error *err)
{
	_cleanup_json_ struct json *line = json_new_object();
	_cleanup_free_ char *formatted = NULL;
	char prev[HEX_CHARS + 1];
	char when[32];

	json_set_uint(line, "seq", stamp->seq);
	json_set_text(line, "time", time_format((time_t)stamp->when, when));
	if (stamp->back_seconds > 0)
		json_set_uint(line, "clock_back_seconds", stamp->back_seconds);
	if (stamp->boot)
		json_set_text(line, "boot", stamp->boot);
	json_set_text(line, "event", text->event);
	if (text->subject)
		json_set_text(line, "subject", text->subject);
	json_set_text(line, "result", text->result);
	if (text->code)
		json_set_text(line, "code", text->code);
	set_copy(line, "detail", text->detail);
	set_copy(line, "who", text->who);
	json_set_text(line, "prev", hex_format(stamp->prev.bytes, SHA256_BYTES, prev));
	formatted = json_format(line);
	ENSURE(formatted, err, COF_E_NOMEM, text->event, "no memory for a line of the audit log");
	ENSURE(strlen(formatted) + SEAL_CHARS <= AUDIT_LINE_MAX_BYTES, err, COF_E_USAGE,
	       text->event, "%zu bytes are too many for a line of the audit log",
	       strlen(formatted));
	return buffer_add(out, formatted, strlen(formatted), err);
}

cof_result audit_line_seal(const struct wrap_key *key, struct buffer *line, struct cof_error *err)
{
	uint8_t seal[SHA256_BYTES];
	char hex[HEX_CHARS + 1];

	ENSURE(line->len > 2 && line->data[line->len - 1] == '}', err, COF_E_FORMAT, AUDIT_SEAL,
	       "is no line of an audit log");
	line->len--;
	TRY(hmac_sha256(key, buffer_span(line), seal, err));
	return buffer_add_text(line, err, SEAL_HEAD "%s" SEAL_TAIL,
			       hex_format(seal, sizeof(seal), hex));
}

/* Where the seal at the end of a line begins; NULL: there is none. */
static const char *seal_of(struct span line)
{
	const char *at = (const char *)line.data + line.len - SEAL_CHARS;

	if (line.len <= SEAL_CHARS || memcmp(at, SEAL_HEAD, strlen(SEAL_HEAD)) != 0 ||
	    memcmp(line.data + line.len - strlen(SEAL_TAIL), SEAL_TAIL, strlen(SEAL_TAIL)) != 0)
		return NULL;
	return at;
}

cof_result audit_item_sealed(const struct audit_item *item, const struct wrap_key *key,
			     bool *ret_sealed, struct cof_error *err)
{
	const char *at = seal_of(item->text);
	uint8_t expected[SHA256_BYTES];
	uint8_t found[SHA256_BYTES];
	char hex[HEX_CHARS + 1] = "";

	*ret_sealed = false;
	if (!at)
		return COF_OK;
	memcpy(hex, at + strlen(SEAL_HEAD), HEX_CHARS);
	if (cof_failed(hex_parse(hex, found, sizeof(found), NULL)))
		return COF_OK;
	TRY(hmac_sha256(key, SPAN(item->text.data, item->text.len - SEAL_CHARS), expected, err));
	*ret_sealed = ct_equal(SPAN(found, sizeof(found)), SPAN(expected, sizeof(expected)));
	return COF_OK;
}

cof_result audit_time_parse(const char *text, int64_t *ret_when, struct cof_error *err)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);

	if (!end) {
		tm = (struct tm){ 0 };
		end = strptime(text, "%Y-%m-%d", &tm);
	}
	ENSURE(end && *end == '\0' && tm.tm_year + YEAR_OF_TM >= 1970, err, COF_E_USAGE, text,
	       "is no time such as 2026-11-20T17:00:00Z or 2026-11-20");
	*ret_when = timegm(&tm);
	return COF_OK;
}

/* What an event means to the log itself. */
static enum audit_role role_of(const char *event)
{
	if (strcmp(event, AUDIT_BEGIN) == 0)
		return AUDIT_IS_BEGIN;
	if (strcmp(event, AUDIT_TORN) == 0)
		return AUDIT_IS_TORN;
	return strcmp(event, AUDIT_SEAL) == 0 ? AUDIT_IS_SEAL : AUDIT_IS_EVENT;
}

/* Takes what the chain needs out of a line; false when something of it is missing. */
static bool read_members(const struct json *line, struct audit_item *item)
{
	const char *event = json_get_text(line, "event");
	const char *prev = json_get_text(line, "prev");
	const char *when = json_get_text(line, "time");
	const struct json *detail = json_get(line, "detail");
	const char *vault = json_get_text(detail, "vault");

	item->seq = json_get_uint(line, "seq", 0);
	if (!event || !prev || !when || item->seq == 0 || item->seq > SEQ_MAX ||
	    cof_failed(hex_parse(prev, item->prev.bytes, SHA256_BYTES, NULL)) ||
	    cof_failed(audit_time_parse(when, &item->when, NULL)))
		return false;
	item->role = role_of(event);
	item->epoch = (uint32_t)json_get_uint(detail, "epoch", 0);
	if (vault)
		(void)snprintf(item->vault, sizeof(item->vault), "%s", vault);
	return item->role != AUDIT_IS_SEAL || seal_of(item->text);
}

cof_result audit_item_read(struct span line, struct audit_item *ret_item, struct cof_error *err)
{
	_cleanup_json_ struct json *json = NULL;
	struct audit_item item = { .text = line };

	TRY(audit_chain_of(line, &item.own, err));
	if (line.len <= AUDIT_LINE_MAX_BYTES && !cof_failed(json_parse(line, "line", &json, NULL)))
		item.whole = read_members(json, &item);
	if (!item.whole)
		item = (struct audit_item){ .text = line, .own = item.own };
	*ret_item = item;
	return COF_OK;
}

bool audit_next_line(struct span *rest, struct span *ret_line, bool *ret_ended)
{
	const uint8_t *end = rest->len ? memchr(rest->data, '\n', rest->len) : NULL;

	if (rest->len == 0)
		return false;
	*ret_ended = end != NULL;
	*ret_line = SPAN(rest->data, end ? (size_t)(end - rest->data) : rest->len);
	*rest = SPAN(rest->data + ret_line->len + *ret_ended,
		     rest->len - ret_line->len - *ret_ended);
	return true;
}
