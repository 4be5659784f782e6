/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer disk header backup: headers into the vault, or to a file for cryptsetup.
 */

#include <unistd.h>

#include "disk_header_run.h"
#include "unlocking.h"
#include "verbs.h"

/* Writes a header to a file that cryptsetup takes. */
static cof_result write_out(struct cli_call *call, struct span copy, struct json *json,
			    struct cof_error *err)
{
	const char *path = cli_value(call, "out");

	if (!path)
		return COF_OK;
	ENSURE(access(path, F_OK) != 0, err, COF_E_REFUSED, path,
	       "exists already, and is not overwritten");
	if (!call->dry_run)
		TRY(luks_write_header_copy(copy, path, err));
	json_set_text(json, "file", path);
	cli_say(call, "%s %s, which `cryptsetup luksHeaderRestore --header-backup-file` takes",
		call->dry_run ? "would write" : "wrote", path);
	return COF_OK;
}

/* Copies one header of a disk of the vault, unless an older version is asked for. */
static cof_result backup_known(struct cli_call *call, struct header_run *run, const char *name,
			       struct json *json, struct cof_error *err)
{
	_cleanup_(header_job_done) struct header_job job = { 0 };
	_cleanup_buffer_ struct buffer copy = { 0 };
	uint64_t generation;
	bool kept = false;

	if (run->generation) {
		TRY(header_load(run->vault, name, run->generation, &copy, err));
		return write_out(call, buffer_span(&copy), json, err);
	}
	TRY(header_job_find(&run->work, name, &job, err));
	json_set_text(json, "source", job.device->node);
	if (!job.known) {
		ENSURE(cli_value(call, "out"), err,
		       run->vault && !run->work.unlocked ? COF_E_LOCKED : COF_E_NOENT,
		       job.device->node,
		       "the vault does not know it; --out FILE writes its header");
		TRY(luks_copy_header(job.device->node, &copy, err));
		return write_out(call, buffer_span(&copy), json, err);
	}
	json_set_text(json, "name", job.disk.name);
	if (!call->dry_run) {
		TRY(header_backup(&run->work, &job, &kept, &generation, err));
		json_set_uint(json, "generation", generation);
		cli_say(call, "%s: %s generation %llu", job.disk.name,
			kept ? "copied the header, as" : "the header is copied already:",
			(unsigned long long)generation);
	} else {
		cli_say(call, "%s: would copy the header where it differs", job.disk.name);
	}
	json_set_bool(json, "changed", kept);
	TRY(luks_copy_header(job.device->node, &copy, err));
	return write_out(call, buffer_span(&copy), json, err);
}

/* coffer disk header backup. */
static cof_result run_backup(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(header_run_done) struct header_run run = { 0 };

	TRY(cli_number(call, "generation", 0, &run.generation, err));
	ENSURE(!run.generation || cli_value(call, "out"), err, COF_E_USAGE, "--generation",
	       "is for --out: the vault has that version already");
	ENSURE(!cli_value(call, "out") || (call->arg_count == 1 && !cli_flag(call, "all")), err,
	       COF_E_USAGE, "--out", "takes the header of one disk");
	TRY(header_run_init(call, HEADER_NAMES_OR_ALL, &run, err));
	return header_run_each(call, &run, backup_known, err);
}

const struct cli_verb cli_verb_disk_header_backup = {
	.noun = "disk",
	.verb = "header backup",
	.arguments = "[DEV...]",
	.max_args = SIZE_MAX,
	.argument_type = CLI_DEVICE,
	.summary = "copy disks' LUKS headers into the vault, or to a file for cryptsetup",
	.description =
		"Takes a copy of the header into the vault now, unless the newest one is the same. "
		"Coffer does so by itself after each change that it makes, and when it finds "
		"one that another tool has made. All versions are kept, until the disk is "
		"destroyed: `coffer key history disk-header/NAME` lists them with their dates.\n\n"
		"With --out the header goes to a new file of mode 0600 as well, which plain "
		"cryptsetup restores: cryptsetup luksHeaderRestore DEV --header-backup-file FILE. "
		"Whoever has that file and a key or passphrase of the disk can read the disk.",
	.options =
		(const struct cli_option[]){
			{ "all", CLI_FLAG, NULL, "every disk of the vault" },
			{ "out", CLI_FILE, "FILE",
			  "write the header to FILE, which must not exist, for cryptsetup" },
			{ "generation", CLI_NUMBER, "N",
			  "with --out: a version in the vault, of the disk called DEV, which need "
			  "not be attached" },
			CLI_PASSPHRASE_OPTION,
			{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer disk header backup enc-wwn-0x5000c500a1b2c3d4 --out "
			  "/media/stick/disk.header",
			  "A header for the day on which there is no coffer." },
			{ 0 } },
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_backup,
};
