/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "wrap.h"

const char *finding_severity(const struct finding *finding)
{
	enum cof_code code = finding->error.code;

	if (finding->advice)
		return "advice";
	return code == COF_E_FORMAT || code == COF_E_AUTH ? "damage" : "warning";
}

void finding_list_done(struct finding_list *list)
{
	free(list->items);
	*list = (struct finding_list){ 0 };
}

/* Whether two say the same of the same. */
static bool is_same(const struct finding *a, const struct finding *b)
{
	return strcmp(a->area, b->area) == 0 && strcmp(a->error.subject, b->error.subject) == 0 &&
	       strcmp(a->error.text, b->error.text) == 0;
}

cof_result finding_list_add(const struct finding *finding, void *context, struct cof_error *err)
{
	struct finding_list *list = context;
	struct finding *grown;

	for (size_t i = 0; i < list->count; i++)
		if (is_same(&list->items[i], finding))
			return COF_OK;
	grown = reallocarray(list->items, list->count + 1, sizeof(*grown));
	ENSURE(grown, err, COF_E_NOMEM, NULL, "no memory for %zu findings", list->count + 1);
	list->items = grown;
	list->items[list->count++] = *finding;
	return COF_OK;
}

cof_result finding_add(struct finding_list *list, const char *area, const struct cof_error *error,
		       struct cof_error *err)
{
	struct finding finding = { .area = area, .error = *error };
	struct cof_error *plain = &finding.error;

	/* A headline says what is wrong, and what it is about becomes the cause. */
	if (error->headline[0]) {
		(void)snprintf(plain->cause, sizeof(plain->cause), "%s%s%s%s%.250s", error->subject,
			       error->subject[0] ? ": " : "", error->text,
			       error->cause[0] ? ": " : "", error->cause);
		memcpy(plain->text, error->headline, sizeof(plain->text));
		plain->subject[0] = '\0';
		plain->headline[0] = '\0';
	}
	return finding_list_add(&finding, list, err);
}

cof_result finding_note(struct finding_list *list, const char *area, enum cof_code code,
			const char *subject, const char *remedy, struct cof_error *err,
			const char *format, ...)
{
	struct cof_error error = { .code = code };
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(error.text, sizeof(error.text), format, arguments);
	va_end(arguments);
	(void)snprintf(error.subject, sizeof(error.subject), "%s", subject);
	(void)snprintf(error.remedy, sizeof(error.remedy), "%s", remedy);
	return finding_add(list, area, &error, err);
}

char *finding_text(const struct finding *finding, char out[static FINDING_TEXT_CHARS])
{
	const struct cof_error *error = &finding->error;
	int command = (int)wrap_command_len(error->remedy);
	const char *quote = command ? "`" : "";

	/* What ends the command is none of it. */
	if (command && strchr(",;", error->remedy[command - 1]))
		command--;
	(void)snprintf(out, FINDING_TEXT_CHARS, "%s%s%s%s%s%s%s%.*s%s%s", error->subject,
		       error->subject[0] ? ": " : "", error->text, error->cause[0] ? ": " : "",
		       error->cause, error->remedy[0] ? "; try: " : "", quote, command,
		       error->remedy, quote, error->remedy + command);
	return out;
}

void finding_list_say(const struct cli_call *call, const struct finding_list *list)
{
	char text[FINDING_TEXT_CHARS];

	for (size_t i = 0; i < list->count; i++)
		cli_say(call, "%s: %s", list->items[i].advice ? "note" : "warning",
			finding_text(&list->items[i], text));
}

struct json *finding_json(const struct finding *finding)
{
	const struct cof_error *error = &finding->error;
	struct json *json = json_new_object();

	json_set_text(json, "area", finding->area);
	json_set_text(json, "severity", finding_severity(finding));
	json_set_text(json, "code", cof_code_name(error->code));
	json_set_known(json, "subject", error->subject);
	json_set_text(json, "problem", error->text);
	json_set_known(json, "cause", error->cause);
	json_set_known(json, "remedy", error->remedy);
	return json;
}
