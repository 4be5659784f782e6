/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_LUKS_HEADER_AREA_H
#define COF_LUKS_HEADER_AREA_H

/*
 * One of the two places of a header's metadata, as bytes: whether they are all there, also without
 * their magic, and how one is made from the other. Private to src/luks; no I/O.
 */

#include "disk_header.h"
#include "luks_header.h"

#define HEADER_MAGIC_BYTES 6
#define HEADER_SALT_BYTES  64

/**
 * struct header_area - what is at one place
 * @bytes:    the metadata with their magic, whether or not it is there; only with @intact
 * @header:   its fields; only with @seen
 * @seen:     something of a header is there
 * @intact:   all of it is there, but perhaps the magic
 * @no_magic: the magic is not
 */
struct header_area {
	struct buffer bytes;
	struct disk_header header;
	bool seen;
	bool intact;
	bool no_magic;
};
void header_area_done(struct header_area *area);

/**
 * header_area_size() - how many bytes there must be, from the first DISK_HEADER_BLOCK_BYTES
 * @ret_bytes: 0 where there is no header, with or without its magic
 */
void header_area_size(struct span block, enum disk_header_place place, uint64_t offset_bytes,
		      uint64_t *ret_bytes);

/**
 * header_area_judge() - look at the bytes of one place
 * @bytes: as many as header_area_size() said
 * Fails: COF_E_NOMEM, COF_E_FAILED (the hash)
 */
cof_result header_area_judge(struct span bytes, enum disk_header_place place, uint64_t offset_bytes,
			     struct header_area *ret_area, struct cof_error *err);

/** header_areas_state() - compare both places; of two whole ones the newer counts */
struct luks_header_state header_areas_state(const struct header_area *first,
					    const struct header_area *second);

/** header_area_magic() - HEADER_MAGIC_BYTES; static */
const uint8_t *header_area_magic(enum disk_header_place place);

/**
 * header_area_other() - the metadata of the other place, as libcryptsetup would write them
 * @area:  LUKS2's, intact
 * @place: of the result
 * @salt:  HEADER_SALT_BYTES random bytes, that make the two checksums differ
 * Fails: COF_E_NOMEM, COF_E_FAILED. Source: LUKS2 on-disk format 1.1.0, section 2.1
 */
cof_result header_area_other(const struct header_area *area, enum disk_header_place place,
			     const uint8_t *salt, struct buffer *ret_bytes, struct cof_error *err);

/**
 * header_area_edit() - the metadata with another JSON text and the next sequence id
 * @area: LUKS2's, intact; changed in place; its checksum is header_area_other()'s to make
 * Fails: COF_E_NOSPC (@json does not fit), COF_E_NOMEM
 */
cof_result header_area_edit(struct header_area *area, const char *json, struct cof_error *err);

/** header_area_json() - the JSON text of LUKS2 metadata, with zeroes behind it cut off */
struct span header_area_json(const struct header_area *area);

#endif
