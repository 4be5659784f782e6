/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer disk header repair: damaged headers mended by the least change.
 */

#include "disk_header_run.h"
#include "unlocking.h"
#include "verbs.h"

/* Repairs one header. */
static cof_result repair_one(struct cli_call *call, struct header_run *run, const char *typed,
			     struct json *json, struct cof_error *err)
{
	_cleanup_(header_plan_done) struct header_plan plan = { 0 };

	TRY(header_repair_plan(&run->work, typed, cli_flag(call, "force"), &plan, err));
	return header_run_plan(call, run, typed, &plan, json, false, err);
}

/* coffer disk header repair. */
static cof_result run_repair(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(header_run_done) struct header_run run = { 0 };

	TRY(header_run_init(call, HEADER_NAMES_OR_ALL, &run, err));
	return header_run_each(call, &run, repair_one, err);
}

const struct cli_verb cli_verb_disk_header_repair = {
	.noun = "disk",
	.verb = "header repair",
	.arguments = "[DEV...]",
	.max_args = SIZE_MAX,
	.argument_type = CLI_DEVICE,
	.summary = "mend damaged LUKS headers by the least change, also of open disks",
	.description =
		"Chooses the least change that makes a header good again, shows it, and tries it "
		"out in memory before anything is written: put back the magic bytes, where `wipefs "
		"-a` took only them; write one of LUKS2's two headers again from the other; put "
		"back keyslots that were overwritten, from the copy in the vault; or all of it. A "
		"good header is left alone, with exit status 0.\n\n"
		"A disk that is open can be repaired while it is used, and should be before it is "
		"closed. Of a device that the vault does not know, the first two work. Where "
		"something else was written over the header, such as a file system, --force is "
		"needed, and a question is asked.",
	.options =
		(const struct cli_option[]){
			{ "all", CLI_FLAG, NULL, "every disk of the vault" },
			{ "force", CLI_FLAG, NULL,
			  "although something else was written over the header" },
			CLI_PASSPHRASE_OPTION,
			{ 0 } },
	.examples =
		(const struct cli_example[]){ { "coffer disk header repair /dev/sdj --dry-run",
						"what is wrong, and what would be written" },
					      { "coffer disk header repair /dev/sdj", "mend it" },
					      { 0 } },
	.changes = true,
	.destroys = true,
	.shows = true,
	.needs_root = true,
	.run = run_repair,
};
