/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_DISK_FORMAT_JOB_H
#define COF_BLOCK_DISK_FORMAT_JOB_H

/*
 * What planning and doing of `disk format` share; private to this folder.
 */

#include "disk.h"
#include "tabfile.h"

/* nofail: the machine boots, and its ssh answers, while the vault is still locked. headless: a
 * refused key is no reason to wait at a console for a passphrase that nobody has. */
#define DISK_CRYPTTAB_OPTIONS "luks,nofail,headless=true"

/**
 * disk_format_lock() - one format at a time on this machine, while it plans and while it acts, but
 * not while the user is asked in between
 * @ret_lock: caller closes. Fails: COF_E_BUSY (another one for a minute), COF_E_IO
 */
cof_result disk_format_lock(const struct paths *paths, int *ret_lock, struct cof_error *err);

/**
 * disk_check_crypttab() - whether a line for this disk would neither take a name that belongs to
 * another device nor give its device a second name
 * @verb:  that the remedy names, "format"
 * @force: a second name is accepted
 * Fails: COF_E_REFUSED
 */
cof_result disk_check_crypttab(const struct paths *paths, const struct crypttab *table,
			       const struct disk *disk, const struct device *device,
			       const char *verb, bool force, struct cof_error *err);

/** disk_crypttab_source() - what a line of crypttab calls the device: the name that lasts longest;
 * borrowed from either */
const char *disk_crypttab_source(const struct disk *disk, const struct device *device);

/** disk_set_of_device() - the record that speaks of this device already, under whatever name; NULL
 * when there is none; borrowed */
const struct disk *disk_set_of_device(const struct disk_set *set, const struct device *device);

#endif
