/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer disk decrypt: a disk becomes a plain device with the same data.
 */

#include <stdio.h>

#include "disk_change.h"
#include "disk_results.h"
#include "disk_steps.h"
#include "number.h"
#include "unlocking.h"
#include "verbs.h"

/* One `disk decrypt`. */
struct decrypting {
	struct cli_call *call;
	struct vault *vault;
	struct disk_change_plan plan;
};

static void decrypting_done(struct decrypting *decrypting)
{
	disk_change_plan_done(&decrypting->plan);
	vault_close(decrypting->vault);
}

/* Asks whether anybody may read the data from now on; not again to go on. */
static cof_result confirm(const void *context, struct cof_error *err)
{
	const struct decrypting *decrypting = context;
	const struct disk_change_plan *plan = &decrypting->plan;
	char loss[512];

	if (plan->result.error.code != COF_E_NONE || plan->action == CHANGE_RESUME)
		return COF_OK;
	(void)snprintf(loss, sizeof(loss),
		       "the data on %s will be readable without any key, and the vault will forget "
		       "the key",
		       plan->device->node);
	return cli_confirm_destroy(decrypting->call, decrypting->call->args[0],
				   plan->device->serial, loss, err);
}

/* --dry-run: the steps. */
static void say_plan(const void *context)
{
	const struct decrypting *decrypting = context;
	const struct cli_call *call = decrypting->call;
	const struct disk_change_plan *plan = &decrypting->plan;
	char size[16];

	if (plan->result.error.code != COF_E_NONE)
		return;
	cli_say(call, "%s on %s:", plan->disk.name, plan->device->node);
	if (plan->action == CHANGE_NEW) {
		cli_say(call, "  copy its header into the vault and to %s/%s.decrypting",
			call->paths->vault_dir, plan->disk.name);
		cli_say(call, "  move the beginning of the data over the header on the device");
	}
	cli_say(call, "  %s %s and move them to the beginning of the device",
		plan->action == CHANGE_NEW ? "decrypt" : "go on with decrypting",
		plan->data_bytes ? size_format(plan->data_bytes, size) : "the data");
	cli_say(call, "  compare pieces of the data with what they were");
	if (plan->disk.crypttab)
		cli_say(call, "  remove its line from %s", call->paths->crypttab);
	cli_say(call, "  remove its key and header copies from the vault");
}

/* Does what was planned. */
static cof_result work(void *context, struct progress *progress, struct cof_error *err)
{
	struct decrypting *decrypting = context;

	if (decrypting->plan.result.error.code != COF_E_NONE)
		return COF_OK;
	return disk_decrypt_run(decrypting->vault, decrypting->call->paths, &decrypting->plan,
				progress, err);
}

/* What became of the disk. */
static const struct disk_result *result_of(const void *context, size_t index)
{
	const struct decrypting *decrypting = context;

	(void)index;
	return &decrypting->plan.result;
}

/* coffer disk decrypt. */
static cof_result run_decrypt(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(decrypting_done) struct decrypting decrypting = { .call = call };
	struct disk_steps steps = { .count = 1,
				    .context = &decrypting,
				    .say = say_plan,
				    .confirm = confirm,
				    .run = work,
				    .result = result_of,
				    .done = "is decrypted, and no disk of the vault any more",
				    .same = "is encrypted" };

	TRY(cli_open_vault(call, true, &decrypting.vault, err));
	TRY(disk_decrypt_plan(decrypting.vault, call->args[0], &decrypting.plan, err));
	disk_results_suggest(decrypting.vault, call->args, 1, &decrypting.plan.result);
	return disk_steps_run(call, &steps, err);
}

const struct cli_verb cli_verb_disk_decrypt = {
	.noun = "disk",
	.verb = "decrypt",
	.arguments = "DISK",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_DEVICE,
	.summary = "make a disk a plain device again, with its data",
	.description =
		"DISK is a disk of the vault, named by volume or device, and closed. Its data are "
		"decrypted and moved to the beginning of the device, where the header was; the "
		"file system is on the plain device afterwards, and 16 MiB at the end are free.\n\n"
		"As the header on the device is overwritten at once, a file in the vault's folder, "
		"NAME.decrypting, says where the data are until they are done: it must not be "
		"removed. Copies of it go into the vault as the work goes on. The beginning of the "
		"data comes last, so that nothing takes the device for a file system before.\n\n"
		"Then pieces of the data are compared with what they were, the line in "
		"/etc/crypttab is removed, and only then the key and the header copies are removed "
		"from the vault. Backups and mirrors of before still have them.\n\n"
		"It takes as long as reading and writing the whole device. Ctrl-C stops it at a "
		"safe point. After that, and after a crash or a power cut, the same command goes "
		"on where it was; until then the verbs that would do harm refuse the disk.",
	.options = (const struct cli_option[]){ CLI_PASSPHRASE_OPTION, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer disk decrypt enc-wwn-0x5000c500a1b2c3d4",
			  "asks, then decrypts; or goes on with that" },
			{ "coffer disk decrypt /dev/sdj --dry-run", "show what would be done" },
			{ 0 } },
	.changes = true,
	.destroys = true,
	.shows = true,
	.needs_root = true,
	.run = run_decrypt,
};
