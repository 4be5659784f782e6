/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer boot add|remove: which units wait for the vault's volumes at every boot.
 */

#include <stdio.h>
#include <string.h>

#include "boot.h"
#include "name_list.h"
#include "verbs.h"

/* "/srv/a and /srv/b"; cut short where it is too long. */
static void join_mounts(char *const mounts[], char *out, size_t out_size_bytes)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; mounts && mounts[i] && used < out_size_bytes; i++)
		used += (size_t)snprintf(out + used, out_size_bytes - used, "%s%s",
					 i == 0		 ? ""
					 : mounts[i + 1] ? ", "
							 : " and ",
					 mounts[i]);
}

/* One unit as JSON. */
static struct json *result_json(const struct boot_result *result)
{
	struct json *json = json_new_object();
	struct json *mounts = json_new_array();

	json_set_text(json, "unit", result->unit);
	for (size_t i = 0; result->mounts && result->mounts[i]; i++)
		json_add_text(mounts, result->mounts[i]);
	json_set(json, "mounts", mounts);
	json_set_bool(json, "all", result->all);
	json_set_text(json, "state", result->state);
	json_set_bool(json, "changed", result->changed && result->error.code == COF_E_NONE);
	json_set_known(json, "note", result->note);
	if (result->error.code != COF_E_NONE)
		json_set(json, "error", cli_error_json(&result->error));
	return json;
}

/* One unit as a line for a person. */
static void say_result(const struct cli_call *call, const struct boot_result *result, bool added)
{
	char mounts[1024];

	join_mounts(result->mounts, mounts, sizeof(mounts));
	if (!added)
		cli_say(call,
			!result->changed ? "%s does not wait for anything: nothing to do"
			: call->dry_run	 ? "%s would not wait any more"
					 : "%s does not wait any more",
			result->unit);
	else
		cli_say(call,
			!result->changed ? "%s waits already for %s"
			: call->dry_run	 ? "%s would wait at every boot for %s"
					 : "%s waits at every boot for %s",
			result->unit, mounts);
	if (result->note[0])
		cli_say(call, "  %s", result->note);
}

/* All units; the first failure is passed up by who calls, the others are told here. */
static void show_results(struct cli_call *call, const struct boot_result results[], size_t count,
			 bool added)
{
	struct json *document = json_new_object();
	struct json *units = json_new_array();
	bool first = true;

	json_set(document, "units", units);
	cli_show(call, document);
	for (size_t i = 0; i < count; i++) {
		json_add(units, result_json(&results[i]));
		if (results[i].error.code == COF_E_NONE) {
			say_result(call, &results[i], added);
			continue;
		}
		if (!first)
			cli_report(&results[i].error);
		first = false;
	}
}

/* coffer boot add and coffer boot remove. */
static cof_result run_change(struct cli_call *call, bool adds, struct cof_error *err)
{
	_cleanup_(boot_closep) struct boot *boot = NULL;
	struct boot_result *results;
	cof_result done;

	TRY(boot_open(call->paths, &boot, err));
	results = calloc(call->arg_count, sizeof(*results));
	ENSURE(results, err, COF_E_NOMEM, NULL, "no memory for %zu units", call->arg_count);
	if (adds)
		done = boot_add(boot, call->args, call->arg_count, cli_value_list(call, "for"),
				call->dry_run, results, err);
	else
		done = boot_remove(boot, call->args, call->arg_count, call->dry_run, results, err);
	show_results(call, results, call->arg_count, adds);
	boot_results_free(results, call->arg_count);
	return done;
}

static cof_result run_add(struct cli_call *call, struct cof_error *err)
{
	return run_change(call, true, err);
}

static cof_result run_remove(struct cli_call *call, struct cof_error *err)
{
	return run_change(call, false, err);
}

const struct cli_verb cli_verb_boot_add = {
	.noun = "boot",
	.verb = "add",
	.arguments = "UNIT...",
	.min_args = 1,
	.max_args = SIZE_MAX,
	.argument_type = CLI_TEXT,
	.summary = "have services wait at every boot until their volumes are there",
	.description =
		"A machine whose vault is locked comes up all the same, and you can log in. A "
		"service that waits does not start then, neither at boot nor by a package's "
		"upgrade, by hand, or through its socket, timer or path unit; `systemctl status` "
		"names the mount point that is missing. It starts with `coffer start`.\n\n"
		"Without --for it waits for every file system of /etc/fstab that lies on a volume "
		"of the vault, also one that is added later. The service stays enabled or disabled "
		"as it is: what it waits for is in /etc/coffer/boot.list, from which a generator "
		"makes drop-ins at each boot. A service that runs goes on running. The empty "
		"folders below the mount points are made immutable, so that nothing is written "
		"there while a volume is closed.\n\n"
		"UNIT is a service (mysql is mysql.service), socket, timer or path, or an init "
		"script under systemd. Units that are needed to reach the machine, or by coffer "
		"itself, are refused.",
	.options =
		(const struct cli_option[]){
			{ "for", CLI_FILE, "MOUNT",
			  "wait for this mount point of /etc/fstab alone; may be repeated" },
			{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer boot add mysql", "wait for all file systems of the vault" },
			{ "coffer boot add apache2 --for /srv/www", "wait for one of them" },
			{ 0 } },
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_add,
};

const struct cli_verb cli_verb_boot_remove = {
	.noun = "boot",
	.verb = "remove",
	.arguments = "UNIT...",
	.min_args = 1,
	.max_args = SIZE_MAX,
	.argument_type = CLI_TEXT,
	.summary = "have services wait no more",
	.description = "Takes back what `coffer boot add` did, and nothing else: the service is "
		       "enabled or disabled as before, and starts at boot as it did before. A "
		       "unit that does not wait is left alone.",
	.options = (const struct cli_option[]){ { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer boot remove mysql", "start at boot as before" }, { 0 } },
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_remove,
};
