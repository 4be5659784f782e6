/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer tape mtx-changer: the changer command of Bareos and Bacula, with keys.
 */

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "changer.h"
#include "child.h"
#include "clock.h"
#include "foreground.h"
#include "log.h"
#include "number.h"
#include "tape_key_use.h"
#include "unlocking.h"
#include "verbs.h"

#define SCRIPT_DEFAULT	"/usr/lib/bareos/scripts/mtx-changer"
#define SCRIPT_ARGS_MAX 5
#define LIST_TIMEOUT_MS 600000 /* a large library takes minutes for its inventory */
#define WAIT_DEFAULT_S	300    /* as long as Bareos' own script waits for a drive */
#define WAIT_STEP_MS	500

/* The site's own script with the arguments that we have got. */
static void script_argv(const struct cli_call *call, const char *argv[static SCRIPT_ARGS_MAX + 2])
{
	const char *script = cli_value(call, "script");

	argv[0] = script ? script : SCRIPT_DEFAULT;
	for (size_t i = 0; i <= call->arg_count; i++)
		argv[1 + i] = call->args[i];
}

/* Runs it; its exit status becomes ours. */
static cof_result pass_on(struct cli_call *call, struct cof_error *err)
{
	const char *argv[SCRIPT_ARGS_MAX + 2];

	script_argv(call, argv);
	return cof_explain(foreground_run(argv, &call->status, err), err,
			   "--script FILE names the site's own changer script",
			   "cannot run the changer script");
}

/* The barcode of the tape in the slot, as the script lists it; "" where it does not. */
static cof_result find_barcode(const struct cli_call *call, char out[static DRIVE_TEXT_CHARS + 1],
			       struct cof_error *err)
{
	const char *argv[SCRIPT_ARGS_MAX + 2];
	_cleanup_buffer_ struct buffer list = { 0 };
	uint64_t slot;
	int status;

	out[0] = '\0';
	script_argv(call, argv);
	argv[2] = "list";
	TRY(uint_parse(call->args[2], 1u << 24, &slot, err));
	TRY(child_run(argv, SPAN(NULL, 0), LIST_TIMEOUT_MS, &list, &status, err));
	if (status != 0 ||
	    !changer_barcode(buffer_span(&list), (unsigned int)slot, out, DRIVE_TEXT_CHARS + 1))
		log_notice("the changer's list has no barcode for slot %s", call->args[2]);
	return COF_OK;
}

/* Waits until the drive has taken the tape in. */
static cof_result await_tape(const struct cli_call *call, struct drive *drive,
			     struct cof_error *err)
{
	uint64_t limit_s;
	uint64_t deadline_ms;
	bool loaded = false;

	TRY(cli_duration(call, "wait", WAIT_DEFAULT_S, &limit_s, err));
	deadline_ms = clock_ms() + limit_s * 1000;
	for (;;) {
		TRY(drive_has_tape(drive, &loaded, err));
		if (loaded)
			return COF_OK;
		ENSURE(clock_ms() < deadline_ms, err, COF_E_BUSY, drive->name,
		       "has no tape ready within %llu seconds", (unsigned long long)limit_s);
		(void)poll(NULL, 0, WAIT_STEP_MS);
	}
}

/* The key for the tape: that which it needs, else that of the volume with its barcode. */
static cof_result choose(struct vault *vault, struct drive *drive, const char *barcode,
			 struct tape_choice *ret_choice, struct cof_error *err)
{
	struct cof_error unnamed = { 0 };
	cof_result chosen = tape_choose_needed(vault, drive, ret_choice, &unnamed);
	struct tape_next next;
	struct key_tag tag;

	if (!cof_failed(chosen))
		return COF_OK;
	if (chosen.code == COF_E_NOENT && barcode[0] &&
	    !cof_failed(tape_volume_check(barcode, NULL))) {
		TRY(drive_tape_tag(drive, &tag, &next, err));
		/* One that names a key which is not here needs that one and no other. */
		if (!tag.found)
			return tape_choose_volume(vault, barcode, ret_choice, err);
	}
	if (err)
		*err = unnamed;
	return chosen;
}

/* A drive that may go without a key goes without any, not with one of before. */
static cof_result go_without(const struct cli_call *call, struct tape_use *use,
			     const struct cof_error *why, struct cof_error *err)
{
	bool changed;
	cof_result cleared = drive_clear_key(use->drive, &changed, err);

	if (cleared.code != COF_E_UNSUPPORTED)
		TRY(cleared);
	if (!call->quiet)
		log_notice("%s has no key, by --policy may: %s", use->place.name, why->text);
	return COF_OK;
}

/* The key into the drive, after the script has loaded a tape. */
static cof_result give_key(struct cli_call *call, const char *barcode, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(tape_use_done) struct tape_use use = TAPE_USE_NONE;
	_cleanup_(tape_choice_done) struct tape_choice choice = { 0 };
	enum tape_policy policy = POLICY_MUST;
	struct drive_loaded loaded;
	struct cof_error why = { 0 };
	cof_result chosen;
	bool has_key;

	if (cli_value(call, "policy"))
		TRY(tape_policy_parse(cli_value(call, "policy"), &policy, err));
	TRY(tape_use_begin(call, call->args[3], false, &use, err));
	TRY(await_tape(call, use.drive, err));
	TRY(cli_open_vault(call, true, &vault, err));
	chosen = choose(vault, use.drive, barcode, &choice, &why);
	if (chosen.code == COF_E_NOENT && policy != POLICY_MUST)
		return go_without(call, &use, &why, err);
	if (cof_failed(chosen) && err)
		*err = why;
	TRY(chosen);
	TRY(tape_check_cartridge(use.drive, &choice.volume, err));
	TRY(tape_put_key(call, vault, &use, &choice, &has_key, &loaded, err));
	return tape_job_settle(&use.job, err);
}

/* The key out of the drive, before the script takes the tape away. */
static cof_result take_key(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(tape_use_done) struct tape_use use = TAPE_USE_NONE;
	bool changed = false;
	cof_result cleared;

	TRY(tape_use_begin(call, call->args[3], false, &use, err));
	cleared = drive_clear_key(use.drive, &changed, err);
	/* A drive that does not know encryption has no key. */
	if (cleared.code != COF_E_UNSUPPORTED)
		TRY(cleared);
	if (changed)
		audit_note_at(call->paths, &(struct audit_entry){ .event = "tape.clear",
								  .subject = use.place.name });
	return COF_OK;
}

/* coffer tape mtx-changer. */
static cof_result run_changer(struct cli_call *call, struct cof_error *err)
{
	const char *operation = call->args[1];
	char barcode[DRIVE_TEXT_CHARS + 1];
	bool load = strcmp(operation, "load") == 0;
	bool unload = strcmp(operation, "unload") == 0;

	ENSURE((!load && !unload) || call->arg_count >= 4, err, COF_E_USAGE, operation,
	       "needs changer, operation, slot and drive");
	if (unload)
		TRY(cof_explain(take_key(call, err), err, NULL,
				"%s: the tape stays, because its key could not be cleared",
				call->args[3]));
	if (load)
		TRY(find_barcode(call, barcode, err));
	TRY(pass_on(call, err));
	if (load && call->status == 0)
		return cof_explain(give_key(call, barcode, err), err, NULL,
				   "%s: the tape is loaded, and its key is not", call->args[3]);
	return COF_OK;
}

const struct cli_verb cli_verb_tape_mtx_changer = {
	.noun = "tape",
	.verb = "mtx-changer",
	.arguments = "CHANGER OPERATION [SLOT [DRIVE [INDEX]]]",
	.min_args = 2,
	.max_args = SCRIPT_ARGS_MAX,
	.argument_type = CLI_DEVICE,
	.summary = "the changer command of Bareos and Bacula, with keys for the drives",
	.description =
		"Takes the arguments of a changer script and hands them to the site's own, whose "
		"exit "
		"status it ends with. After \"load\" it waits for the drive, finds out which key "
		"the "
		"tape needs, by what stands on it, else by the barcode in the script's list, and "
		"loads that; before \"unload\" it clears the key. Both are read back from the "
		"drive, "
		"and a failure of either ends with a status other than 0.\n\n"
		"A tape whose key is not known is a failure unless --policy may allows it to be "
		"clear. "
		"The vault must be unlocked, by the agent for instance. Keys of the backup program "
		"itself, such as Bareos' plug-in scsicrypto-sd, must be off.",
	.options =
		(const struct cli_option[]){
			{ "script", CLI_FILE, "FILE",
			  "the site's own script, " SCRIPT_DEFAULT " unless told otherwise" },
			{ "policy", CLI_TEXT, "POLICY",
			  "for tapes without a known key: must, unless told otherwise, or may" },
			{ "wait", CLI_DURATION, "TIME",
			  "how long to wait for the drive after a load, 5m unless told otherwise" },
			CLI_UNLOCK_OPTIONS,
			{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer tape mtx-changer /dev/sg5 load 3 /dev/nst0 0",
			  "As the storage daemon calls it: Changer Command = \"coffer tape "
			  "mtx-changer %c %o %S %a %d\"." },
			{ 0 },
		},
	.needs_root = true,
	.run = run_changer,
};
