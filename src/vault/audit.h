/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_VAULT_AUDIT_H
#define COF_VAULT_AUDIT_H

/*
 * The audit log of a vault: every use of a key, every change, every refusal; and the same in the
 * systemd journal. doc/format-audit.md. One line in a verb is enough:
 *
 *	audit_note(vault, &(struct audit_entry){ .event = AUDIT_KEY_USE, .subject = name });
 *
 * No entry ever holds a secret.
 */

#include "audit_check.h"
#include "vault.h"

/* Names of events, which never change their meaning. */
#define AUDIT_VAULT_INIT	  "vault.init"
#define AUDIT_VAULT_UNLOCK	  "vault.unlock"
#define AUDIT_VAULT_UNLOCK_FAILED "vault.unlock-failed"
#define AUDIT_VAULT_LOCK	  "vault.lock"
#define AUDIT_VAULT_ENROLL	  "vault.enroll"
#define AUDIT_VAULT_PASSWD	  "vault.passwd"
#define AUDIT_VAULT_REVOKE	  "vault.revoke"
#define AUDIT_VAULT_ACCEPT_OLDER  "vault.accept-older"
#define AUDIT_HEADER_RESTORE	  "vault.header-restore"
#define AUDIT_RECORD_PUT	  "record.put"
#define AUDIT_RECORD_REMOVE	  "record.remove"
#define AUDIT_KEY_EXPORT	  "key.export"
#define AUDIT_KEY_SHOW		  "key.show"
#define AUDIT_KEY_USE		  "key.use"
#define AUDIT_DISK_FORMAT	  "disk.format"
#define AUDIT_DISK_OPEN		  "disk.open"
#define AUDIT_DISK_CLOSE	  "disk.close"
#define AUDIT_DISK_DESTROY	  "disk.destroy"
#define AUDIT_BACKUP_CREATE	  "backup.create"
#define AUDIT_BACKUP_RESTORE	  "backup.restore"
#define AUDIT_BACKUP_DRILL	  "backup.drill"
#define AUDIT_VERIFY		  "audit.verify"
#define AUDIT_ACCEPT		  "audit.accept"

/**
 * struct audit_entry - one thing that happened
 * @event:   one of those above, or of the same form
 * @subject: the disk, the record as KIND/NAME, or the method that it concerns; may be NULL
 * @why:     the failure, or NULL: it was done
 * @started: it is about to be done; an entry without this follows
 * @detail:  taken, also on failure; may be NULL
 */
struct audit_entry {
	const char *event;
	const char *subject;
	const struct cof_error *why;
	bool started;
	struct json *detail;
};

/**
 * audit_write() - append one entry. Who destroys writes what it is about to do, then
 * audit_flush(), and stops where either fails
 *
 * Sealed and durable with the others when the vault is closed, or by audit_flush(); chained at
 * once. Several processes may write at once. In the journal even where it fails.
 * Fails: COF_E_NOSPC, COF_E_IO, COF_E_BUSY (another process holds the log for long), COF_E_USAGE
 * (@detail is too long)
 */
cof_result audit_write(struct vault *vault, const struct audit_entry *entry, struct cof_error *err);
/** audit_note() - the same for what goes on all the same: audit_take_problem() has the failure.
 * @vault: may be locked; NULL: in the journal alone */
void audit_note(struct vault *vault, const struct audit_entry *entry);
/** audit_note_at() - the same without a vault at hand, durable when it returns; where there is no
 * log, in the journal alone */
void audit_note_at(const struct paths *paths, const struct audit_entry *entry);

/** audit_note_expiry() - a line for an agent that cannot have the key any more and whose forgetting
 * left none: its time limit is over, or the machine was started again. Nothing where the last line
 * on it says that it was locked. vault_unlock() does this by itself */
void audit_note_expiry(struct vault *vault);

/** audit_flush() - seal what was written, if the vault is unlocked, and make it durable.
 * Fails: as audit_write() */
cof_result audit_flush(struct vault *vault, struct cof_error *err);
/** audit_defer() - leave sealing to whoever opens the vault next, for who opens it many times in a
 * row */
void audit_defer(struct vault *vault);
/** audit_keep() - have the keystore note how far the log goes, by a commit of its own. Commits of
 * records do so anyway. Never fails: what could not be done is audit_take_problem()'s */
void audit_keep(struct vault *vault);

/** audit_set_verb() - what this process was told to do, for the lines' "who"; borrowed for good */
void audit_set_verb(const char *verb);
/** audit_noted_code() - why the last entry of this process failed; COF_E_NONE: none did */
enum cof_code audit_noted_code(void);
/** audit_take_problem() - the first entry or seal that could not be written, once; false: all
 * were */
bool audit_take_problem(struct cof_error *ret_problem);

/* ---- reading ---- */

typedef cof_result (*audit_visit)(const char *file, struct span content, void *context,
				  struct cof_error *err);
/** audit_each_file() - the whole content of each file, oldest first, at one moment; works on a
 * locked vault. Fails: COF_E_IO, COF_E_NOMEM, COF_E_BUSY */
cof_result audit_each_file(const struct vault *vault, audit_visit visit, void *context,
			   struct cof_error *err);
/** audit_look() - a shorter audit_verify(): of the two newest files alone; on a locked vault as
 * well, where neither a seal is proven nor what the keystore knows */
cof_result audit_look(struct vault *vault, struct audit_verdict *ret_verdict,
		      struct cof_error *err);
/**
 * audit_verify() - compare the log with its chain, its seals and what the keystore knows of it
 * What it finds is an answer. Fails: COF_E_LOCKED, as audit_each_file(); COF_E_AUTH, COF_E_FORMAT
 * (the keystore)
 */
cof_result audit_verify(struct vault *vault, struct audit_verdict *ret_verdict,
			struct cof_error *err);
/** audit_seal_key() - that of the present epoch. Fails: COF_E_LOCKED, as the key source */
cof_result audit_seal_key(const struct vault *vault, struct wrap_key **ret_key,
			  struct cof_error *err);
/**
 * audit_accept() - set a damaged log aside under other names, and begin a new one
 * @verdict: that it is accepted with, which the new log's second line says
 * Fails: COF_E_LOCKED, as audit_write(), as a commit
 */
cof_result audit_accept(struct vault *vault, const struct audit_verdict *verdict,
			struct cof_error *err);

#endif
