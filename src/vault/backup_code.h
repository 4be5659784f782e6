/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_VAULT_BACKUP_CODE_H
#define COF_VAULT_BACKUP_CODE_H

/*
 * The bytes of a backup: its head, its chunks, and the items that they hold. Pure; the layout is in
 * doc/format-backup.md.
 */

#include "aead.h"
#include "kdf.h"
#include "keystore.h"
#include "vault.h"

#define BACKUP_VERSION		1
#define BACKUP_ID_BYTES		16
#define BACKUP_HEAD_BYTES	65	    /* before the header's copy */
#define BACKUP_CHUNK_BYTES	(64u << 10) /* of plaintext, in every chunk but the last */
#define BACKUP_FRAME_BYTES	4
#define BACKUP_ITEM_HEAD_BYTES	7
#define BACKUP_ITEM_MAX_BYTES	KEYSTORE_VALUE_MAX_BYTES
#define BACKUP_ANCHOR_MAX_BYTES KEYSTORE_VALUE_MAX_BYTES

/**
 * struct backup_head - what a backup says in the clear
 * @id:       random, of this file alone
 * @uuid:     of the vault
 * @created:  seconds since 1970
 * @anchor_bytes: of the header's copy that follows, the value of the row vault/header
 */
struct backup_head {
	uint8_t id[BACKUP_ID_BYTES];
	uint8_t uuid[VAULT_UUID_BYTES];
	uint32_t epoch;
	uint64_t revision;
	uint64_t created;
	uint32_t anchor_bytes;
};

/** backup_head_encode() - BACKUP_HEAD_BYTES, appended. Fails: COF_E_NOMEM */
cof_result backup_head_encode(const struct backup_head *head, struct buffer *out,
			      struct cof_error *err);
/** backup_head_decode() - @bytes: BACKUP_HEAD_BYTES, not trusted. Fails: COF_E_FORMAT (no backup,
 * of another version, or without a header's copy) */
cof_result backup_head_decode(struct span bytes, const char *subject, struct backup_head *ret_head,
			      struct cof_error *err);
/** backup_info() - what the backup's key is derived with, appended. Fails: COF_E_NOMEM */
cof_result backup_info(const struct backup_head *head, struct buffer *info, struct cof_error *err);

/* ---- chunks ---- */

/** struct backup_frame - what stands before a chunk: its plaintext has @plain_bytes */
struct backup_frame {
	uint32_t plain_bytes;
	bool last;
};

/** backup_frame_decode() - @bytes: BACKUP_FRAME_BYTES. Fails: COF_E_FORMAT */
cof_result backup_frame_decode(struct span bytes, const char *subject,
			       struct backup_frame *ret_frame, struct cof_error *err);

/**
 * struct backup_place - where a chunk belongs; it opens nowhere else
 * @head: SHA-256 of all before the first chunk
 */
struct backup_place {
	uint8_t head[SHA256_BYTES];
	uint64_t index; /* from 0 */
	bool last;
};

/** backup_chunk_seal() - frame and sealed plaintext, appended. @plain: BACKUP_CHUNK_BYTES, or less
 * with place->last. Fails: COF_E_NOMEM, COF_E_FAILED */
cof_result backup_chunk_seal(const struct wrap_key *key, const struct backup_place *place,
			     struct span plain, struct buffer *out, struct cof_error *err);
/** backup_chunk_open() - @sealed: what follows the frame. Fails: COF_E_AUTH, COF_E_NOMEM */
cof_result backup_chunk_open(const struct wrap_key *key, const struct backup_place *place,
			     struct span sealed, const char *subject, struct secret **ret_plain,
			     struct cof_error *err);

/* ---- items ---- */

enum backup_kind { BACKUP_ROW = 1, BACKUP_AUDIT, BACKUP_CONFIG, BACKUP_END };

/**
 * struct backup_item - one thing in a backup
 * @name:  of a row its key, of a file its name; "" of the end
 * @value: borrowed
 */
struct backup_item {
	enum backup_kind kind;
	const char *name;
	struct span value;
};

/** backup_item_begin() - all of an item that comes before its value, appended. Fails: COF_E_USAGE
 * (too long), COF_E_NOMEM */
cof_result backup_item_begin(const struct backup_item *item, struct buffer *out,
			     struct cof_error *err);

typedef cof_result (*backup_visit_item)(const struct backup_item *item, void *context,
					struct cof_error *err);

/**
 * struct backup_parser - takes plaintext piece by piece and hands out the items in it
 * @subject: what errors name; borrowed
 * @pending: an item that is not whole yet
 * @before:  kind and name of the last item: they rise
 * @count:   items so far
 * @ended:   the end was there; nothing may follow
 */
struct backup_parser {
	const char *subject;
	backup_visit_item visit;
	void *context;
	struct buffer pending;
	enum backup_kind kind_before;
	char before[KEYSTORE_KEY_MAX_BYTES + 1];
	uint64_t count;
	bool ended;
};

void backup_parser_done(struct backup_parser *parser);
/** backup_parser_feed() - the next piece. Fails: COF_E_FORMAT, COF_E_NOMEM, as @visit */
cof_result backup_parser_feed(struct backup_parser *parser, struct span piece,
			      struct cof_error *err);
/** backup_parser_finish() - after the last piece. Fails: COF_E_FORMAT (no end) */
cof_result backup_parser_finish(const struct backup_parser *parser, struct cof_error *err);

#define BACKUP_CONFIG_NAME "coffer.conf"
/** backup_file_name_is_good() - of a file of the audit log, as audit_files() knows them */
bool backup_file_name_is_good(const char *name);

#endif
