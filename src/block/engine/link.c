/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stable names of open volumes: see link.h.
 */

#include "link.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>

#include "carrier.h"
#include "file.h"
#include "log.h"

#define DEV_FOLDER "/dev/coffer"
#define FOLDERS	   2
/* A change takes no time: who holds the lock longer was stopped in the middle of it. */
#define LOCK_TRIES    100
#define LOCK_RETRY_MS 10

/* The folder number @index, 0 or 1. */
static bool folder_path(const struct paths *paths, size_t index, char out[static LINK_PATH_BYTES])
{
	int len = index == 0 ? snprintf(out, LINK_PATH_BYTES, DEV_FOLDER)
			     : snprintf(out, LINK_PATH_BYTES, "%s/run/coffer/disk", paths->root);

	return len > 0 && len < LINK_PATH_BYTES;
}

/* Opens a folder in which nobody but this user, root, makes links; -1 when there is none. */
static int folder_open(const char *folder)
{
	_cleanup_fd_ int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat facts;

	if (fd < 0 || fstat(fd, &facts) < 0 || facts.st_uid != geteuid() ||
	    (facts.st_mode & (S_IWGRP | S_IWOTH)))
		return -1;
	return TAKE_FD(fd);
}

/* The same, for a change: one command at a time. */
static int folder_lock(const char *folder)
{
	_cleanup_fd_ int fd = folder_open(folder);

	for (int i = 0; fd >= 0 && i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return TAKE_FD(fd);
		(void)poll(NULL, 0, LOCK_RETRY_MS);
	}
	return -1;
}

/* What a link is, in the eyes of the volume called as it is. */
enum link_kind {
	LINK_NONE,    /* there is nothing */
	LINK_STALE,   /* it leads to no volume of its name */
	LINK_VOLUME,  /* it leads to a loop device on top of a volume of its name */
	LINK_FOREIGN, /* it is no link: nothing of ours */
};

/* Looks at a link; @file gets what its loop device lies on. */
static enum link_kind look(int folder, const char *name, char file[static PATH_MAX])
{
	char target[LINK_PATH_BYTES];
	char end[LINK_PATH_BYTES];
	ssize_t len = readlinkat(folder, name, target, sizeof(target) - 1);
	size_t file_len;
	size_t end_len;

	file[0] = '\0';
	if (len < 0)
		return faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? LINK_FOREIGN
									       : LINK_NONE;
	target[len] = '\0';
	if (!loop_file(path_base(target), file))
		return LINK_STALE;
	(void)snprintf(end, sizeof(end), "/%.200s/%s", name, CARRIER_FILE);
	file_len = strlen(file);
	end_len = strlen(end);
	return file_len > end_len && strcmp(file + file_len - end_len, end) == 0 ? LINK_VOLUME
										 : LINK_STALE;
}

/* Puts the link into one folder, unless its name is taken there. */
static bool put_into(const char *folder, bool in_dev, const char *name,
		     const struct places *places, const char *device)
{
	_cleanup_fd_ int fd = -1;
	char target[LOOP_NAME_BYTES + 8];
	char temporary[LINK_PATH_BYTES];
	char file[PATH_MAX];
	enum link_kind kind;

	if (cof_failed(folder_make(folder, 0755, NULL)))
		return false;
	fd = folder_lock(folder);
	if (fd < 0)
		return false;
	kind = look(fd, name, file);
	if (kind == LINK_FOREIGN || (kind == LINK_VOLUME && strcmp(file, places->file) != 0))
		return false;
	(void)snprintf(target, sizeof(target), "%s/%s", in_dev ? ".." : "/dev",
		       path_base(device));
	/* No volume's name begins with a dot. */
	(void)snprintf(temporary, sizeof(temporary), ".%.200s", name);
	(void)unlinkat(fd, temporary, 0);
	return symlinkat(target, fd, temporary) == 0 && renameat(fd, temporary, fd, name) == 0;
}

void link_put(const struct paths *paths, const char *name, const struct places *places,
	      const char *device)
{
	char folder[LINK_PATH_BYTES];

	for (size_t i = 0; i < FOLDERS; i++)
		if (folder_path(paths, i, folder) &&
		    put_into(folder, i == 0, name, places, device))
			return;
	log_debug("engine", "%s has no stable name: neither below /dev nor below /run", name);
}

void link_drop(const struct paths *paths, const char *name, const struct places *places)
{
	for (size_t i = 0; i < FOLDERS; i++) {
		_cleanup_fd_ int fd = -1;
		char folder[LINK_PATH_BYTES];
		char file[PATH_MAX];
		enum link_kind kind;

		if (!folder_path(paths, i, folder))
			continue;
		fd = folder_lock(folder);
		if (fd < 0)
			continue;
		kind = look(fd, name, file);
		if (kind == LINK_STALE ||
		    (kind == LINK_VOLUME && strcmp(file, places->file) == 0))
			(void)unlinkat(fd, name, 0);
	}
}

void link_find(const struct paths *paths, const char *name, const char *device,
	       char out[static LINK_PATH_BYTES])
{
	out[0] = '\0';
	for (size_t i = 0; i < FOLDERS && device[0]; i++) {
		_cleanup_fd_ int fd = -1;
		char folder[LINK_PATH_BYTES];
		char target[LINK_PATH_BYTES];
		ssize_t len;
		int written;

		if (!folder_path(paths, i, folder))
			continue;
		/* For an ordinary user root's folder is another's, and good to look at. */
		fd = open(folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		len = fd < 0 ? -1 : readlinkat(fd, name, target, sizeof(target) - 1);
		if (len < 0)
			continue;
		target[len] = '\0';
		if (strcmp(path_base(target), path_base(device)) != 0)
			continue;
		written = snprintf(out, LINK_PATH_BYTES, "%s/%s", folder, name);
		if (written > 0 && written < LINK_PATH_BYTES)
			return;
		out[0] = '\0';
	}
}

/* Takes the stale links of one folder away. */
static void sweep_folder(const char *folder)
{
	_cleanup_fd_ int fd = folder_open(folder);
	_cleanup_dir_ DIR *dir = NULL;
	const struct dirent *entry;

	/* Whoever has the lock makes or takes a link; the next look will do. */
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return;
	dir = opendir(folder);
	while (dir && (entry = readdir(dir))) {
		char file[PATH_MAX];

		if (entry->d_type == DT_LNK && look(fd, entry->d_name, file) == LINK_STALE)
			(void)unlinkat(fd, entry->d_name, 0);
	}
}

void link_sweep(const struct paths *paths)
{
	char folder[LINK_PATH_BYTES];

	for (size_t i = 0; i < FOLDERS; i++)
		if (folder_path(paths, i, folder))
			sweep_folder(folder);
}
