/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `coffer status`: the page of each morning.
 */

#include "status_gather.h"
#include "unlocking.h"
#include "verbs.h"

/* Shows the state of the vault, its agent, mirrors and disks. */
static cof_result run_status(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(status_gathered_done) struct status_gathered gathered = { 0 };
	struct status_spec spec = { .check = cli_flag(call, "check") };

	ENSURE(!cli_is_given(call) || spec.check, err, COF_E_USAGE,
	       cli_value(call, "key-file") ? "--key-file" : "--passphrase-file",
	       "is for --check: status itself needs no secret");
	TRY(status_gather(call, &spec, &gathered, err));
	if (call->json)
		cli_show(call, status_json(&gathered.facts));
	else
		status_print(&gathered.facts, stdout);
	return findings_result(&gathered.damage, err);
}

const struct cli_verb cli_verb_status = {
	.verb = "status",
	.summary = "show the vault, its unlock methods, mirrors and disks",
	.description =
		"One screen: whether the vault is locked, what opens it, how its mirrors are, each "
		"disk with its state and, where the vault is unlocked, its header, the last backup "
		"and the last drill. Of more than 10 disks, those are shown that somebody should "
		"look at. Warnings say what is wrong or due, and what to type. The vault may be "
		"locked, or not be there. `coffer doctor` looks at more, and its exit status "
		"tells.\n\n"
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
