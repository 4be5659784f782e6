/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TAPE_KEY_TAG_H
#define COF_TAPE_KEY_TAG_H

/*
 * What stands on a tape about its key, pure. Everybody who has the tape can read it, so it is a
 * random id and names nothing: doc/format-tape.md.
 */

#include "page.h"

#define KEY_ID_BYTES  16
#define KEY_ID_CHARS  22 /* base64url of them */
#define KEY_TAG_CHARS 30 /* "coffer1:" and those: fits the 30 bytes of a T10000, and LTO's 32 */

/** key_id_format() - base64url, by which the vault has the key; returns @out */
char *key_id_format(const uint8_t id[static KEY_ID_BYTES], char out[static KEY_ID_CHARS + 1]);
/** key_id_parse() - false for what is no id */
bool key_id_parse(const char *text, uint8_t ret_id[static KEY_ID_BYTES]);

/** key_tag_format() - the U-KAD, NUL-terminated; returns @out */
char *key_tag_format(const uint8_t id[static KEY_ID_BYTES], char out[static KEY_TAG_CHARS + 1]);

/**
 * key_tag_kads() - what to send with a key: a U-KAD where it fits, an A-KAD where that does
 * @ret_kads: empty for a drive that takes neither
 */
void key_tag_kads(const uint8_t id[static KEY_ID_BYTES], const struct tape_algorithm *algorithm,
		  struct kads *ret_kads);

#define KEY_TAG_TEXT_CHARS (2 * KAD_KEPT_BYTES)

/**
 * struct key_tag - what KADs, or the chip, say of a key
 * @found:   there is something
 * @ours:    it is the id of one of our keys
 * @partial: only the A-KAD is there: the first @ID_PREFIX_CHARS characters of the id are right
 * @id:      base64url
 * @text:    what stands there, for people: as it is where that is printable, else in hex
 */
struct key_tag {
	bool found;
	bool ours;
	bool partial;
	char id[KEY_ID_CHARS + 1];
	char text[KEY_TAG_TEXT_CHARS + 1];
};

#define ID_PREFIX_CHARS 12 /* base64url of the 9 bytes in an A-KAD */

/** key_tag_read() - from the KADs of a block or of a drive's status */
struct key_tag key_tag_read(const struct kads *kads);
/** key_tag_of_text() - from a U-KAD's bytes, or the chip's attribute */
struct key_tag key_tag_of_text(struct span bytes);

#endif
