/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sense codes in words. Names of the codes: T10, "SCSI ASC/ASCQ Assignments", and for EE and EF
 * IBM's LTO SCSI reference.
 */

#include <stdio.h>

#include "sense.h"

#define ANY 0xff /* any qualifier */

/* One code, or a range of a vendor's. */
struct entry {
	uint8_t asc;
	uint8_t ascq;
	struct sense_text text;
};

#define LOAD_AGAIN "coffer tape load DEV, which sets the key anew"
#define WHICH_KEY  "coffer tape which-key DEV, then load that key"
#define ASK_STATUS "coffer tape status DEV, which says who controls the drive"
#define KEY_MANAGER                                                                                \
	"the library's or key manager's own log; or set the drive to application "                 \
	"managed encryption there"

/* The first that fits counts, so ranges come last. */
static const struct entry entries[] = {
	{ 0x00, 0x01, { COF_E_NONE, "a filemark was reached", "read on behind it", true } },
	{ 0x00, 0x02, { COF_E_NOSPC, "the end of the tape was reached", "another tape", true } },
	{ 0x00, 0x05, { COF_E_NONE, "the end of the data was reached", "mt -f DEV rewind", true } },
	{ 0x14,
	  0x03,
	  { COF_E_NONE, "the tape is blank: nothing was ever written on it", "write to it first",
	    true } },
	{ 0x04, 0x01, { COF_E_BUSY, "the drive is getting ready", "again in a minute", true } },
	{ 0x04, 0x02, { COF_E_BUSY, "the tape must be loaded first", "mt -f DEV load", true } },
	{ 0x20,
	  0x00,
	  { COF_E_UNSUPPORTED, "the drive does not know this command",
	    "a drive that encrypts: LTO-4 or later, TS1120 or later, T10000", true } },
	{ 0x24,
	  0x00,
	  { COF_E_UNSUPPORTED, "the drive does not know a field of the command",
	    "newer firmware; `coffer tape status DEV` says what the drive can do", true } },
	{ 0x25,
	  0x00,
	  { COF_E_NOENT, "no drive answers at this address",
	    "coffer tape list, which shows the drives", true } },
	{ 0x26,
	  0x00,
	  { COF_E_FAILED, "the drive refused a field of the key's page",
	    "`coffer tape status DEV`, and report its output and the drive's model", true } },
	{ 0x26,
	  0x10,
	  { COF_E_KEY, "too many wrong keys were tried, so the drive takes none any more",
	    "unload the tape or switch the drive off and on, then " WHICH_KEY, true } },
	{ 0x26,
	  0x11,
	  { COF_E_FAILED, "the drive needs more key-associated data with the key",
	    "a key that coffer made for this tape: coffer tape label", true } },
	{ 0x26,
	  0x12,
	  { COF_E_NOENT, "the drive does not find the key that was referred to", LOAD_AGAIN,
	    true } },
	{ 0x27,
	  0x00,
	  { COF_E_REFUSED, "the tape is write-protected",
	    "slide the cartridge's switch, if it is meant to be written", true } },
	{ 0x28,
	  0x00,
	  { COF_E_CONFLICT, "another tape was loaded meanwhile",
	    "coffer tape which-key DEV, then the command again", true } },
	{ 0x29,
	  0x00,
	  { COF_E_CONFLICT, "the drive was reset, and has forgotten its key", LOAD_AGAIN, true } },
	{ 0x2a,
	  0x11,
	  { COF_E_CONFLICT, "another host has changed the drive's key",
	    "end what uses the drive there, then " LOAD_AGAIN, true } },
	{ 0x2a,
	  0x13,
	  { COF_E_CONFLICT, "the key was changed though this host had it locked",
	    "find out who did: the drive's access on the fabric; then " LOAD_AGAIN, true } },
	{ 0x2c,
	  0x00,
	  { COF_E_FAILED, "the drive was not ready for this command in its course",
	    "mt -f DEV rewind, then the command again", true } },
	{ 0x30,
	  ANY,
	  { COF_E_UNSUPPORTED, "the drive cannot use this cartridge",
	    "a cartridge of the drive's generation", true } },
	{ 0x3a, ANY, { COF_E_NOENT, "no tape is loaded", "load a tape", true } },
	{ 0x55,
	  0x08,
	  { COF_E_NOSPC, "the drive has no room for more keys",
	    "coffer tape clear DEV, then the command again", true } },
	{ 0x74,
	  0x00,
	  { COF_E_FAILED, "the drive reports a security error and no more than that", ASK_STATUS,
	    true } },
	{ 0x74,
	  0x01,
	  { COF_E_KEY, "the block is encrypted, and the drive has no key", WHICH_KEY, true } },
	{ 0x74,
	  0x02,
	  { COF_E_REFUSED, "the block is clear, and the drive reads encrypted ones alone",
	    "coffer tape load DEV, whose mixed mode reads both", true } },
	{ 0x74,
	  0x03,
	  { COF_E_KEY, "the block is encrypted with another key than the drive has", WHICH_KEY,
	    true } },
	{ 0x74,
	  0x04,
	  { COF_E_AUTH, "the block was altered or damaged: its check value is wrong",
	    "another copy of the data; cleaning the drive may help", true } },
	{ 0x74,
	  0x05,
	  { COF_E_AUTH, "the block does not decrypt: it, or the key's identity on it, was altered",
	    "another copy of the data; then " WHICH_KEY, true } },
	{ 0x74,
	  0x06,
	  { COF_E_KEY, "the drive does not know who signed the block",
	    "the program that wrote the tape", true } },
	{ 0x74,
	  0x07,
	  { COF_E_FAILED, "the drive cannot use its encryption parameters for this tape",
	    LOAD_AGAIN, true } },
	{ 0x74,
	  0x08,
	  { COF_E_AUTH, "the block's signature is wrong", "another copy of the data", true } },
	{ 0x74,
	  0x09,
	  { COF_E_REFUSED, "the block was encrypted in another mode than the drive reads",
	    "coffer tape load DEV, whose mixed mode reads both", true } },
	{ 0x74,
	  0x0a,
	  { COF_E_REFUSED, "the block was written so that it cannot be read raw", WHICH_KEY,
	    true } },
	{ 0x74,
	  0x0b,
	  { COF_E_FAILED, "the drive's encryption parameters are wrong for this block", LOAD_AGAIN,
	    true } },
	{ 0x74,
	  0x0c,
	  { COF_E_FAILED, "the drive could not unwrap the page that it was sent",
	    "`coffer tape status DEV`, and report its output and the drive's model", true } },
	{ 0x74,
	  0x0d,
	  { COF_E_REFUSED, "the algorithm is switched off in the drive",
	    "the drive's or library's own settings: encryption, FIPS mode", true } },
	{ 0x74,
	  0x21,
	  { COF_E_REFUSED,
	    "keys cannot be set from here: the library or the drive's settings prevent it",
	    KEY_MANAGER, true } },
	{ 0x74,
	  0x61,
	  { COF_E_IO, "the drive's own key manager cannot be reached", KEY_MANAGER, true } },
	{ 0x74,
	  0x62,
	  { COF_E_FAILED, "the drive's own key manager has failed", KEY_MANAGER, true } },
	{ 0x74,
	  0x63,
	  { COF_E_NOENT, "the drive's own key manager does not know the key", KEY_MANAGER, true } },
	{ 0x74,
	  0x64,
	  { COF_E_REFUSED, "the drive's own key manager does not give the key", KEY_MANAGER,
	    true } },
	{ 0x74,
	  0x6e,
	  { COF_E_IO, "what controls the drive's encryption did not answer in time", KEY_MANAGER,
	    true } },
	{ 0x74,
	  0x6f,
	  { COF_E_FAILED, "what controls the drive's encryption has failed", KEY_MANAGER, true } },
	{ 0x74,
	  0x71,
	  { COF_E_REFUSED, "this host may not use the drive", "the drive's access control",
	    true } },
	{ 0xee,
	  0x0f,
	  { COF_E_IO, "the key manager of an IBM drive has failed", KEY_MANAGER, true } },
	{ 0xee,
	  0x31,
	  { COF_E_NOENT, "the key manager of an IBM drive does not know the key", KEY_MANAGER,
	    true } },
	{ 0xee,
	  0xff,
	  { COF_E_REFUSED, "an IBM drive's settings do not allow this", KEY_MANAGER, true } },
	{ 0xef,
	  0x10,
	  { COF_E_KEY, "an IBM drive needs a key from its key manager", KEY_MANAGER, true } },
	{ 0xee,
	  ANY,
	  { COF_E_FAILED, "the key manager of an IBM drive reports a failure", KEY_MANAGER,
	    false } },
	{ 0xef,
	  ANY,
	  { COF_E_FAILED, "an IBM drive waits for its key manager, or was refused by it",
	    KEY_MANAGER, false } },
	{ 0x74,
	  ANY,
	  { COF_E_FAILED, "the drive reports a failure of its encryption", ASK_STATUS, false } },
};

/* What the sense key alone says: SPC-4, table of sense keys. */
static const struct sense_text keys[16] = {
	[0x0] = { COF_E_NONE, "the drive reports no failure", "go on", false },
	[0x1] = { COF_E_NONE, "the drive has mended a failure by itself", "go on", false },
	[0x2] = { COF_E_BUSY, "the drive is not ready", "load a tape, or wait a minute", false },
	[0x3] = { COF_E_IO, "the tape cannot be read or written here",
		  "clean the drive, or use another tape", false },
	[0x4] = { COF_E_IO, "the drive's hardware has failed", "the drive's own diagnosis", false },
	[0x5] = { COF_E_UNSUPPORTED, "the drive does not take this request",
		  "coffer tape status DEV, which says what it can do", false },
	[0x6] = { COF_E_BUSY, "something about the drive or its tape has changed",
		  "the command again", false },
	[0x7] = { COF_E_REFUSED, "the drive protects the tape, or its key, from this", ASK_STATUS,
		  false },
	[0x8] = { COF_E_NONE, "there is no data here", "mt -f DEV rewind", false },
	[0x9] = { COF_E_FAILED, "the drive reports a failure of its vendor's own",
		  "the drive's manual", false },
	[0xa] = { COF_E_IO, "a copy was ended", "the command again", false },
	[0xb] = { COF_E_IO, "the drive has ended the command",
		  "check the cable and the fabric, then the command again", false },
	[0xd] = { COF_E_NOSPC, "the end of the tape was reached", "another tape", false },
	[0xe] = { COF_E_FAILED, "the data is not what was expected", "another copy of the data",
		  false },
	[0xf] = { COF_E_NONE, "the drive has finished", "go on", false },
};

struct sense_text sense_explain(struct sense sense)
{
	static const struct sense_text nothing = { COF_E_IO, "the drive gave no reason",
						   "coffer tape status DEV, or the drive's own log",
						   false };

	if (!sense.found)
		return nothing;
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		const struct entry *entry = &entries[i];

		if (entry->asc == sense.asc && (entry->ascq == ANY || entry->ascq == sense.ascq))
			return entry->text;
	}
	if (sense.key == SENSE_KEY_ANY || !keys[sense.key & 0x0f].cause)
		return nothing;
	return keys[sense.key & 0x0f];
}
