/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer disk header restore: a copy of a header back to its disk.
 */

#include "disk_header_run.h"
#include "unlocking.h"
#include "verbs.h"

/* coffer disk header restore. */
static cof_result run_restore(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(header_run_done) struct header_run run = { 0 };
	_cleanup_(header_plan_done) struct header_plan plan = { 0 };
	struct header_restore_spec spec = { .file = cli_value(call, "from"),
					    .force = cli_flag(call, "force") };
	struct json *json = json_new_object();

	json_add(header_run_disks(call), json);
	TRY(cli_number(call, "generation", 0, &spec.generation, err));
	ENSURE(!spec.generation || !spec.file, err, COF_E_USAGE, "--generation",
	       "and --from exclude each other");
	TRY(header_run_init(call, HEADER_ONE_NAME, &run, err));
	TRY(header_restore_plan(&run.work, run.names[0], &spec, &plan, err));
	return header_run_plan(call, &run, run.names[0], &plan, json, true, err);
}

const struct cli_verb cli_verb_disk_header_restore = {
	.noun = "disk",
	.verb = "header restore",
	.arguments = "DEV",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_DEVICE,
	.summary = "put a copy of a disk's LUKS header back",
	.description =
		"Writes a version of the header that the vault keeps, or a file, back to a disk "
		"that is closed, and proves that the vault's key opens it. `coffer disk header "
		"repair` is for damage, and chooses what to write by itself.\n\n"
		"Refused: a disk in use, a device that is not the disk of the record, a copy that "
		"the vault's key does not open, and one of another volume key than the data, as it "
		"was before a re-encryption. A header that is good and differs, so that keyslots "
		"would be lost, is replaced with --force alone, after a question; it becomes a "
		"version in the vault first.",
	.options =
		(const struct cli_option[]){
			{ "generation", CLI_NUMBER, "N",
			  "which version of `coffer key history disk-header/NAME`; the newest "
			  "unless told otherwise" },
			{ "from", CLI_FILE, "FILE",
			  "from a backup of cryptsetup luksHeaderBackup, or an exported copy" },
			{ "force", CLI_FLAG, NULL,
			  "although the present header is good, or something else is there" },
			CLI_PASSPHRASE_OPTION,
			{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer disk header restore /dev/sdj --dry-run",
			  "what would be written" },
			{ "coffer disk header restore /dev/sdj --generation 2 --force",
			  "an older version, with the keyslots of then" },
			{ 0 } },
	.changes = true,
	.destroys = true,
	.shows = true,
	.needs_root = true,
	.run = run_restore,
};
