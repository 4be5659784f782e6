/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer drill: whether a backup and a recovery key alone would open the disks of this machine.
 */

#include "drill.h"

#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "backup_show.h"
#include "clock.h"
#include "log.h"
#include "note.h"
#include "number.h"
#include "recovery.h"
#include "table.h"
#include "unlocking.h"
#include "verbs.h"

/* What a run found out. */
struct run {
	struct drill drill;
	struct backup_facts facts;
	struct backup_content content;
	bool recovery;	     /* the secret was a recovery key */
	struct vault *vault; /* of this machine; NULL where there is none */
	bool same;	     /* and it is the one of the backup */
};

static void run_done(struct run *run)
{
	drill_done(&run->drill);
	vault_close(run->vault);
}

/* Finds the vault of this machine, unlocked where the agent has its key; a drill needs none. */
static void find_vault(const struct cli_call *call, struct run *run)
{
	if (!vault_exists(call->paths))
		return;
	if (!cli_vault_by_agent(call, &run->vault) &&
	    cof_failed(vault_open(call->paths, &run->vault, NULL)))
		return;
	run->same = memcmp(vault_uuid(run->vault), run->facts.uuid, VAULT_UUID_BYTES) == 0;
	if (!run->same)
		log_notice("the vault of this machine, %s, is another one than that of the backup",
			   call->paths->vault_dir);
}

/* Tries everything. */
static cof_result try_all(struct cli_call *call, struct run *run, struct cof_error *err)
{
	_cleanup_(backup_closep) struct backup *backup = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *secret = NULL;
	_cleanup_(vault_names_freep) char **names = NULL;
	const char *file = call->args[0];

	TRY(backup_open(file, &backup, err));
	backup_read_facts(backup, &run->facts);
	TRY(backup_open_with(call, file, backup, &run->content, &secret, err));
	run->recovery = recovery_looks_like(slot_secret_span(secret));
	TRY(drill_run(backup, call->paths, &run->drill, err));
	find_vault(call, run);
	if (run->same && !cof_failed(vault_names(run->vault, DISK_KIND, &names, NULL)))
		TRY(drill_add_missing(&run->drill, names, err));
	return COF_OK;
}

/* ---- what is shown ---- */

static struct json *disk_json(const struct drill_disk *disk)
{
	struct json *json = json_new_object();

	json_set_text(json, "name", disk->name);
	json_set_known(json, "uuid", disk->uuid);
	json_set_known(json, "source", disk->source);
	json_set_text(json, "state", drill_state_name(disk->state));
	json_set_text(json, "header", disk->source[0] ? header_copy_word(disk->header) : NULL);
	if (disk->has_copy)
		json_set_bool(json, "copy_opens", disk->copy_opens);
	else
		json_set_null(json, "copy_opens");
	json_set_known(json, "problem", disk->problem);
	json_set_known(json, "remedy", disk->remedy);
	return json;
}

/* How many disks there are of each kind. */
static struct json *counts_json(const struct run *run)
{
	struct json *json = json_new_object();

	json_set_uint(json, "opens", drill_count(&run->drill, DRILL_OPENS));
	json_set_uint(json, "fails",
		      drill_count(&run->drill, DRILL_FAILS) +
			      drill_count(&run->drill, DRILL_MISSING));
	json_set_uint(json, "absent", drill_count(&run->drill, DRILL_ABSENT));
	json_set_bool(json, "recovery", run->recovery);
	return json;
}

static void show_json(struct cli_call *call, const struct run *run)
{
	struct json *document = json_new_object();
	struct json *disks = json_new_array();

	for (size_t i = 0; i < run->drill.count; i++)
		json_add(disks, disk_json(&run->drill.disks[i]));
	json_set(document, "backup", backup_json(call->args[0], &run->facts, &run->content));
	json_set(document, "drill", counts_json(run));
	json_set(document, "disks", disks);
	cli_show(call, document);
}

/* The table, and below it what is wrong in words; the first problem is the verb's own failure. */
static cof_result print(const struct cli_call *call, const struct run *run, struct cof_error *err)
{
	static const char *const columns[] = { "DISK", "DEVICE", "OPENS", "HEADER", "COPY", NULL };
	static const char *const opens[] = { [DRILL_OPENS] = "yes",
					     [DRILL_FAILS] = "no",
					     [DRILL_ABSENT] = "absent",
					     [DRILL_UNFINISHED] = "unfinished",
					     [DRILL_MISSING] = "not in the backup" };
	_cleanup_(table_freep) struct table *table = NULL;
	char line[BACKUP_LINE_CHARS];

	(void)printf("Backup of %s\n", backup_line(&run->facts, line));
	TRY(table_new(columns, &table, err));
	for (size_t i = 0; i < run->drill.count; i++) {
		const struct drill_disk *disk = &run->drill.disks[i];
		const char *cells[] = { disk->name, disk->source[0] ? disk->source : NULL,
					opens[disk->state],
					disk->source[0] ? header_copy_word(disk->header) : NULL,
					!disk->has_copy	   ? NULL
					: disk->copy_opens ? "opens"
							   : "does not open" };

		TRY(table_add(table, cells, err));
	}
	if (run->drill.count > 0)
		TRY(table_print(table, stdout, err));
	cli_say(call, "%zu disk%s: %zu would open, %zu not, %zu absent. Nothing was changed.",
		run->drill.count, run->drill.count == 1 ? "" : "s",
		drill_count(&run->drill, DRILL_OPENS),
		drill_count(&run->drill, DRILL_FAILS) + drill_count(&run->drill, DRILL_MISSING),
		drill_count(&run->drill, DRILL_ABSENT));
	return COF_OK;
}

/* Reports every problem but the first, and what the drill did not prove. */
static void tell(const struct cli_call *call, const struct run *run)
{
	bool first = true;

	for (size_t i = 0; i < run->drill.count; i++) {
		const struct drill_disk *disk = &run->drill.disks[i];
		struct cof_error error = { .code = disk->code };

		if (disk->code == COF_E_NONE)
			continue;
		(void)snprintf(error.subject, sizeof(error.subject), "%s", disk->name);
		(void)snprintf(error.text, sizeof(error.text), "%s", disk->problem);
		(void)snprintf(error.remedy, sizeof(error.remedy), "%s", disk->remedy);
		if (!first && !call->json)
			cli_report(&error);
		first = false;
	}
	if (!run->recovery)
		log_notice("the backup was opened with another secret than a recovery key: that "
			   "you have that was not proven");
}

/* ---- what is remembered ---- */

/* Notes the drill in the vault of this machine, if it has one: for `coffer status`, and in the
 * audit log, which a locked vault has as well. */
static void remember(const struct cli_call *call, const struct run *run,
		     const struct cof_error *why)
{
	_cleanup_json_ struct json *note = counts_json(run);
	struct json *detail = counts_json(run);
	struct cof_error failure = { 0 };
	struct audit_entry entry = {
		.event = AUDIT_BACKUP_DRILL, .subject = call->args[0], .why = why, .detail = detail
	};
	char now[32];

	json_set_text(detail, "id", run->facts.id);
	json_set_uint(detail, "revision", run->facts.revision);
	json_set_text(note, "time", time_format(clock_now(), now));
	json_set_text(note, "id", run->facts.id);
	json_set_uint(note, "revision", run->facts.revision);
	if (run->same && cof_failed(note_put(run->vault, NOTE_DRILL, note, &failure)))
		cli_report(&failure);
	if (run->vault && vault_is_unlocked(run->vault))
		audit_note(run->vault, &entry);
	else
		audit_note_at(call->paths, &entry);
}

/* coffer drill. */
static cof_result run_drill(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(run_done) struct run run = { 0 };
	struct cof_error why = { 0 };
	cof_result result;

	TRY(try_all(call, &run, err));
	if (call->json)
		show_json(call, &run);
	else
		TRY(print(call, &run, err));
	tell(call, &run);
	result = drill_result(&run.drill, &why);
	remember(call, &run, cof_failed(result) ? &why : NULL);
	if (cof_failed(result) && err)
		*err = why;
	return cof_explain(result, err, NULL, "the drill with %s failed", call->args[0]);
}

const struct cli_verb cli_verb_drill = {
	.verb = "drill",
	.arguments = "FILE",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_FILE,
	.summary = "prove that a backup and a recovery key would open every attached disk",
	.description =
		"As after the loss of this machine's vault: opens the backup FILE in memory with "
		"the recovery key, and tries for each disk in it whether the stored key opens the "
		"header on the device, and the copy of that header. No device is written to, no "
		"disk is opened or closed, and disks that are in use may be tried.\n\n"
		"OPENS says whether the key opens the header on the device. HEADER says how that "
		"compares with the copy in the backup: same; newer, changed since; older, damaged, "
		"other. COPY says whether the key opens the copy, which `coffer disk header "
		"restore` could put back. Disks that are not attached are listed as absent; those "
		"that this machine's vault has and the backup has not are a failure.\n\n"
		"The result goes to the audit log of this machine's vault, if it has one, and to "
		"`coffer status`.",
	.options = (const struct cli_option[]){ CLI_UNLOCK_OPTIONS, { 0 } },
	.examples =
		(const struct cli_example[]){ { "coffer drill /mnt/stick/vault-2026-11-20.backup",
						"asks for the recovery key" },
					      { 0 } },
	.shows = true,
	.needs_root = true,
	.run = run_drill,
};
