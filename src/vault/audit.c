/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing the audit log: entries, and the seals that end what a command has written.
 */

#include <stdio.h>
#include <string.h>

#include "audit_file.h"
#include "audit_head.h"
#include "fault.h"
#include "journal.h"
#include "number.h"

/* What one process has to say of its entries; a vault is for one thread at a time, and each entry
 * is written by the thread that has the vault. */
static const char *verb_run;
static enum cof_code noted_code;
static bool has_problem;
static struct cof_error first_problem;

/* MESSAGE_ID of each class of events, made with `systemd-id128 new`. */
static const struct {
	const char *prefix;
	const char *id;
} message_ids[] = {
	{ "vault.", "6f1e3c0e9b7a4a7d8a53c1b4b0d0f6a1" },
	{ "record.", "b3a0a3f4c2d14d0f9c1f8f2f4f7d5e12" },
	{ "key.", "2d9b6e57e0c94c5db6b1a4a52f0b7c93" },
	{ "disk.", "c8f2a7d1375e4f1ba0e96d3b8c4e2a54" },
	{ "audit.", "91d47b6cf8304e0c8d7f5a2e6b1c3d05" },
	{ "", "e4a85f1c0b6d4972a3f8d27c5e9b1046" },
};

void audit_set_verb(const char *verb)
{
	verb_run = verb;
}

enum cof_code audit_noted_code(void)
{
	return noted_code;
}

void audit_problem(const struct cof_error *problem)
{
	if (!has_problem)
		first_problem = *problem;
	has_problem = true;
}

bool audit_take_problem(struct cof_error *ret_problem)
{
	bool had = has_problem;

	if (had)
		*ret_problem = first_problem;
	has_problem = false;
	return had;
}

/* What became of it, as the line says it. */
static const char *result_of(const struct audit_entry *entry)
{
	if (entry->started)
		return "started";
	if (!entry->why || entry->why->code == COF_E_NONE)
		return "done";
	return entry->why->code == COF_E_REFUSED ? "refused" : "failed";
}

/* The same entry for the journal; @item: what was written, or NULL. */
static void tell_journal(const struct audit_text *text, const struct audit_item *item,
			 const struct cof_error *why)
{
	char message[1024];
	char seq[24] = "";
	char chain[2 * SHA256_BYTES + 1] = "";
	size_t class = 0;

	while (strncmp(text->event, message_ids[class].prefix,
		       strlen(message_ids[class].prefix)) != 0)
		class++;
	(void)snprintf(message, sizeof(message), "%s%s%s: %s%s%s", text->event,
		       text->subject ? " " : "", text->subject ? text->subject : "", text->result,
		       why ? ": " : "", why ? why->text : "");
	if (item) {
		(void)snprintf(seq, sizeof(seq), "%llu", (unsigned long long)item->seq);
		(void)hex_format(item->own.bytes, SHA256_BYTES, chain);
	}
	journal_send(
		(const struct journal_field[]){
			{ "MESSAGE", message },
			{ "MESSAGE_ID", message_ids[class].id },
			{ "COFFER_EVENT", text->event },
			{ "COFFER_SUBJECT", text->subject },
			{ "COFFER_RESULT", text->result },
			{ "COFFER_CODE", text->code },
			{ "COFFER_SEQ", item ? seq : NULL },
			{ "COFFER_CHAIN", item ? chain : NULL },
			{ "COFFER_VERB", verb_run },
		},
		9, why != NULL);
}

/* Appends a line to a log in the folder, if there is one or @vault begins it. */
static cof_result append(const char *folder, const char *vault, const struct audit_text *text,
			 struct audit_item *ret_item, struct cof_error *err)
{
	_cleanup_fd_ int lock = -1;

	TRY(audit_lock(folder, &lock, err));
	return audit_append(folder, vault, text, NULL, ret_item, err);
}

/* Writes one entry to the log in @folder, unless that is NULL, and to the journal. */
static cof_result write_entry(const char *folder, const char *vault,
			      const struct audit_entry *entry, struct cof_error *err)
{
	_cleanup_json_ struct json *detail = entry->detail;
	_cleanup_json_ struct json *who = audit_who(verb_run);
	const struct cof_error *why =
		entry->why && entry->why->code != COF_E_NONE ? entry->why : NULL;
	struct audit_text text = { .event = entry->event,
				   .subject = entry->subject,
				   .result = result_of(entry),
				   .code = why ? cof_code_name(why->code) : NULL,
				   .who = who };
	struct audit_item item;
	cof_result result = COF_OK;

	if (why && !detail)
		detail = json_new_object();
	if (why)
		json_set_text(detail, "reason", why->text);
	text.detail = detail;
	if (why)
		noted_code = why->code;
	if (folder)
		result = append(folder, vault, &text, &item, err);
	tell_journal(&text, folder && !cof_failed(result) ? &item : NULL, why);
	return result;
}

cof_result audit_write(struct vault *vault, const struct audit_entry *entry, struct cof_error *err)
{
	TRY(cof_explain(write_entry(vault->paths->vault_dir, vault->uuid_text, entry, err), err,
			NULL, "%s cannot be written to the audit log", entry->event));
	vault->audit.written = true;
	return COF_OK;
}

void audit_note(struct vault *vault, const struct audit_entry *entry)
{
	struct cof_error problem = { 0 };

	if (!vault)
		cof_ignore(write_entry(NULL, NULL, entry, NULL)); /* the journal has no failures */
	else if (cof_failed(audit_write(vault, entry, &problem)))
		audit_problem(&problem);
}

void audit_note_slot(struct vault *vault, const char *event, int slot)
{
	struct json *detail = json_new_object();

	json_set_uint(detail, "slot", (uint64_t)slot);
	audit_note(vault, &(struct audit_entry){ .event = event, .detail = detail });
}

void audit_note_at(const struct paths *paths, const struct audit_entry *entry)
{
	_cleanup_free_ char *path = NULL;
	struct cof_error problem = { 0 };
	bool is_there = !cof_failed(path_format(&path, NULL, "%s/" AUDIT_FILE, paths->vault_dir)) &&
			path_exists(path) &&
			!cof_failed(folder_check_private(paths->vault_dir, NULL));
	cof_result result = write_entry(is_there ? paths->vault_dir : NULL, NULL, entry, &problem);

	if (is_there && !cof_failed(result))
		result = audit_sync(paths->vault_dir, &problem);
	if (cof_failed(result))
		audit_problem(&problem);
}

void audit_defer(struct vault *vault)
{
	vault->audit.deferred = true;
}

cof_result audit_seal_key(const struct vault *vault, struct wrap_key **ret_key,
			  struct cof_error *err)
{
	_cleanup_buffer_ struct buffer info = { 0 };
	const struct keys *keys = &vault->keys;

	ENSURE(vault->unlocked, err, COF_E_LOCKED, vault->paths->vault_dir, "the vault is locked");
	TRY(buffer_add_text(&info, err, "coffer/audit/v1/%u", keys->epoch));
	return keys->source.derive(keys->source.context, buffer_span(&info), ret_key, err);
}

/* Appends a seal of the present epoch, unless the log ends with one. The lock is held. */
static cof_result append_seal(struct vault *vault, struct audit_tail *tail, struct cof_error *err)
{
	_cleanup_(wrap_key_freep) struct wrap_key *key = NULL;
	_cleanup_json_ struct json *detail = json_new_object();
	struct audit_text text = { .event = AUDIT_SEAL, .result = "done", .detail = detail };

	if (!tail->torn && tail->last.role == AUDIT_IS_SEAL &&
	    tail->last.epoch == vault->keys.epoch)
		return COF_OK;
	json_set_uint(detail, "epoch", vault->keys.epoch);
	TRY(audit_seal_key(vault, &key, err));
	TRY(audit_append(vault->paths->vault_dir, NULL, &text, key, &tail->last, err));
	return fault_point("audit/sealed", err);
}

cof_result audit_seal_log(struct vault *vault, uint64_t *ret_seq, struct audit_chain *ret_chain,
			  bool *ret_any, struct cof_error *err)
{
	_cleanup_fd_ int lock = -1;
	struct audit_tail tail;

	TRY(audit_lock(vault->paths->vault_dir, &lock, err));
	TRY(audit_tail_read(vault->paths->vault_dir, &tail, err));
	*ret_any = tail.any;
	if (!tail.any)
		return COF_OK;
	TRY(append_seal(vault, &tail, err));
	TRY(audit_sync(vault->paths->vault_dir, err));
	TRY(fault_point("audit/durable", err));
	vault->audit.written = false;
	*ret_seq = tail.last.seq;
	*ret_chain = tail.last.own;
	return COF_OK;
}

cof_result audit_flush(struct vault *vault, struct cof_error *err)
{
	struct audit_chain chain;
	uint64_t seq;
	bool any;

	if (vault->unlocked)
		return audit_seal_log(vault, &seq, &chain, &any, err);
	TRY(audit_sync(vault->paths->vault_dir, err));
	vault->audit.written = false;
	return COF_OK;
}

void audit_finish(struct vault *vault)
{
	struct cof_error problem = { 0 };

	if (vault->audit.written && !vault->audit.deferred &&
	    cof_failed(audit_flush(vault, &problem)))
		audit_problem(&problem);
}

void audit_new_vault(struct vault *vault)
{
	struct cof_error problem = { 0 };
	_cleanup_fd_ int lock = -1;

	if (cof_failed(audit_lock(vault->paths->vault_dir, &lock, &problem)) ||
	    cof_failed(audit_set_aside(vault->paths->vault_dir, "old", &problem)))
		audit_problem(&problem);
}
