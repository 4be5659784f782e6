/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer import bareos: the keys of volumes that Bareos has written.
 */

#include <stdio.h>
#include <string.h>

#include "backup_show.h"
#include "cryptoc.h"
#include "fault.h"
#include "passphrase.h"
#include "tape_text.h"
#include "tape_volume.h"
#include "unlocking.h"
#include "verbs.h"

#define BATCH 200 /* volumes of one transaction; a run that is cut off goes on behind the last */

/* What one run works through. */
struct import {
	struct cli_call *call;
	struct vault *vault;
	struct cryptoc_entry *entries;
	size_t count;
	struct span kek;
	struct record *records[2 * BATCH]; /* of the transaction that is being put together */
	size_t pending;
	size_t added;
	size_t same;
	size_t refused;
	cof_result worst;
	struct cof_error worst_error;
};

static void import_done(struct import *import)
{
	for (size_t i = 0; i < import->pending; i++)
		record_free(import->records[i]);
	free(import->entries);
	vault_close(import->vault);
}

/* Appends an entry. */
static cof_result add_entry(struct import *import, struct cryptoc_entry entry,
			    struct cof_error *err)
{
	struct cryptoc_entry *more =
		reallocarray(import->entries, import->count + 1, sizeof(*more));

	ENSURE(more, err, COF_E_NOMEM, NULL, "no memory for %zu volumes", import->count + 1);
	import->entries = more;
	more[import->count++] = entry;
	return COF_OK;
}

/* All volumes of a cache, or of lines of volume, tab and key. */
static cof_result load_entries(struct import *import, struct span content, const char *path,
			       struct cof_error *err)
{
	struct cryptoc_entry entry;
	struct cryptoc cache;
	size_t number = 0;
	bool found = true;

	if (!memchr(content.data, '\t', content.len) || memchr(content.data, '\0', content.len)) {
		TRY(cryptoc_open(content, path, &cache, err));
		for (size_t i = 0; i < cache.count; i++)
			TRY(add_entry(import, cryptoc_at(&cache, i), err));
		return COF_OK;
	}
	for (;;) {
		TRY(cryptoc_line(&content, &number, &entry, &found, err));
		if (!found)
			return COF_OK;
		TRY(add_entry(import, entry, err));
	}
}

/* The transaction so far. */
static cof_result commit(struct import *import, struct cof_error *err)
{
	struct vault_write writes[2 * BATCH] = { 0 };
	cof_result committed = COF_OK;

	for (size_t i = 0; i < import->pending; i++)
		writes[i].record = import->records[i];
	if (import->pending && !import->call->dry_run)
		committed = vault_commit(import->vault, writes, import->pending, err);
	for (size_t i = 0; i < import->pending; i++)
		record_free(import->records[i]);
	import->pending = 0;
	TRY(committed);
	return fault_point("tape/import-batch", err);
}

/* Whether the vault has the volume already, with the same key or with another one. */
static cof_result look_up(struct import *import, const struct tape_volume *volume,
			  const struct bareos_passphrase *passphrase, bool *ret_there,
			  struct cof_error *err)
{
	_cleanup_(bareos_passphrase_freep) struct bareos_passphrase *stored = NULL;
	struct tape_volume known;
	time_t created;
	bool is_bareos = false;

	TRY(tape_volume_get(import->vault, volume->name, &known, NULL, ret_there, err));
	if (!*ret_there)
		return COF_OK;
	if (known.key[0])
		TRY(tape_passphrase_get(import->vault, known.key, &stored, &created, &is_bareos,
					err));
	ENSURE(is_bareos &&
		       ct_equal(bareos_passphrase_span(stored), bareos_passphrase_span(passphrase)),
	       err, COF_E_REFUSED, volume->name, "is in the vault already, with another key");
	return COF_OK;
}

/* Whether an earlier line of this run has the same volume. */
static bool is_pending(const struct import *import, const char *name)
{
	for (size_t i = 0; i < import->pending; i++)
		if (strcmp(import->records[i]->name, name) == 0 &&
		    strcmp(import->records[i]->kind, TAPE_KIND) == 0)
			return true;
	return false;
}

/* One volume into the transaction. */
static cof_result import_one(struct import *import, const struct cryptoc_entry *entry,
			     struct cof_error *err)
{
	_cleanup_(bareos_passphrase_freep) struct bareos_passphrase *passphrase = NULL;
	struct tape_volume volume = { .policy = POLICY_MUST, .ready = true };
	bool there;

	(void)snprintf(volume.name, sizeof(volume.name), "%.*s", (int)entry->volume.len,
		       (const char *)entry->volume.data);
	TRY(tape_volume_check(volume.name, err));
	TRY(cof_explain(bareos_unwrap(import->kek, entry->key, &passphrase, err), err,
			"--kek-file FILE with the Key Encryption Key of bareos-dir.conf",
			"the key of volume %s does not open", volume.name));
	if (is_pending(import, volume.name))
		TRY(commit(import, err));
	TRY(look_up(import, &volume, passphrase, &there, err));
	if (there) {
		import->same++;
		return COF_OK;
	}
	TRY(tape_import_bareos(&volume, passphrase, &import->records[import->pending],
			       &import->records[import->pending + 1], err));
	import->pending += 2;
	import->added++;
	return COF_OK;
}

/* All volumes; one that cannot be taken is told, and the others go on. */
static cof_result import_all(struct import *import, struct cof_error *err)
{
	for (size_t i = 0; i < import->count; i++) {
		struct cof_error one = { 0 };
		cof_result result = import_one(import, &import->entries[i], &one);

		if (cof_failed(result) && import->refused++) {
			cli_report(&one);
		} else if (cof_failed(result)) {
			import->worst = result;
			import->worst_error = one;
		}
		if (import->pending == 2 * BATCH)
			TRY(commit(import, err));
	}
	return commit(import, err);
}

/* Says what was done. */
static void tell(const struct import *import)
{
	struct json *document = json_new_object();
	bool dry = import->call->dry_run;

	json_set_uint(document, "volumes", import->count);
	json_set_uint(document, "added", dry ? 0 : import->added);
	json_set_uint(document, "same", import->same);
	json_set_uint(document, "refused", import->refused);
	cli_show(import->call, document);
	cli_say(import->call, "%zu volumes %s, %zu are in the vault already, %zu were refused.",
		import->added, dry ? "would be imported" : "imported", import->same,
		import->refused);
}

/* coffer import bareos. */
static cof_result run_import(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *content = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *kek = NULL;
	_cleanup_(import_done) struct import import = { .call = call };

	if (cli_value(call, "kek-file"))
		TRY(passphrase_read(cli_value(call, "kek-file"), &kek, err));
	if (kek)
		import.kek = slot_secret_span(kek);
	TRY(keyfile_read(call->args[0], &content, err));
	TRY(load_entries(&import, slot_secret_span(content), call->args[0], err));
	TRY(cli_open_vault(call, true, &import.vault, err));
	TRY(import_all(&import, err));
	tell(&import);
	if (import.added && !call->dry_run)
		backup_tell_older(import.vault);
	if (cof_failed(import.worst) && err)
		*err = import.worst_error;
	return import.worst;
}

const struct cli_verb cli_verb_import_bareos = {
	.noun = "import",
	.verb = "bareos",
	.arguments = "FILE",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_FILE,
	.summary = "take the keys of Bareos' volumes into the vault",
	.description =
		"FILE is the crypto cache of a storage daemon, or has a volume, a tab and its key "
		"in "
		"base64 on each line, as the catalogue gives them. Where Bareos has a key "
		"encryption "
		"key, --kek-file names it. FILE is left as it is.\n\n"
		"The tapes stay readable, and `coffer tape cache export` writes the keys back. A "
		"volume that the vault has with another key is refused, and the others are taken. "
		"The "
		"same call again takes what is missing.",
	.options = (const struct cli_option[]){ TAPE_KEK_OPTION, CLI_UNLOCK_OPTIONS, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer import bareos bareos-sd.9103.cryptoc --kek-file kek",
			  "From the storage daemon's cache." },
			{ 0 },
		},
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_import,
};
