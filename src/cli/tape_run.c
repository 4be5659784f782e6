/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer tape run: a command with a key in the drive, which is cleared whatever happens.
 */

#include "fault.h"
#include "foreground.h"
#include "tape_key_use.h"
#include "unlocking.h"
#include "verbs.h"

/* That the drive had our key all the time. */
static cof_result check_after(struct tape_use *use, const struct drive_loaded *loaded,
			      struct cof_error *err)
{
	struct tape_encryption status;
	cof_result failure;

	TRY(drive_status(use->drive, &status, err));
	/* It forgets the key by itself when the command lets the tape go. */
	if (status.instance == loaded->status.instance || !drive_has_key(&status))
		return COF_OK;
	failure = cof_raise(err, COF_E_CONFLICT, use->place.name,
			    "another host has changed the key while the command ran");
	cof_error_cause(err, "the drive counts key %u, and ours was %u", status.instance,
			loaded->status.instance);
	cof_error_try(err, "find out who did, and write the tape again");
	return failure;
}

/* Clears the key; a failure of the command itself comes first. */
static cof_result finish(const struct cli_call *call, struct tape_use *use, bool has_key,
			 const struct drive_loaded *loaded, cof_result ran, struct cof_error *err)
{
	struct cof_error later = { 0 };
	cof_result checked = has_key ? check_after(use, loaded, &later) : COF_OK;
	struct cof_error unclear = { 0 };
	bool changed = false;
	cof_result cleared = has_key ? drive_clear_key(use->drive, &changed, &unclear) : COF_OK;

	if (!cof_failed(cleared))
		cleared = tape_job_settle(&use->job, &unclear);
	if (cof_failed(cleared) && (cof_failed(ran) || cof_failed(checked)))
		cli_report(&unclear);
	if (cof_failed(checked) && cof_failed(ran))
		cli_report(&later);
	if (cof_failed(ran))
		return ran;
	if (cof_failed(checked) || cof_failed(cleared)) {
		if (err)
			*err = cof_failed(checked) ? later : unclear;
		return cof_failed(checked) ? checked : cleared;
	}
	cli_say(call, "%s: %s.", use->place.name,
		has_key ? "the key is cleared" : "there was no key");
	return COF_OK;
}

/* The key in, the command, the key out. */
static cof_result run_with_key(struct cli_call *call, struct vault *vault, struct tape_use *use,
			       const struct tape_choice *choice, struct cof_error *err)
{
	struct drive_loaded loaded = { 0 };
	bool has_key = false;
	cof_result ran;
	int status = 0;

	TRY(tape_put_key(call, vault, use, choice, &has_key, &loaded, err));
	TRY(tape_job_hand_on(&use->job, err));
	ran = fault_point("tape/run-loaded", err);
	if (!cof_failed(ran))
		ran = foreground_run(call->args + 1, &status, err);
	call->status = status;
	return finish(call, use, has_key, &loaded, ran, err);
}

/* coffer tape run. */
static cof_result run_run(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(tape_use_done) struct tape_use use = TAPE_USE_NONE;
	_cleanup_(tape_choice_done) struct tape_choice choice = { 0 };

	TRY(tape_use_begin(call, call->args[0], false, &use, err));
	TRY(cli_open_vault(call, true, &vault, err));
	TRY(tape_choose(vault, cli_value(call, "volume"), use.drive, &choice, err));
	if (call->dry_run) {
		cli_say(call, "%s would get %s of volume %s, and %s be run.", use.place.name,
			choice.key ? "the key" : "no key", choice.volume.name, call->args[1]);
		return COF_OK;
	}
	return run_with_key(call, vault, &use, &choice, err);
}

const struct cli_verb cli_verb_tape_run = {
	.noun = "tape",
	.verb = "run",
	.arguments = "DEV -- COMMAND...",
	.min_args = 2,
	.max_args = SIZE_MAX,
	.argument_type = CLI_DEVICE,
	.summary = "run a command with a volume's key in the drive",
	.description =
		"Loads the key as `coffer tape load` does, runs the command, and clears the key "
		"when "
		"it has ended, however that was; exit status is then the command's own. Where "
		"coffer "
		"itself is killed, the command goes on with its key, and the next `coffer tape` "
		"command after its end clears the key. While it runs, other commands cannot change "
		"the drive's key; that another host has is noticed afterwards.",
	.options = (const struct cli_option[]){ TAPE_VOLUME_OPTION, CLI_UNLOCK_OPTIONS, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer tape run nst0 --volume A00001L6 -- tar -cf /dev/nst0 /srv",
			  "With plain tar." },
			{ 0 },
		},
	.changes = true,
	.needs_root = true,
	.run = run_run,
};
