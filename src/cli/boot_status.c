/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer boot list|status: which units wait, for what, and how they are now.
 */

#include <stdio.h>
#include <string.h>

#include "log.h"
#include "name_list.h"
#include "status.h"
#include "table.h"
#include "verbs.h"

/* A list as one cell. */
static char *join(char *const names[], char out[static 1024])
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; names[i] && used < 1024; i++)
		used += (size_t)snprintf(out + used, 1024 - used, "%s%s", i ? ", " : "", names[i]);
	return out;
}

static struct json *names_json(char *const names[])
{
	struct json *array = json_new_array();

	for (size_t i = 0; names[i]; i++)
		json_add_text(array, names[i]);
	return array;
}

/* Starts the answer. */
static struct json *show_units(struct cli_call *call, const char *key, struct json *value)
{
	struct json *document = json_new_object();
	struct json *units = json_new_array();

	json_set(document, "units", units);
	json_set(document, key, value);
	cli_show(call, document);
	return units;
}

/* coffer boot list. */
static cof_result run_list(struct cli_call *call, struct cof_error *err)
{
	static const char *const columns[] = { "UNIT", "WAITS FOR", NULL };
	_cleanup_(boot_closep) struct boot *boot = NULL;
	_cleanup_(table_freep) struct table *table = NULL;
	struct json *units;

	TRY(boot_open(call->paths, &boot, err));
	units = show_units(call, "bare", names_json(boot->list.bare));
	TRY(table_new(columns, &table, err));
	for (size_t i = 0; i < boot->list.count; i++) {
		const struct boot_wait *wait = &boot->list.waits[i];
		_cleanup_(name_list_freep) char **mounts = NULL;
		struct json *json = json_new_object();
		char text[1024];

		TRY(boot_wait_mounts(wait, &boot->tables, &mounts, err));
		json_set_text(json, "unit", wait->unit);
		json_set(json, "mounts", names_json(mounts));
		json_set_bool(json, "all", !wait->mounts[0]);
		json_add(units, json);
		TRY(table_add(table,
			      (const char *const[]){ wait->unit,
						     wait->mounts[0] ? join(mounts, text)
								     : "all volumes of the vault" },
			      err));
	}
	if (boot->list.count == 0)
		cli_say(call, "no unit waits: coffer boot add UNIT");
	else if (!call->json)
		TRY(table_print(table, stdout, err));
	return COF_OK;
}

static struct json *unit_json(const struct boot_unit_status *unit)
{
	struct json *json = json_new_object();

	json_set_text(json, "unit", unit->unit);
	json_set_text(json, "state", unit->state);
	json_set_known(json, "reason", unit->reason);
	json_set(json, "mounts", names_json(unit->mounts));
	json_set(json, "missing", names_json(unit->missing));
	json_set(json, "started_by", names_json(unit->starters));
	json_set_known(json, "enabled", unit->enabled);
	return json;
}

/* coffer boot status. */
static cof_result run_status(struct cli_call *call, struct cof_error *err)
{
	static const char *const columns[] = { "UNIT", "STATE", "WAITS FOR", "REASON", NULL };
	_cleanup_(boot_closep) struct boot *boot = NULL;
	_cleanup_(boot_status_done) struct boot_status status = { 0 };
	_cleanup_(table_freep) struct table *table = NULL;
	struct json *units;

	TRY(boot_open(call->paths, &boot, err));
	TRY(boot_status(boot, &status, err));
	units = show_units(call, "warnings", names_json(status.risks));
	TRY(table_new(columns, &table, err));
	for (size_t i = 0; i < status.count; i++) {
		const struct boot_unit_status *unit = &status.units[i];
		char mounts[1024];

		json_add(units, unit_json(unit));
		TRY(table_add(table,
			      (const char *const[]){ unit->unit, unit->state,
						     join(unit->mounts, mounts),
						     unit->reason[0] ? unit->reason : NULL },
			      err));
	}
	if (status.count == 0)
		cli_say(call, "no unit waits: coffer boot add UNIT");
	else if (!call->json && !call->quiet)
		TRY(table_print(table, stdout, err));
	for (char **risk = status.risks; *risk && !call->json && !call->quiet; risk++)
		log_notice("%s", *risk);
	return COF_OK;
}

const struct cli_verb cli_verb_boot_list = {
	.noun = "boot",
	.verb = "list",
	.summary = "show which services wait, and for which mount points",
	.description = "Lists the units of /etc/coffer/boot.list in the order in which `coffer "
		       "start` starts them.",
	.options = (const struct cli_option[]){ { 0 } },
	.examples =
		(const struct cli_example[]){ { "coffer boot list", "one line for each" }, { 0 } },
	.shows = true,
	.looks = true,
	.run = run_list,
};

const struct cli_verb cli_verb_boot_status = {
	.noun = "boot",
	.verb = "status",
	.summary = "show how the services are that wait, and why",
	.description =
		"Shows each unit of /etc/coffer/boot.list: waiting, with the mount point that is "
		"missing and why; running, failed, starting or stopped; or ready, where no service "
		"manager tells more. Warns of lines of /etc/fstab because of which a machine with "
		"a locked vault would not come up.",
	.options = (const struct cli_option[]){ { 0 } },
	.examples = (const struct cli_example[]){ { "coffer boot status", "what waits for what" },
						  { "coffer boot status --json", "for a script" },
						  { 0 } },
	.shows = true,
	.looks = true,
	.needs_root = true,
	.run = run_status,
};
