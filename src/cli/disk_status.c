/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer disk status: every disk of the vault, and where it is open.
 */

#include <stdio.h>
#include <string.h>

#include "crypttab_judge.h"
#include "disk_known.h"
#include "disk_result.h"
#include "header_notes.h"
#include "table.h"
#include "unlocking.h"
#include "verbs.h"

/* What a killed command or engine has left needs somebody to see to it. */
static cof_result note_left(struct disk_known *known, const struct disk *disk,
			    const struct disk_open_state *state, struct finding_list *notes,
			    struct cof_error *err)
{
	struct cof_error dead = { 0 };

	if (state->dead) {
		cof_result raised = disk_raise_dead(state, &dead);

		findings_keep(&known->findings, raised, &dead);
		return COF_OK;
	}
	if (!disk || disk->ready)
		return COF_OK;
	return disk_note_work(disk, notes, err);
}

/* Says of a line that would not open its disk what mends it. */
static cof_result note_line(struct cli_call *call, const struct crypttab_entry *line,
			    unsigned int faults, bool attached, struct finding_list *notes,
			    struct cof_error *err)
{
	bool source = (faults & ~LINE_NO_KEY) != 0;

	return finding_note(notes, AREA_CRYPTTAB, COF_E_REFUSED, line->name,
			    attached ? "coffer disk repair-crypttab"
				     : "attach the disk, then coffer disk repair-crypttab",
			    err, "its line in %s %s, %s", call->paths->crypttab,
			    crypttab_fault_text(faults), source ? line->source : line->key);
}

/* What is wrong with the line of a disk. */
static cof_result judge_line(struct cli_call *call, const struct disk *disk, bool attached,
			     const struct crypttab_entry *line, struct finding_list *notes,
			     struct json *json, unsigned int *ret_faults, struct cof_error *err)
{
	bool known = disk && disk->ready && line;

	*ret_faults = known ? crypttab_judge(call->paths, disk, attached, line) : 0;
	json_set_bool(json, "crypttab", line != NULL);
	json_set_bool(json, "crypttab_other", (*ret_faults & LINE_OTHER_DISK) != 0);
	json_set_text(json, "crypttab_fault",
		      *ret_faults ? crypttab_fault_text(*ret_faults) : NULL);
	return *ret_faults ? note_line(call, line, *ret_faults, attached, notes, err) : COF_OK;
}

/* One disk of the vault, or of none. */
static cof_result add_status(struct cli_call *call, struct disk_known *known, const char *name,
			     struct header_work *work, struct finding_list *notes,
			     struct table *table, struct json *disks, struct cof_error *err)
{
	const struct disk *disk = disk_set_find(&known->disks, name, NULL);
	bool has_copy = disk_known_has(known->header_names, name);
	struct json *json = json_new_object();
	struct disk_open_state state = { 0 };
	struct crypttab_entry entry;
	bool has_line = crypttab_find(known->crypttab, name, &entry);
	unsigned int faults;
	const char *header = "";
	const char *word;

	json_add(disks, json);
	TRY(disk_state_of(call->paths, name, &state, err));
	word = state.open	      ? "open"
	       : state.dead	      ? "dead"
	       : disk && !disk->ready ? disk_work_word(disk)
				      : "closed";
	TRY(note_left(known, disk, &state, notes, err));
	json_set_text(json, "name", name);
	json_set_text(json, "state", word);
	json_set_text(json, "source", state.open ? state.source : NULL);
	json_set_text(json, "device", state.open ? state.device : NULL);
	json_set_text(json, "backend", state.open ? state.backend : NULL);
	json_set_text(json, "uuid", disk ? disk->uuid : NULL);
	json_set_known(json, "serial", disk ? disk->serial : NULL);
	json_set_text(json, "by_id", disk && disk->stable[0] ? disk->stable : NULL);
	json_set_bool(json, "read_only", state.read_only);
	json_set_text(json, "key_file", disk && disk->key_file[0] ? disk->key_file : NULL);
	json_set_bool(json, "key_only", disk && disk->key_only);
	if (disk)
		TRY(disk_note_key(disk, notes, err));
	if (known->header_names)
		json_set_bool(json, "header_copy", has_copy);
	else
		json_set_null(json, "header_copy");
	if (disk && disk->ready)
		TRY(header_notes_look(work, name, notes, &header, err));
	TRY(judge_line(call, disk, state.open || header[0], has_line ? &entry : NULL, notes, json,
		       &faults, err));
	json_set_text(json, "header", header[0] ? header : NULL);
	return table_add(table,
			 (const char *const[]){ name, word, state.source, state.device,
						state.open ? state.backend : "", header,
						!known->header_names ? NULL
						: has_copy	     ? "yes"
								     : "no",
						faults & LINE_OTHER_DISK ? "other"
						: faults		 ? "broken"
						: has_line		 ? "yes"
									 : "no" },
			 err);
}

/* The disks of the vault; where there is none, what coffer has opened, with the word that nothing
 * could open it again. */
static cof_result choose_names(struct cli_call *call, struct disk_known *known,
			       struct cof_error *err)
{
	struct cof_error absent = { 0 };
	cof_result raised;

	if (known->vault)
		return COF_OK;
	TRY(disk_left_names(call->paths, &known->names, err));
	if (!known->names[0])
		return COF_OK;
	raised = cli_raise_absent(call, &absent);
	/* A new vault would open nothing of this. */
	if (!absent.cause[0])
		cof_error_try(&absent,
			      "--vault with the vault's folder; or copy the data elsewhere "
			      "while the disks are open");
	findings_keep(&known->findings, raised, &absent);
	return COF_OK;
}

/* coffer disk status. */
static cof_result run_status(struct cli_call *call, struct cof_error *err)
{
	static const char *const columns[] = { "NAME",	      "STATE",	  "SOURCE",
					       "DEVICE",      "BACKEND",  "HEADER",
					       "HEADER COPY", "CRYPTTAB", NULL };
	_cleanup_(disk_known_done) struct disk_known known = { 0 };
	_cleanup_(header_work_done) struct header_work work = { 0 };
	_cleanup_(finding_list_done) struct finding_list notes = { 0 };
	_cleanup_(table_freep) struct table *table = NULL;
	struct json *document = json_new_object();
	struct json *disks = json_new_array();

	json_set(document, "disks", disks);
	cli_show(call, document);
	TRY(disk_known_load(call, &known, err));
	TRY(choose_names(call, &known, err));
	TRY(header_work_init(known.vault, call->paths, &work, err));
	TRY(table_new(columns, &table, err));
	for (size_t i = 0; i < call->arg_count; i++) {
		if (!disk_known_has(known.names, call->args[i])) {
			cof_ignore(cof_raise(err, COF_E_NOENT, call->args[i],
					     "is not the name of a disk in the vault"));
			cof_error_try(err, "coffer disk status, which shows all disks");
			return (cof_result){ COF_E_NOENT };
		}
		TRY(add_status(call, &known, call->args[i], &work, &notes, table, disks, err));
	}
	for (char **name = known.names; call->arg_count == 0 && name && *name; name++)
		TRY(add_status(call, &known, *name, &work, &notes, table, disks, err));
	if (json_length(disks) == 0)
		cli_say(call, !known.vault   ? "there is no vault"
			      : !known.names ? "which disks the vault has is unknown"
					     : "the vault has no disks");
	else if (!call->json)
		TRY(table_print(table, stdout, err));
	finding_list_say(call, &notes);
	return findings_result(&known.findings, err);
}

const struct cli_verb cli_verb_disk_status = {
	.noun = "disk",
	.verb = "status",
	.arguments = "[NAME...]",
	.max_args = SIZE_MAX,
	.argument_type = CLI_TEXT,
	.summary = "show the disks of the vault and where they are open",
	.description =
		"Shows each disk of the vault: whether it is open, on which device, through "
		"dm-crypt or in user space, whether its header is good and the one of which the "
		"vault has a copy, and whether crypttab has a line for it, one that leads to "
		"another disk, or one that is broken: without its device or key file. A header "
		"that another tool has changed is copied. With a locked vault headers and lines "
		"are not looked at. A disk whose engine was killed is called dead, and what was "
		"left half done is named with the command that finishes it. Where there is no "
		"vault, what coffer has opened is shown.",
	.options = (const struct cli_option[]){ CLI_PASSPHRASE_OPTION, { 0 } },
	.examples =
		(const struct cli_example[]){ { "coffer disk status", "all disks of the vault" },
					      { 0 } },
	.shows = true,
	.looks = true,
	.needs_root = true,
	.run = run_status,
};
