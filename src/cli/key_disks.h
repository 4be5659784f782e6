/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_KEY_DISKS_H
#define COF_CLI_KEY_DISKS_H

/*
 * The disks that a verb about keys works on: those named, or with --all every one of the vault.
 */

#include "cli.h"
#include "disk.h"

/** struct key_disks - their names, and room for what becomes of them */
struct key_disks {
	char **all; /* owned; the vault's, with --all */
	const char **names;
	struct disk_result *results;
	size_t count;
};
void key_disks_done(struct key_disks *disks);

/** key_disks_check() - that disks are named or --all is given, and not both. Fails: COF_E_USAGE */
cof_result key_disks_check(const struct cli_call *call, struct cof_error *err);

/** key_disks_choose() - "disk/NAME", as `coffer key list` has it, is a name too.
 * Fails: COF_E_USAGE (one is named twice), as vault_names() */
cof_result key_disks_choose(struct cli_call *call, struct vault *vault, struct key_disks *ret_disks,
			    struct cof_error *err);

#endif
