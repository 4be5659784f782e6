/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TAPE_SENSE_H
#define COF_TAPE_SENSE_H

/*
 * What a drive says when it refuses: sense data to a cause and a next step, pure. The tape driver
 * of the kernel makes all of them one and the same "Input/output error".
 */

#include "buffer.h"

#define SENSE_MAX_BYTES 252 /* SPC-4, section 4.5.1 */

/** struct sense - why a command failed: SPC-4, section 4.5
 * @found: there was sense data at all */
struct sense {
	bool found;
	bool deferred; /* about an earlier command */
	uint8_t key;
	uint8_t asc;
	uint8_t ascq;
};

#define SENSE_NO_SENSE	     0x0
#define SENSE_RECOVERED	     0x1
#define SENSE_NOT_READY	     0x2
#define SENSE_UNIT_ATTENTION 0x6
#define SENSE_BLANK_CHECK    0x8

/** sense_decode() - fixed and descriptor format; anything else is not found */
struct sense sense_decode(struct span bytes);

/** sense_is() - whether it is this additional code */
bool sense_is(struct sense sense, uint8_t asc, uint8_t ascq);

/**
 * struct sense_text - a refusal in words
 * @code:   what kind of failure that is
 * @cause:  without a full stop
 * @remedy: the next step, without a full stop
 * @exact:  false: known by its sense key or vendor's range alone
 */
struct sense_text {
	enum cof_code code;
	const char *cause;
	const char *remedy;
	bool exact;
};

/** sense_explain() - always finds something to say; all static */
struct sense_text sense_explain(struct sense sense);

/** sense_format() - "05/26/00": key, code, qualifier in hex; returns @out */
char *sense_format(struct sense sense, char out[static 12]);

/**
 * sense_parse() - sense as people type or paste it: "05/26/00", "5 26 0", "74/03" (any key),
 * "0x05,0x26,0x00", or the whole sense data as hex bytes, of which there are eight or more
 * Fails: COF_E_USAGE
 */
cof_result sense_parse(const char *text, struct sense *ret_sense, struct cof_error *err);

#define SENSE_KEY_ANY 0xff /* of what was typed without a key */

/** sense_raise() - fails with its cause and remedy. @subject: the drive; @doing: "set the key" */
cof_result sense_raise(struct sense sense, const char *subject, const char *doing,
		       struct cof_error *err);

#endif
