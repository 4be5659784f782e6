/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer tape next and coffer tape which-key: what stands on a tape.
 */

#include <stdio.h>

#include "tape_use.h"
#include "unlocking.h"
#include "verbs.h"

/* coffer tape next. */
static cof_result run_next(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(tape_known_done) struct tape_known known = { 0 };
	_cleanup_(tape_use_done) struct tape_use use = TAPE_USE_NONE;
	struct json *document = json_new_object();
	struct tape_owner owner;
	struct tape_next next;
	struct key_tag tag;
	char words[TAPE_TAG_WORDS];

	cli_show(call, document);
	TRY(tape_known_load(call, &known, err));
	TRY(tape_use_begin(call, call->args[0], true, &use, err));
	TRY(drive_next(use.drive, &next, err));
	tag = key_tag_read(&next.kads);
	owner = tape_owner_of(&known, &tag);
	json_set_text(document, "drive", use.place.name);
	json_set_text(document, "next", tape_next_name(&next));
	json_set_uint(document, "object", next.object);
	json_set(document, "key", tape_tag_json(&tag, &owner));
	cli_say(call, "%s: object %llu is %s.", use.place.name, (unsigned long long)next.object,
		tape_next_words(&next));
	if (tag.found)
		cli_say(call, "Its key is %s.", tape_tag_words(&tag, &owner, words));
	return COF_OK;
}

/* Says what a tape needs; a key that is not known is a failure. */
static cof_result tell_key(struct cli_call *call, const struct tape_use *use,
			   const struct key_tag *tag, const struct tape_owner *owner,
			   const struct tape_next *next, struct cof_error *err)
{
	char words[TAPE_TAG_WORDS];
	cof_result failure;

	if (owner->known) {
		cli_say(call, "%s: the tape needs the key %s.", use->place.name,
			tape_tag_words(tag, owner, words));
		return COF_OK;
	}
	if (tag->found) {
		failure = cof_raise(err, COF_E_NOENT, use->place.name, "the tape needs the key %s",
				    tape_tag_words(tag, owner, words));
		cof_error_try(err, "the vault that made it, or the program that wrote the tape");
		return failure;
	}
	if (next->encryption == NEXT_WRONG_KEY || next->encryption == NEXT_DECRYPTABLE) {
		failure = cof_raise(err, COF_E_NOENT, use->place.name,
				    "the tape is encrypted, and does not say with which key");
		cof_error_try(err, "the volume's name, by its barcode or label: coffer tape load "
				   "DEV --volume VOLUME");
		return failure;
	}
	cli_say(call, "%s: nothing on the tape names a key.", use->place.name);
	return COF_OK;
}

/* coffer tape which-key. */
static cof_result run_which(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(tape_known_done) struct tape_known known = { 0 };
	_cleanup_(tape_use_done) struct tape_use use = TAPE_USE_NONE;
	struct json *document = json_new_object();
	char serial[DRIVE_TEXT_CHARS + 1];
	char barcode[DRIVE_TEXT_CHARS + 1];
	struct tape_owner owner;
	struct tape_next next;
	struct key_tag tag;

	cli_show(call, document);
	TRY(tape_known_load(call, &known, err));
	/* It moves the tape, so nobody else may be at work. */
	TRY(tape_use_begin(call, call->args[0], false, &use, err));
	TRY(drive_attribute(use.drive, MAM_SERIAL, serial, err));
	TRY(drive_attribute(use.drive, MAM_BARCODE, barcode, err));
	TRY(drive_tape_tag(use.drive, &tag, &next, err));
	owner = tape_owner_of(&known, &tag);
	json_set_text(document, "drive", use.place.name);
	json_set_known(document, "tape_serial", serial);
	json_set_known(document, "barcode", barcode);
	json_set_text(document, "next", tape_next_name(&next));
	json_set(document, "key", tape_tag_json(&tag, &owner));
	return tell_key(call, &use, &tag, &owner, &next, err);
}

const struct cli_verb cli_verb_tape_next = {
	.noun = "tape",
	.verb = "next",
	.arguments = "DEV",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_DEVICE,
	.summary = "say whether the next block of a tape is encrypted",
	.description = "The tape is not moved. With --json, \"next\" is clear, decryptable, "
		       "wrong-key, other-algorithm, none (a filemark or the end of the data), "
		       "not-now, unknown or undefined.",
	.options = (const struct cli_option[]){ CLI_UNLOCK_OPTIONS, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer tape next nst0", "Where the tape is now." },
			{ 0 },
		},
	.shows = true,
	.looks = true,
	.run = run_next,
};

const struct cli_verb cli_verb_tape_which_key = {
	.noun = "tape",
	.verb = "which-key",
	.arguments = "DEV",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_DEVICE,
	.summary = "say which key a tape needs, without trying any",
	.description =
		"Asks the next block, then the first encrypted one, then the cartridge's chip; "
		"the tape is afterwards where it was. No key is tried, because ten wrong ones lock "
		"some drives. A key that the vault does not have is exit status 5.",
	.options = (const struct cli_option[]){ CLI_UNLOCK_OPTIONS, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer tape which-key nst0", "The tape in the first drive." },
			{ 0 },
		},
	.shows = true,
	.looks = true,
	.run = run_which,
};
