/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer disk adopt: a LUKS device that another program made becomes a disk of the vault.
 */

#include <stdio.h>
#include <string.h>

#include "disk_life.h"
#include "disk_steps.h"
#include "passphrase.h"
#include "unlocking.h"
#include "verbs.h"

/* Where the disks' present secrets come from. */
struct asking {
	struct cli_call *call;
	struct slot_secret *given; /* of the two options, for all disks; or NULL */
};

static void asking_done(struct asking *asking)
{
	slot_secret_free(asking->given);
}

/* Reads the secret that the command line names. */
static cof_result read_given(struct cli_call *call, struct slot_secret **ret_secret,
			     struct cof_error *err)
{
	const char *passphrase_file = cli_value(call, "passphrase-file");
	const char *key_file = cli_value(call, "key-file");

	ENSURE(!passphrase_file || !key_file, err, COF_E_USAGE, "--key-file",
	       "does not go with --passphrase-file");
	if (passphrase_file)
		return passphrase_read(passphrase_file, ret_secret, err);
	if (key_file)
		return keyfile_read(key_file, ret_secret, err);
	return COF_OK;
}

/* disk_adopt_ask: what was given, or what a person types; --dry-run asks nobody. */
static cof_result ask(const struct device *device, void *context, struct slot_secret **ret_secret,
		      struct cof_error *err)
{
	const struct asking *asking = context;
	char prompt[320];
	cof_result asked;

	if (asking->given)
		return slot_secret_copy(slot_secret_span(asking->given), ret_secret, err);
	if (asking->call->dry_run)
		return COF_OK;
	(void)snprintf(prompt, sizeof(prompt), "Present passphrase of %s", device->node);
	asked = passphrase_ask(prompt, false, ret_secret, err);
	if (asked.code != COF_E_UNSUPPORTED)
		return asked;
	asked = cof_raise(err, COF_E_USAGE, device->node,
			  "nobody is there to be asked for the passphrase that opens it now");
	cof_error_try(err, "--passphrase-file FILE, or --key-file FILE");
	return asked;
}

/* One `disk adopt`. */
struct adopting {
	struct cli_call *call;
	struct vault *vault;
	struct asking asking;
	struct disk_adopt_spec spec;
	struct disk_adopt_plan plan;
};

static void adopting_done(struct adopting *adopting)
{
	disk_adopt_plan_done(&adopting->plan);
	asking_done(&adopting->asking);
	vault_close(adopting->vault);
}

/* "0 (argon2id), 2 (pbkdf2)": the keyslots that --only takes away. Returns how many. */
static size_t list_others(const struct disk_adopt_job *job, char *out, size_t out_size_bytes)
{
	size_t count = 0;
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < job->info.slot_count; i++) {
		const struct luks_slot *slot = &job->info.slots[i];

		if (slot->number == job->own_slot)
			continue;
		if (len < out_size_bytes)
			len += (size_t)snprintf(out + len, out_size_bytes - len, "%s%d (%s)",
						count ? ", " : "", slot->number, slot->pbkdf);
		count++;
	}
	return count;
}

/* With --only, asks for each device that loses keyslots; one refusal ends everything. */
static cof_result confirm(const void *context, struct cof_error *err)
{
	const struct adopting *adopting = context;
	const struct cli_call *call = adopting->call;
	const struct disk_adopt_plan *plan = &adopting->plan;

	for (size_t i = 0; i < plan->count && cli_flag(call, "only"); i++) {
		const struct disk_adopt_job *job = &plan->jobs[i];
		char slots[384];
		char loss[512];

		if (job->result.error.code != COF_E_NONE ||
		    list_others(job, slots, sizeof(slots)) == 0)
			continue;
		(void)snprintf(loss, sizeof(loss),
			       "keyslots %s will be removed, and the key in the vault alone opens "
			       "%s afterwards",
			       slots, job->device->node);
		TRY(cli_confirm_destroy(call, call->args[i], job->device->serial, loss, err));
	}
	return COF_OK;
}

/* --dry-run: the steps for each device. */
static void say_plan(const void *context)
{
	const struct adopting *adopting = context;
	const struct cli_call *call = adopting->call;
	const struct disk_adopt_plan *plan = &adopting->plan;

	for (size_t i = 0; i < plan->count; i++) {
		const struct disk_adopt_job *job = &plan->jobs[i];
		char slots[384];

		if (job->result.error.code != COF_E_NONE)
			continue;
		cli_say(call, "%s (LUKS%d) as %s:", job->device->node, job->info.version,
			job->disk.name);
		if (job->action == ADOPT_NEW)
			cli_say(call, "  store a new random key in the vault");
		if (job->action != ADOPT_FINISH)
			cli_say(call, "  add a keyslot for it, and open that with the stored key%s",
				job->volume_key ? "" : " (the present passphrase was not tried)");
		cli_say(call, "  copy the header into the vault");
		if (job->disk.crypttab)
			cli_say(call, "  %s %s",
				job->replaces_line ? "change its line in" : "have a line in",
				call->paths->crypttab);
		if (cli_flag(call, "only") && list_others(job, slots, sizeof(slots)))
			cli_say(call, "  remove the keyslots %s", slots);
	}
}

/* Does what was planned. */
static cof_result work(void *context, struct progress *progress, struct cof_error *err)
{
	struct adopting *adopting = context;

	return disk_adopt_run(adopting->vault, adopting->call->paths, &adopting->plan,
			      &adopting->spec, progress, err);
}

/* What became of one device. */
static const struct disk_result *result_of(const void *context, size_t index)
{
	const struct adopting *adopting = context;

	return &adopting->plan.jobs[index].result;
}

/* coffer disk adopt. */
static cof_result run_adopt(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(adopting_done) struct adopting adopting = {
		.call = call,
		.asking = { .call = call },
		.spec = { .name = cli_value(call, "name"),
			  .only = cli_flag(call, "only"),
			  .crypttab = cli_flag(call, "crypttab"),
			  .no_crypttab = cli_flag(call, "no-crypttab"),
			  .ask = ask,
			  .ask_context = &adopting.asking },
	};
	struct disk_steps steps = { .context = &adopting,
				    .say = say_plan,
				    .confirm = confirm,
				    .run = work,
				    .result = result_of,
				    .done = "adopted",
				    .same = "is in the vault already" };

	ENSURE(!adopting.spec.crypttab || !adopting.spec.no_crypttab, err, COF_E_USAGE,
	       "--crypttab", "and --no-crypttab exclude each other");
	TRY(disk_steps_names(call, err));
	TRY(cli_open_vault(call, true, &adopting.vault, err));
	TRY(read_given(call, &adopting.asking.given, err));
	TRY(disk_adopt_plan(adopting.vault, call->paths, call->args, call->arg_count,
			    &adopting.spec, &adopting.plan, err));
	steps.count = adopting.plan.count;
	return disk_steps_run(call, &steps, err);
}

const struct cli_verb cli_verb_disk_adopt = {
	.noun = "disk",
	.verb = "adopt",
	.arguments = "DEV...",
	.min_args = 1,
	.max_args = SIZE_MAX,
	.argument_type = CLI_DEVICE,
	.summary = "take disks that are encrypted already into the vault; their data stays",
	.description =
		"Takes existing LUKS1 and LUKS2 devices under management. The present passphrase "
		"or key file opens the header; a new random key is stored in the vault and made "
		"durable, gets a keyslot of its own, and is proven to open the disk; a copy of the "
		"header goes into the vault and a line into /etc/crypttab. Data is neither read "
		"nor written, and the disk may be open and in use meanwhile. A run that was "
		"interrupted is finished by the same command.\n\n"
		"The old passphrase still opens the disk. With --only every keyslot but that of "
		"the vault is removed, as the last step and after a question. Old copies of the "
		"header still open with the old passphrase.\n\n"
		"The volume keeps the name that it is open as, or that its line in crypttab has; "
		"otherwise it is called as `coffer disk format` would call it. Such a line gets "
		"coffer's key server as its key, unless the running system starts from the disk.",
	.options =
		(const struct cli_option[]){
			{ "passphrase-file", CLI_FILE, "FILE",
			  "take the passphrase that opens the disks now from the first line of "
			  "FILE" },
			{ "key-file", CLI_FILE, "FILE",
			  "the whole content of FILE opens the disks now" },
			{ "name", CLI_TEXT, "NAME", "call the volume NAME, at most 78 characters" },
			{ "only", CLI_FLAG, NULL,
			  "remove every other keyslot once the new one is proven" },
			{ "crypttab", CLI_FLAG, NULL,
			  "add a line to /etc/crypttab also for a device without a stable name" },
			{ "no-crypttab", CLI_FLAG, NULL, "leave /etc/crypttab as it is" },
			CLI_VAULT_PASSPHRASE_OPTION,
			{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer disk adopt /dev/sdj", "ask for the disk's present passphrase" },
			{ "coffer disk adopt /dev/sdj /dev/sdk --key-file /etc/keys/disks.key",
			  "two disks that one key file opens" },
			{ "coffer disk adopt /dev/sdj --only --dry-run",
			  "show which keyslots would go" },
			{ 0 } },
	.changes = true,
	.destroys = true,
	.shows = true,
	.needs_root = true,
	.run = run_adopt,
};
