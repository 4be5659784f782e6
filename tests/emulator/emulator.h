/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TESTS_EMULATOR_H
#define COF_TESTS_EMULATOR_H

/*
 * A tape drive that encrypts: commands in, answers out. It shares no code with src/tape, so that a
 * mistake there is not made twice. Blocks are really encrypted; reserved bits, lengths and the
 * order of KADs are enforced as a strict drive does.
 */

#include "medium.h"

#define INITIATORS	      2
#define ALGORITHMS_IN_PROFILE 3

/* struct profile - how a drive differs from others */
struct profile {
	const char *name;
	const char *vendor;
	const char *product;
	const char *revision;
	uint8_t first_index; /* of its algorithms */
	uint8_t algorithms;
	uint32_t code;
	uint8_t ukad_max;
	uint8_t akad_max;
	bool kad_needed;    /* to decrypt */
	bool kad_format;    /* can be set */
	bool no_management; /* has no page 0012 */
	bool lock;
	bool clear_on_demount;
	bool scope_all;
	uint8_t raw_control;
	unsigned int key_limit; /* wrong keys; 0: none */
	bool blank_check;	/* page 0021 of a blank tape is sense 08/14/03 */
	bool by_library;	/* keys cannot be set: 74/21 */
	uint8_t length_extra;	/* what page 0020 claims too much */
	bool short_pages;	/* pages end in their fixed part */
	bool blocks_when_empty; /* page 0010 and 0020 never answer without a tape */
};

/* profile_find() - NULL: there is none of that name */
const struct profile *profile_find(const char *name);

/* struct parameters - of data encryption, as SECURITY PROTOCOL OUT has set them */
struct parameters {
	bool set;
	bool locked[INITIATORS];
	uint32_t locked_instance[INITIATORS];
	uint8_t scope;
	uint8_t raw;
	bool clear_on_demount;
	uint8_t encryption;
	uint8_t decryption;
	uint8_t index;
	uint8_t kad_format;
	uint8_t key[KEY_BYTES];
	struct kad_bytes ukad;
	struct kad_bytes akad;
	bool has_ukad;
	bool has_akad;
};

/* struct attention - a unit attention that waits for an initiator */
struct attention {
	uint8_t asc;
	uint8_t ascq;
};

struct emulator {
	const struct profile *profile;
	struct medium *medium; /* NULL: none is loaded */
	size_t position;
	struct parameters parameters;
	uint32_t instance;
	unsigned int wrong_keys;
	bool key_was_wrong; /* this key has failed already */
	struct attention attentions[INITIATORS];
	unsigned int commands;	   /* since this was last asked */
	unsigned int vanish_after; /* commands; 0: never */
	uint8_t vanish_at;	   /* the operation before which it vanishes; 0: none */
	bool vanished;
	bool stuck; /* the command is never answered */
};

/* struct answer - what a command ends with; @in was filled up to @in_len */
struct answer {
	uint8_t status; /* 0 good, 2 check condition */
	uint8_t sense[18];
	uint8_t sense_len;
	uint8_t *in;
	size_t in_room;
	size_t in_len;
};

/* struct request - one command; @initiator below INITIATORS */
struct request {
	unsigned int initiator;
	const uint8_t *cdb;
	size_t cdb_len;
	const uint8_t *out;
	size_t out_len;
};

/* emulator_load() - put a tape in, or with NULL take it out by hand */
void emulator_load(struct emulator *drive, const char *path);
void emulator_done(struct emulator *drive);
void emulator_execute(struct emulator *drive, const struct request *request, struct answer *answer);

/* What only a test can send, as operation C0h; byte 1: */
#define CONTROL_ATTENTION 1 /* bytes 2, 3: code and qualifier that the next command gets */
#define CONTROL_LOAD	  2 /* data: the path of a tape; none: take it out */
#define CONTROL_COUNT	  3 /* answers how many commands there were since, 4 bytes */
#define CONTROL_VANISH	  4 /* byte 2: after so many commands no answer comes any more */
#define CONTROL_VANISH_AT 5 /* byte 2: before this operation */

/* ---- parts of the drive, private to it ---- */

void refuse(struct answer *answer, uint8_t key, uint8_t asc, uint8_t ascq);
/* send() - as much of some bytes as there is room for */
void send_bytes(struct answer *answer, const uint8_t *data, size_t len);
/* needs_medium() - fails and is false where none is loaded */
bool needs_medium(const struct emulator *drive, struct answer *answer);
/* locked_out() - fails and is true where the key was changed though this initiator has locked it */
bool locked_out(const struct emulator *drive, unsigned int initiator, struct answer *answer);
void forget_key(struct emulator *drive);
void security_in(struct emulator *drive, const struct request *request, struct answer *answer);
void security_out(struct emulator *drive, const struct request *request, struct answer *answer);
void read_attribute(struct emulator *drive, const struct request *request, struct answer *answer);
void write_attribute(struct emulator *drive, const struct request *request, struct answer *answer);
void log_sense(struct emulator *drive, const struct request *request, struct answer *answer);

#endif
