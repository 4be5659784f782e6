/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer disk header check: whether headers are whole, and what changed in them.
 */

#include <stdio.h>
#include <string.h>

#include "disk_header_run.h"
#include "number.h"
#include "unlocking.h"
#include "verbs.h"

/* "first", "second" as JSON names them. */
static const char *area_name(enum luks_area_state state)
{
	static const char *const names[] = {
		[LUKS_AREA_NONE] = NULL,	   [LUKS_AREA_GOOD] = "good",
		[LUKS_AREA_NO_MAGIC] = "no-magic", [LUKS_AREA_OLDER] = "older",
		[LUKS_AREA_DAMAGED] = "damaged",
	};

	return names[state];
}

/* Calls @say for each line of what differs. */
static void each_change(const struct luks_diff *diff, void (*say)(const char *line, void *context),
			void *context)
{
	char line[320];

	for (size_t at = 0; at < diff->text.len;) {
		const char *start = (const char *)diff->text.data + at;
		size_t len = strcspn(start, "\n");

		if (len > diff->text.len - at)
			len = diff->text.len - at;
		(void)snprintf(line, sizeof(line), "%.*s", (int)len, start);
		say(line, context);
		at += len + 1;
	}
}

static void add_change(const char *line, void *context)
{
	json_add_text(context, line);
}

static void say_change(const char *line, void *context)
{
	cli_say(context, "  %s", line);
}

/* One disk as JSON. */
static struct json *report_json(const struct header_report *report)
{
	struct json *json = json_new_object();
	struct json *changes = json_new_array();
	char taken[32];

	json_set_text(json, "name", report->name[0] ? report->name : NULL);
	json_set_text(json, "source", report->source);
	json_set_text(json, "uuid", report->uuid[0] ? report->uuid : NULL);
	json_set_uint(json, "luks", (uint64_t)report->state.version);
	json_set_text(json, "first", area_name(report->state.first));
	json_set_text(json, "second", area_name(report->state.second));
	if (report->key_tried)
		json_set_bool(json, "key_opens", report->key_opens);
	else
		json_set_null(json, "key_opens");
	json_set_text(json, "copy", header_copy_word(report->copy));
	if (report->generation) {
		json_set_uint(json, "generation", report->generation);
		json_set_text(json, "taken", time_format(report->taken, taken));
	}
	each_change(&report->diff, add_change, changes);
	json_set(json, "changes", changes);
	json_set_bool(json, "kept", report->kept);
	json_set_bool(json, "good", report->good);
	json_set_text(json, "problem", report->problem[0] ? report->problem : NULL);
	json_set_text(json, "remedy", report->remedy[0] ? report->remedy : NULL);
	return json;
}

/* One disk in words; what is wrong is left to the error. */
static void say_report(struct cli_call *call, const struct header_report *report)
{
	const char *name = report->name[0] ? report->name : report->source;

	if (report->good)
		cli_say(call, "%s (%s): the header is good%s%s", name, report->source,
			report->key_tried ? ", the vault's key opens it" : "",
			report->kept ? ", and new: it was copied into the vault" : "");
	else
		cli_say(call, "%s (%s): the header is not good", name, report->source);
	if (!report->known)
		cli_say(call, "  the vault does not know it, or is locked: its key was not tried");
	if (report->diff.text.len)
		cli_say(call, "  since the copy of generation %llu:",
			(unsigned long long)(report->generation - report->kept));
	each_change(&report->diff, say_change, call);
}

/* Looks at one disk. */
static cof_result check_one(struct cli_call *call, struct header_run *run, const char *name,
			    struct json *disks, struct cof_error *err)
{
	_cleanup_(header_report_done) struct header_report report = { 0 };
	struct json *json;

	TRY(header_check(&run->work, name, &report, err));
	json = report_json(&report);
	json_add(disks, json);
	say_report(call, &report);
	if (report.good)
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_FORMAT, report.name[0] ? report.name : report.source, "%s",
			     report.problem));
	cof_error_try(err, "%s", report.remedy);
	return (cof_result){ COF_E_FORMAT };
}

/* coffer disk header check. */
static cof_result run_check(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(header_run_done) struct header_run run = { 0 };
	cof_result result = COF_OK;
	struct json *disks;

	TRY(header_run_init(call, HEADER_NAMES_ELSE_ALL, &run, err));
	disks = header_run_disks(call);
	for (size_t i = 0; i < run.count; i++) {
		struct cof_error error = { 0 };

		cof_ignore(check_one(call, &run, run.names[i], disks, &error));
		header_run_note(NULL, &error, err, &result);
	}
	return result;
}

const struct cli_verb cli_verb_disk_header_check = {
	.noun = "disk",
	.verb = "header check",
	.arguments = "[DEV...]",
	.max_args = SIZE_MAX,
	.argument_type = CLI_DEVICE,
	.summary = "look whether disks' LUKS headers are whole, and what changed in them",
	.description =
		"Compares the two headers that LUKS2 keeps on a disk (LUKS1 keeps one) with each "
		"other and with the newest copy in the vault, says in words what changed since, "
		"and tries the vault's key. Exit status 8 means that something is wrong; the "
		"message says what mends it.\n\n"
		"The disk is never written to. A header that another tool has changed, and that "
		"the vault's key still opens, becomes a new version of the copy in the vault. With "
		"a locked vault a device can be looked at all the same, without the last two.",
	.options = (const struct cli_option[]){ { "all", CLI_FLAG, NULL,
						  "every disk of the vault, as without a name" },
						CLI_PASSPHRASE_OPTION,
						{ 0 } },
	.examples = (const struct cli_example[]){ { "coffer disk header check",
						    "whether every header is as it was" },
						  { 0 } },
	.shows = true,
	.needs_root = true,
	.run = run_check,
};
