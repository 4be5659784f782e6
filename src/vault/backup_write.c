/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing the bytes of a backup, in pieces of one chunk. doc/format-backup.md.
 */

#include <string.h>

#include "backup_stream.h"

void backup_writer_done(struct backup_writer *writer)
{
	wrap_key_free(writer->key);
	sha256_run_free(writer->digest);
	buffer_done(&writer->plain);
	buffer_done(&writer->sealed);
}

/* Writes bytes, which the checksum covers. */
static cof_result put(struct backup_writer *writer, struct span bytes, struct cof_error *err)
{
	TRY(sha256_add(writer->digest, bytes, err));
	TRY(fd_write_all(writer->fd, bytes, writer->file, err));
	writer->size_bytes += bytes.len;
	return COF_OK;
}

cof_result backup_writer_start(struct backup_writer *writer, const struct keys *keys,
			       const struct backup_head *head, struct span anchor,
			       struct cof_error *err)
{
	_cleanup_buffer_ struct buffer bytes = { 0 };
	_cleanup_buffer_ struct buffer info = { 0 };

	TRY(sha256_start(&writer->digest, err));
	TRY(backup_info(head, &info, err));
	TRY(keys->source.derive(keys->source.context, buffer_span(&info), &writer->key, err));
	TRY(backup_head_encode(head, &bytes, err));
	TRY(put(writer, buffer_span(&bytes), err));
	TRY(put(writer, anchor, err));
	return sha256_now(writer->digest, writer->place.head, err);
}

/* Seals and writes the first bytes of what waits. */
static cof_result put_chunk(struct backup_writer *writer, size_t plain_bytes, bool last,
			    struct cof_error *err)
{
	writer->place.last = last;
	writer->sealed.len = 0;
	TRY(backup_chunk_seal(writer->key, &writer->place, SPAN(writer->plain.data, plain_bytes),
			      &writer->sealed, err));
	TRY(put(writer, buffer_span(&writer->sealed), err));
	writer->place.index++;
	writer->plain.len -= plain_bytes;
	memmove(writer->plain.data, writer->plain.data + plain_bytes, writer->plain.len);
	return COF_OK;
}

/* Takes plaintext, and writes each chunk that more than fills up: the last one is never empty. */
static cof_result push(struct backup_writer *writer, struct span plain, struct cof_error *err)
{
	while (plain.len > 0) {
		size_t len = plain.len < BACKUP_CHUNK_BYTES ? plain.len : BACKUP_CHUNK_BYTES;

		TRY(buffer_add(&writer->plain, plain.data, len, err));
		plain = SPAN(plain.data + len, plain.len - len);
		if (writer->plain.len > BACKUP_CHUNK_BYTES)
			TRY(put_chunk(writer, BACKUP_CHUNK_BYTES, false, err));
	}
	return COF_OK;
}

cof_result backup_writer_add(struct backup_writer *writer, const struct backup_item *item,
			     struct cof_error *err)
{
	_cleanup_buffer_ struct buffer begin = { 0 };

	TRY(backup_item_begin(item, &begin, err));
	TRY(push(writer, buffer_span(&begin), err));
	TRY(push(writer, item->value, err));
	writer->count++;
	return COF_OK;
}

cof_result backup_writer_finish(struct backup_writer *writer, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer count = { 0 };
	struct backup_item end = { .kind = BACKUP_END, .name = "" };
	uint8_t digest[SHA256_BYTES];

	TRY(buffer_add_be64(&count, writer->count, err));
	end.value = buffer_span(&count);
	TRY(backup_writer_add(writer, &end, err));
	TRY(put_chunk(writer, writer->plain.len, true, err));
	TRY(sha256_now(writer->digest, digest, err));
	return put(writer, SPAN(digest, sizeof(digest)), err);
}
