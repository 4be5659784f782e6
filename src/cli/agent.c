/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Coffer's own processes, as hidden verbs: the agent, the key server, the sector engine.
 */

#include <string.h>

#include "agent.h"
#include "audit.h"
#include "clock.h"
#include "disk.h"
#include "engine.h"
#include "unlocking.h"
#include "verbs.h"

#define SEAL_AFTER_KEYS 64
#define SEAL_AFTER_MS	2000

/* Is the agent. */
static cof_result run_agent(struct cli_call *call, struct cof_error *err)
{
	return agent_run(call->paths, err);
}

/*
 * Notes the use of a key. At boot a thousand are asked for in a row: the log is sealed and made
 * durable after some of them, after a pause, and at the server's end.
 */
static void note_use(struct vault *vault, const char *volume)
{
	static unsigned int unsealed;
	static uint64_t sealed_ms;

	audit_note(vault, &(struct audit_entry){ .event = AUDIT_KEY_USE, .subject = volume });
	if (unsealed++ < SEAL_AFTER_KEYS && clock_ms() < sealed_ms + SEAL_AFTER_MS) {
		audit_defer(vault);
		return;
	}
	unsealed = 0;
	sealed_ms = clock_ms();
}

/* The key of a disk by the name of its volume, through the agent, for the key server. */
static cof_result find_volume_key(const struct paths *paths, const char *volume,
				  struct slot_secret **ret_key, bool *ret_found,
				  struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(record_freep) struct record *record = NULL;
	struct key_source source;
	bool unlocked = false;
	bool found = false;

	TRY(vault_open(paths, &vault, err));
	TRY(agent_key_source(paths, &source, &unlocked, err));
	ENSURE(unlocked, err, COF_E_LOCKED, paths->vault_dir, "the vault was locked meanwhile");
	TRY(vault_unlock_from(vault, source, err));
	TRY(vault_get(vault, DISK_KIND, volume, &record, &found, err));
	found = found && record->secret;
	if (found)
		TRY(slot_secret_copy(secret_span(record->secret), ret_key, err));
	if (found)
		note_use(vault, volume);

	*ret_found = found;
	return COF_OK;
}

/* Seals what is not sealed yet when the server ends, if the vault is unlocked still. */
static void seal_rest(const struct paths *paths)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	struct key_source source;
	bool unlocked = false;

	if (!cof_failed(vault_open(paths, &vault, NULL)) &&
	    !cof_failed(agent_key_source(paths, &source, &unlocked, NULL)) && unlocked &&
	    !cof_failed(vault_unlock_from(vault, source, NULL)))
		cof_ignore(audit_flush(vault, NULL)); /* the next command's seal covers it too */
}

/* Is the key server. */
static cof_result run_key_server(struct cli_call *call, struct cof_error *err)
{
	TRY(keyserver_run(call->paths, find_volume_key, err));
	seal_rest(call->paths);
	return COF_OK;
}

/* Is the process of one volume of the user-space engine. */
static cof_result run_engine_serve(struct cli_call *call, struct cof_error *err)
{
	return engine_serve(call->paths, err);
}

const struct cli_verb cli_verb_agent = {
	.verb = "agent",
	.summary = "hold the root key of an unlocked vault",
	.needs_root = true,
	.hidden = true,
	.run = run_agent,
};

const struct cli_verb cli_verb_key_server = {
	.verb = "key-server",
	.summary = "give systemd-cryptsetup the keys of disks",
	.needs_root = true,
	.hidden = true,
	.run = run_key_server,
};

const struct cli_verb cli_verb_engine_serve = {
	.verb = "engine-serve",
	.summary = "serve one encrypted device from user space",
	.needs_root = true,
	.hidden = true,
	.run = run_engine_serve,
};
