/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sending commands, and those that every tape drive has.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drive.h"

#define OP_TEST_UNIT_READY 0x00
#define OP_REWIND	   0x01
#define OP_INQUIRY	   0x12
#define OP_LOCATE_10	   0x2b
#define OP_READ_POSITION   0x34
#define ATTENTION_TRIES	   8 /* a drive has as many things to tell after a reset, each once */
#define INQUIRY_BYTES	   36
#define VPD_SERIAL	   0x80
#define POSITION_BYTES	   20
#define STATUS_BUSY	   0x08 /* SAM-5, table of status codes */
#define STATUS_RESERVED	   0x18

cof_result drive_new(const char *name, struct transport transport, struct drive **ret_drive,
		     struct cof_error *err)
{
	struct drive *drive = calloc(1, sizeof(*drive));

	if (!drive)
		transport.close(transport.context);
	ENSURE(drive, err, COF_E_NOMEM, name, "no memory for a drive");
	(void)snprintf(drive->name, sizeof(drive->name), "%s", name);
	(void)snprintf(drive->node, sizeof(drive->node), "%s", name);
	drive->transport = transport;
	*ret_drive = drive;
	return COF_OK;
}

cof_result drive_open(const char *name, const char *node, struct drive **ret_drive,
		      struct cof_error *err)
{
	_cleanup_free_ struct drive *drive = calloc(1, sizeof(*drive));

	ENSURE(drive, err, COF_E_NOMEM, name, "no memory for a drive");
	ENSURE(strlen(name) < sizeof(drive->name) && strlen(node) < sizeof(drive->node), err,
	       COF_E_USAGE, name, "is too long for a drive");
	(void)snprintf(drive->name, sizeof(drive->name), "%s", name);
	(void)snprintf(drive->node, sizeof(drive->node), "%s", node);
	TRY(transport_open(drive->node, &drive->transport, err));

	*ret_drive = TAKE(drive);
	return COF_OK;
}

void drive_close(struct drive *drive)
{
	if (!drive)
		return;
	drive->transport.close(drive->transport.context);
	free(drive);
}

cof_result drive_try(struct drive *drive, const struct scsi_command *command,
		     struct sense *ret_sense, size_t *ret_in_bytes, struct cof_error *err)
{
	for (unsigned int i = 0; i < ATTENTION_TRIES; i++) {
		struct scsi_answer answer = { 0 };

		TRY(drive->transport.execute(drive->transport.context, command, &answer, err));
		ENSURE(answer.status != STATUS_BUSY && answer.status != STATUS_RESERVED, err,
		       COF_E_BUSY, drive->name, "is in use by another host");
		ENSURE(answer.status == SCSI_GOOD || answer.status == SCSI_CHECK, err, COF_E_IO,
		       drive->name, "ends a command with status %02x", answer.status);
		*ret_sense = answer.sense;
		if (answer.status == SCSI_GOOD)
			ret_sense->found = false;
		else
			ENSURE(answer.sense.found, err, COF_E_IO, drive->name,
			       "refuses a command without a reason");
		if (ret_in_bytes)
			*ret_in_bytes = answer.in_bytes;
		if (!ret_sense->found || ret_sense->key == SENSE_RECOVERED) {
			ret_sense->found = false;
			return COF_OK;
		}
		if (ret_sense->key != SENSE_UNIT_ATTENTION)
			return COF_OK;
		if (sense_is(*ret_sense, 0x2a, 0x11))
			drive->other_host = true;
	}
	return COF_OK;
}

cof_result drive_execute(struct drive *drive, const struct scsi_command *command, const char *doing,
			 size_t *ret_in_bytes, struct cof_error *err)
{
	struct sense sense;

	TRY(drive_try(drive, command, &sense, ret_in_bytes, err));
	if (sense.found)
		return sense_raise(sense, drive->name, doing, err);
	return COF_OK;
}

/* A text of an answer without the blanks around it. */
static void copy_text(const uint8_t *from, size_t len, char *out, size_t out_size_bytes)
{
	while (len > 0 && *from == ' ') {
		from++;
		len--;
	}
	mam_text(SPAN(from, len), out, out_size_bytes);
}

cof_result drive_identify(struct drive *drive, struct drive_identity *ret_identity,
			  struct cof_error *err)
{
	uint8_t in[INQUIRY_BYTES + 4] = { 0 };
	struct scsi_command command = {
		.cdb = { OP_INQUIRY, 0, 0, 0, INQUIRY_BYTES },
		.cdb_bytes = 6,
		.in = in,
		.in_room = INQUIRY_BYTES,
		.timeout_ms = DRIVE_SHORT_MS,
	};
	struct drive_identity identity = { 0 };
	struct sense sense;
	size_t len;

	TRY(drive_execute(drive, &command, "say what it is", &len, err));
	ENSURE(len >= INQUIRY_BYTES, err, COF_E_FORMAT, drive->name,
	       "says what it is with %zu bytes, at least %d", len, INQUIRY_BYTES);
	ENSURE((in[0] & 0x1f) == 0x01, err, COF_E_USAGE, drive->name,
	       "is no tape drive, but a device of type %u", in[0] & 0x1f);
	copy_text(in + 8, 8, identity.vendor, sizeof(identity.vendor));
	copy_text(in + 16, 16, identity.product, sizeof(identity.product));
	copy_text(in + 32, 4, identity.revision, sizeof(identity.revision));
	command.cdb[1] = 0x01;
	command.cdb[2] = VPD_SERIAL;
	TRY(drive_try(drive, &command, &sense, &len, err));
	if (!sense.found && len > 4 && in[1] == VPD_SERIAL)
		copy_text(in + 4, in[3] < len - 4 ? in[3] : len - 4, identity.serial,
			  sizeof(identity.serial));
	*ret_identity = identity;
	return COF_OK;
}

cof_result drive_has_tape(struct drive *drive, bool *ret_loaded, struct cof_error *err)
{
	struct scsi_command command = {
		.cdb = { OP_TEST_UNIT_READY },
		.cdb_bytes = 6,
		.timeout_ms = DRIVE_SHORT_MS,
	};
	struct sense sense;

	TRY(drive_try(drive, &command, &sense, NULL, err));
	if (sense.found && sense.key != SENSE_NOT_READY)
		return sense_raise(sense, drive->name, "say whether it is ready", err);
	*ret_loaded = !sense.found;
	return COF_OK;
}

cof_result drive_rewind(struct drive *drive, struct cof_error *err)
{
	struct scsi_command command = {
		.cdb = { OP_REWIND },
		.cdb_bytes = 6,
		.timeout_ms = DRIVE_LONG_MS,
	};

	return drive_execute(drive, &command, "rewind", NULL, err);
}

cof_result drive_position(struct drive *drive, uint64_t *ret_object, struct cof_error *err)
{
	uint8_t in[POSITION_BYTES] = { 0 };
	struct scsi_command command = {
		.cdb = { OP_READ_POSITION },
		.cdb_bytes = 10,
		.in = in,
		.in_room = sizeof(in),
		.timeout_ms = DRIVE_SHORT_MS,
	};
	size_t len;

	TRY(drive_execute(drive, &command, "say where the tape is", &len, err));
	ENSURE(len >= 8, err, COF_E_FORMAT, drive->name, "says where the tape is with %zu bytes",
	       len);
	/* SSC-4, short form: byte 0 bit 2 says that the number is not known. */
	ENSURE(!(in[0] & 0x04), err, COF_E_UNSUPPORTED, drive->name,
	       "does not know where the tape is");
	*ret_object = (uint64_t)in[4] << 24 | (uint64_t)in[5] << 16 | (uint64_t)in[6] << 8 | in[7];
	return COF_OK;
}

cof_result drive_locate(struct drive *drive, uint64_t object, struct cof_error *err)
{
	struct scsi_command command = {
		.cdb = { OP_LOCATE_10, 0, 0, (uint8_t)(object >> 24), (uint8_t)(object >> 16),
			 (uint8_t)(object >> 8), (uint8_t)object },
		.cdb_bytes = 10,
		.timeout_ms = DRIVE_LONG_MS,
	};

	ENSURE(object <= UINT32_MAX, err, COF_E_UNSUPPORTED, drive->name,
	       "is to go to object %llu, at most %u", (unsigned long long)object, UINT32_MAX);
	return drive_execute(drive, &command, "go to a place on the tape", NULL, err);
}
