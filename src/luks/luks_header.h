/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_LUKS_LUKS_HEADER_H
#define COF_LUKS_LUKS_HEADER_H

/*
 * Headers as things of their own: how one is damaged, what differs between two, and which bytes
 * mend it. Looking never writes; luks_writes_run() alone writes, and only what a plan says.
 */

#include "luks.h"

/** enum luks_area_state - one of the places where a header's metadata lies */
enum luks_area_state {
	LUKS_AREA_NONE, /* LUKS1 has no second one */
	LUKS_AREA_GOOD,
	LUKS_AREA_NO_MAGIC, /* all is there but the six bytes by which it is recognised */
	LUKS_AREA_OLDER,    /* whole, but behind the other one */
	LUKS_AREA_DAMAGED,  /* gone or altered */
};

/**
 * struct luks_header_state - the metadata of a header, both places
 * @version:    1 or 2; 0 where nothing of a header is left
 * @uuid:       as written, not checked to be one
 * @sequence:   of the newest whole one; 0 for LUKS1
 * @area_bytes: of one place
 * @whole:      both places are as they should be
 * @mendable:   at least one holds all its bytes, but perhaps the magic
 * @disagree:   both hold all their bytes, but are of different headers
 */
struct luks_header_state {
	int version;
	char uuid[40 + 1];
	uint64_t sequence;
	uint64_t area_bytes;
	enum luks_area_state first;
	enum luks_area_state second;
	bool whole;
	bool mendable;
	bool disagree;
};

/**
 * luks_header_examine() - look at both places, byte by byte
 * @device: or a file
 * Fails: COF_E_NOENT, COF_E_IO, COF_E_NOMEM. Reads at most 16 MiB.
 */
cof_result luks_header_examine(const char *device, struct luks_header_state *ret_state,
			       struct cof_error *err);

/** luks_area_words() - "whole", "its magic bytes are gone", ...; static */
const char *luks_area_words(enum luks_area_state state);

/* ---- what would be written ---- */

/** struct luks_write - bytes for one place; @what: "the first header", "keyslot 0" */
struct luks_write {
	uint64_t offset_bytes;
	struct buffer bytes;
	char what[96];
};

/** struct luks_writes - in the order in which they are written; { 0 } is none */
struct luks_writes {
	struct luks_write *items;
	size_t count;
};
void luks_writes_done(struct luks_writes *writes);
#define _cleanup_luks_writes_ _cleanup_(luks_writes_done)

/** luks_writes_move() - append all of @from, which is empty afterwards. Fails: COF_E_NOMEM */
cof_result luks_writes_move(struct luks_writes *writes, struct luks_writes *from,
			    struct cof_error *err);

/**
 * luks_plan_mend() - the bytes that make both places whole from what is on the device itself: the
 * magic where that is all that is gone, and a damaged or older place from the other
 * @uuid: of the header that should be there, which decides where two disagree; NULL: unknown
 *
 * None where all is well, or where nothing is left to mend it from. Fails: COF_E_REFUSED (the two
 * are of different headers, and @uuid is NULL or neither's), as luks_header_examine()
 */
cof_result luks_plan_mend(const char *device, const char *uuid, struct luks_writes *ret_writes,
			  struct cof_error *err);

/**
 * luks_plan_slots() - areas of keyslots whose metadata are the same on @device and in @copy, but
 * not their bytes: nobody changes a keyslot in such a way
 * Fails: COF_E_FORMAT (no valid header on @device, or @copy is none), COF_E_IO
 */
cof_result luks_plan_slots(const char *device, struct span copy, struct luks_writes *ret_writes,
			   struct cof_error *err);

/**
 * luks_plan_restore() - what of @copy is not on @device: keyslots, the second header, the first
 * Until the first is written, a header that was damaged stays so, and one stopped half-way is found
 * again. Fails: COF_E_FORMAT (@copy is none; it is larger than the device), COF_E_IO
 */
cof_result luks_plan_restore(const char *device, struct span copy, struct luks_writes *ret_writes,
			     struct cof_error *err);

/** struct luks_rehearsal - a header in memory as it would be; @path: to give for a device */
struct luks_rehearsal {
	int memory_fd;
	char path[32];
};
#define LUKS_REHEARSAL_NONE ((struct luks_rehearsal){ .memory_fd = -1 })
void luks_rehearsal_done(struct luks_rehearsal *rehearsal);

/**
 * luks_rehearse() - what would be on @device after @writes, without writing to it
 * Only metadata and keyslots in use are there. Fails: COF_E_FORMAT (it would be no valid header),
 * COF_E_IO, COF_E_NOMEM
 */
cof_result luks_rehearse(const char *device, const struct luks_writes *writes,
			 struct luks_rehearsal *ret_rehearsal, struct cof_error *err);

/**
 * luks_rehearse_copy() - the header of a copy in memory, without any device
 * Fails: COF_E_FORMAT (@copy is none, or altered), COF_E_IO, COF_E_NOMEM
 */
cof_result luks_rehearse_copy(struct span copy, struct luks_rehearsal *ret_rehearsal,
			      struct cof_error *err);

/**
 * luks_writes_run() - write, one after the other, each durable and read back before the next
 * @prefix: of the fault points: "repair" gives "repair/written" after each
 *
 * The device may be in use: what is written lies before its data. Fails: COF_E_IO, COF_E_NOENT
 */
cof_result luks_writes_run(const char *device, const struct luks_writes *writes, const char *prefix,
			   struct cof_error *err);

/* ---- what differs ---- */

/**
 * struct luks_diff - of two headers, an older and a newer
 * @same:          not a byte differs
 * @other_header:  another UUID, version, or size of the header area
 * @went_back:     the sequence id is lower
 * @damaged_slots: keyslots with the same metadata in both and other bytes
 * @altered:       LUKS2: something that was there is gone or other; that a digest is of more
 * keyslots now does not count
 * @added_slots, @added_tokens: LUKS2: bit n: keyslot or token n is new
 * @text:          the changes in words, one in each line, no newline at the end; empty also where
 *                 bytes differ that mean nothing
 */
struct luks_diff {
	bool same;
	bool other_header;
	bool went_back;
	uint32_t damaged_slots;
	bool altered;
	uint32_t added_slots;
	uint32_t added_tokens;
	struct buffer text;
};
void luks_diff_done(struct luks_diff *diff);
#define _cleanup_luks_diff_ _cleanup_(luks_diff_done)

/**
 * luks_copies_diff() - what changed from one copy to another; does no I/O
 * Fails: COF_E_FORMAT (one is not a copy, or its metadata cannot be read), COF_E_NOMEM
 */
cof_result luks_copies_diff(struct span before, struct span after, struct luks_diff *ret_diff,
			    struct cof_error *err);

/** luks_copy_is() - whether @bytes look like a copy of ours, and not like a header itself */
bool luks_copy_is(struct span bytes);

#endif
