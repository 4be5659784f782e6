/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which processes keep a file system busy, as /proc tells: proc_pid_cwd(5) and the like.
 */

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"
#include "work.h"

#define NAMED_MAX 3 /* in a message */

/* The file system that somebody may use. */
struct place {
	const char *path;
	dev_t number;
};

/* Whether a link of /proc leads to the place or below it. The path alone could be one of another
 * mount namespace; and only what is there by its path is looked at closer, for a file system of
 * others may hang. */
static bool leads_there(const char *link, const struct place *place)
{
	char target[PATH_MAX];
	ssize_t len = readlink(link, target, sizeof(target) - 1);
	struct stat status;

	if (len <= 0)
		return false;
	target[len] = '\0';
	return (strcmp(target, place->path) == 0 || boot_is_below(target, place->path)) &&
	       stat(link, &status) == 0 && status.st_dev == place->number;
}

/* The same for any link in a folder of /proc. */
static bool folder_leads_there(const char *folder, const struct place *place)
{
	_cleanup_dir_ DIR *dir = opendir(folder);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char link[PATH_MAX];

		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(link, sizeof(link), "%s/%s", folder, entry->d_name);
		if (leads_there(link, place))
			return true;
	}
	return false;
}

/* Whether a process has anything of the file system at @path. */
static bool uses(const char *pid, const struct place *place)
{
	static const char *const links[] = { "cwd", "root", "exe" };
	static const char *const folders[] = { "fd", "map_files" };
	char name[64];

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		(void)snprintf(name, sizeof(name), "/proc/%.16s/%s", pid, links[i]);
		if (leads_there(name, place))
			return true;
	}
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		(void)snprintf(name, sizeof(name), "/proc/%.16s/%s", pid, folders[i]);
		if (folder_leads_there(name, place))
			return true;
	}
	return false;
}

/* Whether a process may be ended: neither the machine's first one, nor one of coffer's own
 * programs, also of before an upgrade, which may serve a volume whose disk is a file there. */
static bool may_end(pid_t pid)
{
	char link[64];
	char program[PATH_MAX];
	ssize_t len;

	(void)snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	len = readlink(link, program, sizeof(program) - 1);
	program[len > 0 ? len : 0] = '\0';
	return pid > 1 && strncmp(path_base(program), "coffer", strlen("coffer")) != 0;
}

/* Adds "name (pid)" to the words. */
static void add_words(const char *pid, size_t number, char words[static 256])
{
	char file[64];
	char name[32];
	size_t used = strlen(words);

	(void)snprintf(file, sizeof(file), "/proc/%.16s/comm", pid);
	if (cof_failed(file_read_line(file, name, sizeof(name), NULL)))
		(void)snprintf(name, sizeof(name), "a process");
	for (char *at = name; *at; at++)
		if (iscntrl((unsigned char)*at))
			*at = '?';
	(void)snprintf(words + used, 256 - used, "%s%s (%.16s)", number ? ", " : "", name, pid);
}

size_t boot_find_users(const char *path, pid_t pids[], size_t room, char words[static 256])
{
	_cleanup_dir_ DIR *dir = opendir("/proc");
	const struct dirent *entry;
	struct place place = { .path = path };
	struct stat status;
	size_t found = 0;
	size_t count = 0;
	size_t used;

	words[0] = '\0';
	if (stat(path, &status) < 0)
		return 0;
	place.number = status.st_dev;
	while (dir && count < room && (entry = readdir(dir))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (!isdigit((unsigned char)entry->d_name[0]) || pid == getpid() ||
		    !uses(entry->d_name, &place))
			continue;
		if (found < NAMED_MAX)
			add_words(entry->d_name, found, words);
		found++;
		if (may_end(pid))
			pids[count++] = pid;
	}
	used = strlen(words);
	if (found > NAMED_MAX)
		(void)snprintf(words + used, 256 - used, " and %zu more", found - NAMED_MAX);
	return count;
}
