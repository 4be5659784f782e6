/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The audit log's files: the end that is appended to, and the older ones.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit_file.h"
#include "clock.h"
#include "fault.h"
#include "file.h"
#include "number.h"
#include "vault.h"

#define ROTATE_BYTES	 (16u << 20)
#define FILE_MAX_BYTES	 (4u * ROTATE_BYTES)
#define OLD_FILE_PREFIX	 "audit-"
#define OLD_FILE_SUFFIX	 ".log"
#define OLD_FILE_CHARS	 30 /* audit-00000000000000000001.log */
#define WINDOW_BYTES	 (2 * (AUDIT_LINE_MAX_BYTES + 2)) /* a torn line and a whole one */
#define FORMAT_VERSION	 1

cof_result audit_lock(const char *folder, int *ret_fd, struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;

	TRY(path_format(&path, err, "%s/.audit-lock", folder));
	return file_lock(path, AUDIT_LOCK_TIMEOUT_MS, ret_fd, err);
}

/* Whether a name is that of an older file, for scandir(). */
static int is_old_file(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len == OLD_FILE_CHARS &&
	       strncmp(entry->d_name, OLD_FILE_PREFIX, strlen(OLD_FILE_PREFIX)) == 0 &&
	       strcmp(entry->d_name + len - strlen(OLD_FILE_SUFFIX), OLD_FILE_SUFFIX) == 0;
}

/* Frees what scandir() made. */
static void entries_free(struct dirent **entries, int count)
{
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
}

cof_result audit_files(const char *folder, char ***ret_names, size_t *ret_count,
		       struct cof_error *err)
{
	_cleanup_(vault_names_freep) char **names = NULL;
	_cleanup_free_ char *path = NULL;
	struct dirent **entries = NULL;
	int count = scandir(folder, &entries, is_old_file, alphasort);
	size_t used = 0;
	bool all = true;

	if (count < 0)
		return cof_raise_errno(err, errno, folder, "cannot be listed");
	names = calloc((size_t)count + 2, sizeof(*names));
	for (int i = 0; names && i < count; i++) {
		names[used] = strdup(entries[i]->d_name);
		all = all && names[used++];
	}
	entries_free(entries, count);
	ENSURE(names && all, err, COF_E_NOMEM, folder, "no memory for a list of files");
	TRY(path_format(&path, err, "%s/" AUDIT_FILE, folder));
	if (path_exists(path)) {
		names[used] = strdup(AUDIT_FILE);
		ENSURE(names[used++], err, COF_E_NOMEM, folder, "no memory for a list of files");
	}
	if (ret_count)
		*ret_count = used;
	*ret_names = TAKE(names);
	return COF_OK;
}

/* The end of a file, from the beginning of a line on. */
static cof_result read_end(const char *path, struct buffer *ret_end, uint64_t *ret_size_bytes,
			   struct cof_error *err)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;
	size_t len;

	if (fd < 0 || fstat(fd, &status) < 0)
		return cof_raise_errno(err, errno, path, "cannot be opened");
	len = status.st_size > WINDOW_BYTES ? WINDOW_BYTES : (size_t)status.st_size;
	TRY(buffer_reserve(ret_end, len + 1, err));
	TRY(fd_pread_all(fd, ret_end->data, len, (uint64_t)status.st_size - len, path, err));
	ret_end->len = len;
	*ret_size_bytes = (uint64_t)status.st_size;
	return COF_OK;
}

/* Takes the last line of a file, and the last whole one, into @tail. */
static cof_result take_end(const char *path, struct audit_tail *tail, bool *ret_empty,
			   struct cof_error *err)
{
	_cleanup_buffer_ struct buffer end = { 0 };
	struct span rest;
	struct span line;
	bool first;
	bool ended;

	TRY(read_end(path, &end, &tail->size_bytes, err));
	first = tail->size_bytes > end.len;
	rest = buffer_span(&end);
	*ret_empty = rest.len == 0;
	while (audit_next_line(&rest, &line, &ended)) {
		struct audit_item item;

		/* The first one may be cut off by the window. */
		if (first && rest.len > 0) {
			first = false;
			continue;
		}
		TRY(audit_item_read(line, &item, err));
		item.whole &= ended;
		tail->torn = !item.whole;
		tail->torn_bytes = line.len;
		tail->has_end = ended;
		tail->chain = item.own;
		if (!item.whole)
			continue;
		item.text = SPAN(NULL, 0);
		tail->last = item;
		tail->any = true;
	}
	return COF_OK;
}

/* Goes on in the newest older file where audit.log has no whole line. */
static cof_result take_older(const char *folder, bool empty, struct audit_tail *tail,
			     struct cof_error *err)
{
	_cleanup_(vault_names_freep) char **names = NULL;
	_cleanup_free_ char *path = NULL;
	struct audit_tail older = { 0 };
	size_t count = 0;
	bool older_empty;

	TRY(audit_files(folder, &names, NULL, err));
	while (names[count] && strcmp(names[count], AUDIT_FILE) != 0)
		count++;
	if (count == 0)
		return COF_OK;
	TRY(path_format(&path, err, "%s/%s", folder, names[count - 1]));
	TRY(take_end(path, &older, &older_empty, err));
	tail->any = older.any;
	tail->last = older.last;
	if (empty)
		tail->chain = older.chain;
	return COF_OK;
}

cof_result audit_tail_read(const char *folder, struct audit_tail *ret_tail, struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;
	struct audit_tail tail = { 0 };
	bool empty = true;

	TRY(path_format(&path, err, "%s/" AUDIT_FILE, folder));
	tail.exists = path_exists(path);
	if (tail.exists)
		TRY(take_end(path, &tail, &empty, err));
	if (!tail.any)
		TRY(take_older(folder, empty, &tail, err));
	*ret_tail = tail;
	return COF_OK;
}

int64_t audit_now(void)
{
	return (int64_t)clock_now();
}

bool audit_boot(char out[static AUDIT_BOOT_CHARS])
{
	return !cof_failed(
		file_read_line("/proc/sys/kernel/random/boot_id", out, AUDIT_BOOT_CHARS, NULL));
}

/* What every line has of this moment, chained to @tail. */
static void stamp_now(const struct audit_tail *tail, char boot[static AUDIT_BOOT_CHARS],
		      struct audit_stamp *stamp)
{
	*stamp = (struct audit_stamp){ .seq = tail->last.seq + 1, .prev = tail->chain };
	stamp->when = audit_now();
	if (stamp->when < tail->last.when)
		stamp->back_seconds = (uint64_t)(tail->last.when - stamp->when);
	if (audit_boot(boot))
		stamp->boot = boot;
}

/* Adds one line and its newline to @out, and makes it the end of @tail. */
static cof_result add_line(struct audit_tail *tail, const struct audit_text *text,
			   const struct wrap_key *key, struct buffer *out, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer line = { 0 };
	struct audit_stamp stamp;
	char boot[AUDIT_BOOT_CHARS];

	stamp_now(tail, boot, &stamp);
	TRY(audit_line_format(&stamp, text, &line, err));
	if (key)
		TRY(audit_line_seal(key, &line, err));
	TRY(audit_item_read(buffer_span(&line), &tail->last, err));
	tail->last.text = SPAN(NULL, 0);
	tail->chain = tail->last.own;
	TRY(buffer_add(out, line.data, line.len, err));
	return buffer_add_u8(out, '\n', err);
}

/* Ends a line that a power cut left, keeps it, and marks it. */
static cof_result add_mark(struct audit_tail *tail, struct buffer *out, struct cof_error *err)
{
	_cleanup_json_ struct json *detail = json_new_object();
	struct audit_text text = { .event = AUDIT_TORN, .result = "done", .detail = detail };

	json_set_uint(detail, "bytes", tail->torn_bytes);
	if (!tail->has_end)
		TRY(buffer_add_u8(out, '\n', err));
	return add_line(tail, &text, NULL, out, err);
}

cof_result audit_begin(const char *folder, const char *vault, uint64_t seq, struct cof_error *err)
{
	_cleanup_json_ struct json *detail = json_new_object();
	_cleanup_buffer_ struct buffer line = { 0 };
	_cleanup_free_ char *path = NULL;
	struct audit_text text = { .event = AUDIT_BEGIN, .result = "done", .detail = detail };
	struct audit_tail tail = { .last.seq = seq - 1 };

	json_set_text(detail, "vault", vault);
	json_set_uint(detail, "format", FORMAT_VERSION);
	TRY(add_line(&tail, &text, NULL, &line, err));
	TRY(path_format(&path, err, "%s/" AUDIT_FILE, folder));
	TRY(file_create(path, buffer_span(&line), 0600, err));
	return fault_point("audit/begun", err);
}

/* Number of the first line of a file. */
static cof_result first_seq(const char *path, uint64_t *ret_seq, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer content = { 0 };
	struct audit_item item = { 0 };
	struct span rest;
	struct span line;
	bool ended;

	TRY(file_read_plain(path, FILE_MAX_BYTES, &content, err));
	rest = buffer_span(&content);
	while (!item.whole && audit_next_line(&rest, &line, &ended))
		TRY(audit_item_read(line, &item, err));
	ENSURE(item.whole, err, COF_E_FORMAT, path, "has no line of an audit log");
	*ret_seq = item.seq;
	return COF_OK;
}

/* Gives a full audit.log the name of an older file; a new one takes its place. */
static cof_result rotate(const char *folder, const char *path, struct cof_error *err)
{
	_cleanup_free_ char *older = NULL;
	uint64_t seq;

	TRY(first_seq(path, &seq, err));
	TRY(audit_sync(folder, err));
	TRY(path_format(&older, err, "%s/" OLD_FILE_PREFIX "%020llu" OLD_FILE_SUFFIX, folder,
			(unsigned long long)seq));
	ENSURE(!path_exists(older), err, COF_E_REFUSED, older, "is there already");
	TRY(file_rename(path, older, err));
	return fault_point("audit/rotated", err);
}

/* Writes to the end of the file, all or nothing. */
static cof_result write_end(const char *path, uint64_t size_bytes, struct span bytes,
			    struct cof_error *err)
{
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
	size_t half = bytes.len / 2;
	cof_result result;

	if (fd < 0)
		return cof_raise_errno(err, errno, path, "cannot be opened");
	result = fd_write_all(fd, SPAN(bytes.data, half), path, err);
	if (!cof_failed(result))
		result = fault_point("audit/torn", err);
	if (!cof_failed(result))
		result = fd_write_all(fd, SPAN(bytes.data + half, bytes.len - half), path, err);
	/* What is left of it would be marked as torn: that, too, is kept. */
	if (cof_failed(result) && ftruncate(fd, (off_t)size_bytes) < 0)
		return result;
	return result;
}

cof_result audit_append(const char *folder, const char *vault, const struct audit_text *text,
			const struct wrap_key *key, struct audit_item *ret_item,
			struct cof_error *err)
{
	_cleanup_buffer_ struct buffer bytes = { 0 };
	_cleanup_free_ char *path = NULL;
	struct audit_tail tail;

	TRY(path_format(&path, err, "%s/" AUDIT_FILE, folder));
	TRY(audit_tail_read(folder, &tail, err));
	if (!tail.exists && !tail.any) {
		ENSURE(vault, err, COF_E_NOENT, path, "there is no audit log");
		TRY(audit_begin(folder, vault, 1, err));
		TRY(audit_tail_read(folder, &tail, err));
	}
	if (tail.torn)
		TRY(add_mark(&tail, &bytes, err));
	else if (tail.size_bytes >= fault_number("COFFER_TEST_AUDIT_BYTES", ROTATE_BYTES)) {
		TRY(rotate(folder, path, err));
		tail.exists = false;
	}
	if (!tail.exists) {
		TRY(file_create(path, SPAN("", 0), 0600, err));
		tail.size_bytes = 0;
	}
	TRY(add_line(&tail, text, key, &bytes, err));
	TRY(write_end(path, tail.size_bytes, buffer_span(&bytes), err));
	*ret_item = tail.last;
	return COF_OK;
}

cof_result audit_sync(const char *folder, struct cof_error *err)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_fd_ int fd = -1;

	TRY(path_format(&path, err, "%s/" AUDIT_FILE, folder));
	fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return cof_raise_errno(err, errno, path, "cannot be opened");
	if (fdatasync(fd) < 0)
		return cof_raise_errno(err, errno, path, "cannot be made durable");
	return COF_OK;
}
