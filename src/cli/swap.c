/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer swap encrypt|status: swap with a new random key at every boot.
 */

#include <stdio.h>
#include <string.h>

#include "number.h"
#include "swap.h"
#include "table.h"
#include "text_diff.h"
#include "verbs.h"

/* ---- encrypt ---- */

/* What became of one area, in a word that scripts rely on. */
static const char *state_of(const struct cli_call *call, const struct swap_job *job)
{
	if (job->error.code != COF_E_NONE)
		return "failed";
	if (job->skip)
		return "untouched";
	if (call->dry_run)
		return "planned";
	return job->on ? "encrypted" : "at-boot";
}

/* One area as JSON. */
static struct json *job_json(const struct cli_call *call, const struct swap_job *job)
{
	struct json *json = json_new_object();
	char device[160] = "";

	if (job->on)
		(void)snprintf(device, sizeof(device), "/dev/mapper/%s", job->name);
	json_set_known(json, "source", job->device ? job->device->node : job->typed);
	json_set_known(json, "name", job->name);
	json_set_known(json, "device", device);
	json_set_text(json, "state", state_of(call, job));
	json_set_bool(json, "changed", job->changed);
	json_set_known(json, "note", job->skip ? job->skip : "");
	json_set_known(json, "resume", job->resumes);
	if (job->error.code != COF_E_NONE)
		json_set(json, "error", cli_error_json(&job->error));
	return json;
}

/* One area as a line for a person. */
static void say_job(const struct cli_call *call, const struct swap_job *job)
{
	const char *node = job->device ? job->device->node : job->typed;

	if (job->skip)
		cli_say(call, "%s %s", node, job->skip);
	else if (call->dry_run)
		cli_say(call, "%s as /dev/mapper/%s: planned", node, job->name);
	else if (job->on)
		cli_say(call, "%s %sencrypted, and in use as /dev/mapper/%s", node,
			job->changed ? "" : "is ", job->name);
	else
		cli_say(call, "%s %s encrypted from the next boot on, as /dev/mapper/%s", node,
			job->changed ? "will be" : "is set to be", job->name);
	if (!job->skip && job->resumes[0])
		cli_say(call, "  hibernation ends: %s", job->resumes);
}

/* Whether one of the areas had, or has, a system's hibernation or its initramfs to it. */
static void say_after(const struct cli_call *call, const struct swap_plan *plan)
{
	bool going = false;
	bool resumes = false;

	for (size_t i = 0; i < plan->count; i++) {
		bool ours = !plan->jobs[i].skip && plan->jobs[i].error.code == COF_E_NONE;

		going |= ours && plan->jobs[i].changed;
		resumes |= ours && plan->jobs[i].resumes[0];
	}
	if (going && !call->dry_run)
		cli_say(call, "Where initramfs-tools is used, run `update-initramfs -u`: an "
			      "initramfs of before waits for the old swap area at boot.");
	if (resumes && !call->dry_run)
		cli_say(call, "Take resume= out of the kernel's command line, and run "
			      "`update-grub`.");
}

/* --dry-run: what would change in both files. */
static cof_result show_diffs(const struct cli_call *call, const struct swap_plan *plan,
			     struct json *document, struct cof_error *err)
{
	const struct buffer *const files[] = { plan->crypttab, plan->fstab };
	const char *const paths[] = { call->paths->crypttab, call->paths->fstab };
	_cleanup_buffer_ struct buffer diff = { 0 };

	for (size_t i = 0; i < 2; i++)
		TRY(text_diff(paths[i], buffer_span(&files[i][0]), buffer_span(&files[i][1]), &diff,
			      err));
	for (size_t i = 0; i < plan->count; i++)
		if (plan->jobs[i].resume_file[0] && plan->jobs[i].error.code == COF_E_NONE)
			TRY(buffer_add_text(&diff, err, "--- %s\n+RESUME=none\n",
					    plan->jobs[i].resume_file));
	TRY(buffer_add(&diff, "", 1, err));
	json_set_text(document, "diff", (const char *)diff.data);
	if (diff.len > 1)
		cli_say(call, "%.*s", (int)diff.len - 2, (const char *)diff.data);
	return COF_OK;
}

/* All areas; the first failure is passed up, the others are told. */
static cof_result show(struct cli_call *call, const struct swap_plan *plan, struct cof_error *err)
{
	struct json *document = json_new_object();
	struct json *swaps = json_new_array();
	const struct cof_error *first = NULL;

	json_set(document, "swaps", swaps);
	cli_show(call, document);
	if (call->dry_run)
		TRY(show_diffs(call, plan, document, err));
	for (size_t i = 0; i < plan->count; i++) {
		const struct swap_job *job = &plan->jobs[i];

		json_add(swaps, job_json(call, job));
		if (job->error.code == COF_E_NONE)
			say_job(call, job);
		else if (first)
			cli_report(&job->error);
		else
			first = &job->error;
	}
	say_after(call, plan);
	if (!first)
		return COF_OK;
	if (err)
		*err = *first;
	return (cof_result){ first->code };
}

/* Whether a name is wrong: then the whole command line is not what was meant. */
static bool is_mistyped(const struct swap_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->jobs[i].error.code == COF_E_NOENT ||
		    plan->jobs[i].error.code == COF_E_USAGE)
			return true;
	return false;
}

/* coffer swap encrypt. */
static cof_result run_encrypt(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(swap_plan_done) struct swap_plan plan = { 0 };
	struct swap_spec spec = { .now = cli_flag(call, "now"),
				  .no_resume = cli_flag(call, "no-resume") };
	struct cof_error failure = { 0 };
	cof_result done;
	bool mistyped;

	TRY(swap_plan(call->paths, call->args, call->arg_count, &spec, &plan, err));
	if (plan.count == 0)
		cli_say(call, "no swap is active: nothing to do");
	mistyped = is_mistyped(&plan);
	for (size_t i = 0; i < plan.count && mistyped && !call->dry_run; i++)
		if (plan.jobs[i].error.code == COF_E_NONE)
			plan.jobs[i].skip = "was not touched, since another name is wrong";
	done = call->dry_run || mistyped ? COF_OK : swap_run(call->paths, &plan, &spec, &failure);
	TRY(show(call, &plan, err));
	/* What failed for all of them. */
	if (cof_failed(done) && err)
		*err = failure;
	return done;
}

/* ---- status ---- */

static const char *const how_words[] = {
	[SWAP_PLAIN] = "no",
	[SWAP_RANDOM] = "random key",
	[SWAP_LUKS] = "on a LUKS volume",
	[SWAP_ENGINE] = "on a volume of coffer",
	[SWAP_MEMORY] = "compressed memory",
};
static const char *const how_names[] = {
	[SWAP_PLAIN] = "none",	  [SWAP_RANDOM] = "random-key", [SWAP_LUKS] = "luks",
	[SWAP_ENGINE] = "engine", [SWAP_MEMORY] = "memory",
};

static const char *type_of(const struct swap_state *state)
{
	if (state->how == SWAP_MEMORY)
		return "zram";
	return state->area.is_file ? "file" : "device";
}

static struct json *state_json(const struct swap_state *state)
{
	struct json *json = json_new_object();

	json_set_text(json, "device", state->area.path);
	json_set_known(json, "source", state->source);
	json_set_text(json, "type", type_of(state));
	json_set_bool(json, "active", state->active);
	json_set_uint(json, "size", state->area.size_bytes);
	json_set_uint(json, "used", state->area.used_bytes);
	json_set_bool(json, "encrypted", state->how != SWAP_PLAIN && state->how != SWAP_MEMORY);
	json_set_text(json, "how", how_names[state->how]);
	json_set_text(json, "at_boot", state->at_boot);
	json_set_known(json, "name", state->line_name);
	return json;
}

/* What the next boot makes of it, for a person. */
static void boot_words(const struct swap_state *state, char *out, size_t out_size_bytes)
{
	if (strcmp(state->at_boot, "encrypted") == 0 && state->line_name[0])
		(void)snprintf(out, out_size_bytes, "encrypted as %s", state->line_name);
	else
		(void)snprintf(out, out_size_bytes, "%s",
			       strcmp(state->at_boot, "plain") == 0    ? "not encrypted"
			       : strcmp(state->at_boot, "unused") == 0 ? "not used"
								       : state->at_boot);
}

/* coffer swap status. */
static cof_result run_status(struct cli_call *call, struct cof_error *err)
{
	static const char *const columns[] = { "DEVICE", "TYPE",      ">SIZE",
					       ">USED",	 "ENCRYPTED", "AT THE NEXT BOOT",
					       NULL };
	_cleanup_(table_freep) struct table *table = NULL;
	_cleanup_free_ struct swap_state *states = NULL;
	struct json *document = json_new_object();
	struct json *swaps = json_new_array();
	size_t count = 0;
	cof_result found = swap_states(call->paths, &states, &count, err);

	json_set(document, "swaps", swaps);
	cli_show(call, document);
	TRY(found);
	TRY(table_new(columns, &table, err));
	for (size_t i = 0; i < count; i++) {
		const struct swap_state *state = &states[i];
		char size[16];
		char used[16];
		char boot[160];

		boot_words(state, boot, sizeof(boot));
		json_add(swaps, state_json(state));
		TRY(table_add(table,
			      (const char *const[]){
				      state->area.path, type_of(state),
				      size_format(state->area.size_bytes, size),
				      state->active ? size_format(state->area.used_bytes, used)
						    : "not in use",
				      how_words[state->how], boot },
			      err));
	}
	if (count == 0)
		cli_say(call, "there is no swap, neither active nor in fstab");
	else if (!call->json)
		TRY(table_print(table, stdout, err));
	return COF_OK;
}

const struct cli_verb cli_verb_swap_encrypt = {
	.noun = "swap",
	.verb = "encrypt",
	.arguments = "[DEV...]",
	.max_args = SIZE_MAX,
	.argument_type = CLI_DEVICE,
	.summary = "encrypt swap with a new random key at every boot",
	.description =
		"Gives each swap device a line in /etc/crypttab, with a key from /dev/urandom that "
		"nobody ever sees, and has /etc/fstab use the mapping, /dev/mapper/swap. Without "
		"DEV, all swap that is active or in fstab. It takes effect with the next boot, or "
		"at once with --now. Every other byte of both files stays, also options such as "
		"pri=; a dated "
		"copy of the version before is left beside each. A run that was interrupted is "
		"finished by the same command.\n\n"
		"The device is named by its partition's UUID or below /dev/disk/by-id: what it "
		"holds is overwritten at every boot. A device that holds anything but swap is "
		"refused with what was found.\n\n"
		"A system cannot wake from hibernation on such swap, since the key is gone. Where "
		"resume= on the kernel's command line or RESUME= of initramfs-tools names the "
		"device, the command refuses; --no-resume goes on, and sets RESUME=none.\n\n"
		"A swap file has no key of its own: on an encrypted filesystem it is encrypted "
		"already, elsewhere it is refused. Compressed memory (zram) is left alone.\n\n"
		"What was swapped out before stays on the device until it is overwritten.",
	.options =
		(const struct cli_option[]){
			{ "now", CLI_FLAG, NULL,
			  "at once as well: swapoff, if memory has room for what is swapped out, "
			  "then map, mkswap and swapon" },
			{ "no-resume", CLI_FLAG, NULL,
			  "also where the machine hibernates to: hibernation ends" },
			{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer swap encrypt --dry-run", "show what would change in both files" },
			{ "coffer swap encrypt", "encrypt all swap from the next boot on" },
			{ "coffer swap encrypt /dev/vda2 --now", "one device, without a restart" },
			{ 0 } },
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_encrypt,
};

const struct cli_verb cli_verb_swap_status = {
	.noun = "swap",
	.verb = "status",
	.summary = "show which swap is encrypted, now and at the next boot",
	.description =
		"Lists the swap that is active, and what /etc/crypttab and /etc/fstab name beside "
		"it: size, what is swapped out, whether it is encrypted now and by what, and what "
		"the next boot makes of it.",
	.options = (const struct cli_option[]){ { 0 } },
	.examples = (const struct cli_example[]){ { "coffer swap status", "one line for each" },
						  { "coffer swap status --json", "for a script" },
						  { 0 } },
	.shows = true,
	.looks = true,
	.run = run_status,
};
