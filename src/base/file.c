/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files that survive a crash: see file.h.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "clock.h"
#include "file.h"
#include "log.h"

#define LOCK_RETRY_MS	20
#define TEMPORARY_CHARS 6

cof_result path_format(char **ret_path, struct cof_error *err, const char *format, ...)
{
	va_list arguments;
	char *path;
	int len;

	va_start(arguments, format);
	len = vasprintf(&path, format, arguments);
	va_end(arguments);
	ENSURE(len >= 0, err, COF_E_NOMEM, NULL, "no memory for a path");
	*ret_path = path;
	return COF_OK;
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool path_exists(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0;
}

cof_result fd_write_all(int fd, struct span bytes, const char *subject, struct cof_error *err)
{
	size_t done = 0;

	while (done < bytes.len) {
		ssize_t written = write(fd, bytes.data + done, bytes.len - done);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return cof_raise_errno(err, errno, subject, "cannot be written");
		done += (size_t)written;
	}
	return COF_OK;
}

cof_result fd_read_all(int fd, void *out, size_t len, const char *subject, struct cof_error *err)
{
	size_t done = 0;

	while (done < len) {
		ssize_t got = read(fd, (uint8_t *)out + done, len - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return cof_raise_errno(err, errno, subject, "cannot be read");
		ENSURE(got > 0, err, COF_E_FORMAT, subject, "ends after %zu of %zu bytes", done,
		       len);
		done += (size_t)got;
	}
	return COF_OK;
}

cof_result fd_pread_all(int fd, void *out, size_t len, uint64_t offset_bytes, const char *subject,
			struct cof_error *err)
{
	size_t done = 0;

	while (done < len) {
		ssize_t got =
			pread(fd, (uint8_t *)out + done, len - done, (off_t)(offset_bytes + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return cof_raise_errno(err, errno, subject, "cannot be read at byte %llu",
					       (unsigned long long)(offset_bytes + done));
		ENSURE(got > 0, err, COF_E_FORMAT, subject, "ends at byte %llu, before %llu",
		       (unsigned long long)(offset_bytes + done),
		       (unsigned long long)(offset_bytes + len));
		done += (size_t)got;
	}
	return COF_OK;
}

cof_result fd_pwrite_all(int fd, struct span bytes, uint64_t offset_bytes, const char *subject,
			 struct cof_error *err)
{
	size_t done = 0;

	while (done < bytes.len) {
		ssize_t put = pwrite(fd, bytes.data + done, bytes.len - done,
				     (off_t)(offset_bytes + done));

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return cof_raise_errno(err, errno, subject,
					       "cannot be written at byte %llu",
					       (unsigned long long)(offset_bytes + done));
		done += (size_t)put;
	}
	return COF_OK;
}

/* Everything that an open file has. */
static cof_result read_whole(int fd, const char *path, size_t max_bytes, struct buffer *ret_content,
			     struct cof_error *err)
{
	_cleanup_buffer_ struct buffer content = { 0 };
	ssize_t got;

	do {
		TRY(buffer_reserve(&content, 4096, err));
		got = read(fd, content.data + content.len, content.room_bytes - content.len - 1);
		if (got < 0 && errno != EINTR)
			return cof_raise_errno(err, errno, path, "cannot be read");
		content.len += got > 0 ? (size_t)got : 0;
		ENSURE(content.len <= max_bytes, err, COF_E_FORMAT, path,
		       "is larger than %zu bytes", max_bytes);
	} while (got != 0);

	content.data[content.len] = '\0';
	*ret_content = content;
	content = (struct buffer){ 0 };
	return COF_OK;
}

cof_result file_read(const char *path, size_t max_bytes, struct buffer *ret_content,
		     struct cof_error *err)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return cof_raise_errno(err, errno, path, "cannot be opened");
	return read_whole(fd, path, max_bytes, ret_content, err);
}

cof_result file_read_plain(const char *path, size_t max_bytes, struct buffer *ret_content,
			   struct cof_error *err)
{
	/* A FIFO would hold up an open() that is willing to wait. */
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat status;

	ENSURE(fd >= 0 || errno != ELOOP, err, COF_E_REFUSED, path, "is a symbolic link");
	if (fd < 0 || fstat(fd, &status) < 0)
		return cof_raise_errno(err, errno, path, "cannot be opened");
	ENSURE(S_ISREG(status.st_mode), err, COF_E_REFUSED, path, "is not a regular file");
	return read_whole(fd, path, max_bytes, ret_content, err);
}

cof_result file_read_line(const char *path, char *out, size_t out_size_bytes, struct cof_error *err)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;
	size_t len;

	if (fd < 0)
		return cof_raise_errno(err, errno, path, "cannot be opened");
	got = read(fd, out, out_size_bytes - 1);
	if (got < 0)
		return cof_raise_errno(err, errno, path, "cannot be read");
	out[got] = '\0';
	len = strcspn(out, "\n");
	while (len > 0 && (out[len - 1] == ' ' || out[len - 1] == '\t'))
		len--;
	out[len] = '\0';
	return COF_OK;
}

/* The folder part of @path: "." when it has none. */
static cof_result folder_of(const char *path, char **ret_folder, struct cof_error *err)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return path_format(ret_folder, err, ".");
	if (slash == path)
		return path_format(ret_folder, err, "/");
	return path_format(ret_folder, err, "%.*s", (int)(slash - path), path);
}

cof_result file_sync_folder_of(const char *path, struct cof_error *err)
{
	_cleanup_free_ char *folder = NULL;
	_cleanup_fd_ int fd = -1;

	TRY(folder_of(path, &folder, err));
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return cof_raise_errno(err, errno, folder, "cannot be opened");
	/* Some network file systems cannot fsync a folder and say EINVAL: they have no such cache.
	 */
	if (fsync(fd) < 0 && errno != EINVAL)
		return cof_raise_errno(err, errno, folder, "cannot be made durable");
	return COF_OK;
}

/* Removes a temporary file that was not renamed: for _cleanup_. */
static void temporary_removep(char **path)
{
	if (*path) {
		(void)unlink(*path);
		free(*path);
	}
}

/* Writes a durable temporary file beside @path; with @like, with that file's mode and owner. */
static cof_result write_temporary(const char *path, struct span content, mode_t mode,
				  const struct stat *like, char **ret_temporary,
				  struct cof_error *err)
{
	_cleanup_(temporary_removep) char *temporary = NULL;
	char *name = NULL;
	_cleanup_fd_ int fd = -1;

	TRY(path_format(&name, err, "%s.XXXXXX", path));
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0) {
		int errno_value = errno;

		free(name);
		return cof_raise_errno(err, errno_value, path, "cannot be made");
	}
	temporary = name;
	if (fchmod(fd, like ? like->st_mode & 07777 : mode) < 0 ||
	    (like && fchown(fd, like->st_uid, like->st_gid) < 0))
		return cof_raise_errno(err, errno, path, "cannot get its mode and owner");
	TRY(fd_write_all(fd, content, path, err));
	if (fsync(fd) < 0)
		return cof_raise_errno(err, errno, path, "cannot be made durable");

	*ret_temporary = TAKE(temporary);
	return COF_OK;
}

cof_result file_replace(const char *path, struct span content, mode_t mode, struct cof_error *err)
{
	_cleanup_(temporary_removep) char *temporary = NULL;
	_cleanup_free_ char *target = realpath(path, NULL);
	const char *final = target ? target : path;
	struct stat status;
	bool exists = stat(final, &status) == 0;

	TRY(write_temporary(final, content, mode, exists ? &status : NULL, &temporary, err));
	if (rename(temporary, final) < 0)
		return cof_raise_errno(err, errno, final, "cannot be replaced");
	free(TAKE(temporary));
	TRY(file_sync_folder_of(final, err));
	return COF_OK;
}

cof_result file_create(const char *path, struct span content, mode_t mode, struct cof_error *err)
{
	_cleanup_(temporary_removep) char *temporary = NULL;

	ENSURE(!path_exists(path), err, COF_E_REFUSED, path, "exists already");
	TRY(write_temporary(path, content, mode, NULL, &temporary, err));
	/* link() instead of rename(): it fails when somebody made the file meanwhile. */
	if (link(temporary, path) < 0) {
		ENSURE(errno != EEXIST, err, COF_E_REFUSED, path, "exists already");
		ENSURE(errno == EPERM || errno == EOPNOTSUPP, err, COF_E_IO, path,
		       "cannot be made: %s", strerror(errno));
		if (rename(temporary, path) < 0)
			return cof_raise_errno(err, errno, path, "cannot be made");
		free(TAKE(temporary));
	}
	TRY(file_sync_folder_of(path, err));
	return COF_OK;
}

/* Whether @entry is a temporary name of @name: a dot and six letters or digits, mkstemp(3). */
static bool is_temporary(const char *entry, const char *name)
{
	size_t len = strlen(name);

	return strncmp(entry, name, len) == 0 && entry[len] == '.' &&
	       strlen(entry + len + 1) == TEMPORARY_CHARS &&
	       strspn(entry + len + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789") == TEMPORARY_CHARS;
}

cof_result file_sweep(const char *folder, const char *name, struct cof_error *err)
{
	_cleanup_dir_ DIR *dir = opendir(folder);

	for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
		_cleanup_free_ char *path = NULL;

		if (!is_temporary(entry->d_name, name))
			continue;
		TRY(path_format(&path, err, "%s/%s", folder, entry->d_name));
		TRY(file_remove(path, err));
	}
	return COF_OK;
}

cof_result file_shred(const char *path, struct cof_error *err)
{
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	uint8_t zeroes[4096] = { 0 };
	struct stat status;

	if (fd < 0 && errno == ENOENT)
		return COF_OK;
	ENSURE(fd >= 0 || errno != ELOOP, err, COF_E_REFUSED, path, "is a symbolic link");
	if (fd < 0 || fstat(fd, &status) < 0)
		return cof_raise_errno(err, errno, path, "cannot be opened");
	ENSURE(S_ISREG(status.st_mode), err, COF_E_REFUSED, path, "is not a regular file");
	for (off_t done = 0; done < status.st_size; done += (off_t)sizeof(zeroes)) {
		off_t left = status.st_size - done;
		size_t step = left < (off_t)sizeof(zeroes) ? (size_t)left : sizeof(zeroes);

		TRY(fd_write_all(fd, SPAN(zeroes, step), path, err));
	}
	if (fsync(fd) < 0)
		return cof_raise_errno(err, errno, path, "cannot be made durable");
	return file_remove(path, err);
}

cof_result file_remove(const char *path, struct cof_error *err)
{
	if (unlink(path) < 0) {
		if (errno == ENOENT)
			return COF_OK;
		return cof_raise_errno(err, errno, path, "cannot be removed");
	}
	return file_sync_folder_of(path, err);
}

cof_result file_rename(const char *from, const char *to, struct cof_error *err)
{
	if (rename(from, to) < 0)
		return cof_raise_errno(err, errno, from, "cannot be renamed to %s", to);
	return file_sync_folder_of(to, err);
}

cof_result folder_make(const char *path, mode_t mode, struct cof_error *err)
{
	_cleanup_free_ char *partial = NULL;
	struct stat status;

	TRY(path_format(&partial, err, "%s", path));
	for (char *slash = partial + 1; slash;) {
		slash = strchr(slash, '/');
		if (slash)
			*slash = '\0';
		if (mkdir(partial, mode) < 0 && errno != EEXIST)
			return cof_raise_errno(err, errno, partial, "cannot be made");
		if (slash)
			*slash++ = '/';
	}
	ENSURE(stat(path, &status) == 0 && S_ISDIR(status.st_mode), err, COF_E_IO, path,
	       "is not a folder");
	return COF_OK;
}

/* Refuses a folder that somebody else may change; @sticky_is_fine: where the sticky bit keeps them
 * from what is not theirs. */
static cof_result check_folder(const char *path, bool sticky_is_fine, struct cof_error *err)
{
	struct stat status;
	cof_result result;

	if (stat(path, &status) < 0)
		return cof_raise_errno(err, errno, path, "cannot be examined");
	if (status.st_uid != 0 && status.st_uid != geteuid()) {
		result = cof_raise(err, COF_E_REFUSED, path, "belongs to user %u, must be root's",
				   status.st_uid);
		cof_error_try(err, "chown root %s", path);
		return result;
	}
	if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0 &&
	    !(sticky_is_fine && (status.st_mode & S_ISVTX) != 0)) {
		result = cof_raise(err, COF_E_REFUSED, path,
				   "has mode %04o: others than its owner may write to it",
				   status.st_mode & 07777);
		cof_error_cause(err, "whoever can write there can put other files in the place of "
				     "those that are needed");
		cof_error_try(err, "chmod go-w %s", path);
		return result;
	}
	return COF_OK;
}

cof_result folder_check_private(const char *path, struct cof_error *err)
{
	return check_folder(path, false, err);
}

cof_result folder_make_private(const char *path, struct cof_error *err)
{
	_cleanup_free_ char *above = NULL;

	TRY(folder_make(path, 0700, err));
	TRY(folder_of(path, &above, err));
	TRY(check_folder(above, true, err));
	return check_folder(path, false, err);
}

/* Reports who holds the lock: its pid is in the file. */
static cof_result lock_is_held(const char *path, struct cof_error *err)
{
	char holder[32] = "";

	if (cof_failed(file_read_line(path, holder, sizeof(holder), NULL)) || holder[0] == '\0')
		FAIL(err, COF_E_BUSY, path, "is locked by another process");
	FAIL(err, COF_E_BUSY, path, "is locked by process %s", holder);
}

cof_result file_lock(const char *path, unsigned int timeout_ms, int *ret_fd, struct cof_error *err)
{
	_cleanup_fd_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	uint64_t deadline_ms = clock_ms() + timeout_ms;
	char holder[32];
	int len;

	if (fd < 0)
		return cof_raise_errno(err, errno, path, "cannot be opened");
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return cof_raise_errno(err, errno, path, "cannot be locked");
		if (clock_ms() >= deadline_ms)
			return lock_is_held(path, err);
		(void)poll(NULL, 0, LOCK_RETRY_MS);
	}
	/* Padded, so that it covers a longer pid. It serves the message above alone: on a full disk
	 * or a read-only one the lock still holds. */
	len = snprintf(holder, sizeof(holder), "%-10d\n", (int)getpid());
	if (pwrite(fd, holder, (size_t)len, 0) != len)
		log_debug("file", "%s: the holder of the lock is not noted", path);

	*ret_fd = TAKE_FD(fd);
	return COF_OK;
}
