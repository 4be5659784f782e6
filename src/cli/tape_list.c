/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer tape list: the tape drives and changers of this machine.
 */

#include <stdio.h>
#include <string.h>

#include "table.h"
#include "tape_use.h"
#include "verbs.h"

/* What is loaded, as far as the drive tells; one that does not answer is listed all the same. */
static const char *loaded_word(const struct tape_place *place,
			       char barcode[static DRIVE_TEXT_CHARS + 1])
{
	_cleanup_(drive_closep) struct drive *drive = NULL;
	bool loaded = false;

	barcode[0] = '\0';
	if (place->is_changer)
		return NULL;
	if (cof_failed(drive_open(place->name, place->node, &drive, NULL)) ||
	    cof_failed(drive_has_tape(drive, &loaded, NULL)))
		return "no answer";
	if (loaded && cof_failed(drive_attribute(drive, MAM_BARCODE, barcode, NULL)))
		barcode[0] = '\0';
	return loaded ? "yes" : "no";
}

/* One drive or changer, in the table and in the array. */
static cof_result add_place(const struct tape_place *place, struct table *table, struct json *array,
			    struct cof_error *err)
{
	struct json *json = json_new_object();
	char barcode[DRIVE_TEXT_CHARS + 1];
	const char *loaded = loaded_word(place, barcode);

	json_set_text(json, "name", place->name);
	json_set_text(json, "type", place->is_changer ? "changer" : "drive");
	json_set_text(json, "node", place->node);
	json_set_known(json, "tape_node", place->tape);
	json_set_known(json, "vendor", place->vendor);
	json_set_known(json, "model", place->model);
	json_set_known(json, "revision", place->revision);
	json_set_text(json, "loaded", loaded);
	json_set_known(json, "barcode", barcode);
	json_add(array, json);
	return table_add(
		table,
		(const char *const[]){ place->name, place->is_changer ? "changer" : "drive",
				       place->node, place->vendor, place->model, place->revision,
				       loaded, barcode[0] ? barcode : NULL },
		err);
}

/* coffer tape list. */
static cof_result run_list(struct cli_call *call, struct cof_error *err)
{
	static const char *const columns[] = { "NAME", "TYPE",	 "NODE",    "VENDOR", "MODEL",
					       "REV",  "LOADED", "BARCODE", NULL };
	_cleanup_(table_freep) struct table *table = NULL;
	_cleanup_free_ struct tape_place *places = NULL;
	struct json *document = json_new_object();
	struct json *array = json_new_array();
	size_t count = 0;

	json_set(document, "devices", array);
	cli_show(call, document);
	TRY(tape_find_all(tape_root(call), &places, &count, err));
	TRY(table_new(columns, &table, err));
	for (size_t i = 0; i < count; i++)
		TRY(add_place(&places[i], table, array, err));
	if (count == 0)
		cli_say(call, "This machine has no tape drives and no changers.");
	else if (!call->json)
		return table_print(table, stdout, err);
	return COF_OK;
}

const struct cli_verb cli_verb_tape_list = {
	.noun = "tape",
	.verb = "list",
	.summary = "list tape drives and changers, and what is loaded",
	.description = "NODE is where commands go. Root, and who may write to an sg node, sees "
		       "what is loaded.",
	.examples =
		(const struct cli_example[]){
			{ "coffer tape list", "As a table." },
			{ 0 },
		},
	.shows = true,
	.looks = true,
	.run = run_list,
};
