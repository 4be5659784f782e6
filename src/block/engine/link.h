/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_ENGINE_LINK_H
#define COF_BLOCK_ENGINE_LINK_H

/*
 * Stable names of open volumes: symbolic links to their loop devices, whose numbers change from
 * one opening to the next.
 *
 *   /dev/coffer/NAME           -> ../loopN
 *   ROOT/run/coffer/disk/NAME  -> /dev/loopN, where the first cannot be made or is another's
 *
 * A link never outlives its loop device: it is made after that is attached and taken away before
 * it is detached. Where both the engine and the loop device were ended by others, the next
 * command that looks at volumes takes the link away. A volume without a link is open all the same.
 */

#include "loop.h"
#include "places.h"

#define LINK_PATH_BYTES 256

/** link_put() - make the link to the loop device @device, on top of the volume's file */
void link_put(const struct paths *paths, const char *name, const struct places *places,
	      const char *device);

/** link_drop() - take away the links of that name that lead to this volume or to none */
void link_drop(const struct paths *paths, const char *name, const struct places *places);

/** link_find() - the link of that name which leads to @device; "" when there is none */
void link_find(const struct paths *paths, const char *name, const char *device,
	       char out[static LINK_PATH_BYTES]);

/** link_sweep() - take away every link that leads to no volume of its name */
void link_sweep(const struct paths *paths);

#endif
