/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The line for a key that the agent has forgotten by itself. The agent knows no log, so that who
 * comes next writes it. doc/format-audit.md, section 6.
 */

#include <string.h>

#include "audit_file.h"
#include "audit_head.h"
#include "file.h"
#include "number.h"

#define FILE_MAX_BYTES (64u << 20)

/* How the two lines are written that say whether the agent has the key. */
static const char given_mark[] = "\"event\":\"" AUDIT_VAULT_UNLOCK "\",\"subject\":\"agent\"";
static const char taken_mark[] = "\"event\":\"" AUDIT_VAULT_LOCK "\"";

/* Whether a line holds a text; within a value, its quotation marks would be escaped. */
static bool holds(struct span line, const char *text)
{
	return memmem(line.data, line.len, text, strlen(text)) != NULL;
}

/* The last of those two lines in a file; @ret_found is false when it has neither. */
static cof_result find_last(const char *folder, const char *name, struct json **ret_line,
			    bool *ret_found, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer content = { 0 };
	_cleanup_free_ char *path = NULL;
	struct span last = { 0 };
	struct span rest;
	struct span line;
	bool ended;

	*ret_found = false;
	TRY(path_format(&path, err, "%s/%s", folder, name));
	TRY(file_read_plain(path, FILE_MAX_BYTES, &content, err));
	rest = buffer_span(&content);
	while (audit_next_line(&rest, &line, &ended))
		if (holds(line, given_mark) || holds(line, taken_mark))
			last = line;
	if (!last.data)
		return COF_OK;
	TRY(json_parse(last, name, ret_line, err));
	*ret_found = true;
	return COF_OK;
}

/* The same for the log: its last file, or the one before, which was full just now. */
static cof_result find_newest(const char *folder, struct json **ret_line, bool *ret_found,
			      struct cof_error *err)
{
	_cleanup_(vault_names_freep) char **names = NULL;
	size_t count;

	*ret_found = false;
	TRY(audit_files(folder, &names, &count, err));
	for (size_t i = count; i > 0 && i + 2 > count && !*ret_found; i--)
		TRY(find_last(folder, names[i - 1], ret_line, ret_found, err));
	return COF_OK;
}

/* Why the agent that got the key with @line cannot have it any more; NULL: it may have it.
 * @ret_until: when the time limit was over; 0: that is not known */
static const char *why_gone(const struct json *line, int64_t *ret_until)
{
	const char *time_text = json_get_text(line, "time");
	const char *boot = json_get_text(line, "boot");
	uint64_t seconds = json_get_uint(json_get(line, "detail"), "seconds", UINT64_MAX);
	char boot_now[AUDIT_BOOT_CHARS];
	int64_t when;

	*ret_until = 0;
	if (seconds <= UINT32_MAX && time_text &&
	    !cof_failed(audit_time_parse(time_text, &when, NULL)) &&
	    when + (int64_t)seconds <= audit_now()) {
		*ret_until = when + (int64_t)seconds;
		return "time limit";
	}
	if (boot && audit_boot(boot_now) && strcmp(boot, boot_now) != 0)
		return "restart";
	return NULL;
}

void audit_note_expiry(struct vault *vault)
{
	_cleanup_json_ struct json *line = NULL;
	const char *event = NULL;
	const char *why = NULL;
	struct json *detail;
	int64_t until = 0;
	bool found = false;
	char text[32];

	/* A log that cannot be read has its own report. */
	if (!cof_failed(find_newest(vault->paths->vault_dir, &line, &found, NULL)) && found)
		event = json_get_text(line, "event");
	if (event && strcmp(event, AUDIT_VAULT_UNLOCK) == 0)
		why = why_gone(line, &until);
	if (!why)
		return;
	detail = json_new_object();
	json_set_text(detail, "by", why);
	if (until)
		json_set_text(detail, "at", time_format((time_t)until, text));
	audit_note(vault, &(struct audit_entry){ .event = AUDIT_VAULT_LOCK, .detail = detail });
}
