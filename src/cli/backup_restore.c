/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer backup restore: the vault from a backup, or the vault's header from one of its copies.
 */

#include "backup_show.h"
#include "file.h"
#include "log.h"
#include "mirrors.h"
#include "unlocking.h"
#include "verbs.h"

/* --header-only. */
static cof_result restore_header(struct cli_call *call, struct cof_error *err)
{
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

/* Says what became of the configuration. */
static void tell_config(const struct cli_call *call, const struct backup_restored *restored)
{
	const char *path = call->paths->config;

	if (restored->config == CONFIG_WRITTEN)
		cli_say(call, "Configuration %s as in the backup.", path);
	if (restored->config == CONFIG_OTHER)
		log_notice("the configuration %s stays; that of the backup, which differs, is "
			   "%s.restored",
			   path, path);
}

/* Unlocks the vault for the first time, with the configuration as it is now. That it is older than
 * what a mirror knows makes it no worse. */
static cof_result settle(struct cli_call *call, const struct backup *backup, struct paths **paths,
			 struct cof_error *err)
{
	const struct paths *given = call->paths;
	struct cof_error older = { 0 };
	cof_result settled;

	TRY(paths_new(given->root[0] ? given->root : NULL, given->vault_dir,
		      path_exists(given->config) ? given->config : NULL, paths, err));
	call->paths = *paths;
	settled = backup_settle(backup, call->paths, &older);
	if (settled.code == COF_E_AUTH) {
		(void)cof_explain(settled, &older, NULL,
				  "warning: the vault is restored, and locked until you decide");
		cli_report(&older);
		return COF_OK;
	}
	if (cof_failed(settled) && err)
		*err = older;
	if (!cof_failed(settled))
		mirrors_warn(call, MIRRORS_AFTER_UNLOCK);
	return settled;
}

/* Tells and shows what was restored. */
static void show_restored(struct cli_call *call, const struct backup *backup,
			  const struct backup_content *content,
			  const struct backup_restored *restored)
{
	static const char *const configs[] = { [CONFIG_NONE] = "none",
					       [CONFIG_WRITTEN] = "written",
					       [CONFIG_SAME] = "same",
					       [CONFIG_OTHER] = "other" };
	struct json *document = json_new_object();
	struct backup_facts facts;
	char line[BACKUP_LINE_CHARS];
	struct json *json;

	backup_read_facts(backup, &facts);
	(void)backup_line(&facts, line);
	if (restored->already)
		cli_say(call, "%s is at this revision already, nothing to restore: %s.",
			call->paths->vault_dir, line);
	else
		cli_say(call,
			"Restored %s: %s; %llu records, all open. `coffer unlock` unlocks it.",
			call->paths->vault_dir, line, (unsigned long long)content->records);
	tell_config(call, restored);
	json = backup_json(call->args[0], &facts, content);
	json_set(document, "backup", json);
	json_set_text(document, "folder", call->paths->vault_dir);
	json_set_bool(document, "changed", !restored->already);
	json_set_text(document, "config", configs[restored->config]);
	cli_show(call, document);
}

/* A whole vault. */
static cof_result restore_vault(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(backup_closep) struct backup *backup = NULL;
	_cleanup_(paths_freep) struct paths *paths = NULL;
	const struct paths *given = call->paths;
	const char *file = call->args[0];
	struct backup_restored restored = { 0 };
	struct backup_content content;
	cof_result settled;

	TRY(cli_check_folder(call, err));
	TRY(backup_open(file, &backup, err));
	TRY(backup_check_place(backup, call->paths, err));
	if (call->dry_run)
		TRY(cli_check_given(call, err));
	TRY(backup_open_with(call, file, backup, &content, NULL, err));
	if (call->dry_run) {
		cli_say(call, "Would restore the vault in %s: %llu records, all open.",
			call->paths->vault_dir, (unsigned long long)content.records);
		return COF_OK;
	}
	TRY(cof_explain(backup_restore(backup, call->paths, &restored, err), err, NULL,
			"the vault %s was not restored", call->paths->vault_dir));
	show_restored(call, backup, &content, &restored);
	settled = settle(call, backup, &paths, err);
	call->paths = given;
	return settled;
}

/* coffer backup restore. */
static cof_result run_restore(struct cli_call *call, struct cof_error *err)
{
	bool header = cli_flag(call, "header-only");
	cof_result failure;

	ENSURE(!header || call->arg_count == 0, err, COF_E_USAGE, "--header-only",
	       "takes no FILE: the keystore and the mirrors have the copy");
	if (header)
		return restore_header(call, err);
	if (call->arg_count == 1)
		return restore_vault(call, err);
	failure = cof_raise(err, COF_E_USAGE, "backup restore",
			    "needs the FILE of a backup, or --header-only");
	cof_error_try(err, "coffer backup restore FILE");
	return failure;
}

const struct cli_verb cli_verb_backup_restore = {
	.noun = "backup",
	.verb = "restore",
	.arguments = "[FILE]",
	.max_args = 1,
	.argument_type = CLI_FILE,
	.summary = "make the vault of a backup, or its header alone",
	.description =
		"From FILE, on a machine that has no vault yet: asks for a secret that opens the "
		"backup, proves every record of it, and only then writes. The configuration is "
		"restored where there is none; one that is there stays. An existing vault is never "
		"touched. Killed and run again, it goes on.\n\n"
		"A mirror that has a newer vault is reported; that is then what should be used.\n\n"
		"With --header-only, a header of the vault that is missing, damaged or another "
		"vault's is written again from its copy in the keystore, or from a mirror when the "
		"keystore's is not whole. What was there is kept beside it as "
		"root.luks.damaged-DATE. A header that equals its copy is refused.",
	.options = (const struct cli_option[]){ { "header-only", CLI_FLAG, NULL,
						  "the header, not the records" },
						CLI_UNLOCK_OPTIONS,
						{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer backup restore /mnt/stick/vault-2026-11-20.backup",
			  "on a new machine; asks for the recovery key" },
			{ "coffer backup restore --header-only",
			  "after root.luks was lost or damaged" },
			{ 0 } },
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_restore,
};
