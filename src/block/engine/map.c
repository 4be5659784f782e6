/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where sectors lie, pure: see map.h.
 */

#include "map.h"

#include "number.h"

#define IV_UNIT_BYTES 512 /* the unit in which dm-crypt counts sectors */

cof_result map_make(const struct luks_info *info, uint64_t source_bytes, const char *source,
		    struct map *ret_map, struct cof_error *err)
{
	struct map map = { .data_offset_bytes = info->data_offset_bytes,
			   .size_bytes = info->data_length_bytes,
			   .iv_offset = info->iv_offset,
			   .sector_bytes = info->sector_bytes };
	uint64_t end = 0;

	ENSURE(info->data_offset_bytes < source_bytes, err, COF_E_FORMAT, source,
	       "its data begins at byte %llu, but it has %llu bytes",
	       (unsigned long long)info->data_offset_bytes, (unsigned long long)source_bytes);
	ENSURE(info->data_offset_bytes % IV_UNIT_BYTES == 0, err, COF_E_FORMAT, source,
	       "its data begins at byte %llu, which is no multiple of %d",
	       (unsigned long long)info->data_offset_bytes, IV_UNIT_BYTES);
	if (info->data_length_bytes == 0) {
		map.size_bytes = source_bytes - info->data_offset_bytes;
		map.size_bytes -= map.size_bytes % info->sector_bytes;
	}
	TRY(size_add(map.data_offset_bytes, map.size_bytes, &end, err));
	ENSURE(end <= source_bytes, err, COF_E_FORMAT, source,
	       "its data ends at byte %llu, but it has %llu bytes", (unsigned long long)end,
	       (unsigned long long)source_bytes);
	ENSURE(map.size_bytes % map.sector_bytes == 0, err, COF_E_FORMAT, source,
	       "its data is %llu bytes, no multiple of its sectors of %u",
	       (unsigned long long)map.size_bytes, map.sector_bytes);
	ENSURE(map.size_bytes > 0, err, COF_E_FORMAT, source, "it has no room for one sector");

	*ret_map = map;
	return COF_OK;
}

struct extent map_extent(const struct map *map, uint64_t offset_bytes, size_t len)
{
	uint64_t end = offset_bytes + len;
	uint64_t head = offset_bytes % map->sector_bytes;
	uint64_t tail = end % map->sector_bytes;

	return (struct extent){
		.start_bytes = offset_bytes - head,
		.end_bytes = tail ? end - tail + map->sector_bytes : end,
		.head_cut = head != 0,
		.tail_cut = tail != 0,
	};
}

bool map_within(const struct map *map, uint64_t offset_bytes, uint64_t len)
{
	return offset_bytes <= map->size_bytes && len <= map->size_bytes - offset_bytes;
}

uint64_t map_iv(const struct map *map, uint64_t offset_bytes)
{
	return map->iv_offset + offset_bytes / IV_UNIT_BYTES;
}
