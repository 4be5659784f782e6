/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer tape explain: what a drive's refusal means.
 */

#include <stdio.h>

#include "sense.h"
#include "status_line.h"
#include "verbs.h"

/* coffer tape explain. */
static cof_result run_explain(struct cli_call *call, struct cof_error *err)
{
	struct json *document = json_new_object();
	struct sense_text text;
	struct sense sense = { 0 };
	char code[12];
	cof_result parsed = sense_parse(call->args[0], &sense, err);

	cli_show(call, document);
	if (cof_failed(parsed)) {
		cof_error_try(err, "the code as the kernel or a tool shows it, key first: coffer "
				   "tape explain 07/74/03");
		return parsed;
	}
	text = sense_explain(sense);
	json_set_text(document, "sense", sense_format(sense, code));
	json_set_text(document, "cause", text.cause);
	json_set_text(document, "remedy", text.remedy);
	json_set_text(document, "code", cof_code_name(text.code));
	json_set_uint(document, "exit_status", (uint64_t)cof_code_exit_status(text.code));
	json_set_bool(document, "exact", text.exact);
	if (call->json)
		return COF_OK;
	status_line(stdout, "sense", "%s%s", code, text.exact ? "" : " (its kind alone is known)");
	status_line(stdout, "cause", "%s", text.cause);
	status_line(stdout, "try", "%s", text.remedy);
	return COF_OK;
}

const struct cli_verb cli_verb_tape_explain = {
	.noun = "tape",
	.verb = "explain",
	.arguments = "SENSE",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_TEXT,
	.summary = "say what a drive's refusal means, and what to do",
	.description =
		"SENSE is what the kernel's log, sg3-utils or a backup program shows: key, code "
		"and "
		"qualifier in hex such as 07/74/03, the last two alone, or all bytes of the sense "
		"data. The tape driver of the kernel makes all of them an input/output error.",
	.examples =
		(const struct cli_example[]){
			{ "coffer tape explain 07/74/03", "The block has another key." },
			{ "coffer tape explain 74/21", "Without the sense key." },
			{ 0 },
		},
	.shows = true,
	.placeless = true,
	.run = run_explain,
};
