/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "identity.h"
#include "opener.h"

/* Whether /proc/PID/fdinfo says that the descriptor was opened for writing. */
static bool is_for_writing(const struct block_roots *roots, const char *pid, const char *fd)
{
	_cleanup_file_ FILE *info = NULL;
	char path[PATH_MAX];
	char line[128];
	unsigned int flags = 0;

	(void)snprintf(path, sizeof(path), "%s/%s/fdinfo/%s", roots->proc, pid, fd);
	info = fopen(path, "re");
	while (info && fgets(line, sizeof(line), info))
		if (sscanf(line, "flags: %o", &flags) == 1)
			break;
	return (flags & O_ACCMODE) != O_RDONLY;
}

/* Whether the descriptor @fd in the folder @fds, which leads to @target, is the device. */
static bool is_device(int fds, const char *fd, const char *target, dev_t number)
{
	struct stat st;

	/* Only nodes are looked at closer: stat() of a file on a dead network mount hangs. */
	return strncmp(target, "/dev/", 5) == 0 && fstatat(fds, fd, &st, 0) == 0 &&
	       S_ISBLK(st.st_mode) && st.st_rdev == number;
}

/* Whether the process is one that is looked for. */
static bool process_fits(const struct block_roots *roots, const char *pid,
			 const struct opener_query *query, const char **ret_file)
{
	_cleanup_dir_ DIR *dir = NULL;
	const struct dirent *entry;
	const char *file = NULL;
	bool has_device = false;
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s/fd", roots->proc, pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		char target[PATH_MAX];
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

		if (len <= 0)
			continue;
		target[len] = '\0';
		if (is_device(dirfd(dir), entry->d_name, target, query->number) &&
		    (!query->writers || is_for_writing(roots, pid, entry->d_name)))
			has_device = true;
		for (size_t i = 0; query->files && query->files[i]; i++)
			if (strcmp(target, query->files[i]) == 0)
				file = query->files[i];
	}
	*ret_file = file;
	return has_device && (file || !query->files);
}

/* Fills in the process's name: of its program where it shows one, which is not cut short. */
static void read_command(const struct block_roots *roots, const char *pid, char *out,
			 size_t out_size_bytes)
{
	_cleanup_fd_ int fd = -1;
	char path[PATH_MAX];
	char program[PATH_MAX];
	const char *slash;
	ssize_t len = -1;

	(void)snprintf(path, sizeof(path), "%s/%s/cmdline", roots->proc, pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		len = read(fd, program, sizeof(program) - 1);
	program[len > 0 ? len : 0] = '\0';
	program[strcspn(program, " ")] = '\0';
	slash = strrchr(program, '/');
	(void)snprintf(out, out_size_bytes, "%.*s", (int)out_size_bytes - 1,
		       slash ? slash + 1 : program);
	text_tidy(out);
}

bool opener_find(const struct block_roots *roots, const struct opener_query *query,
		 struct opener *ret_opener)
{
	_cleanup_dir_ DIR *dir = opendir(roots->proc);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		const char *file;

		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    (query->writers && pid == getpid()) ||
		    !process_fits(roots, entry->d_name, query, &file))
			continue;
		ret_opener->pid = pid;
		ret_opener->file = file;
		read_command(roots, entry->d_name, ret_opener->command,
			     sizeof(ret_opener->command));
		return true;
	}
	return false;
}
