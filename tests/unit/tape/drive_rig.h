/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TESTS_TAPE_DRIVE_RIG_H
#define COF_TESTS_TAPE_DRIVE_RIG_H

/*
 * An emulated drive with a tape in it, behind the transport of a struct drive.
 */

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "drive.h"
#include "emulator.h"

/* struct rig - @meddle: what happens behind this host's back after a command of that operation */
struct rig {
	struct emulator emulator;
	struct drive *drive;
	char tape[64];
	uint8_t meddle_after;
	void (*meddle)(struct rig *rig);
};

/* A command of a host; gives the status, and what came in. */
static inline uint8_t rig_send(struct rig *rig, unsigned int initiator, const uint8_t *cdb,
			       struct span out, struct answer *answer)
{
	struct request request = { .initiator = initiator,
				   .cdb = cdb,
				   .cdb_len = 16,
				   .out = out.data,
				   .out_len = out.len };

	emulator_execute(&rig->emulator, &request, answer);
	return answer->status;
}

static inline cof_result rig_execute(void *context, const struct scsi_command *command,
				     struct scsi_answer *ret_answer, struct cof_error *err)
{
	struct rig *rig = context;
	struct answer answer = { .in = command->in, .in_room = command->in_room };

	(void)rig_send(rig, 0, command->cdb, command->out, &answer);
	ENSURE(!rig->emulator.vanished, err, COF_E_NOENT, "rig", "is gone");
	*ret_answer =
		(struct scsi_answer){ .status = answer.status,
				      .sense = sense_decode(SPAN(answer.sense, answer.sense_len)),
				      .in_bytes = answer.in_len };
	if (rig->meddle && command->cdb[0] == rig->meddle_after)
		rig->meddle(rig);
	return COF_OK;
}

static inline void rig_close(void *context)
{
}

/* A new tape of a generation. */
static inline void rig_tape(struct rig *rig, uint8_t generation)
{
	struct medium *medium = calloc(1, sizeof(*medium));

	assert_non_null(medium);
	if (!rig->tape[0]) {
		int fd;

		(void)snprintf(rig->tape, sizeof(rig->tape), "/tmp/coffer-tape-XXXXXX");
		fd = mkstemp(rig->tape);
		assert_true(fd >= 0);
		(void)close(fd);
	}
	(void)snprintf(medium->path, sizeof(medium->path), "%s", rig->tape);
	medium->generation = generation;
	medium_set_attribute(medium, 0x0401, 1, (const uint8_t *)"SN123", 5);
	medium_save(medium);
	medium_free(medium);
	emulator_load(&rig->emulator, rig->tape);
}

/* A drive of a profile, with a new LTO-6 tape. */
static inline void rig_start(struct rig *rig, const char *profile)
{
	*rig = (struct rig){ .emulator.profile = profile_find(profile) };
	assert_non_null(rig->emulator.profile);
	rig_tape(rig, 6);
	assert_ok(drive_new(
		profile,
		(struct transport){ .execute = rig_execute, .close = rig_close, .context = rig },
		&rig->drive, NULL));
}

static inline void rig_stop(struct rig *rig)
{
	drive_close(rig->drive);
	emulator_done(&rig->emulator);
	(void)unlink(rig->tape);
}

/* Writes a block; gives the status. */
static inline uint8_t rig_write(struct rig *rig, unsigned int initiator, const char *text)
{
	uint8_t cdb[16] = { 0x0a, 0, 0, 0, (uint8_t)strlen(text) };
	struct answer answer = { 0 };

	return rig_send(rig, initiator, cdb, SPAN(text, strlen(text)), &answer);
}

/* Reads the next block and compares it; gives the additional sense code, 0 for success. */
static inline unsigned int rig_read(struct rig *rig, const char *expected)
{
	uint8_t room[64] = { 0 };
	uint8_t cdb[16] = { 0x08, 0x02, 0, 0, sizeof(room) };
	struct answer answer = { .in = room, .in_room = sizeof(room) };

	if (rig_send(rig, 0, cdb, SPAN(NULL, 0), &answer))
		return (unsigned int)answer.sense[12] << 8 | answer.sense[13];
	assert_int_equal(answer.in_len, strlen(expected));
	assert_memory_equal(room, expected, answer.in_len);
	return 0;
}

static const uint8_t rig_id[KEY_ID_BYTES] = {
	1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
};
#define RIG_TAG "coffer1:AQIDBAUGBwgJCgsMDQ4PEA"

/* A key of which every byte is @byte. */
static inline struct tape_key *rig_key(uint8_t byte)
{
	struct tape_key *key = NULL;

	assert_ok(tape_key_new(TAPE_KEY_BYTES, &key, NULL));
	memset(key->secret.data, byte, TAPE_KEY_BYTES);
	return key;
}

/* Loads such a key. */
static inline cof_result rig_load(struct rig *rig, uint8_t byte, struct drive_loaded *ret_loaded)
{
	struct tape_key *key = rig_key(byte);
	cof_result loaded = drive_load_key(rig->drive, key, rig_id, ret_loaded, NULL);

	tape_key_free(key);
	return loaded;
}

#endif
