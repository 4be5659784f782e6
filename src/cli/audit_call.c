/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The audit log's part in every run: the verb's name, failures, and what could not be written.
 */

#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "audit_call.h"

void cli_audit_start(const struct cli_call *call)
{
	static char name[CLI_VERB_NAME_CHARS];

	audit_set_verb(cli_verb_name(call->verb, name));
}

/* Whether the failure of a verb belongs into the log: it would have changed something or shown a
 * key, and no line says so yet. */
static bool is_notable(const struct cli_call *call, enum cof_code code)
{
	const struct cli_verb *verb = call->verb;
	bool is_key = verb->noun && strcmp(verb->noun, "key") == 0;

	return call->paths && !call->dry_run && verb->needs_root && !verb->hidden &&
	       (verb->changes || verb->destroys || is_key) && code != COF_E_NONE &&
	       code != COF_E_USAGE && code != audit_noted_code();
}

/* The event that a verb stands for; returns @out. */
static char *event_of(const struct cli_verb *verb, char out[static CLI_VERB_NAME_CHARS])
{
	if (verb->noun && strcmp(verb->noun, "enroll") == 0)
		(void)snprintf(out, CLI_VERB_NAME_CHARS, AUDIT_VAULT_ENROLL);
	else
		(void)snprintf(out, CLI_VERB_NAME_CHARS, "%s.%s",
			       verb->noun ? verb->noun : "vault", verb->verb);
	return out;
}

void cli_audit_end(const struct cli_call *call, cof_result result, const struct cof_error *err)
{
	char event[CLI_VERB_NAME_CHARS];
	struct cof_error problem = { 0 };

	if (cof_failed(result) && is_notable(call, result.code))
		audit_note_at(call->paths,
			      &(struct audit_entry){ .event = event_of(call->verb, event),
						     .subject = call->arg_count ? call->args[0]
										: NULL,
						     .why = err });
	if (audit_take_problem(&problem))
		cli_report(&problem);
}
