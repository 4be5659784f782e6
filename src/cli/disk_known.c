/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What verbs that only show disks know of the vault.
 */

#include <string.h>

#include "agent.h"
#include "disk_known.h"
#include "unlocking.h"

void disk_known_done(struct disk_known *known)
{
	disk_set_done(&known->disks);
	vault_names_free(known->header_names);
	vault_names_free(known->names);
	crypttab_free(known->crypttab);
	vault_close(known->vault);
}

bool disk_known_has(char *const *names, const char *name)
{
	for (; names && *names; names++) {
		if (strcmp(*names, name) == 0)
			return true;
	}
	return false;
}

/* Reads the records; a vault that is damaged is then looked at as if it were locked. */
static cof_result load_unlocked(struct cli_call *call, struct disk_known *known,
				struct cof_error *err)
{
	struct cof_error found = { 0 };
	cof_result loaded = cli_open_vault(call, true, &known->vault, &found);

	if (!cof_failed(loaded))
		loaded = disk_set_load(known->vault, &known->disks, &found);
	if (cof_failed(loaded)) {
		vault_close(TAKE(known->vault));
		disk_set_done(&known->disks);
		known->disks = (struct disk_set){ 0 };
		known->unlocked = false;
	}
	return findings_add(&known->findings, loaded, &found, err);
}

cof_result disk_known_load(struct cli_call *call, struct disk_known *known, struct cof_error *err)
{
	struct agent_status agent = { 0 };

	TRY(crypttab_load(call->paths->crypttab, &known->crypttab, err));
	if (!vault_exists(call->paths))
		return COF_OK;
	known->unlocked = cli_value(call, "passphrase-file") != NULL;
	if (!known->unlocked && !cof_failed(agent_query(call->paths, &agent, NULL)))
		known->unlocked = agent.unlocked;
	if (known->unlocked)
		TRY(load_unlocked(call, known, err));
	if (!known->vault)
		TRY(look_vault(call, &known->findings, &known->vault, err));
	/* A keystore that cannot be read is a finding already. */
	if (known->findings.first.code != COF_E_NONE) {
		cof_ignore(vault_names(known->vault, DISK_HEADER_KIND, &known->header_names, NULL));
		cof_ignore(vault_names(known->vault, DISK_KIND, &known->names, NULL));
		return COF_OK;
	}
	TRY(vault_names(known->vault, DISK_HEADER_KIND, &known->header_names, err));
	TRY(vault_names(known->vault, DISK_KIND, &known->names, err));
	return COF_OK;
}
