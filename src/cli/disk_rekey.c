/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer disk rekey: the data of a disk under a new volume key.
 */

#include "disk_change.h"
#include "disk_results.h"
#include "disk_steps.h"
#include "number.h"
#include "unlocking.h"
#include "verbs.h"

/* One `disk rekey`. */
struct rekeying {
	struct cli_call *call;
	struct vault *vault;
	struct disk_change_plan plan;
};

static void rekeying_done(struct rekeying *rekeying)
{
	disk_change_plan_done(&rekeying->plan);
	vault_close(rekeying->vault);
}

/* Nothing is lost that somebody would have to agree to. */
static cof_result confirm(const void *context, struct cof_error *err)
{
	(void)context;
	(void)err;
	return COF_OK;
}

/* --dry-run: the steps. */
static void say_plan(const void *context)
{
	const struct rekeying *rekeying = context;
	const struct cli_call *call = rekeying->call;
	const struct disk_change_plan *plan = &rekeying->plan;
	char size[16];

	if (plan->result.error.code != COF_E_NONE)
		return;
	cli_say(call, "%s on %s%s:", plan->disk.name, plan->device->node,
		plan->result.device[0] ? ", which stays open" : "");
	if (plan->action == CHANGE_NEW)
		cli_say(call, "  make a new volume key, in a keyslot that the stored key opens");
	cli_say(call, "  %s %s with it, with the header copied into the vault as it changes",
		plan->action == CHANGE_NEW ? "encrypt" : "go on with encrypting",
		plan->data_bytes ? size_format(plan->data_bytes, size) : "the data");
	if (!plan->result.device[0])
		cli_say(call, "  compare pieces of the data with what they were");
	cli_say(call, "  remove the old volume key");
}

/* Does what was planned. */
static cof_result work(void *context, struct progress *progress, struct cof_error *err)
{
	struct rekeying *rekeying = context;

	if (rekeying->plan.result.error.code != COF_E_NONE)
		return COF_OK;
	return disk_rekey_run(rekeying->vault, rekeying->call->paths, &rekeying->plan, progress,
			      err);
}

/* What became of the disk. */
static const struct disk_result *result_of(const void *context, size_t index)
{
	const struct rekeying *rekeying = context;

	(void)index;
	return &rekeying->plan.result;
}

/* coffer disk rekey. */
static cof_result run_rekey(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(rekeying_done) struct rekeying rekeying = { .call = call };
	struct disk_steps steps = { .count = 1,
				    .context = &rekeying,
				    .say = say_plan,
				    .confirm = confirm,
				    .run = work,
				    .result = result_of,
				    .done = "has a new volume key",
				    .same = "keeps its volume key" };

	TRY(cli_open_vault(call, true, &rekeying.vault, err));
	TRY(disk_rekey_plan(rekeying.vault, call->paths, call->args[0], &rekeying.plan, err));
	disk_results_suggest(rekeying.vault, call->args, 1, &rekeying.plan.result);
	return disk_steps_run(call, &steps, err);
}

const struct cli_verb cli_verb_disk_rekey = {
	.noun = "disk",
	.verb = "rekey",
	.arguments = "DISK",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_DEVICE,
	.summary = "encrypt a disk's data anew, with another volume key",
	.description =
		"DISK is a disk of the vault, named by volume or device. Its data are read, "
		"decrypted, and written back under a new volume key, where they are. The key in "
		"the vault stays the same. That is what is needed after somebody may have had the "
		"old key together with a copy of the header, which `coffer key rotate` does not "
		"help against.\n\n"
		"The disk is closed meanwhile, or open through dm-crypt, then also mounted and in "
		"use; a disk that is open without dm-crypt is refused. It must have no keyslot but "
		"that of the vault: what is opened by others cannot be carried over.\n\n"
		"It takes as long as reading and writing the whole device. Ctrl-C stops it at a "
		"safe point. After that, and after a crash or a power cut, the same command goes "
		"on where it was; until then the disk cannot be opened, and the verbs that would "
		"do harm refuse it. The data of a closed disk are compared with what they were "
		"before, by pieces.\n\n"
		"Copies of the header of before are of no use afterwards: none of them opens the "
		"data, and `coffer disk header restore` refuses them.",
	.options = (const struct cli_option[]){ CLI_PASSPHRASE_OPTION, { 0 } },
	.examples = (const struct cli_example[]){ { "coffer disk rekey enc-wwn-0x5000c500a1b2c3d4",
						    "a new volume key, or go on with that" },
						  { "coffer disk rekey /dev/sdj --dry-run",
						    "see whether it could be done" },
						  { 0 } },
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_rekey,
};
