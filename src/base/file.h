/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BASE_FILE_H
#define COF_BASE_FILE_H

/*
 * Files that survive: whole reads with a bound, replacement that is either the old or the new
 * content after any crash, and locks between processes.
 */

#include <stdint.h>
#include <sys/stat.h>

#include "buffer.h"
#include "result.h"

/**
 * file_read() - the whole content of a file
 * @path:      borrowed
 * @max_bytes: more than this is COF_E_FORMAT
 * @ret_content: filled; the caller runs buffer_done(); a NUL byte follows the content, not counted
 *
 * Fails: COF_E_NOENT, COF_E_IO, COF_E_FORMAT (too large), COF_E_NOMEM
 */
cof_result file_read(const char *path, size_t max_bytes, struct buffer *ret_content,
		     struct cof_error *err);

/**
 * file_read_plain() - file_read() for a place that others may write to: a symbolic link is not
 * followed, and nothing but a regular file is read
 * Fails: as file_read(), COF_E_REFUSED (it is something else)
 */
cof_result file_read_plain(const char *path, size_t max_bytes, struct buffer *ret_content,
			   struct cof_error *err);

/**
 * file_read_line() - the first line of a small file such as those in /sys, without the newline
 * and without trailing blanks
 * @out: receives at most @out_size_bytes - 1 bytes and a NUL
 * Fails: COF_E_NOENT, COF_E_IO
 */
cof_result file_read_line(const char *path, char *out, size_t out_size_bytes,
			  struct cof_error *err);

/**
 * file_replace() - put @content at @path so that a crash leaves the old or the new file, whole
 * @path: a symbolic link is followed and its target replaced
 * @mode: permission bits for a new file; an existing file's mode and owner are kept
 *
 * Writes a temporary file in the same folder, fsyncs it, renames it, fsyncs the folder.
 * Fails: COF_E_NOSPC, COF_E_IO, COF_E_NOENT (no such folder)
 */
cof_result file_replace(const char *path, struct span content, mode_t mode,
			struct cof_error *err);

/**
 * file_create() - the same for a file that must not exist yet. Fails as well: COF_E_REFUSED
 * (something is there)
 */
cof_result file_create(const char *path, struct span content, mode_t mode, struct cof_error *err);

/** file_sync_folder_of() - fsync the folder that holds @path. Fails: COF_E_IO, COF_E_NOENT */
cof_result file_sync_folder_of(const char *path, struct cof_error *err);

/** file_remove() - unlink and fsync the folder; not there is success. Fails: COF_E_IO */
cof_result file_remove(const char *path, struct cof_error *err);

/** file_sweep() - remove what file_replace() and file_create() of @name have left in @folder when
 * they were killed. Nobody else may be writing there. Fails: COF_E_IO */
cof_result file_sweep(const char *folder, const char *name, struct cof_error *err);

/**
 * file_shred() - overwrite a regular file with zeroes, make that durable, and remove it; not there
 * is success. On flash, and on file systems that write elsewhere than they read, the old bytes may
 * stay. Fails: COF_E_REFUSED (a symbolic link, or no regular file), COF_E_IO
 */
cof_result file_shred(const char *path, struct cof_error *err);

/** file_rename() - rename and fsync the folder of @to. Fails: COF_E_NOENT, COF_E_IO */
cof_result file_rename(const char *from, const char *to, struct cof_error *err);

/** folder_make() - mkdir -p; each missing folder gets @mode. Fails: COF_E_IO, COF_E_NOSPC */
cof_result folder_make(const char *path, mode_t mode, struct cof_error *err);

/**
 * folder_check_private() - that nobody but its owner, who is root or this process's user, can put
 * anything into a folder or take it away
 * Fails: COF_E_REFUSED (the remedy is the chown or chmod), COF_E_NOENT, COF_E_IO
 */
cof_result folder_check_private(const char *path, struct cof_error *err);

/**
 * folder_make_private() - folder_make() with mode 0700 for a folder that may be there already and
 * is then checked; the folder above it is checked as well, where others may write if it is sticky
 * Fails: as folder_make() and folder_check_private()
 */
cof_result folder_make_private(const char *path, struct cof_error *err);

/** path_exists() - whether lstat() finds something; an unreadable parent counts as no */
bool path_exists(const char *path);
/** path_base() - what is behind the last slash, or all of it; borrowed from @path */
const char *path_base(const char *path);

/**
 * path_join() - "a/b", printf's; never NULL on success; caller frees
 * Fails: COF_E_NOMEM
 */
cof_result path_format(char **ret_path, struct cof_error *err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * file_lock() - an exclusive lock between processes, held until the fd is closed
 * @path:       lock file, made with mode 0600 if missing
 * @timeout_ms: how long to wait for another holder; 0 is not at all
 * @ret_fd:     caller closes
 *
 * Fails: COF_E_BUSY (held by another, whose pid the error names), COF_E_IO
 */
cof_result file_lock(const char *path, unsigned int timeout_ms, int *ret_fd,
		     struct cof_error *err);

/** fd_write_all() - write every byte, through short writes and EINTR. Fails: COF_E_IO,
 * COF_E_NOSPC */
cof_result fd_write_all(int fd, struct span bytes, const char *subject, struct cof_error *err);
/** fd_read_all() - read exactly @len bytes. Fails: COF_E_IO, COF_E_FORMAT (end comes earlier) */
cof_result fd_read_all(int fd, void *out, size_t len, const char *subject, struct cof_error *err);
/** fd_pread_all() - the same at an offset in bytes */
cof_result fd_pread_all(int fd, void *out, size_t len, uint64_t offset_bytes, const char *subject,
			struct cof_error *err);
/** fd_pwrite_all() - fd_write_all() at an offset in bytes */
cof_result fd_pwrite_all(int fd, struct span bytes, uint64_t offset_bytes, const char *subject,
			 struct cof_error *err);

#endif
