/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_LUKS_DISK_HEADER_H
#define COF_LUKS_DISK_HEADER_H

/*
 * The binary part of a LUKS header, as it lies on disk: what libcryptsetup keeps to itself (the
 * sequence id), and what lets a refusal say what is wrong. Private to src/luks.
 *
 * Numbers are from the LUKS2 on-disk format 1.1.0, section 2.1, and LUKS1 1.2.3, section 2.3.
 */

#include "buffer.h"
#include "luks.h"

#define DISK_HEADER_BLOCK_BYTES 4096	     /* the binary header, followed by the JSON area */
#define DISK_HEADER_AREA_MIN	(16u * 1024) /* binary header and JSON area, smallest */
#define DISK_HEADER_AREA_MAX	(4u * 1024 * 1024) /* and largest; each power of two between */

/**
 * struct disk_header - one binary header
 * @version:    1 or 2
 * @area_bytes: size of the binary header and the JSON area; 4096 for LUKS1
 * @sequence:   grows with each change; 0 for LUKS1
 * @uuid:       as written, not checked to be one
 */
struct disk_header {
	int version;
	uint64_t area_bytes;
	uint64_t sequence;
	char uuid[40 + 1];
};

/** enum disk_header_place - LUKS2 has two copies; they differ in their magic and offset field */
enum disk_header_place {
	DISK_HEADER_FIRST,
	DISK_HEADER_SECOND,
};

/**
 * disk_header_peek() - read the fields of a binary header without its checksum
 * @block:        its first DISK_HEADER_BLOCK_BYTES
 * @place:        which magic to expect; LUKS1 has only a first
 * @offset_bytes: where on the device @block was read, which a LUKS2 header names as well
 * @ret_found:    false where the magic, the version or a size makes no header
 *
 * Does no I/O.
 */
void disk_header_peek(struct span block, enum disk_header_place place, uint64_t offset_bytes,
		      struct disk_header *ret_header, bool *ret_found);

/**
 * disk_header_intact() - whether a LUKS2 header's checksum is right; a LUKS1 header has none
 * @area: all of its area_bytes
 *
 * Fails: COF_E_NOMEM, COF_E_FAILED (the hash). Does no I/O.
 */
cof_result disk_header_intact(const struct disk_header *header, struct span area, bool *ret_intact,
			      struct cof_error *err);

/**
 * struct disk_header_copy - one of the two places
 * @header: valid only with @seen
 * @seen:   there is a binary header
 * @intact: and it is whole, its checksum right
 */
struct disk_header_copy {
	struct disk_header header;
	bool seen;
	bool intact;
};

/**
 * struct disk_headers - what is at the places of the two copies
 * @found:   at least one of them is intact
 * @newest:  the intact one, of two that with the higher sequence id; only with @found
 * @why_not: without @found: what is there instead; a static text
 * @first_damaged:  a LUKS header is there, but its first copy is gone, altered, or older than the
 *                  second
 * @second_damaged: the same of the second; never for LUKS1, which has none
 * @torn:           both are whole and of one header, one of them behind: a change was cut short
 */
struct disk_headers {
	bool found;
	struct disk_header newest;
	const char *why_not;
	bool first_damaged;
	bool second_damaged;
	bool torn;
};

/** disk_headers_judge() - compare the two copies; does no I/O */
struct disk_headers disk_headers_judge(const struct disk_header_copy *first,
				       const struct disk_header_copy *second);

/**
 * disk_header_read() - find and check both copies of the binary header of a device or file
 * @path: opened read-only
 *
 * A program that writes the header meanwhile makes one copy look damaged for a moment.
 * Fails: COF_E_NOENT, COF_E_IO, COF_E_NOMEM. Reads at most 8 MiB.
 */
cof_result disk_header_read(const char *path, struct disk_headers *ret_headers,
			    struct cof_error *err);

/**
 * device_bytes() - size of a block device or a regular file
 * Fails: COF_E_NOENT, COF_E_FAILED (a folder), COF_E_IO
 */
cof_result device_bytes(const char *path, uint64_t *ret_bytes, struct cof_error *err);

/**
 * device_sector_bytes() - the unit in which a block device is written; 512 for a regular file
 * Fails: COF_E_NOENT, COF_E_IO
 */
cof_result device_sector_bytes(const char *path, uint32_t *ret_bytes, struct cof_error *err);

#endif
