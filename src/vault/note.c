/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "note.h"

#include "internal.h"

cof_result note_put(struct vault *vault, const char *name, const struct json *note,
		    struct cof_error *err)
{
	_cleanup_free_ char *text = json_format(note);
	_cleanup_free_ char *key = NULL;
	_cleanup_fd_ int lock = -1;
	struct keystore_change change = { .value = span_of_text(text),
					  .expected_revision = KEYSTORE_ANY };

	TRY(path_format(&key, err, ROW_NOTES "%s", name));
	change.key = key;
	TRY(vault_take_lock(vault, VAULT_LOCK_TIMEOUT_MS, &lock, err));
	return vault->engine->commit(vault->keystore, &change, 1, NULL, err);
}

cof_result note_get(struct vault *vault, const char *name, struct json **ret_note,
		    struct cof_error *err)
{
	_cleanup_free_ char *key = NULL;
	_cleanup_row_ struct row row = { 0 };

	TRY(path_format(&key, err, ROW_NOTES "%s", name));
	TRY(row_get(vault, key, &row, err));
	/* Who can write the keystore may have put anything there. */
	if (!row.found || cof_failed(json_parse(buffer_span(&row.value), key, ret_note, NULL)))
		*ret_note = NULL;
	return COF_OK;
}
