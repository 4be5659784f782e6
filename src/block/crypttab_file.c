/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "clock.h"
#include "fault.h"
#include "file.h"
#include "name_list.h"
#include "number.h"
#include "tabfile.h"

#define CRYPTTAB_MAX_BYTES (4u << 20) /* a line for each of 20000 disks */
#define COPIES_KEPT   5
#define COPY_MARK     ".coffer-" /* between the file's name and the copy's date */
#define LOCK_WAIT_MS  10000	 /* an edit takes a fraction of a second */

/* Mode of a new file: key paths are nobody else's business, what is mounted is everybody's. */
const struct tab_file tab_file_crypttab = { .point = "crypttab", .mode = 0600 };
const struct tab_file tab_file_fstab = { .point = "fstab", .mode = 0644 };

/* Reads the file into @text; none is an empty one. */
static cof_result read_text(const char *path, struct buffer *text, bool *ret_exists,
			    struct cof_error *err)
{
	cof_result result = file_read(path, CRYPTTAB_MAX_BYTES, text, err);

	*ret_exists = !cof_failed(result);
	if (result.code == COF_E_NOENT)
		return COF_OK;
	return result;
}

/* Says in which file the failure is. */
static cof_result parse_file(const char *path, struct span text, struct crypttab **ret_table,
			     struct cof_error *err)
{
	return cof_explain(crypttab_parse(text, ret_table, err), err, NULL, "cannot use %s", path);
}

cof_result crypttab_load(const char *path, struct crypttab **ret_table, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer text = { 0 };
	bool exists;

	TRY(read_text(path, &text, &exists, err));
	return parse_file(path, buffer_span(&text), ret_table, err);
}

/* Splits a path into its folder and its file's name. */
static cof_result split_path(const char *path, char **ret_folder, const char **ret_name,
			     struct cof_error *err)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		TRY(path_format(ret_folder, err, "."));
	else
		TRY(path_format(ret_folder, err, "%.*s", slash == path ? 1 : (int)(slash - path),
				path));
	*ret_name = slash ? slash + 1 : path;
	return COF_OK;
}

/* The names of the copies in @folder, oldest first: their dates sort as text. */
static cof_result list_copies(const char *folder, const char *name, char ***ret_copies,
			      struct cof_error *err)
{
	_cleanup_(name_list_freep) char **copies = NULL;
	_cleanup_dir_ DIR *dir = opendir(folder);
	const struct dirent *entry;
	size_t len = strlen(name);

	TRY(name_list_new(&copies, err));
	while (dir && (entry = readdir(dir)))
		if (strncmp(entry->d_name, name, len) == 0 &&
		    strncmp(entry->d_name + len, COPY_MARK, strlen(COPY_MARK)) == 0)
			TRY(name_list_add(&copies, entry->d_name, err));
	name_list_sort(copies);
	*ret_copies = TAKE(copies);
	return COF_OK;
}

/* Removes the oldest copies, but never @newest: a clock that ran backwards may sort it first. */
static cof_result prune_copies(const char *path, const char *newest, struct cof_error *err)
{
	_cleanup_(name_list_freep) char **copies = NULL;
	_cleanup_free_ char *folder = NULL;
	const char *name;
	size_t count;

	TRY(split_path(path, &folder, &name, err));
	TRY(list_copies(folder, name, &copies, err));
	count = name_list_count(copies);
	for (size_t i = 0; i + COPIES_KEPT < count; i++) {
		_cleanup_free_ char *copy = NULL;

		TRY(path_format(&copy, err, "%s/%s", folder, copies[i]));
		if (strcmp(copy, newest) != 0)
			TRY(file_remove(copy, err));
	}
	return COF_OK;
}

/* Passes the fault point of a step of an edit. */
static cof_result pass(const char *point, const char *step, struct cof_error *err)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "%s/%s", point, step);
	return fault_point(name, err);
}

/* Keeps @text, which is what the file holds now, beside it under a name with the date. */
static cof_result keep_copy(const char *path, struct span text, const char *point,
			    struct cof_error *err)
{
	_cleanup_free_ char *copy = NULL;
	char date[32];
	struct stat st;

	if (stat(path, &st) != 0)
		return cof_raise_errno(err, errno, path, "cannot be looked up");
	(void)time_format(clock_now(), date);
	TRY(path_format(&copy, err, "%s" COPY_MARK "%s", path, date));
	/* Several changes within one second: the copy of the first is the one worth keeping. */
	if (path_exists(copy))
		return COF_OK;
	TRY(file_create(copy, text, st.st_mode & 07777, err));
	TRY(pass(point, "copied", err));
	return prune_copies(path, copy, err);
}

/* Writes what the file is to hold, unless it does already. */
static cof_result write_text(const char *path, struct span before, struct span after, bool exists,
			     const struct tab_file *file, struct cof_error *err)
{
	if (after.len == before.len &&
	    (after.len == 0 || memcmp(after.data, before.data, after.len) == 0))
		return COF_OK;
	if (exists && !file->own)
		TRY(keep_copy(path, before, file->point, err));
	if (file->own && after.len == 0)
		TRY(file_remove(path, err));
	else
		TRY(file_replace(path, after, file->mode, err));
	return pass(file->point, "replaced", err);
}

/* Takes the lock of all coffer's edits of this file. */
static cof_result lock_file(const char *path, int *ret_fd, struct cof_error *err)
{
	_cleanup_free_ char *folder = NULL;
	_cleanup_free_ char *lock = NULL;
	const char *name;

	TRY(split_path(path, &folder, &name, err));
	TRY(path_format(&lock, err, "%s/.%s.lock", folder, name));
	return file_lock(lock, LOCK_WAIT_MS, ret_fd, err);
}

cof_result tab_edit(const char *path, const struct tab_file *file, tab_rewrite rewrite,
		    void *context, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer before = { 0 };
	_cleanup_buffer_ struct buffer after = { 0 };
	_cleanup_fd_ int lock = -1;
	_cleanup_free_ char *real = realpath(path, NULL);
	bool exists;

	/* The lock and the copies belong to the file itself, whatever link led to it. */
	path = real ? real : path;
	TRY(lock_file(path, &lock, err));
	TRY(read_text(path, &before, &exists, err));
	TRY(rewrite(path, buffer_span(&before), context, &after, err));
	return write_text(path, buffer_span(&before), buffer_span(&after), exists, file, err);
}

/* What crypttab_edit() hands through tab_edit(). */
struct edit {
	crypttab_change change;
	void *context;
};

/* tab_edit()'s rewrite: parsed, changed, formatted. */
static cof_result rewrite_crypttab(const char *path, struct span before, void *context,
				   struct buffer *ret_after, struct cof_error *err)
{
	_cleanup_(crypttab_freep) struct crypttab *table = NULL;
	struct edit *edit = context;

	TRY(parse_file(path, before, &table, err));
	TRY(edit->change(table, edit->context, err));
	return crypttab_format(table, ret_after, err);
}

cof_result crypttab_edit(const char *path, crypttab_change change, void *context,
			 struct cof_error *err)
{
	struct edit edit = { .change = change, .context = context };

	return tab_edit(path, &tab_file_crypttab, rewrite_crypttab, &edit, err);
}
