/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_LUKS_REENCRYPT_END_H
#define COF_LUKS_REENCRYPT_END_H

/*
 * The end of a re-encryption. When all data are done, libcryptsetup overwrites what was set aside,
 * removes keyslots, and only then the traces in the metadata, in several writes; where it is cut
 * off between them, versions up to 2.6.1 at least go on with none of these states. Private to
 * src/luks.
 */

#include "buffer.h"
#include "luks.h"

/**
 * struct reencrypt_end - what is left to do
 * @done:       all data are under the new key, and only the end is missing
 * @json:       the metadata without any trace of the re-encryption; caller frees. Keyslots of the
 *              old volume key are in them still, bound to no data
 * @aside_bytes: of plain data that were set aside, at @aside_offset_bytes; 0: none
 */
struct reencrypt_end {
	bool done;
	char *json;
	uint64_t aside_offset_bytes;
	uint64_t aside_bytes;
};
void reencrypt_end_done(struct reencrypt_end *end);

/**
 * reencrypt_end_parse() - whether the metadata are those of a re-encryption that has done all data;
 * does no I/O
 * @json:    a LUKS2 header's JSON area
 * @subject: what errors name
 * Fails: COF_E_FORMAT. Source: LUKS2 on-disk format 1.1.0, sections 3.1 to 3.5 and 3.7
 */
cof_result reencrypt_end_parse(struct span json, const char *subject, struct reencrypt_end *ret_end,
			       struct cof_error *err);

/**
 * reencrypt_end_look() - the same of the header on a device or in a file
 * Fails: as reencrypt_end_parse(), COF_E_NOENT, COF_E_IO, COF_E_NOMEM
 */
cof_result reencrypt_end_look(const char *header, bool *ret_done, struct cof_error *err);

/**
 * reencrypt_end_run() - bring it to its end: the data set aside overwritten, the traces gone
 * @device: where the data are; @header: where the metadata are
 *
 * Nothing to do is success. A run that is cut off is gone on with by the next. Fails: COF_E_IO, as
 * reencrypt_end_look()
 */
cof_result reencrypt_end_run(const char *device, const char *header, struct cof_error *err);

#endif
