/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer tape explain: what a drive's refusal means.
 */

#include <stdio.h>

#include "sense.h"
#include "status_line.h"
#include "tape_use.h"
#include "verbs.h"

/* Shows a refusal, by its sense or by the state that would lead to it. */
static void show(struct cli_call *call, struct json *document, struct sense sense)
{
	struct sense_text text = sense_explain(sense);
	char code[12];

	json_set_text(document, "sense", sense_format(sense, code));
	json_set_text(document, "cause", text.cause);
	json_set_text(document, "remedy", text.remedy);
	json_set_text(document, "code", cof_code_name(text.code));
	json_set_uint(document, "exit_status", (uint64_t)cof_code_exit_status(text.code));
	json_set_bool(document, "exact", text.exact);
	if (call->json)
		return;
	status_line(stdout, "sense", "%s%s", code, text.exact ? "" : " (its kind alone is known)");
	status_line(stdout, "cause", "%s", text.cause);
	status_line(stdout, "try", "%s", text.remedy);
}

/* The refusal that the next read would end with; false for none. */
static bool foresee(const struct tape_encryption *status, const struct tape_next *next,
		    struct sense *ret_sense)
{
	bool has_key = status->decryption != DECRYPT_OFF;
	uint8_t ascq;

	if (next->encryption == NEXT_WRONG_KEY)
		ascq = has_key ? 0x03 : 0x01;
	else if (next->encryption == NEXT_CLEAR && status->decryption == DECRYPT_ON)
		ascq = 0x02;
	else if (next->encryption == NEXT_OTHER_ALGORITHM)
		ascq = 0x0d;
	else
		return false;
	*ret_sense = (struct sense){ .found = true, .key = 7, .asc = 0x74, .ascq = ascq };
	return true;
}

/* What stands in the way of reading on: the kernel says "Input/output error" for all of it. */
static cof_result explain_drive(struct cli_call *call, struct json *document, struct cof_error *err)
{
	_cleanup_(tape_use_done) struct tape_use use = TAPE_USE_NONE;
	struct tape_encryption status;
	struct tape_next next;
	struct sense sense;
	bool loaded;

	TRY(tape_use_begin(call, call->args[0], true, &use, err));
	TRY(drive_has_tape(use.drive, &loaded, err));
	if (!loaded) {
		show(call, document, (struct sense){ .found = true, .key = 2, .asc = 0x3a });
		return COF_OK;
	}
	TRY(drive_status(use.drive, &status, err));
	TRY(drive_next(use.drive, &next, err));
	json_set_text(document, "drive", use.place.name);
	json_set_text(document, "next", tape_next_name(&next));
	if (!call->json)
		status_line(stdout, use.place.name, "the next block is %s", tape_next_words(&next));
	if (foresee(&status, &next, &sense))
		show(call, document, sense);
	else if (!call->json)
		status_line(stdout, "cause", "nothing about keys stands in the way");
	return COF_OK;
}

/* coffer tape explain. */
static cof_result run_explain(struct cli_call *call, struct cof_error *err)
{
	struct json *document = json_new_object();
	struct tape_place place;
	struct sense sense = { 0 };
	cof_result parsed = sense_parse(call->args[0], &sense, err);

	cli_show(call, document);
	if (!cof_failed(parsed)) {
		show(call, document, sense);
		return COF_OK;
	}
	if (!cof_failed(tape_find(tape_root(call), call->args[0], &place, NULL)))
		return explain_drive(call, document, err);
	cof_error_try(err, "the code as the kernel or a tool shows it, key first: coffer tape "
			   "explain 07/74/03; or a drive");
	return parsed;
}

const struct cli_verb cli_verb_tape_explain = {
	.noun = "tape",
	.verb = "explain",
	.arguments = "SENSE|DEV",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_DEVICE,
	.summary = "say what a drive's refusal means, and what to do",
	.description =
		"SENSE is what the kernel's log, sg3-utils or a backup program shows: key, code "
		"and qualifier in hex such as 07/74/03, the last two alone, or all bytes of the "
		"sense data. The kernel's tape driver makes all of them an input/output error.\n\n"
		"With DEV, what the next read would end with is found out without reading.",
	.examples =
		(const struct cli_example[]){
			{ "coffer tape explain 07/74/03", "The block has another key." },
			{ "coffer tape explain 74/21", "Without the sense key." },
			{ "coffer tape explain nst0", "After an input/output error." },
			{ 0 },
		},
	.shows = true,
	.looks = true,
	.run = run_explain,
};
