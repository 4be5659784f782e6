/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_VAULT_BACKUP_H
#define COF_VAULT_BACKUP_H

/*
 * Backups: a whole vault in one file, which whatever opens the vault opens. doc/format-backup.md.
 */

#include "vault.h"

#define BACKUP_STREAM "-" /* in the place of a file: standard output */

struct backup;

/**
 * struct backup_facts - what a backup says in the clear; proven once backup_prove() has run
 * @id:       of this file alone, as hex
 * @created:  seconds since 1970
 */
struct backup_facts {
	char id[33];
	uint8_t uuid[VAULT_UUID_BYTES];
	uint32_t epoch;
	uint64_t revision;
	time_t created;
	uint64_t size_bytes;
};

/** struct backup_content - what is in a backup; all of it opened */
struct backup_content {
	uint64_t records;
	uint64_t older; /* generations of records that are not the newest */
	uint64_t audit_files;
	bool config;
};

/**
 * backup_create() - write everything of an unlocked vault to a new file
 * @file:  BACKUP_STREAM is standard output, which is not read back
 * @force: although there is a file of that name
 *
 * Under a temporary name, durable, read back and proven before it gets its name, with mode 0600.
 * Nobody changes the vault meanwhile. Fault points "backup/...". Fails: COF_E_REFUSED (exists),
 * COF_E_LOCKED, COF_E_NOSPC, COF_E_IO, COF_E_NOENT (no such folder), COF_E_AUTH (the vault was
 * altered), COF_E_BUSY
 */
cof_result backup_create(struct vault *vault, const char *file, bool force,
			 struct backup_facts *ret_facts, struct backup_content *ret_content,
			 struct cof_error *err);

/** backup_open() - a file, not trusted. Fails: COF_E_NOENT, COF_E_IO, COF_E_FORMAT (no backup) */
cof_result backup_open(const char *file, struct backup **ret_backup, struct cof_error *err);
void backup_close(struct backup *backup);
DEFINE_FREEP(struct backup, backup_closep, backup_close)

void backup_read_facts(const struct backup *backup, struct backup_facts *ret_facts);

/** backup_check() - without any key: whether it is whole, as far as its checksum tells.
 * Fails: COF_E_FORMAT, COF_E_IO */
cof_result backup_check(struct backup *backup, struct cof_error *err);

/** backup_unlock() - with a secret that opened the vault when the backup was made; nothing is
 * proven before backup_prove(). Fails: COF_E_KEY, COF_E_FORMAT, COF_E_AUTH, COF_E_NOMEM */
cof_result backup_unlock(struct backup *backup, const struct slot_secret *secret,
			 struct cof_error *err);
/** backup_unlock_from() - with the keys of an unlocked vault, which must stay open.
 * @ret_unlocked: false: it is another vault's, or of another epoch */
cof_result backup_unlock_from(struct backup *backup, const struct vault *vault, bool *ret_unlocked,
			      struct cof_error *err);

/**
 * backup_prove() - read all of an unlocked backup: every record opens, and they are just those that
 * the vault had
 * Reads the file once, and keeps 32 bytes for each row. Fails: COF_E_AUTH, COF_E_FORMAT, COF_E_IO,
 * COF_E_LOCKED
 */
cof_result backup_prove(struct backup *backup, struct backup_content *ret_content,
			struct cof_error *err);

/** backup_each() - the newest generation of every record of @kind in a backup that was proven */
cof_result backup_each(struct backup *backup, const char *kind, vault_visit visit, void *context,
		       struct cof_error *err);

/**
 * struct backup_restored - what a restore did
 * @already: the vault was there
 * @config:  CONFIG_OTHER: another one was there and stays, that of the backup is beside it as
 *           FILE.restored; CONFIG_NONE: the backup has none
 */
struct backup_restored {
	bool already;
	enum { CONFIG_NONE, CONFIG_WRITTEN, CONFIG_SAME, CONFIG_OTHER } config;
};

/** backup_check_place() - whether the backup may be restored to paths->vault_dir: no vault is
 * there, or one that looks like that of the backup. Asks for no secret. Fails: COF_E_REFUSED */
cof_result backup_check_place(const struct backup *backup, const struct paths *paths,
			      struct cof_error *err);
/**
 * backup_restore() - make the vault of an unlocked backup that was proven, in a folder that has
 * none
 *
 * The configuration is restored where none is. All is made under temporary names and proven before
 * the header gets its name, as the last step; a run after a crash converges. Fault points
 * "backup-restore/...". Fails: COF_E_REFUSED (there is a vault), COF_E_NOSPC, COF_E_IO, COF_E_AUTH
 */
cof_result backup_restore(struct backup *backup, const struct paths *paths,
			  struct backup_restored *ret_restored, struct cof_error *err);
/**
 * backup_settle() - unlock the vault that was restored for the first time: its mark and mirrors are
 * written, and the restore is noted
 * @paths: as the restored configuration has them
 * Fails: as vault_unlock_from(): COF_E_AUTH (a mirror knows of a newer vault)
 */
cof_result backup_settle(const struct backup *backup, const struct paths *paths,
			 struct cof_error *err);

#endif
