/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_CLI_STORE_CALL_H
#define COF_CLI_STORE_CALL_H

/*
 * How a verb of `coffer store` gets at its group, and what opens that.
 */

#include "cli.h"
#include "store.h"
#include "unlocking.h"

/* The options of every verb that opens a group; entries of its list of options. */
#define STORE_PASSPHRASE_OPTION                                                                    \
	{                                                                                          \
		"passphrase-file", CLI_FILE, "FILE",                                               \
			"take the group's passphrase from the first line of FILE; - is "           \
			"standard input"                                                           \
	}
#define STORE_UNLOCK_OPTIONS STORE_PASSPHRASE_OPTION, CLI_VAULT_PASSPHRASE_OPTION

/** STORE_RECORD_KIND - of the vault's records that hold groups' keys; the name is the group's UUID
 */
#define STORE_RECORD_KIND "store"

/** store_call_open() - the group that the first argument names, still locked.
 * Fails: as store_open() */
cof_result store_call_open(struct cli_call *call, struct store **ret_store, struct cof_error *err);

/**
 * store_call_unlock() - open it, with --passphrase-file, else with the vault if that has its key,
 * else by asking; copies of its keystore that are not as they should be are told and written again
 * @repair: false: leave them, for who reports on them
 * Fails: as store_unlock(); COF_E_LOCKED (nobody to ask)
 */
cof_result store_call_unlock(struct cli_call *call, struct store *store, bool repair,
			     struct cof_error *err);
/** store_call_enter() - both */
cof_result store_call_enter(struct cli_call *call, struct store **ret_store, struct cof_error *err);

/** store_call_vault_key() - the key that the vault keeps for a group.
 * @ret_key: stays NULL where it has none. Fails: as cli_open_vault() */
cof_result store_call_vault_key(struct cli_call *call, const uint8_t *uuid,
				struct slot_secret **ret_key, struct cof_error *err);

/** store_version_json() - one version as JSON */
struct json *store_version_json(const struct version *version);
/** store_kind_name() - "stream" or "tree" */
const char *store_kind_name(enum version_kind kind);

#endif
