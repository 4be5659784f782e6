/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer key relocate: where the keys of disks are.
 */

#include <string.h>

#include "backup_show.h"
#include "disk_results.h"
#include "file.h"
#include "key_disks.h"
#include "key_place.h"
#include "unlocking.h"
#include "verbs.h"

#define TO_VAULT "vault"

/* A folder without slashes at its end: key files go by their paths. */
static cof_result copy_folder(const char *to, char **ret_folder, struct cof_error *err)
{
	size_t len = strlen(to);

	while (len > 1 && to[len - 1] == '/')
		len--;
	return path_format(ret_folder, err, "%.*s", (int)len, to);
}

/* Where the keys are to be. @ret_folder: owns what the spec borrows */
static cof_result read_spec(const struct cli_call *call, char **ret_folder,
			    struct key_relocate_spec *ret_spec, struct cof_error *err)
{
	const char *to = cli_value(call, "to");

	if (!to) {
		cof_ignore(
			cof_raise(err, COF_E_USAGE, NULL, "nothing says where the keys are to be"));
		cof_error_try(err, "--to DIR for key files there, or --to vault");
		return (cof_result){ COF_E_USAGE };
	}
	TRY(copy_folder(to, ret_folder, err));
	*ret_spec = (struct key_relocate_spec){ .folder = strcmp(to, TO_VAULT) == 0 ? NULL
										    : *ret_folder,
						.only = cli_flag(call, "only"),
						.dry_run = call->dry_run };
	return key_relocate_check(call->paths, ret_spec, err);
}

/* With --only, asks for each disk whose key the vault forgets; one refusal ends everything. */
static cof_result confirm(struct cli_call *call, const struct key_relocate_spec *spec,
			  const struct key_disks *disks, struct cof_error *err)
{
	for (size_t i = 0; i < disks->count && spec->only && !call->dry_run; i++)
		TRY(cli_confirm_destroy(call, disks->names[i], NULL,
					"the vault will forget its key, and whoever loses the key "
					"file loses the data",
					err));
	return COF_OK;
}

/* Says so where the last backup has a key that the vault was to forget, or has an older state. */
static void tell_backup(struct vault *vault, const struct key_disks *disks)
{
	bool changed = false;

	for (size_t i = 0; i < disks->count; i++)
		changed = changed || disks->results[i].changed;
	if (changed)
		backup_tell_older(vault);
}

/* coffer key relocate. */
static cof_result run_relocate(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(key_disks_done) struct key_disks disks = { 0 };
	_cleanup_(progress_freep) struct progress *progress = NULL;
	_cleanup_free_ char *folder = NULL;
	struct key_relocate_spec spec;

	TRY(key_disks_check(call, err));
	TRY(read_spec(call, &folder, &spec, err));
	TRY(cli_open_vault(call, true, &vault, err));
	TRY(key_disks_choose(call, vault, &disks, err));
	TRY(confirm(call, &spec, &disks, err));
	TRY(progress_new(disks.count, call->json || call->quiet, &progress, err));
	/* Every failure is in the results as well, from where the first is passed up. */
	cof_ignore(key_relocate(vault, call->paths, disks.names, disks.count, &spec, progress,
				disks.results, err));
	progress_free(TAKE(progress));
	tell_backup(vault, &disks);
	if (disks.count == 0)
		cli_say(call, "the vault has no disks: nothing to do");
	disk_results_suggest(vault, disks.names, disks.count, disks.results);
	return disk_results_show(call, disks.results, disks.count,
				 spec.folder ? "has its key in a file" : "has its key in the vault",
				 call->dry_run ? (spec.folder ? "would have its key in a file"
							      : "would have its key in the vault")
					       : "has its key there already",
				 err);
}

const struct cli_verb cli_verb_key_relocate = {
	.noun = "key",
	.verb = "relocate",
	.arguments = "[DISK...]",
	.max_args = SIZE_MAX,
	.argument_type = CLI_DEVICE,
	.summary = "move keys of disks into key files, or back into the vault",
	.description =
		"DISK is a disk of the vault, named by volume or device. With --to DIR its key is "
		"written to DIR/NAME.key, the line in crypttab names that file, and systemd or "
		"`cryptsetup open --key-file` opens the disk without coffer: DIR may be a stick "
		"that is taken out once the machine has started, or a share that it reaches at "
		"home alone. The vault knows where the key is and keeps a copy of it, with which "
		"`coffer disk open` works as before. With --to vault the line names coffer's key "
		"server, and the key file goes.\n\n"
		"A key moves only while its disk is attached: it is made durable at the new place, "
		"read from there and seen to open the disk before the old place loses it. The disk "
		"may be open. A run that was interrupted is finished by the same command. A folder "
		"for which fstab has a line must be mounted, others than root must not be able to "
		"write to it, and it must not lie on the disk whose key it would hold.\n\n"
		"A folder on a mount point where another disk's key file was is refused while "
		"nothing is mounted there. A key file that is given up while its medium is away "
		"cannot be removed: status and doctor name it until it was, or until "
		"`coffer key rotate` has made it worthless.\n\n"
		"A key file that is given up is overwritten and removed. On flash, on a server, "
		"and on a file system that writes elsewhere than it reads, the old bytes may stay "
		"all the same: `coffer key rotate` gives the disk a new key, which makes them "
		"worthless.\n\n"
		"With --only the vault forgets the key, with its history. Then the key file is all "
		"there is: keep a copy of it elsewhere. Backups of the vault from before have the "
		"key still.",
	.options =
		(const struct cli_option[]){
			{ "all", CLI_FLAG, NULL, "every disk of the vault" },
			{ "to", CLI_FILE, "DIR",
			  "the folder of the key files, as an absolute path; or vault" },
			{ "only", CLI_FLAG, NULL, "the vault keeps no copy of the key" },
			CLI_UNLOCK_OPTIONS,
			{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer key relocate --all --to /media/keys",
			  "key files on a stick, for a machine that starts by itself while it is "
			  "plugged in" },
			{ "coffer key relocate --all --to vault", "back again" },
			{ 0 } },
	.changes = true,
	.destroys = true,
	.shows = true,
	.needs_root = true,
	.run = run_relocate,
};
