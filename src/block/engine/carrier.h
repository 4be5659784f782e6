/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_ENGINE_CARRIER_H
#define COF_BLOCK_ENGINE_CARRIER_H

/*
 * The FUSE file system of one volume: a folder with one file, "plain", that holds the plaintext.
 */

#include "volume.h"

#define CARRIER_FILE "plain"
#define CARRIER_SOURCE_PREFIX "coffer-engine:" /* of the mount's source, before the name */

/**
 * struct carrier - what is carried, and where
 * @volume:    borrowed
 * @name:      of the volume, for the mount's source
 * @folder:    mount point; exists
 * @read_only: nothing may be written
 * @ready:     called once, when the file can be used, from another thread
 */
struct carrier {
	struct volume *volume;
	const char *name;
	const char *folder;
	bool read_only;
	void (*ready)(void *context);
	void *context;
};

/** carrier_threads() - how many requests are served at once, which is how many lanes it wants */
size_t carrier_threads(void);

/**
 * carrier_run() - mount and serve until somebody unmounts
 * Fails: COF_E_UNSUPPORTED (no FUSE), COF_E_IO
 */
cof_result carrier_run(const struct carrier *carrier, struct cof_error *err);

#endif
