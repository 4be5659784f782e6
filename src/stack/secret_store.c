/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Secrets of services in the vault: see secret_store.h.
 */

#include <stdio.h>
#include <string.h>

#include "fault.h"
#include "name_list.h"
#include "secret_store.h"

/* "NAMESPACE:NAME"; returns @out. */
static char *object_name(const struct service_path *path, char out[static VAULT_NAME_MAX_BYTES + 1])
{
	(void)snprintf(out, VAULT_NAME_MAX_BYTES + 1, "%s:%s", path->ns, path->name);
	return out;
}

/* "NAMESPACE:NAME:KEY". Fails: COF_E_USAGE (the key's name). */
static cof_result key_name(const struct service_path *path, const char *key,
			   char out[static VAULT_NAME_MAX_BYTES + 1], struct cof_error *err)
{
	ENSURE(service_part_is_allowed(key, SECRET_KEY_CHARS - 1), err, COF_E_USAGE, "--key",
	       "must be 1 to %d letters, digits and . _ -, and begin with a letter or a digit",
	       SECRET_KEY_CHARS - 1);
	(void)snprintf(out, VAULT_NAME_MAX_BYTES + 1, "%s:%s:%s", path->ns, path->name, key);
	return COF_OK;
}

cof_result secret_exists(struct vault *vault, const struct service_path *path, bool *ret_exists,
			 struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	char name[VAULT_NAME_MAX_BYTES + 1];

	return vault_get(vault, SECRET_OBJECT_KIND, object_name(path, name), &record, ret_exists,
			 err);
}

cof_result secret_create(struct vault *vault, const struct service_path *path, bool *ret_made,
			 struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	char name[VAULT_NAME_MAX_BYTES + 1];
	struct vault_write write = { 0 };
	bool exists;

	TRY(secret_exists(vault, path, &exists, err));
	*ret_made = !exists;
	if (exists)
		return COF_OK;
	TRY(record_new(SECRET_OBJECT_KIND, object_name(path, name), &record, err));
	write.record = record;
	TRY(vault_commit(vault, &write, 1, err));
	return fault_point("secret/created", err);
}

/* The newest generation of a key; NULL where there never was one. */
static cof_result get_record(struct vault *vault, const struct service_path *path, const char *key,
			     struct record **ret_record, struct cof_error *err)
{
	char name[VAULT_NAME_MAX_BYTES + 1];
	bool found;

	*ret_record = NULL;
	TRY(key_name(path, key, name, err));
	return vault_get(vault, SECRET_KIND, name, ret_record, &found, err);
}

/* That a key has no value, as a failure. */
static cof_result raise_missing(const struct service_path *path, const char *key, bool removed,
				struct cof_error *err)
{
	char text[SERVICE_PATH_CHARS];

	cof_ignore(cof_raise(err, COF_E_NOENT, service_path_format(path, text), "has no key %s%s",
			     key, removed ? " any more: it was removed" : ""));
	if (removed)
		cof_error_try(err, "coffer secret restore %s --key %s", text, key);
	else
		cof_error_try(err, "coffer secret keys %s", text);
	return (cof_result){ COF_E_NOENT };
}

/* Commits a record, with its object where that is missing. */
static cof_result commit(struct vault *vault, const struct service_path *path,
			 struct record *record, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *object = NULL;
	char name[VAULT_NAME_MAX_BYTES + 1];
	struct vault_write writes[2] = { { .record = record, .keep_history = true } };
	bool exists;

	TRY(secret_exists(vault, path, &exists, err));
	if (!exists) {
		TRY(record_new(SECRET_OBJECT_KIND, object_name(path, name), &object, err));
		writes[1].record = object;
	}
	TRY(vault_commit(vault, writes, exists ? 1 : 2, err));
	return fault_point("secret/durable", err);
}

/* A record that can be committed as the next generation. */
static cof_result get_or_new(struct vault *vault, const struct service_path *path, const char *key,
			     struct record **ret_record, struct cof_error *err)
{
	char name[VAULT_NAME_MAX_BYTES + 1];

	TRY(get_record(vault, path, key, ret_record, err));
	if (*ret_record)
		return COF_OK;
	TRY(key_name(path, key, name, err));
	return record_new(SECRET_KIND, name, ret_record, err);
}

/* That a key has a value, or has none. @record: NULL: there never was one. */
static cof_result check_put(const struct record *record, const struct service_path *path,
			    const char *key, enum secret_put how, struct cof_error *err)
{
	bool has = record && record->secret;
	char text[SERVICE_PATH_CHARS];

	if (how == SECRET_CHANGE && !has)
		return raise_missing(path, key, record && record->generation > 0, err);
	if (how == SECRET_CHANGE || !has)
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_REFUSED, service_path_format(path, text),
			     "has a key %s already", key));
	cof_error_try(err, "coffer secret change %s --key %s", text, key);
	return (cof_result){ COF_E_REFUSED };
}

cof_result secret_check_put(struct vault *vault, const struct service_path *path, const char *key,
			    enum secret_put how, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;

	TRY(get_record(vault, path, key, &record, err));
	return check_put(record, path, key, how, err);
}

cof_result secret_put(struct vault *vault, const struct service_path *path, const char *key,
		      enum secret_put how, const struct slot_secret *value, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;

	ENSURE(value->secret.len <= SECRET_VALUE_MAX_BYTES, err, COF_E_USAGE, key,
	       "has %zu bytes, may have %d", value->secret.len, SECRET_VALUE_MAX_BYTES);
	TRY(get_or_new(vault, path, key, &record, err));
	TRY(check_put(record, path, key, how, err));
	secret_free(TAKE(record->secret));
	TRY(secret_copy(slot_secret_span(value), &record->secret, err));
	return commit(vault, path, record, err);
}

cof_result secret_get(struct vault *vault, const struct service_path *path, const char *key,
		      struct slot_secret **ret_value, bool *ret_found, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;

	TRY(get_record(vault, path, key, &record, err));
	*ret_found = record && record->secret;
	return *ret_found ? slot_secret_copy(secret_span(record->secret), ret_value, err) : COF_OK;
}

cof_result secret_keys(struct vault *vault, const struct service_path *path, char ***ret_keys,
		       struct cof_error *err)
{
	_cleanup_(vault_names_freep) char **names = NULL;
	_cleanup_(name_list_freep) char **keys = NULL;
	char prefix[VAULT_NAME_MAX_BYTES + 2];
	size_t len;

	TRY(name_list_new(&keys, err));
	(void)object_name(path, prefix);
	len = strlen(prefix);
	prefix[len++] = ':';
	TRY(vault_names(vault, SECRET_KIND, &names, err));
	for (size_t i = 0; names[i]; i++) {
		_cleanup_(record_freep) struct record *record = NULL;
		bool found;

		if (strncmp(names[i], prefix, len) != 0)
			continue;
		TRY(vault_get(vault, SECRET_KIND, names[i], &record, &found, err));
		if (found && record->secret)
			TRY(name_list_add(&keys, names[i] + len, err));
	}
	name_list_sort(keys);
	*ret_keys = TAKE(keys);
	return COF_OK;
}

cof_result secret_remove(struct vault *vault, const struct service_path *path, const char *key,
			 struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;

	TRY(get_record(vault, path, key, &record, err));
	if (!record || !record->secret)
		return raise_missing(path, key, record != NULL, err);
	secret_free(TAKE(record->secret));
	return commit(vault, path, record, err);
}

/* What a walk over a key's generations looks for. */
struct search {
	struct secret *last;
};

/* vault_each_generation()'s visitor: keeps the newest value. */
static cof_result keep_last(const struct record *record, void *context, struct cof_error *err)
{
	struct search *search = context;

	if (search->last || !record->secret)
		return COF_OK;
	return secret_copy(secret_span(record->secret), &search->last, err);
}

cof_result secret_restore(struct vault *vault, const struct service_path *path, const char *key,
			  struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	struct search search = { 0 };
	cof_result walked;

	TRY(get_record(vault, path, key, &record, err));
	if (!record)
		return raise_missing(path, key, false, err);
	ENSURE(!record->secret, err, COF_E_REFUSED, key, "has a value, and was not removed");
	walked = vault_each_generation(vault, SECRET_KIND, record->name, keep_last, &search, err);
	if (cof_failed(walked)) {
		secret_free(search.last);
		return walked;
	}
	record->secret = search.last;
	if (!record->secret)
		return raise_missing(path, key, false, err);
	return commit(vault, path, record, err);
}

cof_result secret_destroy(struct vault *vault, const struct service_path *path, const char *key,
			  struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	struct vault_write write = { .remove = true };

	TRY(get_record(vault, path, key, &record, err));
	if (!record)
		return COF_OK;
	write.record = record;
	TRY(vault_commit(vault, &write, 1, err));
	return fault_point("secret/destroyed", err);
}
