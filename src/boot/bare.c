/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bare.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include "file.h"

/*
 * Opens the folder below whatever is mounted at @path: a copy of the mount that has its parent is
 * without the mounts on it (open_tree(2), OPEN_TREE_CLONE without AT_RECURSIVE). -1: errno says
 * why.
 */
static int open_bare(const char *path)
{
	_cleanup_free_ char *parent = NULL;
	_cleanup_fd_ int tree = -1;
	const char *name = path_base(path);

	if (cof_failed(path_format(&parent, NULL, "%.*s", (int)(name - path), path)))
		return -1;
	tree = open_tree(AT_FDCWD, parent, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0)
		return -1;
	return openat(tree, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Whether a folder holds nothing. */
static bool is_empty(int fd)
{
	_cleanup_fd_ int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_dir_ DIR *dir = again >= 0 ? fdopendir(again) : NULL;
	const struct dirent *entry;

	if (!dir)
		return false;
	again = -1;
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return false;
	return true;
}

enum bare_state bare_look(const char *path)
{
	_cleanup_fd_ int fd = open_bare(path);
	int flags;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? BARE_MISSING
									     : BARE_UNFIT;
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return BARE_UNFIT;
	if (flags & FS_IMMUTABLE_FL)
		return BARE_CLOSED;
	return is_empty(fd) ? BARE_OPEN : BARE_FULL;
}

cof_result bare_set(const char *path, bool closed, struct cof_error *err)
{
	_cleanup_fd_ int fd = open_bare(path);
	int flags;
	int wanted;

	if (fd < 0)
		return cof_raise_errno(err, errno, path, "the bare mount point cannot be opened");
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return cof_raise_errno(err, errno, path, "has no flags");
	wanted = closed ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
	if (wanted != flags && ioctl(fd, FS_IOC_SETFLAGS, &wanted) < 0)
		return cof_raise_errno(err, errno, path, "could not be made %s",
				       closed ? "immutable" : "writable again");
	return COF_OK;
}
