/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer service freeze|thaw|log: a service is left alone, and what was done with it.
 */

#include <stdio.h>
#include <string.h>

#include "service_act.h"
#include "service_log.h"
#include "verbs.h"

/* Both verbs. */
static cof_result set_frozen(struct cli_call *call, bool frozen, struct cof_error *err)
{
	_cleanup_(service_freep) struct service *service = NULL;
	_cleanup_fd_ int lock = -1;
	struct json *document = json_new_object();
	bool changed = false;

	cli_show(call, document);
	TRY(service_of_call(call, &service, err));
	json_set_text(document, "path", service->text);
	if (!call->dry_run) {
		TRY(service_lock_call(call, &service, &lock, err));
		service->say = NULL;
		TRY(service_freeze(service, frozen, &changed, err));
	}
	json_set_bool(document, "changed", changed);
	cli_say(call, "%s %s%s", service->text,
		call->dry_run ? "would be "
		: changed     ? "is "
			      : "is already ",
		frozen ? "frozen" : "thawed");
	return COF_OK;
}

static cof_result run_freeze(struct cli_call *call, struct cof_error *err)
{
	return set_frozen(call, true, err);
}

static cof_result run_thaw(struct cli_call *call, struct cof_error *err)
{
	return set_frozen(call, false, err);
}

/* What a walk over the log fills. */
struct showing {
	const struct cli_call *call;
	struct json *lines;
};

/* service_log_each()'s visitor. */
static cof_result show_line(const struct service_log_line *line, void *context,
			    struct cof_error *err)
{
	const struct showing *showing = context;
	struct json *item = json_new_object();

	(void)err;
	json_set_text(item, "time", line->time);
	json_set_text(item, "level", line->level);
	json_set_text(item, "session", line->session);
	json_set_known(item, "rid", line->rid);
	json_set_text(item, "text", line->text);
	json_add(showing->lines, item);
	cli_say(showing->call, "%s %s %s %s%s%s", line->time, line->session,
		strcmp(line->level, "error") == 0 ? "E" : " ", line->rid, line->rid[0] ? ": " : "",
		line->text);
	return COF_OK;
}

/* coffer service log. */
static cof_result run_log(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(service_freep) struct service *service = NULL;
	struct json *document = json_new_object();
	struct showing showing = { .call = call, .lines = json_new_array() };

	cli_show(call, document);
	json_set(document, "lines", showing.lines);
	TRY(service_of_call(call, &service, err));
	TRY(service_log_each(service, show_line, &showing, err));
	if (json_length(showing.lines) == 0)
		cli_say(call, "nothing was done with %s yet", service->text);
	return COF_OK;
}

const struct cli_verb cli_verb_service_freeze = {
	.noun = "service",
	.verb = "freeze",
	.arguments = "PATH",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_TEXT,
	.summary = "mark a service as one that nothing may start by itself",
	.description = "`coffer service start` thaws it; `coffer service stop` freezes it. What "
		       "is up stays up.",
	.examples = (const struct cli_example[]){ { "coffer service freeze demo/svc/web",
						    "leave a service as it is" },
						  { 0 } },
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_freeze,
};

const struct cli_verb cli_verb_service_thaw = {
	.noun = "service",
	.verb = "thaw",
	.arguments = "PATH",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_TEXT,
	.summary = "undo `coffer service freeze`",
	.description = "What is down stays down.",
	.examples = (const struct cli_example[]){ { "coffer service thaw demo/svc/web",
						    "a service that may be started again" },
						  { 0 } },
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_thaw,
};

const struct cli_verb cli_verb_service_log = {
	.noun = "service",
	.verb = "log",
	.arguments = "PATH",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_TEXT,
	.summary = "show what was done with a service",
	.description = "Each line has its time, a word that the lines of one run have in common, "
		       "an E for what failed, and the resource. The same lines are in the systemd "
		       "journal, with the field COFFER_SERVICE.",
	.examples = (const struct cli_example[]){ { "coffer service log demo/svc/web",
						    "what was done with one service" },
						  { 0 } },
	.shows = true,
	.needs_root = true,
	.looks = true,
	.run = run_log,
};
