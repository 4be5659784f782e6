/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `coffer init`: make a vault.
 */

#include <string.h>

#include "file.h"
#include "log.h"
#include "unlocking.h"
#include "verbs.h"

/* Says what a run without --dry-run would do. */
static void show_plan(struct cli_call *call)
{
	struct json *document = json_new_object();
	struct json *facts = json_new_object();

	cli_say(call, "Would make a vault in %s, with a passphrase%s.", call->paths->vault_dir,
		cli_flag(call, "no-recovery") ? "" : " and a recovery key");
	json_set_text(facts, "folder", call->paths->vault_dir);
	json_set_text(facts, "state", "absent");
	json_set_bool(facts, "changed", false);
	json_set(document, "vault", facts);
	cli_show(call, document);
}

/* Answers with the vault, and whether this run made it. */
static cof_result show_vault(struct cli_call *call, bool made, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_json_ struct json *document = json_new_object();
	struct json *facts = json_new_object();
	char uuid[37];

	json_set(document, "vault", facts);
	TRY(vault_open(call->paths, &vault, err));
	json_set_text(facts, "folder", call->paths->vault_dir);
	json_set_text(facts, "uuid", cli_uuid_format(vault_uuid(vault), uuid));
	json_set_text(facts, "state", "locked");
	json_set_bool(facts, "changed", made);
	cli_show(call, TAKE(document));
	return COF_OK;
}

/* Refuses to touch a vault that is there. */
static cof_result refuse_existing(const struct cli_call *call, const char *why, const char *remedy,
				  struct cof_error *err)
{
	cof_result failure = cof_raise(err, COF_E_REFUSED, call->paths->vault_dir,
				       "a vault is there already; nothing was changed");

	cof_error_cause(err, "%s", why);
	cof_error_try(err, "%s", remedy);
	return failure;
}

/* Whether the recovery key in the file that this run names opens the vault. */
static cof_result recovery_opens(struct cli_call *call, const char *file, bool *ret_opens,
				 struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *recovery = NULL;
	bool reused;

	*ret_opens = false;
	if (!path_exists(file))
		return COF_OK;
	TRY(cli_new_recovery(call, file, &recovery, &reused, err));
	return cli_opens(call, recovery, ret_opens, err);
}

/* There is a vault: either an earlier run of this very command made it, or it is not ours to
 * touch. */
static cof_result settle_existing(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *passphrase = NULL;
	const char *recovery_out = cli_value(call, "recovery-out");
	bool opens = false;

	if (!cli_value(call, "passphrase-file") || call->dry_run)
		return refuse_existing(call, "init makes new vaults only", "coffer status", err);
	TRY(cli_ask_new(call, "passphrase-file", &passphrase, err));
	TRY(cli_opens(call, passphrase, &opens, err));
	if (!opens)
		return refuse_existing(call, "the passphrase does not open it", "coffer status",
				       err);
	if (recovery_out) {
		TRY(recovery_opens(call, recovery_out, &opens, err));
		if (!opens)
			return refuse_existing(call, "its recovery key is not in that file",
					       "coffer enroll recovery --out FILE", err);
	}
	cli_say(call, "The vault %s is there already, and the passphrase opens it.",
		call->paths->vault_dir);
	return show_vault(call, false, err);
}

/* Whether all copies are of the system's own vault, which is in its place. @ret_folder: its own;
 * caller frees */
static bool are_systems(const struct cli_call *call, const struct vault_copy copies[], size_t count,
			char **ret_folder)
{
	const char *root = call->paths->root[0] ? call->paths->root : NULL;
	_cleanup_(paths_freep) struct paths *paths = NULL;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct cof_error mistake;
	char uuid[37];

	if (call->paths->vault_is_default ||
	    cof_failed(paths_new_usable(root, NULL, call->paths->config, &paths, &mistake, NULL)) ||
	    cof_failed(vault_open(paths, &vault, NULL)))
		return false;
	(void)cli_uuid_format(vault_uuid(vault), uuid);
	for (size_t i = 0; i < count; i++)
		if (strcmp(copies[i].uuid, uuid) != 0)
			return false;
	*ret_folder = TAKE(paths->vault_dir);
	return true;
}

/* Refuses a second vault beside one that is alive: nothing is to be brought back. */
static cof_result refuse_second(const struct cli_call *call, const char *folder, const char *mirror,
				struct cof_error *err)
{
	cof_result failure = cof_raise(err, COF_E_REFUSED, call->paths->vault_dir,
				       "would be one more vault beside that of this machine, %s; "
				       "nothing was changed",
				       folder);

	cof_error_cause(err, "%s names the mirror %s, which would have copies of both",
			call->paths->config, mirror);
	cof_error_try(err, "coffer init --force, for one more vault; or --config with a file that "
			   "names another mirror");
	return failure;
}

/* Refuses to make a second vault where a mirror has a copy of the one that is meant. */
static cof_result check_mirrors(const struct cli_call *call, struct cof_error *err)
{
	struct cof_error found = { 0 };
	_cleanup_free_ struct vault_copy *copies = NULL;
	_cleanup_free_ char *system = NULL;
	cof_result failure;
	size_t count = 0;

	TRY(vault_copies(call->paths, &copies, &count, err));
	if (count == 0 || cli_flag(call, "force"))
		return COF_OK;
	if (are_systems(call, copies, count, &system))
		return refuse_second(call, system, copies[0].mirror, err);
	(void)vault_copies_explain(call->paths, &found);
	failure = cof_raise(err, COF_E_REFUSED, call->paths->vault_dir,
			    "there is no vault here, but a mirror has a copy of one; nothing was "
			    "changed");
	cof_error_cause(err, "%s", found.cause);
	cof_error_try(err, "%s; or coffer init --force, for one more vault", found.remedy);
	return failure;
}

/* Makes the vault: whoever recovers it has the key before the vault gets its name. */
static cof_result run_init(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *passphrase = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *recovery = NULL;
	const char *recovery_out = cli_value(call, "recovery-out");
	struct vault_new spec = { .fips = cli_flag(call, "fips") };
	bool reused = false;

	if (vault_exists(call->paths))
		return settle_existing(call, err);
	TRY(cli_check_folder(call, err));
	TRY(check_mirrors(call, err));
	TRY(cli_check_recovery(call, err));
	if (call->dry_run) {
		show_plan(call);
		return COF_OK;
	}
	TRY(cli_ask_new(call, "passphrase-file", &passphrase, err));
	if (!cli_flag(call, "no-recovery"))
		TRY(cli_new_recovery(call, recovery_out, &recovery, &reused, err));
	if (reused && !call->quiet)
		log_notice("%s holds a recovery key already; the vault takes that one",
			   recovery_out);
	spec.passphrase = passphrase;
	spec.recovery = recovery;
	cli_say_slow(call);
	TRY(cof_explain(vault_create(call->paths, &spec, err), err, NULL,
			"cannot make a vault in %s", call->paths->vault_dir));
	cli_say(call, "Made the vault %s. It is locked: `coffer unlock` opens it.",
		call->paths->vault_dir);
	if (recovery_out)
		cli_say(call, "The recovery key is in %s: keep it away from this machine.",
			recovery_out);
	if (!recovery && !call->quiet)
		log_notice("the vault has no recovery method; `coffer enroll recovery` makes one");
	return show_vault(call, true, err);
}

const struct cli_verb cli_verb_init = {
	.verb = "init",
	.summary = "make a vault",
	.description =
		"Asks twice for a passphrase, shows a recovery key to be written down, and makes "
		"the "
		"vault. The recovery key comes first: there is never a vault whose recovery key "
		"nobody has seen. A vault that is there already is never touched. Where a mirror "
		"that coffer.conf names has a copy of a vault, the way to bring that one back is "
		"shown instead.\n\n"
		"After a crash the same command starts over, or says that the vault is complete. A "
		"recovery key that is in FILE already is used again.",
	.options =
		(const struct cli_option[]){
			{ "passphrase-file", CLI_FILE, "FILE",
			  "take the passphrase from the first line of FILE; - is standard input" },
			CLI_RECOVERY_OPTIONS,
			CLI_FIPS_OPTION,
			{ "force", CLI_FLAG, NULL,
			  "make a vault although a mirror has a copy of another one, which stays" },
			{ 0 },
		},
	.examples =
		(const struct cli_example[]){
			{ "coffer init", "Ask for everything." },
			{ "coffer init --passphrase-file /root/passphrase --recovery-out "
			  "/media/stick/recovery",
			  "In a script; the recovery key goes to a USB stick." },
			{ 0 },
		},
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_init,
};
