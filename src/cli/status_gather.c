/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "status_gather.h"

#include <string.h>

#include "audit_show.h"
#include "clock.h"
#include "file.h"
#include "note.h"
#include "unlocking.h"

void status_gathered_done(struct status_gathered *gathered)
{
	finding_list_done(&gathered->list);
	status_backup_done(&gathered->backups);
	free(gathered->disks);
	vault_names_free(gathered->names);
	free(gathered->mirrors);
	free(gathered->slots);
	vault_close(gathered->vault);
}

/* Whether nothing is known to be wrong with the vault so far. */
static bool is_whole(const struct status_gathered *gathered)
{
	return gathered->damage.first.code == COF_E_NONE;
}

/* Asks the agent, and through it, where it holds this vault's key, the vault itself. */
static cof_result gather_unlocked(struct cli_call *call, struct status_gathered *gathered,
				  struct cof_error *err)
{
	struct status_facts *facts = &gathered->facts;
	struct vault *vault = gathered->vault;
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
	return COF_OK;
}

/* Opens every record, and proves the audit log and the mirrors. */
static cof_result check_records(struct cli_call *call, struct status_gathered *gathered,
				struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *secret = NULL;
	struct status_facts *facts = &gathered->facts;
	struct vault *vault = gathered->vault;
	struct audit_verdict log;

	if (!vault_is_unlocked(vault) || cli_is_given(call))
		TRY(cli_ask_existing(call, vault, &secret, err));
	TRY(cof_explain(vault_check(vault, &facts->records, err), err, NULL,
			"the check of vault %s found damage", call->paths->vault_dir));
	TRY(audit_verify(vault, &log, err));
	TRY(audit_judge(call->paths->vault_dir, &log, err));
	facts->checked = true;
	return vault_check_mirrors(vault, &facts->mirrors_read, err);
}

/* Finds what a mirror has of a vault that is not there. */
static cof_result find_copy(const struct cli_call *call, struct status_gathered *gathered,
			    struct cof_error *err)
{
	struct cof_error found = { .code = COF_E_NOENT };

	if (!vault_copies_explain(call->paths, &found))
		return COF_OK;
	(void)snprintf(found.text, sizeof(found.text), "there is no vault in this folder");
	return finding_add(&gathered->list, AREA_VAULT, &found, err);
}

/* Searches the keystore for damage that no row shows which is read here, and the audit log for what
 * was changed in it. */
static cof_result look_for_damage(struct cli_call *call, struct status_gathered *gathered,
				  struct cof_error *err)
{
	struct audit_verdict log;
	struct cof_error found = { 0 };
	cof_result result = vault_check_keystore(gathered->vault, &found);

	if (!cof_failed(result))
		result = audit_look(gathered->vault, &log, &found);
	/* A last line without an end is what a power cut leaves; the next one marks it. */
	if (!cof_failed(result) && log.fault != AUDIT_UNFINISHED)
		result = audit_judge(call->paths->vault_dir, &log, &found);
	return findings_add(&gathered->damage, result, &found, err);
}

/* Asks the agent and opens the records. First the check, which may copy a header that another tool
 * has changed. */
static cof_result look_further(struct cli_call *call, const struct status_spec *spec,
			       struct status_gathered *gathered, struct cof_error *err)
{
	struct cof_error found = { 0 };

	if (spec->without_keys)
		return COF_OK;
	TRY(findings_add(&gathered->damage, gather_unlocked(call, gathered, &found), &found, err));
	if (is_whole(gathered) && spec->check)
		findings_keep(&gathered->damage, check_records(call, gathered, &found), &found);
	return COF_OK;
}

/* What a locked vault shows, or a damaged one. A keystore that cannot be read is a finding already.
 */
static cof_result gather_parts(struct status_gathered *gathered, struct cof_error *err)
{
	struct status_facts *facts = &gathered->facts;
	struct vault *vault = gathered->vault;
	struct cof_error found = { 0 };
	cof_result header = vault_header_state(vault, &facts->header, &found);

	facts->header_unknown = cof_failed(header);
	facts->header_missing = !path_exists(vault_header_path(vault));
	if (is_whole(gathered))
		TRY(findings_add(&gathered->damage, header, &found, err));
	header = vault_slots(vault, &gathered->slots, &facts->slot_count, &found);
	if (is_whole(gathered))
		TRY(findings_add(&gathered->damage, header, &found, err));
	TRY(vault_mirrors(vault, &gathered->mirrors, &facts->mirror_count, err));
	if (cof_failed(vault_names(vault, DISK_KIND, &gathered->names, &found)) ||
	    cof_failed(vault_revision(vault, &facts->revision, &found)))
		facts->keystore_unknown = true;
	/* Where the vault was opened, the same was found already. */
	if (facts->keystore_unknown &&
	    strcmp(gathered->damage.first.subject, found.subject) != 0)
		TRY(findings_add(&gathered->damage, (cof_result){ found.code }, &found, err));
	return COF_OK;
}

/* What is noted of the last backup and drill; what cannot be read is not noted. */
static void gather_notes(struct status_gathered *gathered)
{
	gathered->backups.now = clock_now();
	gathered->backups.epoch = vault_epoch(gathered->vault);
	cof_ignore(note_get(gathered->vault, NOTE_BACKUP, &gathered->backups.backup, NULL));
	if (gathered->backups.backup)
		cof_ignore(note_changes_since(gathered->vault, gathered->backups.backup,
					      &gathered->backups.since, NULL));
	cof_ignore(note_get(gathered->vault, NOTE_DRILL, &gathered->backups.drill, NULL));
}

/* The facts that are borrowed from the rest. */
static void lend(struct status_gathered *gathered)
{
	struct status_facts *facts = &gathered->facts;

	(void)cli_uuid_format(vault_uuid(gathered->vault), facts->uuid);
	facts->epoch = vault_epoch(gathered->vault);
	facts->created = vault_created(gathered->vault);
	facts->slots = gathered->slots;
	facts->mirrors = gathered->mirrors;
	facts->notes = &gathered->backups;
	facts->findings = &gathered->list;
}

cof_result status_gather(struct cli_call *call, const struct status_spec *spec,
			 struct status_gathered *gathered, struct cof_error *err)
{
	struct status_facts *facts = &gathered->facts;

	*facts = (struct status_facts){ .state = STATUS_ABSENT,
					.folder = call->paths->vault_dir,
					.mirrors_unknown = call->paths->has_mistake,
					.findings = &gathered->list };
	gathered->damage.list = spec->list_damage ? &gathered->list : NULL;
	TRY(agent_query(call->paths, &facts->agent, err));
	if (!vault_exists(call->paths) && !spec->check) {
		TRY(cli_check_folder(call, err));
		return find_copy(call, gathered, err);
	}
	TRY(look_vault(call, &gathered->damage, &gathered->vault, err));
	facts->state = STATUS_LOCKED;
	if (is_whole(gathered))
		TRY(look_for_damage(call, gathered, err));
	if (is_whole(gathered))
		TRY(look_further(call, spec, gathered, err));
	TRY(gather_parts(gathered, err));
	gather_notes(gathered);
	lend(gathered);
	TRY(status_findings(facts, &gathered->list, err));
	if (!facts->keystore_unknown)
		TRY(status_backup_findings(&gathered->backups, false, &gathered->list, err));
	return gathered->names ? status_gather_disks(call, gathered, err) : COF_OK;
}
