/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "log.h"
#include "tape_key_use.h"

void tape_choice_done(struct tape_choice *choice)
{
	tape_key_free(TAKE(choice->key));
}

/* Fails for a volume that the vault does not have. */
static cof_result raise_unknown(const char *name, struct cof_error *err)
{
	cof_ignore(cof_raise(err, COF_E_NOENT, name, "is no volume of the vault"));
	cof_error_try(err, "coffer tape label DEV --volume %s, which makes its key", name);
	return (cof_result){ COF_E_NOENT };
}

/* The key that a volume's record names. */
static cof_result fetch_key(struct vault *vault, const char *id, struct tape_choice *choice,
			    struct cof_error *err)
{
	char volume[VAULT_NAME_MAX_BYTES + 1] = "";
	bool found;

	TRY(tape_key_get(vault, id, &choice->key, choice->id, volume, &found, err));
	ENSURE(found, err, COF_E_NOENT, id, "is no key of the vault");
	if (!choice->volume.name[0])
		(void)snprintf(choice->volume.name, sizeof(choice->volume.name), "%s", volume);
	return COF_OK;
}

cof_result tape_choose_volume(struct vault *vault, const char *name, struct tape_choice *ret_choice,
			      struct cof_error *err)
{
	_cleanup_(tape_choice_done) struct tape_choice choice = { 0 };
	bool found;

	TRY(tape_volume_check(name, err));
	TRY(tape_volume_get(vault, name, &choice.volume, NULL, &found, err));
	if (!found)
		return raise_unknown(name, err);
	if (choice.volume.policy != POLICY_NEVER)
		TRY(fetch_key(vault, choice.volume.key, &choice, err));
	*ret_choice = choice;
	choice.key = NULL;
	return COF_OK;
}

/* The volume of a tape that names no key: by its barcode. */
static cof_result choose_barcode(struct vault *vault, struct drive *drive,
				 const struct tape_next *next, struct tape_choice *ret_choice,
				 struct cof_error *err)
{
	char barcode[DRIVE_TEXT_CHARS + 1];
	struct tape_volume volume;
	bool found = false;

	TRY(drive_attribute(drive, MAM_BARCODE, barcode, err));
	if (barcode[0] && !cof_failed(tape_volume_check(barcode, NULL)))
		TRY(tape_volume_get(vault, barcode, &volume, NULL, &found, err));
	if (found)
		return tape_choose_volume(vault, barcode, ret_choice, err);
	cof_ignore(cof_raise(err, COF_E_NOENT, drive->name, "%s",
			     next->encryption == NEXT_WRONG_KEY
				     ? "the tape is encrypted, and does not say with which key"
				     : "nothing on the tape names its volume"));
	cof_error_try(err, "--volume VOLUME");
	return (cof_result){ COF_E_NOENT };
}

cof_result tape_choose_needed(struct vault *vault, struct drive *drive,
			      struct tape_choice *ret_choice, struct cof_error *err)
{
	_cleanup_(tape_choice_done) struct tape_choice choice = { 0 };
	struct tape_next next;
	struct key_tag tag;
	bool found = false;

	TRY(drive_tape_tag(drive, &tag, &next, err));
	if (!tag.found)
		return choose_barcode(vault, drive, &next, ret_choice, err);
	ENSURE(tag.ours, err, COF_E_NOENT, drive->name,
	       "the tape names the key %s, which another program has made", tag.text);
	TRY(cof_explain(fetch_key(vault, tag.id, &choice, err), err,
			"the vault that made it, or a backup of that vault",
			"%s: the tape needs the key %s", drive->name, tag.text));
	if (choice.volume.name[0])
		TRY(tape_volume_get(vault, choice.volume.name, &choice.volume, NULL, &found, err));
	*ret_choice = choice;
	choice.key = NULL;
	return COF_OK;
}

cof_result tape_choose(struct vault *vault, const char *volume, struct drive *drive,
		       struct tape_choice *ret_choice, struct cof_error *err)
{
	if (volume)
		TRY(tape_choose_volume(vault, volume, ret_choice, err));
	else
		TRY(tape_choose_needed(vault, drive, ret_choice, err));
	return tape_check_cartridge(drive, &ret_choice->volume, err);
}

cof_result tape_check_cartridge(struct drive *drive, const struct tape_volume *volume,
				struct cof_error *err)
{
	char serial[DRIVE_TEXT_CHARS + 1];

	if (!volume->serial[0])
		return COF_OK;
	TRY(drive_attribute(drive, MAM_SERIAL, serial, err));
	if (!serial[0] || strcmp(serial, volume->serial) == 0)
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_REFUSED, drive->name,
			     "another cartridge is loaded: its serial number is %s, that of volume "
			     "%s is %s",
			     serial, volume->name, volume->serial));
	cof_error_try(err, "load the right one; or coffer tape label %s --volume %s --reuse",
		      drive->name, volume->name);
	return (cof_result){ COF_E_REFUSED };
}

/* Notes in the audit log which key goes into which drive. */
static void note_use(struct vault *vault, const struct tape_use *use,
		     const struct tape_choice *choice)
{
	struct json *detail = json_new_object();
	char subject[sizeof(TAPE_KEY_KIND "/") + KEY_ID_CHARS];

	(void)snprintf(subject, sizeof(subject), TAPE_KEY_KIND "/%s", choice->id);
	json_set_text(detail, "drive", use->place.name);
	json_set_known(detail, "volume", choice->volume.name);
	audit_note(vault, &(struct audit_entry){
				  .event = AUDIT_KEY_USE, .subject = subject, .detail = detail });
}

/* Makes sure that a drive has no key, for a volume that is written clear. */
static cof_result put_none(struct tape_use *use, struct cof_error *err)
{
	bool changed;
	cof_result cleared = drive_clear_key(use->drive, &changed, err);

	/* A drive that does not know encryption has no key. */
	return cleared.code == COF_E_UNSUPPORTED ? COF_OK : cleared;
}

cof_result tape_put_key(const struct cli_call *call, struct vault *vault, struct tape_use *use,
			const struct tape_choice *choice, bool *ret_has_key,
			struct drive_loaded *ret_loaded, struct cof_error *err)
{
	uint8_t id[KEY_ID_BYTES];
	cof_result loaded;

	*ret_has_key = false;
	if (!choice->key)
		return put_none(use, err);
	ENSURE(key_id_parse(choice->id, id), err, COF_E_FORMAT, choice->id, "is no id of a key");
	note_use(vault, use, choice);
	TRY(tape_job_note(&use->job, err));
	loaded = drive_load_key(use->drive, choice->key, id, ret_loaded, err);
	if (loaded.code == COF_E_UNSUPPORTED && choice->volume.policy == POLICY_MAY) {
		TRY(put_none(use, err));
		if (!call->quiet)
			log_notice("%s cannot encrypt this tape; volume %s may be clear",
				   use->place.name, choice->volume.name);
		return COF_OK;
	}
	if (loaded.code == COF_E_REFUSED || loaded.code == COF_E_UNSUPPORTED)
		/* The drive took nothing. */
		cof_ignore(tape_job_settle(&use->job, NULL));
	TRY(loaded);
	if (!ret_loaded->clear_on_demount && !call->quiet)
		log_notice("%s does not forget its key when the tape leaves: coffer tape clear %s",
			   use->place.name, use->place.name);
	*ret_has_key = true;
	return COF_OK;
}
