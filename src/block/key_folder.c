/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * In which folders key files may be.
 */

#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "file.h"
#include "key_place.h"
#include "mountpoint.h"
#include "shell.h"

/* A folder that is to hold key files must be there, and what should be mounted there as well. */
static cof_result check_there(const struct paths *paths, const char *folder, struct cof_error *err)
{
	char word[SHELL_WORD_CHARS];
	char mount[512];
	struct stat status;

	if (mount_find_missing(paths->fstab, folder, mount, sizeof(mount))) {
		cof_ignore(cof_raise(err, COF_E_NOENT, folder,
				     "nothing is mounted at %s, for which fstab has a line",
				     mount));
		cof_error_try(err, "mount %s", shell_word(mount, word));
		return (cof_result){ COF_E_NOENT };
	}
	if (stat(folder, &status) == 0 && S_ISDIR(status.st_mode))
		return COF_OK;
	cof_ignore(cof_raise(err, COF_E_NOENT, folder, "is not a folder that is there"));
	cof_error_try(err, "mount what holds it, or mkdir -m 700 %s", shell_word(folder, word));
	return (cof_result){ COF_E_NOENT };
}

/* The key file alone must not be gone with the next start of the machine. */
static cof_result check_lasting(const struct key_relocate_spec *spec, struct cof_error *err)
{
	struct statfs system;

	if (!spec->only || statfs(spec->folder, &system) < 0)
		return COF_OK;
	ENSURE((uint32_t)system.f_type != TMPFS_MAGIC && (uint32_t)system.f_type != RAMFS_MAGIC,
	       err, COF_E_REFUSED, spec->folder,
	       "is in memory, and gone when the machine restarts: it cannot have the only copy of "
	       "a key");
	return COF_OK;
}

/* Whether a folder is the vault's own or lies in it. */
static bool is_in_vault(const char *folder, const char *vault_dir)
{
	size_t len = strlen(vault_dir);

	return strncmp(folder, vault_dir, len) == 0 && (folder[len] == '\0' || folder[len] == '/');
}

cof_result key_relocate_check(const struct paths *paths, const struct key_relocate_spec *spec,
			      struct cof_error *err)
{
	const char *folder = spec->folder;

	ENSURE(folder || !spec->only, err, COF_E_USAGE, "--only",
	       "is for key files: the vault alone has the keys that it has");
	if (!folder)
		return COF_OK;
	ENSURE(folder[0] == '/', err, COF_E_USAGE, folder, "is neither vault nor an absolute path");
	ENSURE(!strpbrk(folder, " \t\n#"), err, COF_E_USAGE, folder,
	       "has a blank or a #, which crypttab does not take in the path of a key file");
	TRY(check_there(paths, folder, err));
	ENSURE(!is_in_vault(folder, paths->vault_dir), err, COF_E_REFUSED, folder,
	       "is the vault's own folder, where keys are kept sealed");
	TRY(folder_check_private(folder, err));
	return check_lasting(spec, err);
}

cof_result key_relocate_check_mounted(const struct disk_set *set,
				      const struct key_relocate_spec *spec, struct cof_error *err)
{
	_cleanup_free_ char *folder = spec->folder ? realpath(spec->folder, NULL) : NULL;
	char word[SHELL_WORD_CHARS];

	for (size_t i = 0; folder && i < set->count; i++) {
		const struct disk *disk = &set->items[i];
		const char *const mounts[] = { disk->key_mount, disk->left_mount };

		for (size_t k = 0; k < 2; k++) {
			if (!mount_is_away(mounts[k]) || !mount_is_within(folder, mounts[k]))
				continue;
			cof_ignore(cof_raise(err, COF_E_NOENT, spec->folder,
					     "nothing is mounted at %s, where the key file of %s "
					     "was",
					     mounts[k], disk->name));
			cof_error_try(err, "mount %s", shell_word(mounts[k], word));
			return (cof_result){ COF_E_NOENT };
		}
	}
	return COF_OK;
}
