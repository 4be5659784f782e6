/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <libmount.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"
#include "name_list.h"
#include "opener.h"
#include "shell.h"
#include "usage.h"

#define ENGINE_SOURCE "coffer-engine:" /* of the mounts of src/block/engine */
#define DEPTH_MAX     32	       /* devices on devices; the kernel's own limit is lower */

/* struct tables - what is looked at for each device */
struct tables {
	const struct block_roots *roots;
	struct libmnt_table *mounts;
	struct libmnt_table *swaps;
	struct libmnt_iter *iterator;
};

static void tables_done(struct tables *tables)
{
	mnt_unref_table(tables->mounts);
	mnt_unref_table(tables->swaps);
	mnt_free_iter(tables->iterator);
}

/* Reads both tables of this process's mount namespace. */
static cof_result tables_load(const struct block_roots *roots, struct tables *tables,
			      struct cof_error *err)
{
	_cleanup_free_ char *mounts = NULL;
	_cleanup_free_ char *swaps = NULL;

	tables->roots = roots;
	tables->mounts = mnt_new_table();
	tables->swaps = mnt_new_table();
	tables->iterator = mnt_new_iter(MNT_ITER_FORWARD);
	ENSURE(tables->mounts && tables->swaps && tables->iterator, err, COF_E_NOMEM, NULL,
	       "no memory for the mount table");
	TRY(path_format(&mounts, err, "%s/self/mountinfo", roots->proc));
	TRY(path_format(&swaps, err, "%s/swaps", roots->proc));
	/* Without this table nothing could be called unused. */
	ENSURE(mnt_table_parse_file(tables->mounts, mounts) == 0, err, COF_E_IO, mounts,
	       "cannot be read, so nobody knows what is mounted");
	/* A kernel without swap has no such file. */
	if (path_exists(swaps))
		ENSURE(mnt_table_parse_swaps(tables->swaps, swaps) == 0, err, COF_E_IO, swaps,
		       "cannot be read, so nobody knows what is used as swap");
	return COF_OK;
}

/* Whether @path is a node of the device. */
static bool is_node_of(const char *path, dev_t number)
{
	struct stat st;

	return path && strncmp(path, "/dev/", 5) == 0 && stat(path, &st) == 0 &&
	       S_ISBLK(st.st_mode) && st.st_rdev == number;
}

/* Fills in where the device is mounted. btrfs gives its mounts numbers of no device, so the
 * source counts as well. */
static bool find_mount(struct tables *tables, dev_t number, struct usage *usage)
{
	struct libmnt_fs *fs;
	unsigned int places = 0;
	char more[32] = "";

	mnt_reset_iter(tables->iterator, MNT_ITER_FORWARD);
	while (mnt_table_next_fs(tables->mounts, tables->iterator, &fs) == 0) {
		const char *type = mnt_fs_get_fstype(fs);
		const char *target = mnt_fs_get_target(fs);

		if (mnt_fs_get_devno(fs) != number && !is_node_of(mnt_fs_get_srcpath(fs), number))
			continue;
		if (places++ > 0)
			continue;
		(void)snprintf(usage->text, sizeof(usage->text), "mounted at %s", target);
		(void)snprintf(usage->detail, sizeof(usage->detail), " (%s)", type ? type : "?");
		/* Nobody is told to take the running system's root away. */
		if (strcmp(target, "/") != 0)
			(void)shell_command("umount", target, usage->remedy,
					    sizeof(usage->remedy));
	}
	if (places > 1) {
		(void)snprintf(more, sizeof(more), " and %u more", places - 1);
		(void)strncat(usage->detail, more,
			      sizeof(usage->detail) - strlen(usage->detail) - 1);
	}
	return places > 0;
}

/* Fills in that the device is swap. */
static bool find_swap(struct tables *tables, dev_t number, struct usage *usage)
{
	struct libmnt_fs *fs;

	mnt_reset_iter(tables->iterator, MNT_ITER_FORWARD);
	while (mnt_table_next_fs(tables->swaps, tables->iterator, &fs) == 0) {
		const char *source = mnt_fs_get_source(fs);

		if (!is_node_of(source, number))
			continue;
		(void)snprintf(usage->text, sizeof(usage->text), "swap");
		(void)snprintf(usage->remedy, sizeof(usage->remedy), "swapoff %s", source);
		return true;
	}
	return false;
}

/* Fills in that the device is one of several of a mounted btrfs, of which mounts name only one. */
static cof_result find_btrfs(const struct block_roots *roots, const char *kname,
			     struct usage *usage, struct cof_error *err)
{
	_cleanup_free_ char *folder = NULL;
	_cleanup_dir_ DIR *dir = NULL;
	const struct dirent *entry;

	TRY(path_format(&folder, err, "%s/fs/btrfs", roots->sys));
	dir = opendir(folder);
	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *member = NULL;

		TRY(path_format(&member, err, "%s/%s/devices/%s", folder, entry->d_name, kname));
		if (entry->d_name[0] == '.' || !path_exists(member))
			continue;
		(void)snprintf(usage->text, sizeof(usage->text), "part of a mounted btrfs");
		(void)snprintf(usage->detail, sizeof(usage->detail), " (%.64s)", entry->d_name);
		(void)snprintf(usage->remedy, sizeof(usage->remedy), "btrfs filesystem show");
	}
	return COF_OK;
}

/* Fills in the volume as which the user-space engine serves the device: its process has both the
 * device and the lock file beside the mount open. */
static cof_result find_engine(struct tables *tables, dev_t number, struct usage *usage,
			      struct cof_error *err)
{
	_cleanup_(name_list_freep) char **locks = NULL;
	struct opener_query query = { .number = number };
	struct opener opener;
	struct libmnt_fs *fs;
	const char *name;

	TRY(name_list_new(&locks, err));
	mnt_reset_iter(tables->iterator, MNT_ITER_FORWARD);
	while (mnt_table_next_fs(tables->mounts, tables->iterator, &fs) == 0) {
		_cleanup_free_ char *lock = NULL;
		const char *source = mnt_fs_get_source(fs);

		if (!source || strncmp(source, ENGINE_SOURCE, strlen(ENGINE_SOURCE)) != 0)
			continue;
		TRY(path_format(&lock, err, "%s.lock", mnt_fs_get_target(fs)));
		TRY(name_list_add(&locks, lock, err));
	}
	query.files = locks;
	if (!locks[0] || !opener_find(tables->roots, &query, &opener))
		return COF_OK;
	name = strrchr(opener.file, '/') + 1;
	(void)snprintf(usage->text, sizeof(usage->text), "open as %.*s",
		       (int)(strlen(name) - strlen(".lock")), name);
	(void)snprintf(usage->detail, sizeof(usage->detail), " (user-space engine, pid %d)",
		       (int)opener.pid);
	(void)snprintf(usage->remedy, sizeof(usage->remedy), "coffer disk close %.*s",
		       (int)(strlen(name) - strlen(".lock")), name);
	return COF_OK;
}

/* Fills in the mount or swap that is somewhere on top of the device. */
static cof_result find_above(struct tables *tables, const char *kname, int depth,
			     struct usage *usage, struct cof_error *err)
{
	_cleanup_(name_list_freep) char **holders = NULL;
	dev_t number;

	ENSURE(depth < DEPTH_MAX, err, COF_E_FAILED, kname, "has devices on top without an end");
	TRY(sysblock_holders(tables->roots, kname, &holders, err));
	for (char **holder = holders; *holder && usage->text[0] == '\0'; holder++) {
		if (!sysblock_number(tables->roots, *holder, &number))
			continue;
		if (!find_mount(tables, number, usage) && !find_swap(tables, number, usage))
			TRY(find_above(tables, *holder, depth + 1, usage, err));
	}
	return COF_OK;
}

/* Fills in the first device on top, and what that is used for in the end. */
static cof_result find_holder(struct tables *tables, const char *kname, struct usage *usage,
			      struct cof_error *err)
{
	_cleanup_(name_list_freep) char **holders = NULL;
	struct usage above = { 0 };
	char name[256];
	char uuid[256];

	TRY(sysblock_holders(tables->roots, kname, &holders, err));
	if (!holders[0])
		return COF_OK;
	(void)attribute_text(tables->roots, holders[0], "dm/name", name, sizeof(name));
	(void)attribute_text(tables->roots, holders[0], "dm/uuid", uuid, sizeof(uuid));
	usage_of_holder(holders[0], name, uuid, usage);
	TRY(find_above(tables, kname, 0, &above, err));
	if (above.text[0] == '\0')
		return COF_OK;
	(void)snprintf(usage->detail, sizeof(usage->detail), ", %.180s%.64s", above.text,
		       above.detail);
	memcpy(usage->remedy, above.remedy, sizeof(usage->remedy));
	return COF_OK;
}

/* Fills in what uses this one device itself. */
static cof_result find_direct(struct tables *tables, const char *kname, dev_t number,
			      struct usage *usage, struct cof_error *err)
{
	if (find_mount(tables, number, usage) || find_swap(tables, number, usage))
		return COF_OK;
	TRY(find_holder(tables, kname, usage, err));
	if (usage->text[0] == '\0')
		TRY(find_btrfs(tables->roots, kname, usage, err));
	if (usage->text[0] == '\0')
		TRY(find_engine(tables, number, usage, err));
	return COF_OK;
}

/* The same for a disk of which only a part is asked about, or a part of which all is asked. */
static cof_result find_related(struct tables *tables, const char *kname, const char *what,
			       struct usage *usage, struct cof_error *err)
{
	struct usage related = { 0 };
	dev_t number;

	if (usage->text[0] != '\0' || !sysblock_number(tables->roots, kname, &number))
		return COF_OK;
	TRY(find_direct(tables, kname, number, &related, err));
	if (related.text[0] == '\0')
		return COF_OK;
	*usage = related;
	(void)snprintf(usage->text, sizeof(usage->text), "%s %s %.180s", what, kname, related.text);
	return COF_OK;
}

cof_result usage_find(const struct block_roots *roots, const struct device *device,
		      struct usage *ret_usage, struct cof_error *err)
{
	_cleanup_(tables_done) struct tables tables = { 0 };
	_cleanup_(name_list_freep) char **partitions = NULL;
	struct usage usage = { 0 };

	TRY(tables_load(roots, &tables, err));
	TRY(find_direct(&tables, device->kname, device->number, &usage, err));
	TRY(sysblock_partitions(roots, device->kname, &partitions, err));
	for (char **partition = partitions; *partition; partition++)
		TRY(find_related(&tables, *partition, "partition", &usage, err));
	if (device->parent[0] != '\0')
		TRY(find_related(&tables, device->parent, "whole disk", &usage, err));
	*ret_usage = usage;
	return COF_OK;
}

cof_result device_use(const struct device *device, char *out, size_t out_size_bytes,
		      struct cof_error *err)
{
	struct usage usage;

	TRY(usage_find(&block_roots_system, device, &usage, err));
	(void)snprintf(out, out_size_bytes, "%s", usage.text);
	return COF_OK;
}
