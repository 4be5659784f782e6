/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "file.h"
#include "journal.h"
#include "number.h"
#include "service_log.h"

#define LOG_MAX_BYTES (5u << 20) /* then the file is kept once more as .1, and begun anew */

/* Opens the log for one more line; -1 where that cannot be. */
static int open_log(const struct service *service)
{
	_cleanup_free_ char *folder = strndup(
		service->log_path, (size_t)(path_base(service->log_path) - service->log_path - 1));
	_cleanup_free_ char *older = NULL;
	struct stat facts;

	if (!folder || cof_failed(folder_make(folder, 0755, NULL)) ||
	    cof_failed(path_format(&older, NULL, "%s.1", service->log_path)))
		return -1;
	if (stat(service->log_path, &facts) == 0 && facts.st_size > (off_t)LOG_MAX_BYTES)
		cof_ignore(file_rename(service->log_path, older, NULL)); /* it grows on, then */
	return open(service->log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

/* Appends one line. */
static void append(const struct service *service, const char *time, const char *level,
		   const char *rid, const char *text)
{
	_cleanup_json_ struct json *json = json_new_object();
	_cleanup_free_ char *line = NULL;
	_cleanup_buffer_ struct buffer bytes = { 0 };
	_cleanup_fd_ int fd = open_log(service);

	json_set_text(json, "time", time);
	json_set_text(json, "level", level);
	json_set_text(json, "session", service->session);
	json_set_known(json, "rid", rid);
	json_set_text(json, "text", text);
	line = json_format(json);
	/* What cannot be written keeps no service from starting or stopping. */
	if (fd >= 0 && !cof_failed(buffer_add_text(&bytes, NULL, "%s\n", line)))
		cof_ignore(fd_write_all(fd, buffer_span(&bytes), service->log_path, NULL));
}

/* Writes one line to the log, the journal and who watches. */
static void note(struct service *service, bool bad, const char *rid, const char *text)
{
	const char *level = bad ? "error" : "info";
	char when[32];
	struct journal_field fields[] = {
		{ "MESSAGE", text },
		{ "COFFER_SERVICE", service->text },
		{ "COFFER_RESOURCE", rid[0] ? rid : NULL },
		{ "COFFER_SESSION", service->session },
	};

	(void)time_format(time(NULL), when);
	append(service, when, level, rid, text);
	journal_send(fields, sizeof(fields) / sizeof(fields[0]), bad);
	if (!bad && service->say)
		service->say(service->say_context, rid, text);
}

void service_note(struct service *service, const char *rid, const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	note(service, false, rid, text);
}

void service_note_failure(struct service *service, const char *rid, const struct cof_error *why)
{
	char text[1024];

	(void)snprintf(text, sizeof(text), "%.200s%s%.400s%s%.300s",
		       why->headline[0] ? why->headline : why->subject,
		       why->headline[0] || why->subject[0] ? ": " : "", why->text,
		       why->cause[0] ? "; " : "", why->cause);
	note(service, true, rid, text);
}

bool service_log_parse(struct span text, struct service_log_line *ret_line, struct json **ret_json)
{
	_cleanup_json_ struct json *json = NULL;
	const char *rid;

	if (cof_failed(json_parse(text, "log", &json, NULL)))
		return false;
	rid = json_get_text(json, "rid");
	*ret_line = (struct service_log_line){
		.time = json_get_text(json, "time"),
		.level = json_get_text(json, "level"),
		.session = json_get_text(json, "session"),
		.rid = rid ? rid : "",
		.text = json_get_text(json, "text"),
	};
	if (!ret_line->time || !ret_line->level || !ret_line->session || !ret_line->text)
		return false;
	*ret_json = TAKE(json);
	return true;
}

/* Visits every line of one file; not there is none. */
static cof_result each_of(const char *path, service_log_visit visit, void *context,
			  struct cof_error *err)
{
	_cleanup_buffer_ struct buffer content = { 0 };
	size_t at = 0;

	if (!path_exists(path))
		return COF_OK;
	TRY(file_read(path, 2 * (size_t)LOG_MAX_BYTES, &content, err));
	while (at < content.len) {
		_cleanup_json_ struct json *json = NULL;
		const uint8_t *end = memchr(content.data + at, '\n', content.len - at);
		size_t len = end ? (size_t)(end - content.data) - at : content.len - at;
		struct service_log_line line;

		if (service_log_parse(SPAN(content.data + at, len), &line, &json))
			TRY(visit(&line, context, err));
		at += len + 1;
	}
	return COF_OK;
}

cof_result service_log_each(const struct service *service, service_log_visit visit, void *context,
			    struct cof_error *err)
{
	_cleanup_free_ char *older = NULL;

	TRY(path_format(&older, err, "%s.1", service->log_path));
	TRY(each_of(older, visit, context, err));
	return each_of(service->log_path, visit, context, err);
}
