/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_STATUS_GATHER_H
#define COF_CLI_STATUS_GATHER_H

/*
 * What `coffer status` shows and `coffer doctor` starts from: the vault, as far as it can be read,
 * and its disks.
 */

#include "disk_headers.h"
#include "looking.h"
#include "status_view.h"

/**
 * struct status_spec - how much is looked at
 * @check:       every record, the audit log and the mirrors are read to the end, for which the
 *               vault is unlocked
 * @without_keys: nothing is unlocked, although the agent has the key
 * @list_damage: what damage is found goes to the list too, and is not reported
 */
struct status_spec {
	bool check;
	bool without_keys;
	bool list_damage;
};

/**
 * struct status_gathered - all of it, owned
 * @facts:  borrows from the rest
 * @vault:  NULL where there is none
 * @list:   what is wrong or due; the facts' findings
 * @damage: what is wrong with the vault
 */
struct status_gathered {
	struct status_facts facts;
	struct vault *vault;
	struct vault_slot *slots;
	struct vault_mirror *mirrors;
	char **names;
	struct status_disk *disks;
	struct status_backup backups;
	struct finding_list list;
	struct findings damage;
};
void status_gathered_done(struct status_gathered *gathered);

/**
 * status_gather() - look at all of it
 * @gathered: { 0 } before; not to be moved afterwards
 * Fails: as vault_open() and vault_mirrors(), but for damage; with @check as cli_open_vault()
 */
cof_result status_gather(struct cli_call *call, const struct status_spec *spec,
			 struct status_gathered *gathered, struct cof_error *err);

/** status_gather_disks() - its part about the disks (status_disks.c): states, headers, and what was
 * left half done. Fails: COF_E_NOMEM, as disk_state_of() */
cof_result status_gather_disks(struct cli_call *call, struct status_gathered *gathered,
			       struct cof_error *err);

#endif
