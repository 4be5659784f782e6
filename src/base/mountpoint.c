/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "mountpoint.h"

#define FSTAB_LINE_BYTES 4096

bool mount_is_root(const char *path)
{
	struct statx status;

	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &status) < 0)
		return false;
	return (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

bool mount_is_away(const char *mount)
{
	return mount[0] && strcmp(mount, "/") != 0 && !mount_is_root(mount);
}

cof_result mount_of(const char *path, char **ret_mount, struct cof_error *err)
{
	_cleanup_free_ char *mount = realpath(path, NULL);

	if (!mount)
		return cof_raise_errno(err, errno, path, "cannot be examined");
	while (strcmp(mount, "/") != 0 && !mount_is_root(mount)) {
		char *slash = strrchr(mount, '/');

		slash[slash == mount] = '\0';
	}

	*ret_mount = TAKE(mount);
	return COF_OK;
}

bool mount_is_within(const char *folder, const char *above)
{
	size_t len = strlen(above);

	return strncmp(folder, above, len) == 0 && (folder[len] == '\0' || folder[len] == '/');
}

bool mount_find_missing(const char *fstab, const char *folder, char *out, size_t out_size_bytes)
{
	FILE *file = fstab ? setmntent(fstab, "re") : NULL;
	char line[FSTAB_LINE_BYTES];
	struct mntent entry;
	bool found = false;

	while (file && !found && getmntent_r(file, &entry, line, sizeof(line))) {
		found = entry.mnt_dir[0] == '/' && entry.mnt_dir[1] != '\0' &&
			mount_is_within(folder, entry.mnt_dir) && !mount_is_root(entry.mnt_dir);
		if (found)
			(void)snprintf(out, out_size_bytes, "%s", entry.mnt_dir);
	}
	if (file)
		(void)endmntent(file);
	return found;
}
