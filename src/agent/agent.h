/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_AGENT_AGENT_H
#define COF_AGENT_AGENT_H

/*
 * The agent: a small process that holds an unlocked root key in locked memory and gives out keys
 * derived from it, to root alone. It knows no records and no libraries but libcrypto.
 * Protocol: doc/format-agent.md. The key server for systemd-cryptsetup is a process of its own,
 * which asks the agent as every command does.
 */

#include "paths.h"
#include "vault.h"

/** struct agent_status - what an agent says of itself */
struct agent_status {
	bool running;
	bool unlocked;
	uint8_t uuid[VAULT_UUID_BYTES]; /* of the vault that is unlocked */
	uint32_t epoch;
	uint64_t seconds_left; /* until it wipes the key; UINT64_MAX: no limit */
};

/**
 * agent_query() - never starts one; no agent is `running == false`, not a failure
 * Fails: COF_E_REFUSED (not root), COF_E_BUSY (no answer), COF_E_IO
 */
cof_result agent_query(const struct paths *paths, struct agent_status *ret_status,
		       struct cof_error *err);

/**
 * agent_give() - hand the root key of an unlocked vault to the agent, starting one if needed
 * (through its systemd socket, or by running this program's own agent in the background)
 * @limit_seconds: how long it keeps it; UINT64_MAX: until it is locked
 * Fails: COF_E_LOCKED (@vault has no root key), COF_E_NOMEM (the agent's memory can't be locked),
 * COF_E_REFUSED (not root, or the socket is not root's), COF_E_USAGE (no time), COF_E_BUSY (no
 * answer), COF_E_IO
 */
cof_result agent_give(const struct paths *paths, const struct vault *vault, uint64_t limit_seconds,
		      struct cof_error *err);

/**
 * agent_lock() - make it wipe the root key; no agent or locked already is success
 * Fails: as agent_query()
 */
cof_result agent_lock(const struct paths *paths, bool *ret_was_unlocked, struct cof_error *err);

/**
 * agent_key_source() - derive keys through the agent
 * @ret_unlocked: false when there is no agent, it is locked, or this is not root; *ret_source is
 * then untouched
 */
cof_result agent_key_source(const struct paths *paths, struct key_source *ret_source,
			    bool *ret_unlocked, struct cof_error *err);

/**
 * agent_wait_unlocked() - block until the agent holds a root key
 * Fails: COF_E_NOENT (there is none), COF_E_IO (it ended), COF_E_BUSY (too many wait already)
 */
cof_result agent_wait_unlocked(const struct paths *paths, struct cof_error *err);

/**
 * agent_run() - be the agent until told to stop or, started on demand, until it is locked
 * Takes its socket from systemd (LISTEN_FDS) or makes it. Returns when it ends in good order.
 */
cof_result agent_run(const struct paths *paths, struct cof_error *err);

/**
 * keyserver_lookup - the key server's question: the key of the volume called @volume
 * Called when the agent is unlocked. found is false: the server answers nothing.
 */
typedef cof_result (*keyserver_lookup)(const struct paths *paths, const char *volume,
				       struct slot_secret **ret_key, bool *ret_found,
				       struct cof_error *err);

/**
 * keyserver_run() - answer systemd-cryptsetup on paths->keys_socket (AF_UNIX key files,
 * crypttab(5)): the volume's name is in the peer's socket address; root alone is answered; while
 * the vault is locked every connection is held
 */
cof_result keyserver_run(const struct paths *paths, keyserver_lookup lookup, struct cof_error *err);

#endif
