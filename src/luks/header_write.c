/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What of a copy is missing on a device, a header as it would be, and the writing itself.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "context.h"
#include "fault.h"
#include "file.h"
#include "fresh.h"
#include "header_copy.h"
#include "header_plan.h"

void luks_rehearsal_done(struct luks_rehearsal *rehearsal)
{
	fd_closep(&rehearsal->memory_fd);
	*rehearsal = LUKS_REHEARSAL_NONE;
}
#define _cleanup_rehearsal_ _cleanup_(luks_rehearsal_done)

/* An empty file in memory. */
static cof_result rehearsal_new(const char *device, uint64_t size_bytes,
				struct luks_rehearsal *ret_rehearsal, struct cof_error *err)
{
	_cleanup_rehearsal_ struct luks_rehearsal rehearsal = LUKS_REHEARSAL_NONE;

	rehearsal.memory_fd = memfd_create("coffer-rehearsal", MFD_CLOEXEC);
	if (rehearsal.memory_fd < 0 || ftruncate(rehearsal.memory_fd, (off_t)size_bytes) < 0)
		return cof_raise_errno(err, errno, device, "no memory for a copy of its header");
	(void)snprintf(rehearsal.path, sizeof(rehearsal.path), "/proc/self/fd/%d",
		       rehearsal.memory_fd);

	*ret_rehearsal = rehearsal;
	rehearsal = LUKS_REHEARSAL_NONE;
	return COF_OK;
}

/* Copies a part of the device; what lies past its end stays a hole. */
static cof_result rehearsal_copy(const struct luks_rehearsal *rehearsal, const struct fresh *fresh,
				 const char *device, uint64_t offset_bytes, uint64_t part_bytes,
				 struct cof_error *err)
{
	_cleanup_buffer_ struct buffer part = { 0 };
	off_t end = lseek(fresh->fd, 0, SEEK_END);

	if (end < 0 || (uint64_t)end <= offset_bytes)
		return COF_OK;
	if ((uint64_t)end - offset_bytes < part_bytes)
		part_bytes = (uint64_t)end - offset_bytes;
	TRY(buffer_reserve(&part, (size_t)part_bytes, err));
	part.len = (size_t)part_bytes;
	TRY(fresh_read(fresh, part.data, part.len, offset_bytes, device, err));
	return fd_pwrite_all(rehearsal->memory_fd, buffer_span(&part), offset_bytes, device, err);
}

/* Puts what is to be written over what is there. */
static cof_result rehearsal_apply(const struct luks_rehearsal *rehearsal, const char *device,
				  const struct luks_writes *writes, struct cof_error *err)
{
	for (size_t i = 0; i < writes->count; i++)
		TRY(fd_pwrite_all(rehearsal->memory_fd, buffer_span(&writes->items[i].bytes),
				  writes->items[i].offset_bytes, device, err));
	return COF_OK;
}

/* An area of a keyslot in use. */
static cof_result slot_area(struct luks_context *context, int slot, uint64_t *ret_offset_bytes,
			    uint64_t *ret_length_bytes, struct cof_error *err)
{
	int status = crypt_keyslot_area(context->cd, slot, ret_offset_bytes, ret_length_bytes);

	if (status < 0)
		return luks_raise(context, status, err, "keyslot %d has no area", slot);
	return COF_OK;
}

cof_result luks_rehearse(const char *device, const struct luks_writes *writes,
			 struct luks_rehearsal *ret_rehearsal, struct cof_error *err)
{
	_cleanup_rehearsal_ struct luks_rehearsal rehearsal = LUKS_REHEARSAL_NONE;
	_cleanup_context_ struct luks_context *context = NULL;
	_cleanup_fresh_ struct fresh fresh = FRESH_NONE;
	struct luks_slot slots[LUKS_SLOTS_MAX];
	size_t slot_count;
	uint64_t bytes;

	TRY(device_bytes(device, &bytes, err));
	TRY(fresh_open(device, &fresh, err));
	TRY(rehearsal_new(device, bytes, &rehearsal, err));
	TRY(rehearsal_copy(&rehearsal, &fresh, device, 0, 2 * DISK_HEADER_AREA_MAX, err));
	TRY(rehearsal_apply(&rehearsal, device, writes, err));
	TRY(luks_context_load(rehearsal.path, NULL, &context, err));
	luks_slots_collect(context, slots, &slot_count);
	for (size_t i = 0; i < slot_count; i++) {
		uint64_t offset;
		uint64_t length;

		if (luks_slot_is_scratch(&slots[i]))
			continue;
		TRY(slot_area(context, slots[i].number, &offset, &length, err));
		TRY(rehearsal_copy(&rehearsal, &fresh, device, offset, length, err));
	}
	TRY(rehearsal_apply(&rehearsal, device, writes, err));

	*ret_rehearsal = rehearsal;
	rehearsal = LUKS_REHEARSAL_NONE;
	return COF_OK;
}

cof_result luks_rehearse_copy(struct span copy, struct luks_rehearsal *ret_rehearsal,
			      struct cof_error *err)
{
	_cleanup_rehearsal_ struct luks_rehearsal rehearsal = LUKS_REHEARSAL_NONE;
	_cleanup_buffer_ struct buffer image = { 0 };
	struct header_copy about;

	TRY(header_copy_decode(copy, "header copy", &about, &image, err));
	TRY(rehearsal_new("header copy", image.len, &rehearsal, err));
	TRY(fd_pwrite_all(rehearsal.memory_fd, buffer_span(&image), 0, "header copy", err));

	*ret_rehearsal = rehearsal;
	rehearsal = LUKS_REHEARSAL_NONE;
	return COF_OK;
}

/* A copy, expanded and loaded. */
struct expanded {
	struct buffer image;
	struct luks_rehearsal file;
	struct luks_context *context;
};

static void expanded_done(struct expanded *expanded)
{
	luks_context_freep(&expanded->context);
	luks_rehearsal_done(&expanded->file);
	buffer_done(&expanded->image);
}

/* Expands a copy so that libcryptsetup tells where its keyslots are. */
static cof_result expand(struct span copy, struct expanded *expanded, struct cof_error *err)
{
	struct header_copy about;

	expanded->file = LUKS_REHEARSAL_NONE;
	TRY(header_copy_decode(copy, "header copy", &about, &expanded->image, err));
	TRY(rehearsal_new("header copy", expanded->image.len, &expanded->file, err));
	TRY(fd_pwrite_all(expanded->file.memory_fd, buffer_span(&expanded->image), 0, "header copy",
			  err));
	return luks_context_load(expanded->file.path, NULL, &expanded->context, err);
}

/* Adds a part of the copy, unless the device has the same bytes there. */
static cof_result plan_part(const struct fresh *fresh, const char *device,
			    const struct expanded *expanded, uint64_t offset_bytes,
			    uint64_t part_bytes, const char *what, struct luks_writes *writes,
			    struct cof_error *err)
{
	_cleanup_buffer_ struct buffer found = { 0 };
	off_t end = lseek(fresh->fd, 0, SEEK_END);
	uint8_t *wanted;

	TRY(header_copy_part(&expanded->image, offset_bytes, part_bytes, "header copy", &wanted,
			     err));
	ENSURE(end >= 0 && (uint64_t)end >= offset_bytes + part_bytes, err, COF_E_FORMAT, device,
	       "is too small for this header: %lld bytes", (long long)end);
	TRY(buffer_reserve(&found, (size_t)part_bytes, err));
	TRY(fresh_read(fresh, found.data, (size_t)part_bytes, offset_bytes, device, err));
	if (memcmp(found.data, wanted, (size_t)part_bytes) == 0)
		return COF_OK;
	return luks_writes_add(writes, offset_bytes, SPAN(wanted, part_bytes), what, err);
}

/* Adds the areas of the keyslots in @mask, where they differ. */
static cof_result plan_slot_areas(const struct fresh *fresh, const char *device,
				  const struct expanded *expanded, uint32_t mask,
				  struct luks_writes *writes, struct cof_error *err)
{
	struct luks_slot slots[LUKS_SLOTS_MAX];
	size_t slot_count;

	luks_slots_collect(expanded->context, slots, &slot_count);
	for (size_t i = 0; i < slot_count; i++) {
		char what[64];
		uint64_t offset;
		uint64_t length;

		if (!(mask >> slots[i].number & 1) || luks_slot_is_scratch(&slots[i]))
			continue;
		(void)snprintf(what, sizeof(what), "keyslot %d, from the copy in the vault",
			       slots[i].number);
		TRY(slot_area(expanded->context, slots[i].number, &offset, &length, err));
		TRY(plan_part(fresh, device, expanded, offset, length, what, writes, err));
	}
	return COF_OK;
}

cof_result luks_plan_slots(const char *device, struct span copy, struct luks_writes *ret_writes,
			   struct cof_error *err)
{
	_cleanup_luks_writes_ struct luks_writes writes = { 0 };
	_cleanup_(expanded_done) struct expanded expanded = { .file = LUKS_REHEARSAL_NONE };
	_cleanup_luks_diff_ struct luks_diff diff = { 0 };
	_cleanup_buffer_ struct buffer present = { 0 };
	_cleanup_fresh_ struct fresh fresh = FRESH_NONE;

	TRY(luks_copy_header(device, &present, err));
	TRY(luks_copies_diff(copy, buffer_span(&present), &diff, err));
	if (diff.damaged_slots) {
		TRY(expand(copy, &expanded, err));
		TRY(fresh_open(device, &fresh, err));
		TRY(plan_slot_areas(&fresh, device, &expanded, diff.damaged_slots, &writes, err));
	}

	*ret_writes = writes;
	writes = (struct luks_writes){ 0 };
	return COF_OK;
}

cof_result luks_plan_restore(const char *device, struct span copy, struct luks_writes *ret_writes,
			     struct cof_error *err)
{
	_cleanup_luks_writes_ struct luks_writes writes = { 0 };
	_cleanup_(expanded_done) struct expanded expanded = { .file = LUKS_REHEARSAL_NONE };
	_cleanup_fresh_ struct fresh fresh = FRESH_NONE;
	uint64_t area_bytes;

	TRY(expand(copy, &expanded, err));
	TRY(fresh_open(device, &fresh, err));
	area_bytes = expanded.context->on_disk.area_bytes;
	TRY(plan_slot_areas(&fresh, device, &expanded, UINT32_MAX, &writes, err));
	if (expanded.context->on_disk.version == 2)
		TRY(plan_part(&fresh, device, &expanded, area_bytes, area_bytes,
			      "the second header, from the copy in the vault", &writes, err));
	TRY(plan_part(&fresh, device, &expanded, 0, area_bytes,
		      "the first header, from the copy in the vault", &writes, err));

	*ret_writes = writes;
	writes = (struct luks_writes){ 0 };
	return COF_OK;
}

/* What was written is what is on the device, past the kernel's cache. */
static cof_result read_back(const char *device, const struct luks_write *write,
			    struct cof_error *err)
{
	_cleanup_fresh_ struct fresh fresh = FRESH_NONE;
	_cleanup_buffer_ struct buffer found = { 0 };

	TRY(fresh_open(device, &fresh, err));
	TRY(buffer_reserve(&found, write->bytes.len, err));
	TRY(fresh_read(&fresh, found.data, write->bytes.len, write->offset_bytes, device, err));
	ENSURE(memcmp(found.data, write->bytes.data, write->bytes.len) == 0, err, COF_E_IO, device,
	       "does not hold what was written to it: %s", write->what);
	return COF_OK;
}

cof_result luks_writes_run(const char *device, const struct luks_writes *writes, const char *prefix,
			   struct cof_error *err)
{
	_cleanup_fd_ int fd = -1;
	char point[64];

	if (writes->count == 0)
		return COF_OK;
	fd = open(device, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return cof_raise_errno(err, errno, device, "cannot be opened for writing");
	(void)snprintf(point, sizeof(point), "%s/written", prefix);
	for (size_t i = 0; i < writes->count; i++) {
		const struct luks_write *write = &writes->items[i];

		TRY(fd_pwrite_all(fd, buffer_span(&write->bytes), write->offset_bytes, device,
				  err));
		if (fsync(fd) < 0)
			return cof_raise_errno(err, errno, device, "cannot be made durable");
		TRY(read_back(device, write, err));
		TRY(fault_point(point, err));
	}
	return COF_OK;
}
