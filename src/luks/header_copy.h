/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_LUKS_HEADER_COPY_H
#define COF_LUKS_HEADER_COPY_H

/*
 * The codec of header copies: doc/format-header-copy.md. Private to src/luks; no I/O.
 */

#include "buffer.h"

#define HEADER_COPY_BLOCK_BYTES 4096
#define HEADER_COPY_UUID_BYTES	40 /* the field's size in LUKS1 and LUKS2 */
/* LUKS2 on-disk format 1.1.0: two metadata areas of up to 4 MiB, 128 MiB of keyslots. */
#define HEADER_COPY_BYTES_MAX (136u * 1024 * 1024)

/**
 * struct header_copy - what a copy says of itself
 * @luks_version: 1 or 2
 * @uuid:         the header's, NUL-padded
 * @sequence:     the header's sequence id; 0 for LUKS1
 */
struct header_copy {
	int luks_version;
	char uuid[HEADER_COPY_UUID_BYTES + 1];
	uint64_t sequence;
};

/**
 * header_copy_encode() - append a copy
 * @image: the header area, zero wherever a byte is not worth keeping; a whole number of blocks,
 *         at least one, at most HEADER_COPY_BYTES_MAX
 *
 * The same input always gives the same bytes. Fails: COF_E_FORMAT (size of @image), COF_E_NOMEM
 */
cof_result header_copy_encode(const struct header_copy *about, struct span image,
			      struct buffer *copy, struct cof_error *err);

/**
 * header_copy_part() - where a part of the header area lies in its image
 * @image:   the image, all of its size
 * @subject: what errors name
 * @ret_at:  room for @part_bytes; borrowed from @image
 *
 * Fails: COF_E_FORMAT (the part is not inside the area)
 */
cof_result header_copy_part(const struct buffer *image, uint64_t offset_bytes, uint64_t part_bytes,
			    const char *subject, uint8_t **ret_at, struct cof_error *err);

/**
 * header_copy_decode() - check a copy and expand it
 * @subject:   what errors name
 * @ret_image: the header area; caller runs buffer_done()
 *
 * Fails: COF_E_FORMAT (not a copy, cut off, altered), COF_E_NOMEM
 */
cof_result header_copy_decode(struct span copy, const char *subject, struct header_copy *ret_about,
			      struct buffer *ret_image, struct cof_error *err);

#endif
