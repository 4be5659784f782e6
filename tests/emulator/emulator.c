/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commands of a tape drive but for its encryption and its chip.
 */

#include <stdio.h>
#include <string.h>

#include "emulator.h"

#define NO_SENSE       0x00
#define NOT_READY      0x02
#define ILLEGAL	       0x05
#define UNIT_ATTENTION 0x06
#define PROTECT	       0x07
#define BLANK_CHECK    0x08

#define MARK_FILEMARK 0x80 /* of fixed sense data, byte 2 */
#define MARK_LENGTH   0x20

void refuse(struct answer *answer, uint8_t key, uint8_t asc, uint8_t ascq)
{
	answer->status = 2;
	answer->sense_len = sizeof(answer->sense);
	memset(answer->sense, 0, sizeof(answer->sense));
	answer->sense[0] = 0x70;
	answer->sense[2] = key;
	answer->sense[7] = sizeof(answer->sense) - 8;
	answer->sense[12] = asc;
	answer->sense[13] = ascq;
}

void send_bytes(struct answer *answer, const uint8_t *data, size_t len)
{
	answer->in_len = len < answer->in_room ? len : answer->in_room;
	if (answer->in_len)
		memcpy(answer->in, data, answer->in_len);
}

bool needs_medium(const struct emulator *drive, struct answer *answer)
{
	if (!drive->medium)
		refuse(answer, NOT_READY, 0x3a, 0x00);
	return drive->medium != NULL;
}

bool locked_out(const struct emulator *drive, unsigned int initiator, struct answer *answer)
{
	const struct parameters *now = &drive->parameters;

	if (!now->locked[initiator] || now->locked_instance[initiator] == drive->instance)
		return false;
	refuse(answer, PROTECT, 0x2a, 0x13);
	return true;
}

void emulator_load(struct emulator *drive, const char *path)
{
	if (drive->medium && drive->parameters.clear_on_demount)
		forget_key(drive);
	medium_free(drive->medium);
	drive->medium = path ? medium_load(path) : NULL;
	drive->position = 0;
	drive->wrong_keys = 0;
	memset(drive->parameters.locked, 0, sizeof(drive->parameters.locked));
	for (unsigned int i = 0; drive->medium && i < INITIATORS; i++)
		drive->attentions[i] = (struct attention){ 0x28, 0x00 };
}

void emulator_done(struct emulator *drive)
{
	medium_free(drive->medium);
	drive->medium = NULL;
}

static void inquiry(const struct emulator *drive, const struct request *request,
		    struct answer *answer)
{
	uint8_t page[64] = { 0x01, 0x80, 0x06, 0x02, 31 };
	const struct profile *profile = drive->profile;

	if (request->cdb[1] & 0x01) {
		if (request->cdb[2] != 0x80) {
			refuse(answer, ILLEGAL, 0x24, 0x00);
			return;
		}
		page[1] = 0x80;
		page[2] = 0;
		page[3] = (uint8_t)snprintf((char *)page + 4, 32, "EMU-%s", profile->name);
		page[4 + page[3]] = 0;
		send_bytes(answer, page, 4u + page[3]);
		return;
	}
	(void)snprintf((char *)page + 8, sizeof(page) - 8, "%-8.8s%-16.16s%-4.4s", profile->vendor,
		       profile->product, profile->revision);
	send_bytes(answer, page, 36);
}

/* A block that cannot be read with the key that is set. */
static void fail_key(struct emulator *drive, struct answer *answer)
{
	if (drive->parameters.decryption < 2) {
		refuse(answer, PROTECT, 0x74, 0x01);
		return;
	}
	drive->wrong_keys += !drive->key_was_wrong;
	drive->key_was_wrong = true;
	refuse(answer, PROTECT, 0x74, 0x03);
}

static void read_block(struct emulator *drive, const struct request *request, struct answer *answer)
{
	static uint8_t data[BLOCK_MAX];
	const uint8_t *cdb = request->cdb;
	size_t wanted = (size_t)cdb[2] << 16 | (size_t)cdb[3] << 8 | cdb[4];
	const struct block *block;
	size_t len;

	if (locked_out(drive, request->initiator, answer) || !needs_medium(drive, answer))
		return;
	if (drive->position >= drive->medium->count) {
		refuse(answer, BLANK_CHECK, 0x00, 0x05);
		return;
	}
	block = &drive->medium->blocks[drive->position];
	len = block->len;
	if (block->letter == 'F') {
		drive->position++;
		refuse(answer, NO_SENSE, 0x00, 0x01);
		answer->sense[2] |= MARK_FILEMARK;
		return;
	}
	if (block->letter == 'C' && drive->parameters.decryption == 2) {
		refuse(answer, PROTECT, 0x74, 0x02);
		return;
	}
	if (block->letter == 'E' && (drive->parameters.decryption < 2 ||
				     !block_decrypt(block, drive->parameters.key, data, &len))) {
		fail_key(drive, answer);
		return;
	}
	drive->position++;
	send_bytes(answer, block->letter == 'E' ? data : block->data, len < wanted ? len : wanted);
	if (len != wanted && !(cdb[1] & 0x02)) {
		refuse(answer, NO_SENSE, 0x00, 0x00);
		answer->sense[2] |= MARK_LENGTH;
	}
}

static void write_block(struct emulator *drive, const struct request *request,
			struct answer *answer)
{
	const struct parameters *now = &drive->parameters;
	struct block *block;

	if (locked_out(drive, request->initiator, answer) || !needs_medium(drive, answer))
		return;
	if (drive->medium->read_only || request->out_len > BLOCK_MAX) {
		refuse(answer, PROTECT, 0x27, 0x00);
		return;
	}
	if (now->encryption && drive->medium->generation < 4) {
		refuse(answer, PROTECT, 0x30, 0x05);
		return;
	}
	medium_cut(drive->medium, drive->position);
	block = medium_add(drive->medium, 'C', request->out, request->out_len);
	if (now->encryption) {
		block->ukad = now->ukad;
		block->akad = now->akad;
		block_encrypt(block, now->key);
	}
	drive->position++;
	medium_save(drive->medium);
}

static void write_filemarks(struct emulator *drive, const struct request *request,
			    struct answer *answer)
{
	const uint8_t *cdb = request->cdb;
	size_t count = (size_t)cdb[2] << 16 | (size_t)cdb[3] << 8 | cdb[4];

	if (!needs_medium(drive, answer))
		return;
	if (drive->medium->read_only) {
		refuse(answer, PROTECT, 0x27, 0x00);
		return;
	}
	for (; count > 0; count--, drive->position++) {
		medium_cut(drive->medium, drive->position);
		(void)medium_add(drive->medium, 'F', NULL, 0);
	}
	medium_save(drive->medium);
}

static void locate(struct emulator *drive, const struct request *request, struct answer *answer)
{
	const uint8_t *cdb = request->cdb;
	size_t to = (size_t)cdb[3] << 24 | (size_t)cdb[4] << 16 | (size_t)cdb[5] << 8 | cdb[6];

	if (!needs_medium(drive, answer))
		return;
	drive->position = to < drive->medium->count ? to : drive->medium->count;
	if (to > drive->medium->count)
		refuse(answer, BLANK_CHECK, 0x00, 0x05);
}

static void read_position(struct emulator *drive, struct answer *answer)
{
	uint8_t page[20] = { 0 };

	if (!needs_medium(drive, answer))
		return;
	page[0] = drive->position == 0 ? 0x80 : 0;
	for (size_t i = 0; i < 4; i++)
		page[4 + i] = page[8 + i] = (uint8_t)(drive->position >> (24 - 8 * i));
	send_bytes(answer, page, sizeof(page));
}

static void load_unload(struct emulator *drive, const struct request *request,
			struct answer *answer)
{
	if (!needs_medium(drive, answer))
		return;
	if (request->cdb[4] & 0x01)
		drive->position = 0;
	else
		emulator_load(drive, NULL);
}

/* What only a test sends. */
static void control(struct emulator *drive, const struct request *request, struct answer *answer)
{
	const uint8_t *cdb = request->cdb;
	char path[512];

	switch (cdb[1]) {
	case CONTROL_ATTENTION:
		drive->attentions[request->initiator] = (struct attention){ cdb[2], cdb[3] };
		break;
	case CONTROL_LOAD:
		(void)snprintf(path, sizeof(path), "%.*s", (int)request->out_len,
			       (const char *)request->out);
		emulator_load(drive, request->out_len ? path : NULL);
		break;
	case CONTROL_COUNT:
		send_bytes(answer,
			   (const uint8_t[]){ 0, 0, (uint8_t)(drive->commands >> 8),
					      (uint8_t)drive->commands },
			   4);
		drive->commands = 0;
		break;
	case CONTROL_VANISH:
		drive->vanish_after = cdb[2];
		break;
	case CONTROL_VANISH_AT:
		drive->vanish_at = cdb[2];
		break;
	default:
		refuse(answer, ILLEGAL, 0x24, 0x00);
	}
}

/* Commands that concern the tape. */
static void move(struct emulator *drive, const struct request *request, struct answer *answer)
{
	switch (request->cdb[0]) {
	case 0x01: /* REWIND */
		if (needs_medium(drive, answer))
			drive->position = 0;
		break;
	case 0x08:
		read_block(drive, request, answer);
		break;
	case 0x0a:
		write_block(drive, request, answer);
		break;
	case 0x10:
		write_filemarks(drive, request, answer);
		break;
	case 0x1b:
		load_unload(drive, request, answer);
		break;
	case 0x2b:
		locate(drive, request, answer);
		break;
	case 0x34:
		read_position(drive, answer);
		break;
	default:
		refuse(answer, ILLEGAL, 0x20, 0x00);
	}
}

/* One command that nothing stands in the way of. */
static void run(struct emulator *drive, const struct request *request, struct answer *answer)
{
	switch (request->cdb[0]) {
	case 0x00: /* TEST UNIT READY */
		(void)needs_medium(drive, answer);
		break;
	case 0x03: /* REQUEST SENSE */
		send_bytes(answer, (const uint8_t[18]){ 0x70, 0, 0, 0, 0, 0, 0, 10 }, 18);
		break;
	case 0x12:
		inquiry(drive, request, answer);
		break;
	case 0x4d:
		log_sense(drive, request, answer);
		break;
	case 0x8c:
		read_attribute(drive, request, answer);
		break;
	case 0x8d:
		write_attribute(drive, request, answer);
		break;
	case 0xa2:
		security_in(drive, request, answer);
		break;
	case 0xb5:
		security_out(drive, request, answer);
		break;
	default:
		move(drive, request, answer);
	}
}

void emulator_execute(struct emulator *drive, const struct request *request, struct answer *answer)
{
	struct attention *attention = &drive->attentions[request->initiator];
	uint8_t operation = request->cdb[0];

	answer->status = 0;
	answer->sense_len = 0;
	answer->in_len = 0;
	drive->stuck = false;
	if (operation == 0xc0) {
		control(drive, request, answer);
		return;
	}
	drive->commands++;
	if (drive->vanish_after && --drive->vanish_after == 0)
		drive->vanished = true;
	if (drive->vanish_at && drive->vanish_at == operation)
		drive->vanished = true;
	if (drive->vanished)
		return;
	/* SPC-4, 5.14: INQUIRY and REQUEST SENSE go by. */
	if (attention->asc && operation != 0x12 && operation != 0x03) {
		refuse(answer, UNIT_ATTENTION, attention->asc, attention->ascq);
		*attention = (struct attention){ 0 };
		return;
	}
	run(drive, request, answer);
}
