/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_VAULT_BACKUP_STREAM_H
#define COF_VAULT_BACKUP_STREAM_H

/*
 * A backup while it is read or written, piece by piece. doc/format-backup.md.
 */

#include "backup.h"
#include "backup_code.h"
#include "internal.h"
#include "note.h"

/**
 * struct backup - a file that is read
 * @anchor: the stored form of the copy of the vault's header
 * @head_digest: SHA-256 of all before the first chunk
 * @root:   where a secret opened it
 * @keys, @key: only when unlocked
 */
struct backup {
	char *file;
	int fd;
	uint64_t size_bytes;
	struct backup_head head;
	struct buffer anchor;
	uint8_t head_digest[SHA256_BYTES];
	struct root_key *root;
	struct keys keys;
	struct wrap_key *key;
};

/** backup_walk() - every item in its order; the row of the header's copy, which is not among them,
 * is in @anchor. All of the file is checked, at its end. Fails: COF_E_AUTH, COF_E_FORMAT, COF_E_IO,
 * COF_E_LOCKED, as @visit */
cof_result backup_walk(struct backup *backup, backup_visit_item visit, void *context,
		       struct cof_error *err);

/**
 * struct backup_writer - a backup that is written to @fd
 * @plain:  what is in no chunk yet, at most one whole chunk and a piece
 * @digest: of all bytes so far
 */
struct backup_writer {
	const char *file; /* borrowed */
	int fd;		  /* borrowed */
	struct wrap_key *key;
	struct sha256_run *digest;
	struct backup_place place;
	struct buffer plain;
	struct buffer sealed;
	uint64_t count;
	uint64_t size_bytes;
};

/** backup_writer_start() - the head and the header's copy. Fails: as the key source, COF_E_IO,
 * COF_E_NOSPC */
cof_result backup_writer_start(struct backup_writer *writer, const struct keys *keys,
			       const struct backup_head *head, struct span anchor,
			       struct cof_error *err);
cof_result backup_writer_add(struct backup_writer *writer, const struct backup_item *item,
			     struct cof_error *err);
/** backup_writer_finish() - the end and the checksum; nothing is durable yet */
cof_result backup_writer_finish(struct backup_writer *writer, struct cof_error *err);
void backup_writer_done(struct backup_writer *writer);

/** backup_remember() - note a backup for `coffer status`, and @event in the audit log.
 * @stand: of the keystore that the backup has. Fails: as note_put() */
cof_result backup_remember(struct vault *vault, const char *event, const char *file,
			   const struct backup_facts *facts, const struct note_stand *stand,
			   struct cof_error *err);

#endif
