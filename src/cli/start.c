/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer start and coffer stop: the vault's volumes, the file systems on them, and the services
 * that wait for them.
 */

#include <stdio.h>
#include <string.h>

#include "agent.h"
#include "log.h"
#include "unlocking.h"
#include "verbs.h"
#include "work.h"

#define KEY_LIMIT_SECONDS 900 /* the agent has the key while the volumes are opened */

/* What a run shows as it goes. */
struct showing {
	struct cli_call *call;
	struct json *steps;
	bool starts;
	bool failed; /* the first failure is the verb's own */
	size_t changed;
};

static const char *const kinds[] = {
	[BOOT_VOLUME] = "volume",
	[BOOT_MOUNT] = "mount",
	[BOOT_SERVICE] = "service",
};

/* One step as JSON. */
static struct json *step_json(const struct boot_step *step)
{
	struct json *json = json_new_object();

	json_set_text(json, "kind", kinds[step->kind]);
	json_set_text(json, "name", step->name);
	json_set_text(json, "state", step->state);
	json_set_bool(json, "changed", step->changed);
	json_set_known(json, "note", step->note);
	if (step->error.code != COF_E_NONE)
		json_set(json, "error", cli_error_json(&step->error));
	return json;
}

/* What was done, or is so already, or would be done. */
static const char *step_words(const struct showing *showing, const struct boot_step *step)
{
	static const char *const words[2][3][3] = {
		{ { "closed", "is closed", "would be closed" },
		  { "unmounted", "is not mounted", "would be unmounted" },
		  { "stopped", "does not run", "would be stopped" } },
		{ { "opened", "is open already", "would be opened" },
		  { "mounted", "is mounted already", "would be mounted" },
		  { "started", "runs already", "would be started" } },
	};
	const char *const *row = words[showing->starts][step->kind];

	if (strcmp(step->state, "planned") == 0)
		return row[2];
	return step->changed ? row[0] : row[1];
}

/* A boot_tell: each step as soon as it has ended. */
static void show_step(const struct boot_step *step, void *context)
{
	struct showing *showing = context;
	bool skipped = strcmp(step->state, "waiting") == 0 ||
		       (!showing->starts && !step->changed && step->note[0]);

	json_add(showing->steps, step_json(step));
	showing->changed += step->changed;
	if (step->error.code != COF_E_NONE) {
		if (showing->failed)
			cli_report(&step->error);
		showing->failed = true;
	} else if (skipped) {
		cli_say(showing->call, "%s %s: %s", step->name,
			showing->starts ? "waits" : "stays as it is", step->note);
	} else {
		cli_say(showing->call, "%s %s%s%s", step->name, step_words(showing, step),
			step->note[0] ? ": " : "", step->note);
	}
	(void)fflush(stdout);
}

/* ---- the vault ---- */

/* The vault, unlocked: through the agent, or with a secret, which starts nothing if it is wrong. */
static cof_result unlock(struct cli_call *call, struct vault **ret_vault, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;

	if (!cli_is_given(call) && !cli_value(call, "method") &&
	    cli_vault_by_agent(call, ret_vault))
		return COF_OK;
	TRY(cli_open_vault(call, false, &vault, err));
	TRY(cli_unlock_somehow(call, vault, err));
	*ret_vault = TAKE(vault);
	return COF_OK;
}

/* systemd opens volumes with keys from the key server, which asks the agent. */
static cof_result lend_key(const struct cli_call *call, struct vault *vault, bool *ret_lent,
			   struct cof_error *err)
{
	struct agent_status agent = { 0 };

	TRY(agent_query(call->paths, &agent, err));
	if (agent.running && agent.unlocked && agent.epoch == vault_epoch(vault) &&
	    memcmp(agent.uuid, vault_uuid(vault), VAULT_UUID_BYTES) == 0)
		return COF_OK;
	TRY(cli_give(call, vault, KEY_LIMIT_SECONDS, err));
	*ret_lent = true;
	return COF_OK;
}

/* ---- the verbs ---- */

/* Begins the answer and shows nothing to do. */
static void begin(struct showing *showing, const struct boot *boot)
{
	struct json *document = json_new_object();

	json_set(document, "steps", showing->steps);
	cli_show(showing->call, document);
	if (boot->tables.volume_count == 0 && boot->list.count == 0)
		cli_say(showing->call,
			"%s has no volume of the vault, and no unit waits: nothing to do",
			boot->paths->crypttab);
}

static cof_result run_start(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(boot_closep) struct boot *boot = NULL;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(boot_work_done) struct boot_work work = { 0 };
	_cleanup_fd_ int lock = -1;
	struct showing showing = { .call = call, .starts = true };
	bool was_unlocked;
	bool lent = false;
	cof_result done;
	size_t closed;

	TRY(boot_open(call->paths, &boot, err));
	if (!call->dry_run)
		TRY(boot_lock(boot, &lock, err));
	TRY(boot_closed_volumes(boot, &closed, err));
	if (closed > 0 && !call->dry_run) {
		TRY(unlock(call, &vault, err));
		if (boot->bus)
			TRY(lend_key(call, vault, &lent, err));
	}
	showing.steps = json_new_array();
	begin(&showing, boot);
	work = (struct boot_work){ .boot = boot,
				   .vault = vault,
				   .dry_run = call->dry_run,
				   .tell = show_step,
				   .context = &showing };
	done = boot_start(&work, err);
	if (lent && cof_failed(cli_lock(call, &was_unlocked, NULL)))
		log_notice("the agent has the vault's key still: coffer lock");
	return done;
}

static cof_result run_stop(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(boot_closep) struct boot *boot = NULL;
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(boot_work_done) struct boot_work work = { 0 };
	_cleanup_fd_ int lock = -1;
	struct showing showing = { .call = call };
	bool was_unlocked = false;
	cof_result locked;
	cof_result done;
	size_t closed;

	TRY(boot_open(call->paths, &boot, err));
	if (!call->dry_run)
		TRY(boot_lock(boot, &lock, err));
	TRY(boot_closed_volumes(boot, &closed, err));
	if (closed < boot->tables.volume_count)
		TRY(cli_vault_for_closing(call, &vault, err));
	showing.steps = json_new_array();
	begin(&showing, boot);
	work = (struct boot_work){ .boot = boot,
				   .vault = vault,
				   .dry_run = call->dry_run,
				   .force = cli_flag(call, "force"),
				   .kill = cli_flag(call, "kill"),
				   .tell = show_step,
				   .context = &showing };
	done = boot_stop(&work, err);
	/* Where nothing was touched, the key may be what puts it right. */
	if (call->dry_run || (cof_failed(done) && work.count == 0))
		return done;
	vault_close(TAKE(vault));
	locked = cli_lock(call, &was_unlocked, cof_failed(done) ? NULL : err);
	if (was_unlocked)
		cli_say(call, "Locked the vault %s.", call->paths->vault_dir);
	return cof_failed(done) ? done : locked;
}

const struct cli_verb cli_verb_start = {
	.verb = "start",
	.summary = "open the volumes, mount them, and start the services that wait for them",
	.description =
		"Opens the volumes that crypttab has from this vault, checks and mounts the file "
		"systems of fstab on them, outer ones first, and starts the units of `coffer boot "
		"list` in their order. What is up already is left alone, so the same again does "
		"what is missing. One failure does not stop what does not depend on it; the exit "
		"status is that of the first.\n\n"
		"If a volume is closed, the vault is unlocked for it, as `coffer unlock` does it, "
		"and locked again at the end unless it was unlocked before. With a wrong "
		"passphrase nothing is started. Where systemd runs, its own units open, check, "
		"mount and start; elsewhere coffer, fsck(8), mount(8) and init scripts do.",
	.options =
		(const struct cli_option[]){
			CLI_UNLOCK_OPTIONS,
			{ "method", CLI_TEXT, "NAME",
			  "unlock with the methods of this name alone: tpm2, tang, clevis, command "
			  "or fido2" },
			{ "no-unattended", CLI_FLAG, NULL,
			  "ask for the passphrase, whatever else could open the vault" },
			{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer start", "everything up, after one passphrase" },
			{ "coffer start --passphrase-file -",
			  "the same with the passphrase from standard input, over ssh" },
			{ "coffer start --dry-run", "show what is missing" },
			{ 0 } },
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_start,
};

const struct cli_verb cli_verb_stop = {
	.verb = "stop",
	.summary = "stop the services that use the volumes, unmount, close, and lock the vault",
	.description =
		"Does the reverse of `coffer start`: stops the units of `coffer boot list`, last "
		"ones first, unmounts the file systems on the vault's volumes, inner ones first, "
		"closes the volumes and locks the vault.\n\n"
		"Before anything is stopped, it is proven that the keys in the vault open the "
		"volumes again. If not, nothing is touched, so that the data can be saved; --force "
		"goes on all the same. A file system that is in use stays mounted, and who uses it "
		"is named; nobody is killed without --kill.",
	.options =
		(const struct cli_option[]){
			CLI_PASSPHRASE_OPTION,
			{ "force", CLI_FLAG, NULL,
			  "without the proof that the volumes can be opened again" },
			{ "kill", CLI_FLAG, NULL,
			  "end processes that keep a file system busy: five seconds after SIGTERM "
			  "with SIGKILL" },
			{ 0 } },
	.examples = (const struct cli_example[]){ { "coffer stop", "everything down" },
						  { "coffer stop --dry-run",
						    "show what would be stopped" },
						  { 0 } },
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_stop,
};
