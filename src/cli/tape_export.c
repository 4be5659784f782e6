/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer tape cache export: volumes of the vault, as a crypto cache for Bareos' own recovery.
 */

#include <string.h>

#include "audit.h"
#include "base64.h"
#include "cryptoc.h"
#include "file.h"
#include "tape_text.h"
#include "tape_volume.h"
#include "unlocking.h"
#include "verbs.h"

#define CACHE_MODE 0640 /* as Bareos makes its own */

/* What one run gathers: names and keys in locked memory, each CRYPTOC_NAME_BYTES apart. */
struct export
{
	const struct cli_call *call;
	struct vault *vault;
	struct span kek;
	struct secret *texts;
	struct cryptoc_entry *entries;
	size_t room;
	size_t count;
	size_t left_out;
};

static void export_done(struct export *export)
{
	secret_free(export->texts);
	free(export->entries);
	vault_close(export->vault);
}

/* The text that Bareos has for a passphrase. */
static cof_result encode(const struct export *export, const struct bareos_passphrase *passphrase,
			 struct secret **ret_text, struct cof_error *err)
{
	if (export->kek.len)
		return bareos_wrap(export->kek, passphrase, ret_text, err);
	return base64_encode(bareos_passphrase_span(passphrase), ret_text, err);
}

/* Copies a text to its place; it is borrowed from there. */
static struct span keep(const struct export *export, size_t place, struct span text)
{
	uint8_t *to = export->texts->data + place * CRYPTOC_NAME_BYTES;

	memcpy(to, text.data, text.len);
	return SPAN(to, text.len);
}

/* One volume; a vault_visit. */
static cof_result add_volume(const struct record *record, void *context, struct cof_error *err)
{
	_cleanup_(bareos_passphrase_freep) struct bareos_passphrase *passphrase = NULL;
	_cleanup_secret_ struct secret *text = NULL;
	struct export *export = context;
	struct cryptoc_entry entry = { .volume = span_of_text(record->name) };
	struct tape_volume volume;
	bool found = false;

	TRY(tape_volume_from_meta(record->meta, record->name, &volume, err));
	if (volume.key[0])
		TRY(tape_passphrase_get(export->vault, volume.key, &passphrase, &entry.added,
					&found, err));
	if (!found || export->count == export->room) {
		export->left_out++;
		return COF_OK;
	}
	TRY(encode(export, passphrase, &text, err));
	entry.key = secret_span(text);
	TRY(cryptoc_check(&entry, record->name, err));
	entry.volume = keep(export, 2 * export->count, entry.volume);
	entry.key = keep(export, 2 * export->count + 1, entry.key);
	export->entries[export->count++] = entry;
	return COF_OK;
}

/* Room for as many volumes as there are. */
static cof_result make_room(struct export *export, struct cof_error *err)
{
	_cleanup_(vault_names_freep) char **names = NULL;

	TRY(vault_names(export->vault, TAPE_KIND, &names, err));
	while (names[export->room])
		export->room++;
	export->entries = calloc(export->room + 1, sizeof(*export->entries));
	ENSURE(export->entries, err, COF_E_NOMEM, NULL, "no memory for %zu volumes", export->room);
	return secret_new(2 * CRYPTOC_NAME_BYTES * (export->room + 1), &export->texts, err);
}

/* Writes the cache, after the audit log says that keys leave the vault. */
static cof_result write_cache(const struct export *export, struct cof_error *err)
{
	_cleanup_secret_ struct secret *bytes = NULL;
	const char *path = export->call->args[0];
	struct json *detail = json_new_object();

	json_set_text(detail, "file", path);
	json_set_uint(detail, "volumes", export->count);
	audit_note(export->vault, &(struct audit_entry){ .event = AUDIT_KEY_EXPORT,
							 .subject = TAPE_KIND,
							 .detail = detail });
	TRY(cryptoc_encode(export->entries, export->count, &bytes, err));
	return file_create(path, secret_span(bytes), CACHE_MODE, err);
}

/* coffer tape cache export. */
static cof_result run_export(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *kek = NULL;
	_cleanup_(export_done) struct export export = { .call = call };
	struct json *document = json_new_object();

	cli_show(call, document);
	TRY(tape_text_need_bareos(call, err));
	TRY(tape_text_kek(call, &kek, err));
	if (kek)
		export.kek = slot_secret_span(kek);
	TRY(cli_open_vault(call, true, &export.vault, err));
	TRY(make_room(&export, err));
	TRY(vault_each(export.vault, TAPE_KIND, add_volume, &export, err));
	if (!call->dry_run)
		TRY(write_cache(&export, err));
	json_set_text(document, "file", call->args[0]);
	json_set_uint(document, "volumes", export.count);
	json_set_uint(document, "left_out", export.left_out);
	cli_say(call, "%s: %zu volumes%s, %zu left out, whose keys Bareos cannot have.",
		call->args[0], export.count, call->dry_run ? " would be written" : "",
		export.left_out);
	return COF_OK;
}

const struct cli_verb cli_verb_tape_cache_export = {
	.noun = "tape",
	.verb = "cache export",
	.arguments = "FILE",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_FILE,
	.summary = "write the vault's volumes of Bareos as a crypto cache",
	.description =
		"Makes FILE, which must not exist, from the volumes that `coffer import bareos` "
		"has "
		"taken in, wrapped under the key encryption key of --kek-file, or clear without "
		"one. "
		"Keys that coffer has made are left out: Bareos' keys are passphrases.",
	.options =
		(const struct cli_option[]){
			TAPE_BAREOS_OPTION, TAPE_KEK_OPTION, CLI_UNLOCK_OPTIONS, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer tape cache export bareos-sd.9103.cryptoc --bareos --kek-file kek",
			  "For bextract and bscan." },
			{ 0 },
		},
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_export,
};
