/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Handing the root key to the agent.
 */

#include <unistd.h>

#include "client.h"

/* An agent may end, locked, between its start or a probe and the key: then the next one gets it. */
#define GIVE_TRIES 5

cof_result client_give(const struct paths *paths, const struct root_key *root, const uint8_t *uuid,
		       uint32_t epoch, uint64_t limit_seconds, struct cof_error *err)
{
	const struct wire_request request = { .op = WIRE_GIVE,
					      .root_key = root_key_span(root),
					      .uuid = SPAN(uuid, VAULT_UUID_BYTES),
					      .epoch = epoch,
					      .limit_seconds = limit_seconds };
	_cleanup_secret_ struct secret *frame = NULL;
	struct wire_reply reply = { 0 };
	bool found = false;

	ENSURE(geteuid() == 0, err, COF_E_REFUSED, paths->agent_socket, "answers only root");
	ENSURE(limit_seconds > 0, err, COF_E_USAGE, "agent-limit", "is 0 s, must be 1 s or more");
	TRY(secret_new(WIRE_FRAME_MAX_BYTES, &frame, err));
	TRY(client_ask(paths, &request, frame, &reply, &found, err));
	for (int tries = 1; tries < GIVE_TRIES && !found; tries++) {
		TRY(agent_start(paths, err));
		TRY(client_ask(paths, &request, frame, &reply, &found, err));
	}
	ENSURE(found, err, COF_E_IO, paths->agent_socket, "the agent does not stay");
	TRY(client_check(paths, reply.answer, err));
	return COF_OK;
}

cof_result agent_give(const struct paths *paths, const struct vault *vault, uint64_t limit_seconds,
		      struct cof_error *err)
{
	const struct root_key *root = vault_root_key(vault);

	ENSURE(root, err, COF_E_LOCKED, paths->vault_dir, "the vault is locked");
	TRY(client_give(paths, root, vault_uuid(vault), vault_epoch(vault), limit_seconds, err));
	return COF_OK;
}
