/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_ENGINE_PLACES_H
#define COF_BLOCK_ENGINE_PLACES_H

/*
 * Where the files of one volume are (see engine.h), and the two locks on its lock file: flock()
 * is the process's, for as long as it lives; a lock of an open file description (fcntl(2)) is
 * the command's, while it opens or closes.
 */

#include "paths.h"

/** struct places - all owned */
struct places {
	char *folder; /* the mount point */
	char *file;   /* the plaintext in it */
	char *lock;
};

/** places_make() - Fails: COF_E_USAGE (@name cannot be one), COF_E_NOMEM */
cof_result places_make(const struct paths *paths, const char *name, struct places *ret_places,
		       struct cof_error *err);
void places_done(struct places *places);
#define _cleanup_places_ _cleanup_(places_done)

/**
 * places_turn() - wait until no other command opens or closes this volume
 * @ret_fd: of the lock file, made if missing; caller closes, which ends the turn
 * Fails: COF_E_BUSY (after a minute), COF_E_IO
 */
cof_result places_turn(const struct places *places, int *ret_fd, struct cof_error *err);

/** places_alive() - whether the volume's process lives; @lock_fd is of its lock file */
bool places_alive(int lock_fd);

#endif
