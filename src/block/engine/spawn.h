/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_ENGINE_SPAWN_H
#define COF_BLOCK_ENGINE_SPAWN_H

/*
 * Starting the engine's process.
 */

#include "message.h"

/**
 * spawn_engine() - run this program again as the engine of one volume; returns when it has
 * mounted its file system, or has said why not
 * @order: key_bytes is filled in here
 * @key:   borrowed; handed over in a pipe
 *
 * Nobody's child afterwards, so that it outlives the command. Safe from any thread.
 * Fails: as the process says, COF_E_IO
 */
cof_result spawn_engine(const struct paths *paths, struct order *order,
			const struct volume_key *key, struct cof_error *err);

#endif
