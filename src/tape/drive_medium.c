/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the loaded tape says of itself: its chip, and the key that it needs.
 */

#include <string.h>

#include "drive.h"

#define OP_READ_6	   0x08
#define OP_LOG_SENSE	   0x4d
#define OP_READ_ATTRIBUTE  0x8c
#define OP_WRITE_ATTRIBUTE 0x8d
#define LOG_CUMULATIVE	   0x40 /* page control: the values of now */
#define ATTRIBUTE_ROOM	   1024
#define LOG_ROOM	   4096

/* An attribute of the chip into @room; not found also where the drive does not know chips. */
static cof_result read_attribute(struct drive *drive, uint16_t id,
				 uint8_t room[static ATTRIBUTE_ROOM],
				 struct mam_attribute *ret_attribute, bool *ret_found,
				 struct cof_error *err)
{
	struct scsi_command command = {
		.cdb = { OP_READ_ATTRIBUTE, 0, 0, 0, 0, 0, 0, 0, (uint8_t)(id >> 8), (uint8_t)id, 0,
			 0, ATTRIBUTE_ROOM >> 8, 0 },
		.cdb_bytes = 16,
		.in = room,
		.in_room = ATTRIBUTE_ROOM,
		.timeout_ms = DRIVE_SHORT_MS,
	};
	struct sense sense;
	size_t len;

	*ret_found = false;
	TRY(drive_try(drive, &command, &sense, &len, err));
	if (!sense.found)
		return mam_find(SPAN(room, len), id, ret_attribute, ret_found, err);
	if (sense_explain(sense).code == COF_E_UNSUPPORTED)
		return COF_OK;
	return sense_raise(sense, drive->name, "read the chip of the tape", err);
}

cof_result drive_attribute(struct drive *drive, uint16_t id, char out[static DRIVE_TEXT_CHARS + 1],
			   struct cof_error *err)
{
	uint8_t room[ATTRIBUTE_ROOM];
	struct mam_attribute attribute;
	bool found;

	TRY(read_attribute(drive, id, room, &attribute, &found, err));
	out[0] = '\0';
	if (found)
		mam_text(attribute.value, out, DRIVE_TEXT_CHARS + 1);
	return COF_OK;
}

cof_result drive_set_attribute(struct drive *drive, uint16_t id, const char *text,
			       struct cof_error *err)
{
	_cleanup_buffer_ struct buffer out = { 0 };
	struct mam_attribute attribute = { .id = id,
					   .format = MAM_ASCII,
					   .value = span_of_text(text) };
	struct scsi_command command = {
		.cdb = { OP_WRITE_ATTRIBUTE, 0x01 /* into the chip at once */ },
		.cdb_bytes = 16,
		.timeout_ms = DRIVE_SHORT_MS,
	};

	TRY(mam_encode(&attribute, 1, &out, err));
	command.cdb[12] = (uint8_t)(out.len >> 8);
	command.cdb[13] = (uint8_t)out.len;
	command.out = buffer_span(&out);
	return drive_execute(drive, &command, "write the chip of the tape", NULL, err);
}

/* The same fact from log page 17h, for drives whose chip does not have it. */
static cof_result read_log(struct drive *drive, uint64_t *ret_object, bool *ret_found,
			   struct cof_error *err)
{
	uint8_t room[LOG_ROOM];
	struct scsi_command command = {
		.cdb = { OP_LOG_SENSE, 0, LOG_CUMULATIVE | LOG_VOLUME_STATISTICS, 0, 0, 0, 0,
			 LOG_ROOM >> 8, 0 },
		.cdb_bytes = 10,
		.in = room,
		.in_room = sizeof(room),
		.timeout_ms = DRIVE_SHORT_MS,
	};
	struct volume_log log;
	struct sense sense;
	size_t len;

	*ret_found = false;
	TRY(drive_try(drive, &command, &sense, &len, err));
	if (sense.found)
		return COF_OK;
	TRY(volume_log_decode(SPAN(room, len), &log, err));
	*ret_found = log.has_encrypted;
	*ret_object = log.first_encrypted;
	return COF_OK;
}

cof_result drive_first_encrypted(struct drive *drive, uint64_t *ret_object, bool *ret_found,
				 struct cof_error *err)
{
	uint8_t room[ATTRIBUTE_ROOM];
	struct mam_attribute attribute;
	bool known;

	TRY(read_attribute(drive, MAM_FIRST_ENCRYPTED, room, &attribute, &known, err));
	if (!known)
		return read_log(drive, ret_object, ret_found, err);
	*ret_found = mam_object(attribute.value, ret_object);
	return COF_OK;
}

/* Reads a block for the drive's sake, which then knows what it is; what it holds or why it cannot
 * be read is of no interest. */
static cof_result touch_block(struct drive *drive, struct cof_error *err)
{
	uint8_t byte;
	struct scsi_command command = {
		.cdb = { OP_READ_6, 0x02 /* any length */, 0, 0, 1 },
		.cdb_bytes = 6,
		.in = &byte,
		.in_room = 1,
		.timeout_ms = DRIVE_LONG_MS,
	};
	struct sense sense;

	return drive_try(drive, &command, &sense, NULL, err);
}

/* The KADs of the block at a place. */
static cof_result tag_at(struct drive *drive, uint64_t object, struct key_tag *ret_tag,
			 struct cof_error *err)
{
	struct tape_encryption status;
	struct tape_next next;

	TRY(drive_locate(drive, object, err));
	TRY(drive_next(drive, &next, err));
	if (next.encryption == NEXT_NOT_NOW) {
		/* With a key, reading would count as a try. */
		TRY(drive_status(drive, &status, err));
		if (!drive_has_key(&status)) {
			TRY(touch_block(drive, err));
			TRY(drive_locate(drive, object, err));
			TRY(drive_next(drive, &next, err));
		}
	}
	*ret_tag = key_tag_read(&next.kads);
	return COF_OK;
}

/* Goes to the first encrypted block and back. */
static cof_result tag_elsewhere(struct drive *drive, struct key_tag *ret_tag, struct cof_error *err)
{
	uint64_t before;
	uint64_t object;
	bool found;
	cof_result asked;

	TRY(drive_first_encrypted(drive, &object, &found, err));
	if (!found)
		return COF_OK;
	TRY(drive_position(drive, &before, err));
	asked = tag_at(drive, object, ret_tag, err);
	/* Whatever came of it, who writes next must not write there. */
	TRY(drive_locate(drive, before, cof_failed(asked) ? NULL : err));
	return asked;
}

cof_result drive_tape_tag(struct drive *drive, struct key_tag *ret_tag, struct tape_next *ret_next,
			  struct cof_error *err)
{
	uint8_t room[ATTRIBUTE_ROOM];
	struct mam_attribute attribute;
	bool found;

	TRY(drive_next(drive, ret_next, err));
	*ret_tag = key_tag_read(&ret_next->kads);
	if (!ret_tag->found)
		TRY(tag_elsewhere(drive, ret_tag, err));
	if (ret_tag->found)
		return COF_OK;
	TRY(read_attribute(drive, MAM_KEY_ID, room, &attribute, &found, err));
	if (found)
		*ret_tag = key_tag_of_text(attribute.value);
	return COF_OK;
}
