/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Plaintext of a source: see volume.h.
 */

#include "volume.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "range.h"

#define BUFFER_ALIGNMENT_BYTES 4096
/* A request that begins and ends inside a sector touches one sector more than its length. */
#define BUFFER_BYTES (VOLUME_REQUEST_MAX_BYTES + 2 * 4096)

struct volume_lane {
	struct sector_cipher *cipher; /* NULL: no cipher */
	uint8_t *buffer;
	size_t slot;
	struct volume_lane *next_free;
};

struct volume {
	int fd;
	struct map map;
	struct range_locks ranges;
	pthread_mutex_t mutex; /* of the list of free lanes */
	pthread_cond_t given;
	struct volume_lane *free_lanes;
	struct volume_lane *lanes;
	size_t lane_count;
	uint8_t *zeroes; /* VOLUME_REQUEST_MAX_BYTES, never written to */
};

/* The smaller of two sizes. */
static uint64_t size_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The cipher and buffer of one lane. */
static cof_result lane_init(struct volume *volume, struct volume_lane *lane,
			    const struct sector_spec *spec, const struct volume_key *key,
			    struct cof_error *err)
{
	lane->slot = (size_t)(lane - volume->lanes);
	lane->buffer = aligned_alloc(BUFFER_ALIGNMENT_BYTES, BUFFER_BYTES);
	ENSURE(lane->buffer, err, COF_E_NOMEM, "", "no memory for buffers of %d bytes",
	       BUFFER_BYTES);
	if (spec)
		TRY(sector_cipher_new(spec, key, &lane->cipher, err));
	lane->next_free = volume->free_lanes;
	volume->free_lanes = lane;

	return COF_OK;
}

cof_result volume_new(int source_fd, const struct map *map, const struct sector_spec *spec,
		      const struct volume_key *key, size_t lanes, struct volume **ret_volume,
		      struct cof_error *err)
{
	_cleanup_(volume_freep) struct volume *volume = NULL;

	ENSURE(lanes > 0 && lanes <= RANGE_SLOTS_MAX, err, COF_E_FAILED, "",
	       "%zu requests at once are not possible", lanes);
	volume = calloc(1, sizeof(*volume));
	ENSURE(volume, err, COF_E_NOMEM, "", "no memory for a volume");
	volume->fd = source_fd;
	volume->map = *map;
	(void)pthread_mutex_init(&volume->mutex, NULL);
	(void)pthread_cond_init(&volume->given, NULL);
	range_locks_init(&volume->ranges, lanes);
	volume->zeroes = calloc(1, VOLUME_REQUEST_MAX_BYTES);
	volume->lanes = calloc(lanes, sizeof(*volume->lanes));
	ENSURE(volume->zeroes && volume->lanes, err, COF_E_NOMEM, "", "no memory for a volume");
	volume->lane_count = lanes;
	for (size_t i = 0; i < lanes; i++)
		TRY(lane_init(volume, &volume->lanes[i], spec, key, err));

	*ret_volume = TAKE(volume);
	return COF_OK;
}

void volume_free(struct volume *volume)
{
	if (!volume)
		return;
	for (size_t i = 0; i < volume->lane_count; i++) {
		struct volume_lane *lane = &volume->lanes[i];

		sector_cipher_free(lane->cipher);
		if (lane->buffer)
			memory_wipe(lane->buffer, BUFFER_BYTES);
		free(lane->buffer);
	}
	free(volume->lanes);
	free(volume->zeroes);
	range_locks_done(&volume->ranges);
	(void)pthread_cond_destroy(&volume->given);
	(void)pthread_mutex_destroy(&volume->mutex);
	free(volume);
}

uint64_t volume_size_bytes(const struct volume *volume)
{
	return volume->map.size_bytes;
}

struct volume_lane *volume_lane_take(struct volume *volume)
{
	struct volume_lane *lane;

	(void)pthread_mutex_lock(&volume->mutex);
	while (!volume->free_lanes)
		(void)pthread_cond_wait(&volume->given, &volume->mutex);
	lane = volume->free_lanes;
	volume->free_lanes = lane->next_free;
	(void)pthread_mutex_unlock(&volume->mutex);
	return lane;
}

void volume_lane_give(struct volume *volume, struct volume_lane *lane)
{
	(void)pthread_mutex_lock(&volume->mutex);
	lane->next_free = volume->free_lanes;
	volume->free_lanes = lane;
	(void)pthread_cond_signal(&volume->given);
	(void)pthread_mutex_unlock(&volume->mutex);
}

/* Reads all of @len bytes of the source, through short reads. */
static cof_result source_read(const struct volume *volume, uint8_t *out, size_t len,
			      uint64_t offset_bytes, struct cof_error *err)
{
	uint64_t place = volume->map.data_offset_bytes + offset_bytes;

	for (size_t done = 0; done < len;) {
		ssize_t count = pread(volume->fd, out + done, len - done, (off_t)(place + done));

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return cof_raise_errno(err, errno, "", "cannot read at byte %llu",
					       (unsigned long long)(place + done));
		ENSURE(count > 0, err, COF_E_IO, "", "the source ends before byte %llu",
		       (unsigned long long)(place + done));
		done += (size_t)count;
	}
	return COF_OK;
}

/* Writes all of @len bytes to the source, through short writes. */
static cof_result source_write(const struct volume *volume, const uint8_t *data, size_t len,
			       uint64_t offset_bytes, struct cof_error *err)
{
	uint64_t place = volume->map.data_offset_bytes + offset_bytes;

	for (size_t done = 0; done < len;) {
		ssize_t count =
			pwrite(volume->fd, data + done, len - done, (off_t)(place + done));

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return cof_raise_errno(err, errno, "", "cannot write at byte %llu",
					       (unsigned long long)(place + done));
		done += (size_t)count;
	}
	return COF_OK;
}

/* Reads and decrypts whole sectors. */
static cof_result sectors_read(const struct volume *volume, const struct volume_lane *lane,
			       uint64_t offset_bytes, size_t len, uint8_t *out,
			       struct cof_error *err)
{
	TRY(source_read(volume, out, len, offset_bytes, err));
	if (lane->cipher)
		TRY(sector_cipher_decrypt(lane->cipher, map_iv(&volume->map, offset_bytes),
					  volume->map.sector_bytes, out, out, len, err));
	return COF_OK;
}

/* Encrypts whole sectors from @data into the lane's buffer, which may be the same, and writes. */
static cof_result sectors_write(const struct volume *volume, const struct volume_lane *lane,
				uint64_t offset_bytes, size_t len, const uint8_t *data,
				struct cof_error *err)
{
	if (lane->cipher)
		TRY(sector_cipher_encrypt(lane->cipher, map_iv(&volume->map, offset_bytes),
					  volume->map.sector_bytes, data, lane->buffer, len, err));
	TRY(source_write(volume, lane->cipher ? lane->buffer : data, len, offset_bytes, err));

	return COF_OK;
}

cof_result volume_read(struct volume *volume, struct volume_lane *lane, uint64_t offset_bytes,
		       size_t len, struct span *ret_bytes, struct cof_error *err)
{
	struct extent extent = { 0 };
	cof_result result = COF_OK;
	size_t wanted = 0;

	ENSURE(len <= VOLUME_REQUEST_MAX_BYTES, err, COF_E_FAILED, "",
	       "a request of %zu bytes is more than %d", len, VOLUME_REQUEST_MAX_BYTES);
	if (offset_bytes < volume->map.size_bytes)
		wanted = (size_t)size_min(len, volume->map.size_bytes - offset_bytes);
	if (wanted > 0) {
		extent = map_extent(&volume->map, offset_bytes, wanted);
		range_lock(&volume->ranges, lane->slot, extent.start_bytes, extent.end_bytes,
			   false);
		result = sectors_read(volume, lane, extent.start_bytes,
				      (size_t)(extent.end_bytes - extent.start_bytes),
				      lane->buffer, err);
		range_unlock(&volume->ranges, lane->slot);
	}
	TRY(result);

	*ret_bytes = SPAN(lane->buffer + (wanted ? offset_bytes - extent.start_bytes : 0), wanted);
	return COF_OK;
}

/* A write that leaves part of its first or last sector as it is; the range is held. */
static cof_result cut_write(struct volume *volume, struct volume_lane *lane,
			    const struct extent *extent, uint64_t offset_bytes, struct span data,
			    struct cof_error *err)
{
	size_t len = (size_t)(extent->end_bytes - extent->start_bytes);
	size_t sector = volume->map.sector_bytes;

	if (extent->head_cut || len == sector)
		TRY(sectors_read(volume, lane, extent->start_bytes, sector, lane->buffer, err));
	if (extent->tail_cut && len > sector)
		TRY(sectors_read(volume, lane, extent->end_bytes - sector, sector,
				 lane->buffer + len - sector, err));
	memcpy(lane->buffer + (offset_bytes - extent->start_bytes), data.data, data.len);
	TRY(sectors_write(volume, lane, extent->start_bytes, len, lane->buffer, err));

	return COF_OK;
}

cof_result volume_write(struct volume *volume, struct volume_lane *lane, uint64_t offset_bytes,
			struct span data, struct cof_error *err)
{
	struct extent extent;
	cof_result result;

	ENSURE(data.len <= VOLUME_REQUEST_MAX_BYTES, err, COF_E_FAILED, "",
	       "a request of %zu bytes is more than %d", data.len, VOLUME_REQUEST_MAX_BYTES);
	ENSURE(map_within(&volume->map, offset_bytes, data.len), err, COF_E_NOSPC, "",
	       "%zu bytes at byte %llu go beyond the end at %llu", data.len,
	       (unsigned long long)offset_bytes, (unsigned long long)volume->map.size_bytes);
	extent = map_extent(&volume->map, offset_bytes, data.len);
	range_lock(&volume->ranges, lane->slot, extent.start_bytes, extent.end_bytes, true);
	if (extent.head_cut || extent.tail_cut)
		result = cut_write(volume, lane, &extent, offset_bytes, data, err);
	else
		result = sectors_write(volume, lane, offset_bytes, data.len, data.data, err);
	range_unlock(&volume->ranges, lane->slot);

	return result;
}

cof_result volume_zero(struct volume *volume, struct volume_lane *lane, uint64_t offset_bytes,
		       uint64_t len, struct cof_error *err)
{
	ENSURE(map_within(&volume->map, offset_bytes, len), err, COF_E_NOSPC, "",
	       "%llu bytes at byte %llu go beyond the end at %llu", (unsigned long long)len,
	       (unsigned long long)offset_bytes, (unsigned long long)volume->map.size_bytes);
	for (uint64_t done = 0; done < len;) {
		uint64_t place = offset_bytes + done;
		/* Up to the next multiple of the request size: only the ends are ever cut. */
		uint64_t step = VOLUME_REQUEST_MAX_BYTES - place % VOLUME_REQUEST_MAX_BYTES;

		step = size_min(step, len - done);
		TRY(volume_write(volume, lane, place, SPAN(volume->zeroes, (size_t)step), err));
		done += step;
	}
	return COF_OK;
}

cof_result volume_flush(struct volume *volume, struct cof_error *err)
{
	if (fdatasync(volume->fd) < 0)
		return cof_raise_errno(err, errno, "", "cannot flush the source");
	return COF_OK;
}
