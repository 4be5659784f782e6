/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing records: all or none, durable, read back, and then the mark and the mirrors.
 */

#include <string.h>

#include "audit_head.h"
#include "clock.h"
#include "fault.h"
#include "log.h"

/* What becomes of one written record once the transaction is durable. */
struct written {
	uint8_t id[VAULT_ID_BYTES];
	uint64_t generation;
	time_t created;
};

/* Deletes a row from the keystore and from the index. */
static cof_result remove_row(struct index_edit *edit, struct change_set *set, const char *key,
			     uint64_t revision, struct cof_error *err)
{
	TRY(index_edit_remove(edit, key, err));
	TRY(change_set_delete(set, key, revision, err));
	return COF_OK;
}

/* Adds the removal of a record's older generations. */
static cof_result remove_history(struct vault *vault, struct index_edit *edit,
				 const struct record *record, struct change_set *set,
				 struct cof_error *err)
{
	_cleanup_(key_list_done) struct key_list history = { 0 };
	_cleanup_free_ char *prefix = NULL;

	TRY(path_format(&prefix, err, ROW_HISTORY "%s/%s/", record->kind, record->name));
	TRY(key_list_walk(vault, prefix, &history, err));
	for (size_t i = 0; i < history.count; i++)
		TRY(remove_row(edit, set, history.keys[i], KEYSTORE_ANY, err));
	return COF_OK;
}

/* Adds the removal of a record with all its generations. */
static cof_result prepare_removal(struct vault *vault, struct index_edit *edit,
				  const struct record *record, const char *key,
				  const struct row *old, struct change_set *set,
				  struct cof_error *err)
{
	if (old->found) {
		TRY(remove_row(edit, set, key, old->revision, err));
		TRY(manifest_count(&edit->manifest, record->kind, false, err));
	}
	return remove_history(vault, edit, record, set, err);
}

/* Keeps the stored generation of a record as history. */
static cof_result keep_generation(struct index_edit *edit, const struct record *record,
				  struct row *old, struct change_set *set, struct cof_error *err)
{
	_cleanup_free_ char *key = NULL;

	TRY(history_row_key(&key, record->kind, record->name, record->generation, err));
	TRY(index_edit_put(edit, key, buffer_span(&old->value), err));
	TRY(change_set_put(set, key, &old->value, 0, err));
	return COF_OK;
}

/* Adds one change of the caller's to the transaction. */
static cof_result prepare_write(struct vault *vault, struct index_edit *edit,
				const struct vault_write *write, struct change_set *set,
				struct written *ret_written, struct cof_error *err)
{
	_cleanup_free_ char *key = NULL;
	_cleanup_row_ struct row old = { 0 };
	_cleanup_buffer_ struct buffer stored = { 0 };
	struct sealed_header header = { 0 };
	struct record next = *write->record;

	TRY(record_row_key(&key, next.kind, next.name, err));
	TRY(row_get_known(vault, key, &old, err));
	if (old.found)
		TRY(sealed_parse(buffer_span(&old.value), key, &header, NULL, err));
	ENSURE(header.generation == next.generation || (write->remove && next.generation == 0), err,
	       COF_E_CONFLICT, next.name, "is stored in generation %llu, expected was %llu",
	       (unsigned long long)header.generation, (unsigned long long)next.generation);
	if (write->remove)
		return prepare_removal(vault, edit, write->record, key, &old, set, err);

	next.generation++;
	next.created = clock_now();
	memcpy(next.id, header.id, sizeof(next.id));
	if (!old.found) {
		TRY(random_bytes(next.id, sizeof(next.id), err));
		TRY(manifest_count(&edit->manifest, next.kind, true, err));
	}
	TRY(keys_seal_record(&vault->keys, &next, &stored, err));
	TRY(index_edit_put(edit, key, buffer_span(&stored), err));
	TRY(change_set_put(set, key, &stored, old.revision, err));
	if (write->keep_history && old.found)
		TRY(keep_generation(edit, write->record, &old, set, err));
	if (write->forget_history)
		TRY(remove_history(vault, edit, write->record, set, err));

	*ret_written = (struct written){ .generation = next.generation, .created = next.created };
	memcpy(ret_written->id, next.id, sizeof(next.id));
	return COF_OK;
}

/* A connection of its own, which has nothing of what was written in its cache. */
struct fresh {
	const struct keystore_engine *engine;
	struct keystore *keystore;
};

static void fresh_done(struct fresh *fresh)
{
	fresh->engine->close(fresh->keystore);
}

/* Reads one change back through another connection; a record is opened as well. */
static cof_result prove_change(struct vault *vault, struct keystore *fresh,
			       const struct keystore_change *change, struct cof_error *err)
{
	_cleanup_(record_freep) struct record *record = NULL;
	_cleanup_buffer_ struct buffer value = { 0 };
	_cleanup_free_ char *kind = NULL;
	_cleanup_free_ char *name = NULL;
	uint64_t revision = 0;
	uint64_t generation;
	bool found;

	TRY(vault->engine->get(fresh, change->key, &value, &revision, &found, err));
	ENSURE(found == (change->value.data != NULL) &&
		       (!found || ct_equal(buffer_span(&value), change->value)),
	       err, COF_E_IO, change->key, "reads back other than it was written");
	if (!found || strncmp(change->key, ROW_RECORDS, strlen(ROW_RECORDS)) != 0)
		return COF_OK;
	TRY(row_key_split(change->key, &kind, &name, &generation, err));
	return keys_open_record(&vault->keys, kind, name, buffer_span(&value), revision, &record,
				err);
}

cof_result commit_prove(struct vault *vault, const struct change_set *set, struct cof_error *err)
{
	_cleanup_(fresh_done) struct fresh fresh = { .engine = vault->engine };

	TRY(vault->engine->open(vault->keystore_path, false, &fresh.keystore, err));
	for (size_t i = 0; i < set->count; i++)
		TRY(prove_change(vault, fresh.keystore, &set->changes[i], err));
	return COF_OK;
}

/* The vault's revision after the next commit: above the stored one, and above any that was known
 * when an older keystore was accepted. */
static cof_result next_revision(const struct vault *vault, const struct index_edit *edit,
				uint64_t *ret_revision, struct cof_error *err)
{
	uint64_t newest = edit->manifest.revision;

	if (newest < vault->known_revision)
		newest = vault->known_revision;
	ENSURE(newest < UINT64_MAX, err, COF_E_FAILED, vault->paths->vault_dir,
	       "has used up its revisions");
	*ret_revision = newest + 1;
	return COF_OK;
}

void commit_follow_up(struct vault *vault)
{
	struct cof_error err = { 0 };

	/* The records are durable. A mark or mirror that stays behind is caught up with at the next
	 * unlock, commit or sync, and reported by vault_mirrors(). */
	if (cof_failed(mark_write(vault, &err)))
		log_debug("vault", "%s: %s", err.subject, err.text);
	mirrors_write(vault);
}

cof_result commit_bump(struct vault *vault, struct cof_error *err)
{
	_cleanup_(index_edit_done) struct index_edit edit = { 0 };
	_cleanup_(change_set_done) struct change_set set = { 0 };
	uint64_t revision;

	TRY(index_edit_start(vault, &edit, err));
	TRY(audit_head_put(vault, &edit, &set, err));
	TRY(next_revision(vault, &edit, &revision, err));
	TRY(index_edit_finish(&edit, revision, &set, err));
	TRY(vault->engine->commit(vault->keystore, set.changes, set.count, NULL, err));
	return COF_OK;
}

/* One line of the audit log for each record that was written. */
static void note_writes(struct vault *vault, const struct vault_write writes[], size_t count,
			const struct written written[])
{
	for (size_t i = 0; i < count; i++) {
		const struct record *record = writes[i].record;
		_cleanup_free_ char *subject = NULL;
		struct json *detail = NULL;

		if (!writes[i].remove) {
			detail = json_new_object();
			json_set_uint(detail, "generation", written[i].generation);
		}
		/* Without memory for its name, the line still says that there was a change. */
		cof_ignore(path_format(&subject, NULL, "%s/%s", record->kind, record->name));
		audit_note(vault, &(struct audit_entry){
					  .event = writes[i].remove ? AUDIT_RECORD_REMOVE
								    : AUDIT_RECORD_PUT,
					  .subject = subject,
					  .detail = detail });
	}
}

/* Commits under the lock; what was written is left in @written. */
static cof_result commit_locked(struct vault *vault, const struct vault_write writes[],
				size_t count, struct written written[], uint64_t *ret_revision,
				struct cof_error *err)
{
	_cleanup_(index_edit_done) struct index_edit edit = { 0 };
	_cleanup_(change_set_done) struct change_set set = { 0 };
	uint64_t revision;

	TRY(index_edit_start(vault, &edit, err));
	for (size_t i = 0; i < count; i++)
		TRY(prepare_write(vault, &edit, &writes[i], &set, &written[i], err));
	TRY(audit_head_put(vault, &edit, &set, err));
	TRY(next_revision(vault, &edit, &revision, err));
	TRY(index_edit_finish(&edit, revision, &set, err));
	TRY(vault->engine->commit(vault->keystore, set.changes, set.count, ret_revision, err));
	TRY(fault_point("commit/durable", err));
	TRY(commit_prove(vault, &set, err));
	return COF_OK;
}

cof_result vault_commit(struct vault *vault, const struct vault_write writes[], size_t count,
			struct cof_error *err)
{
	_cleanup_free_ struct written *written = calloc(count + 1, sizeof(*written));
	_cleanup_fd_ int lock = -1;
	uint64_t revision = 0;

	ENSURE(vault->unlocked, err, COF_E_LOCKED, vault->paths->vault_dir, "the vault is locked");
	ENSURE(written, err, COF_E_NOMEM, NULL, "no memory for %zu changes", count);
	if (count == 0)
		return COF_OK;
	TRY(vault_take_lock(vault, VAULT_LOCK_TIMEOUT_MS, &lock, err));
	TRY(commit_locked(vault, writes, count, written, &revision, err));
	note_writes(vault, writes, count, written);
	for (size_t i = 0; i < count; i++) {
		struct record *record = writes[i].record;

		if (writes[i].remove)
			continue;
		memcpy(record->id, written[i].id, sizeof(record->id));
		record->generation = written[i].generation;
		record->created = written[i].created;
		record->revision = revision;
	}
	commit_follow_up(vault);
	return COF_OK;
}
