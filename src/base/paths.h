/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BASE_PATHS_H
#define COF_BASE_PATHS_H

/*
 * Where coffer's files are, and what /etc/coffer/coffer.conf says.
 */

#include <stdint.h>

#include "cleanup.h"
#include "result.h"

#define PATHS_VAULT_DEFAULT  "/var/lib/coffer"
#define PATHS_CONFIG_DEFAULT "/etc/coffer/coffer.conf"

/**
 * struct paths - every place of one run of coffer; all owned, absolute, without a final slash
 * @root:        prefix of /etc, /run and the default vault; "" in a normal run
 * @vault_dir:   folder of the vault
 * @vault_is_default: whether that is the system's vault
 * @run_dir:     ROOT/run/coffer for the system's vault; for another one ROOT/run/coffer/<16 hex
 *               digits of the 64-bit FNV-1a hash of its path>. Made by who needs it, mode 0700
 * @agent_socket: @run_dir/agent.sock
 * @keys_socket:  @run_dir/keys.sock, which crypttab lines name
 * @engine_dir:  ROOT/run/coffer/engine: one folder per open device of the user-space engine,
 *               the same for all vaults
 * @stores_dir:  ROOT/var/lib/coffer/stores: copies of the keystores of storage groups
 * @crypttab:    ROOT/etc/crypttab
 * @fstab:       ROOT/etc/fstab
 * @config:      the configuration file, whether it is there or not
 * @mirrors:     folders of `mirror = DIR` lines, NULL-terminated, in their order; one that is named
 *               twice is there once
 * @agent_limit_seconds: `agent-limit = DURATION`: how long the agent keeps a root key;
 *               UINT64_MAX is until it is locked. Default 8 hours
 * @has_mistake: a line of the configuration file cannot be used and was passed over
 * @unattended_limit_seconds: `unattended-limit = DURATION`: how long one unlock method that needs
 *               no person may take, 1 to 3600. Default 10 seconds
 * @tpm2_device: `tpm2-device = TCTI`: the TPM to use; NULL is the machine's own
 */
struct paths {
	char *root;
	char *vault_dir;
	bool vault_is_default;
	char *run_dir;
	char *agent_socket;
	char *keys_socket;
	char *engine_dir;
	char *stores_dir;
	char *crypttab;
	char *fstab;
	char *config;
	char **mirrors;
	uint64_t agent_limit_seconds;
	bool has_mistake;
	uint64_t unattended_limit_seconds;
	char *tpm2_device;
};

/**
 * paths_new() - work out the places and read the configuration file
 * @root:   --root or NULL
 * @vault:  --vault or NULL
 * @config: --config or NULL: then a missing file is fine
 *
 * Fails: COF_E_NOENT (@config is missing), COF_E_FORMAT (a line of it is wrong: named with its
 * number), COF_E_NOMEM
 */
cof_result paths_new(const char *root, const char *vault, const char *config,
		     struct paths **ret_paths, struct cof_error *err);
/**
 * paths_new_usable() - the same for who only shows things: lines of the configuration file that are
 * wrong are passed over
 * @ret_mistake: what is wrong with the first such line; its code is COF_E_NONE where there is none
 */
cof_result paths_new_usable(const char *root, const char *vault, const char *config,
			    struct paths **ret_paths, struct cof_error *ret_mistake,
			    struct cof_error *err);
void paths_free(struct paths *paths);
DEFINE_FREEP(struct paths, paths_freep, paths_free)

#endif
