/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer key rotate: new keys for disks.
 */

#include "backup_show.h"
#include "disk_life.h"
#include "disk_results.h"
#include "key_disks.h"
#include "unlocking.h"
#include "verbs.h"

/* Says that the last backup is older, once a disk has a new key. */
static void tell_backup(struct vault *vault, const struct disk_result results[], size_t count)
{
	bool changed = false;

	for (size_t i = 0; i < count; i++)
		changed = changed || results[i].changed;
	if (changed)
		backup_tell_older(vault);
}

/* coffer key rotate. */
static cof_result run_rotate(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(key_disks_done) struct key_disks disks = { 0 };
	_cleanup_(progress_freep) struct progress *progress = NULL;
	struct disk_rotate_spec spec = { .dry_run = call->dry_run,
					 .without_mirrors = cli_flag(call, "without-mirrors") };

	TRY(key_disks_check(call, err));
	TRY(cli_open_vault(call, true, &vault, err));
	TRY(key_disks_choose(call, vault, &disks, err));
	TRY(progress_new(disks.count, call->json || call->quiet, &progress, err));
	/* Every failure is in the results as well, from where the first is passed up. */
	cof_ignore(disk_rotate(vault, call->paths, disks.names, disks.count, &spec, progress,
			       disks.results, err));
	progress_free(TAKE(progress));
	tell_backup(vault, disks.results, disks.count);
	if (disks.count == 0)
		cli_say(call, "the vault has no disks: nothing to do");
	disk_results_suggest(vault, disks.names, disks.count, disks.results);
	return disk_results_show(call, disks.results, disks.count, "has a new key",
				 call->dry_run ? "would get a new key" : "keeps its key", err);
}

const struct cli_verb cli_verb_key_rotate = {
	.noun = "key",
	.verb = "rotate",
	.arguments = "[DISK...]",
	.max_args = SIZE_MAX,
	.argument_type = CLI_DEVICE,
	.summary = "give disks new keys; they may be open meanwhile",
	.description =
		"DISK is a disk of the vault, named by volume or device. For each one a new random "
		"key is stored in the vault and made durable, gets a keyslot, is proven to open "
		"the disk, and takes the old key's place; then the old keyslot goes. At each "
		"moment the newest key in the vault opens the disk. A run that was interrupted is "
		"finished by the same command.\n\n"
		"A disk that is absent, whose header is damaged or differs from its copy in the "
		"vault otherwise than by keyslots, or that has no free keyslot keeps its key; the "
		"others are rotated all the same.\n\n"
		"Where a mirror could not be written, the new key is used, and the old one stays "
		"valid: the copy in that mirror has no other. The same command takes the old one "
		"away once the mirror is back.\n\n"
		"A key file that `coffer key relocate` has made gets the new key as well, before "
		"the old one goes.\n\n"
		"The data stays encrypted with the same volume key: somebody who has the old key "
		"and an old copy of the header can still read the disk. The old key and the header "
		"copy of before stay in the vault's history.",
	.options =
		(const struct cli_option[]){
			{ "all", CLI_FLAG, NULL, "every disk of the vault" },
			{ "without-mirrors", CLI_FLAG, NULL,
			  "take the old key away although a mirror has not got "
			  "the new one" },
			CLI_UNLOCK_OPTIONS,
			{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer key rotate --all", "new keys for all disks" },
			{ "coffer key rotate enc-wwn-0x5000c500a1b2c3d4 --dry-run",
			  "see whether it could be done" },
			{ 0 } },
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_rotate,
};
