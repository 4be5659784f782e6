/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer disk repair-crypttab: the lines of crypttab, from the devices and the vault's keys.
 */

#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "crypttab_repair.h"
#include "disk_result.h"
#include "text_diff.h"
#include "unlocking.h"
#include "verbs.h"

/* One device as JSON; without a name where no key of the vault opens it. */
static struct json *device_json(const struct repair *repair, const struct repair_device *device)
{
	struct json *json = json_new_object();
	bool known = device->record != SIZE_MAX;

	json_set_known(json, "name", known ? repair->set.items[device->record].name : "");
	json_set_text(json, "source", device->device->node);
	json_set_text(json, "uuid", device->luks_uuid);
	json_set_text(json, "found_by", device->found_by);
	json_set_text(json, "line", device->line);
	json_set_known(json, "note", device->note);
	return json;
}

/* The whole answer. */
static struct json *document_of(const struct repair *repair, const char *diff)
{
	struct json *document = json_new_object();
	struct json *disks = json_new_array();
	struct json *orphan_devices = json_new_array();
	struct json *orphan_keys = json_new_array();
	struct json *stray = json_new_array();
	struct json *stale = json_new_array();

	for (size_t i = 0; i < repair->device_count; i++)
		json_add(repair->devices[i].record == SIZE_MAX ? orphan_devices : disks,
			 device_json(repair, &repair->devices[i]));
	for (size_t i = 0; i < repair->set.count; i++)
		if (!repair->has_device[i])
			json_add_text(orphan_keys, repair->set.items[i].name);
	for (char **name = repair->stray; *name; name++)
		json_add_text(stray, *name);
	for (char **name = repair->stale; *name; name++)
		json_add_text(stale, *name);
	json_set(document, "disks", disks);
	json_set(document, "orphan_devices", orphan_devices);
	json_set(document, "orphan_keys", orphan_keys);
	json_set(document, "stray_lines", stray);
	json_set(document, "stale_lines", stale);
	json_set_text(document, "diff", diff);
	json_set_bool(document, "changed", false);
	return document;
}

/* What a person should know beside the diff. */
static void say_findings(const struct cli_call *call, const struct repair *repair)
{
	for (size_t i = 0; i < repair->device_count; i++) {
		const struct repair_device *device = &repair->devices[i];

		if (device->record == SIZE_MAX)
			cli_say(call, "%s: no key of the vault opens it", device->device->node);
		else if (device->note[0])
			cli_say(call, "%s: %s", device->device->node, device->note);
		else if (strcmp(device->found_by, "trial") == 0)
			cli_say(call, "%s is %s, which only its key told", device->device->node,
				repair->set.items[device->record].name);
	}
	for (size_t i = 0; i < repair->set.count; i++)
		if (!repair->has_device[i])
			cli_say(call, "%s: its key opens no device of this machine",
				repair->set.items[i].name);
	for (char **name = repair->stray; *name; name++)
		cli_say(call, "%s: its line names another disk: attach %s and run this again",
			*name, *name);
}

/* Has a person agree to the diff that was shown. */
static cof_result confirm(const struct cli_call *call, struct cof_error *err)
{
	char question[512];
	cof_result refused;
	bool yes;

	if (cli_flag(call, "yes"))
		return COF_OK;
	if (cli_on_terminal(call)) {
		(void)snprintf(question, sizeof(question),
			       "Write %.400s? The version before is kept. Type yes to go on: ",
			       call->paths->crypttab);
		TRY(cli_ask_yes(question, &yes, err));
		ENSURE(yes, err, COF_E_REFUSED, call->paths->crypttab,
		       "not confirmed, nothing was changed");
		return COF_OK;
	}
	refused = cof_raise(err, COF_E_REFUSED, call->paths->crypttab, "would be changed");
	cof_error_cause(err, "nobody is there to be asked");
	cof_error_try(err, "--yes, or --dry-run to see what would change");
	return refused;
}

/* Reads the vault, the devices and crypttab, with what is under way on the terminal. */
static cof_result make_plan(struct cli_call *call, struct vault *vault, struct repair *ret_repair,
			    struct cof_error *err)
{
	_cleanup_(progress_freep) struct progress *progress = NULL;

	TRY(progress_new(1, call->json || call->quiet, &progress, err));
	return repair_plan(vault, call->paths, cli_flag(call, "add"), true, progress, ret_repair,
			   err);
}

/* coffer disk repair-crypttab. */
static cof_result run_repair(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(repair_done) struct repair repair = { 0 };
	_cleanup_buffer_ struct buffer diff = { 0 };
	struct json *document;

	TRY(cli_open_vault(call, true, &vault, err));
	TRY(make_plan(call, vault, &repair, err));
	TRY(text_diff(call->paths->crypttab, buffer_span(&repair.text[0]),
		      buffer_span(&repair.text[1]), &diff, err));
	TRY(buffer_add(&diff, "", 1, err));
	document = document_of(&repair, (const char *)diff.data);
	cli_show(call, document);
	say_findings(call, &repair);
	if (diff.len == 1) {
		cli_say(call,
			repair.stray[0] ? "%s was not changed" : "%s is as it should be",
			call->paths->crypttab);
		return COF_OK;
	}
	cli_say(call, "%.*s", (int)diff.len - 2, (const char *)diff.data);
	if (call->dry_run)
		return COF_OK;
	(void)fflush(stdout);
	TRY(confirm(call, err));
	TRY(repair_run(call->paths, &repair, err));
	audit_note(vault, &(struct audit_entry){ .event = "disk.repair-crypttab",
						 .subject = call->paths->crypttab });
	json_set_bool(document, "changed", true);
	cli_say(call, "%s is repaired", call->paths->crypttab);
	return COF_OK;
}

const struct cli_verb cli_verb_disk_repair_crypttab = {
	.noun = "disk",
	.verb = "repair-crypttab",
	.summary = "make coffer's lines of /etc/crypttab anew from the devices and the keys",
	.description =
		"Looks at every LUKS device of this machine and finds the key of the vault that "
		"opens it: by LUKS UUID, by name under /dev/disk/by-id, by the line that crypttab "
		"has, and at last by trying every key, several devices at a time. What speaks for "
		"a key is never enough: it must open the header.\n\n"
		"Each such device gets a line, or has its source and key put right; options that "
		"somebody chose stay, and so does every line of others. A disk that was to have "
		"no line, or has no stable name, gets one with --add alone; where somebody has "
		"written a line for it, a source that is not the disk, or a key file that is not "
		"there, is put right. A line for coffer's key "
		"server of which the vault knows nothing becomes a comment. The difference is "
		"shown before anything is written, and a dated copy of the version before is "
		"kept.\n\n"
		"Keys that open no device, and devices that no key opens, are listed.",
	.options = (const struct cli_option[]){ { "yes", CLI_FLAG, NULL,
						  "write without asking, in scripts" },
						{ "add", CLI_FLAG, NULL,
						  "lines also for disks that were to have none" },
						CLI_PASSPHRASE_OPTION,
						{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer disk repair-crypttab --dry-run", "show what would change" },
			{ "coffer disk repair-crypttab", "show it, ask, and write" },
			{ 0 } },
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_repair,
};
