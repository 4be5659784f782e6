/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a verb that only looks goes on with a vault that is damaged.
 */

#include <string.h>

#include "looking.h"
#include "unlocking.h"

void findings_keep(struct findings *findings, cof_result result, const struct cof_error *found)
{
	if (!cof_failed(result))
		return;
	/* Without memory for a finding, the first one tells. */
	if (findings->list)
		cof_ignore(finding_add(findings->list, AREA_VAULT, found, NULL));
	if (findings->first.code == COF_E_NONE)
		findings->first = *found;
	else if (!findings->list && (strcmp(findings->first.text, found->text) != 0 ||
				     strcmp(findings->first.subject, found->subject) != 0))
		cli_report(found);
}

cof_result findings_add(struct findings *findings, cof_result result, const struct cof_error *found,
			struct cof_error *err)
{
	if (!cof_failed(result))
		return COF_OK;
	if (result.code == COF_E_FORMAT || result.code == COF_E_AUTH) {
		findings_keep(findings, result, found);
		return COF_OK;
	}
	if (err)
		*err = *found;
	return result;
}

cof_result findings_result(const struct findings *findings, struct cof_error *err)
{
	if (findings->first.code != COF_E_NONE && err)
		*err = findings->first;
	return (cof_result){ findings->first.code };
}

cof_result look_vault(struct cli_call *call, struct findings *findings, struct vault **ret_vault,
		      struct cof_error *err)
{
	struct cof_error found = { 0 };
	cof_result looked = vault_look(call->paths, ret_vault, &found, err);

	if (looked.code == COF_E_NOENT && !vault_copies_explain(call->paths, err))
		return cli_raise_absent(call, err);
	TRY(looked);
	findings_keep(findings, (cof_result){ found.code }, &found);
	return COF_OK;
}
