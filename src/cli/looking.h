/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_LOOKING_H
#define COF_CLI_LOOKING_H

/*
 * How a verb that only looks goes on with a vault that is damaged: it shows what can be shown, and
 * ends with what it found.
 */

#include "finding.h"
#include "vault.h"

/**
 * struct findings - what is wrong with the vault; the verb fails with the first
 * @list: gets all of them; NULL: those but the first are reported at once
 */
struct findings {
	struct cof_error first;
	struct finding_list *list;
};

/** findings_keep() - whatever failure it is */
void findings_keep(struct findings *findings, cof_result result, const struct cof_error *found);
/** findings_add() - only a failure that means damage is a finding; another is passed up */
cof_result findings_add(struct findings *findings, cof_result result, const struct cof_error *found,
			struct cof_error *err);
/** findings_result() - the first one as the verb's failure, or success */
cof_result findings_result(const struct findings *findings, struct cof_error *err);

/**
 * look_vault() - the vault of this run, locked, or what there is of it
 * Fails: as vault_open(), but for damage
 */
cof_result look_vault(struct cli_call *call, struct findings *findings, struct vault **ret_vault,
		      struct cof_error *err);

#endif
