/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tape data encryption security protocol, 20h.
 */

#include <string.h>

#include "emulator.h"

#define ILLEGAL 0x05
#define PROTECT 0x07

static size_t put(uint8_t *to, size_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		to[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
	return bytes;
}

/* The next free byte behind a KAD. */
static size_t put_kad(uint8_t *to, uint8_t type, uint8_t check, const struct kad_bytes *kad)
{
	to[0] = type;
	to[1] = check;
	(void)put(to + 2, kad->len, 2);
	memcpy(to + 4, kad->data, kad->len);
	return 4u + kad->len;
}

static size_t page_lists(const struct profile *profile, uint16_t code, uint8_t *page)
{
	static const uint8_t in[] = { 0x00, 0x01, 0x10, 0x11, 0x12, 0x20, 0x21 };
	size_t len = 4;

	if (code == 0x0001)
		return len + put(page + len, 0x0010, 2);
	for (size_t i = 0; i < sizeof(in); i++)
		if (in[i] != 0x12 || !profile->no_management)
			len += put(page + len, in[i], 2);
	return len;
}

static size_t page_0010(const struct emulator *drive, uint8_t *page)
{
	const struct profile *profile = drive->profile;
	bool suits = drive->medium && drive->medium->generation >= 4;
	size_t len = 20;

	page[4] = profile->by_library ? 0x0a : 0x01;
	for (uint8_t i = 0; i < profile->algorithms; i++, len += 24) {
		uint8_t *at = page + len;

		at[0] = (uint8_t)(profile->first_index + i);
		at[3] = 20;
		at[4] = (uint8_t)(0x3a | (suits ? 0x80 : 0));
		at[5] = (uint8_t)(0x10 | (profile->kad_format ? 0x08 : 0));
		at[7] = profile->ukad_max;
		at[9] = profile->akad_max;
		at[11] = KEY_BYTES;
		at[12] = (uint8_t)((profile->kad_needed ? 0x40 : 0xc0) | profile->raw_control << 1);
		(void)put(at + 20, profile->code, 4);
	}
	return len;
}

static size_t page_0012(const struct profile *profile, uint8_t *page)
{
	page[4] = profile->lock;
	page[5] = profile->clear_on_demount ? 0x04 : 0;
	page[7] = (uint8_t)(0x03 | (profile->scope_all ? 0x04 : 0));
	return 16;
}

static size_t page_0020(const struct emulator *drive, uint8_t *page)
{
	const struct parameters *now = &drive->parameters;
	size_t len = 24;

	page[4] = (uint8_t)(now->scope << 5 | (now->set ? now->scope : 0));
	page[5] = now->encryption;
	page[6] = now->decryption;
	page[7] = now->index;
	(void)put(page + 8, drive->instance, 4);
	page[12] = (uint8_t)((drive->profile->by_library ? 3
			      : now->set		 ? 1
							 : 0)
				     << 4 |
			     (now->raw == 3));
	page[13] = now->kad_format;
	if (now->has_ukad)
		len += put_kad(page + len, 0, 0, &now->ukad);
	if (now->has_akad)
		len += put_kad(page + len, 1, 0, &now->akad);
	return len;
}

/* What the next block is, and its KADs. */
static size_t page_0021(struct emulator *drive, uint8_t *page, struct answer *answer)
{
	static uint8_t clear[BLOCK_MAX];
	const struct parameters *now = &drive->parameters;
	const struct medium *medium = drive->medium;
	const struct block *block;
	size_t len = 16;
	size_t size;
	bool opens;

	if (!needs_medium(drive, answer))
		return 0;
	(void)put(page + 4, drive->position, 8);
	if (medium->count == 0 && drive->profile->blank_check) {
		refuse(answer, 0x08, 0x14, 0x03);
		return 0;
	}
	block = drive->position < medium->count ? &medium->blocks[drive->position] : NULL;
	if (!block || block->letter == 'F') {
		page[12] = 2;
		return len;
	}
	if (block->letter == 'C') {
		page[12] = 3;
		return len;
	}
	opens = now->decryption >= 2 && block_decrypt(block, now->key, clear, &size);
	page[12] = opens ? 5 : 6;
	page[13] = drive->profile->first_index;
	page[15] = 0;
	if (block->ukad.len)
		len += put_kad(page + len, 0, 1, &block->ukad);
	if (block->akad.len)
		len += put_kad(page + len, 1, opens ? 3 : 2, &block->akad);
	return len;
}

void security_in(struct emulator *drive, const struct request *request, struct answer *answer)
{
	const uint8_t *cdb = request->cdb;
	const struct profile *profile = drive->profile;
	uint16_t code = (uint16_t)(cdb[2] << 8 | cdb[3]);
	uint8_t page[512] = { 0 };
	size_t len = 0;

	if (!profile->algorithms) {
		refuse(answer, ILLEGAL, 0x20, 0x00);
		return;
	}
	if (cdb[1] != 0x20 || cdb[4] || cdb[5] || cdb[10] || cdb[11]) {
		refuse(answer, ILLEGAL, 0x24, 0x00);
		return;
	}
	drive->stuck = profile->blocks_when_empty && !drive->medium;
	if (code == 0x0000 || code == 0x0001)
		len = page_lists(profile, code, page);
	else if (code == 0x0010)
		len = page_0010(drive, page);
	else if (code == 0x0011)
		len = 5;
	else if (code == 0x0012 && !profile->no_management)
		len = page_0012(profile, page);
	else if (code == 0x0020)
		len = page_0020(drive, page);
	else if (code == 0x0021)
		len = page_0021(drive, page, answer);
	else
		refuse(answer, ILLEGAL, 0x24, 0x00);
	if (answer->status)
		return;
	(void)put(page, code, 2);
	(void)put(page + 2, len - 4 + (code == 0x0020 ? profile->length_extra : 0), 2);
	send_bytes(answer, page, profile->short_pages && len > 7 ? 7 : len);
}

void forget_key(struct emulator *drive)
{
	struct parameters none = { 0 };

	/* Who has locked the old key is to hear of it. */
	memcpy(none.locked, drive->parameters.locked, sizeof(none.locked));
	memcpy(none.locked_instance, drive->parameters.locked_instance,
	       sizeof(none.locked_instance));
	drive->parameters = none;
	drive->instance++;
	drive->key_was_wrong = false;
}

/* The fixed part of the page; false where a strict drive refuses it. */
static bool read_fixed(const struct emulator *drive, const uint8_t *page, struct parameters *ret)
{
	const struct profile *profile = drive->profile;
	uint8_t raw = page[5] >> 4 & 0x03;

	ret->set = true;
	ret->scope = page[4] >> 5;
	ret->raw = raw;
	ret->clear_on_demount = page[5] & 0x04;
	ret->encryption = page[6];
	ret->decryption = page[7];
	ret->index = page[8];
	ret->kad_format = page[10];
	if ((page[4] & 0x1e) || ret->scope > (profile->scope_all ? 2 : 1) ||
	    ((page[4] & 0x01) && !profile->lock))
		return false;
	/* SDK, CKORP and CKORL are not offered. */
	if ((page[5] & 0x0b) || raw == 1 ||
	    (raw && profile->raw_control != 4 && profile->raw_control != 5) ||
	    (ret->clear_on_demount && (!profile->clear_on_demount || !drive->medium)))
		return false;
	if ((ret->encryption != 0 && ret->encryption != 2) || ret->decryption > 3 ||
	    ret->decryption == 1)
		return false;
	if (ret->index < profile->first_index ||
	    ret->index >= profile->first_index + profile->algorithms || page[9] ||
	    ret->kad_format > (profile->kad_format ? 2 : 0))
		return false;
	for (size_t i = 11; i < 18; i++)
		if (page[i])
			return false;
	return true;
}

/* The key and the KADs; false where a strict drive refuses them. */
static bool read_rest(const struct emulator *drive, const uint8_t *page, size_t len,
		      struct parameters *ret)
{
	const struct profile *profile = drive->profile;
	size_t key_len = (size_t)page[18] << 8 | page[19];
	bool off = ret->encryption == 0 && ret->decryption == 0;
	size_t at = 20 + key_len;
	int last = -1;

	if ((key_len != KEY_BYTES && !(off && key_len == 0)) || at > len)
		return false;
	memcpy(ret->key, page + 20, key_len);
	while (at < len) {
		struct kad_bytes kad = { 0 };
		size_t kad_len;
		uint8_t type;

		if (len - at < 4)
			return false;
		type = page[at];
		kad_len = (size_t)page[at + 2] << 8 | page[at + 3];
		if (type > 1 || type <= last || page[at + 1] || off || kad_len > len - at - 4 ||
		    kad_len > (type ? profile->akad_max : profile->ukad_max))
			return false;
		kad.len = (uint8_t)kad_len;
		memcpy(kad.data, page + at + 4, kad_len);
		*(type ? &ret->akad : &ret->ukad) = kad;
		*(type ? &ret->has_akad : &ret->has_ukad) = true;
		last = type;
		at += 4 + kad_len;
	}
	return true;
}

void security_out(struct emulator *drive, const struct request *request, struct answer *answer)
{
	const uint8_t *cdb = request->cdb;
	const uint8_t *page = request->out;
	struct parameters next = { 0 };
	size_t len = (size_t)cdb[6] << 24 | (size_t)cdb[7] << 16 | (size_t)cdb[8] << 8 | cdb[9];
	unsigned int from = request->initiator;

	if (!drive->profile->algorithms) {
		refuse(answer, ILLEGAL, 0x20, 0x00);
	} else if (cdb[1] != 0x20 || cdb[2] || cdb[3] != 0x10 || cdb[4] || cdb[5] || cdb[10] ||
		   cdb[11] || len != request->out_len) {
		refuse(answer, ILLEGAL, 0x24, 0x00);
	} else if (drive->profile->by_library) {
		refuse(answer, ILLEGAL, 0x74, 0x21);
	} else if (drive->profile->key_limit && drive->wrong_keys >= drive->profile->key_limit) {
		refuse(answer, PROTECT, 0x26, 0x10);
	} else if (len < 20 || page[0] || page[1] != 0x10 ||
		   ((size_t)page[2] << 8 | page[3]) + 4 != len || !read_fixed(drive, page, &next) ||
		   !read_rest(drive, page, len, &next)) {
		refuse(answer, ILLEGAL, 0x26, 0x00);
	} else if (drive->profile->kad_needed && next.decryption && !next.has_ukad) {
		refuse(answer, ILLEGAL, 0x26, 0x11);
	} else {
		memcpy(next.locked, drive->parameters.locked, sizeof(next.locked));
		memcpy(next.locked_instance, drive->parameters.locked_instance,
		       sizeof(next.locked_instance));
		next.set = next.encryption || next.decryption;
		drive->parameters = next;
		drive->instance++;
		drive->key_was_wrong = false;
		drive->parameters.locked[from] = page[4] & 0x01;
		drive->parameters.locked_instance[from] = drive->instance;
		for (unsigned int i = 0; i < INITIATORS; i++)
			if (i != from)
				drive->attentions[i] = (struct attention){ 0x2a, 0x11 };
	}
}
