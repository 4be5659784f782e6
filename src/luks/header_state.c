/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The metadata on a device, read byte by byte, and what makes them whole again.
 */

#include <string.h>
#include <unistd.h>

#include "fresh.h"
#include "header_area.h"
#include "header_plan.h"
#include "kdf.h"

#define READS_MAX     3 /* as luks_context_load() */
#define READ_PAUSE_MS 20

void header_areas_done(struct header_areas *areas)
{
	header_area_done(&areas->first);
	header_area_done(&areas->second);
}

/* Reads one place; past the device's end there is nothing. */
static cof_result read_area(const struct fresh *fresh, const char *device,
			    enum disk_header_place place, uint64_t offset_bytes,
			    struct header_area *ret_area, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer bytes = { 0 };
	off_t end = lseek(fresh->fd, 0, SEEK_END);
	uint64_t area_bytes;

	if (end < 0 || (uint64_t)end < offset_bytes + DISK_HEADER_BLOCK_BYTES)
		return COF_OK;
	TRY(buffer_reserve(&bytes, DISK_HEADER_BLOCK_BYTES, err));
	bytes.len = DISK_HEADER_BLOCK_BYTES;
	TRY(fresh_read(fresh, bytes.data, bytes.len, offset_bytes, device, err));
	header_area_size(buffer_span(&bytes), place, offset_bytes, &area_bytes);
	if (area_bytes > bytes.len && (uint64_t)end - offset_bytes >= area_bytes) {
		TRY(buffer_reserve(&bytes, (size_t)area_bytes - bytes.len, err));
		bytes.len = (size_t)area_bytes;
		TRY(fresh_read(fresh, bytes.data, bytes.len, offset_bytes, device, err));
	}
	return header_area_judge(buffer_span(&bytes), place, offset_bytes, ret_area, err);
}

/* The second is where the first says, or else anywhere it may be. */
cof_result header_areas_read(const char *device, struct header_areas *ret_areas,
			     struct cof_error *err)
{
	_cleanup_(header_areas_done) struct header_areas areas = { 0 };
	_cleanup_fresh_ struct fresh fresh = FRESH_NONE;
	uint64_t at = DISK_HEADER_AREA_MIN;
	uint64_t last = DISK_HEADER_AREA_MAX;

	TRY(fresh_open(device, &fresh, err));
	TRY(read_area(&fresh, device, DISK_HEADER_FIRST, 0, &areas.first, err));
	if (areas.first.intact)
		at = last = areas.first.header.area_bytes;
	for (; at <= last && !areas.second.intact; at *= 2) {
		if (areas.first.intact && areas.first.header.version == 1)
			break;
		header_area_done(&areas.second);
		TRY(read_area(&fresh, device, DISK_HEADER_SECOND, at, &areas.second, err));
	}

	*ret_areas = areas;
	areas = (struct header_areas){ 0 };
	return COF_OK;
}

cof_result luks_header_examine(const char *device, struct luks_header_state *ret_state,
			       struct cof_error *err)
{
	struct luks_header_state state = { 0 };

	for (int reads = 0; reads < READS_MAX; reads++) {
		_cleanup_(header_areas_done) struct header_areas areas = { 0 };

		if (reads > 0)
			(void)usleep(READ_PAUSE_MS * 1000);
		TRY(header_areas_read(device, &areas, err));
		state = header_areas_state(&areas.first, &areas.second);
		/* While another program writes it, a header looks damaged for a moment. */
		if (state.whole || !state.mendable)
			break;
	}

	*ret_state = state;
	return COF_OK;
}

void luks_writes_done(struct luks_writes *writes)
{
	for (size_t i = 0; i < writes->count; i++)
		buffer_done(&writes->items[i].bytes);
	free(writes->items);
	*writes = (struct luks_writes){ 0 };
}

cof_result luks_writes_add(struct luks_writes *writes, uint64_t offset_bytes, struct span bytes,
			   const char *what, struct cof_error *err)
{
	struct luks_write *grown =
		realloc(writes->items, (writes->count + 1) * sizeof(*writes->items));
	struct luks_write write = { .offset_bytes = offset_bytes };

	ENSURE(grown, err, COF_E_NOMEM, what, "no memory for what is to be written");
	writes->items = grown;
	TRY(buffer_add(&write.bytes, bytes.data, bytes.len, err));
	(void)snprintf(write.what, sizeof(write.what), "%s", what);
	writes->items[writes->count++] = write;
	return COF_OK;
}

cof_result luks_writes_move(struct luks_writes *writes, struct luks_writes *from,
			    struct cof_error *err)
{
	for (size_t i = 0; i < from->count; i++)
		TRY(luks_writes_add(writes, from->items[i].offset_bytes,
				    buffer_span(&from->items[i].bytes), from->items[i].what, err));
	luks_writes_done(from);
	return COF_OK;
}

/* Puts back a magic. */
static cof_result plan_magic(enum disk_header_place place, uint64_t offset_bytes,
			     struct luks_writes *writes, struct cof_error *err)
{
	return luks_writes_add(writes, offset_bytes,
			       SPAN(header_area_magic(place), HEADER_MAGIC_BYTES),
			       place == DISK_HEADER_FIRST ? "the magic bytes of the first header"
							  : "the magic bytes of the second header",
			       err);
}

/* Makes one place from the other. */
static cof_result plan_other(const struct header_area *good, enum disk_header_place place,
			     struct luks_writes *writes, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer bytes = { 0 };
	uint8_t salt[HEADER_SALT_BYTES];
	bool second = place == DISK_HEADER_SECOND;

	TRY(random_bytes(salt, sizeof(salt), err));
	TRY(header_area_other(good, place, salt, &bytes, err));
	return luks_writes_add(writes, second ? good->header.area_bytes : 0, buffer_span(&bytes),
			       second ? "the second header, from the first"
				      : "the first header, from the second",
			       err);
}

/* Which of two whole ones counts: the one with the UUID, or the newer. */
static bool first_counts(const struct header_areas *areas, const struct luks_header_state *state,
			 const char *uuid)
{
	if (!areas->first.intact || !areas->second.intact)
		return areas->first.intact;
	if (state->disagree)
		return uuid && strcmp(areas->first.header.uuid, uuid) == 0;
	return areas->first.header.sequence >= areas->second.header.sequence;
}

cof_result luks_plan_mend(const char *device, const char *uuid, struct luks_writes *ret_writes,
			  struct cof_error *err)
{
	_cleanup_luks_writes_ struct luks_writes writes = { 0 };
	_cleanup_(header_areas_done) struct header_areas areas = { 0 };
	struct luks_header_state state;
	bool from_first;
	bool in_step;

	TRY(header_areas_read(device, &areas, err));
	state = header_areas_state(&areas.first, &areas.second);
	if (!state.mendable || state.whole)
		return COF_OK;
	from_first = first_counts(&areas, &state, uuid);
	if (state.disagree && !from_first)
		ENSURE(uuid && strcmp(areas.second.header.uuid, uuid) == 0, err, COF_E_REFUSED,
		       device, "its two headers are of different disks: their UUIDs are %s and %s",
		       areas.first.header.uuid, areas.second.header.uuid);
	in_step = areas.first.intact && areas.second.intact && !state.disagree &&
		  areas.first.header.sequence == areas.second.header.sequence;
	if (areas.first.no_magic && (from_first || in_step))
		TRY(plan_magic(DISK_HEADER_FIRST, 0, &writes, err));
	if (areas.second.no_magic && (!from_first || in_step))
		TRY(plan_magic(DISK_HEADER_SECOND, areas.second.header.area_bytes, &writes, err));
	if (state.version == 2 && !in_step && from_first)
		TRY(plan_other(&areas.first, DISK_HEADER_SECOND, &writes, err));
	else if (state.version == 2 && !in_step)
		TRY(plan_other(&areas.second, DISK_HEADER_FIRST, &writes, err));

	*ret_writes = writes;
	writes = (struct luks_writes){ 0 };
	return COF_OK;
}
