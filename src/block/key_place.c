/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The key files of disks: read, renewed and removed.
 */

#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include "file.h"
#include "key_place.h"
#include "mountpoint.h"
#include "passphrase.h"
#include "shell.h"

/* Not in linux/magic.h of every Debian: the file systems' own headers. */
#define MAGIC_ZFS  0x2fc12fc1
#define MAGIC_CIFS 0xff534d42

const char *disk_line_key(const struct paths *paths, const struct disk *disk)
{
	return disk->key_file[0] ? disk->key_file : paths->keys_socket;
}

bool disk_line_is_ours(const struct paths *paths, const struct disk *disk,
		       const struct crypttab_entry *line)
{
	return strcmp(line->key, paths->keys_socket) == 0 ||
	       (line->key[0] &&
		(strcmp(line->key, disk->key_file) == 0 || strcmp(line->key, disk->key_left) == 0));
}

cof_result disk_record_key(const struct record *record, struct slot_secret **ret_key,
			   struct cof_error *err)
{
	struct disk disk;

	if (record->secret)
		return slot_secret_copy(secret_span(record->secret), ret_key, err);
	TRY(disk_from_meta(record->meta, &disk, err));
	ENSURE(disk.key_file[0], err, COF_E_FORMAT, record->name, "has a record without a key");
	return key_place_read(&disk, ret_key, err);
}

/* Says of a key file that is not there why that may be. */
static cof_result raise_missing(const struct disk *disk, struct cof_error *err)
{
	const char *mount = disk->key_mount;
	char line[512];

	cof_ignore(cof_raise(err, COF_E_NOENT, disk->name, "its key file %s is not there",
			     disk->key_file));
	if (mount_is_away(mount)) {
		cof_error_cause(err, "nothing is mounted at %s", mount);
		if (shell_command("mount", mount, line, sizeof(line)))
			cof_error_try(err, "%s", line);
	} else if (disk->key_only) {
		cof_error_try(err, "put the key file back: no other copy of it is in the vault");
	} else {
		cof_error_try(err, "coffer key relocate %s --to vault, for the vault has the key",
			      disk->name);
	}
	return (cof_result){ COF_E_NOENT };
}

cof_result key_place_read(const struct disk *disk, struct slot_secret **ret_key,
			  struct cof_error *err)
{
	cof_result read = keyfile_read(disk->key_file, ret_key, err);

	return read.code == COF_E_NOENT ? raise_missing(disk, err) : read;
}

/* Whether the key file of a disk holds this key. */
static cof_result holds(const struct disk *disk, const struct slot_secret *key, bool *ret_holds,
			struct cof_error *err)
{
	_cleanup_(slot_secret_freep) struct slot_secret *there = NULL;

	TRY(key_place_read(disk, &there, err));
	*ret_holds = ct_equal(slot_secret_span(there), slot_secret_span(key));
	return COF_OK;
}

cof_result key_place_check(const struct disk *disk, const struct slot_secret *key,
			   struct cof_error *err)
{
	bool same;

	if (!disk->key_file[0])
		return COF_OK;
	TRY(holds(disk, key, &same, err));
	ENSURE(same, err, COF_E_KEY, disk->key_file, "holds another key than the vault");
	return COF_OK;
}

cof_result key_place_follow(const struct disk *disk, const struct slot_secret *key,
			    struct cof_error *err)
{
	bool same;

	if (!disk->key_file[0])
		return COF_OK;
	/* A medium that is away must not get its file on the folder below. */
	TRY(holds(disk, key, &same, err));
	if (same)
		return COF_OK;
	TRY(file_replace(disk->key_file, slot_secret_span(key), 0600, err));
	TRY(holds(disk, key, &same, err));
	ENSURE(same, err, COF_E_IO, disk->key_file, "reads back other than it was written");
	return COF_OK;
}

void disk_leave_key_file(struct disk *disk)
{
	if (!disk->key_file[0])
		return;
	memcpy(disk->key_left, disk->key_file, sizeof(disk->key_left));
	memcpy(disk->left_mount, disk->key_mount, sizeof(disk->left_mount));
}

bool key_left_is_away(const struct disk *disk)
{
	return disk->key_left[0] && mount_is_away(disk->left_mount);
}

/* What overwriting a file in place does not promise on its file system and its device. */
static void find_limits(const char *path, char out[static KEY_PLACE_LIMITS_CHARS])
{
	_cleanup_(device_freep) struct device *device = NULL;
	struct statfs system;
	struct stat status;

	out[0] = '\0';
	if (statfs(path, &system) < 0 || stat(path, &status) < 0)
		return;
	switch ((uint32_t)system.f_type) {
	case BTRFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
	case OVERLAYFS_SUPER_MAGIC:
	case MAGIC_ZFS:
		(void)snprintf(out, KEY_PLACE_LIMITS_CHARS,
			       "its file system writes elsewhere, and may keep the old bytes");
		return;
	case NFS_SUPER_MAGIC:
	case SMB2_SUPER_MAGIC:
	case MAGIC_CIFS:
		(void)snprintf(out, KEY_PLACE_LIMITS_CHARS,
			       "what the server keeps of it is not known");
		return;
	default:
		break;
	}
	/* A file system in memory has no device. */
	if (!cof_failed(device_by_number(status.st_dev, &device, NULL)) && !device->rotational)
		(void)snprintf(out, KEY_PLACE_LIMITS_CHARS,
			       "flash may keep the old bytes all the same");
}

cof_result key_place_shred(const char *path, char ret_limits[static KEY_PLACE_LIMITS_CHARS],
			   struct cof_error *err)
{
	find_limits(path, ret_limits);
	return file_shred(path, err);
}
