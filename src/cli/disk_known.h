/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_DISK_KNOWN_H
#define COF_CLI_DISK_KNOWN_H

/*
 * What verbs that only show disks know of the vault: without unlocking it, names alone.
 */

#include "disk.h"
#include "looking.h"
#include "tabfile.h"

/** struct disk_known - what there is to know without asking anybody for a passphrase */
struct disk_known {
	struct vault *vault; /* NULL when there is none */
	bool unlocked;
	struct disk_set disks;
	char **header_names; /* of header copies */
	char **names;	     /* of disks */
	struct crypttab *crypttab;
	struct findings findings;
};
void disk_known_done(struct disk_known *known);

/** disk_known_load() - read it; @known is { 0 } before. What is damaged becomes a finding.
 * Fails: as cli_open_vault(), but for damage; COF_E_IO (crypttab) */
cof_result disk_known_load(struct cli_call *call, struct disk_known *known, struct cof_error *err);

/** disk_known_has() - whether a list, which may be NULL, has a name */
bool disk_known_has(char *const *names, const char *name);

#endif
