/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A vault that does not open, as far as it can be shown.
 */

#include <string.h>

#include "internal.h"

/* Opens what there is of a damaged vault, and changes nothing. */
static cof_result open_parts(const struct paths *paths, struct vault **ret_vault,
			     struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;
	bool found;

	TRY(vault_new(paths, &vault, err));
	/* What cannot be had is not shown; vault_open() has told why. */
	cof_ignore(vault_read_header(vault, NULL));
	if (path_exists(vault->keystore_path))
		cof_ignore(
			vault->engine->open(vault->keystore_path, false, &vault->keystore, NULL));
	if (vault->uuid_text[0] == '\0')
		cof_ignore(vault_uuid_from_keystore(vault, NULL));
	cof_ignore(identity_epoch(vault, &vault->epoch, NULL, &found, NULL));

	*ret_vault = TAKE(vault);
	return COF_OK;
}

cof_result vault_look(const struct paths *paths, struct vault **ret_vault,
		      struct cof_error *ret_finding, struct cof_error *err)
{
	struct cof_error finding = { 0 };
	cof_result opened = vault_open(paths, ret_vault, &finding);

	if (opened.code == COF_E_FORMAT || opened.code == COF_E_AUTH) {
		TRY(open_parts(paths, ret_vault, err));
	} else if (cof_failed(opened)) {
		if (err)
			*err = finding;
		return opened;
	}
	*ret_finding = finding;
	return COF_OK;
}

cof_result vault_explain_damage(const struct paths *paths, cof_result result, struct cof_error *err)
{
	_cleanup_(vault_closep) struct vault *vault = NULL;

	if (!err || err->remedy[0] != '\0' ||
	    (result.code != COF_E_FORMAT && result.code != COF_E_AUTH) ||
	    cof_failed(vault_new(paths, &vault, NULL)) ||
	    strcmp(err->subject, vault->keystore_path) != 0)
		return result;
	/* The UUID names the copies. */
	cof_ignore(vault_read_header(vault, NULL));
	return copy_try_newest(vault, result, err);
}

cof_result vault_check_keystore(struct vault *vault, struct cof_error *err)
{
	ENSURE(vault->keystore, err, COF_E_FORMAT, vault->keystore_path,
	       "the keystore is missing or damaged");
	return copy_try_newest(vault, vault->engine->check(vault->keystore, err), err);
}

cof_result vault_locate(struct vault *vault, const char *kind, const char *name,
			struct vault_position *ret_position, struct cof_error *err)
{
	struct vault_position position = { .epoch = vault->epoch };
	_cleanup_row_ struct row row = { 0 };
	_cleanup_free_ char *key = NULL;
	struct sealed_header header;

	TRY(sealed_revision(vault, &position.revision, err));
	TRY(record_row_key(&key, kind, name, err));
	TRY(row_get(vault, key, &row, err));
	if (row.found) {
		TRY(sealed_parse(buffer_span(&row.value), key, &header, NULL, err));
		TRY(sha256(buffer_span(&row.value), position.digest, err));
		position.generation = header.generation;
	}
	*ret_position = position;
	return COF_OK;
}
