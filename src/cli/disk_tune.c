/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer disk tune: how dm-crypt serves a disk, kept in its header.
 */

#include <stdio.h>
#include <string.h>

#include "disk_results.h"
#include "disk_tune.h"
#include "log.h"
#include "luks_flags.h"
#include "unlocking.h"
#include "verbs.h"

/* The flags that an option names, of which each may be repeated. */
static cof_result read_flags(const struct cli_call *call, const char *option, uint32_t *ret_flags,
			     struct cof_error *err)
{
	uint32_t flags = 0;

	for (const char *const *name = cli_value_list(call, option); *name; name++) {
		const struct luks_flag *flag = luks_flag_list;

		while (flag->flag && strcmp(flag->name, *name) != 0)
			flag++;
		if (!flag->flag) {
			cof_ignore(cof_raise(err, COF_E_USAGE, *name, "is no flag of dm-crypt"));
			cof_error_try(err, "no-read-workqueue, no-write-workqueue, same-cpu-crypt, "
					   "submit-from-crypt-cpus, discard");
			return (cof_result){ COF_E_USAGE };
		}
		flags |= flag->flag;
	}
	*ret_flags = flags;
	return COF_OK;
}

/* What the options ask for. */
static cof_result read_spec(const struct cli_call *call, struct disk_tune_spec *ret_spec,
			    struct cof_error *err)
{
	struct disk_tune_spec spec = { .advised = cli_flag(call, "auto"),
				       .dry_run = call->dry_run };

	TRY(read_flags(call, "set", &spec.set, err));
	TRY(read_flags(call, "clear", &spec.clear, err));
	ENSURE(!(spec.set & spec.clear), err, COF_E_USAGE, "--set",
	       "and --clear name the same flag");
	*ret_spec = spec;
	return COF_OK;
}

/* One disk as JSON. */
static struct json *tuned_json(const struct disk_result *result, const struct disk_tuned *tuned)
{
	struct json *json = json_new_object();
	char text[LUKS_FLAGS_CHARS];

	json_set_text(json, "name", result->name);
	json_set_known(json, "source", result->source);
	json_set_text(json, "before", luks_flags_format(tuned->before, text));
	json_set_text(json, "flags", luks_flags_format(tuned->after, text));
	json_set_text(json, "advised", luks_flags_format(tuned->advised, text));
	json_set_bool(json, "changed", result->changed);
	json_set_known(json, "note", result->note);
	if (result->error.code != COF_E_NONE)
		json_set(json, "error", cli_error_json(&result->error));
	return json;
}

/* One disk as lines. */
static void say_tuned(const struct cli_call *call, const struct disk_result *result,
		      const struct disk_tuned *tuned)
{
	char before[LUKS_FLAGS_CHARS];
	char after[LUKS_FLAGS_CHARS];

	(void)luks_flags_format(tuned->before, before);
	(void)luks_flags_format(tuned->after, after);
	if (tuned->before == tuned->after)
		cli_say(call, "%s has these flags already: %s", result->name, after);
	else
		cli_say(call, "%s %s: %s (before: %s)", result->name,
			call->dry_run ? "would have the flags" : "has the flags", after, before);
	if (tuned->after != tuned->advised && !cli_flag(call, "auto"))
		cli_say(call, "  for this device these are advised: %s",
			luks_flags_format(tuned->advised, before));
	if (result->note[0])
		cli_say(call, "  %s", result->note);
}

/* Shows all of them. Fails: the first one's failure */
static cof_result show(struct cli_call *call, const struct disk_result results[],
		       const struct disk_tuned tuned[], size_t count, struct cof_error *err)
{
	struct json *document = json_new_object();
	struct json *disks = json_new_array();
	bool failed = false;

	for (size_t i = 0; i < count; i++) {
		json_add(disks, tuned_json(&results[i], &tuned[i]));
		if (results[i].error.code == COF_E_NONE)
			say_tuned(call, &results[i], &tuned[i]);
		else if (failed)
			cli_report(&results[i].error);
		failed = failed || results[i].error.code != COF_E_NONE;
	}
	json_set(document, "disks", disks);
	cli_show(call, document);
	return disk_first_failure(results, count, err);
}

/* coffer disk tune. */
static cof_result run_tune(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_free_ struct disk_result *results = calloc(call->arg_count + 1, sizeof(*results));
	_cleanup_free_ struct disk_tuned *tuned = calloc(call->arg_count + 1, sizeof(*tuned));
	struct disk_tune_spec spec;

	ENSURE(results && tuned, err, COF_E_NOMEM, NULL, "no memory for %zu disks",
	       call->arg_count);
	TRY(read_spec(call, &spec, err));
	TRY(cli_open_vault(call, true, &vault, err));
	/* Every failure is in the results as well, from where show() passes the first up. */
	cof_ignore(disk_tune(vault, call->paths, call->args, call->arg_count, &spec, tuned, results,
			     err));
	if (spec.set & LUKS_FLAG_DISCARD)
		log_notice("discard: whoever gets hold of the disk sees which blocks are unused, "
			   "and with that how full it is and which file system it has");
	disk_results_suggest(vault, call->args, call->arg_count, results);
	return show(call, results, tuned, call->arg_count, err);
}

const struct cli_verb cli_verb_disk_tune = {
	.noun = "disk",
	.verb = "tune",
	.arguments = "DISK...",
	.min_args = 1,
	.max_args = SIZE_MAX,
	.argument_type = CLI_DEVICE,
	.summary = "choose how dm-crypt serves disks, kept in their headers",
	.description =
		"DISK is a disk of the vault, named by volume or device. Its LUKS2 header keeps "
		"flags that whoever opens it honours: coffer, cryptsetup, systemd. Without options "
		"they are shown, with those that suit the device; `coffer disk bench` says why. "
		"The header's copy in the vault follows. A disk that is open takes them over at "
		"once, where its kernel can, and else when it is opened next.\n\n"
		"no-read-workqueue and no-write-workqueue: decrypt and encrypt at once instead of "
		"through a queue of the kernel. Faster on flash whose processor has AES "
		"instructions, slower on rotating disks.\n\n"
		"same-cpu-crypt: encrypt on the processor that asks. submit-from-crypt-cpus: do "
		"not sort writes in a thread of their own. Both help special loads alone; measure "
		"before.\n\n"
		"discard: tell the device which blocks are unused, which flash likes. Then the "
		"device shows them to whoever gets hold of it: how full the disk is, where data "
		"lies, and which file system it has; and what was discarded by mistake is gone. "
		"That is why nothing sets it but you.",
	.options =
		(const struct cli_option[]){
			{ "auto", CLI_FLAG, NULL,
			  "the flags that suit the device; a discard that is set stays" },
			{ "set", CLI_TEXT, "FLAG", "set one flag; may be repeated" },
			{ "clear", CLI_TEXT, "FLAG", "clear one flag; may be repeated" },
			CLI_UNLOCK_OPTIONS,
			{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer disk tune enc-nvme0", "show its flags and those advised" },
			{ "coffer disk tune enc-nvme0 --auto", "take what is advised" },
			{ "coffer disk tune enc-nvme0 --set discard", "pass discards on" },
			{ 0 } },
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_tune,
};
