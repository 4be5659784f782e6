/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BOOT_BOOT_TABLES_H
#define COF_BOOT_BOOT_TABLES_H

/*
 * What crypttab and fstab say of the vault's volumes and the file systems on them. Pure.
 */

#include "boot_list.h"

/** struct boot_volume - a line of crypttab whose key is the vault's; all owned */
struct boot_volume {
	char *name;
	char *source;
};

/**
 * struct boot_mount - a line of fstab that mounts something; all owned
 * @path:    mount point
 * @spec:    what is mounted, as fstab says it
 * @type:    of the file system, "auto" where it is to be found out
 * @options: with commas
 * @volume:  the vault's volume that it lies on as fstab and crypttab have it, or ""
 * @checked: fsck has a turn for it
 * @held:    a boot goes on without it: nofail, noauto or _netdev
 */
struct boot_mount {
	char *path;
	char *spec;
	char *type;
	char *options;
	char *volume;
	bool checked;
	bool held;
};

/** struct boot_tables - both files; a mount comes after those that it lies below, else as in fstab
 */
struct boot_tables {
	struct boot_volume *volumes;
	size_t volume_count;
	struct boot_mount *mounts;
	size_t mount_count;
};
void boot_tables_done(struct boot_tables *tables);

/**
 * boot_tables_read() - from the files' content
 * @keys_socket: the key that makes a line of crypttab the vault's; NULL: any vault's
 * Lines of fstab whose mount point nothing could wait for are passed over.
 * Fails: COF_E_FORMAT (a NUL byte in crypttab), COF_E_NOMEM
 */
cof_result boot_tables_read(struct span crypttab, struct span fstab, const char *keys_socket,
			    struct boot_tables *ret_tables, struct cof_error *err);

/** boot_mount_find() - by mount point; NULL: none */
const struct boot_mount *boot_mount_find(const struct boot_tables *tables, const char *path);

/** boot_is_below() - whether @path lies below the folder @above, and is not it */
bool boot_is_below(const char *path, const char *above);

/** boot_wait_mounts() - the mount points that a unit of the list waits for: its own, or those of
 * all volumes; none where it is unsure. Caller frees with name_list_free(). Fails: COF_E_NOMEM */
cof_result boot_wait_mounts(const struct boot_wait *wait, const struct boot_tables *tables,
			    char ***ret_mounts, struct cof_error *err);

/** boot_all_mounts() - the mount points that any unit of the list waits for, and those of all
 * volumes, in the order in which they can be mounted. Caller frees with name_list_free().
 * Fails: COF_E_NOMEM */
cof_result boot_all_mounts(const struct boot_list *list, const struct boot_tables *tables,
			   char ***ret_mounts, struct cof_error *err);

#endif
