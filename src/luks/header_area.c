/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "header_area.h"

#include <ctype.h>
#include <string.h>

#include "kdf.h"

/* Fields of a LUKS2 binary header: LUKS2 on-disk format 1.1.0, section 2.1. */
#define AT_SEQUENCE   16
#define AT_SALT	      104
#define AT_OFFSET     256
#define AT_CHECKSUM   448
#define CHECKSUM_ROOM 64

/* Fields of a LUKS1 header: LUKS1 1.2.3, section 2.3. */
#define AT_LUKS1_CIPHER	      8
#define AT_LUKS1_HASH	      72
#define AT_LUKS1_UUID	      168
#define AT_LUKS1_SLOTS	      208
#define LUKS1_TEXT_ROOM	      32
#define LUKS1_UUID_ROOM	      40
#define LUKS1_SLOT_BYTES      48
#define LUKS1_SLOTS	      8
#define LUKS1_AT_SLOT_STRIPES 44
#define LUKS1_STRIPES	      4000
#define LUKS1_SLOT_OFF	      0x0000dead
#define LUKS1_SLOT_ON	      0x00ac71f3

static const uint8_t magics[][HEADER_MAGIC_BYTES] = {
	[DISK_HEADER_FIRST] = { 'L', 'U', 'K', 'S', 0xba, 0xbe },
	[DISK_HEADER_SECOND] = { 'S', 'K', 'U', 'L', 0xba, 0xbe },
};

void header_area_done(struct header_area *area)
{
	buffer_done(&area->bytes);
	*area = (struct header_area){ 0 };
}

const uint8_t *header_area_magic(enum disk_header_place place)
{
	return magics[place];
}

/* A big-endian number of four bytes. */
static uint32_t be32_at(struct span bytes, size_t offset)
{
	return (uint32_t)bytes.data[offset] << 24 | (uint32_t)bytes.data[offset + 1] << 16 |
	       (uint32_t)bytes.data[offset + 2] << 8 | bytes.data[offset + 3];
}

/* Whether a field holds a text that ends inside it and is not empty. */
static bool is_text(struct span bytes, size_t offset, size_t room_bytes)
{
	size_t len = strnlen((const char *)bytes.data + offset, room_bytes);

	for (size_t i = 0; i < len; i++)
		if (!isgraph(bytes.data[offset + i]))
			return false;
	return len > 0 && len < room_bytes;
}

/* LUKS1 has no checksum: without its magic, what could be wrong must not be. */
static bool luks1_plausible(struct span bytes)
{
	if (!is_text(bytes, AT_LUKS1_CIPHER, LUKS1_TEXT_ROOM) ||
	    !is_text(bytes, AT_LUKS1_HASH, LUKS1_TEXT_ROOM) ||
	    !is_text(bytes, AT_LUKS1_UUID, LUKS1_UUID_ROOM))
		return false;
	for (size_t slot = 0; slot < LUKS1_SLOTS; slot++) {
		size_t at = AT_LUKS1_SLOTS + slot * LUKS1_SLOT_BYTES;
		uint32_t active = be32_at(bytes, at);

		if ((active != LUKS1_SLOT_ON && active != LUKS1_SLOT_OFF) ||
		    be32_at(bytes, at + LUKS1_AT_SLOT_STRIPES) != LUKS1_STRIPES)
			return false;
	}
	return true;
}

/* The fields of a header whose first block may lack its magic. */
static bool peek_without_magic(struct span block, enum disk_header_place place,
			       uint64_t offset_bytes, struct disk_header *header)
{
	uint8_t patched[DISK_HEADER_BLOCK_BYTES];
	bool found;

	if (block.len < sizeof(patched))
		return false;
	memcpy(patched, block.data, sizeof(patched));
	memcpy(patched, magics[place], HEADER_MAGIC_BYTES);
	disk_header_peek(SPAN(patched, sizeof(patched)), place, offset_bytes, header, &found);
	return found;
}

void header_area_size(struct span block, enum disk_header_place place, uint64_t offset_bytes,
		      uint64_t *ret_bytes)
{
	struct disk_header header;

	*ret_bytes =
		peek_without_magic(block, place, offset_bytes, &header) ? header.area_bytes : 0;
}

cof_result header_area_judge(struct span bytes, enum disk_header_place place, uint64_t offset_bytes,
			     struct header_area *ret_area, struct cof_error *err)
{
	_cleanup_(header_area_done) struct header_area area = { 0 };
	bool has_magic = bytes.len >= HEADER_MAGIC_BYTES &&
			 memcmp(bytes.data, magics[place], HEADER_MAGIC_BYTES) == 0;

	if (peek_without_magic(bytes, place, offset_bytes, &area.header) &&
	    bytes.len >= area.header.area_bytes) {
		TRY(buffer_add(&area.bytes, bytes.data, (size_t)area.header.area_bytes, err));
		memcpy(area.bytes.data, magics[place], HEADER_MAGIC_BYTES);
		TRY(disk_header_intact(&area.header, buffer_span(&area.bytes), &area.intact, err));
		if (area.header.version == 1 && !has_magic)
			area.intact = luks1_plausible(buffer_span(&area.bytes));
		area.seen = has_magic || area.intact;
	}
	area.no_magic = area.intact && !has_magic;

	*ret_area = area;
	area = (struct header_area){ 0 };
	return COF_OK;
}

/* How one place is, which may be behind the other. */
static enum luks_area_state area_state(const struct header_area *area, bool older)
{
	if (!area->intact)
		return LUKS_AREA_DAMAGED;
	if (area->no_magic)
		return LUKS_AREA_NO_MAGIC;
	return older ? LUKS_AREA_OLDER : LUKS_AREA_GOOD;
}

struct luks_header_state header_areas_state(const struct header_area *first,
					    const struct header_area *second)
{
	bool both = first->intact && second->intact;
	bool first_older = both && first->header.sequence < second->header.sequence;
	bool second_older = both && second->header.sequence < first->header.sequence;
	const struct header_area *newest =
		(first->intact && !first_older) || (!second->intact && first->seen) ? first
										    : second;
	struct luks_header_state state = {
		.version = newest->seen ? newest->header.version : 0,
		.sequence = newest->header.sequence,
		.area_bytes = newest->header.area_bytes,
		.first = area_state(first, first_older),
		.second = area_state(second, second_older),
		.mendable = first->intact || second->intact,
		.disagree = both && strcmp(first->header.uuid, second->header.uuid) != 0,
	};

	memcpy(state.uuid, newest->header.uuid, sizeof(state.uuid));
	if (state.version == 1)
		state.second = LUKS_AREA_NONE;
	state.whole = state.first == LUKS_AREA_GOOD && !state.disagree &&
		      (state.second == LUKS_AREA_GOOD || state.second == LUKS_AREA_NONE);
	return state;
}

const char *luks_area_words(enum luks_area_state state)
{
	static const char *const words[] = {
		[LUKS_AREA_NONE] = "not there, as LUKS1 has none",
		[LUKS_AREA_GOOD] = "whole",
		[LUKS_AREA_NO_MAGIC] = "whole but for its magic bytes, which are gone",
		[LUKS_AREA_OLDER] = "older than the other one",
		[LUKS_AREA_DAMAGED] = "damaged",
	};

	return words[state];
}

/* Writes a big-endian number of eight bytes. */
static void be64_put(uint8_t *at, uint64_t value)
{
	for (size_t i = 0; i < sizeof(value); i++)
		at[i] = (uint8_t)(value >> (56 - 8 * i));
}

struct span header_area_json(const struct header_area *area)
{
	const char *text = (const char *)area->bytes.data + DISK_HEADER_BLOCK_BYTES;

	return SPAN(text, strnlen(text, area->bytes.len - DISK_HEADER_BLOCK_BYTES));
}

cof_result header_area_edit(struct header_area *area, const char *json, struct cof_error *err)
{
	uint8_t *text = area->bytes.data + DISK_HEADER_BLOCK_BYTES;
	size_t room = area->bytes.len - DISK_HEADER_BLOCK_BYTES;

	ENSURE(strlen(json) < room, err, COF_E_NOSPC, area->header.uuid,
	       "its metadata of %zu bytes do not fit their area of %zu", strlen(json), room);
	memset(text, 0, room);
	memcpy(text, json, strlen(json));
	area->header.sequence++;
	be64_put(area->bytes.data + AT_SEQUENCE, area->header.sequence);
	return COF_OK;
}

cof_result header_area_other(const struct header_area *area, enum disk_header_place place,
			     const uint8_t *salt, struct buffer *ret_bytes, struct cof_error *err)
{
	_cleanup_buffer_ struct buffer bytes = { 0 };
	uint8_t digest[SHA256_BYTES];
	uint64_t offset = place == DISK_HEADER_SECOND ? area->header.area_bytes : 0;

	TRY(buffer_add(&bytes, area->bytes.data, area->bytes.len, err));
	memcpy(bytes.data, magics[place], HEADER_MAGIC_BYTES);
	memcpy(bytes.data + AT_SALT, salt, HEADER_SALT_BYTES);
	be64_put(bytes.data + AT_OFFSET, offset);
	memset(bytes.data + AT_CHECKSUM, 0, CHECKSUM_ROOM);
	TRY(sha256(buffer_span(&bytes), digest, err));
	memcpy(bytes.data + AT_CHECKSUM, digest, sizeof(digest));

	*ret_bytes = bytes;
	bytes = (struct buffer){ 0 };
	return COF_OK;
}
