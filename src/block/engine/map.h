/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_BLOCK_ENGINE_MAP_H
#define COF_BLOCK_ENGINE_MAP_H

/*
 * Where the sectors of a volume lie on its source, and which of them a request touches. Pure.
 */

#include "luks.h"

/**
 * struct map - a volume's place on its source
 * @data_offset_bytes: of the first sector on the source
 * @size_bytes:        of the volume, whole sectors
 * @iv_offset:         added to each sector's number, in 512-byte units
 * @sector_bytes:      the cipher's sectors
 */
struct map {
	uint64_t data_offset_bytes;
	uint64_t size_bytes;
	uint64_t iv_offset;
	uint32_t sector_bytes;
};

/**
 * map_make() - the place that a header describes on a source of @source_bytes
 * @source: what errors name
 * Fails: COF_E_FORMAT (the data does not fit on the source, is no whole sectors, or is empty)
 */
cof_result map_make(const struct luks_info *info, uint64_t source_bytes, const char *source,
		    struct map *ret_map, struct cof_error *err);

/**
 * struct extent - the whole sectors that a request touches
 * @start_bytes, @end_bytes: in the volume
 * @head_cut, @tail_cut: the first or last sector is touched in part only; a request inside one
 *                       sector has both or, at one of its edges, one of them
 */
struct extent {
	uint64_t start_bytes;
	uint64_t end_bytes;
	bool head_cut;
	bool tail_cut;
};

/** map_extent() - of a request that lies within the volume and is not empty */
struct extent map_extent(const struct map *map, uint64_t offset_bytes, size_t len);

/** map_within() - whether a request lies within the volume */
bool map_within(const struct map *map, uint64_t offset_bytes, uint64_t len);

/** map_iv() - number of the sector at @offset_bytes, which is the start of one */
uint64_t map_iv(const struct map *map, uint64_t offset_bytes);

#endif
