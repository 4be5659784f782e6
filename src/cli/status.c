/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `coffer status`: gathers what status_view.c shows.
 */

#include <string.h>

#include "audit_show.h"
#include "disk.h"
#include "file.h"
#include "header_notes.h"
#include "looking.h"
#include "note.h"
#include "status_view.h"
#include "unlocking.h"
#include "verbs.h"

/* Asks the agent, and through it, where it holds this vault's key, the vault itself. */
static cof_result gather_unlocked(struct cli_call *call, struct vault *vault,
				  struct status_facts *facts, struct cof_error *err)
{
	struct key_source source;
	bool unlocked = false;

	if (!facts->agent.unlocked || facts->agent.epoch != vault_epoch(vault) ||
	    memcmp(facts->agent.uuid, vault_uuid(vault), VAULT_UUID_BYTES) != 0)
		return COF_OK;
	TRY(agent_key_source(call->paths, &source, &unlocked, err));
	if (!unlocked)
		return COF_OK;
	TRY(vault_unlock_from(vault, source, err));
	facts->state = STATUS_UNLOCKED;
	facts->created = vault_created(vault);
	return COF_OK;
}

/* What to do about a volume that a killed engine or command has left. */
static cof_result note_dead(const struct disk_open_state *state, struct header_notes *notes,
			    struct cof_error *err)
{
	struct cof_error dead = { 0 };

	cof_ignore(disk_raise_dead(state, &dead));
	return header_notes_add(notes, err, "%s: %s%s%s: `%s`", dead.subject, dead.text,
				dead.cause[0] ? "; " : "", dead.cause, dead.remedy);
}

/* Counts those of the vault's disks that are open, and those that are dead, which are noted. */
static cof_result look_at_volumes(struct cli_call *call, char *const *names,
				  struct status_facts *facts, struct header_notes *notes,
				  struct cof_error *err)
{
	for (size_t i = 0; names[i]; i++) {
		struct disk_open_state state = { 0 };

		TRY(disk_state_of(call->paths, names[i], &state, err));
		facts->disks_open += state.open;
		facts->disks_dead += state.dead;
		if (state.dead)
			TRY(note_dead(&state, notes, err));
	}
	return COF_OK;
}

/* Looks at the headers of the disks that are there; of a locked vault nothing is known. */
static cof_result look_at_headers(struct cli_call *call, struct vault *vault,
				  struct header_notes *notes, struct cof_error *err)
{
	_cleanup_(header_work_done) struct header_work work = { 0 };
	const char *word;

	if (!vault_is_unlocked(vault))
		return COF_OK;
	TRY(header_work_init(vault, call->paths, &work, err));
	for (size_t i = 0; i < work.set.count; i++)
		if (work.set.items[i].ready)
			TRY(header_notes_look(&work, work.set.items[i].name, notes, &word, err));
	return COF_OK;
}

/* Prints the facts, which nothing outlives. */
static void show_facts(struct cli_call *call, const struct status_facts *facts)
{
	if (call->json)
		cli_show(call, status_json(facts));
	else
		status_print(facts, stdout);
}

/* Opens every record, and proves the audit log and the mirrors, where that was asked for. */
static cof_result check_records(struct cli_call *call, struct status_facts *facts,
				struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct audit_verdict log;

	if (!cli_flag(call, "check"))
		return COF_OK;
	TRY(cli_open_vault(call, true, &vault, err));
	TRY(cof_explain(vault_check(vault, &facts->records, err), err, NULL,
			"the check of vault %s found damage", call->paths->vault_dir));
	TRY(audit_verify(vault, &log, err));
	TRY(audit_judge(call->paths->vault_dir, &log, err));
	facts->checked = true;
	facts->created = vault_created(vault);
	return vault_check_mirrors(vault, &facts->mirrors_read, err);
}

/* Finds what a mirror has of a vault that is not there. */
static void find_copy(const struct cli_call *call, struct status_facts *facts)
{
	struct cof_error found = { 0 };

	(void)vault_copies_explain(call->paths, &found);
	memcpy(facts->copy_cause, found.cause, sizeof(facts->copy_cause));
	memcpy(facts->copy_remedy, found.remedy, sizeof(facts->copy_remedy));
}

/* Asks the agent and opens the records. First the check, which may copy a header that another tool
 * has changed. */
static cof_result look_further(struct cli_call *call, struct vault *vault,
			       struct findings *findings, struct status_facts *facts,
			       struct cof_error *err)
{
	struct cof_error found = { 0 };

	TRY(findings_add(findings, gather_unlocked(call, vault, facts, &found), &found, err));
	if (findings->first.code == COF_E_NONE)
		findings_keep(findings, check_records(call, facts, &found), &found);
	return COF_OK;
}

/* Searches the keystore for damage that no row shows which is read here, and the audit log for what
 * was changed in it. */
static cof_result look_for_damage(struct cli_call *call, struct vault *vault,
				  struct findings *findings, struct cof_error *err)
{
	struct audit_verdict log;
	struct cof_error found = { 0 };
	cof_result result = vault_check_keystore(vault, &found);

	if (!cof_failed(result))
		result = audit_look(vault, &log, &found);
	/* A last line without an end is what a power cut leaves; the next one marks it. */
	if (!cof_failed(result) && log.fault != AUDIT_UNFINISHED)
		result = audit_judge(call->paths->vault_dir, &log, &found);
	return findings_add(findings, result, &found, err);
}

/* What a locked vault shows, or a damaged one. A keystore that cannot be read is a finding already.
 */
static cof_result gather_parts(struct vault *vault, struct findings *findings,
			       struct status_facts *facts, struct vault_slot **slots,
			       struct vault_mirror **mirrors, char ***names, struct cof_error *err)
{
	struct cof_error found = { 0 };
	cof_result header = vault_header_state(vault, &facts->header, &found);

	facts->header_unknown = cof_failed(header);
	facts->header_missing = !path_exists(vault_header_path(vault));
	if (findings->first.code == COF_E_NONE)
		TRY(findings_add(findings, header, &found, err));
	header = vault_slots(vault, slots, &facts->slot_count, &found);
	if (findings->first.code == COF_E_NONE)
		TRY(findings_add(findings, header, &found, err));
	TRY(vault_mirrors(vault, mirrors, &facts->mirror_count, err));
	if (cof_failed(vault_names(vault, DISK_KIND, names, &found)) ||
	    cof_failed(vault_revision(vault, &facts->revision, &found)))
		facts->keystore_unknown = true;
	if (facts->keystore_unknown)
		TRY(findings_add(findings, (cof_result){ found.code }, &found, err));
	return COF_OK;
}

/* What is noted of the last backup and drill; what cannot be read is not noted. */
static void gather_notes(struct vault *vault, uint64_t revision, struct status_backup *notes)
{
	notes->now = time(NULL);
	notes->revision = revision;
	cof_ignore(note_get(vault, NOTE_BACKUP, &notes->backup, NULL));
	cof_ignore(note_get(vault, NOTE_DRILL, &notes->drill, NULL));
}

/* Shows the state of the vault, its agent, mirrors and disks. */
static cof_result run_status(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_free_ struct vault_slot *slots = NULL;
	_cleanup_free_ struct vault_mirror *mirrors = NULL;
	_cleanup_(vault_names_freep) char **names = NULL;
	_cleanup_(header_notes_done) struct header_notes notes = { 0 };
	_cleanup_(status_backup_done) struct status_backup backups = { 0 };
	struct findings findings = { 0 };
	struct status_facts facts = { .state = STATUS_ABSENT,
				      .folder = call->paths->vault_dir,
				      .mirrors_unknown = call->paths->has_mistake };
	bool secret = cli_value(call, "passphrase-file") || cli_value(call, "key-file");

	ENSURE(!secret || cli_flag(call, "check"), err, COF_E_USAGE,
	       cli_value(call, "key-file") ? "--key-file" : "--passphrase-file",
	       "is for --check: status itself needs no secret");
	TRY(agent_query(call->paths, &facts.agent, err));
	if (!vault_exists(call->paths) && !cli_flag(call, "check")) {
		TRY(cli_check_folder(call, err));
		find_copy(call, &facts);
		show_facts(call, &facts);
		return COF_OK;
	}
	TRY(look_vault(call, &findings, &vault, err));
	facts.state = STATUS_LOCKED;
	if (findings.first.code == COF_E_NONE)
		TRY(look_for_damage(call, vault, &findings, err));
	if (findings.first.code == COF_E_NONE)
		TRY(look_further(call, vault, &findings, &facts, err));
	TRY(gather_parts(vault, &findings, &facts, &slots, &mirrors, &names, err));
	if (names)
		TRY(look_at_volumes(call, names, &facts, &notes, err));
	if (findings.first.code == COF_E_NONE)
		TRY(look_at_headers(call, vault, &notes, err));
	gather_notes(vault, facts.revision, &backups);
	facts.notes = &backups;
	facts.disk_notes = notes.texts;
	(void)cli_uuid_format(vault_uuid(vault), facts.uuid);
	facts.epoch = vault_epoch(vault);
	facts.slots = slots;
	facts.mirrors = mirrors;
	facts.disks = (const char *const *)names;
	show_facts(call, &facts);
	return findings_result(&findings, err);
}

const struct cli_verb cli_verb_status = {
	.verb = "status",
	.summary = "show the vault, its unlock methods, mirrors and disks",
	.description =
		"One screen: whether the vault is locked, what opens it, how its mirrors are, "
		"how many disks it knows and how many are open. Warnings say what to do "
		"about them. The vault may be locked, or not be there.\n\n"
		"With --check every record is read and opened, the set of them is compared with "
		"what the vault wrote, the keystore is searched for damage, the header compared "
		"with its copy, the audit log with its seals, and the copy in each mirror is read "
		"to the end in the same way. A copy that is damaged is kept aside and written "
		"anew by `coffer unlock`. For all that the vault must be unlocked, or a secret be "
		"given.",
	.options = (const struct cli_option[]){ { "check", CLI_FLAG, NULL,
						  "read and open every record, in mirrors too" },
						CLI_UNLOCK_OPTIONS,
						{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer status", "For people." },
			{ "coffer status --check", "Whether everything in the vault opens." },
			{ "coffer status --json",
			  "For programs: .vault.state is locked, unlocked or absent." },
			{ 0 },
		},
	.shows = true,
	.looks = true,
	.needs_root = true,
	.run = run_status,
};
