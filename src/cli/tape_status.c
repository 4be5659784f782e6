/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer tape status: drives, their tapes and their keys.
 */

#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "status_line.h"
#include "tape_use.h"
#include "unlocking.h"
#include "verbs.h"

/* All that is asked of one drive. */
struct view {
	const struct tape_use *use;
	const struct tape_known *known;
	struct drive_identity identity;
	bool loaded;
	bool encrypts;
	char serial[DRIVE_TEXT_CHARS + 1];
	char barcode[DRIVE_TEXT_CHARS + 1];
	const char *algorithm;
	struct tape_management management;
	struct tape_encryption status;
	struct key_tag tag;
	struct tape_owner owner;
	char access[128];
};

static const char *const controls[] = { "nobody yet", "the application", "the drive itself",
					"the library", "a management interface" };

/* Who may send commands, and with them load and clear keys. */
static void describe_access(const char *node, char *out, size_t out_size_bytes)
{
	const struct group *group;
	struct stat info;
	char others[64] = "";

	(void)snprintf(out, out_size_bytes, "unknown");
	if (stat(node, &info) < 0)
		return;
	group = getgrgid(info.st_gid);
	if ((info.st_mode & S_IWGRP) && info.st_gid != 0)
		(void)snprintf(others, sizeof(others), " and group %.40s",
			       group ? group->gr_name : "without a name");
	(void)snprintf(out, out_size_bytes, "%s",
		       info.st_mode & S_IWOTH ? "everybody on this machine" : "root");
	if (!(info.st_mode & S_IWOTH))
		(void)snprintf(out, out_size_bytes, "root%s", others);
}

/* What a drive that encrypts says of its key. */
static cof_result ask_key(struct view *view, struct cof_error *err)
{
	struct tape_capabilities capabilities;
	const struct tape_algorithm *algorithm;
	struct drive *drive = view->use->drive;
	struct cof_error plain = { 0 };
	cof_result asked = drive_capabilities(drive, &capabilities, &plain);

	if (asked.code == COF_E_UNSUPPORTED)
		return COF_OK;
	if (cof_failed(asked)) {
		if (err)
			*err = plain;
		return asked;
	}
	view->encrypts = true;
	algorithm = tape_algorithm_choose(&capabilities);
	view->algorithm = !algorithm				     ? NULL
			  : algorithm->code == ALGORITHM_AES_256_GCM ? "AES-256-GCM"
								     : "AES-256-CCM";
	TRY(drive_management(drive, &view->management, err));
	TRY(drive_status(drive, &view->status, err));
	if (capabilities.settable == SETTABLE_PREVENTED && view->status.control == CONTROL_NONE)
		view->status.control = CONTROL_LIBRARY;
	view->tag = key_tag_read(&view->status.kads);
	view->owner = tape_owner_of(view->known, &view->tag);
	return COF_OK;
}

/* Asks a drive for all of it. */
static cof_result ask(struct view *view, struct cof_error *err)
{
	struct drive *drive = view->use->drive;

	TRY(drive_identify(drive, &view->identity, err));
	TRY(drive_has_tape(drive, &view->loaded, err));
	if (view->loaded) {
		TRY(drive_attribute(drive, MAM_SERIAL, view->serial, err));
		TRY(drive_attribute(drive, MAM_BARCODE, view->barcode, err));
	}
	describe_access(view->use->place.node, view->access, sizeof(view->access));
	return ask_key(view, err);
}

static const char *control_words(const struct view *view)
{
	size_t count = sizeof(controls) / sizeof(controls[0]);

	return view->status.control < count ? controls[view->status.control] : "somebody unknown";
}

/* What the drive does with blocks now, in words. */
static const char *mode_words(const struct tape_encryption *status)
{
	if (!drive_has_key(status) && status->control > CONTROL_APPLICATION)
		return "no key now; who controls the drive may give it one";
	if (!drive_has_key(status))
		return "no key: what is written is clear";
	if (status->encryption == ENCRYPT_OFF)
		return "a key for reading: what is written is clear";
	return status->decryption == DECRYPT_MIXED
		       ? "writes encrypted, reads clear and encrypted blocks"
		       : "writes encrypted";
}

/* The drive for programs. */
static struct json *view_json(const struct view *view)
{
	const struct tape_place *place = &view->use->place;
	struct json *json = json_new_object();

	json_set_text(json, "drive", place->name);
	json_set_text(json, "node", place->node);
	json_set_known(json, "tape_node", place->tape);
	json_set_text(json, "vendor", view->identity.vendor);
	json_set_text(json, "model", view->identity.product);
	json_set_text(json, "revision", view->identity.revision);
	json_set_known(json, "serial", view->identity.serial);
	json_set_text(json, "access", view->access);
	json_set_bool(json, "loaded", view->loaded);
	json_set_known(json, "tape_serial", view->serial);
	json_set_known(json, "barcode", view->barcode);
	json_set_bool(json, "encrypts", view->encrypts);
	if (!view->encrypts)
		return json;
	json_set_text(json, "algorithm", view->algorithm);
	json_set_text(json, "control", control_words(view));
	json_set_bool(json, "has_key", drive_has_key(&view->status));
	json_set_bool(json, "writes_encrypted", view->status.encryption == ENCRYPT_ON);
	json_set_bool(json, "reads_clear", view->status.decryption != DECRYPT_ON);
	json_set_uint(json, "key_instance", view->status.instance);
	json_set_bool(json, "can_clear_on_demount", view->management.clear_on_demount);
	json_set_bool(json, "can_lock", view->management.lock);
	json_set(json, "key", tape_tag_json(&view->tag, &view->owner));
	return json;
}

/* The drive for people. */
static void print_view(const struct view *view)
{
	char words[TAPE_TAG_WORDS];

	status_line(stdout, view->use->place.name, "%s %s %s%s%s", view->identity.vendor,
		    view->identity.product, view->identity.revision,
		    view->identity.serial[0] ? ", serial " : "", view->identity.serial);
	status_line(stdout, "commands", "through %s, for %s", view->use->place.node, view->access);
	if (!view->loaded)
		status_line(stdout, "tape", "none");
	else
		status_line(stdout, "tape", "loaded%s%s%s%s", view->serial[0] ? ", serial " : "",
			    view->serial, view->barcode[0] ? ", barcode " : "", view->barcode);
	if (!view->encrypts) {
		status_line(stdout, "key", "none: the drive does not encrypt");
		return;
	}
	status_line(stdout, "mode", "%s", mode_words(&view->status));
	if (drive_has_key(&view->status))
		status_line(stdout, "key", "%s", tape_tag_words(&view->tag, &view->owner, words));
	status_line(stdout, "control", "%s", control_words(view));
	if (!view->use->place.has_sg && view->use->place.tape[0])
		status_line(
			stdout, "note",
			"there is no sg node, so that commands need CAP_SYS_RAWIO: modprobe sg");
}

/* One drive; its failure is shown with the others. */
static cof_result show_drive(struct cli_call *call, const struct tape_known *known,
			     const char *name, struct json *drives, struct cof_error *err)
{
	_cleanup_(tape_use_done) struct tape_use use = TAPE_USE_NONE;
	struct view view = { .use = &use, .known = known };

	TRY(tape_use_begin(call, name, true, &use, err));
	TRY(ask(&view, err));
	json_add(drives, view_json(&view));
	if (!call->json)
		print_view(&view);
	return COF_OK;
}

/* Every drive of the machine; goes on after one that fails. */
static cof_result show_all(struct cli_call *call, const struct tape_known *known,
			   struct json *drives, struct cof_error *err)
{
	_cleanup_free_ struct tape_place *places = NULL;
	cof_result worst = COF_OK;
	size_t count = 0;
	size_t seen = 0;

	TRY(tape_find_all(tape_root(call), &places, &count, err));
	for (size_t i = 0; i < count; i++) {
		struct cof_error one = { 0 };
		cof_result shown;

		if (places[i].is_changer)
			continue;
		seen++;
		shown = show_drive(call, known, places[i].name, drives, &one);
		if (cof_failed(shown) && cof_failed(worst))
			cli_report(&one);
		else if (cof_failed(shown)) {
			worst = shown;
			if (err)
				*err = one;
		}
	}
	if (seen == 0)
		cli_say(call, "This machine has no tape drives.");
	return worst;
}

/* coffer tape status. */
static cof_result run_status(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(tape_known_done) struct tape_known known = { 0 };
	struct json *document = json_new_object();
	struct json *drives = json_new_array();

	json_set(document, "drives", drives);
	cli_show(call, document);
	ENSURE(!cli_flag(call, "all") || call->arg_count == 0, err, COF_E_USAGE, call->args[0],
	       "is one too many with --all");
	TRY(tape_known_load(call, &known, err));
	if (call->arg_count == 0)
		return show_all(call, &known, drives, err);
	return show_drive(call, &known, call->args[0], drives, err);
}

const struct cli_verb cli_verb_tape_status = {
	.noun = "tape",
	.verb = "status",
	.arguments = "[DEV]",
	.max_args = 1,
	.argument_type = CLI_DEVICE,
	.summary = "show tape drives, their tapes and the keys that they hold",
	.description =
		"Shows one drive, or all: what it is, who may send it commands, what is loaded, "
		"whether it encrypts, with which key, and who controls that: the application, the "
		"library or the drive. Whose key it is, is known where the vault is unlocked.",
	.options = (const struct cli_option[]){ { "all", CLI_FLAG, NULL, "every drive" },
						CLI_UNLOCK_OPTIONS,
						{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer tape status", "All drives." },
			{ "coffer tape status nst0 --json", "One, for programs." },
			{ 0 },
		},
	.shows = true,
	.looks = true,
	.run = run_status,
};
