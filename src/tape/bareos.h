/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COF_TAPE_BAREOS_H
#define COF_TAPE_BAREOS_H

/*
 * How Bareos (and Bacula's relatives of it) keep the keys of tapes, pure: the catalogue and the
 * storage daemon's cache have, for each volume, a passphrase of 32 characters in base64, wrapped
 * under a key encryption key where one is configured. doc/format-bareos.md.
 */

#include "page.h"

/* A passphrase of 32 characters, as Bareos makes it. */
DEFINE_SECRET_TYPE(bareos_passphrase)

#define BAREOS_PASSPHRASE_CHARS 32
#define BAREOS_KEK_BYTES	16 /* all that Bareos uses of the KEK's characters */
#define BAREOS_WRAPPED_BYTES	40 /* RFC 3394: 32 and one semiblock */

/** bareos_generate() - a new passphrase; all 90 characters are equally likely.
 * Fails: COF_E_NOMEM, COF_E_FAILED */
cof_result bareos_generate(struct bareos_passphrase **ret_passphrase, struct cof_error *err);

/** bareos_wrap() - the text that the catalogue has. @kek: its characters, 16 or more.
 * Fails: COF_E_USAGE (a KEK or passphrase of another length), COF_E_NOMEM, COF_E_FAILED */
cof_result bareos_wrap(struct span kek, const struct bareos_passphrase *passphrase,
		       struct secret **ret_text, struct cof_error *err);

/**
 * bareos_unwrap() - the reverse
 * @kek:  its characters; { 0 } for none
 * @text: base64 of a wrapped passphrase, or where there is no KEK of a clear one
 * Fails: COF_E_KEY (a wrong KEK, or altered), COF_E_FORMAT (no such text), COF_E_USAGE (too short a
 * KEK, none where one is needed, or one that is not needed), COF_E_NOMEM
 */
cof_result bareos_unwrap(struct span kek, struct span text,
			 struct bareos_passphrase **ret_passphrase, struct cof_error *err);

/** bareos_drive_key() - the key that Bareos loads into the drive: the first 31 characters and a
 * zero byte. Fails: COF_E_FORMAT (another length), COF_E_NOMEM */
cof_result bareos_drive_key(const struct bareos_passphrase *passphrase, struct tape_key **ret_key,
			    struct cof_error *err);

#endif
