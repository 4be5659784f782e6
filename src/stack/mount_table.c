/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "cleanup.h"
#include "file.h"
#include "mount_table.h"
#include "mounts.h"

#define TABLE	  "/proc/self/mountinfo"
#define USERS_MAX 4

cof_result mounted_at(const char *folder, struct mounted *ret_mounted, struct cof_error *err)
{
	_cleanup_file_ FILE *table = fopen(TABLE, "re");
	_cleanup_free_ char *line = NULL;
	_cleanup_free_ struct mount_line *mount = malloc(sizeof(*mount));
	_cleanup_free_ char *real = realpath(folder, NULL);
	size_t room = 0;

	ENSURE(mount, err, COF_E_NOMEM, folder, "no memory for the mount table");
	if (!table)
		return cof_raise_errno(err, errno, TABLE, "cannot be read");
	ret_mounted->found = false;
	/* The last line of a folder is what lies on top. */
	while (getline(&line, &room, table) > 0) {
		if (!mount_line_parse(line, mount) ||
		    strcmp(mount->folder, real ? real : folder) != 0)
			continue;
		ret_mounted->found = true;
		ret_mounted->number = makedev(mount->major, mount->minor);
		(void)snprintf(ret_mounted->type, sizeof(ret_mounted->type), "%s", mount->type);
		(void)snprintf(ret_mounted->source, sizeof(ret_mounted->source), "%s",
			       mount->source);
	}
	return COF_OK;
}

bool mounted_is(const struct mounted *mounted, const char *device)
{
	struct stat source;
	struct stat wanted;

	if (!mounted->found || stat(device, &wanted) != 0)
		return false;
	if (mounted->number == wanted.st_rdev)
		return true;
	/* btrfs has numbers of its own. */
	return stat(mounted->source, &source) == 0 && S_ISBLK(source.st_mode) &&
	       source.st_rdev == wanted.st_rdev;
}

/* Whether what the link at @path leads to lies in the file system @number. */
static bool leads_into(int folder, const char *name, dev_t number)
{
	struct stat facts;

	return fstatat(folder, name, &facts, 0) == 0 && facts.st_dev == number;
}

/* Whether a process has a file, its folder or its root in the file system. */
static bool process_is_in(const char *pid, dev_t number)
{
	static const char *const links[] = { "cwd", "root", "exe" };
	_cleanup_free_ char *path = NULL;
	_cleanup_free_ char *files = NULL;
	_cleanup_dir_ DIR *folder = NULL;
	_cleanup_dir_ DIR *open_files = NULL;
	const struct dirent *entry;

	if (cof_failed(path_format(&path, NULL, "/proc/%s", pid)) ||
	    cof_failed(path_format(&files, NULL, "/proc/%s/fd", pid)))
		return false;
	folder = opendir(path);
	for (size_t i = 0; folder && i < sizeof(links) / sizeof(links[0]); i++)
		if (leads_into(dirfd(folder), links[i], number))
			return true;
	open_files = opendir(files);
	while (open_files && (entry = readdir(open_files)))
		if (entry->d_name[0] != '.' && leads_into(dirfd(open_files), entry->d_name, number))
			return true;
	return false;
}

/* Appends to a text of bounded room. */
static void append(char *out, size_t out_size_bytes, const char *what, const char *name,
		   const char *more)
{
	size_t used = strlen(out);

	(void)snprintf(out + used, out_size_bytes - used, "%s%s%s%s", used ? ", " : "", what, name,
		       more);
}

/* What is mounted below a folder. */
static void mounts_below(const char *folder, char *out, size_t out_size_bytes)
{
	_cleanup_file_ FILE *table = fopen(TABLE, "re");
	_cleanup_free_ char *line = NULL;
	_cleanup_free_ struct mount_line *mount = malloc(sizeof(*mount));
	size_t room = 0;
	size_t len = strlen(folder);

	while (table && mount && getline(&line, &room, table) > 0)
		if (mount_line_parse(line, mount) && strncmp(mount->folder, folder, len) == 0 &&
		    mount->folder[len] == '/')
			append(out, out_size_bytes, "the mount at ", mount->folder, "");
}

void mount_users(const char *folder, char *out, size_t out_size_bytes)
{
	_cleanup_dir_ DIR *processes = opendir("/proc");
	const struct dirent *entry;
	struct stat facts;
	unsigned int found = 0;

	out[0] = '\0';
	mounts_below(folder, out, out_size_bytes);
	if (stat(folder, &facts) != 0)
		return;
	while (processes && found < USERS_MAX && (entry = readdir(processes))) {
		_cleanup_free_ char *path = NULL;
		char name[80] = " (";

		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    !process_is_in(entry->d_name, facts.st_dev))
			continue;
		found++;
		if (cof_failed(path_format(&path, NULL, "/proc/%s/comm", entry->d_name)) ||
		    cof_failed(file_read_line(path, name + 2, sizeof(name) - 4, NULL)))
			name[0] = '\0';
		else
			(void)strcat(name, ")");
		append(out, out_size_bytes, "process ", entry->d_name, name);
	}
}
