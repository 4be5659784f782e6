/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TAPE_DRIVE_H
#define COF_TAPE_DRIVE_H

/*
 * One tape drive: what it can do, how it is set, and the key that it holds. Loading a key takes
 * four commands, its verification included; clearing one takes four as well.
 *
 * Besides what is named, all of these fail with: COF_E_NOENT (the drive has vanished), COF_E_IO (it
 * does not answer), COF_E_FORMAT (its answer is cut off), COF_E_REFUSED (this process may not), and
 * what the drive's refusal means (sense.h).
 */

#include "key_tag.h"
#include "mam.h"
#include "transport.h"

/**
 * struct drive - an open drive
 * @name:      as the user named it, for errors
 * @node:      the node that takes its commands
 * @transport: taken
 * @other_host: another host has changed the key while this one had the drive open
 */
struct drive {
	char name[256];
	char node[256];
	struct transport transport;
	bool other_host;
};

/** drive_open() - by a node; @name is what the user typed. Fails: as transport_open() */
cof_result drive_open(const char *name, const char *node, struct drive **ret_drive,
		      struct cof_error *err);
/** drive_new() - on a transport, which is taken, also on failure. Fails: COF_E_NOMEM */
cof_result drive_new(const char *name, struct transport transport, struct drive **ret_drive,
		     struct cof_error *err);
void drive_close(struct drive *drive);
DEFINE_FREEP(struct drive, drive_closep, drive_close)

/** struct drive_identity - of the device, without blanks at the ends */
struct drive_identity {
	char vendor[9];
	char product[17];
	char revision[5];
	char serial[33]; /* "" where it has none */
};
cof_result drive_identify(struct drive *drive, struct drive_identity *ret_identity,
			  struct cof_error *err);

/** drive_has_tape() - whether a tape is loaded and ready; not ready is an answer */
cof_result drive_has_tape(struct drive *drive, bool *ret_loaded, struct cof_error *err);
cof_result drive_rewind(struct drive *drive, struct cof_error *err);
/** drive_position() - the number of the next logical object */
cof_result drive_position(struct drive *drive, uint64_t *ret_object, struct cof_error *err);
/** drive_locate() - go to a logical object of partition 0. Fails: COF_E_UNSUPPORTED (a number of
 * more than 32 bits) */
cof_result drive_locate(struct drive *drive, uint64_t object, struct cof_error *err);

/* ---- encryption ---- */

/** drive_capabilities() - page 0010h. A drive that has none fails with COF_E_UNSUPPORTED */
cof_result drive_capabilities(struct drive *drive, struct tape_capabilities *ret_capabilities,
			      struct cof_error *err);
/** drive_management() - page 0012h; a drive without that page offers nothing but the scope of all
 * hosts */
cof_result drive_management(struct drive *drive, struct tape_management *ret_management,
			    struct cof_error *err);
/** drive_status() - page 0020h */
cof_result drive_status(struct drive *drive, struct tape_encryption *ret_status,
			struct cof_error *err);
/** drive_next() - page 0021h; a blank tape has no next block */
cof_result drive_next(struct drive *drive, struct tape_next *ret_next, struct cof_error *err);

/** drive_has_key() - whether a drive would encrypt or decrypt now */
bool drive_has_key(const struct tape_encryption *status);

/**
 * struct drive_loaded - how a key was loaded
 * @status: as the drive says afterwards
 * @clear_on_demount: it forgets the key when the tape leaves
 * @locked: it tells when another host changes the key
 */
struct drive_loaded {
	struct tape_encryption status;
	bool clear_on_demount;
	bool locked;
};

/**
 * drive_load_key() - set a key for writing and reading, so that clear blocks stay readable;
 * verified by page 0020h
 * @id: of the key, for the KADs
 * Fails as well: COF_E_UNSUPPORTED (no AES-256 in the drive, or not with this tape), COF_E_NOENT
 * (no tape), COF_E_REFUSED (the library controls the drive), COF_E_CONFLICT (it does not have the
 * key afterwards; what it has is cleared)
 */
cof_result drive_load_key(struct drive *drive, const struct tape_key *key,
			  const uint8_t id[static KEY_ID_BYTES], struct drive_loaded *ret_loaded,
			  struct cof_error *err);

/** drive_clear_key() - make the drive forget its key; verified
 * @ret_changed: it had one. Fails as well: COF_E_REFUSED (the library controls the drive),
 * COF_E_CONFLICT (it has one afterwards) */
cof_result drive_clear_key(struct drive *drive, bool *ret_changed, struct cof_error *err);

/* ---- the chip of the tape ---- */

#define DRIVE_TEXT_CHARS 160 /* the longest attribute */

/** drive_attribute() - a text attribute; "" where the tape has none, or the drive no chip */
cof_result drive_attribute(struct drive *drive, uint16_t id, char out[static DRIVE_TEXT_CHARS + 1],
			   struct cof_error *err);
/** drive_set_attribute() - the reverse */
cof_result drive_set_attribute(struct drive *drive, uint16_t id, const char *text,
			       struct cof_error *err);
/** drive_first_encrypted() - where the first encrypted block is, by the chip or the log page; false
 * for none, or where the drive does not know */
cof_result drive_first_encrypted(struct drive *drive, uint64_t *ret_object, bool *ret_found,
				 struct cof_error *err);

/**
 * drive_tape_tag() - which key the tape needs, by what stands on it: the next block, the first
 * encrypted block, the chip; the tape is where it was afterwards
 * @ret_next: the next block, as it is before anything moves
 * No key is tried: ten wrong ones lock some drives.
 */
cof_result drive_tape_tag(struct drive *drive, struct key_tag *ret_tag, struct tape_next *ret_next,
			  struct cof_error *err);

/* ---- private to the drive's files ---- */

#define DRIVE_SHORT_MS 30000  /* what a drive does in its head */
#define DRIVE_LONG_MS  900000 /* what moves tape: LTO-9 rewinds and locates within minutes */

/** drive_execute() - send a command, again while the drive has something else to tell first (unit
 * attention). @doing: "set the key". @ret_in_bytes: may be NULL */
cof_result drive_execute(struct drive *drive, const struct scsi_command *command, const char *doing,
			 size_t *ret_in_bytes, struct cof_error *err);
/** drive_try() - the same where a refusal is an answer: *ret_sense.found is false for success */
cof_result drive_try(struct drive *drive, const struct scsi_command *command,
		     struct sense *ret_sense, size_t *ret_in_bytes, struct cof_error *err);

#endif
