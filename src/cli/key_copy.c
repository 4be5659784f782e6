/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `coffer key show|export`: a secret leaves the vault because the user asked for just that.
 */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "file.h"
#include "key_name.h"
#include "number.h"
#include "passphrase.h"
#include "unlocking.h"
#include "verbs.h"

#define SHOW_MAX_BYTES 4096 /* more than that nobody reads from a screen */

/* Before a secret leaves the vault, the audit log says so. */
static void note_leaving(const struct cli_call *call, struct vault *vault,
			 const struct record *record)
{
	char subject[sizeof(struct key_name) + 1];
	struct json *detail = json_new_object();
	const char *path = cli_value(call, "out");

	(void)snprintf(subject, sizeof(subject), "%s/%s", record->kind, record->name);
	json_set_uint(detail, "generation", record->generation);
	if (path)
		json_set_text(detail, "file", path);
	audit_note(vault, &(struct audit_entry){ .event = strcmp(call->verb->verb, "show") == 0
								  ? AUDIT_KEY_SHOW
								  : AUDIT_KEY_EXPORT,
						 .subject = subject,
						 .detail = detail });
}

/* A record with nothing to show may be of a disk whose key is in a file alone. */
static cof_result check_content(const struct record *record, struct cof_error *err)
{
	const char *file = json_get_text(record->meta, "key_file");

	if (record->secret || record->blob.len)
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_NOENT, record->name, "the record has no key%s%s",
			     file ? ", which is in " : "", file ? file : ""));
	if (file)
		cof_error_try(err, "coffer key relocate %s --to vault, for a copy in the vault",
			      record->name);
	return (cof_result){ COF_E_NOENT };
}

/* The record that the call names, of the generation that it names. */
static cof_result get_record(struct cli_call *call, struct record **ret_record,
			     struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(record_freep) struct record *record = NULL;
	struct key_name name;
	uint64_t generation;
	bool found = false;

	TRY(key_name_parse(call->args[0], &name, err));
	TRY(cli_number(call, "generation", 0, &generation, err));
	TRY(cli_open_vault(call, true, &vault, err));
	if (generation)
		TRY(vault_get_generation(vault, name.kind, name.name, generation, &record, &found,
					 err));
	else
		TRY(vault_get(vault, name.kind, name.name, &record, &found, err));
	if (!found)
		return key_missing(name.kind, name.name, err);
	TRY(check_content(record, err));
	if (!call->dry_run)
		note_leaving(call, vault, record);

	*ret_record = TAKE(record);
	return COF_OK;
}

/* What a record holds: its secret, or the blob of one that has none. */
static struct span content_of(const struct record *record)
{
	return record->secret ? secret_span(record->secret) : buffer_span(&record->blob);
}

/* Writes a record's content to a new file of mode 0600, byte for byte. */
static cof_result write_file(struct cli_call *call, const char *path, const struct record *record,
			     struct cof_error *err)
{
	struct json *document;

	if (!call->dry_run)
		TRY(keyfile_write(path, content_of(record), "", err));
	cli_say(call, "%s %zu bytes of %s/%s, generation %llu, to %s.",
		call->dry_run ? "Would write" : "Wrote", content_of(record).len, record->kind,
		record->name, (unsigned long long)record->generation, path);
	document = json_new_object();
	json_set_text(document, "kind", record->kind);
	json_set_text(document, "name", record->name);
	json_set_uint(document, "generation", record->generation);
	json_set_uint(document, "bytes", content_of(record).len);
	json_set_text(document, "file", path);
	json_set_bool(document, "changed", !call->dry_run);
	cli_show(call, document);
	return COF_OK;
}

/* Prints a record's content in hexadecimal, from locked memory straight to the terminal. */
static cof_result print_hex(const struct record *record, struct cof_error *err)
{
	_cleanup_secret_ struct secret *text = NULL;
	struct span content = content_of(record);

	ENSURE(content.len <= SHOW_MAX_BYTES, err, COF_E_USAGE, record->name,
	       "has %zu bytes, and at most %d are shown; --out FILE writes all", content.len,
	       SHOW_MAX_BYTES);
	TRY(secret_new(2 * content.len + 1, &text, err));
	(void)hex_format(content.data, content.len, (char *)text->data);
	text->data[2 * content.len] = '\n';
	(void)fflush(stdout);
	return fd_write_all(STDOUT_FILENO, secret_span(text), "terminal", err);
}

/* Shows a key on the terminal after a warning, or writes it to a file. */
static cof_result run_show(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	const char *path = cli_value(call, "out");
	cof_result failure;

	if (!path && (!cli_on_terminal(call) || !isatty(STDOUT_FILENO))) {
		failure = cof_raise(err, COF_E_REFUSED, "key",
				    "is shown on a terminal only, where nothing keeps it");
		cof_error_try(err, "--out FILE");
		return failure;
	}
	TRY(get_record(call, &record, err));
	if (path)
		return write_file(call, path, record, err);
	TRY(cli_wait_enter(
		"The key will stand on this screen and in its history, for everybody who "
		"sees it.\nPress Enter to go on (Ctrl-C: nothing is shown). ",
		err));
	return print_hex(record, err);
}

/* Writes a key to a file. */
static cof_result run_export(struct cli_call *call, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	const char *path = cli_value(call, "out");
	cof_result failure;

	if (!path) {
		failure = cof_raise(err, COF_E_USAGE, "coffer key export", "needs --out FILE");
		cof_error_try(err, "coffer key export KEY --out FILE");
		return failure;
	}
	TRY(get_record(call, &record, err));
	return write_file(call, path, record, err);
}

#define COPY_OPTIONS                                                                               \
	CLI_UNLOCK_OPTIONS,                                                                        \
		{ "out", CLI_FILE, "FILE",                                                         \
		  "write the key as it is to FILE, which must not exist, with mode 0600" },        \
	{                                                                                          \
		"generation", CLI_NUMBER, "N",                                                     \
			"an older one of `coffer key history`; the newest unless told otherwise"   \
	}

const struct cli_verb cli_verb_key_show = {
	.noun = "key",
	.verb = "show",
	.arguments = "KEY",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_TEXT,
	.summary = "show one key in hexadecimal, on a terminal",
	.description =
		"KEY is KIND/NAME as `coffer key list` shows it, or the name of a disk. The key "
		"is shown after a warning, on a terminal only.",
	.options = (const struct cli_option[]){ COPY_OPTIONS, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer key show disk/enc-wwn-0x5000c500a1b2c3d4", "The key of a disk." },
			{ 0 },
		},
	.needs_root = true,
	.run = run_show,
};

const struct cli_verb cli_verb_key_export = {
	.noun = "key",
	.verb = "export",
	.arguments = "KEY",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_TEXT,
	.summary = "write one key to a file",
	.description =
		"KEY is KIND/NAME as `coffer key list` shows it, or the name of a disk. The "
		"file holds the key as it is: cryptsetup takes that of a disk with "
		"--key-file. A record without a secret, such as the copy of a disk's header, "
		"is written as it is too; for a header that cryptsetup restores there is "
		"`coffer disk header backup`.",
	.options = (const struct cli_option[]){ COPY_OPTIONS, { 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer key export enc-wwn-0x5000c500a1b2c3d4 --out "
			  "/media/stick/disk.key",
			  "A copy of a disk's key, for the day on which there is no coffer." },
			{ 0 },
		},
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_export,
};
