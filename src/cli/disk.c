/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer disk open|close: disks that the vault keeps, and any LUKS device.
 */

#include <stdio.h>
#include <string.h>

#include "agent.h"
#include "disk_results.h"
#include "log.h"
#include "passphrase.h"
#include "unlocking.h"
#include "verbs.h"

/* The names to work on: those typed, or with --all every disk of the vault. */
static cof_result choose_names(struct cli_call *call, char **all, const char *const **ret_names,
			       size_t *ret_count, struct cof_error *err)
{
	size_t count = 0;

	if (!cli_flag(call, "all")) {
		if (call->arg_count == 0)
			return disk_raise_unnamed(call, err);
		*ret_names = call->args;
		*ret_count = call->arg_count;
		return COF_OK;
	}
	ENSURE(call->arg_count == 0, err, COF_E_USAGE, call->args[0], "is one too many with --all");
	while (all && all[count])
		count++;
	*ret_names = (const char *const *)(uintptr_t)all;
	*ret_count = count;
	return COF_OK;
}

/* Opens one device with a key file, whether the vault knows it or not. */
static cof_result open_foreign(struct cli_call *call, const struct disk_open_spec *spec,
			       struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *secret = NULL;
	struct disk_result result = { 0 };
	struct cof_error failure = { 0 };

	ENSURE(call->arg_count == 1 && !cli_flag(call, "all"), err, COF_E_USAGE, "--key-file",
	       "opens one device, and %zu were named", call->arg_count);
	cli_warn_readable(call, cli_value(call, "key-file"));
	TRY(keyfile_read(cli_value(call, "key-file"), &secret, err));
	if (cof_failed(disk_open_foreign(call->paths, call->args[0], cli_value(call, "header"),
					 secret, cli_value(call, "name"), spec, &result,
					 &failure))) {
		result.error = failure;
		result.state = "failed";
	}
	disk_results_suggest(NULL, call->args, 1, &result);
	return disk_results_show(call, &result, 1, "opened", "is open already", err);
}

/* coffer disk open. */
static cof_result run_open(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(vault_names_freep) char **all = NULL;
	_cleanup_(progress_freep) struct progress *progress = NULL;
	_cleanup_free_ struct disk_result *results = NULL;
	struct disk_open_spec spec = { .read_only = cli_flag(call, "read-only"),
				       .test_only = cli_flag(call, "test") || call->dry_run,
				       .dry_run = call->dry_run,
				       .force = cli_flag(call, "force") };
	const char *const *names = NULL;
	size_t count = 0;
	cof_result opened;

	if (cli_value(call, "key-file"))
		return open_foreign(call, &spec, err);
	ENSURE(!cli_value(call, "name") && !cli_value(call, "header"), err, COF_E_USAGE,
	       cli_value(call, "name") ? "--name" : "--header",
	       "is for devices that the vault does not know, with --key-file");
	if (!cli_flag(call, "all"))
		TRY(choose_names(call, NULL, &names, &count, err));
	TRY(cli_open_vault(call, true, &vault, err));
	if (cli_flag(call, "all"))
		TRY(vault_names(vault, DISK_KIND, &all, err));
	TRY(choose_names(call, all, &names, &count, err));
	results = calloc(count + 1, sizeof(*results));
	ENSURE(results, err, COF_E_NOMEM, NULL, "no memory for %zu disks", count);
	TRY(progress_new(count, call->json || call->quiet, &progress, err));
	opened = disk_open(vault, call->paths, names, count, &spec, progress, results, err);
	progress_free(TAKE(progress));
	if (count == 0 && !cof_failed(opened))
		cli_say(call, "the vault has no disks: nothing to do");
	disk_results_suggest(vault, names, count, results);
	TRY(disk_results_show(call, results, count, "opened", "is open already", err));
	return opened;
}

/* Says that a vault which stays locked is older than a mark, as unlocking would. */
static void warn_of_older(struct vault *vault)
{
	struct cof_error warning = { 0 };

	if (!vault_is_unlocked(vault) && cof_failed(vault_check_older(vault, &warning))) {
		(void)snprintf(warning.headline, sizeof(warning.headline),
			       "warning: the vault is not the newest that is known");
		cli_report(&warning);
	}
}

cof_result cli_vault_for_closing(struct cli_call *call, struct vault **ret_vault,
				 struct cof_error *err)
{
	struct agent_status agent = { 0 };
	bool can_unlock = cli_value(call, "passphrase-file") != NULL;
	cof_result opened;

	*ret_vault = NULL;
	if (!vault_exists(call->paths))
		return COF_OK;
	if (!can_unlock && !cof_failed(agent_query(call->paths, &agent, NULL)))
		can_unlock = agent.unlocked;
	opened = cli_open_vault(call, can_unlock, ret_vault, err);
	/* What keeps an older vault locked keeps no disk open whose own proof holds. */
	if (opened.code == COF_E_AUTH && !cli_value(call, "passphrase-file"))
		opened = cli_open_vault(call, false, ret_vault, err);
	if (!cof_failed(opened))
		warn_of_older(*ret_vault);
	if (!cof_failed(opened) || !cli_flag(call, "force"))
		return opened;
	if (err)
		cli_report(err);
	log_notice("closing without the vault, because of --force");
	return COF_OK;
}

/* coffer disk close. */
static cof_result run_close(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(vault_names_freep) char **all = NULL;
	_cleanup_(progress_freep) struct progress *progress = NULL;
	_cleanup_free_ struct disk_result *results = NULL;
	struct disk_close_spec spec = { .force = cli_flag(call, "force"),
					.dry_run = call->dry_run };
	const char *const *names = NULL;
	size_t count = 0;
	cof_result closed;

	if (!cli_flag(call, "all"))
		TRY(choose_names(call, NULL, &names, &count, err));
	TRY(cli_vault_for_closing(call, &vault, err));
	if (cli_flag(call, "all"))
		TRY(vault ? disk_open_names(vault, call->paths, &all, err)
			  : disk_left_names(call->paths, &all, err));
	TRY(choose_names(call, all, &names, &count, err));
	results = calloc(count + 1, sizeof(*results));
	ENSURE(results, err, COF_E_NOMEM, NULL, "no memory for %zu disks", count);
	TRY(progress_new(count, call->json || call->quiet, &progress, err));
	closed = disk_close(vault, call->paths, names, count, &spec, progress, results, err);
	progress_free(TAKE(progress));
	if (count == 0 && !cof_failed(closed))
		cli_say(call, vault ? "no disk of the vault is open: nothing to do"
				    : "there is no vault, and no volume of coffer is open: nothing "
				      "to do");
	disk_results_suggest(vault, names, count, results);
	TRY(disk_results_show(call, results, count, "closed", "is not open", err));
	return closed;
}

const struct cli_verb cli_verb_disk_open = {
	.noun = "disk",
	.verb = "open",
	.arguments = "[DEV...]",
	.max_args = SIZE_MAX,
	.argument_type = CLI_DEVICE,
	.summary = "open encrypted disks, with the vault's keys or a key file",
	.description =
		"Opens disks that the vault knows, named by volume, device or by-id name, or all "
		"of them. The device is found by its stable name and checked by LUKS UUID, serial "
		"number and size, so that neither a renamed nor a swapped disk is opened in the "
		"wrong place. A device that has grown is opened with a notice, a smaller one is "
		"refused. Its plaintext is /dev/mapper/NAME. Where the kernel has no dm-crypt, a "
		"process of coffer serves it as a loop device, to which /dev/coffer/NAME leads.\n\n"
		"With --key-file, any LUKS1 or LUKS2 device is opened with the content of FILE; it "
		"need not be in the vault, and no vault is needed.",
	.options =
		(const struct cli_option[]){
			{ "all", CLI_FLAG, NULL, "every disk of the vault" },
			{ "key-file", CLI_FILE, "FILE",
			  "open one LUKS device with the whole content of FILE; - is standard "
			  "input" },
			{ "name", CLI_TEXT, "NAME",
			  "what to call a device opened with --key-file (default: luks-UUID)" },
			{ "header", CLI_FILE, "FILE", "the detached header of that device" },
			{ "read-only", CLI_FLAG, NULL, "let nothing be written to the disk" },
			{ "test", CLI_FLAG, NULL, "prove that it would open, and leave it closed" },
			{ "force", CLI_FLAG, NULL,
			  "although serial number, WWN or size differ from the record, or the disk "
			  "is half destroyed" },
			CLI_PASSPHRASE_OPTION,
			{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer disk open --all", "open every disk of the vault" },
			{ "coffer disk open /dev/sdj --read-only",
			  "look at a disk without changing it" },
			{ "coffer disk open /dev/sdk --key-file old.key --name old",
			  "open a disk that the vault does not know" },
			{ 0 } },
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_open,
};

const struct cli_verb cli_verb_disk_close = {
	.noun = "disk",
	.verb = "close",
	.arguments = "[DEV...]",
	.max_args = SIZE_MAX,
	.argument_type = CLI_DEVICE,
	.summary = "close open disks, once it is proven that they can be opened again",
	.description =
		"Closes disks by volume name, source or plaintext device. A disk that is mounted "
		"or held by something is refused, with the name of what holds it. What is not open "
		"is said to be so, which is no failure.\n\n"
		"Before a disk of the vault is closed, its stored key must open the header on the "
		"device. With a locked vault it is enough that the header is the one that the key "
		"opened, and that the vault's record of the disk is not an older one. If not, the "
		"disk stays open, so that its data can be saved; --force closes it all the same.",
	.options =
		(const struct cli_option[]){
			{ "all", CLI_FLAG, NULL,
			  "every open disk of the vault; without a vault, every "
			  "volume that coffer has opened" },
			{ "force", CLI_FLAG, NULL,
			  "without the proof that it can be opened again" },
			CLI_PASSPHRASE_OPTION,
			{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer disk close enc-wwn-0x50000393a8c96130", "close one disk" },
			{ "coffer disk close --all", "close what can be closed" },
			{ 0 } },
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_close,
};
