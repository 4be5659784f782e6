/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer tape label: a volume gets a key, and a tape for it.
 */

#include <stdio.h>
#include <string.h>

#include "backup_show.h"
#include "fault.h"
#include "tape_key_use.h"
#include "unlocking.h"
#include "verbs.h"

/* One run: @record is NULL for a volume that is new. */
struct labelling {
	struct cli_call *call;
	struct vault *vault;
	struct tape_use use;
	struct record *record;
	struct tape_volume volume;
	bool new_key;
	char serial[DRIVE_TEXT_CHARS + 1];
	char barcode[DRIVE_TEXT_CHARS + 1];
};

static void labelling_done(struct labelling *work)
{
	tape_use_done(&work->use);
	record_free(work->record);
	vault_close(work->vault);
}

/* Refuses a tape that is another volume's, or another program's. */
static cof_result check_tape(const struct labelling *work, struct cof_error *err)
{
	const struct tape_volume *volume = &work->volume;
	struct tape_known known = { .vault = work->vault };
	struct tape_owner owner;
	struct tape_next next;
	struct key_tag tag;
	cof_result refused;
	cof_result tagged;
	char words[TAPE_TAG_WORDS];

	if (cli_flag(work->call, "reuse"))
		return COF_OK;
	if (work->record)
		TRY(tape_check_cartridge(work->use.drive, volume, err));
	tagged = drive_tape_tag(work->use.drive, &tag, &next, err);
	/* A drive that does not encrypt cannot tell, and its tapes are clear. */
	if (tagged.code == COF_E_UNSUPPORTED)
		return COF_OK;
	TRY(tagged);
	TRY(vault_names(work->vault, TAPE_KEY_KIND, &known.keys, err));
	owner = tape_owner_of(&known, &tag);
	vault_names_free(known.keys);
	if ((!tag.found || (owner.known && strcmp(owner.volume, volume->name) == 0)) &&
	    (tag.found || next.encryption != NEXT_WRONG_KEY))
		return COF_OK;
	refused = cof_raise(err, COF_E_REFUSED, work->use.place.name,
			    "the tape is in use: it needs the key %s",
			    tape_tag_words(&tag, &owner, words));
	cof_error_try(err, "another tape; or --reuse, if what is on it may go");
	return refused;
}

/* Whether the volume has all that labelling gives. */
static bool is_done(const struct labelling *work)
{
	return work->record && work->volume.ready && !cli_flag(work->call, "new-key") &&
	       !cli_flag(work->call, "reuse");
}

/* What the volume's record is to say. */
static cof_result plan(struct labelling *work, struct cof_error *err)
{
	struct tape_volume *volume = &work->volume;
	const char *policy = cli_value(work->call, "policy");

	if (policy)
		TRY(tape_policy_parse(policy, &volume->policy, err));
	(void)snprintf(volume->barcode, sizeof(volume->barcode), "%.32s", work->barcode);
	(void)snprintf(volume->serial, sizeof(volume->serial), "%.32s", work->serial);
	/* One that was cut off before it was ready goes on with the key that it has. */
	work->new_key = volume->policy != POLICY_NEVER && (!volume->key[0] || volume->ready);
	volume->ready = false;
	return COF_OK;
}

/* A new key in the vault, durable before anything is written with it. */
static cof_result store(struct labelling *work, struct cof_error *err)
{
	_cleanup_(tape_key_freep) struct tape_key *key = NULL;
	_cleanup_secret_ struct secret *id = NULL;

	if (work->new_key) {
		TRY(tape_key_random(TAPE_KEY_BYTES, &key, err));
		TRY(secret_random(KEY_ID_BYTES, &id, err));
		(void)key_id_format(id->data, work->volume.key);
	}
	TRY(fault_point("tape/label-planned", err));
	TRY(tape_volume_put(work->vault, work->record, &work->volume, key, err));
	return fault_point("tape/label-stored", err);
}

/* The tape's chip names the key. A drive or chip that cannot is none the worse. */
static cof_result write_chip(struct labelling *work, struct cof_error *err)
{
	uint8_t id[KEY_ID_BYTES];
	char tag[KEY_TAG_CHARS + 1] = "";
	cof_result written;

	if (key_id_parse(work->volume.key, id))
		(void)key_tag_format(id, tag);
	written = drive_set_attribute(work->use.drive, MAM_KEY_ID, tag, err);
	if (written.code != COF_E_UNSUPPORTED)
		TRY(written);
	return fault_point("tape/label-chip", err);
}

/* The drive takes the key with this tape, and forgets it again. */
static cof_result try_drive(struct labelling *work, struct cof_error *err)
{
	_cleanup_(tape_choice_done) struct tape_choice choice = { 0 };
	struct drive_loaded loaded;
	bool has_key;
	bool changed;

	TRY(tape_choose_volume(work->vault, work->volume.name, &choice, err));
	TRY(tape_put_key(work->call, work->vault, &work->use, &choice, &has_key, &loaded, err));
	TRY(fault_point("tape/label-loaded", err));
	if (has_key)
		TRY(drive_clear_key(work->use.drive, &changed, err));
	return tape_job_settle(&work->use.job, err);
}

/* All steps; each may be the last, and the same call goes on. */
static cof_result label(struct labelling *work, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	struct tape_volume stored;
	bool found;

	TRY(store(work, err));
	TRY(try_drive(work, err));
	TRY(write_chip(work, err));
	TRY(tape_volume_get(work->vault, work->volume.name, &stored, &record, &found, err));
	ENSURE(found, err, COF_E_CONFLICT, work->volume.name, "was removed meanwhile");
	stored.ready = true;
	return tape_volume_put(work->vault, record, &stored, NULL, err);
}

/* Says what was done. */
static void tell(const struct labelling *work, bool changed)
{
	struct cli_call *call = work->call;
	const struct tape_volume *volume = &work->volume;
	struct json *document = json_new_object();

	json_set_text(document, "drive", work->use.place.name);
	json_set_text(document, "volume", volume->name);
	json_set_text(document, "policy", tape_policy_name(volume->policy));
	json_set_known(document, "key", call->dry_run ? "" : volume->key);
	json_set_known(document, "tape_serial", volume->serial);
	json_set_known(document, "barcode", volume->barcode);
	json_set_bool(document, "changed", changed && !call->dry_run);
	cli_show(call, document);
	if (!changed)
		cli_say(call, "%s is labelled already: nothing to do.", volume->name);
	else if (call->dry_run)
		cli_say(call, "%s would get %s.", volume->name,
			work->new_key ? "a new key" : "no new key");
	else if (volume->policy == POLICY_NEVER)
		cli_say(call, "%s stays clear, by its policy.", volume->name);
	else
		cli_say(call,
			"%s has the key coffer1:%s. To write it: coffer tape load %s --volume %s",
			volume->name, volume->key, work->use.place.name, volume->name);
}

/* coffer tape label. */
static cof_result run_label(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(labelling_done) struct labelling work = { .call = call, .use = TAPE_USE_NONE };
	const char *name = cli_value(call, "volume");
	bool loaded;
	bool found;

	if (!name) {
		cof_ignore(cof_raise(err, COF_E_USAGE, "--volume", "must be given"));
		cof_error_try(err, "coffer tape label %s --volume VOLUME, its barcode for instance",
			      call->args[0]);
		return (cof_result){ COF_E_USAGE };
	}
	TRY(tape_volume_check(name, err));
	TRY(tape_use_begin(call, call->args[0], false, &work.use, err));
	TRY(drive_has_tape(work.use.drive, &loaded, err));
	ENSURE(loaded, err, COF_E_NOENT, work.use.place.name, "has no tape loaded");
	TRY(drive_attribute(work.use.drive, MAM_SERIAL, work.serial, err));
	TRY(drive_attribute(work.use.drive, MAM_BARCODE, work.barcode, err));
	TRY(cli_open_vault(call, true, &work.vault, err));
	(void)snprintf(work.volume.name, sizeof(work.volume.name), "%s", name);
	TRY(tape_volume_get(work.vault, name, &work.volume, &work.record, &found, err));
	TRY(check_tape(&work, err));
	if (is_done(&work)) {
		tell(&work, false);
		return COF_OK;
	}
	TRY(plan(&work, err));
	if (!call->dry_run)
		TRY(label(&work, err));
	tell(&work, true);
	if (work.new_key && !call->dry_run)
		backup_tell_older(work.vault);
	return COF_OK;
}

const struct cli_verb cli_verb_tape_label = {
	.noun = "tape",
	.verb = "label",
	.arguments = "DEV",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_DEVICE,
	.summary = "make the key of a volume, for the tape that is loaded",
	.description =
		"Puts a new random key of 256 bits into the vault, before anything is written with "
		"it, tries it with the drive and the tape, and notes its id in the cartridge's "
		"chip. Nothing is written to the tape itself: the label is the backup program's, "
		"and so is the time to load the key.\n\n"
		"A tape that holds data of another volume or program is refused, unless --reuse "
		"says that it may go; so is another cartridge for a volume that has one. A volume "
		"that is labelled already is left as it is; --new-key gives it a new key, and what "
		"was written before stays readable with the old one.\n\n"
		"The policy says what happens where a volume cannot be encrypted: must, the "
		"default, "
		"fails; may goes on without; never keeps it clear.",
	.options =
		(const struct cli_option[]){
			TAPE_VOLUME_OPTION,
			{ "policy", CLI_TEXT, "POLICY",
			  "must, may or never; must unless told otherwise" },
			{ "new-key", CLI_FLAG, NULL, "a new key for a volume that has one" },
			{ "reuse", CLI_FLAG, NULL,
			  "the tape may be taken from what it was used for" },
			CLI_UNLOCK_OPTIONS,
			{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer tape label nst0 --volume A00001L6", "A new tape." },
			{ "coffer tape label nst0 --volume A00001L6 --new-key",
			  "Before it is written anew." },
			{ 0 },
		},
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_label,
};
