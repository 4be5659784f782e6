/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BOOT_BOOT_UNIT_H
#define COF_BOOT_BOOT_UNIT_H

/*
 * Names of units and the text of their drop-ins, pure.
 */

#include "boot_list.h"

#define BOOT_TARGET	  "coffer.target"
#define BOOT_DROP_IN_NAME "50-coffer.conf"

/** boot_mount_check() - whether @path may be a mount point: absolute, without final slash, "//",
 * "." and "..", without control characters, no blank at the end, and not "/".
 * Fails: COF_E_FORMAT, saying why not */
cof_result boot_mount_check(const char *path, struct cof_error *err);

/** boot_unit_check() - whether @name is the whole name of a unit that may wait: a service, socket,
 * timer or path, and no template. Fails: COF_E_FORMAT, saying why not */
cof_result boot_unit_check(const char *name, struct cof_error *err);

/** boot_unit_name() - a name as typed, with ".service" added where it has no suffix, and checked.
 * Fails: COF_E_USAGE */
cof_result boot_unit_name(const char *typed, char ret_name[static BOOT_UNIT_MAX_CHARS + 1],
			  struct cof_error *err);

/** boot_unit_is_service() - whether it is a service, and none of the units that start one */
bool boot_unit_is_service(const char *name);

/** boot_escape() - a text as part of a unit's name, as systemd.unit(5), "String Escaping for
 * Inclusion in Unit Names" has it; for a path without its first slash. False: too long */
bool boot_escape(const char *text, const char *suffix,
		 char ret_name[static BOOT_UNIT_MAX_CHARS + 1]);

/** boot_mount_unit() - "srv-data.mount" for "/srv/data". False: too long for a unit's name */
bool boot_mount_unit(const char *path, char ret_name[static BOOT_UNIT_MAX_CHARS + 1]);

/**
 * boot_refusal() - why a unit must not wait, because the machine or coffer cannot be reached or
 * work without it; NULL where it may; static
 */
const char *boot_refusal(const char *unit);

/**
 * boot_drop_in() - the text of the drop-in that makes a unit wait
 * @unit:   the unit whose drop-in it is: the one of the list, or a socket, timer or path that
 *          starts it
 * @listed: the unit of the list, for the comment
 * @mounts: mount points, NULL-terminated; none: nobody knows what it waits for, so it waits for
 *          something that does not come
 * @ret_text: appended
 * Fails: COF_E_NOMEM
 */
cof_result boot_drop_in(const char *unit, const char *listed, char *const mounts[],
			struct buffer *ret_text, struct cof_error *err);

/** boot_mount_drop_in() - the same for the mount of a volume, which goes with the target */
cof_result boot_mount_drop_in(struct buffer *ret_text, struct cof_error *err);

/** boot_target_drop_in() - the same for the target, which has all of them with it */
cof_result boot_target_drop_in(const struct boot_list *list, char *const mounts[],
			       struct buffer *ret_text, struct cof_error *err);

#endif
