/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The copy of a vault in a mirror, opened beside the vault.
 */

#include <string.h>

#include "shadow.h"

/* Opens the keystore of a copy, unless its place is a link or no regular file. */
static cof_result open_copy(const struct keystore_engine *engine, const struct place *place,
			    struct keystore **ret_keystore, struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;

	TRY(place_file(place, "vault.db", &path, err));
	ENSURE(place_is_plain(path), err, COF_E_NOENT, path, "is no regular file");
	return engine->open(path, false, ret_keystore, err);
}

void shadow_free(struct shadow *shadow)
{
	if (!shadow)
		return;
	vault_forget_index(&shadow->vault);
	shadow->vault.engine->close(shadow->vault.keystore);
	place_done(&shadow->place);
	free(shadow);
}

cof_result shadow_open(const struct paths *paths, const char *folder, struct shadow **ret_shadow,
		       struct cof_error *err)
{
	_cleanup_(shadow_freep) struct shadow *shadow = calloc(1, sizeof(*shadow));

	ENSURE(shadow, err, COF_E_NOMEM, folder, "no memory for a vault");
	shadow->vault.paths = paths;
	shadow->vault.engine = &keystore_sqlite;
	shadow->place = PLACE_NONE;
	TRY(place_open(folder, &shadow->place, err));
	ENSURE(shadow->place.fd >= 0, err, COF_E_NOENT, folder, "is not there");
	TRY(open_copy(shadow->vault.engine, &shadow->place, &shadow->vault.keystore, err));
	*ret_shadow = TAKE(shadow);
	return COF_OK;
}

/* Lends the keys of @vault to a copy of it that is of the same epoch. */
static bool lend_keys(struct shadow *shadow, const struct vault *vault)
{
	struct vault *copy = &shadow->vault;

	if (!vault->unlocked || copy->epoch != vault->epoch)
		return false;
	copy->keys = vault->keys;
	copy->unlocked = true;
	copy->lock_path = vault->lock_path;
	copy->keystore_path = vault->keystore_path;
	memcpy(copy->uuid, vault->uuid, sizeof(copy->uuid));
	return true;
}

/* Takes them back. */
static void return_keys(struct shadow *shadow)
{
	shadow->vault.unlocked = false;
	shadow->vault.keys = (struct keys){ 0 };
}

cof_result shadow_check_rows(struct shadow *shadow, const struct vault *vault,
			     struct cof_error *err)
{
	cof_result result;

	if (!lend_keys(shadow, vault))
		return COF_OK;
	result = vault_check_rows(&shadow->vault, NULL, err);
	if (!cof_failed(result))
		result = header_check_seal(&shadow->vault, err);
	return_keys(shadow);
	return result;
}

cof_result shadow_verify_log(struct shadow *shadow, const struct vault *vault,
			     struct audit_verdict *ret_verdict, struct cof_error *err)
{
	bool lent = lend_keys(shadow, vault);
	cof_result result;

	memcpy(shadow->vault.uuid_text, vault->uuid_text, sizeof(vault->uuid_text));
	result = audit_verify_in(&shadow->vault, shadow->place.path, ret_verdict, err);
	shadow->vault.uuid_text[0] = '\0';
	if (lent)
		return_keys(shadow);
	return result;
}
