/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "note.h"

#include "internal.h"

/* The records of a keystore as they are counted; @changed: above the revision @since. */
struct tally {
	uint64_t since;
	uint64_t records;
	uint64_t changed;
};

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

/* A keystore_visit with a struct tally. */
static cof_result count_record(const char *key, struct span value, uint64_t revision, void *context,
			       struct cof_error *err)
{
	struct tally *tally = context;

	(void)key;
	(void)value;
	(void)err;
	tally->records++;
	tally->changed += revision > tally->since;
	return COF_OK;
}

/* Counts all records. */
static cof_result count_records(struct vault *vault, struct tally *tally, struct cof_error *err)
{
	ENSURE(vault->keystore, err, COF_E_FORMAT, vault->keystore_path,
	       "the keystore is missing or damaged");
	TRY(vault->engine->walk(vault->keystore, ROW_RECORDS, count_record, tally, err));
	return COF_OK;
}

cof_result note_stand_read(struct vault *vault, struct note_stand *ret_stand, struct cof_error *err)
{
	struct tally tally = { 0 };
	uint64_t store;

	TRY(count_records(vault, &tally, err));
	TRY(vault->engine->revision(vault->keystore, &store, err));
	*ret_stand = (struct note_stand){ .store = store, .records = tally.records };
	return COF_OK;
}

/* As note_changes_since(), of a note that has no stand. */
static cof_result by_revision(struct vault *vault, const struct json *note,
			      struct note_changes *ret_changes, struct cof_error *err)
{
	uint64_t before = json_get_uint(note, "revision", 0);
	uint64_t now;

	TRY(sealed_revision(vault, &now, err));
	*ret_changes = (struct note_changes){ .records = now > before ? now - before : 0 };
	return COF_OK;
}

cof_result note_changes_since(struct vault *vault, const struct json *note,
			      struct note_changes *ret_changes, struct cof_error *err)
{
	struct tally tally = { .since = json_get_uint(note, "store", 0) };
	uint64_t before = json_get_uint(note, "records", 0);
	_cleanup_row_ struct row header = { 0 };

	if (tally.since == 0)
		return by_revision(vault, note, ret_changes, err);
	TRY(count_records(vault, &tally, err));
	TRY(row_get(vault, ROW_HEADER, &header, err));
	/* What was removed has no row; as many as are fewer were. */
	if (before > tally.records)
		tally.changed += before - tally.records;
	*ret_changes = (struct note_changes){ .records = tally.changed,
					      .header = header.revision > tally.since };
	return COF_OK;
}
