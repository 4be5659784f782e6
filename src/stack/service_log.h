/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STACK_SERVICE_LOG_H
#define COF_STACK_SERVICE_LOG_H

/*
 * What was done with a service: one JSON object in each line of its log, and the same in the
 * journal. service_note() in service.h writes them.
 */

#include "service.h"

/** struct service_log_line - one line; all borrowed; @rid is "" for the service itself */
struct service_log_line {
	const char *time;
	const char *level; /* "info" or "error" */
	const char *session;
	const char *rid;
	const char *text;
};

typedef cof_result (*service_log_visit)(const struct service_log_line *line, void *context,
					struct cof_error *err);

/**
 * service_log_each() - every line, oldest first; those that a crash has torn are passed over
 * Fails: COF_E_IO, COF_E_NOMEM, as @visit
 */
cof_result service_log_each(const struct service *service, service_log_visit visit, void *context,
			    struct cof_error *err);

/** service_log_parse() - one line, pure; false for what is none. @ret_json: owns the texts; caller
 * frees */
bool service_log_parse(struct span text, struct service_log_line *ret_line, struct json **ret_json);

#endif
