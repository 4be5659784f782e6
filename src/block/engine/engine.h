/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_ENGINE_H
#define COF_BLOCK_ENGINE_H

/*
 * The user-space sector engine: a LUKS device served as a block device where the kernel has no
 * dm-crypt. One process per device holds the device (O_EXCL), carries the plaintext in one FUSE
 * file, and has a loop device on top of it that mkfs and mount take.
 *
 *   ENGINE_DIR/NAME/            FUSE mount, source "coffer-engine:NAME"
 *   ENGINE_DIR/NAME/plain       the plaintext
 *   ENGINE_DIR/NAME.lock        flock of the process, with its facts as JSON
 *   /dev/loopN                  on top of plain, direct I/O, the LUKS sector size
 *   /dev/coffer/NAME            leads to /dev/loopN for as long as the volume is open: see link.h
 */

#include "luks.h"
#include "paths.h"
#include "secret.h"

/** engine_can() - whether FUSE and loop devices are there; @why_not gets the reason if not */
bool engine_can(char *why_not, size_t why_not_size_bytes);

/**
 * engine_check() - whether the engine can serve a device with this header, pure
 * Fails: COF_E_UNSUPPORTED (integrity, OPAL, other ciphers, half-done re-encryption), with cause
 */
cof_result engine_check(const struct luks_info *info, const char *device, struct cof_error *err);

/** struct engine_volume - one open device */
struct engine_volume {
	char name[128];
	char uuid[LUKS_UUID_CHARS + 1];
	char source[256];
	char device[64]; /* /dev/loopN; "" while it is opened or closed */
	char link[256];	 /* its stable name, "" where none could be made */
	uint32_t sector_bytes; /* of its encryption, which are the block device's too */
	bool read_only;
	int pid; /* of its process; 0: it was killed, and engine_close() clears up */
};

/**
 * engine_open() - serve @source as a block device; returns when it can be used
 * @source:     a block device's node
 * @header:     of a detached header or NULL
 * @volume_key: handed to the process through a pipe, and proven there; borrowed
 *
 * Clears up first what a killed process or command has left of this name. Discards are refused, as
 * dm-crypt does by default: doc/decisions/engine.md. Fault points "engine-open/...".
 * Fails: COF_E_KEY (not the key of this header), COF_E_FORMAT (header), COF_E_USAGE (@name, or
 * @source is no block device), COF_E_NOENT, COF_E_UNSUPPORTED, COF_E_BUSY
 * (device in use, name taken), COF_E_IO
 */
cof_result engine_open(const struct paths *paths, const char *source, const char *header,
		       const char *name, const struct volume_key *volume_key, bool read_only,
		       struct engine_volume *ret_volume, struct cof_error *err);

/**
 * engine_close() - flush, detach the loop device, end the process, which wipes the key; also
 * clears up after a process that was killed. Not open is success. Fault points "engine-close/...".
 * Fails: COF_E_BUSY (mounted or held: says by what), COF_E_IO
 */
cof_result engine_close(const struct paths *paths, const char *name, struct cof_error *err);

/** engine_link() - make the stable name of an open volume once more, where it is missing since the
 * command that opened it was killed. Not open is success. Fails: COF_E_USAGE (@name), COF_E_IO */
cof_result engine_link(const struct paths *paths, const char *name, struct cof_error *err);

/** engine_list() - all open devices. @ret_volumes: caller frees. Takes stable names away whose
 * volumes have gone */
cof_result engine_list(const struct paths *paths, struct engine_volume **ret_volumes,
		       size_t *ret_count, struct cof_error *err);

/** engine_serve() - be the process: the hidden verb `coffer engine-serve`; the spec comes as one
 * JSON line and the volume key's bytes on stdin */
cof_result engine_serve(const struct paths *paths, struct cof_error *err);

#endif
