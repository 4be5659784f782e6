/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <unistd.h>

#include "disk_owner.h"
#include "file.h"

/* ROOT/run/coffer/owner/NAME. */
static cof_result owner_path(const struct paths *paths, const char *name, char **ret_path,
			     struct cof_error *err)
{
	return path_format(ret_path, err, "%s/run/coffer/owner/%s", paths->root, name);
}

cof_result disk_owner_write(const struct paths *paths, const char *name, const char *command,
			    struct cof_error *err)
{
	_cleanup_free_ char *folder = NULL;
	_cleanup_free_ char *path = NULL;

	TRY(path_format(&folder, err, "%s/run/coffer/owner", paths->root));
	TRY(folder_make(folder, 0700, err));
	TRY(owner_path(paths, name, &path, err));
	return file_replace(path, span_of_text(command), 0600, err);
}

bool disk_owner_read(const struct paths *paths, const char *name,
		     char ret_command[static DISK_OWNER_CHARS])
{
	_cleanup_free_ char *path = NULL;

	return !cof_failed(owner_path(paths, name, &path, NULL)) &&
	       !cof_failed(file_read_line(path, ret_command, DISK_OWNER_CHARS, NULL)) &&
	       ret_command[0];
}

void disk_owner_remove(const struct paths *paths, const char *name)
{
	_cleanup_free_ char *path = NULL;

	if (!cof_failed(owner_path(paths, name, &path, NULL)))
		(void)unlink(path);
}
