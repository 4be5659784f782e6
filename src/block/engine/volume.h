/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_ENGINE_VOLUME_H
#define COF_BLOCK_ENGINE_VOLUME_H

/*
 * The plaintext of an encrypted source, in bytes: requests of any offset and length become whole
 * sectors, which are read, decrypted, encrypted and written. Knows neither FUSE nor headers.
 */

#include "map.h"
#include "sector.h"

#define VOLUME_REQUEST_MAX_BYTES (1024 * 1024)

struct volume;
struct volume_lane; /* what one request works with: a cipher and a buffer */

/**
 * volume_new() - @source_fd is borrowed and must outlive the volume
 * @spec: NULL for no cipher at all, which only measurements want
 * @key:  borrowed; needed during this call only; NULL without a cipher
 * @lanes: how many requests can run at once
 * Fails: COF_E_NOMEM, COF_E_FORMAT, COF_E_FAILED (as sector_cipher_new())
 */
cof_result volume_new(int source_fd, const struct map *map, const struct sector_spec *spec,
		      const struct volume_key *key, size_t lanes, struct volume **ret_volume,
		      struct cof_error *err);
/** volume_free() - wipes keys and buffers; NULL does nothing */
void volume_free(struct volume *volume);
DEFINE_FREEP(struct volume, volume_freep, volume_free)

/** volume_size_bytes() - of the plaintext */
uint64_t volume_size_bytes(const struct volume *volume);

/** volume_lane_take() - a lane for one request, waiting for one if all are taken */
struct volume_lane *volume_lane_take(struct volume *volume);
/** volume_lane_give() - hand it back; what a read returned is gone then */
void volume_lane_give(struct volume *volume, struct volume_lane *lane);

/**
 * volume_read() - plaintext, at any offset
 * @len: at most VOLUME_REQUEST_MAX_BYTES; cut at the volume's end
 * @ret_bytes: in the lane, until it is used again or given back
 * Fails: COF_E_IO (the source), COF_E_FAILED (the cipher)
 */
cof_result volume_read(struct volume *volume, struct volume_lane *lane, uint64_t offset_bytes,
		       size_t len, struct span *ret_bytes, struct cof_error *err);
/**
 * volume_write() - the same for writing; what is beyond the end is refused
 * @data: at most VOLUME_REQUEST_MAX_BYTES; borrowed
 * Fails: COF_E_NOSPC (beyond the end), COF_E_IO, COF_E_FAILED
 */
cof_result volume_write(struct volume *volume, struct volume_lane *lane, uint64_t offset_bytes,
			struct span data, struct cof_error *err);
/** volume_zero() - write zeroes, encrypted as any other bytes; any length. Fails as a write */
cof_result volume_zero(struct volume *volume, struct volume_lane *lane, uint64_t offset_bytes,
		       uint64_t len, struct cof_error *err);
/** volume_flush() - all that was written is on the source's medium. Fails: COF_E_IO */
cof_result volume_flush(struct volume *volume, struct cof_error *err);

#endif
