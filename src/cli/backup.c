/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer backup restore: the vault's header from one of its copies.
 */

#include "verbs.h"
#include "vault.h"

/* coffer backup restore. */
static cof_result run_restore(struct cli_call *call, struct cof_error *err)
{
	ENSURE(cli_flag(call, "header-only"), err, COF_E_USAGE, "backup restore",
	       "restores the vault's header alone, which --header-only says");
	if (!vault_exists(call->paths)) {
		cof_result none = cof_raise(err, COF_E_NOENT, call->paths->vault_dir,
					    "has no vault, nor a keystore with a copy of its "
					    "header");

		(void)vault_copies_explain(call->paths, err);
		return none;
	}
	if (call->dry_run) {
		cli_say(call, "Would write the header of %s from its copy.",
			call->paths->vault_dir);
		return COF_OK;
	}
	TRY(vault_rebuild_header(call->paths, err));
	cli_say(call, "Wrote the header of %s from its copy. `coffer unlock` proves it.",
		call->paths->vault_dir);
	return COF_OK;
}

const struct cli_verb cli_verb_backup_restore = {
	.noun = "backup",
	.verb = "restore",
	.summary = "write the vault's header again from its copy",
	.description =
		"With --header-only, a header of the vault that is missing, damaged or another "
		"vault's is written again from its copy in the keystore, or from a mirror when the "
		"keystore's is not whole. What was there is kept beside it as "
		"root.luks.damaged-DATE. A header that equals its copy is refused.",
	.options =
		(const struct cli_option[]){
			{ "header-only", CLI_FLAG, NULL, "the header, not the records" }, { 0 } },
	.examples = (const struct cli_example[]){ { "coffer backup restore --header-only",
						    "after root.luks was lost or damaged" },
						  { 0 } },
	.changes = true,
	.needs_root = true,
	.run = run_restore,
};
