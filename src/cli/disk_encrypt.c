/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer disk encrypt: a device with data becomes an encrypted disk, and keeps them.
 */

#include <stdio.h>
#include <string.h>

#include "disk_change.h"
#include "disk_results.h"
#include "disk_steps.h"
#include "number.h"
#include "unlocking.h"
#include "verbs.h"

/* One `disk encrypt`. */
struct encrypting {
	struct cli_call *call;
	struct vault *vault;
	struct disk_encrypt_spec spec;
	struct disk_change_plan plan;
};

static void encrypting_done(struct encrypting *encrypting)
{
	disk_change_plan_done(&encrypting->plan);
	vault_close(encrypting->vault);
}

/* Asks where something is at the end of the device that coffer does not know. */
static cof_result confirm(const void *context, struct cof_error *err)
{
	const struct encrypting *encrypting = context;
	const struct disk_change_plan *plan = &encrypting->plan;
	char loss[512];

	if (plan->result.error.code != COF_E_NONE || !plan->end_in_use)
		return COF_OK;
	(void)snprintf(loss, sizeof(loss),
		       "the last 32 MiB of %s are not empty, and what is there will be lost",
		       plan->device->node);
	return cli_confirm_destroy(encrypting->call, encrypting->call->args[0],
				   plan->device->serial, loss, err);
}

/* What is still to be done before the data are encrypted. */
static void say_beginning(const struct cli_call *call, const struct disk_change_plan *plan)
{
	char size[16];

	cli_say(call, "  store a new random key in the vault");
	if (plan->shrink_to_bytes)
		cli_say(call, "  make its file system smaller, to %s",
			size_format(plan->shrink_to_bytes, size));
	cli_say(call, "  copy its first 16 MiB to its last 16 MiB");
	cli_say(call,
		"  copy a LUKS2 header into the vault, then write it to the first 16 MiB: "
		"aes-xts-plain64, 512-bit key, %u-byte sectors",
		plan->sector_bytes);
}

/* --dry-run: the steps. */
static void say_plan(const void *context)
{
	const struct encrypting *encrypting = context;
	const struct cli_call *call = encrypting->call;
	const struct disk_change_plan *plan = &encrypting->plan;
	char size[16];

	if (plan->result.error.code != COF_E_NONE || plan->action == CHANGE_DONE)
		return;
	cli_say(call, "%s (%s) as %s:", plan->device->node, plan->holds, plan->disk.name);
	if (plan->action == CHANGE_NEW)
		say_beginning(call, plan);
	cli_say(call, "  %s %s where they are, with the header copied into the vault as it changes",
		plan->action == CHANGE_NEW ? "encrypt" : "go on with encrypting",
		plan->data_bytes ? size_format(plan->data_bytes, size) : "the data");
	cli_say(call, "  compare pieces of the data with what they were");
	if (plan->disk.crypttab)
		cli_say(call, "  add a line to %s", call->paths->crypttab);
	cli_say(call, "  open it");
}

/* Does what was planned. */
static cof_result work(void *context, struct progress *progress, struct cof_error *err)
{
	struct encrypting *encrypting = context;

	if (encrypting->plan.result.error.code != COF_E_NONE)
		return COF_OK;
	return disk_encrypt_run(encrypting->vault, encrypting->call->paths, &encrypting->plan,
				progress, err);
}

/* What became of the device. */
static const struct disk_result *result_of(const void *context, size_t index)
{
	const struct encrypting *encrypting = context;

	(void)index;
	return &encrypting->plan.result;
}

/* coffer disk encrypt. */
static cof_result run_encrypt(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(encrypting_done) struct encrypting encrypting = {
		.call = call,
		.spec = { .name = cli_value(call, "name"),
			  .shrink = cli_flag(call, "shrink"),
			  .end_unused = cli_flag(call, "end-unused"),
			  .crypttab = cli_flag(call, "crypttab"),
			  .no_crypttab = cli_flag(call, "no-crypttab") },
	};
	struct disk_steps steps = { .count = 1,
				    .context = &encrypting,
				    .say = say_plan,
				    .confirm = confirm,
				    .run = work,
				    .result = result_of,
				    .done = "encrypted and open",
				    .same = "is encrypted and open already" };
	uint64_t sector_bytes;

	TRY(cli_size(call, "sector-bytes", 0, &sector_bytes, err));
	ENSURE(sector_bytes <= UINT32_MAX, err, COF_E_USAGE, "--sector-bytes",
	       "%llu is not 512, 1024, 2048 or 4096", (unsigned long long)sector_bytes);
	encrypting.spec.sector_bytes = (uint32_t)sector_bytes;
	ENSURE(!encrypting.spec.crypttab || !encrypting.spec.no_crypttab, err, COF_E_USAGE,
	       "--crypttab", "and --no-crypttab exclude each other");
	TRY(cli_open_vault(call, true, &encrypting.vault, err));
	TRY(disk_encrypt_plan(encrypting.vault, call->paths, call->args[0], &encrypting.spec,
			      &encrypting.plan, err));
	disk_results_suggest(encrypting.vault, call->args, 1, &encrypting.plan.result);
	return disk_steps_run(call, &steps, err);
}

const struct cli_verb cli_verb_disk_encrypt = {
	.noun = "disk",
	.verb = "encrypt",
	.arguments = "DEV",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_DEVICE,
	.summary = "encrypt a device with the data that are on it, which stay",
	.description =
		"Encrypts a device where it is: the file system on it stays as it is, and is in "
		"the encrypted volume afterwards. The device must not be mounted or in use "
		"meanwhile, and 32 MiB at its end must be unused: the data move by 16 MiB to make "
		"room for a LUKS2 header. ext4, btrfs and xfs are asked where they end; with "
		"--shrink ext4 and btrfs are made smaller where they reach too far, and xfs cannot "
		"be.\n\n"
		"A random key is stored in the vault before anything is written, and the header is "
		"copied into the vault before it is written, and again as the work goes on. "
		"Afterwards pieces of the data are compared with what they were, /etc/crypttab "
		"gets a line, and the disk is opened.\n\n"
		"It takes as long as reading and writing the whole device. Ctrl-C stops it at a "
		"safe point. After that, and after a crash or a power cut, the same command goes "
		"on where it was, also with the volume's name; until it has come to its end the "
		"disk is neither open nor mounted, and the verbs that would do harm refuse it. "
		"A line of /etc/fstab that calls the device by its UUID or label stays right, one "
		"with the name of the device needs /dev/mapper/NAME instead.\n\n"
		"The old data are overwritten by this, but flash memory may keep pieces of them "
		"for a while. Have a backup: a device that fails in the middle is hard to read.",
	.options =
		(const struct cli_option[]){
			{ "name", CLI_TEXT, "NAME",
			  "call the volume NAME, at most 78 characters (default: enc- and the "
			  "by-id name)" },
			{ "shrink", CLI_FLAG, NULL,
			  "make an ext4 or btrfs file system smaller where it leaves no room; a "
			  "power cut while ext4 is made smaller can damage it" },
			{ "end-unused", CLI_FLAG, NULL,
			  "for content that coffer does not know: its last 32 MiB hold nothing "
			  "that is needed" },
			{ "sector-bytes", CLI_SIZE, "BYTES",
			  "encryption sector, 512 to 4096 (default: 4096 where the device and its "
			  "file system are fit for it)" },
			{ "crypttab", CLI_FLAG, NULL,
			  "add a line to /etc/crypttab also for a device without a stable name" },
			{ "no-crypttab", CLI_FLAG, NULL, "add no line to /etc/crypttab" },
			CLI_PASSPHRASE_OPTION,
			{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer disk encrypt /dev/sdj1 --dry-run",
			  "show what would be done, and whether there is room" },
			{ "coffer disk encrypt /dev/sdj1", "encrypt it, or go on with that" },
			{ "coffer disk encrypt /dev/sdj1 --shrink",
			  "the same, with its file system made smaller first" },
			{ 0 } },
	.changes = true,
	.destroys = true,
	.shows = true,
	.needs_root = true,
	.run = run_encrypt,
};
