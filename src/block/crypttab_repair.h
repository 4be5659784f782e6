/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_CRYPTTAB_REPAIR_H
#define COF_BLOCK_CRYPTTAB_REPAIR_H

/*
 * crypttab made anew from the LUKS devices of this machine and the keys in the vault.
 */

#include "disk.h"
#include "tabfile.h"

struct disk_finder;

/**
 * struct repair_device - one LUKS device
 * @record:   index of the disk whose key opens it; SIZE_MAX: none does
 * @found_by: "uuid", "name" (by-id name or backing file), "line" (of crypttab), "trial", or NULL
 * @line:     "kept", "changed", "added" or "none"
 * @note:     what a person should know of it as well, "" for nothing
 */
struct repair_device {
	const struct device *device; /* borrowed from the finder */
	const char *luks_uuid;	     /* the same */
	size_t record;
	const char *found_by;
	const char *line;
	char note[256];
};

/**
 * struct repair - the whole plan
 * @has_device: for each disk of the set, whether its key opens a device
 * @add:        also lines for disks that were to have none
 * @stray:      names of disks that no device has, and whose lines lead to other disks
 * @stale:      names of lines for our key server of which the vault knows nothing
 * @text:       crypttab as it is, and as it would be
 */
struct repair {
	struct disk_set set;
	struct slot_secret **keys; /* one for each disk of the set */
	struct disk_finder *finder;
	struct repair_device *devices;
	size_t device_count;
	bool *has_device;
	bool add;
	char **stray;
	char **stale;
	struct buffer text[2];
};
void repair_done(struct repair *repair);

/**
 * repair_plan() - find the key of each LUKS device: by LUKS UUID, by stable name, by the line that
 * crypttab has, each proven by opening the header; then by trying all keys. Changes nothing
 * @add:      also lines for disks that were to have none
 * @trial:    try all keys on a device for which nothing speaks
 * @progress: one line for all devices; with @trial alone
 * Fails: COF_E_LOCKED, COF_E_FORMAT (crypttab, a record), COF_E_IO, COF_E_NOMEM
 */
cof_result repair_plan(struct vault *vault, const struct paths *paths, bool add, bool trial,
		       struct progress *progress, struct repair *ret_repair, struct cof_error *err);

/** repair_lines() - the second half of the plan: which lines change; fills in text[1], stale and
 * stray, and line and note of the devices. Fails: COF_E_NOMEM, COF_E_FORMAT */
cof_result repair_lines(const struct paths *paths, struct repair *repair, struct cof_error *err);

/** repair_run() - write what was planned. Fails: COF_E_CONFLICT (crypttab changed meanwhile), as
 * tab_edit() */
cof_result repair_run(const struct paths *paths, struct repair *repair, struct cof_error *err);

#endif
