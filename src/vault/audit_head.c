/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the keystore knows of the audit log, and comparing the two.
 */

#include <string.h>

#include "audit_file.h"
#include "audit_head.h"
#include "file.h"
#include "number.h"

#define FILE_MAX_BYTES (64u << 20)
#define LOOK_FILES     2 /* half a second of work for each */

/* Reads a stored note. */
static cof_result decode(struct span value, uint64_t *ret_seq, struct audit_chain *ret_chain,
			 struct cof_error *err)
{
	_cleanup_json_ struct json *head = NULL;
	const char *chain;

	TRY(json_parse(value, ROW_AUDIT, &head, err));
	chain = json_get_text(head, "chain");
	*ret_seq = json_get_uint(head, "seq", 0);
	ENSURE(chain && *ret_seq > 0, err, COF_E_FORMAT, ROW_AUDIT, "names no line of the log");
	return hex_parse(chain, ret_chain->bytes, SHA256_BYTES, err);
}

cof_result audit_head_get(struct vault *vault, uint64_t *ret_seq, struct audit_chain *ret_chain,
			  bool *ret_found, struct cof_error *err)
{
	_cleanup_row_ struct row row = { 0 };

	TRY(row_get_known(vault, ROW_AUDIT, &row, err));
	if (row.found)
		TRY(decode(buffer_span(&row.value), ret_seq, ret_chain, err));
	*ret_found = row.found;
	return COF_OK;
}

/* Puts the note into a transaction. */
static cof_result put(uint64_t seq, const struct audit_chain *chain, struct index_edit *edit,
		      struct change_set *set, struct cof_error *err)
{
	_cleanup_json_ struct json *head = json_new_object();
	_cleanup_buffer_ struct buffer value = { 0 };
	_cleanup_free_ char *text = NULL;
	char hex[2 * SHA256_BYTES + 1];

	json_set_uint(head, "seq", seq);
	json_set_text(head, "chain", hex_format(chain->bytes, SHA256_BYTES, hex));
	text = json_format(head);
	ENSURE(text, err, COF_E_NOMEM, ROW_AUDIT, "no memory for a note");
	TRY(buffer_add(&value, text, strlen(text), err));
	TRY(index_edit_put(edit, ROW_AUDIT, buffer_span(&value), err));
	return change_set_put(set, ROW_AUDIT, &value, KEYSTORE_ANY, err);
}

/* That the log still holds the line that was noted last. */
static cof_result check_noted(const struct vault *vault, uint64_t seq,
			      const struct audit_chain *noted, struct cof_error *err)
{
	_cleanup_fd_ int lock = -1;
	struct audit_chain chain;
	cof_result result;
	bool found = false;

	TRY(audit_lock(vault->paths->vault_dir, &lock, err));
	TRY(audit_find(vault->paths->vault_dir, seq, &chain, &found, err));
	if (found && audit_chain_equal(&chain, noted))
		return COF_OK;
	result = cof_raise(err, COF_E_AUTH, "audit log",
			   found ? "line %llu is not the one that the keystore knows"
				 : "line %llu, which the keystore knows, is missing",
			   (unsigned long long)seq);
	cof_error_try(err, "coffer audit --verify");
	return result;
}

cof_result audit_head_put(struct vault *vault, struct index_edit *edit, struct change_set *set,
			  struct cof_error *err)
{
	struct audit_chain noted;
	struct audit_chain chain;
	struct cof_error problem = { 0 };
	uint64_t noted_seq = 0;
	uint64_t seq;
	bool found = false;
	bool any = false;
	cof_result result;

	TRY(audit_head_get(vault, &noted_seq, &noted, &found, err));
	result = audit_seal_log(vault, &seq, &chain, &any, &problem);
	if (!cof_failed(result) && found)
		result = check_noted(vault, noted_seq, &noted, &problem);
	if (cof_failed(result))
		audit_problem(&problem);
	if (!cof_failed(result) && any)
		return put(seq, &chain, edit, set, err);
	/* A transaction that makes the whole index anew keeps the note that there was. */
	return found ? put(noted_seq, &noted, edit, set, err) : COF_OK;
}

/* Whether the log ends where the keystore says. */
static bool is_kept(struct vault *vault)
{
	struct audit_chain noted;
	struct audit_tail tail;
	uint64_t seq = 0;
	bool found = false;

	return !cof_failed(audit_head_get(vault, &seq, &noted, &found, NULL)) && found &&
	       !cof_failed(audit_tail_read(vault->paths->vault_dir, &tail, NULL)) &&
	       audit_chain_equal(&tail.chain, &noted);
}

void audit_keep(struct vault *vault)
{
	struct cof_error problem = { 0 };
	_cleanup_fd_ int lock = -1;
	cof_result result;

	if (!vault->unlocked || is_kept(vault))
		return;
	result = vault_take_lock(vault, VAULT_LOCK_TIMEOUT_MS, &lock, &problem);
	if (!cof_failed(result))
		result = commit_bump(vault, &problem);
	if (cof_failed(result))
		audit_problem(&problem);
	else
		commit_follow_up(vault);
}

/* Visits the files of the log in a folder, from number @first on. */
static cof_result each_file_in(const char *folder, size_t first, audit_visit visit, void *context,
			       struct cof_error *err)
{
	_cleanup_(vault_names_freep) char **names = NULL;
	size_t count;

	TRY(audit_files(folder, &names, &count, err));
	for (size_t i = first; i < count; i++) {
		_cleanup_buffer_ struct buffer content = { 0 };
		_cleanup_free_ char *path = NULL;

		TRY(path_format(&path, err, "%s/%s", folder, names[i]));
		TRY(file_read_plain(path, FILE_MAX_BYTES, &content, err));
		TRY(visit(names[i], buffer_span(&content), context, err));
	}
	return COF_OK;
}

/* Keeps writers away. A folder that cannot be written to has none. */
static cof_result lock_to_read(const char *folder, int *ret_fd, struct cof_error *err)
{
	cof_result locked = audit_lock(folder, ret_fd, err);

	return locked.code == COF_E_BUSY ? locked : COF_OK;
}

cof_result audit_each_file(const struct vault *vault, audit_visit visit, void *context,
			   struct cof_error *err)
{
	_cleanup_fd_ int lock = -1;

	TRY(lock_to_read(vault->paths->vault_dir, &lock, err));
	return each_file_in(vault->paths->vault_dir, 0, visit, context, err);
}

/* audit_each_file()'s visitor. */
static cof_result check_file(const char *file, struct span content, void *context,
			     struct cof_error *err)
{
	return audit_check_file(context, file, content, err);
}

/* What the keystore notes; of a locked vault as it stands there. */
static cof_result read_noted(struct vault *vault, struct audit_known *known, struct cof_error *err)
{
	_cleanup_row_ struct row row = { 0 };

	if (vault->unlocked)
		return audit_head_get(vault, &known->head_seq, &known->head, &known->has_head, err);
	TRY(row_get(vault, ROW_AUDIT, &row, err));
	if (row.found)
		TRY(decode(buffer_span(&row.value), &known->head_seq, &known->head, err));
	known->has_head = row.found;
	return COF_OK;
}

/* Checks the files of the log in a folder, from number @first on. */
static cof_result verify_from(struct vault *vault, const char *folder, size_t first,
			      struct audit_verdict *ret_verdict, struct cof_error *err)
{
	_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;
	struct audit_known known = { .vault = vault->uuid_text,
				     .partial = first > 0,
				     .epoch = vault->epoch };
	struct audit_check check;

	if (vault->unlocked)
		TRY(audit_seal_key(vault, &key, err));
	known.key = key;
	TRY(read_noted(vault, &known, err));
	audit_check_start(&check, &known);
	TRY(each_file_in(folder, first, check_file, &check, err));
	audit_check_end(&check);
	*ret_verdict = check.verdict;
	return COF_OK;
}

cof_result audit_verify_in(struct vault *vault, const char *folder,
			   struct audit_verdict *ret_verdict, struct cof_error *err)
{
	return verify_from(vault, folder, 0, ret_verdict, err);
}

cof_result audit_look(struct vault *vault, struct audit_verdict *ret_verdict, struct cof_error *err)
{
	_cleanup_(vault_names_freep) char **names = NULL;
	_cleanup_fd_ int lock = -1;
	size_t count;

	TRY(lock_to_read(vault->paths->vault_dir, &lock, err));
	TRY(audit_files(vault->paths->vault_dir, &names, &count, err));
	return verify_from(vault, vault->paths->vault_dir,
			   count > LOOK_FILES ? count - LOOK_FILES : 0, ret_verdict, err);
}

cof_result audit_verify(struct vault *vault, struct audit_verdict *ret_verdict,
			struct cof_error *err)
{
	_cleanup_fd_ int lock = -1;

	ENSURE(vault->unlocked, err, COF_E_LOCKED, vault->paths->vault_dir, "the vault is locked");
	TRY(lock_to_read(vault->paths->vault_dir, &lock, err));
	return audit_verify_in(vault, vault->paths->vault_dir, ret_verdict, err);
}

/* Notes the end of the log, whatever was noted before. The vault's lock is held. */
static cof_result note_anew(struct vault *vault, struct cof_error *err)
{
	_cleanup_(index_edit_done) struct index_edit edit = { 0 };
	_cleanup_(change_set_done) struct change_set set = { 0 };
	struct audit_chain chain;
	uint64_t seq;
	bool any;

	TRY(audit_seal_log(vault, &seq, &chain, &any, err));
	TRY(index_edit_start(vault, &edit, err));
	TRY(put(seq, &chain, &edit, &set, err));
	TRY(index_edit_finish(&edit, edit.manifest.revision + 1, &set, err));
	TRY(vault->engine->commit(vault->keystore, set.changes, set.count, NULL, err));
	commit_follow_up(vault);
	return COF_OK;
}

/* Begins a new log with a number that was never used. */
static cof_result begin_anew(struct vault *vault, struct cof_error *err)
{
	const char *folder = vault->paths->vault_dir;
	struct audit_chain chain;
	struct audit_tail tail;
	_cleanup_fd_ int lock = -1;
	uint64_t noted = 0;
	bool found;

	TRY(audit_lock(folder, &lock, err));
	TRY(audit_tail_read(folder, &tail, err));
	TRY(audit_head_get(vault, &noted, &chain, &found, err));
	TRY(audit_set_aside(folder, "damaged", err));
	return audit_begin(folder, vault->uuid_text,
			   (noted > tail.last.seq ? noted : tail.last.seq) + 1, err);
}

/* What is wrong with a log, for the one that follows it. */
static struct json *verdict_detail(const struct audit_verdict *verdict)
{
	struct json *detail = json_new_object();

	json_set_text(detail, "fault", audit_fault_name(verdict->fault));
	json_set_text(detail, "file", verdict->file);
	json_set_uint(detail, "line", verdict->line);
	json_set_text(detail, "text", verdict->text);
	return detail;
}

cof_result audit_accept(struct vault *vault, const struct audit_verdict *verdict,
			struct cof_error *err)
{
	_cleanup_fd_ int lock = -1;

	TRY(vault_take_lock(vault, VAULT_LOCK_TIMEOUT_MS, &lock, err));
	TRY(begin_anew(vault, err));
	TRY(audit_write(vault,
			&(struct audit_entry){ .event = AUDIT_ACCEPT,
					       .detail = verdict_detail(verdict) },
			err));
	return note_anew(vault, err);
}
