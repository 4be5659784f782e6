/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TAPE_MAM_H
#define COF_TAPE_MAM_H

/*
 * Medium auxiliary memory, the chip in a cartridge, pure: SPC-4, section 7.4, and SSC-4 for the
 * attributes of tapes; and log page 17h, which has two of the same facts.
 */

#include "buffer.h"

#define MAM_FIRST_ENCRYPTED 0x0224 /* logical object number, 8 bytes */
#define MAM_FIRST_CLEAR	    0x0225 /* the first clear one behind an encrypted one */
#define MAM_SERIAL	    0x0401 /* of the cartridge, 32 characters */
#define MAM_BARCODE	    0x0806 /* 32 characters, written by a library or host, often empty */
#define MAM_KEY_ID	    0x1400 /* the area of hosts: the identity of the key, as in the U-KAD */

#define MAM_BINARY 0
#define MAM_ASCII  1
#define MAM_TEXT   2

/** struct mam_attribute - one attribute; @value is borrowed */
struct mam_attribute {
	uint16_t id;
	uint8_t format; /* MAM_BINARY, MAM_ASCII, MAM_TEXT */
	bool read_only;
	struct span value;
};

/**
 * mam_find() - an attribute in the answer to READ ATTRIBUTE; a last one that is cut off counts as
 * far as it is there
 * Fails: COF_E_FORMAT (shorter than its own length field)
 */
cof_result mam_find(struct span answer, uint16_t id, struct mam_attribute *ret_attribute,
		    bool *ret_found, struct cof_error *err);

/** mam_text() - a text attribute without the blanks and NULs at its end; bytes that are no
 * printable ASCII become '?'; cut where @out_size_bytes end */
void mam_text(struct span value, char *out, size_t out_size_bytes);

/** mam_object() - a position of eight bytes; false for none, which all ones mean */
bool mam_object(struct span value, uint64_t *ret_object);

/** mam_encode() - append the parameters of WRITE ATTRIBUTE that set these. Fails: COF_E_FORMAT (a
 * value is over 65535 bytes), COF_E_NOMEM */
cof_result mam_encode(const struct mam_attribute attributes[], size_t count, struct buffer *out,
		      struct cof_error *err);

/** struct volume_log - what log page 17h says of the loaded tape: positions of blocks */
struct volume_log {
	bool has_encrypted;
	bool has_clear; /* behind an encrypted one */
	uint64_t first_encrypted;
	uint64_t first_clear;
};

#define LOG_VOLUME_STATISTICS 0x17

/** volume_log_decode() - of partition 0. Fails: COF_E_FORMAT (another page, cut off) */
cof_result volume_log_decode(struct span bytes, struct volume_log *ret_log, struct cof_error *err);

#endif
