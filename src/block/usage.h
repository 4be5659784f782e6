/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_USAGE_H
#define COF_BLOCK_USAGE_H

/*
 * Who uses a device: mounts, swap, devices on top, the user-space engine; private to this folder.
 */

#include "sysblock.h"
#include "usage_words.h"

/**
 * usage_find() - who uses the device, one of its partitions, or the whole disk it is a part of
 * @ret_usage: its text is "" when nobody does
 * Opens no device. Fails: COF_E_IO (the mount table can't be read), COF_E_NOMEM
 */
cof_result usage_find(const struct block_roots *roots, const struct device *device,
		      struct usage *ret_usage, struct cof_error *err);

#endif
