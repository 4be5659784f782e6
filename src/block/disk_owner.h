/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_DISK_OWNER_H
#define COF_BLOCK_DISK_OWNER_H

/*
 * Volumes that are opened and closed as parts of something larger, such as a service: a note in
 * ROOT/run/coffer/owner, gone with a reboot. `disk close` leaves them to their owner.
 */

#include "paths.h"
#include "result.h"

#define DISK_OWNER_CHARS 192

/** disk_owner_write() - note which command closes the volume @name, "coffer service stop
 * demo/svc/web". Fails: COF_E_IO, COF_E_NOSPC */
cof_result disk_owner_write(const struct paths *paths, const char *name, const char *command,
			    struct cof_error *err);
/** disk_owner_read() - that command; false where nobody has noted any */
bool disk_owner_read(const struct paths *paths, const char *name,
		     char ret_command[static DISK_OWNER_CHARS]);
/** disk_owner_remove() - when the volume is closed */
void disk_owner_remove(const struct paths *paths, const char *name);

#endif
