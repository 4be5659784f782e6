/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the verbs about disks' headers share: the disks that are meant, and a plan that is shown,
 * agreed to and done.
 */

#include <stdio.h>
#include <string.h>

#include "disk_header_run.h"
#include "unlocking.h"

void header_run_done(struct header_run *run)
{
	header_work_done(&run->work);
	vault_names_free(run->all);
	vault_close(run->vault);
}

/* Whether every name is a path, which can be looked at without the vault. */
static bool all_paths(const struct cli_call *call)
{
	for (size_t i = 0; i < call->arg_count; i++)
		if (!strchr(call->args[i], '/'))
			return false;
	return call->arg_count > 0;
}

/* Opens the vault. A locked one keeps nobody from looking at a device, or from mending one that
 * mends itself. */
static cof_result open_vault(struct cli_call *call, struct header_run *run, struct cof_error *err)
{
	struct cof_error error = { 0 };
	cof_result opened;

	if (!vault_exists(call->paths)) {
		if (!all_paths(call))
			return cli_raise_absent(call, err);
		return COF_OK;
	}
	opened = cli_open_vault(call, true, &run->vault, &error);
	if (opened.code == COF_E_LOCKED && all_paths(call))
		return cli_open_vault(call, false, &run->vault, err);
	if (cof_failed(opened) && err)
		*err = error;
	return opened;
}

cof_result header_run_init(struct cli_call *call, enum header_names which, struct header_run *run,
			   struct cof_error *err)
{
	bool can_all = which != HEADER_ONE_NAME;
	bool all = can_all && (cli_flag(call, "all") ||
			       (which == HEADER_NAMES_ELSE_ALL && call->arg_count == 0));

	ENSURE(all || call->arg_count > 0, err, COF_E_USAGE, NULL, "no device is named%s",
	       can_all ? ", nor --all" : "");
	ENSURE(!all || call->arg_count == 0, err, COF_E_USAGE, call->args[0],
	       "is one too many with --all");
	TRY(open_vault(call, run, err));
	TRY(header_work_init(run->vault, call->paths, &run->work, err));
	if (all)
		TRY(vault_names(run->vault, DISK_KIND, &run->all, err));
	run->names = all ? (const char *const *)(uintptr_t)run->all : call->args;
	while (run->names[run->count])
		run->count++;
	if (run->count == 0)
		cli_say(call, "the vault has no disks: nothing to do");
	return COF_OK;
}

void header_run_note(struct json *json, const struct cof_error *error, struct cof_error *first,
		     cof_result *result)
{
	if (error->code == COF_E_NONE)
		return;
	if (json)
		json_set(json, "error", cli_error_json(error));
	if (cof_failed(*result)) {
		cli_report(error);
		return;
	}
	*result = (cof_result){ error->code };
	if (first)
		*first = *error;
}

struct json *header_run_disks(struct cli_call *call)
{
	struct json *document = json_new_object();
	struct json *disks = json_new_array();

	json_set(document, "disks", disks);
	cli_show(call, document);
	return disks;
}

cof_result header_run_each(struct cli_call *call, struct header_run *run, header_work_one work,
			   struct cof_error *err)
{
	struct json *disks = header_run_disks(call);
	cof_result result = COF_OK;

	for (size_t i = 0; i < run->count; i++) {
		struct json *json = json_new_object();
		struct cof_error error = { 0 };

		json_add(disks, json);
		json_set_text(json, "name", run->names[i]);
		cof_ignore(work(call, run, run->names[i], json, &error));
		header_run_note(json, &error, err, &result);
	}
	return result;
}

/* What a plan writes, as JSON and in words. */
static void show_plan(struct cli_call *call, const struct header_plan *plan, struct json *json)
{
	const char *node = plan->job.device->node;
	struct json *writes = json_new_array();

	json_set_text(json, "name", plan->job.known ? plan->job.disk.name : NULL);
	json_set_text(json, "source", node);
	for (size_t i = 0; i < plan->writes.count; i++) {
		const struct luks_write *write = &plan->writes.items[i];
		struct json *item = json_new_object();

		json_set_text(item, "what", write->what);
		json_set_uint(item, "offset", write->offset_bytes);
		json_set_uint(item, "bytes", write->bytes.len);
		json_add(writes, item);
		cli_say(call, "%s: %s %zu bytes at %llu: %s", node,
			call->dry_run ? "would write" : "will write", write->bytes.len,
			(unsigned long long)write->offset_bytes, write->what);
	}
	json_set(json, "writes", writes);
}

/* Asks, where something goes that was not damage. */
static cof_result confirm(struct cli_call *call, const char *typed, const struct header_plan *plan,
			  struct cof_error *err)
{
	char text[512];

	if (plan->foreign[0])
		(void)snprintf(text, sizeof(text), "%.300s will be lost from %s", plan->foreign,
			       plan->job.device->node);
	else if (plan->good)
		(void)snprintf(text, sizeof(text), "its header, which is good, will be replaced%s",
			       plan->job.known ? "" : ", and no vault keeps it");
	else
		return COF_OK;
	return cli_confirm_destroy(call, typed, plan->job.device->serial, text, err);
}

cof_result header_run_plan(struct cli_call *call, struct header_run *run, const char *typed,
			   struct header_plan *plan, struct json *json, bool restore,
			   struct cof_error *err)
{
	const char *name = plan->job.known ? plan->job.disk.name : plan->job.device->node;

	show_plan(call, plan, json);
	json_set_bool(json, "changed", false);
	if (plan->writes.count == 0 && !restore) {
		cli_say(call, "%s: the header is good: nothing to do", name);
		return COF_OK;
	}
	if (call->dry_run)
		return COF_OK;
	TRY(confirm(call, typed, plan, err));
	TRY(restore ? header_restore_run(&run->work, plan, err)
		    : header_repair_run(&run->work, plan, err));
	json_set_bool(json, "changed", plan->writes.count > 0);
	cli_say(call, "%s: the header is %s%s%s", name,
		plan->writes.count == 0 ? "the same as the copy"
		: restore		? "restored"
					: "good again",
		plan->job.known ? ", the vault's key opens it" : "",
		plan->job.known ? "" : ": its key was not tried, the vault does not know it");
	return COF_OK;
}
