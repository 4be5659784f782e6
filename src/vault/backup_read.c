/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading a backup: its head, what opens it, and its chunks one after the other.
 * doc/format-backup.md.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "backup_stream.h"
#include "luks_header.h"
#include "number.h"

void backup_close(struct backup *backup)
{
	if (!backup)
		return;
	wrap_key_free(backup->key);
	keys_done(&backup->keys);
	root_key_free(backup->root);
	buffer_done(&backup->anchor);
	fd_closep(&backup->fd);
	free(backup->file);
	free(backup);
}

/* Reads what comes before the first chunk. */
static cof_result read_head(struct backup *backup, struct cof_error *err)
{
	_cleanup_(sha256_run_freep) struct sha256_run *run = NULL;
	uint8_t bytes[BACKUP_HEAD_BYTES];
	uint32_t anchor_bytes;

	ENSURE(backup->size_bytes >= sizeof(bytes), err, COF_E_FORMAT, backup->file,
	       "is no backup of a vault: it has %llu bytes",
	       (unsigned long long)backup->size_bytes);
	TRY(fd_pread_all(backup->fd, bytes, sizeof(bytes), 0, backup->file, err));
	TRY(backup_head_decode(SPAN(bytes, sizeof(bytes)), backup->file, &backup->head, err));
	anchor_bytes = backup->head.anchor_bytes;
	ENSURE(backup->size_bytes - sizeof(bytes) >= anchor_bytes, err, COF_E_FORMAT, backup->file,
	       "is cut off: it has %llu bytes", (unsigned long long)backup->size_bytes);
	TRY(buffer_reserve(&backup->anchor, anchor_bytes, err));
	TRY(fd_pread_all(backup->fd, backup->anchor.data, anchor_bytes, sizeof(bytes), backup->file,
			 err));
	backup->anchor.len = anchor_bytes;
	TRY(sha256_start(&run, err));
	TRY(sha256_add(run, SPAN(bytes, sizeof(bytes)), err));
	TRY(sha256_add(run, buffer_span(&backup->anchor), err));
	return sha256_now(run, backup->head_digest, err);
}

cof_result backup_open(const char *file, struct backup **ret_backup, struct cof_error *err)
{
	_cleanup_(backup_closep) struct backup *backup = calloc(1, sizeof(*backup));
	struct stat status;

	ENSURE(backup, err, COF_E_NOMEM, file, "no memory for a backup");
	/* A FIFO would hold up an open() that is willing to wait. */
	backup->fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	TRY(path_format(&backup->file, err, "%s", file));
	if (backup->fd < 0 || fstat(backup->fd, &status) < 0)
		return cof_raise_errno(err, errno, file, "cannot be opened");
	ENSURE(S_ISREG(status.st_mode), err, COF_E_FORMAT, file, "is not a regular file");
	backup->size_bytes = (uint64_t)status.st_size;
	TRY(read_head(backup, err));
	*ret_backup = TAKE(backup);
	return COF_OK;
}

void backup_read_facts(const struct backup *backup, struct backup_facts *ret_facts)
{
	const struct backup_head *head = &backup->head;

	*ret_facts = (struct backup_facts){ .epoch = head->epoch,
					    .revision = head->revision,
					    .created = (time_t)head->created,
					    .size_bytes = backup->size_bytes };
	(void)hex_format(head->id, sizeof(head->id), ret_facts->id);
	memcpy(ret_facts->uuid, head->uuid, sizeof(ret_facts->uuid));
}

/* ---- what opens it ---- */

/* The key of the chunks, once @backup->keys can derive. */
static cof_result derive_key(struct backup *backup, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer info = { 0 };

	TRY(backup_info(&backup->head, &info, err));
	TRY(backup->keys.source.derive(backup->keys.source.context, buffer_span(&info),
				       &backup->key, err));
	return keys_start(&backup->keys, err);
}

/* The root key that a secret opens in the header's copy, which is expanded in memory. */
static cof_result open_anchor(const struct backup *backup, const struct slot_secret *secret,
			      struct volume_key **ret_key, struct cof_error *err)
{
	_cleanup_(luks_rehearsal_done) struct luks_rehearsal header = LUKS_REHEARSAL_NONE;
	struct span copy;
	uint64_t sequence;

	TRY(header_copy_split(buffer_span(&backup->anchor), &sequence, &copy, err));
	TRY(luks_rehearse_copy(copy, &header, err));
	return vault_open_header(header.path, secret, ret_key, NULL, err);
}

cof_result backup_unlock(struct backup *backup, const struct slot_secret *secret,
			 struct cof_error *err)
{
	_cleanup_(volume_key_freep) struct volume_key *key = NULL;
	struct cof_error failure = { 0 };
	cof_result opened = open_anchor(backup, secret, &key, &failure);

	if (cof_failed(opened)) {
		/* The header is in memory, under a name that tells nobody anything. */
		(void)snprintf(failure.subject, sizeof(failure.subject), "%s", backup->file);
		if (err)
			*err = failure;
		return opened;
	}
	TRY(root_key_copy(volume_key_span(key), &backup->root, err));
	TRY(keys_from_root(backup->root, backup->head.uuid, backup->head.epoch, &backup->keys,
			   err));
	return derive_key(backup, err);
}

cof_result backup_unlock_from(struct backup *backup, const struct vault *vault, bool *ret_unlocked,
			      struct cof_error *err)
{
	*ret_unlocked = vault->unlocked && vault->keys.epoch == backup->head.epoch &&
			memcmp(vault->uuid, backup->head.uuid, VAULT_UUID_BYTES) == 0;
	if (!*ret_unlocked)
		return COF_OK;
	backup->keys = (struct keys){ .epoch = vault->keys.epoch,
				      .source = { .derive = vault->keys.source.derive,
						  .context = vault->keys.source.context } };
	memcpy(backup->keys.uuid, vault->uuid, VAULT_UUID_BYTES);
	return derive_key(backup, err);
}

/* ---- chunks ---- */

/* A backup that is read from its first chunk on. */
struct reading {
	struct backup *backup;
	struct sha256_run *digest;
	struct backup_place place;
	uint64_t at;
	uint8_t sealed[BACKUP_CHUNK_BYTES + AEAD_TAG_BYTES];
};

static void reading_free(struct reading *reading)
{
	if (!reading)
		return;
	sha256_run_free(reading->digest);
	free(reading);
}
DEFINE_FREEP(struct reading, reading_freep, reading_free)

static cof_result reading_new(struct backup *backup, struct reading **ret_reading,
			      struct cof_error *err)
{
	_cleanup_(reading_freep) struct reading *reading = calloc(1, sizeof(*reading));
	_cleanup_buffer_ struct buffer head = { 0 };

	ENSURE(reading, err, COF_E_NOMEM, backup->file, "no memory for reading it");
	reading->backup = backup;
	reading->at = BACKUP_HEAD_BYTES + backup->anchor.len;
	memcpy(reading->place.head, backup->head_digest, sizeof(reading->place.head));
	TRY(sha256_start(&reading->digest, err));
	TRY(backup_head_encode(&backup->head, &head, err));
	TRY(sha256_add(reading->digest, buffer_span(&head), err));
	TRY(sha256_add(reading->digest, buffer_span(&backup->anchor), err));
	*ret_reading = TAKE(reading);
	return COF_OK;
}

/* The next bytes of the file, which the checksum covers. */
static cof_result get(struct reading *reading, uint8_t *out, size_t len, struct cof_error *err)
{
	const struct backup *backup = reading->backup;

	ENSURE(backup->size_bytes - reading->at >= len, err, COF_E_FORMAT, backup->file,
	       "is cut off: it has %llu bytes", (unsigned long long)backup->size_bytes);
	TRY(fd_pread_all(backup->fd, out, len, reading->at, backup->file, err));
	reading->at += len;
	return sha256_add(reading->digest, SPAN(out, len), err);
}

/* The next chunk, still sealed. @ret_sealed: borrowed until the next call */
static cof_result next_chunk(struct reading *reading, struct span *ret_sealed,
			     struct cof_error *err)
{
	uint8_t bytes[BACKUP_FRAME_BYTES];
	struct backup_frame frame;

	TRY(get(reading, bytes, sizeof(bytes), err));
	TRY(backup_frame_decode(SPAN(bytes, sizeof(bytes)), reading->backup->file, &frame, err));
	TRY(get(reading, reading->sealed, frame.plain_bytes + AEAD_TAG_BYTES, err));
	reading->place.last = frame.last;
	*ret_sealed = SPAN(reading->sealed, frame.plain_bytes + AEAD_TAG_BYTES);
	return COF_OK;
}

/* The checksum after the last chunk, and nothing behind it. */
static cof_result check_end(struct reading *reading, struct cof_error *err)
{
	const char *file = reading->backup->file;
	uint8_t expected[SHA256_BYTES];
	uint8_t found[SHA256_BYTES];

	TRY(sha256_now(reading->digest, expected, err));
	TRY(get(reading, found, sizeof(found), err));
	ENSURE(reading->at == reading->backup->size_bytes, err, COF_E_FORMAT, file,
	       "has %llu bytes behind its end",
	       (unsigned long long)(reading->backup->size_bytes - reading->at));
	ENSURE(memcmp(expected, found, sizeof(found)) == 0, err, COF_E_FORMAT, file,
	       "is damaged: its checksum is another one");
	return COF_OK;
}

cof_result backup_check(struct backup *backup, struct cof_error *err)
{
	_cleanup_(reading_freep) struct reading *reading = NULL;
	struct span sealed;

	TRY(reading_new(backup, &reading, err));
	while (!reading->place.last)
		TRY(next_chunk(reading, &sealed, err));
	return check_end(reading, err);
}

/* Opens a chunk and hands the items that it completes out. */
static cof_result feed_chunk(struct reading *reading, struct span sealed,
			     struct backup_parser *parser, struct cof_error *err)
{
	_cleanup_secret_ struct secret *plain = NULL;
	cof_result opened = backup_chunk_open(reading->backup->key, &reading->place, sealed,
					      reading->backup->file, &plain, err);

	if (opened.code == COF_E_AUTH)
		return cof_raise(err, COF_E_AUTH, reading->backup->file,
				 "is damaged or was altered: its part %llu does not open",
				 (unsigned long long)reading->place.index + 1);
	TRY(opened);
	TRY(backup_parser_feed(parser, secret_span(plain), err));
	reading->place.index++;
	return COF_OK;
}

cof_result backup_walk(struct backup *backup, backup_visit_item visit, void *context,
		       struct cof_error *err)
{
	_cleanup_(reading_freep) struct reading *reading = NULL;
	_cleanup_(backup_parser_done) struct backup_parser parser = { .subject = backup->file,
								      .visit = visit,
								      .context = context };

	ENSURE(backup->key, err, COF_E_LOCKED, backup->file, "the backup is locked");
	TRY(reading_new(backup, &reading, err));
	while (!reading->place.last) {
		struct span sealed;

		TRY(next_chunk(reading, &sealed, err));
		TRY(feed_chunk(reading, sealed, &parser, err));
	}
	TRY(backup_parser_finish(&parser, err));
	return check_end(reading, err);
}
