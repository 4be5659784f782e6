/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_VAULT_AUDIT_FILE_H
#define COF_VAULT_AUDIT_FILE_H

/*
 * The files of an audit log. doc/format-audit.md, section 1.
 */

#include "audit_line.h"

#define AUDIT_FILE	      "audit.log"
#define AUDIT_LOCK_TIMEOUT_MS 10000

/**
 * struct audit_tail - how a log ends
 * @exists:  there is an audit.log
 * @any:     it has a whole line, of which @last is the last one
 * @chain:   of the last line, whole or not
 * @torn:    the last line is not whole. It has @torn_bytes bytes; @has_end: a newline follows it
 */
struct audit_tail {
	bool exists;
	bool any;
	struct audit_item last;
	struct audit_chain chain;
	bool torn;
	size_t torn_bytes;
	bool has_end;
	uint64_t size_bytes;
};

/** audit_lock() - for who writes, and for who reads more than one file. Fails: COF_E_BUSY */
cof_result audit_lock(const char *folder, int *ret_fd, struct cof_error *err);
/** audit_tail_read() - the lock is held */
cof_result audit_tail_read(const char *folder, struct audit_tail *ret_tail, struct cof_error *err);
/**
 * audit_append() - one line, after a mark of a line that a power cut left; the lock is held
 * @vault: UUID of the vault, with which a new log begins; NULL: there must be one
 * @key:   of a seal, or NULL
 * @ret_item: its number and chain value; text is NULL
 * Fails: COF_E_NOENT (no log), COF_E_NOSPC, COF_E_IO, COF_E_USAGE. Nothing of it is left then
 */
cof_result audit_append(const char *folder, const char *vault, const struct audit_text *text,
			const struct wrap_key *key, struct audit_item *ret_item,
			struct cof_error *err);
/** audit_begin() - a new log, durable, whose first line has the number @seq; the lock is held.
 * Fails: COF_E_REFUSED (there is one), COF_E_NOSPC, COF_E_IO */
cof_result audit_begin(const char *folder, const char *vault, uint64_t seq, struct cof_error *err);
/** audit_sync() - make what was appended durable */
cof_result audit_sync(const char *folder, struct cof_error *err);
/** audit_files() - names of all files, oldest first, NULL-terminated; vault_names_free()
 * @ret_count: how many; may be NULL */
cof_result audit_files(const char *folder, char ***ret_names, size_t *ret_count,
		       struct cof_error *err);
/** audit_set_aside() - rename all files of the log to NAME.@why-DATE; the lock is held */
cof_result audit_set_aside(const char *folder, const char *why, struct cof_error *err);
/** audit_find() - the chain value of the line @seq, looked for from the end; the lock is held */
cof_result audit_find(const char *folder, uint64_t seq, struct audit_chain *ret_chain,
		      bool *ret_found, struct cof_error *err);
#define AUDIT_BOOT_CHARS 48
/** audit_now() - the time that lines are stamped with, seconds since 1970 */
int64_t audit_now(void);
/** audit_boot() - the kernel's boot id; false where it is not known */
bool audit_boot(char out[static AUDIT_BOOT_CHARS]);

/** audit_who() - who runs this process; caller owns */
struct json *audit_who(const char *verb);

#endif
