/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "tape_volume.h"

#define FORM_BAREOS "bareos" /* the secret is a passphrase of 32 characters */

static const char *const policies[] = {
	[POLICY_MUST] = "must",
	[POLICY_MAY] = "may",
	[POLICY_NEVER] = "never",
};

const char *tape_policy_name(enum tape_policy policy)
{
	return policies[policy];
}

cof_result tape_policy_parse(const char *text, enum tape_policy *ret_policy, struct cof_error *err)
{
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		if (strcmp(policies[i], text) != 0)
			continue;
		*ret_policy = (enum tape_policy)i;
		return COF_OK;
	}
	FAIL(err, COF_E_USAGE, text, "is no policy: must, may or never");
}

/* Copies a text of @meta; missing is "". */
static cof_result take_text(const struct json *meta, const char *key, char *out,
			    size_t out_size_bytes, struct cof_error *err)
{
	const char *value = json_get_text(meta, key);

	ENSURE(!value || strlen(value) < out_size_bytes, err, COF_E_FORMAT, key,
	       "is %zu bytes long, at most %zu fit", strlen(value), out_size_bytes - 1);
	(void)snprintf(out, out_size_bytes, "%s", value ? value : "");
	return COF_OK;
}

cof_result tape_volume_from_meta(const struct json *meta, const char *name,
				 struct tape_volume *ret_volume, struct cof_error *err)
{
	struct tape_volume volume = { 0 };
	const char *policy = json_get_text(meta, "policy");
	uint8_t id[KEY_ID_BYTES];

	(void)snprintf(volume.name, sizeof(volume.name), "%s", name);
	TRY(take_text(meta, "key", volume.key, sizeof(volume.key), err));
	TRY(take_text(meta, "barcode", volume.barcode, sizeof(volume.barcode), err));
	TRY(take_text(meta, "serial", volume.serial, sizeof(volume.serial), err));
	volume.ready = json_get_bool(meta, "ready", false);
	ENSURE(policy && !cof_failed(tape_policy_parse(policy, &volume.policy, NULL)), err,
	       COF_E_FORMAT, name, "its record has no policy that this coffer knows");
	ENSURE(volume.policy == POLICY_NEVER || key_id_parse(volume.key, id), err, COF_E_FORMAT,
	       name, "its record names no key");
	*ret_volume = volume;
	return COF_OK;
}

struct json *tape_volume_to_meta(const struct tape_volume *volume)
{
	struct json *meta = json_new_object();

	json_set_text(meta, "key", volume->key);
	json_set_text(meta, "policy", tape_policy_name(volume->policy));
	json_set_bool(meta, "ready", volume->ready);
	json_set_text(meta, "barcode", volume->barcode);
	json_set_text(meta, "serial", volume->serial);
	return meta;
}

cof_result tape_volume_check(const char *name, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;

	return cof_explain(record_new(TAPE_KIND, name, &record, err), err,
			   "the cartridge's barcode as its name",
			   "this cannot be the name of a volume");
}

cof_result tape_volume_get(struct vault *vault, const char *name, struct tape_volume *ret_volume,
			   struct record **ret_record, bool *ret_found, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;

	TRY(vault_get(vault, TAPE_KIND, name, &record, ret_found, err));
	if (*ret_found)
		TRY(tape_volume_from_meta(record->meta, name, ret_volume, err));
	if (ret_record)
		*ret_record = TAKE(record);
	return COF_OK;
}

/* The record of a new key. */
static cof_result make_key(const struct tape_volume *volume, const struct tape_key *key,
			   struct record **ret_record, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;

	TRY(record_new(TAPE_KEY_KIND, volume->key, &record, err));
	json_set_text(record->meta, "volume", volume->name);
	TRY(secret_copy(tape_key_span(key), &record->secret, err));
	*ret_record = TAKE(record);
	return COF_OK;
}

cof_result tape_volume_put(struct vault *vault, struct record *record,
			   const struct tape_volume *volume, const struct tape_key *key,
			   struct cof_error *err)
{
	_cleanup_(record_freep) struct record *fresh = NULL;
	_cleanup_(record_freep) struct record *key_record = NULL;
	struct vault_write writes[2] = { 0 };
	size_t count = 0;

	if (!record) {
		TRY(record_new(TAPE_KIND, volume->name, &fresh, err));
		record = fresh;
	}
	json_free(record->meta);
	record->meta = tape_volume_to_meta(volume);
	if (key) {
		TRY(make_key(volume, key, &key_record, err));
		writes[count++] = (struct vault_write){ .record = key_record };
	}
	writes[count++] = (struct vault_write){ .record = record, .keep_history = key != NULL };
	return vault_commit(vault, writes, count, err);
}

cof_result tape_import_bareos(struct tape_volume *volume,
			      const struct bareos_passphrase *passphrase, struct record **ret_key,
			      struct record **ret_volume, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *key = NULL;
	_cleanup_(record_freep) struct record *record = NULL;
	_cleanup_secret_ struct secret *id = NULL;

	TRY(secret_random(KEY_ID_BYTES, &id, err));
	(void)key_id_format(id->data, volume->key);
	TRY(record_new(TAPE_KEY_KIND, volume->key, &key, err));
	json_set_text(key->meta, "volume", volume->name);
	json_set_text(key->meta, "form", FORM_BAREOS);
	TRY(secret_copy(bareos_passphrase_span(passphrase), &key->secret, err));
	TRY(record_new(TAPE_KIND, volume->name, &record, err));
	json_free(record->meta);
	record->meta = tape_volume_to_meta(volume);

	*ret_key = TAKE(key);
	*ret_volume = TAKE(record);
	return COF_OK;
}

/* Whether the secret of a key's record is a passphrase of Bareos. */
static bool is_bareos(const struct record *record)
{
	const char *form = json_get_text(record->meta, "form");

	return form && strcmp(form, FORM_BAREOS) == 0;
}

/* The key that a drive gets, from a key's record. */
static cof_result key_of(const struct record *record, struct tape_key **ret_key,
			 struct cof_error *err)
{
	_cleanup_(bareos_passphrase_freep) struct bareos_passphrase *passphrase = NULL;

	ENSURE(record->secret && record->secret->len == TAPE_KEY_BYTES, err, COF_E_FORMAT,
	       record->name, "its record has no key of %d bytes", TAPE_KEY_BYTES);
	if (!is_bareos(record))
		return tape_key_copy(secret_span(record->secret), ret_key, err);
	TRY(bareos_passphrase_copy(secret_span(record->secret), &passphrase, err));
	return bareos_drive_key(passphrase, ret_key, err);
}

cof_result tape_passphrase_get(struct vault *vault, const char *id,
			       struct bareos_passphrase **ret_passphrase, time_t *ret_created,
			       bool *ret_found, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;

	TRY(vault_get(vault, TAPE_KEY_KIND, id, &record, ret_found, err));
	*ret_found = *ret_found && is_bareos(record) && record->secret;
	if (!*ret_found)
		return COF_OK;
	*ret_created = record->created;
	return bareos_passphrase_copy(secret_span(record->secret), ret_passphrase, err);
}

/* The whole id of which @start is the beginning; not found leaves "". */
static cof_result complete_id(struct vault *vault, const char *start,
			      char ret_id[static KEY_ID_CHARS + 1], struct cof_error *err)
{
	_cleanup_(vault_names_freep) char **names = NULL;

	ret_id[0] = '\0';
	TRY(vault_names(vault, TAPE_KEY_KIND, &names, err));
	for (size_t i = 0; names[i]; i++) {
		if (strncmp(names[i], start, strlen(start)) != 0 ||
		    strlen(names[i]) != KEY_ID_CHARS)
			continue;
		ENSURE(!ret_id[0], err, COF_E_CONFLICT, start,
		       "is the beginning of two keys: %s and %s", ret_id, names[i]);
		memcpy(ret_id, names[i], KEY_ID_CHARS + 1);
	}
	return COF_OK;
}

cof_result tape_key_get(struct vault *vault, const char *id, struct tape_key **ret_key,
			char ret_id[static KEY_ID_CHARS + 1],
			char ret_volume[static VAULT_NAME_MAX_BYTES + 1], bool *ret_found,
			struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;

	(void)snprintf(ret_id, KEY_ID_CHARS + 1, "%s", id);
	*ret_found = false;
	if (strlen(id) < KEY_ID_CHARS)
		TRY(complete_id(vault, id, ret_id, err));
	if (!ret_id[0])
		return COF_OK;
	TRY(vault_get(vault, TAPE_KEY_KIND, ret_id, &record, ret_found, err));
	if (!*ret_found)
		return COF_OK;
	TRY(take_text(record->meta, "volume", ret_volume, VAULT_NAME_MAX_BYTES + 1, err));
	return key_of(record, ret_key, err);
}
