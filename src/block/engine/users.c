/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who uses a block device: see users.h. What cannot be read is passed over: this only explains
 * a refusal that stands already.
 */

#include "users.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "cleanup.h"
#include "mounts.h"
#include "shell.h"

#define TEXT_MAX 300

/* Mounted, by number, or by name for file systems with numbers of their own such as btrfs. */
static bool by_mount(const char *device, dev_t number, struct user *user)
{
	_cleanup_file_ FILE *file = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	_cleanup_free_ struct mount_line *mount = malloc(sizeof(*mount));
	size_t room = 0;

	while (file && mount && getline(&line, &room, file) > 0) {
		if (!mount_line_parse(line, mount))
			continue;
		if (makedev(mount->major, mount->minor) != number &&
		    strcmp(mount->source, device) != 0)
			continue;
		(void)snprintf(user->text, sizeof(user->text), "mounted at %.*s (%s)", TEXT_MAX,
			       mount->folder, mount->type);
		(void)shell_command("umount", mount->folder, user->remedy, sizeof(user->remedy));
		return true;
	}
	return false;
}

/* A line of /proc/swaps that begins with the device. */
static bool by_swap(const char *device, struct user *user)
{
	_cleanup_file_ FILE *file = fopen("/proc/swaps", "re");
	_cleanup_free_ char *line = NULL;
	size_t room = 0;

	while (file && getline(&line, &room, file) > 0) {
		if (strncmp(line, device, strlen(device)) != 0 || line[strlen(device)] != ' ')
			continue;
		(void)snprintf(user->text, sizeof(user->text), "it is swap space");
		(void)snprintf(user->remedy, sizeof(user->remedy), "swapoff %s", device);
		return true;
	}
	return false;
}

/* A device of the kernel on top: LVM, md, dm. */
static bool by_holder(dev_t number, struct user *user)
{
	_cleanup_dir_ DIR *folder = NULL;
	const struct dirent *entry;
	char path[64];

	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/holders", major(number),
		       minor(number));
	folder = opendir(path);
	while (folder && (entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(user->text, sizeof(user->text), "%.*s lies on it", TEXT_MAX,
			       entry->d_name);
		return true;
	}
	return false;
}

/* Whether one of the process's files is the device. */
static bool process_has(const char *pid, dev_t number)
{
	_cleanup_dir_ DIR *folder = NULL;
	const struct dirent *entry;
	struct stat facts;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
	folder = opendir(path);
	while (folder && (entry = readdir(folder)))
		if (fstatat(dirfd(folder), entry->d_name, &facts, 0) == 0 &&
		    S_ISBLK(facts.st_mode) && facts.st_rdev == number)
			return true;
	return false;
}

/* A process that has it open. */
static bool by_process(dev_t number, struct user *user)
{
	_cleanup_dir_ DIR *folder = opendir("/proc");
	const struct dirent *entry;

	while (folder && (entry = readdir(folder))) {
		_cleanup_file_ FILE *file = NULL;
		char path[64];
		char program[32] = "";

		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    !process_has(entry->d_name, number))
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%.16s/comm", entry->d_name);
		file = fopen(path, "re");
		if (file && fgets(program, sizeof(program), file))
			program[strcspn(program, "\n")] = '\0';
		(void)snprintf(user->text, sizeof(user->text), "process %.16s (%s) has it open",
			       entry->d_name, program);
		return true;
	}
	return false;
}

void users_find(const char *device, struct user *ret_user)
{
	struct stat facts = { 0 };
	struct user user = { .text = "by whom could not be found out" };

	if (stat(device, &facts) == 0 && !by_mount(device, facts.st_rdev, &user) &&
	    !by_swap(device, &user) && !by_holder(facts.st_rdev, &user))
		(void)by_process(facts.st_rdev, &user);

	*ret_user = user;
}
