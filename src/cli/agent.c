/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Coffer's own processes, as hidden verbs: the agent, the key server, the sector engine, and the
 * child that asks a TPM or a FIDO2 token.
 */

#include <string.h>

#include "agent.h"
#include "audit.h"
#include "clock.h"
#include "disk.h"
#include "engine.h"
#include "file.h"
#include "luks.h"
#include "number.h"
#include "passphrase.h"
#include "unlocking.h"
#include "verbs.h"

#define SEAL_AFTER_KEYS 64
#define SEAL_AFTER_MS	2000
#define HEADER_FILE	"/proc/self/fd/3" /* CHILD_GIVEN_FD */

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

/* No key is given out of a disk that is being destroyed: nothing of it is to be mounted. */
static cof_result check_given(const struct record *record, struct cof_error *err)
{
	struct disk disk;
	cof_result failure;

	TRY(disk_from_meta(record->meta, &disk, err));
	if (disk.ready || disk.work != DISK_WORK_DESTROY)
		return COF_OK;
	failure = cof_raise(err, COF_E_REFUSED, record->name, "is half-destroyed");
	cof_error_try(err, "coffer disk destroy %s", record->name);
	return failure;
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
	if (found)
		TRY(check_given(record, err));
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

/* Writes the volume key behind a token of the header on HEADER_FD to stdout; the PIN is on stdin,
 * if there is one. Started by src/vault/way.c. */
static cof_result run_token_key(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *pin = NULL;
	uint64_t token;
	cof_result read;

	ENSURE(!isatty(STDOUT_FILENO), err, COF_E_REFUSED, "token-key",
	       "writes a key, which is not for a terminal");
	TRY(uint_parse(call->args[0], LUKS_SLOTS_MAX - 1, &token, err));
	read = keyfile_read("-", &pin, NULL);
	if (cof_failed(read) && read.code != COF_E_USAGE)
		FAIL(err, read.code, "token-key", "the PIN cannot be read");
	TRY(luks_token_unlock(HEADER_FILE, (int)token, call->args[1], pin, &key, err));
	return fd_write_all(STDOUT_FILENO, volume_key_span(key), "standard output", err);
}

const struct cli_verb cli_verb_token_key = {
	.verb = "token-key",
	.arguments = "TOKEN [TPM]",
	.min_args = 1,
	.max_args = 2,
	.summary = "give the key behind a token of a header",
	.needs_root = true,
	.hidden = true,
	.placeless = true,
	.run = run_token_key,
};

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
