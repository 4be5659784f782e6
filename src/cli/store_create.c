/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coffer store create.
 */

#include <string.h>

#include "kdf.h"
#include "number.h"
#include "store_call.h"
#include "verbs.h"

#define ROTATE_DEFAULT_DAYS 30
#define DAY_SECONDS	    86400
#define VAULT_KEY_BYTES	    32

/* The mode and period that the options ask for. */
static cof_result read_mode(struct cli_call *call, struct keyring_spec *spec, struct cof_error *err)
{
	const char *mode = cli_value(call, "mode");
	uint64_t seconds;

	spec->mode = KEYSTORE_PLAIN;
	if (!cli_flag(call, "encrypt")) {
		ENSURE(!mode && !cli_flag(call, "rotate") && !cli_flag(call, "passphrase-file"),
		       err, COF_E_USAGE, "coffer store create",
		       "--mode, --rotate and --passphrase-file need --encrypt");
		return COF_OK;
	}
	ENSURE(!mode || strcmp(mode, "internal") == 0 || strcmp(mode, "static") == 0, err,
	       COF_E_USAGE, "--mode", "must be internal or static");
	spec->mode = mode && strcmp(mode, "static") == 0 ? KEYSTORE_STATIC : KEYSTORE_INTERNAL;
	ENSURE(spec->mode == KEYSTORE_INTERNAL || !cli_flag(call, "rotate"), err, COF_E_USAGE,
	       "--rotate", "does not go with --mode static, where one key stays");
	TRY(cli_duration(call, "rotate", ROTATE_DEFAULT_DAYS * (uint64_t)DAY_SECONDS, &seconds,
			 err));
	ENSURE(seconds % DAY_SECONDS == 0 && seconds / DAY_SECONDS >= KEYSTORE_ROTATE_MIN_DAYS &&
		       seconds / DAY_SECONDS <= KEYSTORE_ROTATE_MAX_DAYS,
	       err, COF_E_USAGE, "--rotate", "must be %dd to %dd (70 years), in whole days",
	       KEYSTORE_ROTATE_MIN_DAYS, KEYSTORE_ROTATE_MAX_DAYS);
	spec->rotate_days = (uint32_t)(seconds / DAY_SECONDS);
	return COF_OK;
}

/* A record that an earlier run made for this folder. */
struct earlier {
	const char *folder;
	uint8_t *uuid;
	struct slot_secret **ret_key;
};

/* A vault_visit. */
static cof_result find_earlier(const struct record *record, void *context, struct cof_error *err)
{
	const struct earlier *earlier = context;
	const char *folder = json_get_text(record->meta, "folder");

	if (*earlier->ret_key || !folder || strcmp(folder, earlier->folder) != 0 ||
	    !record->secret ||
	    cof_failed(hex_parse(record->name, earlier->uuid, STORE_UUID_BYTES, NULL)))
		return COF_OK;
	return slot_secret_copy(secret_span(record->secret), earlier->ret_key, err);
}

/* A key for the group in the vault, durable before anything depends on it. A run that was cut off
 * has left one, which is used. @uuid: may become that of before */
static cof_result make_vault_key(struct cli_call *call, uint8_t *uuid, struct slot_secret **ret_key,
				 struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(record_freep) struct record *record = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;
	struct earlier earlier = { call->args[0], uuid, &key };
	struct vault_write write;
	char name[2 * STORE_UUID_BYTES + 1];

	TRY(cli_open_vault(call, true, &vault, err));
	TRY(vault_each(vault, STORE_RECORD_KIND, find_earlier, &earlier, err));
	if (!key) {
		TRY(slot_secret_random(VAULT_KEY_BYTES, &key, err));
		TRY(record_new(STORE_RECORD_KIND, hex_format(uuid, STORE_UUID_BYTES, name), &record,
			       err));
		json_set_text(record->meta, "folder", call->args[0]);
		TRY(secret_copy(slot_secret_span(key), &record->secret, err));
		write = (struct vault_write){ .record = record };
		TRY(vault_commit(vault, &write, 1, err));
	}
	*ret_key = TAKE(key);
	return COF_OK;
}

/* Says what is there now. */
static void show(struct cli_call *call, const struct keyring_spec *spec, const uint8_t *uuid)
{
	static const char *const modes[] = { "none", "internal", "static" };
	struct json *document = json_new_object();
	char hex[2 * STORE_UUID_BYTES + 1];

	json_set_text(document, "folder", call->args[0]);
	json_set_text(document, "uuid", hex_format(uuid, STORE_UUID_BYTES, hex));
	json_set_bool(document, "encrypted", spec->mode != KEYSTORE_PLAIN);
	json_set_text(document, "mode", modes[spec->mode]);
	if (spec->rotate_days)
		json_set_uint(document, "rotate_days", spec->rotate_days);
	json_set_bool(document, "changed", !call->dry_run);
	cli_show(call, document);
	if (call->dry_run)
		cli_say(call, "Would make a storage group in %s.", call->args[0]);
	else if (spec->mode == KEYSTORE_INTERNAL)
		cli_say(call, "Made %s, encrypted, with a new content key every %u days.",
			call->args[0], spec->rotate_days);
	else
		cli_say(call, "Made %s, %s.", call->args[0],
			spec->mode == KEYSTORE_STATIC ? "encrypted, with one content key"
						      : "not encrypted");
}

/* coffer store create. */
static cof_result run_create(struct cli_call *call, struct cof_error *err)
{
	const struct store_place place = { .folder = call->args[0],
					   .state_folder = call->paths->stores_dir };
	_cleanup_(slot_secret_freep) struct slot_secret *passphrase = NULL;
	_cleanup_(slot_secret_freep) struct slot_secret *vault_key = NULL;
	struct keyring_spec spec = { 0 };
	uint8_t uuid[STORE_UUID_BYTES];

	TRY(read_mode(call, &spec, err));
	ENSURE(!store_exists(place.folder), err, COF_E_REFUSED, place.folder,
	       "has a storage group already");
	TRY(random_bytes(uuid, sizeof(uuid), err));
	store_unfinished(place.folder, uuid);
	if (spec.mode != KEYSTORE_PLAIN && !call->dry_run) {
		if (cli_flag(call, "passphrase-file") || !vault_exists(call->paths))
			TRY(cli_ask_new(call, "passphrase-file", &passphrase, err));
		else
			TRY(make_vault_key(call, uuid, &vault_key, err));
		spec.secret = (struct keyring_secret){ passphrase, vault_key };
	}
	if (!call->dry_run)
		TRY(cof_explain(store_create(&place, uuid, &spec, err), err, NULL,
				"no storage group was made in %s", place.folder));
	show(call, &spec, uuid);
	return COF_OK;
}

const struct cli_verb cli_verb_store_create = {
	.noun = "store",
	.verb = "create",
	.arguments = "DIR",
	.min_args = 1,
	.max_args = 1,
	.argument_type = CLI_FILE,
	.summary = "make a storage group for backups in a folder",
	.description =
		"A storage group keeps named versions of files, folders and streams. Their data is "
		"cut into chunks where the content says so, and each chunk is kept once, "
		"compressed and, with --encrypt, encrypted with AES-256-GCM.\n\n"
		"The keys are in a keystore, of which there are three copies: two in DIR, and one "
		"in /var/lib/coffer/stores. It is opened with the passphrase of --passphrase-file, "
		"1 to 255 bytes long; without that option by the vault, which then keeps a key "
		"for it; and where there is no vault, with a passphrase that is asked for. A group "
		"that is encrypted stays so.\n\n"
		"With --mode internal, which is the usual one, a new content key is made as "
		"soon as something is put after the period of --rotate; what was put before stays "
		"readable. With --mode static one key stays.",
	.options =
		(const struct cli_option[]){
			{ "encrypt", CLI_FLAG, NULL, "encrypt all that the group will hold" },
			{ "mode", CLI_TEXT, "MODE",
			  "internal: content keys are made and rotated; static: one key stays "
			  "(default internal)" },
			{ "rotate", CLI_DURATION, "DURATION",
			  "how long a content key is used for new data, 7d to 25568d (default "
			  "30d)" },
			STORE_UNLOCK_OPTIONS,
			{ 0 } },
	.examples =
		(const struct cli_example[]){
			{ "coffer store create /srv/backup --encrypt",
			  "opened by the vault, a new content key every 30 days" },
			{ "coffer store create /srv/backup --encrypt --passphrase-file /root/pass",
			  "opened by a passphrase" },
			{ 0 } },
	.changes = true,
	.shows = true,
	.needs_root = true,
	.run = run_create,
};
