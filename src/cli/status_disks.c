/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How the disks of the vault are, for status and doctor.
 */

#include <stdio.h>
#include <string.h>

#include "disk_destroy.h"
#include "disk_life.h"
#include "disk_result.h"
#include "file.h"
#include "header_notes.h"
#include "key_place.h"
#include "quantastor.h"
#include "status_gather.h"

/* One disk. */
static cof_result look_at(struct cli_call *call, struct header_work *work, bool headers,
			  struct status_disk *disk, struct finding_list *list,
			  struct cof_error *err)
{
	const struct disk *record = disk_set_find(&work->set, disk->name, NULL);
	struct disk_open_state state = { 0 };
	struct cof_error dead = { 0 };
	bool half = record && !record->ready;

	TRY(disk_state_of(call->paths, disk->name, &state, err));
	disk->state = state.open   ? "open"
		      : state.dead ? "dead"
		      : half	   ? disk_work_word(record)
				   : "closed";
	disk->header = "";
	if (state.open)
		memcpy(disk->source, state.source, sizeof(disk->source));
	if (state.dead) {
		cof_ignore(disk_raise_dead(&state, &dead));
		TRY(finding_add(list, AREA_DISKS, &dead, err));
	}
	if (record)
		TRY(disk_note_key(record, list, err));
	if (half)
		return disk_note_work(record, list, err);
	if (!headers || !record)
		return COF_OK;
	TRY(header_notes_look(work, disk->name, list, &disk->header, err));
	if (!disk->header[0] && !state.open && !state.dead)
		disk->state = "absent";
	return COF_OK;
}

/* What was begun with a disk and not finished, and has a record of its own kind. */
static cof_result note_left(struct vault *vault, const char *kind, const char *verb,
			    const char *what, struct finding_list *list, struct cof_error *err)
{
	_cleanup_(vault_names_freep) char **names = NULL;
	char remedy[384];

	TRY(vault_names(vault, kind, &names, err));
	for (char **name = names; *name; name++) {
		(void)snprintf(remedy, sizeof(remedy), "coffer %s %s", verb, *name);
		TRY(finding_note(list, AREA_DISKS, COF_E_REFUSED, *name, remedy, err, "%s", what));
	}
	return COF_OK;
}

cof_result disk_note_work(const struct disk *disk, struct finding_list *list, struct cof_error *err)
{
	char remedy[384];

	(void)snprintf(remedy, sizeof(remedy), "coffer disk %s %s", disk_work_verb(disk),
		       disk_work_name(disk));
	return finding_note(list, AREA_DISKS, COF_E_REFUSED, disk->name, remedy, err, "is %s",
			    disk_work_word(disk));
}

/* A key file of before that is still to be removed. */
static cof_result note_left_file(const struct disk *disk, struct finding_list *list,
				 struct cof_error *err)
{
	const char *name = path_base(disk->key_file);
	char command[384];
	char remedy[1024];

	if (!disk->key_left[0])
		return COF_OK;
	(void)snprintf(command, sizeof(command), "coffer key relocate %s --to %.*s", disk->name,
		       name > disk->key_file ? (int)(name - disk->key_file) - 1 : 5,
		       disk->key_file[0] ? disk->key_file : "vault");
	if (!key_left_is_away(disk))
		return finding_note(list, AREA_DISKS, COF_E_REFUSED, disk->name, command, err,
				    "its key file %.300s is to be removed still", disk->key_left);
	(void)snprintf(remedy, sizeof(remedy), "coffer key rotate %s; or mount %s, then %s",
		       disk->name, disk->left_mount, command);
	return finding_note(list, AREA_DISKS, COF_E_REFUSED, disk->name, remedy, err,
			    "a copy of its key may lie in %.300s, on a medium that is away; a new "
			    "key makes it worthless",
			    disk->key_left);
}

cof_result disk_note_key(const struct disk *disk, struct finding_list *list, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;
	struct finding kept = { .area = AREA_DISKS, .advice = true };
	struct cof_error missing = { 0 };

	TRY(note_left_file(disk, list, err));
	if (!disk->key_file[0])
		return COF_OK;
	if (cof_failed(key_place_read(disk, &key, &missing))) {
		/* A medium is there to be taken away, as long as the vault has the key as well. */
		kept.advice = !disk->key_only;
		kept.error = missing;
		return finding_list_add(&kept, list, err);
	}
	kept.error.code = COF_E_FAILED;
	(void)snprintf(kept.error.text, sizeof(kept.error.text), "the key of %s is in %.300s%s",
		       disk->name, disk->key_file,
		       disk->key_only ? ", and the vault has no copy of it" : " and in the vault");
	return finding_list_add(&kept, list, err);
}

/* Disks that were imported, and whose old key files are there still. */
static cof_result note_imports(struct vault *vault, struct finding_list *list,
			       struct cof_error *err)
{
	struct finding due = { .area = AREA_DISKS, .advice = true };
	char folder[256];
	size_t count;

	TRY(quantastor_pending(vault, &count, folder, sizeof(folder), err));
	if (count == 0)
		return COF_OK;
	due.error.code = COF_E_FAILED;
	(void)snprintf(due.error.subject, sizeof(due.error.subject), "%s", folder);
	(void)snprintf(due.error.text, sizeof(due.error.text),
		       "has the key files of %zu disk%s still, which %s imported", count,
		       count == 1 ? "" : "s", count == 1 ? "was" : "were");
	(void)snprintf(due.error.remedy, sizeof(due.error.remedy),
		       "coffer import quantastor %s --done", folder);
	return finding_list_add(&due, list, err);
}

cof_result status_gather_disks(struct cli_call *call, struct status_gathered *gathered,
			       struct cof_error *err)
{
	_cleanup_(header_work_done) struct header_work work = { 0 };
	struct finding_list *list = &gathered->list;
	struct cof_error found = { 0 };
	bool headers = vault_is_unlocked(gathered->vault);
	size_t count = 0;

	if (headers) {
		cof_result loaded = header_work_init(gathered->vault, call->paths, &work, &found);

		headers = !cof_failed(loaded);
		TRY(findings_add(&gathered->damage, loaded, &found, err));
	}
	while (gathered->names[count])
		count++;
	gathered->disks = calloc(count + 1, sizeof(*gathered->disks));
	ENSURE(gathered->disks, err, COF_E_NOMEM, NULL, "no memory for %zu disks", count);
	gathered->facts.disks = gathered->disks;
	gathered->facts.disk_count = count;
	for (size_t i = 0; i < count; i++) {
		gathered->disks[i].name = gathered->names[i];
		TRY(look_at(call, &work, headers, &gathered->disks[i], list, err));
	}
	if (headers)
		TRY(note_imports(gathered->vault, list, err));
	TRY(note_left(gathered->vault, DISK_ROTATION_KIND, "key rotate",
		      "a change of its key is not finished", list, err));
	return note_left(gathered->vault, DISK_DESTROYED_KIND, "disk destroy",
			 "it is destroyed, and the certificate of that is not written", list, err);
}
