/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_LUKS_MAPPING_H
#define COF_LUKS_MAPPING_H

/*
 * What the kernel says of its mappings. Private to src/luks.
 */

#include "luks.h"

/**
 * mapping_uuid_parse() - the LUKS UUID in a mapping's own, "CRYPT-LUKS2-<32 hex digits>-NAME"
 * @out: the LUKS UUID with its hyphens, or "" where the mapping is of another kind
 *
 * Does no I/O. Source: libcryptsetup, which names every mapping that it makes like that.
 */
void mapping_uuid_parse(const char *mapping_uuid, char out[static LUKS_UUID_CHARS + 1]);

/**
 * mapping_target_listed() - whether a DM_LIST_VERSIONS answer has a target
 * @list: the bytes after the answer's head: records of struct dm_target_versions
 * @target: "crypt"
 *
 * Does no I/O.
 */
bool mapping_target_listed(struct span list, const char *target);

/** mapping_find_below() - luks_mapping_find() with another folder for /sys */
cof_result mapping_find_below(const char *sys, const char *name, struct luks_mapping *ret_mapping,
			      bool *ret_found, struct cof_error *err);

#endif
