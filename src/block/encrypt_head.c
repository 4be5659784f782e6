/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The beginning of a device between plain data and header. Its data are at the end as well, so it
 * may be overwritten, but only as long as nobody has used the file system in between.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "disk_job.h"
#include "file.h"
#include "luks_header.h"
#include "number.h"

#define UNIT_BYTES	  512 /* what a device writes whole or not at all, at least */
#define SHRINK_UNIT_BYTES (1u << 20)
#define PART_BYTES	  (1u << 20) /* read at once */

/* A part of each of the three. */
struct parts {
	struct buffer head;
	struct buffer tail;
	struct buffer header;
};

static void parts_done(struct parts *parts)
{
	buffer_done(&parts->head);
	buffer_done(&parts->tail);
	buffer_done(&parts->header);
}

/* How many units of a part are the header's and not the data's, and how many are neither's. Zeroes
 * are in both, so they tell nothing where the header has them in its metadata. */
static void count_units(const struct parts *parts, bool metadata, size_t *written, size_t *strange)
{
	static const uint8_t zeroes[UNIT_BYTES];

	for (size_t at = 0; at < PART_BYTES; at += UNIT_BYTES) {
		const uint8_t *unit = parts->head.data + at;
		bool is_header = memcmp(unit, parts->header.data + at, UNIT_BYTES) == 0;
		bool is_zero = memcmp(unit, zeroes, UNIT_BYTES) == 0;

		if (memcmp(unit, parts->tail.data + at, UNIT_BYTES) == 0)
			continue;
		*written += is_header && !is_zero;
		*strange += !is_header || (is_zero && !metadata);
	}
}

/* Reads a part of one of them. */
static cof_result read_part(int fd, const char *subject, uint64_t at_bytes, struct buffer *part,
			    struct cof_error *err)
{
	part->len = 0;
	TRY(buffer_reserve(part, PART_BYTES, err));
	part->len = PART_BYTES;
	return fd_pread_all(fd, part->data, PART_BYTES, at_bytes, subject, err);
}

cof_result encrypt_head_look(const char *node, struct span copy, uint64_t size_bytes,
			     enum head_state *ret_state, struct cof_error *err)
{
	_cleanup_(luks_rehearsal_done) struct luks_rehearsal header = LUKS_REHEARSAL_NONE;
	_cleanup_(parts_done) struct parts parts = { 0 };
	_cleanup_fd_ int fd = open(node, O_RDONLY | O_CLOEXEC);
	size_t written = 0;
	size_t strange = 0;

	if (fd < 0)
		return cof_raise_errno(err, errno, node, "cannot be opened");
	TRY(luks_rehearse_copy(copy, &header, err));
	for (uint64_t at = 0; at < LUKS_ENCRYPT_SHIFT_BYTES; at += PART_BYTES) {
		TRY(read_part(fd, node, at, &parts.head, err));
		TRY(read_part(fd, node, size_bytes - LUKS_ENCRYPT_SHIFT_BYTES + at, &parts.tail,
			      err));
		TRY(read_part(header.memory_fd, "header copy", at, &parts.header, err));
		count_units(&parts, at == 0, &written, &strange);
	}
	if (strange)
		*ret_state = written ? HEAD_MIXED : HEAD_CHANGED;
	else
		*ret_state = written ? HEAD_PARTLY : HEAD_PLAIN;
	return COF_OK;
}

uint64_t encrypt_most_bytes(uint64_t size_bytes)
{
	if (size_bytes < LUKS_ENCRYPT_FREE_BYTES)
		return 0;
	return (size_bytes - LUKS_ENCRYPT_FREE_BYTES) / SHRINK_UNIT_BYTES * SHRINK_UNIT_BYTES;
}

cof_result encrypt_check_room(const char *node, uint64_t data_bytes, uint64_t size_bytes,
			      struct cof_error *err)
{
	char free_text[16];
	char needed[16];

	ENSURE(size_bytes > LUKS_ENCRYPT_FREE_BYTES, err, COF_E_REFUSED, node,
	       "has %llu bytes: too small to be encrypted where it is",
	       (unsigned long long)size_bytes);
	ENSURE(data_bytes <= size_bytes - LUKS_ENCRYPT_FREE_BYTES, err, COF_E_REFUSED, node,
	       "has no room for a header: behind its data %s are free, and %s are needed",
	       size_format(data_bytes < size_bytes ? size_bytes - data_bytes : 0, free_text),
	       size_format(LUKS_ENCRYPT_FREE_BYTES, needed));
	return COF_OK;
}
