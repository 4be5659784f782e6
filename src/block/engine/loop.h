/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_ENGINE_LOOP_H
#define COF_BLOCK_ENGINE_LOOP_H

/*
 * Loop devices (loop(4)).
 */

#include <limits.h>
#include <stdint.h>

#include "result.h"

#define LOOP_NAME_BYTES 64

/** loop_can() - whether loop devices are to be had */
bool loop_can(char *why_not, size_t why_not_size_bytes);

/**
 * loop_attach() - a free loop device on top of @file, with direct I/O
 * @block_bytes: its sector size
 * @ret_device:  /dev/loopN
 * Fails: COF_E_UNSUPPORTED (no loop devices), COF_E_IO
 */
cof_result loop_attach(const char *file, bool read_only, uint32_t block_bytes,
		       char ret_device[static LOOP_NAME_BYTES], struct cof_error *err);

/** loop_file() - what the loop device @kname, "loop4", lies on; "" and false when on nothing */
bool loop_file(const char *kname, char out[static PATH_MAX]);

/** loop_find() - the loop device on top of @file; not there is ret_found false */
cof_result loop_find(const char *file, char ret_device[static LOOP_NAME_BYTES], bool *ret_found,
		     struct cof_error *err);

/**
 * loop_detach() - flush, forget what is cached, and take the loop device from @file; returns when
 * it is gone
 * @dead: what is below has gone: that it cannot be flushed is no failure
 * Fails: COF_E_BUSY (in use: says by what), COF_E_IO (flushing: it stays)
 */
cof_result loop_detach(const char *device, const char *file, bool dead, struct cof_error *err);

#endif
