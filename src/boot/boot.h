/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BOOT_BOOT_H
#define COF_BOOT_BOOT_H

/*
 * Which units wait at boot for the vault's volumes: adding, removing, and how they are.
 */

#include "boot_tables.h"
#include "bus.h"
#include "paths.h"

/**
 * struct boot - what one run knows
 * @path: of the list
 * @bus:  to systemd; NULL where another init runs, and below --root
 */
struct boot {
	const struct paths *paths;
	char *path;
	struct boot_list list;
	struct boot_tables tables;
	struct bus *bus;
};

/** boot_open() - read the list and both tables. Fails: COF_E_FORMAT (the list: file and line),
 * COF_E_IO, COF_E_NOMEM */
cof_result boot_open(const struct paths *paths, struct boot **ret_boot, struct cof_error *err);
void boot_close(struct boot *boot);
DEFINE_FREEP(struct boot, boot_closep, boot_close)

/** boot_is_mounted() - whether something is mounted at @path */
bool boot_is_mounted(const char *path);

/** boot_unit_exists() - whether a machine without systemd's bus has a unit or an init script of
 * this name */
bool boot_unit_exists(const struct paths *paths, const char *unit);

/**
 * struct boot_result - what became of one unit; its texts are owned
 * @unit:    its whole name; as typed where it was refused before that
 * @mounts:  that it waits for, NULL-terminated
 * @all:     those are all of the vault's, whatever fstab says later
 * @state:   "waits", "free", "planned" or "failed"
 * @changed: this run did something, or would
 * @note:    what a person should know of it as well, "" for nothing
 */
struct boot_result {
	char unit[BOOT_UNIT_MAX_CHARS + 1];
	char **mounts;
	bool all;
	const char *state;
	bool changed;
	char note[512];
	struct cof_error error;
};
void boot_results_free(struct boot_result results[], size_t count);

/**
 * boot_add() - have units wait
 * @mounts:  mount points as typed, NULL-terminated; none: all file systems on the vault's volumes
 * @dry_run: plan alone
 * @results: @count of them, filled in; a unit that is refused costs the others nothing
 * Fault points "boot/...". Fails: the first unit's failure, after all were tried: COF_E_USAGE,
 * COF_E_REFUSED (the machine or coffer needs it), COF_E_NOENT (no such unit, no such line in
 * fstab); what the list itself fails with
 */
cof_result boot_add(struct boot *boot, const char *const units[], size_t count,
		    const char *const mounts[], bool dry_run, struct boot_result results[],
		    struct cof_error *err);

/** boot_remove() - have units wait no more; one that does not is left alone. Fails: as boot_add()
 */
cof_result boot_remove(struct boot *boot, const char *const units[], size_t count, bool dry_run,
		       struct boot_result results[], struct cof_error *err);

/**
 * boot_mount_risk() - what is dangerous about how a file system is mounted at boot, in words; ""
 * for nothing; returns @out
 */
char *boot_mount_risk(const struct boot_mount *mount, char out[static 256]);

#endif
