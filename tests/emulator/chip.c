/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The chip of a cartridge, and the log page with the same facts.
 */

#include <string.h>

#include "emulator.h"

#define ILLEGAL		0x05
#define FIRST_ENCRYPTED 0x0224
#define FIRST_CLEAR	0x0225

static size_t length_of(const uint8_t *cdb)
{
	return (size_t)cdb[10] << 24 | (size_t)cdb[11] << 16 | (size_t)cdb[12] << 8 | cdb[13];
}

/* Where the first encrypted block is, or the first clear one behind it; SIZE_MAX for none. */
static size_t first_of(const struct medium *medium, bool clear)
{
	bool behind = false;

	for (size_t i = 0; i < medium->count; i++) {
		char letter = medium->blocks[i].letter;

		if (letter == 'E' && !clear)
			return i;
		if (letter == 'C' && behind)
			return i;
		behind = behind || letter == 'E';
	}
	return SIZE_MAX;
}

static size_t put_attribute(uint8_t *to, uint16_t id, uint8_t format, const uint8_t *data,
			    uint8_t len)
{
	to[0] = (uint8_t)(id >> 8);
	to[1] = (uint8_t)id;
	to[2] = format;
	to[3] = 0;
	to[4] = len;
	if (len)
		memcpy(to + 5, data, len);
	return 5u + len;
}

/* The two that the drive keeps itself. */
static size_t put_positions(const struct medium *medium, uint16_t from, uint8_t *to)
{
	size_t len = 0;

	for (uint16_t id = FIRST_ENCRYPTED; id <= FIRST_CLEAR; id++) {
		uint64_t at = first_of(medium, id == FIRST_CLEAR);
		uint8_t value[8];

		if (at == SIZE_MAX)
			at = UINT64_MAX;
		for (size_t i = 0; i < 8; i++)
			value[i] = (uint8_t)(at >> (56 - 8 * i));
		if (id >= from)
			len += put_attribute(to + len, id, 0x80, value, 8);
	}
	return len;
}

void read_attribute(struct emulator *drive, const struct request *request, struct answer *answer)
{
	const uint8_t *cdb = request->cdb;
	uint16_t from = (uint16_t)(cdb[8] << 8 | cdb[9]);
	uint8_t page[4096] = { 0 };
	size_t len = 4;

	if (!needs_medium(drive, answer))
		return;
	if (cdb[1] & 0x1f) {
		refuse(answer, ILLEGAL, 0x24, 0x00);
		return;
	}
	len += put_positions(drive->medium, from, page + len);
	for (size_t i = 0; i < drive->medium->attribute_count; i++) {
		const struct attribute *one = &drive->medium->attributes[i];

		if (one->id >= from && len + 5 + one->len <= sizeof(page))
			len += put_attribute(page + len, one->id, one->format, one->data, one->len);
	}
	page[2] = (uint8_t)((len - 4) >> 8);
	page[3] = (uint8_t)(len - 4);
	send_bytes(answer, page, len);
}

void write_attribute(struct emulator *drive, const struct request *request, struct answer *answer)
{
	const uint8_t *out = request->out;
	size_t len = request->out_len;

	if (!needs_medium(drive, answer))
		return;
	if (length_of(request->cdb) != len || len < 4 ||
	    ((size_t)out[2] << 8 | out[3]) + 4 != len) {
		refuse(answer, ILLEGAL, 0x26, 0x00);
		return;
	}
	for (size_t at = 4; at < len;) {
		uint16_t id = (uint16_t)(out[at] << 8 | (at + 5 <= len ? out[at + 1] : 0));

		/* The host may set 0800h to 0bffh and 1400h to 17ffh. */
		if (at + 5 > len || at + 5 + out[at + 4] > len || out[at + 3] ||
		    !((id >= 0x0800 && id < 0x0c00) || (id >= 0x1400 && id < 0x1800))) {
			refuse(answer, ILLEGAL, 0x26, 0x00);
			return;
		}
		medium_set_attribute(drive->medium, id, out[at + 2], out + at + 5, out[at + 4]);
		at += 5u + out[at + 4];
	}
	medium_save(drive->medium);
}

void log_sense(struct emulator *drive, const struct request *request, struct answer *answer)
{
	uint8_t page[64] = { 0x17, 0 };
	size_t len = 4;

	if ((request->cdb[2] & 0x3f) != 0x17) {
		refuse(answer, ILLEGAL, 0x24, 0x00);
		return;
	}
	if (!needs_medium(drive, answer))
		return;
	for (uint8_t i = 0; i < 2; i++) {
		uint64_t at = first_of(drive->medium, i);
		uint8_t *to = page + len;

		memcpy(to, (const uint8_t[]){ 0x02, i, 0x03, 10, 9, 0, 0, 0 }, 8);
		for (size_t k = 0; k < 6; k++)
			to[8 + k] = at == SIZE_MAX ? 0xff : (uint8_t)(at >> (40 - 8 * k));
		len += 14;
	}
	page[3] = (uint8_t)(len - 4);
	send_bytes(answer, page, len);
}
