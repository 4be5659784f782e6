/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_REVOKE_KEEP_H
#define COF_CLI_REVOKE_KEEP_H

/*
 * Which unlock methods stay when one is revoked: a new header needs the secret of each.
 */

#include "cli.h"
#include "luks.h"
#include "vault.h"

#define KEEP_PASSPHRASE "keep-passphrase-file"
#define KEEP_FILE	"keep-key-file"

/**
 * struct revoke_keep - those that stay
 * @secrets: owned, as many as @kept, which borrow them
 * @slots:   bits of their numbers
 */
struct revoke_keep {
	struct vault_kept kept[LUKS_SLOTS_MAX];
	struct slot_secret *secrets[LUKS_SLOTS_MAX];
	size_t count;
	uint32_t slots;
};
void revoke_keep_done(struct revoke_keep *keep);

/**
 * revoke_keep_gather() - the secret that was given already, those that options name, and on a
 * terminal those that somebody types; each must open another slot than the one that goes
 * @slots:    @count of them, whose labels @keep borrows
 * @gone:     the one that goes
 * @existing: opens the vault, if only through @gone
 * Fails: COF_E_KEY (opens nothing), COF_E_REFUSED (an option's opens @gone), as passphrase_read()
 */
cof_result revoke_keep_gather(struct cli_call *call, const struct vault_slot *slots, size_t count,
			      const struct vault_slot *gone, const struct slot_secret *existing,
			      bool fips, struct revoke_keep *keep, struct cof_error *err);

#endif
