/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lines of the audit log for people and programs.
 */

#include <stdio.h>
#include <string.h>

#include "audit_show.h"
#include "table.h"

/* What one walk over the log gathers. */
struct gathering {
	const struct audit_filter *filter;
	struct json *lines;
};

/* Whether an event is the one that is asked for, or of that class; "" asks for all. */
static bool is_event(const char *event, const char *wanted)
{
	size_t len = strlen(wanted);

	return len == 0 || (strncmp(event, wanted, len) == 0 &&
			    (event[len] == '\0' || event[len] == '.' || wanted[len - 1] == '.'));
}

/* Whether a line is to be shown. */
static bool passes(const struct json *line, const struct audit_item *item,
		   const struct audit_filter *filter)
{
	const char *subject = json_get_text(line, "subject");

	if (item->when < filter->since)
		return false;
	if (!filter->event && item->role == AUDIT_IS_SEAL)
		return false;
	if (filter->event && !is_event(json_get_text(line, "event"), filter->event))
		return false;
	return !filter->subject || (subject && strcmp(subject, filter->subject) == 0);
}

/* What visits each whole line of the log; @json, which is the line, may be taken out. */
struct line_visit {
	cof_result (*visit)(struct span line, struct json **json, const struct audit_item *item,
			    void *context, struct cof_error *err);
	void *context;
};

/* audit_each_file()'s visitor. */
static cof_result visit_file(const char *file, struct span content, void *context,
			     struct cof_error *err)
{
	const struct line_visit *visit = context;
	struct span line;
	bool ended;

	while (audit_next_line(&content, &line, &ended)) {
		_cleanup_json_ struct json *json = NULL;
		struct audit_item item;

		TRY(audit_item_read(line, &item, err));
		if (item.whole && !cof_failed(json_parse(line, file, &json, NULL)))
			TRY(visit->visit(line, &json, &item, visit->context, err));
	}
	return COF_OK;
}

/* A line_visit's visit: keeps the lines that pass. */
static cof_result gather_line(struct span line, struct json **json, const struct audit_item *item,
			      void *context, struct cof_error *err)
{
	const struct gathering *gathering = context;

	(void)line;
	(void)err;
	if (passes(*json, item, gathering->filter))
		json_add(gathering->lines, TAKE(*json));
	return COF_OK;
}

/* A copy of an object that stays another's. */
static struct json *copy_of(const struct json *json)
{
	_cleanup_free_ char *text = json_format(json);
	struct json *copy = NULL;

	if (text)
		cof_ignore(json_parse(span_of_text(text), "", &copy, NULL)); /* our own text */
	return copy;
}

cof_result audit_gather(const struct vault *vault, const struct audit_filter *filter,
			struct json **ret_lines, struct cof_error *err)
{
	_cleanup_json_ struct json *all = json_new_array();
	struct gathering gathering = { .filter = filter, .lines = all };
	struct line_visit visit = { gather_line, &gathering };
	struct json *last;
	size_t count;

	TRY(audit_each_file(vault, visit_file, &visit, err));
	count = json_length(all);
	if (filter->limit == 0 || count <= filter->limit) {
		*ret_lines = TAKE(all);
		return COF_OK;
	}
	last = json_new_array();
	for (size_t i = count - filter->limit; i < count; i++)
		json_add(last, copy_of(json_at(all, i)));
	*ret_lines = last;
	return COF_OK;
}

/* Who it was, as short as it can be told; returns @out. */
static char *who_text(const struct json *line, char out[static 96])
{
	const struct json *who = json_get(line, "who");
	uint64_t login = json_get_uint(who, "login", UINT64_MAX);
	const char *from = json_get_text(who, "ssh");
	const char *verb = json_get_text(who, "verb");

	(void)snprintf(out, 96, "%llu%s%s%s%s",
		       (unsigned long long)(login == UINT64_MAX ? json_get_uint(who, "uid", 0)
								: login),
		       from ? "@" : "", from ? from : "", verb ? " " : "", verb ? verb : "");
	return out;
}

cof_result audit_table(const struct json *lines, FILE *file, struct cof_error *err)
{
	static const char *const columns[] = { ">SEQ",	 "TIME", "EVENT", "SUBJECT",
					       "RESULT", "WHO",	 NULL };
	_cleanup_(table_freep) struct table *table = NULL;

	TRY(table_new(columns, &table, err));
	for (size_t i = 0; i < json_length(lines); i++) {
		const struct json *line = json_at(lines, i);
		const char *code = json_get_text(line, "code");
		const char *result = json_get_text(line, "result");
		bool same = code && result && strcmp(code, result) == 0;
		char seq[24];
		char outcome[64];
		char who[96];

		(void)snprintf(seq, sizeof(seq), "%llu",
			       (unsigned long long)json_get_uint(line, "seq", 0));
		(void)snprintf(outcome, sizeof(outcome), "%s%s%s", result ? result : "-",
			       code && !same ? ": " : "", code && !same ? code : "");
		TRY(table_add(table,
			      (const char *const[]){ seq, json_get_text(line, "time"),
						     json_get_text(line, "event"),
						     json_get_text(line, "subject"), outcome,
						     who_text(line, who) },
			      err));
	}
	return table_print(table, file, err);
}

cof_result audit_judge(const char *folder, const struct audit_verdict *verdict,
		       struct cof_error *err)
{
	char subject[128];
	cof_result failure;

	if (verdict->fault == AUDIT_WHOLE)
		return COF_OK;
	if (verdict->line)
		(void)snprintf(subject, sizeof(subject), "%s line %llu", verdict->file,
			       (unsigned long long)verdict->line);
	else
		(void)snprintf(subject, sizeof(subject), "audit log");
	failure = cof_raise(err, COF_E_AUTH, subject, "%s", verdict->text);
	cof_error_cause(err, "verdict: %s; good up to number %llu, sealed up to %llu",
			audit_fault_name(verdict->fault), (unsigned long long)verdict->last_seq,
			(unsigned long long)verdict->sealed_seq);
	return cof_explain(failure, err,
			   "look into the journal for what is missing; coffer audit --accept then "
			   "begins a new log",
			   "the audit log of %s is damaged", folder);
}

struct json *audit_verdict_json(const struct audit_verdict *verdict)
{
	struct json *json = json_new_object();

	json_set_text(json, "state", audit_fault_name(verdict->fault));
	if (verdict->fault != AUDIT_WHOLE) {
		json_set_text(json, "file", verdict->file);
		json_set_uint(json, "line", verdict->line);
		json_set_text(json, "text", verdict->text);
	}
	json_set_uint(json, "lines", verdict->lines);
	json_set_uint(json, "last_seq", verdict->last_seq);
	json_set_uint(json, "sealed_seq", verdict->sealed_seq);
	json_set_uint(json, "torn", verdict->torn);
	return json;
}

/* What looks for a certificate: the lines from the newest one on, until a seal. */
struct certificate {
	const char *name;
	struct json *found;
	bool sealed;
};

/* Whether a line says that @name was destroyed. */
static bool is_certificate(const struct json *line, const char *name)
{
	const char *event = json_get_text(line, "event");
	const char *subject = json_get_text(line, "subject");
	const char *result = json_get_text(line, "result");

	return strcmp(event, AUDIT_DISK_DESTROY) == 0 && subject && strcmp(subject, name) == 0 &&
	       result && strcmp(result, "done") == 0;
}

/* Adds a line just as it is in the log. */
static cof_result add_raw(struct json *found, struct span line, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer text = { 0 };

	TRY(buffer_add(&text, line.data, line.len, err));
	TRY(buffer_add_u8(&text, 0, err));
	json_add_text(json_get(found, "lines"), (const char *)text.data);
	return COF_OK;
}

/* A line_visit's visit: keeps the newest certificate and what follows it, up to a seal. */
static cof_result look_at_line(struct span line, struct json **json, const struct audit_item *item,
			       void *context, struct cof_error *err)
{
	struct certificate *certificate = context;

	if (is_certificate(*json, certificate->name)) {
		json_free(TAKE(certificate->found));
		certificate->found = json_new_object();
		certificate->sealed = false;
		json_set(certificate->found, "certificate", copy_of(*json));
		json_set(certificate->found, "lines", json_new_array());
	}
	if (!certificate->found || certificate->sealed)
		return COF_OK;
	TRY(add_raw(certificate->found, line, err));
	certificate->sealed = item->role == AUDIT_IS_SEAL;
	if (certificate->sealed)
		json_set(certificate->found, "seal", copy_of(*json));
	return COF_OK;
}

cof_result audit_find_certificate(const struct vault *vault, const char *name,
				  struct json **ret_certificate, struct cof_error *err)
{
	struct certificate certificate = { .name = name };
	struct line_visit visit = { look_at_line, &certificate };
	cof_result result = audit_each_file(vault, visit_file, &visit, err);

	if (cof_failed(result)) {
		json_free(certificate.found);
		return result;
	}
	ENSURE(certificate.found, err, COF_E_NOENT, name,
	       "no line of the audit log says that it was destroyed");
	*ret_certificate = certificate.found;
	return COF_OK;
}
