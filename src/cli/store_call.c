/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opening a storage group for a verb: see store_call.h.
 */

#include "store_call.h"

#include <stdio.h>

#include "log.h"
#include "number.h"
#include "passphrase.h"
#include "silence.h"

cof_result store_call_open(struct cli_call *call, struct store **ret_store, struct cof_error *err)
{
	const struct store_place place = { .folder = call->args[0],
					   .state_folder = call->paths->stores_dir };

	return cof_explain(store_open(&place, ret_store, err), err, NULL,
			   "cannot open the storage group %s", call->args[0]);
}

cof_result store_call_vault_key(struct cli_call *call, const uint8_t *uuid,
				struct slot_secret **ret_key, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	_cleanup_(record_freep) struct record *record = NULL;
	char name[2 * STORE_UUID_BYTES + 1];
	bool found = false;

	TRY(cli_open_vault(call, true, &vault, err));
	TRY(vault_get(vault, STORE_RECORD_KIND, hex_format(uuid, STORE_UUID_BYTES, name), &record,
		      &found, err));
	if (!found || !record->secret)
		return COF_OK;
	return slot_secret_copy(secret_span(record->secret), ret_key, err);
}

/* Tries one passphrase, and says whose it is not. */
static cof_result try_passphrase(struct store *store, const struct slot_secret *passphrase,
				 struct cof_error *err)
{
	cof_result unlocked =
		store_unlock(store, (struct keyring_secret){ .passphrase = passphrase }, err);

	if (unlocked.code != COF_E_KEY)
		return cof_explain(unlocked, err, NULL, "cannot open the storage group %s",
				   store_folder(store));
	return cof_explain(unlocked, err, "again, minding the keyboard's layout and capitals",
			   "wrong passphrase for the storage group %s", store_folder(store));
}

/* Asks a person, three times. */
static cof_result ask(struct cli_call *call, struct store *store, struct cof_error *err)
{
	_cleanup_silence_ bool silent = silence_begin();

	for (unsigned int attempt = 1;; attempt++) {
		_cleanup_(slot_secret_freep) struct slot_secret *secret = NULL;
		struct cof_error failure = { 0 };
		char prompt[320];
		cof_result asked;

		(void)snprintf(prompt, sizeof(prompt), "Passphrase of the storage group %s",
			       store_folder(store));
		asked = passphrase_ask(prompt, false, &secret, &failure);
		if (asked.code == COF_E_UNSUPPORTED) {
			asked = cof_raise(err, COF_E_LOCKED, store_folder(store),
					  "is encrypted, and there is no terminal to ask on");
			cof_error_try(err, "--passphrase-file FILE");
			return asked;
		}
		if (!cof_failed(asked)) {
			cli_say_slow(call);
			asked = try_passphrase(store, secret, &failure);
		}
		if (asked.code == COF_E_KEY && attempt < CLI_TRIES) {
			cli_report(&failure);
			continue;
		}
		if (cof_failed(asked) && err)
			*err = failure;
		return asked;
	}
}

/* Opens it with the vault, if that has the key. */
static cof_result unlock_by_vault(struct cli_call *call, struct store *store, bool *ret_done,
				  struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *key = NULL;

	TRY(store_call_vault_key(call, store_uuid(store), &key, err));
	*ret_done = key != NULL;
	if (!key)
		return COF_OK;
	return store_unlock(store, (struct keyring_secret){ .vault_key = key }, err);
}

/* Whatever opens it. */
static cof_result unlock(struct cli_call *call, struct store *store, struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *passphrase = NULL;
	const char *file = cli_value(call, "passphrase-file");
	bool by_vault = keyring_has_method(store_keyring(store), KEYSTORE_VAULT);
	bool done = false;

	if (file) {
		TRY(passphrase_read(file, &passphrase, err));
		return try_passphrase(store, passphrase, err);
	}
	if (!keyring_is_encrypted(store_keyring(store)))
		return store_unlock(store, (struct keyring_secret){ 0 }, err);
	if (by_vault)
		TRY(cof_explain(unlock_by_vault(call, store, &done, err), err, NULL,
				"cannot open the storage group %s", store_folder(store)));
	if (done)
		return COF_OK;
	return ask(call, store, err);
}

/* What a copy of the keystore was found to be. */
static const char *state_words(enum keyring_copy_state state)
{
	static const char *const words[] = {
		[COPY_GOOD] = "good",
		[COPY_MISSING] = "missing",
		[COPY_DAMAGED] = "damaged",
		[COPY_OLDER] = "older than another copy",
		[COPY_DIFFERS] = "different from another copy of the same age",
	};

	return words[state];
}

/* Writes copies again that are not as they should be, and says so. */
static void repair_copies(struct store *store)
{
	struct keyring *keyring = store_keyring(store);
	const struct keyring_copy *copies = keyring_copies(keyring);
	struct cof_error failure = { 0 };
	size_t bad = 0;

	for (size_t i = 0; i < KEYRING_COPIES; i++)
		bad += copies[i].state != COPY_GOOD;
	if (!bad)
		return;
	cof_ignore(keyring_repair(keyring, &failure)); /* what remains is told */
	for (size_t i = 0; i < KEYRING_COPIES; i++)
		if (copies[i].state != COPY_GOOD)
			log_notice("the copy %s of the keystore was %s%s", copies[i].path,
				   state_words(copies[i].state),
				   copies[i].repaired ? ", and was written again" : "");
	if (failure.code != COF_E_NONE)
		cli_report(&failure);
}

cof_result store_call_unlock(struct cli_call *call, struct store *store, bool repair,
			     struct cof_error *err)
{
	TRY(unlock(call, store, err));
	if (repair)
		repair_copies(store);
	return COF_OK;
}

cof_result store_call_enter(struct cli_call *call, struct store **ret_store, struct cof_error *err)
{
	_cleanup_(store_closep) struct store *store = NULL;

	TRY(store_call_open(call, &store, err));
	TRY(store_call_unlock(call, store, true, err));
	*ret_store = TAKE(store);
	return COF_OK;
}

const char *store_kind_name(enum version_kind kind)
{
	return kind == VERSION_TREE ? "tree" : "stream";
}

struct json *store_version_json(const struct version *version)
{
	struct json *json = json_new_object();
	char created[32];

	json_set_text(json, "name", version->name);
	json_set_text(json, "kind", store_kind_name(version->kind));
	json_set_text(json, "created", time_format((time_t)version->created, created));
	json_set_uint(json, "bytes", version->bytes);
	json_set_uint(json, "new_bytes", version->new_bytes);
	if (version->kind == VERSION_TREE)
		json_set_uint(json, "files", version->files);
	return json;
}
