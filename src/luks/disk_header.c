/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk_header.h"

#include <string.h>

#include "kdf.h"

/* Offsets of fields in a LUKS2 binary header; version and UUID are at the same place in LUKS1. */
#define AT_VERSION	    6
#define AT_AREA_BYTES	    8
#define AT_SEQUENCE	    16
#define AT_HASH_NAME	    72
#define AT_UUID		    168
#define AT_OFFSET	    256
#define AT_CHECKSUM	    448
#define CHECKSUM_ROOM	    64
#define HASH_NAME_ROOM	    32
#define UUID_ROOM	    40
#define AT_LUKS1_KEY_BYTES  108
#define LUKS1_KEY_BYTES_MAX 512

static const uint8_t magic_first[6] = { 'L', 'U', 'K', 'S', 0xba, 0xbe };
static const uint8_t magic_second[6] = { 'S', 'K', 'U', 'L', 0xba, 0xbe };

/* A big-endian number of @len bytes. */
static uint64_t be_at(struct span block, size_t offset, size_t len)
{
	uint64_t value = 0;

	for (size_t i = 0; i < len; i++)
		value = value << 8 | block.data[offset + i];
	return value;
}

/* Whether LUKS2 allows this size for a binary header and its JSON area. */
static bool area_size_allowed(uint64_t bytes)
{
	return bytes >= DISK_HEADER_AREA_MIN && bytes <= DISK_HEADER_AREA_MAX &&
	       (bytes & (bytes - 1)) == 0;
}

void disk_header_peek(struct span block, enum disk_header_place place, uint64_t offset_bytes,
		      struct disk_header *ret_header, bool *ret_found)
{
	const uint8_t *magic = place == DISK_HEADER_FIRST ? magic_first : magic_second;
	struct disk_header header = { 0 };
	bool found = false;

	if (block.len < DISK_HEADER_BLOCK_BYTES ||
	    memcmp(block.data, magic, sizeof(magic_first)) != 0) {
		*ret_found = false;
		return;
	}
	header.version = (int)be_at(block, AT_VERSION, 2);
	memcpy(header.uuid, block.data + AT_UUID, UUID_ROOM);
	if (header.version == 2) {
		header.area_bytes = be_at(block, AT_AREA_BYTES, 8);
		header.sequence = be_at(block, AT_SEQUENCE, 8);
		found = area_size_allowed(header.area_bytes) &&
			be_at(block, AT_OFFSET, 8) == offset_bytes;
	} else if (header.version == 1 && place == DISK_HEADER_FIRST) {
		uint64_t key_bytes = be_at(block, AT_LUKS1_KEY_BYTES, 4);

		header.area_bytes = DISK_HEADER_BLOCK_BYTES;
		found = key_bytes > 0 && key_bytes <= LUKS1_KEY_BYTES_MAX;
	}

	if (found)
		*ret_header = header;
	*ret_found = found;
}

cof_result disk_header_intact(const struct disk_header *header, struct span area, bool *ret_intact,
			      struct cof_error *err)
{
	static const uint8_t zeroes[CHECKSUM_ROOM];
	_cleanup_buffer_ struct buffer copy = { 0 };
	uint8_t digest[SHA256_BYTES];

	if (header->version == 1) {
		*ret_intact = true;
		return COF_OK;
	}
	/* Only SHA-256 was ever written; another one could not be checked, so it is not trusted. */
	if (area.len != header->area_bytes ||
	    strncmp((const char *)area.data + AT_HASH_NAME, "sha256", HASH_NAME_ROOM) != 0) {
		*ret_intact = false;
		return COF_OK;
	}

	TRY(buffer_add(&copy, area.data, area.len, err));
	memcpy(copy.data + AT_CHECKSUM, zeroes, sizeof(zeroes));
	TRY(sha256(buffer_span(&copy), digest, err));

	*ret_intact = memcmp(digest, area.data + AT_CHECKSUM, sizeof(digest)) == 0;
	return COF_OK;
}

struct disk_headers disk_headers_judge(const struct disk_header_copy *first,
				       const struct disk_header_copy *second)
{
	bool seen = first->seen || second->seen;
	bool both = first->intact && second->intact;
	bool first_older = both && first->header.sequence < second->header.sequence;
	bool second_older = both && second->header.sequence < first->header.sequence;
	bool has_second = !first->intact || first->header.version == 2;

	return (struct disk_headers){
		.found = first->intact || second->intact,
		.newest = first->intact && !first_older ? first->header : second->header,
		.why_not = seen ? "its LUKS header is damaged or cut off" : "has no LUKS header",
		.first_damaged = seen && (!first->intact || first_older),
		.second_damaged = seen && has_second && (!second->intact || second_older),
		.torn = (first_older || second_older) &&
			strcmp(first->header.uuid, second->header.uuid) == 0,
	};
}
