/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_STORE_COMPRESS_H
#define COF_STORE_COMPRESS_H

/*
 * zstd, which nothing else includes. One of these is for one thread at a time.
 */

#include "buffer.h"

struct compressor;

cof_result compressor_new(struct compressor **ret_compressor, struct cof_error *err);
void compressor_free(struct compressor *compressor);
DEFINE_FREEP(struct compressor, compressor_freep, compressor_free)

/**
 * compressor_pack() - a smaller form of a chunk
 * @ret_packed: borrowed until the next call; empty where it is not worth it: what looks
 *              incompressible by a short piece of it is not tried at all
 * Fails: COF_E_NOMEM, COF_E_FAILED (the library)
 */
cof_result compressor_pack(struct compressor *compressor, struct span plain,
			   struct span *ret_packed, struct cof_error *err);

/**
 * compressor_unpack() - the reverse
 * @out: receives @plain_bytes, which the frame must have to the byte
 * Fails: COF_E_FORMAT, COF_E_FAILED
 */
cof_result compressor_unpack(struct compressor *compressor, struct span packed, uint8_t *out,
			     size_t plain_bytes, const char *subject, struct cof_error *err);

#endif
