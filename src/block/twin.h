/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_TWIN_H
#define COF_BLOCK_TWIN_H

/*
 * Disks that show up twice without a multipath map; private to this folder.
 */

#include "sysblock.h"

/**
 * struct twin - a second path to, or a clone of, the disk
 * @node: of the other one
 * @use:  who uses that, "" when nobody does
 */
struct twin {
	char node[64];
	char use[256];
};

/**
 * twin_find() - another device with the same WWN and size that is no part of the same map; one
 * that is in use is preferred, since that use is also this disk's
 * Fails: COF_E_IO, COF_E_NOMEM
 */
cof_result twin_find(const struct block_roots *roots, const struct device *device,
		     struct twin *ret_twin, bool *ret_found, struct cof_error *err);

#endif
