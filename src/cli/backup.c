/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer backup create and backup verify.
 */

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup_show.h"
#include "disk.h"
#include "file.h"
#include "log.h"
#include "status_view.h"
#include "unlocking.h"
#include "verbs.h"

/* ---- create ---- */

/* Refuses places where a backup makes no sense, before anybody is asked for a secret. */
static cof_result check_target(const struct cli_call *call, const char *file, struct cof_error *err)
{
	struct stat status;
	cof_result failure;

	if (strcmp(file, BACKUP_STREAM) == 0) {
		ENSURE(!call->json, err, COF_E_USAGE, "--json",
		       "does not go with -, where standard output is the backup");
		ENSURE(!isatty(STDOUT_FILENO), err, COF_E_USAGE, "-",
		       "is a terminal; a backup goes to a file or into a pipe");
		return COF_OK;
	}
	if (stat(file, &status) < 0)
		return COF_OK;
	if (S_ISDIR(status.st_mode)) {
		failure = cof_raise(err, COF_E_USAGE, file, "is a folder; a backup is one file");
		cof_error_try(err, "coffer backup create %s/vault.backup", file);
		return failure;
	}
	if (cli_flag(call, "force"))
		return COF_OK;
	failure = cof_raise(err, COF_E_REFUSED, file, "exists already");
	cof_error_try(err,
		      "another name; or --force, which replaces it once the new one is proven");
	return failure;
}

/* A backup that lies in the vault's folder is lost with it. */
static void warn_place(const struct cli_call *call, const char *file)
{
	const char *vault = call->paths->vault_dir;
	_cleanup_free_ char *real = realpath(file, NULL);

	if (real && strncmp(real, vault, strlen(vault)) == 0 && real[strlen(vault)] == '/')
		log_notice("%s lies in the vault's own folder, and is lost with it: keep it "
			   "elsewhere",
			   file);
}

/* A header that another tool has changed is copied by a secret alone, not by the agent's keys: the
 * backup has the copy of before. */
static void warn_header(struct vault *vault)
{
	char text[FINDING_TEXT_CHARS];
	enum vault_header state;

	if (!cof_failed(vault_header_state(vault, &state, NULL)) && state != VAULT_HEADER_KEPT)
		log_notice("the backup has the header's copy from before: %s",
			   status_header_warning(state, text));
}

/* A chip or a server may be gone when the backup is needed: then somebody must know something. */
static void warn_methods(struct vault *vault)
{
	_cleanup_free_ struct vault_slot *slots = NULL;
	size_t count = 0;
	size_t known = 0;

	if (cof_failed(vault_slots(vault, &slots, &count, NULL)))
		return;
	for (size_t i = 0; i < count; i++)
		known += !slots[i].unattended && strcmp(slots[i].method, "fido2") != 0;
	if (known == 0)
		log_notice("the vault has no passphrase, recovery key or key file, and nothing "
			   "else opens a backup: coffer enroll recovery, then a new backup");
}

/* Keys that the vault was told to forget are in no backup of it. */
static void warn_keys(struct vault *vault)
{
	_cleanup_(disk_set_done) struct disk_set set = { 0 };
	const struct disk *first = NULL;
	size_t count = 0;

	if (cof_failed(disk_set_load(vault, &set, NULL)))
		return;
	for (size_t i = 0; i < set.count; i++) {
		if (!set.items[i].key_only)
			continue;
		first = first ? first : &set.items[i];
		count++;
	}
	if (count > 0)
		log_notice("%zu key%s in a file alone and not in the backup: %s%s; keep a copy of "
			   "the file as well",
			   count, count == 1 ? " is" : "s are", first->name,
			   count == 1 ? "" : " and others");
}

/* coffer backup create. */
static cof_result run_create(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	const char *file = call->args[0];
	bool stream = strcmp(file, BACKUP_STREAM) == 0;
	struct backup_content content;
	struct backup_facts facts;
	struct json *document;
	char line[BACKUP_LINE_CHARS];

	TRY(check_target(call, file, err));
	if (call->dry_run) {
		TRY(cli_open_vault(call, false, &vault, err));
		TRY(cli_check_given(call, err));
		cli_say(call, "Would write a backup of the vault %s to %s.", call->paths->vault_dir,
			file);
		return COF_OK;
	}
	TRY(cli_open_vault(call, true, &vault, err));
	TRY(cof_explain(backup_create(vault, file, cli_flag(call, "force"), &facts, &content, err),
			err, NULL, "no backup of the vault %s was made", call->paths->vault_dir));
	(void)backup_line(&facts, line);
	warn_header(vault);
	warn_methods(vault);
	warn_keys(vault);
	if (stream) {
		log_notice("a backup of %s; `coffer backup verify` proves it where it arrived",
			   line);
		return COF_OK;
	}
	warn_place(call, file);
	cli_say(call, "Backup %s of %s, read back: %llu records, all open.", file, line,
		(unsigned long long)content.records);
	document = json_new_object();
	json_set(document, "backup", backup_json(file, &facts, &content));
	cli_show(call, document);
	return COF_OK;
}

const struct cli_verb cli_verb_backup_create = {
	.noun = "backup",
	.verb = "create",
	.arguments = "FILE",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_FILE,
	.summary = "write the whole vault to one file",
	.description =
		"The file has every record with its history, every copy of a header, the audit log "
		"and the configuration. It is encrypted with a key of the vault's, so that it may "
		"be kept anywhere: a passphrase, recovery key or key file that opens the vault at "
		"this time opens it, and nothing else. Keep a recovery key and a backup, in two "
		"places.\n\n"
		"It gets its name once it is durable, was read back and has opened. FILE may be - "
		"for a pipe; then nothing can be read back. Changes of the vault wait meanwhile.",
	.options = (const struct cli_option[]){ { "force", CLI_FLAG, NULL,
						  "replace FILE if it exists" },
						CLI_UNLOCK_OPTIONS,
						{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer backup create /mnt/stick/vault-2026-11-20.backup",
			  "to a stick that is kept elsewhere" },
			{ "coffer backup create - | ssh host 'cat > vault.backup'",
			  "to another machine" },
			{ 0 } },
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_create,
};

/* ---- verify ---- */

/* Opens the backup with a secret that was given, or with the keys of the vault where that is
 * unlocked. @ret_proven: false: there are none */
static cof_result prove(struct cli_call *call, const char *file, struct backup *backup,
			struct backup_content *content, bool *ret_proven, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;

	*ret_proven = cli_secret_is_given(call) || cli_flag(call, "ask");
	if (*ret_proven)
		return backup_open_with(call, file, backup, content, NULL, err);
	if (!cli_vault_by_agent(call, &vault))
		return COF_OK;
	TRY(backup_unlock_from(backup, vault, ret_proven, err));
	if (!*ret_proven)
		return COF_OK;
	return cof_explain(backup_prove(backup, content, err), err,
			   "another backup, or a new one: coffer backup create FILE",
			   "the backup %s is not good", file);
}

/* coffer backup verify. */
static cof_result run_verify(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(backup_closep) struct backup *backup = NULL;
	const char *file = call->args[0];
	struct backup_content content = { 0 };
	struct backup_facts facts;
	struct json *document;
	struct json *json;
	char line[BACKUP_LINE_CHARS];
	bool proven;

	TRY(backup_open(file, &backup, err));
	TRY(cof_explain(backup_check(backup, err), err,
			"another backup, or a new one: coffer backup create FILE",
			"the backup %s is not good", file));
	TRY(prove(call, file, backup, &content, &proven, err));
	backup_read_facts(backup, &facts);
	cli_say(call, "%s: %s", file, backup_line(&facts, line));
	if (proven)
		cli_say(call, "Every record opens: %llu, and %llu older generations.",
			(unsigned long long)content.records, (unsigned long long)content.older);
	else
		cli_say(call, "The file is whole. Nothing of it was opened: --ask, or "
			      "--passphrase-file FILE, proves every record.");
	document = json_new_object();
	json = backup_json(file, &facts, proven ? &content : NULL);
	json_set_bool(json, "proven", proven);
	json_set(document, "backup", json);
	cli_show(call, document);
	return COF_OK;
}

const struct cli_verb cli_verb_backup_verify = {
	.noun = "backup",
	.verb = "verify",
	.arguments = "FILE",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_FILE,
	.summary = "check a backup, without a vault",
	.description =
		"Anybody's machine can tell whether the file is whole, by its checksum. With a "
		"secret that opens it, or where the vault is unlocked, all is proven: each record "
		"opens, and the records are just those that the vault had. Nothing is changed, and "
		"no vault is needed.",
	.options = (const struct cli_option[]){ { "ask", CLI_FLAG, NULL,
						  "ask for the passphrase or recovery key" },
						CLI_UNLOCK_OPTIONS,
						{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer backup verify /mnt/stick/vault-2026-11-20.backup",
			  "whether the stick has kept it" },
			{ 0 } },
	.shows = true,
	.run = run_verify,
};
