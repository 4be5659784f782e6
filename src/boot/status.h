/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BOOT_STATUS_H
#define COF_BOOT_STATUS_H

/*
 * How the units of the list are now, and why.
 */

#include "boot.h"

/**
 * struct boot_unit_status - one unit of the list; all owned
 * @mounts:   what it waits for, NULL-terminated
 * @missing:  which of them are not mounted now
 * @starters: sockets, timers and paths that wait with it
 * @enabled:  as systemd says it, or ""
 * @state:    "waiting", "running", "failed", "stopped", "starting", "unknown-unit", or "ready"
 *            where no service manager tells more than that nothing is missing
 * @reason:   of the state, in words, "" for none
 */
struct boot_unit_status {
	char *unit;
	char **mounts;
	char **missing;
	char **starters;
	char *enabled;
	const char *state;
	char reason[512];
};

/** struct boot_status - all of them; what is wrong with fstab's lines is in @risks */
struct boot_status {
	struct boot_unit_status *units;
	size_t count;
	char **risks;
};
void boot_status_done(struct boot_status *status);

/** boot_status() - look; changes nothing. Fails: COF_E_NOMEM, COF_E_FAILED (systemd) */
cof_result boot_status(const struct boot *boot, struct boot_status *ret_status,
		       struct cof_error *err);

#endif
