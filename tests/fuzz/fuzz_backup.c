/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Backups: the head, the word before a chunk, and the items, however the chunks cut them. */

#include <stdio.h>
#include <sys/mman.h>

#include "backup.h"
#include "backup_code.h"
#include "file.h"
#include "fuzz.h"

/* What a parser handed out, as it would be written again. */
static cof_result keep(const struct backup_item *item, void *context, struct cof_error *err)
{
	struct buffer *out = context;

	FUZZ_CHECK(item->kind == BACKUP_ROW || item->kind == BACKUP_AUDIT ||
		   item->kind == BACKUP_CONFIG);
	FUZZ_CHECK(!strchr(item->name, '/') || item->kind == BACKUP_ROW);
	TRY(backup_item_begin(item, out, err));
	return buffer_add(out, item->value.data, item->value.len, err);
}

/* Parses the input in pieces of @piece_bytes; true where all of it is good. */
static bool parse(struct span input, size_t piece_bytes, struct buffer *out)
{
	_cleanup_(backup_parser_done) struct backup_parser parser = { .subject = "fuzz",
								      .visit = keep,
								      .context = out };

	for (size_t at = 0; at < input.len; at += piece_bytes) {
		size_t rest = input.len - at;

		if (cof_failed(backup_parser_feed(
			    &parser, SPAN(input.data + at, rest < piece_bytes ? rest : piece_bytes),
			    NULL)))
			return false;
	}
	return !cof_failed(backup_parser_finish(&parser, NULL));
}

/* Where the pieces are cut makes no difference, and what is good is the only way to write it. */
static void try_items(struct span input)
{
	_cleanup_buffer_ struct buffer whole = { 0 };
	_cleanup_buffer_ struct buffer cut = { 0 };
	bool good = parse(input, input.len ? input.len : 1, &whole);

	FUZZ_CHECK(parse(input, 3, &cut) == good);
	FUZZ_CHECK(whole.len == cut.len &&
		   (whole.len == 0 || memcmp(whole.data, cut.data, whole.len) == 0));
	if (!good)
		return;
	FUZZ_CHECK(input.len == whole.len + BACKUP_ITEM_HEAD_BYTES + 8);
	FUZZ_CHECK(whole.len == 0 || memcmp(whole.data, input.data, whole.len) == 0);
}

/* The same bytes as a file. Nobody has its key. */
static void try_file(struct span input)
{
	_cleanup_fd_ int fd = memfd_create("fuzz", MFD_CLOEXEC);
	_cleanup_(backup_closep) struct backup *backup = NULL;
	struct backup_content content;
	char path[32];

	FUZZ_CHECK(fd >= 0 && !cof_failed(fd_write_all(fd, input, "fuzz", NULL)));
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (cof_failed(backup_open(path, &backup, NULL)))
		return;
	cof_ignore(backup_check(backup, NULL)); /* any answer is fine */
	FUZZ_CHECK(backup_prove(backup, &content, NULL).code == COF_E_LOCKED);
}

void fuzz_one(struct span input)
{
	_cleanup_buffer_ struct buffer again = { 0 };
	struct backup_frame frame;
	struct backup_head head;

	if (!cof_failed(backup_head_decode(input, "fuzz", &head, NULL))) {
		FUZZ_CHECK(!cof_failed(backup_head_encode(&head, &again, NULL)));
		FUZZ_CHECK(again.len == BACKUP_HEAD_BYTES &&
			   memcmp(again.data, input.data, again.len) == 0);
	}
	if (!cof_failed(backup_frame_decode(input, "fuzz", &frame, NULL)))
		FUZZ_CHECK(frame.plain_bytes >= 1 && frame.plain_bytes <= BACKUP_CHUNK_BYTES);
	try_items(input);
	try_file(input);
}
