/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer tape load and coffer tape clear: a key into a drive, and out of it.
 */

#include <stdio.h>

#include "audit.h"
#include "tape_key_use.h"
#include "unlocking.h"
#include "verbs.h"

/* Says what the drive has now. */
static void tell_loaded(struct cli_call *call, const struct tape_use *use,
			const struct tape_choice *choice, bool has_key,
			const struct drive_loaded *loaded)
{
	struct json *document = json_new_object();
	char tag[KEY_TAG_CHARS + 1] = "";
	uint8_t id[KEY_ID_BYTES];

	json_set_text(document, "drive", use->place.name);
	json_set_known(document, "volume", choice->volume.name);
	json_set_bool(document, "has_key", has_key && !call->dry_run);
	if (choice->key && key_id_parse(choice->id, id))
		json_set_text(document, "key", key_tag_format(id, tag));
	json_set_bool(document, "clear_on_demount", has_key && loaded->clear_on_demount);
	json_set_bool(document, "locked", has_key && loaded->locked);
	cli_show(call, document);
	if (call->dry_run)
		cli_say(call, "%s would get %s of volume %s.", use->place.name,
			choice->key ? tag : "no key, by the policy", choice->volume.name);
	else if (!has_key)
		cli_say(call, "%s: no key, volume %s is written clear.", use->place.name,
			choice->volume.name);
	else
		cli_say(call, "%s: the key %s of volume %s is loaded%s.", use->place.name, tag,
			choice->volume.name,
			loaded->clear_on_demount ? " until the tape leaves" : "");
}

/* coffer tape load. */
static cof_result run_load(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(tape_use_done) struct tape_use use = TAPE_USE_NONE;
	_cleanup_(tape_choice_done) struct tape_choice choice = { 0 };
	struct drive_loaded loaded = { 0 };
	bool has_key = false;

	TRY(tape_use_begin(call, call->args[0], false, &use, err));
	TRY(cli_open_vault(call, true, &vault, err));
	TRY(tape_choose(vault, cli_value(call, "volume"), use.drive, &choice, err));
	if (!call->dry_run) {
		TRY(tape_put_key(call, vault, &use, &choice, &has_key, &loaded, err));
		TRY(tape_job_settle(&use.job, err));
	}
	tell_loaded(call, &use, &choice, has_key, &loaded);
	return COF_OK;
}

/* coffer tape clear. */
static cof_result run_clear(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(tape_use_done) struct tape_use use = TAPE_USE_NONE;
	struct json *document = json_new_object();
	struct tape_encryption status;
	bool changed = false;

	cli_show(call, document);
	TRY(tape_use_begin(call, call->args[0], false, &use, err));
	if (call->dry_run) {
		TRY(drive_status(use.drive, &status, err));
		changed = drive_has_key(&status);
	} else {
		TRY(drive_clear_key(use.drive, &changed, err));
	}
	if (changed && !call->dry_run)
		audit_note_at(call->paths, &(struct audit_entry){ .event = "tape.clear",
								  .subject = use.place.name });
	json_set_text(document, "drive", use.place.name);
	json_set_bool(document, "changed", changed && !call->dry_run);
	cli_say(call, "%s: %s.", use.place.name,
		!changed	? "there is no key"
		: call->dry_run ? "the key would be cleared"
				: "the key is cleared");
	return COF_OK;
}

const struct cli_verb cli_verb_tape_load = {
	.noun = "tape",
	.verb = "load",
	.arguments = "DEV",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_DEVICE,
	.summary = "load a volume's key into a drive",
	.description =
		"Without --volume the key is the one that the tape needs, by what stands on it: of "
		"a volume that has had several, the one that was used. With it, the volume's "
		"newest "
		"key is loaded, for writing the tape anew.\n\n"
		"The drive writes encrypted then, and reads encrypted and clear blocks, so that "
		"labels stay readable. Where the drive can, it forgets the key when the tape "
		"leaves, "
		"and tells when another host changes it; what it has is read back. A volume whose "
		"policy is must fails where it cannot be encrypted; one that may be clear, or must "
		"be, leaves the drive without a key.",
	.options = (const struct cli_option[]){ TAPE_VOLUME_OPTION, CLI_UNLOCK_OPTIONS, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer tape load nst0", "To read a tape, or to append to it." },
			{ "coffer tape load nst0 --volume A00001L6", "To write it." },
			{ 0 },
		},
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_load,
};

const struct cli_verb cli_verb_tape_clear = {
	.noun = "tape",
	.verb = "clear",
	.arguments = "DEV",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_DEVICE,
	.summary = "make a drive forget its key",
	.description = "The drive is read back afterwards. What is written then is clear. No vault "
		       "is needed, and no root for who may write to the drive's sg node.",
	.examples =
		(const struct cli_example[]){
			{ "coffer tape clear nst0", "After work with a tape." },
			{ 0 },
		},
	.changes = true,
	.shows = true,
	.run = run_clear,
};
