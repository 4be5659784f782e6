/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer disk format: from an empty device to an open, encrypted disk with its key in the vault.
 */

#include <stdio.h>
#include <string.h>

#include "disk_steps.h"
#include "number.h"
#include "unlocking.h"
#include "verbs.h"

/* One `disk format`. */
struct formatting {
	struct cli_call *call;
	struct vault *vault;
	struct disk_format_spec spec;
	struct disk_format_plan plan;
};

static void formatting_done(struct formatting *formatting)
{
	disk_format_plan_done(&formatting->plan);
	vault_close(formatting->vault);
}

/* What is said before a device is overwritten. */
static void describe_loss(const struct disk_format_job *job, char *out, size_t out_size_bytes)
{
	char size[16];

	(void)snprintf(out, out_size_bytes, "all data on %s (%s%s%s%s%s, %s) will be lost%s%s%s",
		       job->device->node, job->device->vendor[0] ? job->device->vendor : "",
		       job->device->vendor[0] ? " " : "",
		       job->device->model[0] ? job->device->model : job->device->transport,
		       job->device->serial[0] ? ", serial number " : "", job->device->serial,
		       size_format(job->device->size_bytes, size), job->overwrites ? ": " : "",
		       job->overwrites ? job->verdict.reason : "",
		       job->action == FORMAT_NEW && job->record
			       ? "; the key that opens it now goes to the history"
			       : "");
}

/* Whether a header will be written on the device, which somebody must agree to. */
static bool is_destructive(const struct disk_format_job *job)
{
	return job->result.error.code == COF_E_NONE && job->action != FORMAT_FINISH;
}

/*
 * Whether to stop before anything is asked or touched: with a wrong name the whole command line is
 * not what was meant, and nobody is asked about some of its devices while others were refused.
 */
static bool must_stop(const struct cli_call *call, const struct disk_format_plan *plan)
{
	bool failed = false;
	bool asks = false;

	for (size_t i = 0; i < plan->count; i++) {
		const struct disk_format_job *job = &plan->jobs[i];
		enum cof_code code = job->result.error.code;

		if (code == COF_E_NOENT || code == COF_E_USAGE)
			return true;
		failed |= code != COF_E_NONE;
		asks |= is_destructive(job) &&
			!cli_agreed_destroy(call, call->args[i], job->device->serial);
	}
	return failed && asks;
}

/* Leaves alone what was not refused either. */
static void leave_untouched(struct disk_format_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		struct disk_result *result = &plan->jobs[i].result;

		if (result->error.code != COF_E_NONE)
			continue;
		result->state = "untouched";
		result->did = "was not touched, since another device was refused";
	}
}

/* The same as a step; what was not refused either is left alone. */
static bool stops(void *context)
{
	struct formatting *formatting = context;

	if (!must_stop(formatting->call, &formatting->plan))
		return false;
	leave_untouched(&formatting->plan);
	return true;
}

/* Asks for each device on which a header will be written; one refusal ends everything. */
static cof_result confirm(const void *context, struct cof_error *err)
{
	const struct formatting *formatting = context;
	const struct cli_call *call = formatting->call;
	const struct disk_format_plan *plan = &formatting->plan;

	for (size_t i = 0; i < plan->count; i++) {
		const struct disk_format_job *job = &plan->jobs[i];
		char loss[1024];

		if (!is_destructive(job))
			continue;
		describe_loss(job, loss, sizeof(loss));
		TRY(cli_confirm_destroy(call, call->args[i], job->device->serial, loss, err));
	}
	return COF_OK;
}

/* --dry-run: the steps for each device. */
static void say_plan(const void *context)
{
	const struct formatting *formatting = context;
	const struct cli_call *call = formatting->call;
	const struct disk_format_plan *plan = &formatting->plan;

	for (size_t i = 0; i < plan->count; i++) {
		const struct disk_format_job *job = &plan->jobs[i];

		if (job->result.error.code != COF_E_NONE)
			continue;
		cli_say(call, "%s as %s:", job->device->node, job->disk.name);
		if (job->overwrites)
			cli_say(call, "  overwrite %s", job->verdict.reason);
		if (job->action == FORMAT_NEW)
			cli_say(call, "  store a new random key in the vault%s",
				job->record ? ", where the one before goes to the history" : "");
		if (job->action != FORMAT_FINISH)
			cli_say(call,
				"  write a LUKS2 header, aes-xts-plain64, 512-bit key, %u-byte "
				"sectors, and open it with the stored key",
				job->sector_bytes);
		cli_say(call, "  copy the header into the vault");
		if (job->disk.crypttab)
			cli_say(call, "  add a line to %s", call->paths->crypttab);
		cli_say(call, "  open it");
	}
}

/* The options as the disk folder takes them. */
static cof_result read_spec(const struct cli_call *call, struct disk_format_spec *spec,
			    struct cof_error *err)
{
	uint64_t key_bytes;
	uint64_t sector_bytes;

	TRY(cli_size(call, "key-bytes", DISK_KEY_BYTES_DEFAULT, &key_bytes, err));
	TRY(cli_size(call, "sector-bytes", 0, &sector_bytes, err));
	ENSURE(sector_bytes <= UINT32_MAX, err, COF_E_USAGE, "--sector-bytes",
	       "%llu is not 512, 1024, 2048 or 4096", (unsigned long long)sector_bytes);
	*spec = (struct disk_format_spec){
		.name = cli_value(call, "name"),
		.key_bytes = key_bytes,
		.sector_bytes = (uint32_t)sector_bytes,
		.force = cli_flag(call, "force"),
		.anew = cli_flag(call, "anew"),
		.crypttab = cli_flag(call, "crypttab"),
		.no_crypttab = cli_flag(call, "no-crypttab"),
	};
	ENSURE(!spec->crypttab || !spec->no_crypttab, err, COF_E_USAGE, "--crypttab",
	       "and --no-crypttab exclude each other");
	return COF_OK;
}

/* Does what was planned. */
static cof_result work(void *context, struct progress *progress, struct cof_error *err)
{
	struct formatting *formatting = context;

	return disk_format_run(formatting->vault, formatting->call->paths, &formatting->plan,
			       &formatting->spec, progress, err);
}

/* What became of one device. */
static const struct disk_result *result_of(const void *context, size_t index)
{
	const struct formatting *formatting = context;

	return &formatting->plan.jobs[index].result;
}

/* coffer disk format. */
static cof_result run_format(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(formatting_done) struct formatting formatting = { .call = call };
	struct disk_steps steps = { .context = &formatting,
				    .say = say_plan,
				    .stops = stops,
				    .confirm = confirm,
				    .run = work,
				    .result = result_of,
				    .done = "encrypted and open",
				    .same = "is encrypted and open already" };

	TRY(read_spec(call, &formatting.spec, err));
	TRY(disk_steps_names(call, err));
	TRY(cli_open_vault(call, true, &formatting.vault, err));
	TRY(disk_format_plan(formatting.vault, call->paths, call->args, call->arg_count,
			     &formatting.spec, &formatting.plan, err));
	steps.count = formatting.plan.count;
	return disk_steps_run(call, &steps, err);
}

const struct cli_verb cli_verb_disk_format = {
	.noun = "disk",
	.verb = "format",
	.arguments = "DEV...",
	.min_args = 1,
	.max_args = SIZE_MAX,
	.argument_type = CLI_DEVICE,
	.summary = "encrypt devices: new key, LUKS2 header, header copy, crypttab line, open",
	.description =
		"Encrypts whole devices or partitions. For each one a random key is stored in the "
		"vault and made durable, a LUKS2 header is written and opened again with the "
		"stored key, a copy of the header goes into the vault, /etc/crypttab gets a line, "
		"and the disk is opened. A run that was interrupted is finished by the same "
		"command.\n\n"
		"A device that is in use is never touched. One that holds anything recognisable, "
		"or unknown content, is refused with what was found; --force overrides that. "
		"Unknown content is looked for in the first and the last MiB and in 512 pieces of "
		"4 KiB spread evenly between them, within a second: a device with little on it in "
		"the middle can look empty.\n\n"
		"All names are checked before anything is asked: with one that is no block "
		"device's, or that stands there twice, no device is touched, and nobody is asked "
		"about a part of the devices. In a script those with a --yes-destroy go on while "
		"others are refused.\n\n"
		"A disk that the vault's key opens is encrypted already: it keeps its data, also "
		"with --force, and is opened. --anew formats it once more; its key stays in "
		"`coffer key history`.\n\n"
		"The volume is called enc- and the device's name under /dev/disk/by-id. A loop "
		"device is called after its backing file, and gets a line in crypttab only with "
		"--crypttab.",
	.options =
		(const struct cli_option[]){
			{ "name", CLI_TEXT, "NAME",
			  "call the volume NAME, at most 78 characters (default: enc- and the "
			  "by-id name)" },
			{ "key-bytes", CLI_SIZE, "BYTES",
			  "length of the random key, 32 to 8M (default: 64)" },
			{ "sector-bytes", CLI_SIZE, "BYTES",
			  "encryption sector, 512 to 4096 (default: 4096 where the device is fit "
			  "for it)" },
			{ "force", CLI_FLAG, NULL, "overwrite what the device holds" },
			{ "anew", CLI_FLAG, NULL,
			  "format a disk of the vault once more, with a new key: its data is lost, "
			  "and its key goes to the history" },
			{ "crypttab", CLI_FLAG, NULL,
			  "add a line to /etc/crypttab also for a device without a stable name" },
			{ "no-crypttab", CLI_FLAG, NULL, "add no line to /etc/crypttab" },
			CLI_PASSPHRASE_OPTION,
			{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer disk format /dev/sdj /dev/sdk",
			  "encrypt two disks, asking for each" },
			{ "coffer disk format /dev/sdj --dry-run", "show what would be done" },
			{ "coffer disk format /dev/sdj --yes-destroy /dev/sdj --json",
			  "from a script" },
			{ 0 } },
	.changes = true,
	.destroys = true,
	.shows = true,
	.needs_root = true,
	.run = run_format,
};
