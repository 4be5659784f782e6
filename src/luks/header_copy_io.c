/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "context.h"
#include "file.h"
#include "fresh.h"
#include "header_copy.h"

#define READS_MAX 5 /* tries until no other program changes the header while it is read */

/* Reads one part of the header area to its place in the image. */
static cof_result part_read(const struct fresh *fresh, const char *path, uint64_t offset_bytes,
			    uint64_t part_bytes, struct buffer *image, struct cof_error *err)
{
	uint8_t *at;

	TRY(header_copy_part(image, offset_bytes, part_bytes, path, &at, err));
	TRY(fresh_read(fresh, at, (size_t)part_bytes, offset_bytes, path, err));
	return COF_OK;
}

/*
 * Reads the metadata and the areas of keyslots in use. The rest of the area is random bytes from
 * the day of the format, or of keyslots that were destroyed: worth nothing, and 16 MiB a disk.
 */
static cof_result image_read(struct luks_context *context, struct buffer *image,
			     struct cof_error *err)
{
	_cleanup_fresh_ struct fresh fresh = FRESH_NONE;
	int copies = context->on_disk.version == 2 ? 2 : 1;
	struct luks_slot slots[LUKS_SLOTS_MAX];
	size_t slot_count;

	TRY(fresh_open(context->subject, &fresh, err));
	TRY(part_read(&fresh, context->subject, 0, copies * context->on_disk.area_bytes, image,
		      err));
	luks_slots_collect(context, slots, &slot_count);
	for (size_t i = 0; i < slot_count; i++) {
		uint64_t offset;
		uint64_t length;
		int status;

		if (luks_slot_is_scratch(&slots[i]))
			continue;
		status = crypt_keyslot_area(context->cd, slots[i].number, &offset, &length);
		if (status < 0)
			return luks_raise(context, status, err, "keyslot %d has no area",
					  slots[i].number);
		TRY(part_read(&fresh, context->subject, offset, length, image, err));
	}
	return COF_OK;
}

/* Takes one copy; *ret_steady tells whether the header stayed as it was meanwhile. */
static cof_result copy_try(const char *device, struct buffer *copy, bool *ret_steady,
			   struct cof_error *err)
{
	_cleanup_context_ struct luks_context *context = NULL;
	_cleanup_buffer_ struct buffer image = { 0 };
	struct header_copy about = { 0 };
	struct disk_headers after;
	uint64_t end;

	TRY(luks_context_load(device, NULL, &context, err));
	TRY(luks_header_end(context, &end, err));
	end = (end + HEADER_COPY_BLOCK_BYTES - 1) / HEADER_COPY_BLOCK_BYTES *
	      HEADER_COPY_BLOCK_BYTES;
	TRY(buffer_reserve(&image, (size_t)end, err));
	memset(image.data, 0, (size_t)end);
	image.len = (size_t)end;
	TRY(image_read(context, &image, err));
	TRY(disk_header_read(device, &after, err));
	*ret_steady = after.found && after.newest.sequence == context->on_disk.sequence;
	if (!*ret_steady)
		return COF_OK;

	about.luks_version = context->on_disk.version;
	about.sequence = context->on_disk.sequence;
	memcpy(about.uuid, context->on_disk.uuid, HEADER_COPY_UUID_BYTES);
	TRY(header_copy_encode(&about, buffer_span(&image), copy, err));
	return COF_OK;
}

cof_result luks_copy_header(const char *device, struct buffer *ret_copy, struct cof_error *err)
{
	for (int i = 0; i < READS_MAX; i++) {
		bool steady;

		TRY(copy_try(device, ret_copy, &steady, err));
		if (steady)
			return COF_OK;
	}
	FAIL(err, COF_E_BUSY, device, "its header changed %d times while it was read", READS_MAX);
}

cof_result luks_write_header_copy(struct span copy, const char *path, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer image = { 0 };
	struct header_copy about;

	TRY(header_copy_decode(copy, "header copy", &about, &image, err));
	TRY(file_create(path, buffer_span(&image), 0600, err));
	return COF_OK;
}
