/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_MIRRORS_H
#define COF_CLI_MIRRORS_H

/*
 * What a person is told and asked about the vault's mirrors.
 */

#include "cli.h"
#include "vault.h"

/** mirrors_ask_older() - a vault_ask_older: lists what going on with an older keystore forgets, and
 * asks on a terminal; @context is the struct cli_call. Fails: COF_E_REFUSED */
cof_result mirrors_ask_older(const struct vault_newer newer[], size_t count, void *context,
			     struct cof_error *err);

/** enum mirrors_after - after what a mirror is found not to be current */
enum mirrors_after { MIRRORS_AFTER_CHANGE, MIRRORS_AFTER_UNLOCK, MIRRORS_AFTER_REVOKE };

/** mirrors_warn() - one warning on stderr for each mirror that is not current, with cause and
 * remedy; after a revocation it says too that such a mirror's copy still opens with the old
 * secrets. Once in one run */
void mirrors_warn(struct cli_call *call, enum mirrors_after after);

#endif
